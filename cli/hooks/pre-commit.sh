#!/bin/sh
# Before a commit: what is staged must bring no markers, no broken JSON, no direct write to state.
#
# The chained hook goes first, because formatters change the index. What `--no-verify` skips here,
# reference-transaction catches.

. "${0%/*}/guard.sh"

run_chained "$@" || exit
is_guarding || exit 0

listing() {
    on_documents git -c core.quotePath=false diff-index --cached --raw --no-renames "$1" 2>/dev/null
}

staged=$(listing HEAD) || staged=$(listing "$(git hash-object -t tree /dev/null)")
[ -n "$staged" ] || exit 0

# The other parents of a merge: a file while a person merges, the environment while `git merge` does.
parents=
[ ! -f "$git_folder/MERGE_HEAD" ] || parents=$(cat "$git_folder/MERGE_HEAD")
if [ "$hook" = pre-merge-commit ]; then
    parents=$parents' '$(env | sed -n 's/^GITHEAD_\([0-9a-f]*\)=.*/\1/p')
fi
examine "$staged" "$parents" || refuse 'this commit'
