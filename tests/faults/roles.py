"""What the processes of a round do: writers, the clerk who closes, a reader, and all in one.

Each runs in a process of its own, on a handle of its own, and tells the journal what it sent
before it sends it, and what was acknowledged after `append` has returned. Nothing else counts.
"""

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from goodneighbor.store import DeltaRejected, Store
from goodneighbor.store.disk import DISK, Disk
from goodneighbor.store.edit import Edit
from goodneighbor.store.folder import DATABASE
from goodneighbor.store.lock import StoreLock
from goodneighbor.store.log_copy import LogCopy
from goodneighbor.store.rebuild import Told
from goodneighbor.store.recover import ASIDE

from .journal import Journal
from .script import BASE, RULES, SILENT, STREAMS, Round

LOCK_WAIT_S = 60.0  # for the store's lock: a busy machine is no fault
WRITERS = 8
KEPT = "the harness"  # kept in quarantine, and sent by nobody
_LOOKS = 4

Role = Callable[["Place", Round, Journal, Disk], None]


@dataclass(frozen=True)
class Place:
    """Where one store and its tree lie."""

    folder: Path

    @property
    def store(self) -> Path:
        return self.folder / "goodneighbor"

    @property
    def database(self) -> Path:
        return self.store / DATABASE

    @property
    def tree(self) -> Path:
        return self.folder / "tree"

    @property
    def kept(self) -> Path:
        """For what a power cut brings back."""
        return self.folder / "kept"

    @property
    def deltas(self) -> Path:
        return self.folder / "deltas"

    @property
    def branch(self) -> Path:
        """The log as its branch has it."""
        return self.folder / "branch"

    def put_branch(self, text: bytes) -> None:
        """Bring the branch up to date, whole or not at all."""
        beside = self.folder / f"branch-{os.getpid()}"
        beside.write_bytes(text)
        beside.rename(self.branch)

    def mark_damaged(self) -> None:
        """Note, before it happens, that the store is about to be damaged."""
        (self.folder / "damaged").touch()

    def is_damaged(self) -> bool:
        return (self.folder / "damaged").exists()

    def mark_sound(self) -> None:
        (self.folder / "damaged").unlink(missing_ok=True)

    def keeps(self, damaged: bytes) -> bool:
        """Say whether a damaged database is there still: where it lay, or set aside."""
        there = [self.database, *self.store.glob(f"{ASIDE}/*/{DATABASE}")]
        return any(path.read_bytes() == damaged for path in there if path.exists())

    def open(self, disk: Disk = DISK) -> Store:
        return Store.open(self.store, disk=disk, wait_s=LOCK_WAIT_S)

    def paths(self, names: dict[str, bytes]) -> list[Path]:
        return [self.deltas / name for name in names]


def send(store: Store, script: Round, index: int, journal: Journal) -> None:
    """Append one sending; what is garbage is acknowledged by its refusal."""
    deltas = script.sendings[index]
    journal.say("sent", index)
    if len(deltas) > 1:
        store.append_many(deltas)
    else:
        try:
            store.append(deltas[0])
        except DeltaRejected:
            journal.say("refused", index)
    journal.say("acknowledged", index)


def everything(place: Place, script: Round, journal: Journal, disk: Disk) -> None:
    """Do the work of a whole round, alone."""
    with place.open(disk) as store:
        _round(store, place, script, journal)
        _settle(store, place, script)


def undamaged(place: Place, script: Round, journal: Journal, disk: Disk) -> None:
    """Do the same without what lies outside the store: its damage, and the copy of its log."""
    with place.open(disk) as store:
        _round(store, place, script, journal)
        store.replay()
        store.close()  # no writer is left, so all that the log holds is retired
        store.retire(store.status().events)


def _round(store: Store, place: Place, script: Round, journal: Journal) -> None:
    half, last = len(script.sendings) // 2, len(script.sendings) - 1
    _open_frame(store, place, script)
    for index in range(half):
        send(store, script, index, journal)
    store.close()  # what follows goes into another segment, and this one has no writer left
    store.drain()
    for index in range(half, last):
        send(store, script, index, journal)
    _close_frame(store, place, script)
    send(store, script, last, journal)  # late: what was exported is not the last word


