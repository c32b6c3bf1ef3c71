#!/bin/sh
# Before a rebase: none on main over uncommitted changes (rule 3), and nothing of them lost.
#
# git has put the changes into an autostash by now and reset the tree; if this hook only refused,
# git would leave them there, in no ref and in no file. So they are put back first, index and all.

. "${0%/*}/guard.sh"

# Find the changes that git has taken away: their commit in $stashed, its file in $autostash.
find_autostash() {
    for autostash in "$git_folder/rebase-merge/autostash" "$git_folder/rebase-apply/autostash"; do
        if [ -f "$autostash" ]; then
            read -r stashed <"$autostash"
            return
        fi
    done
    return 1
}

is_on_main() {
    is_main_tree && return
    read -r head <"$git_folder/HEAD"
    [ "$head" = "ref: refs/heads/$branch" ]
}

put_back() {
    if git stash apply --index --quiet "$stashed" >/dev/null 2>&1; then
        rm -f "$autostash"
        rmdir "${autostash%/*}" 2>/dev/null
        say 'Your uncommitted changes are back as they were, staged and unstaged.'
        return
    fi
    git update-ref "refs/goodneighbor/rescue/autostash/$stashed" "$stashed"
    say "Your uncommitted changes could not be put back; they are saved:"
    say "  git stash apply --index refs/goodneighbor/rescue/autostash/$stashed"
}

code=0
run_chained "$@" || code=$?
is_guarding || exit "$code"
find_autostash || exit "$code"
if [ "$code" -ne 0 ]; then
    put_back
    exit "$code"
fi
is_on_main || exit 0
say 'Refused by goodneighbor: no rebase on main over uncommitted changes (rule 3).'
put_back
say 'Commit them first, on a branch of their own if the fleet is running, then pull again.'
exit 1
