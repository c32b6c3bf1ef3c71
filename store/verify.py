"""What is damaged: log, snapshots, exports and mailbox, each fault with its place.

The fact not to miss: the log is judged by itself (ids, digests, chain, seals, head), the door by
its seals and by the notes that still lie in the mailbox (`door.py`), everything else by the log:
snapshots by folding again beside, exports by rendering again. `PRAGMA integrity_check` sees 3 of
100 flipped bits; the chain sees them.

Nothing is changed, and nothing here trusts a row because it parses.
"""

import json
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from ..kernel.errors import GoodneighborError
from . import closes, door, log, replay, server_mailbox, snapshots
from .delta import check
from .engine import Cursor, Database
from .errors import NotAStore, StoreDamaged, StoreUnwritable
from .export import render
from .export_record import AS_FOUND
from .log import FIRST_CHAIN, ID_SIZE, EventRow, Head
from .log_copy import LogCopy
from .seal import seal

NEXT_RECOVER = "neighbor recover"
NEXT_PERSON = "Keep both, and find out which of the two is the log: one comes from a backup."
NEXT_SNAPSHOTS = "neighbor replay"
NEXT_EXPORT = "neighbor export"
NEXT_MAILBOX = "neighbor drain"


# What damaged rows do to those who trust them; the rows themselves are named by then.
_BROKEN = (AssertionError, AttributeError, KeyError, OverflowError, TypeError, ValueError)


class Fault(NamedTuple):
    """Something that is not as it was written; `next` is the command that puts it right."""

    place: str
    what: str
    next: str
    root: str = ""  # of the tree that an exported file is in


def verify(
    cursor: Cursor, database: Database, folder: Path, seed: bytes, copies: Sequence[LogCopy] = ()
) -> list[Fault]:
    """Check everything; an empty list says that all is as it was written."""
    faults: list[Fault] = []
    try:
        with database.translated():
            _look(faults, cursor, database, folder, seed)
            faults += _copies(cursor, copies)
    except (StoreDamaged, StoreUnwritable) as error:  # ends the look, and not the list
        what = f"it cannot be read on: {error.__cause__ or error}"
        faults.append(Fault(database.name, what, NEXT_RECOVER))
    except _BROKEN as error:
        if not faults:
            raise  # an invariant that breaks in a sound store is a fault in this program
        what = f"what is damaged cannot be folded: {error!r}"
        faults.append(Fault(database.name, what, NEXT_RECOVER))
    return faults


def unreadable(damaged: StoreDamaged | NotAStore) -> Fault:
    """Return the fault of a database that does not even open."""
    if isinstance(damaged, NotAStore):
        return Fault(damaged.folder, damaged.found, NEXT_RECOVER)
    return Fault(damaged.place, damaged.what, NEXT_RECOVER)


def _look(
    faults: list[Fault], cursor: Cursor, database: Database, folder: Path, seed: bytes
) -> None:
    faults += (Fault(database.name, said, NEXT_RECOVER) for said in database.faults(cursor))
    faults += (Fault(each.row, each.what, NEXT_RECOVER) for each in door.broken_seals(cursor))
    before_log = len(faults)
    faults += _events(cursor, database)
    faults += _rules(cursor)
    if len(faults) == before_log:  # a damaged log can tell nothing of what was made of it
        caches = list(_caches(cursor, database, seed))
        faults += caches
        faults += _exports(cursor, None if caches else seed)
        faults += _mailbox(cursor, database, folder)


def _events(cursor: Cursor, database: Database) -> Iterator[Fault]:
    """Walk the log once: no hole, each id and digest of its body, each link of the chain."""
    try:
        head = log.head(cursor)
    except StoreDamaged as damaged:
        yield Fault(damaged.place, damaged.what, NEXT_RECOVER)
        return
    (epoch,) = cursor.execute("SELECT epoch FROM store WHERE id = 1").fetchone()
    if not isinstance(epoch, int):
        yield Fault("store", "its epoch, which each writer counts on, is no number", NEXT_RECOVER)
    seen = Head(0, FIRST_CHAIN)
    try:
        with database.translated():
            for event in log.read(cursor):
                place = f"event {event.position}"
                if event.position != seen.position + 1:
                    missing = f"event {seen.position + 1}"
                    yield Fault(missing, "it is not in the log", NEXT_RECOVER)
                yield from (Fault(place, what, NEXT_RECOVER) for what in wrong(event, seen.chain))
                seen = Head(event.position, event.chain)
    except StoreDamaged as damaged:
        what = f"it cannot be read: {damaged.__cause__ or damaged}"
        yield Fault(f"event {seen.position + 1}", what, NEXT_RECOVER)
        return
    if seen != head:
        what = (
            f"the log ends at {seen.position} or with another chain; its head says {head.position}"
        )
        yield Fault("log", what, NEXT_RECOVER)


def wrong(event: EventRow, chain: bytes | None) -> Iterator[str]:
    """Yield what is wrong with an event; `chain` is that of the one before, None if not known."""
    if {type(event.body), type(event.digest)} != {bytes}:
        yield "its body or digest is not one"
        return
    digest = sha256(event.body).digest()
    if event.digest != digest:
        yield "its body is not the one its digest was taken of"
    if event.id != event.digest[:ID_SIZE]:
        yield "its id is not that of its digest"
    if chain is not None and event.chain != sha256(chain + event.digest).digest():
        yield "its chain does not continue the one before"
    if event.seal != seal(event.sealed):
        yield "its frame, stream, time or kind is not what was written"
    elif event.digest == digest:
        yield from _columns(event)


