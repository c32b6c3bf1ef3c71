"""What the store refuses, as exceptions: one class per decision a caller can make.

    GoodneighborError              every error of ours (kernel/errors.py)
    ├── DeltaRejected              fix the delta (kernel/errors.py)
    ├── RulesInvalid               fix neighbor.toml (kernel/errors.py)
    ├── StoreBusy                  wait: another process holds the store
    │   ├── StoreAway              its server does not answer
    │   └── NoteWaits              nor did it for `append`: what was sent is kept here meanwhile
    ├── StoreUnwritable            make room: the disk did not take it
    ├── StoreDamaged               recover: bytes are not what was written
    │   ├── LockLost               the lock file was replaced while it was held
    │   ├── NothingToRecoverFrom   the log is gone, and no copy of it was found
    │   └── LogConflict            the log does not continue what was read from it
    └── Refused                    a person decides
        ├── StoreMissing           there is no store here
        ├── StoreExists            there is one already
        ├── NotAStore              something else lies where the store should
        ├── StoreTooNew            a newer goodneighbor made it
        ├── StoreOnNetwork         its folder is on a network file system
        ├── DriverMissing          PostgreSQL's driver is not installed
        ├── DocumentRefused        a document's file cannot be taken in as it is
        ├── EditRefused            an edit made outside the store is no edit
        ├── DocumentUnknown        state was given for a document that the rules do not have
        ├── FramePassed            a later frame has closed already
        └── FrameNotShown          its state is not there yet, or its versions were dropped

Every text says what happened, where, and what to do next; the facts are attributes as well.
"""

from ..kernel.errors import DeltaRejected, GoodneighborError, RulesInvalid

__all__ = [
    "DeltaRejected",
    "DocumentRefused",
    "DocumentUnknown",
    "DriverMissing",
    "EditRefused",
    "FrameNotShown",
    "FramePassed",
    "GoodneighborError",
    "LockLost",
    "LogConflict",
    "NotAStore",
    "NoteWaits",
    "NothingToRecoverFrom",
    "Refused",
    "RulesInvalid",
    "StoreAway",
    "StoreBusy",
    "StoreDamaged",
    "StoreExists",
    "StoreMissing",
    "StoreOnNetwork",
    "StoreTooNew",
    "StoreUnwritable",
]


class StoreBusy(GoodneighborError):
    """Another process holds the store's lock; nothing was done. `holder` is "" when not known."""

    def __init__(self, path: str, waited_s: float, holder: str = "") -> None:
        self.path = path
        self.waited_s = waited_s
        self.holder = holder
        super().__init__(
            f"The store is busy: {path} is held by {holder or 'another process'}, "
            f"and was not free within {waited_s:g} s.\n"
            "Nothing was done, and what `append` has kept stays kept. Run the command again."
        )


class StoreAway(StoreBusy):
    """The store's server does not answer; `said` is why, in the driver's words."""

    def __init__(self, name: str, said: str) -> None:
        self.path = name
        self.waited_s = 0.0
        self.holder = ""
        self.said = said
        GoodneighborError.__init__(
            self,
            f"The store's server is away: {name}: {said}\n"
            "What `append` has kept stays kept, and what a command had committed is done. Run the "
            "command again when the server is back.",
        )


class NoteWaits(StoreBusy):
    """Deltas are durable here, and not yet in the log: the server was away or would not take them.

    The next command that writes from this folder sends them, once.
    """

    def __init__(self, segment: str, notes: int, cause: GoodneighborError) -> None:
        self.path = segment
        self.waited_s = 0.0
        self.holder = ""
        self.notes = notes
        self.cause = cause
        reason = str(cause).partition("\n")[0]
        GoodneighborError.__init__(
            self,
            f"{reason}\n"
            f"Kept here until it answers ({segment}): the next `neighbor append`, `drain` or "
            "`frame close` in this clone sends it, and it counts once. Do not send it again.",
        )


_AFTER_A_REFUSAL = {
    "not kept": "Nothing of it was kept. Make room or repair the disk, then send it again.",
    "unknown": "Whether it was kept is unknown. Repair the disk, then send the same completed "
    "delta again from a new process: it counts once.",
    "unfinished": "Whether that was done is unknown. Make room or repair the disk, then run the "
    "command again: nothing counts twice.",
    "not made": "Make room or repair the disk, then run the command again; a store that is there "
    "by then is whole.",
    "not set aside": "The damaged database could not be kept aside, so nothing was changed. Make "
    "room or repair the disk, then run `neighbor recover` again.",
    "not recovered": "What was damaged is kept, where it lay or in `damaged` beside it. Make room "
    "or repair the disk, then run `neighbor recover` again.",
    "not written": "The log has it all: make room or repair the disk, then run `neighbor export`.",
}


class StoreUnwritable(GoodneighborError):
    """The disk refused a write or a flush.

    `outcome` is "not kept" when nothing of it can ever become an event, "unknown" when a flush
    failed after the bytes were written, "unfinished" for a transaction of the database or a segment
    to be deleted, "not made" for a new store, "not written" for a file that an export makes, "not
    set aside" for the copy of what a recovery is about to replace, and "not recovered" for the rest
    of a recovery.
    """

    def __init__(self, path: str, error: OSError, outcome: str, doing: str = "write to") -> None:
        self.path = path
        self.errno = error.errno
        self.outcome = outcome
        again = _AFTER_A_REFUSAL[outcome]
        said = error.strerror or str(error)
        super().__init__(f"Could not {doing} {path}: {said} (errno {error.errno}).\n{again}")


