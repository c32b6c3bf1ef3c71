"""A worktree of ours: what is on disk about it, from before its first step until after its last.

Its record is an intent of the kind "worktree". Who holds it is told by no pid:

    making    the process that makes it (or takes it away) holds a lock on the record's file
    leased    the lease that the record names is held by a living process (`run`)
    pinned    by a person, until `neighbor worktree remove`; from when it begins to take the tree
              away, the record's name says `-going`: a rename, for it must work on a full disk

What nobody holds is a dead process's, and is swept. git's own folder for it carries the record's
nonce as the reason of its lock, so that a half-made one is known from somebody else's; and that
lock keeps `git worktree remove` and `prune`, which save nothing, off it.
"""

import fcntl
import os
from dataclasses import dataclass, replace
from pathlib import Path

from ..store.disk import DISK
from . import intent
from .git import Git
from .intent import Intent

KIND = "worktree"
PINNED = ""
_GOING = "-going"
OWN_FOLDER = ".goodneighbor"  # in the worktree; its own .gitignore keeps it out of everything


@dataclass(frozen=True)
class Worktree:
    """A worktree as its record tells it."""

    record: Intent
    stream: str
    frame: int
    path: Path
    branch: str
    start: str  # the commit that the branch began at
    since_s: float
    lease: str  # the file name of the lease that holds it; PINNED for none
    is_made: bool

    @property
    def nonce(self) -> str:
        return self.record.file.stem.removeprefix(f"{KIND}-").removesuffix(_GOING)

    @property
    def is_pinned(self) -> bool:
        """A pin counts from when the worktree is whole until it begins to go."""
        is_going = self.record.file.stem.endswith(_GOING)
        return self.is_made and self.lease == PINNED and not is_going

    @property
    def reason(self) -> str:
        """What git's lock on it says."""
        return f"goodneighbor {self.nonce}: use `neighbor worktree remove {self.stream}`"

    @property
    def deltas(self) -> Path:
        """The folder for deltas of a stream that cannot write the mailbox."""
        return self.path / OWN_FOLDER / "deltas"


class Claim:
    """A living process's hold on a record while it makes the worktree, or takes it away."""

    def __init__(self, record: Intent) -> None:
        self._file = record.file
        self._descriptor = -1

    def take(self) -> bool:
        """Take it; False where another has it or the record is gone. Needs the worktree lock."""
        try:
            descriptor = os.open(self._file, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Let it go; again, nothing happens."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1


def facts_of(worktree: Worktree) -> dict[str, object]:
    """Return what the record says of a worktree."""
    return {
        "stream": worktree.stream, "frame": worktree.frame, "path": os.fsdecode(worktree.path),
        "branch": worktree.branch, "start": worktree.start, "since_s": worktree.since_s,
        "lease": worktree.lease, "is_made": worktree.is_made,
    }  # fmt: skip


def change(worktree: Worktree, *, is_made: bool) -> Worktree:
    """Say durably that a worktree is whole; the caller holds the worktree lock and the claim."""
    changed = replace(worktree, is_made=is_made)
    return replace(changed, record=intent.change(worktree.record, facts_of(changed)))


def going(worktree: Worktree) -> Worktree:
    """Say durably that a worktree goes, whoever had pinned it; the claim is held, and stays."""
    file = worktree.record.file
    if file.stem.endswith(_GOING):
        return worktree
    renamed = file.with_name(f"{file.stem}{_GOING}{file.suffix}")
    if not renamed.exists():
        DISK.rename(str(file), str(renamed))
        DISK.flush_folder(str(file.parent))
    return replace(worktree, record=replace(worktree.record, file=renamed))


def all_of(store: Path) -> list[Worktree]:
    """Return the worktrees that have a record, in the order of their streams."""
    found = [of_record(record) for record in intent.look(store, KIND)]
    return sorted(found, key=lambda each: (each.stream.lower(), each.nonce))


def of_stream(store: Path, stream: str) -> Worktree | None:
    """Return a stream's worktree; streams are compared without case."""
    return next((each for each in all_of(store) if each.stream.lower() == stream.lower()), None)


def admin_folder(common: Path, worktree: Worktree) -> Path | None:
    """Return git's folder for a worktree, by the nonce in its lock or by the path it names."""
    folder = common / "worktrees"
    mine = f"goodneighbor {worktree.nonce}:"
    candidates = sorted(folder.iterdir()) if folder.is_dir() else []
    for each in candidates:
        if _text(each / "locked").startswith(mine):
            return each
    named = os.fsdecode(worktree.path / ".git")
    for each in candidates:
        locked = _text(each / "locked")
        if _text(each / "gitdir") == named and not locked.startswith("goodneighbor "):
            return each
    return None


def tree_of(admin: Path | None, worktree: Worktree) -> Path:
    """Return where the tree lies now: a person may have moved it with `git worktree move`."""
    named = "" if admin is None else _text(admin / "gitdir")
    return Path(named).parent if named else worktree.path


def is_usable(common: Path, admin: Path) -> bool:
    """Tell whether git can work by its folder, that is, was not killed while it wrote that."""
    if (admin / "index").is_file():
        return True
    asked = Git(common, git_folder=admin).call("rev-parse", "--git-dir", ends=(0, 128))
    return asked.exit_code == 0


def is_ours(common: Path, admin: Path | None, tree: Path) -> bool:
    """Tell whether what lies at a tree's path is that tree, and not a person's who came later.

    Without git's folder for it, its `.git` file must name one in our repository. What is no folder
    is not that tree.
    """
    if tree.is_symlink() or not tree.is_dir():
        return False
    if admin is not None:
        return True
    return _text(tree / ".git").startswith(f"gitdir: {os.fsdecode(common)}/worktrees/")


def git_of(admin: Path, worktree: Worktree, index: Path | None = None) -> Git:
    """Return git in a worktree, whatever became of its `.git` file."""
    tree = tree_of(admin, worktree)
    return Git(tree, index=index, git_folder=admin, lease=worktree.nonce)


def of_record(record: Intent) -> Worktree:
    """Read a record."""
    facts = record.facts
    frame, since_s = facts["frame"], facts["since_s"]
    assert isinstance(frame, int) and isinstance(since_s, float), record.file
    return Worktree(
        record,
        str(facts["stream"]),
        frame,
        Path(str(facts["path"])),
        str(facts["branch"]),
        str(facts["start"]),
        since_s,
        str(facts["lease"]),
        facts["is_made"] is True,
    )


def _text(file: Path) -> str:
    try:
        return os.fsdecode(file.read_bytes()).rstrip("\n")
    except (FileNotFoundError, NotADirectoryError):
        return ""
