#!/bin/sh
# After a merge, also a pull that only moves forward: an autostash that fits comes back index and all.
#
# git's own way puts back the files alone, and drops the version that was staged. One that does not
# fit is left to git, which keeps it in the list of stashes.

. "${0%/*}/guard.sh"

kept=$git_folder/MERGE_AUTOSTASH

# Tell whether the changes from $1 to $2 can be made; $3 is where, the files or the index.
fits() {
    git diff-tree -p --binary --full-index "$1" "$2" | git apply --allow-empty --check "$3" 2>/dev/null
}

if is_guarding && [ -f "$kept" ]; then
    read -r stashed <"$kept"
    if fits "$stashed^1" "$stashed^2" --cached && fits "$stashed^1" "$stashed" --quiet &&
        git stash apply --index --quiet "$stashed" >/dev/null 2>&1; then
        rm -f "$kept" # git finds none to put back
        say 'Applied autostash, staged and unstaged.'
    fi
fi
run_chained "$@"
