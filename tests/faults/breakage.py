"""Stores broken on purpose, for the controls: each loses, doubles or spoils something.

A way to break it is a context in which the harness runs; the processes it forks are broken too.
Nothing in the store knows of this.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from goodneighbor.store import engine, log, mailbox, sequencer
from goodneighbor.store.folder import MAILBOX
from goodneighbor.store.segment import SUFFIX
from goodneighbor.store.step import reached

from . import life
from .journal import Journal
from .power import TellingDisk

Drain = Callable[..., Any]


class HastyDisk(TellingDisk):
    """Flushes a segment when its next flush is asked for: acknowledged first, flushed later."""

    __slots__ = ("_asked",)

    def __init__(self, journal: Journal, kept: Path) -> None:
        super().__init__(journal, kept)
        self._asked = (-1, 0)

    def flush(self, descriptor: int) -> None:
        if not self._open[descriptor].endswith(SUFFIX):
            super().flush(descriptor)
            return
        asked, self._asked = self._asked, (descriptor, os.fstat(descriptor).st_size)
        if asked[0] == descriptor:
            self._journal.say("flushed", self._open[descriptor], asked[1])


class ForgetfulDisk(TellingDisk):
    """Never flushes the mailbox's folder, so a power cut takes the names of new segments."""

    __slots__ = ()

    def flush_folder(self, path: str) -> None:
        if os.path.basename(path) != MAILBOX:
            super().flush_folder(path)


@contextmanager
def swapped(place: object, name: str, broken: object) -> Iterator[None]:
    """Put something else in a place for a while."""
    sound = getattr(place, name)
    setattr(place, name, broken)
    try:
        yield
    finally:
        setattr(place, name, sound)


def acknowledged_before_the_flush() -> AbstractContextManager[None]:
    """`append` returns, and the note is flushed with the next one."""
    return swapped(life, "TellingDisk", HastyDisk)


def folder_not_flushed() -> AbstractContextManager[None]:
    """`append` returns, and the new segment's name is not on the medium."""
    return swapped(life, "TellingDisk", ForgetfulDisk)


def segments_deleted_before_the_commit() -> AbstractContextManager[None]:
    """A drain deletes the segments of writers that are gone, and then commits what it read."""
    drain: Drain = sequencer.drain
    put_offsets = log.put_offsets

    def drain_and_delete(writer: engine.Writer, folder: Path, **more: Any) -> Any:
        def put_and_delete(cursor: engine.Cursor, taken: dict[str, int]) -> None:
            put_offsets(cursor, taken)
            for name, through in taken.items():
                mailbox.retire(str(folder), name, through)

        with swapped(log, "put_offsets", put_and_delete):
            return drain(writer, folder, **more)

    return swapped(sequencer, "drain", drain_and_delete)


def offsets_in_their_own_transaction() -> AbstractContextManager[None]:
    """A drain commits events, and then, apart, how far it has read."""
    drain: Drain = sequencer.drain
    put_offsets = log.put_offsets

    def drain_then_offsets(writer: engine.Writer, folder: Path, **more: Any) -> Any:
        read: dict[str, int] = {}
        with swapped(log, "put_offsets", lambda cursor, taken: read.update(taken)):
            drained = drain(writer, folder, **more)
        if read:
            with writer.transaction("drain") as cursor:
                put_offsets(cursor, read)
        return drained

    return swapped(sequencer, "drain", drain_then_offsets)


def close_without_a_transaction() -> AbstractContextManager[None]:
    """Each statement of a close commits by itself."""
    transaction = engine.Writer.transaction

    @contextmanager
    def sometimes(writer: engine.Writer, step: str) -> Iterator[engine.Cursor]:
        if step != "close":
            with transaction(writer, step) as cursor:
                yield cursor
            return
        yield writer.cursor()
        reached("close: rows inserted")
        reached("close: committed")

    return swapped(engine.Writer, "transaction", sometimes)


def export_told_after_the_files() -> AbstractContextManager[None]:
    """An export commits what files are to become together with what they became."""
    transaction = engine.Writer.transaction

    @contextmanager
    def together(writer: engine.Writer, step: str) -> Iterator[engine.Cursor]:
        if not step.startswith("export "):
            with transaction(writer, step) as cursor:
                yield cursor
            return
        cursor = writer.cursor()
        if step == "export intents":
            cursor.execute("BEGIN IMMEDIATE")
        yield cursor
        reached(f"{step}: rows inserted")
        if step == "export results":
            cursor.execute("COMMIT")
        reached(f"{step}: committed")

    return swapped(engine.Writer, "transaction", together)


class Way(NamedTuple):
    """A way to break the store, the steps around which it shows, and what the harness says."""

    breaks: Callable[[], AbstractContextManager[None]]
    steps: tuple[str, ...]
    said: str


WAYS = {
    "acknowledged before the flush": Way(
        acknowledged_before_the_flush,
        ("append: note written", "close: events written"),
        "lost after the kill",
    ),
    "folder not flushed": Way(
        folder_not_flushed,
        ("append: note written", "drain: rows inserted"),
        "lost after the kill",
    ),
    "segments deleted before the commit": Way(
        segments_deleted_before_the_commit,
        ("drain: rows inserted",),
        "lost after the kill",
    ),
    "offsets in their own transaction": Way(
        offsets_in_their_own_transaction,
        ("drain: committed",),
        "doubled after the kill",
    ),
    "close without a transaction": Way(
        close_without_a_transaction,
        ("close: events written",),
        "against the log folded again",
    ),
    "export told after the files": Way(
        export_told_after_the_files,
        ("export: file replaced",),
        "taken for somebody's work",
    ),
}


@contextmanager
def broken(name: str | None) -> Iterator[None]:
    """Break the store in one of the `WAYS`; with None leave it as it is."""
    if name is None:
        yield
        return
    with WAYS[name].breaks():
        yield
