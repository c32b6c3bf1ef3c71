#!/bin/sh
# git's merge driver for the documents: base, ours (and the result), theirs, path.
#
# Where `neighbor` does not run, what differs stands between conflict markers: with git's own text
# merge two edits can meet in JSON that parses and means neither.

. "${0%/*}/settings"

if [ -x "$neighbor" ]; then
    "$neighbor" merge-file "$1" "$2" "$3" "$4"
    code=$?
    case $code in
    0 | 3) exit "$code" ;; # merged, or refused with its markers in the file
    esac
fi
empty=$2.empty
: >"$empty"
git merge-file -q -L ours -L base -L theirs "$2" "$empty" "$3"
rm -f "$empty"
printf '%s\n' "goodneighbor: $4: not merged; both versions stand in it between markers." >&2
exit 1
