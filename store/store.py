"""The store's handle: opened on a folder, each call one thing that a user of the store does.

The fact not to miss: making a handle reads nothing but the folder, and `append` never needs more; a
stream starts a process for each delta. So everything that SQL needs is imported by the first call
that needs it, and the lock is taken call by call, never held between them.
"""

import os

from .clock import Clock
from .disk import DISK, Disk
from .errors import NotAStore, StoreMissing
from .folder import DATABASE, check, is_postgresql
from .view import View

TYPE_CHECKING = False  # typing costs more than this module
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from .absorb import Absorbed, TakenIn
    from .append import Appended
    from .collect import Collected
    from .edit import Edit
    from .engine import Writer as DatabaseWriter
    from .errors import DeltaRejected
    from .export import Exported
    from .forget import Forgotten
    from .frames import Closed
    from .log_copy import LogCopy
    from .publication import Page
    from .rebuild import Report, Told
    from .recover import Recovered
    from .replay import Replayed
    from .sequencer import Drained
    from .server_writer import ServerWriter
    from .verify import Fault
    from .writer import Writer


class Store(View):
    """A store in a folder. Threads may share it for `append`; other calls one at a time.

    Clock, randomness and disk are the system's unless given, so that faults can be played.
    """

    def __init__(
        self,
        folder: "Path | str",
        *,
        url: str | None = None,
        clock: Clock | None = None,
        disk: Disk = DISK,
        random: "Callable[[int], bytes]" = os.urandom,
        wait_s: float | None = None,
    ) -> None:
        super().__init__(folder, url=url, random=random, wait_s=wait_s)
        self._store_id = ""  # of a store on a server; the marker says it
        self._clock = clock or Clock()
        self._disk = disk
        self._writer: Writer | ServerWriter | None = None

    @classmethod
    def create(
        cls,
        folder: "Path | str",
        rules_text: str,
        base: "Mapping[str, bytes] | None" = None,
        *,
        url: str | None = None,
        clock: Clock | None = None,
        disk: Disk = DISK,
        random: "Callable[[int], bytes]" = os.urandom,
        wait_s: float | None = None,
    ) -> "Store":
        """Make a store: rules and base state (files by document) are its first events.

        Raises:
            RulesInvalid, DocumentRefused, StoreExists: nothing was made.
        """
        from .create import Creation, create

        store = cls(folder, url=url, clock=clock, disk=disk, random=random, wait_s=wait_s)
        order = Creation(rules_text, base or {}, store._random(16).hex(), store._clock.tick())
        create(store._database(), store._lock, order, seed=store._seed(), disk=disk)
        if is_postgresql(url):
            store._store_id = order.store_id
        return store

    @classmethod
    def join(cls, folder: "Path | str", url: str, *, disk: Disk = DISK) -> "Store":
        """Make a folder's part of a store that is on a server already; again, for another url.

        Raises:
            StoreMissing, NotAStore: the server holds none; the folder is another store's.
        """
        from .create import join
        from .postgresql import PostgresqlDatabase

        store = cls(folder, url=url, disk=disk)
        store._store_id = join(PostgresqlDatabase(store.folder, url), disk)
        return store

    @classmethod
    def open(
        cls,
        folder: "Path | str",
        url: str | None = None,
        *,
        clock: Clock | None = None,
        disk: Disk = DISK,
        random: "Callable[[int], bytes]" = os.urandom,
        wait_s: float | None = None,
    ) -> "Store":
        """Open the store in a folder.

        Raises:
            StoreMissing: there is none.
            NotAStore: something else is there.
        """
        store = cls(folder, url=url, clock=clock, disk=disk, random=random, wait_s=wait_s)
        if (mark := check(store._folder, url)) is not None:
            store._url, store._store_id = url or mark.url, mark.store_id
        return store

    def close(self) -> None:
        """Let the writer's segment go. What was appended stays; another call opens it anew."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def clock(self) -> Clock:
        """The clock that stamps this handle's deltas; forward only."""
        return self._clock

    # --- the way in ---------------------------------------------------------------------------

    def append(
        self,
        delta: bytes,
        *,
        source: str = "append",
        frame: int | None = None,
        stream: str | None = None,
    ) -> "Appended":
        """Keep one delta as it lies, durably; `frame` and `stream` stand in where it lacks them.

        Raises:
            DeltaRejected: it cannot become an event; its bytes are kept for quarantine.
            StoreUnwritable: the disk did not take it.
        """
        from .append import append

        return append(self.writer(), delta, source=source, frame=frame, stream=stream)

    def fall_back(
        self, frame: int, stream: str, reason: str, meta: "Mapping[str, object] | None" = None
    ) -> "Appended":
        """Keep a fallback delta for a stream that had nothing, with why and what is known of it.

        Raises:
            StoreUnwritable: the disk did not take it.
        """
        import json

        from .delta import fallback

        more = {name: json.dumps(value).encode() for name, value in (meta or {}).items()}
        return self.append(
            fallback(frame, stream, reason, self._clock.tick(), more), source="fallback"
        )

    def append_many(
        self,
        deltas: "Sequence[bytes]",
        *,
        source: str = "append",
        frame: int | None = None,
        stream: str | None = None,
    ) -> "list[Appended | DeltaRejected]":
        """Keep deltas with one flush; in the place of one that is refused stands its error.

        Raises:
            StoreUnwritable: the disk did not take them.
        """
        from .append import append_many

        return append_many(self.writer(), deltas, source=source, frame=frame, stream=stream)

    def drain(self) -> "Drained":
        """Move all that lies whole in the mailbox into the log; between batches others may come in.

        Raises:
            StoreBusy: another process held the lock for all of the wait; what is in stays.
        """
        with self._writing("drain") as writer:
            return self._drain(writer)

    def retire(self, through: int) -> list[str]:
        """Delete the segments that the log branch, flushed up to position `through`, replaces.

        Those of living writers stay, and those of which something is in quarantine.

        Raises:
            StoreUnwritable: the disk refused; each segment is there still, or replaced.
        """
        from pathlib import Path

        from .retire import retire

        with self._writing("retire") as writer:
            return retire(writer, Path(self._mailbox), through, self._disk)

    def known_files(self, paths: "Iterable[Path]") -> int:
        """Note delta files as merged already; return how many there are."""
        from .collect import note_known

        with self._writing("init") as writer, writer.transaction("known") as cursor:
            return note_known(cursor, paths, self._clock.tick())

    def unknown_files(self, paths: "Iterable[Path]") -> "list[Path]":
        """Return the delta files that are neither noted as known nor in the log."""
        from .collect import unknown

        with self._reading() as cursor:
            return unknown(cursor, paths)

    def collect(
        self,
        paths: "Iterable[Path]",
        *,
        frame: int | None = None,
        stream: str | None = None,
        tree: str = "",
        is_over: bool = False,
    ) -> "Collected":
        """Take plain delta files in as they lie; `frame`, `stream` or `[ingest]` stand in.

        A file is remembered by its path behind `tree`: a worktree's path comes again each frame.
        `is_over`: nobody writes there any more, so half a file is refused instead of waited for.
        """
        from .closes import rules_in_force
        from .collect import Beside, collect

        with self._writing("collect") as writer, writer.transaction("collect") as cursor:
            ingest = rules_in_force(cursor).ingest
            beside = Beside(frame, stream, ingest.frame, ingest.stream, tree, is_over)
            return collect(cursor, paths, beside, self._clock.tick())

    # --- frames -------------------------------------------------------------------------------

    def open_frame(self, frame: int, streams: "Iterable[str]" = ()) -> None:
        """Note which streams a frame expects; again with others adds to them.

        Raises:
            FramePassed: a close is at or above it.
            DeltaRejected: a name that no stream can have.
        """
        from .frames import open_frame

        with self._writing("frame open") as writer, writer.transaction("open") as cursor:
            open_frame(cursor, frame, streams, self._clock.tick())

    def close_frame(
        self,
        frame: int,
        *,
        expect: "Sequence[str]" = (),
        rules_text: str | None = None,
        base: "Mapping[str, bytes] | None" = None,
        missing_reason: str = "missing",
    ) -> "Closed":
        """Drain, then give missing streams a fallback, log the close, fold: all or nothing.

        It takes what was appended before it had its first turn; what comes meanwhile is late.
        `rules_text` is neighbor.toml as it is now (None: unchanged) and `base` the files of
        documents, used for those that are new to the rules. Waits for nobody: ask `missing` first.

        Raises:
            FramePassed: a later frame has closed.
            KernelLimit: the state does not fit in memory; nothing changed.
        """
        from .frames import CloseOrder, close

        order = CloseOrder(frame, expect, rules_text, base, missing_reason)
        with self._writing("frame close") as writer:
            self._drain(writer)
            with writer.transaction("close") as cursor:
                return close(cursor, order, now_us=self._clock.tick(), seed=self._seed())

    # --- the state ----------------------------------------------------------------------------

    def forget(self, keep: int) -> "Forgotten":
        """Drop the versions that only frames before the last `keep` closed ones need.

        At least those of the window (`reopen`) and one more are kept; the log stays.
        """
        from .forget import forget

        with self._writing("forget") as writer, writer.transaction("forget") as cursor:
            return forget(cursor, keep)

    def export(
        self,
        root: "Path",
        *,
        allow_loss: "Collection[str]" = (),
        asked_by: str = "",
        check: bool = False,
    ) -> "Exported":
        """Write the documents that differ from their files under `root`; `check` only compares."""
        from .export import ExportOrder, compare, export

        order = ExportOrder(root, allow_loss, asked_by)
        if check:
            with self._reading() as cursor:
                return compare(cursor, order, self._seed())
        with self._writing("export") as writer:
            now_us = self._clock.tick()
            return export(writer, order, now_us=now_us, seed=self._seed(), disk=self._disk)

    def came_along(self, root: "Path", pages: "Iterable[Page]") -> None:
        """Note that a commit put documents under `root` where an export to files had put others.

        Where none had, nothing is remembered: what a commit holds, its manifest says.
        """
        from .export_record import replace, target, was_written

        put = [
            (target(root, each.path), each.version, each.data)
            for each in pages
            if each.data is not None
        ]
        with self._reading() as cursor:
            put = [each for each in put if was_written(cursor, each[0])]
        if not put:
            return
        with self._writing("export") as writer, writer.transaction("export results") as cursor:
            for at, version, data in put:
                replace(cursor, at, version, data)

    def absorb(self, edit: "Edit") -> "Absorbed":
        """Take an edit of a document in: a delta of stream `git`, its frame closed again.

        Raises:
            EditRefused: the edit is evidence of something; nothing changed.
        """
        from .absorb import Hands, absorb

        with self._writing("absorb") as writer:
            hands = Hands(self.writer().append, lambda: self._drain(writer), self._clock.tick)
            return absorb(writer, edit, hands, seed=self._seed())

    def taken_in(self, since_frame: int = 0) -> "list[TakenIn]":
        """Return the edits absorbed into a frame or one after it, the newest first.

        What an absorb that was cut short left is folded first.
        """
        from .absorb import Hands, settle, taken_in

        with self._writing("absorb") as writer:
            hands = Hands(self.writer().append, lambda: self._drain(writer), self._clock.tick)
            settle(writer, hands, seed=self._seed())
            return list(taken_in(writer.cursor(), since_frame))

    # --- the proof ----------------------------------------------------------------------------

    def replay(self, *, check: bool = False, documents: bool = False) -> "Replayed":
        """Fold the log again from nothing; `check` does it beside, compares, changes nothing.

        `documents` checks those alone, in memory: far less work, and no version or receipt.
        """
        from . import replay

        if documents:
            with self._reading() as cursor:
                return replay.check_documents(cursor, self._seed())
        if check:
            with self._reading():
                return replay.check(self._database(), self._seed())
        with self._writing("replay") as writer, writer.transaction("replay") as cursor:
            return replay.replay(cursor, self._seed())

    def verify(self, copies: "Sequence[LogCopy]" = ()) -> "list[Fault]":
        """Check log, snapshots, exports and mailbox; an empty list says all is as written.

        `copies` are other copies of the log: this one must be the same, and not behind.
        """
        from pathlib import Path

        from .errors import StoreDamaged
        from .verify import unreadable, verify

        try:
            with self._reading() as cursor:
                return verify(cursor, self._database(), Path(self._mailbox), self._seed(), copies)
        except StoreMissing:
            if not os.path.isdir(self._mailbox):
                raise
            return [unreadable(NotAStore(self._folder, f"there is no {DATABASE} in it"))]
        except (StoreDamaged, NotAStore) as damaged:
            return [unreadable(damaged)]

    def recover(
        self,
        told: "Told",
        *,
        dry_run: bool = False,
        say: "Callable[[Report], None]" = lambda report: None,
    ) -> "Recovered":
        """Put right what is damaged, from what is not; `say` hears each step before it is taken.

        The store may be damaged beyond opening, or gone: make the handle itself, not by `open`.
        What stays damaged is in the answer.

        Raises:
            StoreMissing: there is no store, and nothing handed in of one.
            NothingToRecoverFrom: the database is lost, and nothing handed in says what it held.
            StoreUnwritable: the disk refused; what was damaged is kept.
        """
        from .recover import Case, Hands, recover

        if not os.path.isdir(self._folder) and not told.copies:
            raise StoreMissing(self._folder)
        case = Case(
            *(self.folder, self._database(), told, self._clock.tick(), self._seed(), self._disk),
            dry_run=dry_run,
        )
        hands = Hands(
            lambda: self.verify(told.copies), self.replay, self.drain, self.export, self._lock
        )
        return recover(case, hands, say)

    def is_there(self) -> bool:
        """Say whether the database is there at all, damaged or not."""
        return self._database().exists()

    def keep(self, source: str, reason: str, body: bytes) -> int:
        """Put bytes into quarantine that something else is about to replace; return their number.

        What lies there already is kept once.
        """
        from .quarantine import kept_before, put

        with self._writing("keep") as writer, writer.transaction("keep") as cursor:
            number = kept_before(cursor, source, reason, body)
            return number or put(cursor, source, self._clock.tick(), reason, body)

    def quarantine_retry(self, number: int) -> str | None:
        """Try again to make an event of what is in quarantine.

        Returns the event's id in hex, or None where it still cannot become one, and stays.
        """
        from .retry import retry

        with self._writing("quarantine retry") as writer, writer.transaction("retry") as cursor:
            return retry(cursor, number, self._clock.tick())

    # --- what the calls stand on --------------------------------------------------------------

    def writer(self) -> "Writer | ServerWriter":
        """Return this handle's way into the mailbox; `close` closes it."""
        if self._writer is None:
            from .append import open_writer

            at = (self._url, self._store_id, self._mailbox)
            self._writer = open_writer(*at, self._clock, self._disk, self._random)
        return self._writer

    def _writing(self, who: str) -> "AbstractContextManager[DatabaseWriter]":
        from .engine import writing

        return writing(self._database(), self._lock(who))

    def _drain(self, writer: "DatabaseWriter") -> "Drained":
        from pathlib import Path

        from .sequencer import drain, drain_server

        if is_postgresql(self._url):
            send_left = self.writer().send_left
            return drain_server(writer, send_left, now_us=self._clock.tick())
        return drain(writer, Path(self._mailbox), now_us=self._clock.tick())
