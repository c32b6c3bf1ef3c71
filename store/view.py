"""What a store can be asked: its log, frames, documents and quarantine, each as of one moment.

The fact not to miss: nothing here changes the store or waits for the sequencer; a reader sees what
was committed when it began. `store.py` adds what writes.
"""

import os

from .folder import MAILBOX

TYPE_CHECKING = False  # typing costs more than this module
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from .engine import Cursor, Database
    from .frame_view import FrameDetail, FrameRow
    from .lock import StoreLock
    from .log_lines import LogLines
    from .logged import LoggedEvent
    from .publication import Folded, Publication, Standing
    from .quarantine import Kept
    from .status import Status

SEED_SIZE = 16


class View:
    """A store in a folder, as readers see it."""

    def __init__(
        self,
        folder: "Path | str",
        *,
        url: str | None = None,
        random: "Callable[[int], bytes]" = os.urandom,
        wait_s: float | None = None,
    ) -> None:
        self._folder = os.fspath(folder)
        self._url = url
        self._random = random
        self._wait_s = wait_s

    @property
    def folder(self) -> "Path":
        from pathlib import Path

        return Path(self._folder)

    # --- the log and its frames -----------------------------------------------------------------

    def missing(self, frame: int, expect: "Iterable[str]" = ()) -> list[str]:
        """Return the streams that a frame expects and the log holds nothing of yet."""
        from .frames import missing

        with self._reading() as cursor:
            return missing(cursor, frame, expect)

    def events(
        self,
        *,
        first: int | None = None,
        frame: int | None = None,
        stream: str | None = None,
        limit: int = 50,
        bodies: bool = False,
    ) -> "list[LoggedEvent]":
        """Return events from position `first` on, or else the newest, in the log's order."""
        from .logged import Asked, events

        with self._reading() as cursor:
            return events(cursor, Asked(first, frame, stream, limit, bodies))

    def frames(self) -> "list[FrameRow]":
        """Return the frames that have closed, are open, or have events, lowest first."""
        from .frame_view import frames

        with self._reading() as cursor:
            return frames(cursor)

    def frame(self, number: int) -> "FrameDetail | None":
        """Return one frame in full; None where nothing is known of it."""
        from .frame_view import frame

        with self._reading() as cursor:
            return frame(cursor, number)

    def folded(self, after: int, last: int) -> "Folded":
        """Tell together what the closed frames above `after` and up to `last` brought."""
        from .publication import folded

        with self._reading() as cursor:
            return folded(cursor, after, last)

    def log_lines(self, first: int, last: int) -> "LogLines":
        """Return the events from position `first` to `last` as lines of a log segment."""
        from .log_lines import log_lines

        with self._reading() as cursor:
            return log_lines(cursor, first, last)

    # --- the state ----------------------------------------------------------------------------

    def rules_text(self) -> str:
        """Return the rules in force, as text."""
        from .closes import rules_in_force

        with self._reading() as cursor:
            return rules_in_force(cursor).text

    def documents(self) -> list[str]:
        """Return the names of the documents in the rules' order."""
        from .closes import rules_in_force

        with self._reading() as cursor:
            return [document.name for document in rules_in_force(cursor).documents]

    def is_record(self, document: str) -> bool:
        """Say whether a document is one entity, the whole file."""
        from .closes import rules_in_force

        with self._reading() as cursor:
            return any(
                each.name == document and each.kind == "record"
                for each in rules_in_force(cursor).documents
            )

    def document(self, name: str) -> bytes:
        """Return a whole document in canonical form, as of the last close."""
        from .closes import rules_in_force
        from .export import render

        with self._reading() as cursor:
            return render(cursor, rules_in_force(cursor), name, self._seed())

    def state(self, document: str, frame: int) -> bytes | None:
        """Return a whole document in canonical form as frame `frame` left it.

        None where the rules of that frame do not have it.

        Raises:
            FrameNotShown: the frame has not closed, or its versions were forgotten.
        """
        from .versions import state

        with self._reading() as cursor:
            return state(cursor, document, frame, self._seed())

    def entity(self, document: str, key: bytes, frame: int | None = None) -> bytes | None:
        """Return an entity's compact canonical bytes, now or as a frame left it; None: no entity.

        Raises:
            FrameNotShown: the frame has not closed, or its versions were forgotten.
        """
        from .forget import check_shown
        from .snapshots import entity

        with self._reading() as cursor:
            if frame is not None:
                check_shown(cursor, frame)
            return entity(cursor, document, key, frame)

    def entities(self, document: str) -> "Iterator[tuple[bytes, bytes]]":
        """Yield a document's entities in the order of their keys, as (key, body)."""
        from .snapshots import entities

        with self._reading() as cursor:
            for row in entities(cursor, document):
                if row.body:
                    yield row.key, row.body

    def state_digest(self) -> str:
        """Return the digest of the state as of the last close, in 64 hex digits."""
        from .snapshots import state_digest

        with self._reading() as cursor:
            return state_digest(cursor)

    def publication(
        self, standing: "Mapping[str, Standing]", *, allow_loss: "Collection[str]" = ()
    ) -> "Publication":
        """Return what a commit of the documents is made from; `standing`: what is there, by path.

        Writes nothing, and remembers nothing of it.
        """
        from .publication import publication

        with self._reading() as cursor:
            return publication(cursor, standing, allow_loss, self._seed())

    def wrote(self, root: "Path", path: str, data: bytes) -> bool:
        """Say whether bytes at a document's path are those of the last export, or of the start."""
        from .export_record import is_ours, target

        with self._reading() as cursor:
            return is_ours(cursor, target(root, path), data)

    def written(self, root: "Path", document: str) -> bytes | None:
        """Return the version of a document that an export to `root` last wrote, if it can be told.

        Where none was written, that is the version the store was made from.
        """
        from .closes import rules_in_force
        from .versions import written

        with self._reading() as cursor:
            rules = rules_in_force(cursor)
            named = next(each for each in rules.documents if each.name == document)
            return written(cursor, rules, named, root, self._seed())

    def base_state(self, document: str) -> bytes:
        """Return the file that a document's base state was made of, in canonical form."""
        from .closes import rules_in_force
        from .versions import base_state

        with self._reading() as cursor:
            documents = rules_in_force(cursor).documents
            return base_state(cursor, next(each for each in documents if each.name == document))

    # --- the store itself ----------------------------------------------------------------------

    def store_id(self) -> str:
        """Return the name this store was given when it was made."""
        with self._reading() as cursor:
            return str(cursor.execute("SELECT store_id FROM store WHERE id = 1").fetchone()[0])

    def status(self) -> "Status":
        """Gather what `neighbor status` shows, as of one moment."""
        from pathlib import Path

        from .status import status

        with self._reading() as cursor:
            return status(cursor, self._database(), Path(self._mailbox))

    def quarantine_list(self) -> "list[Kept]":
        """Return all that is in quarantine, oldest first."""
        from .quarantine import entries

        with self._reading() as cursor:
            return entries(cursor)

    def quarantine_get(self, number: int) -> "tuple[Kept, bytes] | None":
        """Return one thing in quarantine with its bytes; None where there is none."""
        from .quarantine import entry

        with self._reading() as cursor:
            return entry(cursor, number)

    # --- what the calls stand on --------------------------------------------------------------

    @property
    def _mailbox(self) -> str:
        return os.path.join(self._folder, MAILBOX)

    def _database(self) -> "Database":
        from .engine import open_database

        return open_database(self.folder, self._url)

    def _lock(self, who: str) -> "StoreLock":
        from .lock import WAIT_S, StoreLock

        wait_s = WAIT_S if self._wait_s is None else self._wait_s
        return StoreLock(self.folder, wait_s=wait_s, who=who)

    def _seed(self) -> bytes:
        return self._random(SEED_SIZE)

    def _reading(self) -> "AbstractContextManager[Cursor]":
        return self._database().reading(lambda: self._lock("migrate"))
