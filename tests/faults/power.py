"""The power cut: what stays of files when all that was not flushed is gone.

The disk given to the store tells the journal what it made, renamed and flushed, and the cut takes
everything else back, as the worst disk would. SQLite writes its own files: they keep what the
system knows, which is one of the outcomes a cut may have.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from goodneighbor.store.disk import Disk

from .journal import Journal, Line


class TellingDisk(Disk):
    """The real disk, telling each operation to the journal after it is done.

    A file that is about to be replaced is kept under another name in `kept`, for the cut.
    """

    __slots__ = ("_journal", "_kept", "_open", "_renames")

    def __init__(self, journal: Journal, kept: Path) -> None:
        self._journal = journal
        self._kept = kept
        self._open: dict[int, str] = {}
        self._renames = 0

    def create(self, path: str, mode: int = 0o600) -> int:
        descriptor = super().create(path, mode)
        self._open[descriptor] = path
        self._journal.say("made", path)
        return descriptor

    def flush(self, descriptor: int) -> None:
        size = os.fstat(descriptor).st_size
        super().flush(descriptor)
        self._journal.say("flushed", self._open[descriptor], size)

    def flush_folder(self, path: str) -> None:
        super().flush_folder(path)
        self._journal.say("folder", path)

    def rename(self, source: str, target: str) -> None:
        self._renames += 1
        kept = self._kept / f"{os.getpid()}-{self._renames}"
        if os.path.exists(target):
            os.link(target, kept)
        self._journal.say("renaming", source, target, kept)
        super().rename(source, target)


def cut(said: Iterable[Line]) -> None:
    """Take back what was not flushed: bytes of files, names, and renames, newest first."""
    sizes: dict[str, int] = {}
    unnamed: set[str] = set()
    renames: list[tuple[str, str]] = []
    for _, kind, words in said:
        if kind == "made":
            sizes[words[0]] = 0
            unnamed.add(words[0])
        elif kind == "flushed":
            sizes[words[0]] = int(words[1])
        elif kind == "renaming":
            sizes[words[1]] = sizes.pop(words[0])
            unnamed.discard(words[0])
            renames.append((words[1], words[2]))
        elif kind == "folder":
            unnamed = {path for path in unnamed if os.path.dirname(path) != words[0]}
            renames = [each for each in renames if os.path.dirname(each[0]) != words[0]]
    for target, kept in reversed(renames):
        _rename_back(Path(target), Path(kept))
        sizes.pop(target, None)
    for path, size in sizes.items():
        if path in unnamed:
            Path(path).unlink(missing_ok=True)
        elif os.path.exists(path) and os.path.getsize(path) > size:
            os.truncate(path, size)


def _rename_back(target: Path, kept: Path) -> None:
    if kept.exists():
        kept.replace(target)
    else:
        target.unlink(missing_ok=True)
