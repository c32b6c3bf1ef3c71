"""The recovery ladder: what is damaged is put right from what is not, each step said first.

    an export that differs        written again
    a snapshot that differs       folded again
    an event, or the door         a new database beside: rows that prove themselves, and for the
                                  others their mailbox note, the log branch, another clone's
    the database is lost          the log branch or another clone's, then the mailbox

The fact not to miss: nothing is thrown away. The damaged files are copied to `damaged/<time>/` in
the store's folder, flushed, before anything changes, and a later recovery reads those copies too.
What nothing holds a copy of is named, and then nothing is changed: `cut` is a person's decision.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from .bring_back import Sources
from .create import make_folders
from .disk import Disk, write_all
from .engine import Database
from .errors import NothingToRecoverFrom, Refused, StoreUnwritable
from .folder import DATABASE, MAILBOX
from .lock import StoreLock
from .log_copy import LogCopy, fault
from .rebuild import Lost, Report, Step, Told, made_from, rebuild
from .salvage import Salvage
from .sqlite import SqliteDatabase
from .step import reached
from .verify import NEXT_EXPORT, NEXT_MAILBOX, NEXT_RECOVER, NEXT_SNAPSHOTS, Fault

ASIDE = "damaged"
FOLDER_MODE = 0o700
_FILES = (DATABASE, f"{DATABASE}-wal")
_COPY_SIZE = 2**20


class Recovered(NamedTuple):
    """What a recovery did, or would do, and what is still damaged after it."""

    steps: list[Step]
    lost: list[Lost]
    faults: list[Fault]


class Hands(NamedTuple):
    """What a recovery needs of the store's handle."""

    verify: Callable[[], list[Fault]]
    replay: Callable[[], object]
    drain: Callable[[], object]
    export: Callable[[Path], object]
    lock: Callable[[str], StoreLock]


class Case(NamedTuple):
    """The store that is to be recovered, and what is handed in for it."""

    folder: Path
    database: Database
    told: Told
    now_us: int
    seed: bytes
    disk: Disk
    dry_run: bool


def recover(case: Case, hands: Hands, say: Callable[[Report], None]) -> Recovered:
    """Put right what can be, saying each step before it is taken, and verify again.

    Raises:
        NothingToRecoverFrom: the database is lost, and nothing handed in says what it held.
        StoreUnwritable: the disk refused; what was damaged is kept.
    """
    try:
        make_folders(case.folder, case.disk)
        return _recover(case, hands, say)
    except OSError as error:
        where = error.filename or case.folder
        raise StoreUnwritable(str(where), error, "not recovered") from error


def _recover(case: Case, hands: Hands, say: Callable[[Report], None]) -> Recovered:
    done = Recovered([], [], [])

    def tell(report: Report) -> None:
        if isinstance(report, Step):
            done.steps.append(report)
        else:
            done.lost.append(report)
        say(report)

    is_lost = not case.database.exists()
    faults = [] if is_lost else hands.verify()
    if is_lost or any(_needs_rebuild(each) for each in faults):
        _rebuild(case, hands, tell)
        faults = faults if case.dry_run else hands.verify()
    if any(each.next == NEXT_SNAPSHOTS for each in faults):
        _refold(case, hands, tell)
        faults = faults if case.dry_run else hands.verify()
    _go_on(case, hands, tell, faults)
    return done._replace(faults=faults if case.dry_run else hands.verify())


def _needs_rebuild(found: Fault) -> bool:
    return found.next == NEXT_RECOVER


def _go_on(
    case: Case, hands: Hands, tell: Callable[[Report], None], faults: Sequence[Fault]
) -> None:
    """Take in what waits, and write exports again."""
    for each in faults:
        if each.next == NEXT_MAILBOX:
            tell(Lost(each.place, f"{each.what}; its bytes go to quarantine"))
    if any(each.next == NEXT_MAILBOX for each in faults) and not case.dry_run:
        hands.drain()
    for each in faults:
        if each.next == NEXT_EXPORT:
            tell(Step(each.place, "written again from the snapshots"))
    for root in sorted({each.root for each in faults if each.root}):
        if not case.dry_run:
            hands.export(Path(root))


