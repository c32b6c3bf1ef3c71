# shellcheck shell=sh
# shellcheck disable=SC2154 # neighbor_program is assigned above
# A script's end and its commands' time, done right in any POSIX shell: `eval "$(neighbor shell-helper)"`.
#
#     neighbor_at_exit 'rm -rf "$folder"'      when the script ends, however it ends: once, the last first
#     neighbor_bounded 60s ./agent.sh          for 60 s at most, with all that it starts; 124 if it took longer
#
# The usual `trap cleanup EXIT INT TERM` cleans, goes on running, and cleans twice; a `kill` behind a
# `sleep` leaves grandchildren. Here a signal ends the running command, cleans once, and ends the
# script by that same signal, so that whoever called it sees why.

neighbor_cleanup=
neighbor_child=
neighbor_is_over=

# Do $1 when the script ends; what was asked for last is done first.
neighbor_at_exit() {
    neighbor_cleanup="$1
$neighbor_cleanup"
}

# Run a program (no function) for the time $1 at most, on our own standard input.
neighbor_bounded() {
    neighbor_limit=$1
    shift
    # In the background, for only `wait` lets a trap run at once; there it must get its input back.
    { "$neighbor_program" timeout "$neighbor_limit" -- "$@" <&3 3<&- & } 3<&0
    neighbor_child=$!
    wait "$neighbor_child" && neighbor_status=0 || neighbor_status=$?
    neighbor_child=
    return "$neighbor_status"
}

# Clean up, once, however often the end comes.
neighbor_finish() {
    [ -z "$neighbor_is_over" ] || return 0
    neighbor_is_over=1
    trap '' HUP INT TERM
    if [ -n "$neighbor_child" ]; then
        kill -s TERM "$neighbor_child" 2>/dev/null || :
        wait "$neighbor_child" 2>/dev/null || :
    fi
    eval "$neighbor_cleanup" || :
}

# End by the signal $1; the code $2 says the same where that does not end it.
neighbor_die() {
    neighbor_finish
    trap - "$1"
    case ${ZSH_VERSION-}$1 in
        ?*HUP) ;;   # zsh has a handler of its own for it, and would end in 1
        *) kill -s "$1" "$$" ;;
    esac
    exit "$2"
}

trap 'neighbor_status=$?; neighbor_finish; exit "$neighbor_status"' 0
trap 'neighbor_die HUP 129' HUP
trap 'neighbor_die INT 130' INT
trap 'neighbor_die TERM 143' TERM
