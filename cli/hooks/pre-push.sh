#!/bin/sh
# Before a push: the commits that the remote does not have must bring no damage.
#
# What any remote has is judged no more, nor what stood in the repository when the guard came
# (`known`): nobody could mend it.

. "${0%/*}/guard.sh"

if ! is_guarding; then
    run_chained "$@"
    exit
fi

given=
heads=
there=
while read -r local_name new remote_name old; do
    given=$given$local_name' '$new' '$remote_name' '$old$newline
    case $remote_name in
    refs/heads/*)
        is_nothing "$new" || heads=$heads' '$new
        is_nothing "$old" || there=$there' '$old
        ;;
    esac
done

if [ -n "$heads" ]; then
    # shellcheck disable=SC2046,SC2086 # object ids, one word each
    found=$(git rev-list --ignore-missing $heads --not --remotes $there $(cat "$hooks/known") |
        changed_documents)
    [ -z "$found" ] || examine "$found" "$there" || refuse 'this push'
fi
if [ -n "$chained" ] && [ -x "$chained/$hook" ]; then
    printf '%s' "$given" | "$chained/$hook" "$@"
fi