def writer(number: int) -> Role:
    """Make the role of the writer who sends every third sending, and drains on the way."""

    def write(place: Place, script: Round, journal: Journal, disk: Disk) -> None:
        own = list(range(number, len(script.sendings), WRITERS))
        with place.open(disk) as store:
            for index in own[: len(own) // 2]:
                send(store, script, index, journal)
            store.drain()
            for index in own[len(own) // 2 :]:
                send(store, script, index, journal)

    return write


def clerk(place: Place, script: Round, journal: Journal, disk: Disk) -> None:
    """Open the frame, drain, collect, close and export, while others write."""
    with place.open(disk) as store:
        _open_frame(store, place, script)
        store.drain()
        _close_frame(store, place, script)
        _settle(store, place, script)


def reader(place: Place, script: Round, journal: Journal, disk: Disk) -> None:
    """Look at the store while others write: a reader waits for nobody and sees no hole."""
    with place.open(disk) as store:
        for _ in range(_LOOKS):
            status = store.status()
            assert status.sums is None or status.sums.units_in >= status.sums.applied
            store.document("agents")


def absorb(store: Store, place: Place, script: Round) -> None:
    """Take in an edit that somebody makes of a document: a channel more, once a round.

    Again, it is an edit that changes nothing.
    """
    document = json.loads(store.document("channels"))
    document["channels"].setdefault(f"made in {script.frame}", {"post_count": 1})
    body = json.dumps(document).encode()
    store.absorb(Edit("channels", body, path="state/channels.json", lies_under=place.tree))


def create(place: Place, script: Round, journal: Journal, disk: Disk) -> None:
    """Make the store."""
    Store.create(place.store, RULES, BASE, disk=disk, wait_s=LOCK_WAIT_S)


def expected() -> list[str]:
    """Return the streams every frame waits for."""
    return [*STREAMS, SILENT]


def _settle(store: Store, place: Place, script: Round) -> None:
    """Do what comes now and then: fold again, forget, retire, keep, be damaged and recover."""
    store.replay()
    store.forget(1)
    store.keep(KEPT, f"in frame {script.frame}", b"kept aside")
    last = store.status().events
    place.put_branch(store.log_lines(1, last).text)
    store.retire(last)
    damage(place)
    recover(place)


def damaged(place: Place, script: Round, journal: Journal) -> bytes:
    """Do the work of a whole round and damage the store; return the database as it lies then."""
    undamaged(place, script, journal, DISK)
    with place.open() as store:
        place.put_branch(store.log_lines(1, store.status().events).text)
    damage(place)
    return place.database.read_bytes()


def damage(place: Place) -> None:
    """Write over an event and a snapshot, as nobody may; whoever comes next finds the mark.

    The row that goes is one that nobody sends again meanwhile: that has a test of its own.
    """
    place.mark_damaged()
    with StoreLock(place.store, wait_s=LOCK_WAIT_S):
        connection = sqlite3.connect(place.database, isolation_level=None)
        connection.execute("UPDATE event SET body = zeroblob(9) WHERE position = 3")
        connection.execute("DELETE FROM event WHERE position = 2")  # the first close
        connection.execute("DELETE FROM entity WHERE document = 'agents'")
        connection.close()


def recover(place: Place, disk: Disk = DISK) -> None:
    """Put a store right that bears the mark of damage, and take the mark away."""
    if not place.is_damaged():
        return
    text = place.branch.read_bytes()
    store = Store(place.store, disk=disk, wait_s=LOCK_WAIT_S)
    last = text.count(b"\n")
    made = LogCopy("the branch", _store_id(place), last, "", lambda: [text])
    done = store.recover(Told((made,)))
    assert done.lost == [], done
    place.mark_sound()


def _store_id(place: Place) -> str:
    file = place.database.as_uri()
    # The system's own VFS: what the harness looks up is no operation of the store's.
    with closing(sqlite3.connect(f"{file}?vfs=unix", uri=True)) as connection:
        return str(connection.execute("SELECT store_id FROM store").fetchone()[0])


def _open_frame(store: Store, place: Place, script: Round) -> None:
    store.open_frame(script.frame, expected())
    store.known_files(place.paths(script.known))


def _close_frame(store: Store, place: Place, script: Round) -> None:
    store.collect(place.paths({**script.files, **script.known}))
    for kept in store.quarantine_list():
        store.quarantine_retry(kept.id)
    store.close_frame(script.frame, expect=expected())
    absorb(store, place, script)
    store.export(place.tree)
