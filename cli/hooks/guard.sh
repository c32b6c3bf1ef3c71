# shellcheck shell=sh
# shellcheck disable=SC2016 # commands are named in backquotes
# What the guard's hooks share: where they lie, what they chain, what a commit may bring.
#
# Read by the hooks with `.`; they run wherever git runs them, in any POSIX shell, so nothing here is
# younger than POSIX.1-2008. The environment stays as git gave it: in a partial commit GIT_INDEX_FILE
# names the index that is committed, and the other one holds the old version. `settings` is written
# by `neighbor guard install`: $neighbor, $chained, $branch and the function on_documents, which
# puts the documents' paths behind a command and becomes that command: for subshells alone.

hooks=${0%/*}
hook=${0##*/}
store=${hooks%/*}
git_folder=${GIT_DIR:-.git}
newline='
'
tab='	'

. "$hooks/settings"

# Tell whether there is a store to guard; without one the hooks only chain.
is_guarding() {
    [ -d "$store/mailbox" ]
}

# Tell whether git works in the main tree: a linked worktree's git folder names the common one.
is_main_tree() {
    [ ! -f "$git_folder/commondir" ]
}

# Run the hook that was in force before, our standard input being its own.
run_chained() {
    if [ -n "$chained" ] && [ -x "$chained/$hook" ]; then
        "$chained/$hook" "$@"
    fi
}

# Tell whether $1 is an object id of zeros: no object.
is_nothing() {
    case $1 in
    *[!0]*) return 1 ;;
    esac
}

# List the documents that commits change against all of their parents, below each commit's id.
changed_documents() {
    on_documents git -c core.quotePath=false diff-tree --stdin --root -r -c --raw --no-renames
}

say() {
    printf '%s\n' "$*" >&2
}

# Judge a listing $1 of raw diff lines, each commit's below its id (none: the index), but not what
# the commits in $2 hold already. Fails if anything is wrong, with the reasons in $faults and the
# documents to absorb in $edited.
examine() {
    faults=
    edited=
    commit=
    manifest=
    manifest_of=none
    blobs=
    listing=$1
    for other in $2; do
        leave_out "$other"
    done
    while IFS= read -r line; do
        case $line in
        :*) examine_entry "$line" ;;
        *) commit=$line ;;
        esac
    done <<END_OF_LISTING
$listing
END_OF_LISTING
    [ -z "$blobs" ] || examine_contents
    [ -z "$faults" ]
}

# Leave those entries out of $listing whose blob the commit $1 holds at the same path.
leave_out() {
    asked=
    while IFS= read -r line; do
        asked=$asked$1:${line#*"$tab"}$newline
    done <<END_OF_LISTING
$listing
END_OF_LISTING
    held=$(printf '%s' "$asked" | git cat-file --batch-check='%(objectname)')
    kept=
    while IFS= read -r line && IFS= read -r blob <&3; do
        case $line in
        :*" $blob "[A-Z]*"$tab"*) ;;
        *) kept=$kept$line$newline ;;
        esac
    done <<END_OF_LISTING 3<<END_OF_HELD
$listing
END_OF_LISTING
$held
END_OF_HELD
    listing=${kept%"$newline"}
}

# Judge one raw diff line; what is to be read is put on $blobs.
examine_entry() {
    path=${1#*"$tab"}
    fields=${1%%"$tab"*}
    fields=${fields% *}
    blob=${fields##* }
    is_nothing "$blob" || blobs=$blobs$blob' '$path$newline
    if [ "$manifest_of" != "$commit" ]; then
        manifest_of=$commit
        manifest=$(git cat-file blob "$commit:state/manifest.json" 2>/dev/null) || manifest=
    fi
    if ! is_exported; then
        faults=$faults"  $path: neither what the store exported nor what a parent holds"$newline
        edited=$edited' '$path
    fi
}

# Tell whether $blob is what the manifest names for $path, or $path is no document. A manifest that
# cannot be read names nothing. Our merge driver notes the blobs it made.
is_exported() {
    case $manifest in
    *'<<<<<<< '*) return 0 ;;
    esac
    case $path in
    \"*) named=$path': {' ;; # git quotes such a path as JSON does
    *) named=\"$path\"': {' ;;
    esac
    case $manifest in
    *"$named"*) ;;
    *) return 0 ;;
    esac
    [ ! -e "$store/merged/$blob" ] || return 0
    member=${manifest#*"$named"}
    closing='}'
    member=${member%%"$closing"*}
    case $member in
    *'"blob": "'$blob\"*) return 0 ;;
    esac
    return 1
}

# Look for conflict markers and JSON that does not parse in $blobs. A shell cannot parse JSON:
# `neighbor` does both. Exit code 3 is its verdict; any other but 0 means that it could not run.
examine_contents() {
    if [ -x "$neighbor" ]; then
        found=$(printf '%s' "$blobs" | read_blobs | "$neighbor" hook judge 2>/dev/null)
        case $?:$found in
        0:*) return ;;
        3:?*)
            faults=$faults$found$newline
            return
            ;;
        esac
    fi
    say "goodneighbor: $neighbor does not run, so JSON was not parsed; install it, then" \
        '`neighbor guard install`.'
    while read -r blob path; do
        [ -n "$blob" ] || continue
        if git cat-file blob "$blob" 2>/dev/null | grep -q -e '^<<<<<<< ' -e '^>>>>>>> '; then
            faults=$faults"  $path: conflict markers"$newline
        fi
    done <<END_OF_BLOBS
$blobs
END_OF_BLOBS
}

read_blobs() {
    git cat-file --buffer --batch='%(objectname) %(objecttype) %(objectsize) %(rest)'
}

# Say what $1 was refused for, and every way out.
refuse() {
    say "Refused by goodneighbor: $1 would bring damage into the state."
    printf '%s' "$faults" >&2
    say 'Your files and what you have staged stay as they are. The ways out:'
    for each in ${edited:-PATH}; do
        say "  neighbor absorb $each    takes the edit of a document in, through the log"
    done
    say '  neighbor export    writes the documents as the store has them'
    if [ -f "$git_folder/rebase-merge/autostash" ] || [ -f "$git_folder/rebase-apply/autostash" ]
    then
        say '  git rebase --abort    ends the rebase and puts the autostash back'
    elif [ -f "$git_folder/MERGE_AUTOSTASH" ]; then
        say '  git merge --abort    ends the merge and puts the autostash back'
    fi
    exit 1
}