class StoreDamaged(GoodneighborError):
    """Bytes on disk are not what was written there."""

    def __init__(self, place: str, what: str, next_step: str = "") -> None:
        self.place = place
        self.what = what
        self.next_step = next_step or "Run `neighbor verify` to see all that is damaged."
        super().__init__(f"Damaged: {place}: {what}.\n{self.next_step}")


class LockLost(StoreDamaged):
    """The store's lock was no longer ours when a commit needed it; nothing was committed."""

    def __init__(
        self,
        path: str,
        what: str = "it was deleted or replaced while we held it, so another may hold it too",
    ) -> None:
        self.path = path
        super().__init__(
            path,
            what,
            "Nothing was committed. Delete nothing in this folder, and run the command again.",
        )


class NothingToRecoverFrom(StoreDamaged):
    """The database is lost, and nothing at hand says what its log held."""

    def __init__(self, folder: str) -> None:
        super().__init__(
            folder,
            "its database is lost, and neither a log branch nor a copy of it was found",
            "Fetch the branch goodneighbor/log, or name a clone: `neighbor recover --from PATH`. "
            "What lies in the mailbox is kept.",
        )


class LogConflict(StoreDamaged):
    """The log does not continue what was read from it a moment ago."""


class Refused(GoodneighborError):
    """Nothing is broken, and nothing was done: a person decides how to go on."""


class StoreMissing(Refused):
    """There is no store in the folder."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        super().__init__(
            f"No store at {folder}.\nRun `neighbor init` in the repository's main working tree."
        )


class NotAStore(Refused):
    """What lies in the folder is not a store of ours."""

    def __init__(self, folder: str, found: str) -> None:
        self.folder = folder
        self.found = found
        super().__init__(
            f"Not a store: {folder}: {found}.\n"
            "Nothing there was touched. Where a store was, `neighbor recover` brings it back; "
            "otherwise move it away, then run `neighbor init`."
        )


class StoreTooNew(Refused):
    """The store was made or migrated by a newer goodneighbor."""

    def __init__(self, folder: str, found: str, known: str) -> None:
        self.folder = folder
        self.found = found
        self.known = known
        super().__init__(
            f"The store at {folder} has schema {found}; this program knows up to {known}.\n"
            "Nothing was touched. Install the goodneighbor that made it, or a newer one."
        )


class StoreExists(Refused):
    """A store is there already."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        super().__init__(
            f"There is a store already: {folder}.\n"
            "Nothing was touched; `neighbor status` shows what it holds."
        )


class StoreOnNetwork(Refused):
    """The folder is on a network file system, where locks and the write-ahead log do not hold."""

    def __init__(self, folder: str, kind: str) -> None:
        self.folder = folder
        self.kind = kind
        super().__init__(
            f"No store can be at {folder}: it is on a network file system ({kind}), where "
            "file locks and SQLite's write-ahead log do not hold.\n"
            "Nothing was made. Clone the repository to a local disk and run `neighbor init` there."
        )


class DriverMissing(Refused):
    """A PostgreSQL url is given, and there is no driver for it."""

    def __init__(self, said: str) -> None:
        super().__init__(
            f"The store is on PostgreSQL, and its driver cannot be loaded: {said}.\n"
            "Nothing was done. Install goodneighbor with its extra `postgresql`, such as by "
            "`pip install 'goodneighbor[postgresql]'`."
        )


class DocumentRefused(Refused):
    """A document's file is evidence of something, and not a state to start from."""

    def __init__(self, document: str, path: str | None, reason: str) -> None:
        self.document = document
        self.path = path
        self.reason = reason
        super().__init__(
            f"Not taken in: {path or document}: {reason}.\n"
            "Bring back the last good version (`git log -- FILE` finds it), then run this again."
        )


class EditRefused(Refused):
    """An edit of a document cannot be taken in; the store's version stays."""

    def __init__(self, document: str, path: str | None, reason: str) -> None:
        self.document = document
        self.path = path
        self.reason = reason
        place = path or document
        super().__init__(
            f"Not taken in: {place}: {reason}.\n"
            f"Mend it and run `neighbor absorb {place}`, or go on with the store's version: "
            "`neighbor export`."
        )


class DocumentUnknown(Refused):
    """State was given for a document that the rules do not have."""

    def __init__(self, document: str) -> None:
        self.document = document
        super().__init__(
            f"Not taken in: there is no document {document!r} in the rules.\n"
            f"Add [documents.{document}] to neighbor.toml, or leave its file out."
        )


class FramePassed(Refused):
    """A frame that is behind the last close can be neither opened nor closed."""

    def __init__(self, frame: int, closed: int) -> None:
        self.frame = frame
        self.closed = closed
        super().__init__(
            f"Frame {frame} is behind the last close, which was {closed}.\n"
            f"What arrives for it folds at the next close: `neighbor frame close {closed + 1}`."
        )


class FrameNotShown(Refused):
    """The state as a frame left it cannot be told; `oldest` None: nothing was ever forgotten."""

    def __init__(self, frame: int, oldest: int | None, newest: int) -> None:
        self.frame = frame
        self.oldest = oldest
        self.newest = newest
        if frame > newest:
            why = f"the last close was that of frame {newest}.\nRun `neighbor frame close {frame}`"
        elif oldest is None:
            why = "the store begins with its base state, as frame -1.\nAsk for a later frame"
        else:
            why = (
                f"versions before frame {oldest} were forgotten.\n"
                "`neighbor replay` brings them back from the log"
            )
        super().__init__(f"Frame {frame} cannot be shown: {why}.")
