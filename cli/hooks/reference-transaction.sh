#!/bin/sh
# shellcheck disable=SC2016 # commands are named in backquotes
# Before a ref moves: no stash on the main tree beside a living fleet, no new commit with damage.
#
# This is the one hook that `--no-verify`, rebase and cherry-pick do not skip. New is what no ref
# reaches yet: judging whole trees would stop every pull after one web edit. What a fetch brings is
# other people's and not refused; a stash that git made by itself (its subject ends in `: autostash`)
# is stored after the harm is done, and refusing it would lose the changes.

if [ "$1" != prepared ]; then # nothing can be refused any more, or not yet
    . "${0%/*}/settings"
    [ -n "$chained" ] && [ -x "$chained/reference-transaction" ] || exit 0
    exec "$chained/reference-transaction" "$@"
fi

. "${0%/*}/guard.sh"

if ! is_guarding; then
    run_chained "$@"
    exit
fi

given=
stash=
heads=
before=
while read -r old new name; do
    given=$given$old' '$new' '$name$newline
    case $new:$name in
    ref:*) ;; # a symbolic ref moves; no commit does
    *:refs/stash) is_nothing "$new" || stash=$new ;;
    *:HEAD | *:refs/heads/*)
        if [ "$new" != "$old" ] && ! is_nothing "$new"; then
            case " $heads " in
            *" $new "*) ;;
            *) heads=$heads' '$new ;;
            esac
            is_nothing "$old" || before=$before' '$old
        fi
        ;;
    esac
done

# Tell whether a process of the fleet lives. Without `neighbor`, a pid that runs must do.
is_fleet_running() {
    for lease in "$store"/leases/*.lease; do
        [ -f "$lease" ] || return 1
        break
    done
    if [ -x "$neighbor" ]; then
        "$neighbor" hook lease "$store/leases" >/dev/null 2>&1
        case $? in
        0) return 1 ;;
        3) return 0 ;;
        esac
    fi
    for lease in "$store"/leases/*.lease; do
        pid=$(sed -n 's/^pid \([0-9][0-9]*\)$/\1/p' "$lease")
        [ -z "$pid" ] || ! kill -0 "$pid" 2>/dev/null || return 0
    done
    return 1
}

# Tell whether git made the stash $1 by itself.
is_autostash() {
    text=$(git cat-file commit "$1")
    text=${text#*"$newline$newline"}
    case ${text%%"$newline"*} in
    *': autostash') return 0 ;;
    esac
    return 1
}

# List the new commits that touch the documents; nearly always there are none.
new_commits() {
    # shellcheck disable=SC2086 # object ids, one word each
    on_documents git rev-list --ignore-missing --full-history $heads --not --all "$@" 2>/dev/null
}

if [ -n "$stash" ] && is_main_tree && is_fleet_running && ! is_autostash "$stash"; then
    say 'Refused by goodneighbor: no stash on the main tree while the fleet is running (rule 3).'
    say 'Popping it over a newer state leaves conflict markers in the documents. Nothing was changed.'
    say 'Commit your changes on a branch of their own (`neighbor worktree add NAME`), or copy the'
    say 'files elsewhere before you pull.'
    exit 1
fi
if [ -n "$heads" ]; then
    commits=$(new_commits)
    if [ -n "$commits" ] && [ -f "$git_folder/FETCH_HEAD" ]; then # `git pull URL` has no other ref
        # shellcheck disable=SC2046 # object ids
        commits=$(new_commits $(sed -n '1,1000s/^\([0-9a-f]\{40,64\}\).*/\1/p' \
            "$git_folder/FETCH_HEAD"))
    fi
    if [ -n "$commits" ]; then
        examine "$(printf '%s\n' "$commits" | changed_documents)" "$before" || refuse 'this commit'
    fi
fi
if [ -n "$chained" ] && [ -x "$chained/$hook" ]; then # it sees what git gave us, byte for byte
    printf '%s' "$given" | "$chained/$hook" "$@"
fi