def _refold(case: Case, hands: Hands, tell: Callable[[Report], None]) -> None:
    with hands.lock("recover"):
        _set_aside(case, tell)
    tell(Step("snapshots", "folded again from the log"))
    if not case.dry_run:
        hands.replay()


def _rebuild(case: Case, hands: Hands, tell: Callable[[Report], None]) -> None:
    """Build the database again beside, and let it take the damaged one's place."""
    with hands.lock("recover") as lock, ExitStack() as opened:
        tables = [opened.enter_context(closing(each)) for each in _tables(case)]
        copies = tuple(_believed(case.told.copies, tables, tell))
        told = case.told._replace(copies=copies)
        sources = Sources(tables, copies, str(case.folder / MAILBOX))
        made = made_from(sources, told)
        if made is None:
            raise NothingToRecoverFrom(str(case.folder))
        planned = list(rebuild(None, sources, told, made, case.seed))
        for report in planned:
            tell(report)
        stops = not told.cut and any(isinstance(each, Lost) and each.stops for each in planned)
        if case.dry_run or stops:
            return
        _set_aside(case, tell)
        tell(Step(DATABASE, "built again beside the damaged one, which it replaces"))
        with case.database.creating(lock, case.disk) as writer:
            with writer.transaction("recover") as cursor:
                for report in rebuild(cursor, sources, told, made, case.seed):
                    if report not in planned:
                        tell(report)
            _forget_write_ahead(case)


def _tables(case: Case) -> list[Salvage]:
    """Open the damaged database, and those set aside before, the newest first."""
    if not isinstance(case.database, SqliteDatabase):
        if case.database.exists():
            raise Refused(
                f"The log in {case.database.name} is damaged, and lies on a server.\n"
                "Nothing was changed. Bring the database back from the server's own backup, or "
                "empty it and run `neighbor recover` again: the log branch fills it."
            )
        return []
    tables = [Salvage(case.database.path, DATABASE)] if case.database.exists() else []
    for folder in sorted((case.folder / ASIDE).glob("*/"), reverse=True):
        if (folder / DATABASE).exists():
            tables.append(Salvage(folder / DATABASE, f"{ASIDE}/{folder.name}"))
    return tables


def _believed(
    copies: Sequence[LogCopy], tables: Sequence[Salvage], tell: Callable[[Report], None]
) -> Iterator[LogCopy]:
    """Yield the copies that are of this store, and whose chain can be followed to its end."""
    made = next((found for table in tables if (found := table.made()) is not None), None)
    store_id = made.store_id if made is not None else ""
    for copy in copies:
        if store_id and copy.store_id != store_id:
            tell(Step(copy.name, f"left aside: it is the log of store {copy.store_id}"))
        elif wrong := fault(copy):
            tell(Step(copy.name, f"left aside: {wrong}"))
        else:
            store_id = copy.store_id
            yield copy


def _set_aside(case: Case, tell: Callable[[Report], None]) -> None:
    """Copy the database's files to a folder of their own, on the medium before anything changes."""
    there = [name for name in _FILES if (case.folder / name).exists()]
    if not there:
        return
    at = datetime.fromtimestamp(case.now_us / 1e6, UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    folder = case.folder / ASIDE / at
    tell(Step(DATABASE, f"kept as it lies in {ASIDE}/{at}"))
    if case.dry_run:
        return
    try:
        folder.mkdir(mode=FOLDER_MODE, parents=True)
        for name in there:
            _copy(case.disk, case.folder / name, folder / name)
        for each in (folder, folder.parent, case.folder):
            case.disk.flush_folder(str(each))
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)  # half a copy helps nobody, and takes the room
        raise StoreUnwritable(str(folder), error, "not set aside", "copy to") from error
    reached("recover: set aside")


def _copy(disk: Disk, source: Path, target: Path) -> None:
    descriptor = disk.create(str(target))
    try:
        with source.open("rb") as file:
            while data := file.read(_COPY_SIZE):
                write_all(disk, descriptor, data)
        disk.flush(descriptor)
    finally:
        os.close(descriptor)


def _forget_write_ahead(case: Case) -> None:
    """Take the damaged database's own log away: SQLite would play it into the new one."""
    for end in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            case.disk.remove(str(case.folder / f"{DATABASE}{end}"))
    reached("recover: about to be replaced")
