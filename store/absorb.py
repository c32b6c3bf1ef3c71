"""Absorb: an edit of a document made outside the store becomes a delta of its own (design: "Export
and git").

The fact not to miss: an edit counts once. Its delta names what was made of what, so one that was
kept and then cut short (killed before its frame closed again, its export or push lost) is found by
those names, and a later edit under the same manifest is compared with the newest one taken in
there, not with the manifest's version again.

    strict reading -> diff -> a note of stream `git`, durable -> its frame closes again

The delta sorts last in the last closed frame. A sum's change is an increment and a set's are its
members, so what comes late for that frame still counts.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import orjson

from ..kernel import Rules, canonical, diff
from ..kernel.document import Document
from . import closes, export_record, log, snapshots
from .edit import Edit, check_loss, read
from .engine import Cursor, Writer
from .errors import EditRefused
from .export import render
from .export_record import Version, target
from .frames import CloseOrder, close
from .log import EDITS_STREAM
from .schedule import Close
from .segment import BODY_SIZE_MAX, OWN, Note
from .step import reached


class TakenIn(NamedTuple):
    """An edit that is in the log: the names its delta holds, None where it holds none."""

    position: int
    frame: int
    path: str | None
    commit: str | None
    manifest_blob: str | None
    base_blob: str | None
    new_blob: str | None


class Absorbed(NamedTuple):
    """What became of an edit: how many operations, in which frame; None where nothing was new."""

    document: str
    frame: int | None
    operations: int


class Hands(NamedTuple):
    """What an absorb needs of the store's handle: a mailbox to keep in, a drain, a clock."""

    keep: Callable[[Note], object]  # returns when the note is durable
    drain: Callable[[], object]
    tick: Callable[[], int]


def absorb(writer: Writer, edit: Edit, hands: Hands, *, seed: bytes) -> Absorbed:
    """Take an edit in, and close its frame again; the caller holds the store's lock.

    Raises:
        EditRefused: the edit is evidence of something; nothing changed.
    """
    settle(writer, hands, seed=seed)
    note = _note(writer.cursor(), edit, now_us=hands.tick(), seed=seed)
    if note is None:
        return Absorbed(edit.document, None, 0)
    hands.keep(note)
    reached("absorb: note kept")
    settle(writer, hands, seed=seed)
    _let_go(writer, edit)
    return Absorbed(edit.document, note.frame, len(orjson.loads(note.body)["ops"]))


def settle(writer: Writer, hands: Hands, *, seed: bytes) -> None:
    """Fold the edits that are kept and no close has taken: ours, and those of commands cut short.

    A drain gives way, so another may have closed over ours by then.
    """
    hands.drain()
    if _is_unfolded(writer.cursor()):
        _close_again(writer, hands, seed)


def taken_in(cursor: Cursor, since_frame: int = 0) -> Iterator[TakenIn]:
    """Yield the edits taken in for a frame or one after it, the newest first."""
    cursor.execute(
        "SELECT position, frame, body FROM event WHERE frame >= ? AND kind = 'own' AND stream = ?"
        " ORDER BY position DESC",
        (since_frame, EDITS_STREAM),
    )
    for position, frame, body in cursor.fetchall():
        said = orjson.loads(body)
        yield TakenIn(position, frame, *(said.get(name) for name in TakenIn._fields[2:]))


def _is_unfolded(cursor: Cursor) -> bool:
    """Say whether an edit is in the log that no close has taken."""
    last = closes.last(cursor)
    assert last is not None, "a store's first transaction closes its base state"
    row = cursor.execute(
        "SELECT 1 FROM event WHERE position > ? AND kind = 'own' AND stream = ? LIMIT 1",
        (last.position, EDITS_STREAM),
    ).fetchone()
    return row is not None


def _note(cursor: Cursor, edit: Edit, *, now_us: int, seed: bytes) -> Note | None:
    """Make the note that takes an edit in; None where it holds nothing new."""
    last = closes.last(cursor)
    assert last is not None, "a store's first transaction closes its base state"
    rules = _rules(cursor, last)
    document = _document(rules, edit)
    new = read(document, edit.body)
    base = _base(cursor, rules, edit, seed)
    if base is None:
        return None
    old = read(document, base)
    if not edit.allow_loss:
        check_loss(document, rules, old, new)
    operations = diff(rules, document.name, old.compact, new.compact)
    if operations == b"[]":
        return None
    body = _body(cursor, edit, last.frame, operations)
    if len(body) > BODY_SIZE_MAX:
        reason = f"the edit is larger than one delta holds ({BODY_SIZE_MAX} bytes)"
        raise EditRefused(document.name, document.path, reason)
    source = f"absorb {edit.path or edit.document}"
    return Note(
        body, received_us=now_us, source=source, kind=OWN, frame=last.frame, stream=EDITS_STREAM
    )


def _close_again(writer: Writer, hands: Hands, seed: bytes) -> None:
    with writer.transaction("close") as cursor:
        last = closes.last(cursor)
        assert last is not None, "a store's first transaction closes its base state"
        close(cursor, CloseOrder(last.frame), now_us=hands.tick(), seed=seed)


def _let_go(writer: Writer, edit: Edit) -> None:
    """Note that a file's bytes are in the log, so that an export need not save them."""
    if edit.lies_under is None or edit.path is None:
        return
    with writer.transaction("known") as cursor:
        share = snapshots.shares(cursor).get(edit.document, snapshots.EMPTY)
        version = Version(edit.document, share, closes.rules_in_force(cursor).digest)
        export_record.begin(cursor, target(edit.lies_under, edit.path), edit.body, version)


def _rules(cursor: Cursor, last: Close) -> Rules:
    """Return the rules that the last closed frame folds under: those of its first close."""
    return Rules.parse(closes.rules_text(cursor, closes.since(cursor, last.frame)[0].rules))


def _document(rules: Rules, edit: Edit) -> Document:
    for document in rules.documents:
        if document.name == edit.document:
            return document
    raise EditRefused(
        edit.document, edit.path, "the rules of the last closed frame do not have this document"
    )


def _base(cursor: Cursor, rules: Rules, edit: Edit, seed: bytes) -> bytes | None:
    """Return what the edit was made of; None where it stands in the log already."""
    if edit.read_blob is None:
        return render(cursor, rules, edit.document, seed)
    assert edit.base_blob is not None, "a blob is read by its name"
    base_blob = _newest(cursor, edit) or edit.base_blob
    return None if base_blob == edit.new_blob else edit.read_blob(base_blob)


def _newest(cursor: Cursor, edit: Edit) -> str | None:
    """Return what the newest edit of the path that was made under the same manifest left.

    What lay in a working tree was put back there, and is no version of the tip.
    """
    if edit.commit is None:
        return None
    for each in taken_in(cursor, edit.since_frame):
        if each.commit and (each.path, each.manifest_blob) == (edit.path, edit.manifest_blob):
            return each.new_blob
    return None


def _body(cursor: Cursor, edit: Edit, frame: int, operations: bytes) -> bytes:
    names = {
        "path": edit.path,
        "commit": edit.commit,
        "manifest_blob": edit.manifest_blob,
        "base_blob": edit.base_blob,
        "new_blob": edit.new_blob,
    }
    said: dict[str, object] = {name: it for name, it in names.items() if it is not None}
    # The position to come: greater for each edit, so that those of one frame keep their order.
    said |= {"frame": frame, "stream_id": EDITS_STREAM, "seq": log.head(cursor).position + 1}
    said["ops"] = orjson.Fragment(operations)
    return canonical(orjson.dumps(said), "compact", depth_max=0, size_max=0)
