#!/bin/sh
# git's merge driver for the documents: base, ours (where the result goes), theirs, path.
#
# What `neighbor` merged by the rules is noted in `merged`, so that the commit may bring it. Where it
# cannot, what differs stands between conflict markers, and never one side in silence: with git's own
# text merge two edits can meet in JSON that parses and means neither.

hooks=${0%/*}
merged=${hooks%/*}/merged
. "$hooks/settings"

if [ -x "$neighbor" ] && "$neighbor" merge-file "$1" "$2" "$3" "$4"; then
    mkdir -p "$merged"
    find "$merged" -type f -mtime +90 -exec rm -f {} +
    blob=$(git hash-object --no-filters "$2") && : >"$merged/$blob"
    exit
fi
empty=$2.empty
: >"$empty"
git merge-file -q -L ours -L base -L theirs "$2" "$empty" "$3"
rm -f "$empty"
printf '%s\n' "goodneighbor: $4: not merged; both versions stand in it between markers." >&2
exit 1