def _columns(event: EventRow) -> Iterator[str]:
    """Compare what stands beside the body with what the body says."""
    if event.kind == "close":
        said = json.loads(event.body)
        if (said["close"], said["position"]) != (event.frame, event.position):
            yield "its frame or position is not the one its body says"
        return
    if event.kind == "own":
        made = log.own_entry(event.body, event.frame, event.stream, event.received_us)
        if json.loads(event.body)["frame"] != event.frame or made.utc_us != event.utc_us:
            yield "its frame or time is not the one its body says"
        return
    if event.kind != "delta":
        yield f"its kind is {event.kind!r}"
        return
    try:
        delta = check(event.body, frame=event.frame, stream=event.stream, limits=False)
    except GoodneighborError as error:
        yield str(error).splitlines()[0]
        return
    found = (event.frame, event.stream, event.utc_us)
    if (delta.frame, delta.stream, delta.utc_us) != found:
        yield "its frame, stream or time is not the one its body says"


def _copies(cursor: Cursor, copies: Sequence[LogCopy]) -> Iterator[Fault]:
    """Hold the log against copies of it: it may be ahead of them, never behind or another."""
    (store_id,) = cursor.execute("SELECT store_id FROM store WHERE id = 1").fetchone()
    head = log.head(cursor)
    for copy in copies:
        if copy.store_id != store_id or not copy.chain:
            continue
        if copy.position > head.position:
            what = f"it ends at event {head.position}; {copy.name} goes on to {copy.position}"
            yield Fault("log", what, NEXT_RECOVER)
            continue
        row = cursor.execute(
            "SELECT chain FROM event WHERE position = ?", (copy.position,)
        ).fetchone()
        if row is not None and row[0].hex() != copy.chain:
            yield Fault(copy.name, f"up to event {copy.position} it is another log", NEXT_PERSON)


def _rules(cursor: Cursor) -> Iterator[Fault]:
    texts = dict(cursor.execute("SELECT digest, text FROM rules").fetchall())
    for digest, text in texts.items():
        if not isinstance(text, str) or sha256(text.encode()).digest() != digest:
            place = f"rules {digest.hex()[:12]}" if isinstance(digest, bytes) else "rules"
            yield Fault(place, "the text is not the digest's", NEXT_RECOVER)
    try:
        for close in closes.since(cursor):
            if close.rules not in texts:
                what = f"the rules {close.rules.hex()[:12]} that it names are not in the log"
                yield Fault(f"event {close.position}", what, NEXT_RECOVER)
    except StoreDamaged as damaged:
        yield Fault(damaged.place, damaged.what, NEXT_RECOVER)


def _caches(cursor: Cursor, database: Database, seed: bytes) -> Iterator[Fault]:
    try:
        replayed = replay.check(database, seed)
    except GoodneighborError as error:
        yield Fault("log", f"it does not fold: {error}", NEXT_RECOVER)
        return
    for difference in replayed.differs:
        place = f"{difference.table} {difference.row}"
        yield Fault(place, f"{difference.what}, against the log folded again", NEXT_SNAPSHOTS)
    cursor.execute("SELECT frame FROM frame WHERE state NOT IN ('open', 'closed') ORDER BY frame")
    for (frame,) in cursor.fetchall():
        yield Fault(f"frame {frame}", "it is neither open nor closed", NEXT_SNAPSHOTS)


def _exports(cursor: Cursor, seed: bytes | None) -> Iterator[Fault]:
    """Compare each exported file with what was written, and with the snapshots it came from.

    Without a seed the snapshots are left aside: they are damaged themselves.
    """
    rules = closes.rules_in_force(cursor)
    shares = {} if seed is None else snapshots.shares(cursor)
    cursor.execute(
        "SELECT clone, path, digest, document, document_digest, rules FROM export"
        " WHERE clone <> ? AND done = 1",
        (AS_FOUND,),
    )
    for clone, path, digest, document, document_digest, made_by in cursor.fetchall():
        if not Path(clone).is_dir():
            continue  # a clone that was removed; its files are nobody's loss
        file = Path(clone, path)
        if not file.is_file():
            yield Fault(str(file), "the exported file is missing", NEXT_EXPORT, clone)
        elif sha256(file.read_bytes()).digest() != digest:
            yield Fault(str(file), "it is not the file that was exported", NEXT_EXPORT, clone)
        share = shares.get(document, snapshots.EMPTY)
        is_current = share.digest.to_bytes(32, "big") == document_digest
        if seed is not None and is_current and made_by == rules.digest:
            data = render(cursor, rules, document, seed)
            if sha256(data).digest() != digest:
                yield Fault(
                    str(file), "what was exported is not what is in the log", NEXT_EXPORT, clone
                )


def _mailbox(cursor: Cursor, database: Database, folder: Path) -> Iterator[Fault]:
    found = list(door.mailbox_faults(cursor, str(folder)))
    if database.has_mailbox:
        found += server_mailbox.faults(cursor)
    for each in found:
        yield Fault(each.row, each.what, NEXT_MAILBOX if each.waits else NEXT_RECOVER)
