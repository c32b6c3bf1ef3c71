"""An export as a commit, by plumbing: no checkout, no hook, nobody's index but a copy.

The fact not to miss: a commit's documents come from the log alone, so one that lost a race is
simply built again on the new tip. The order, under the commit lock:

    what died is settled -> edits at the tip taken in (`absorb`) -> log segment, flushed -> objects
    -> intent -> trees that have the branch checked out -> compare-and-swap of the refs
    -> refs' folders flushed (`git -c core.fsync=all` leaves them: power cuts lost commits)
    -> files flushed, indexes replaced -> intent away
"""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..store import Store, StoreBusy, Withheld
from ..store.step import reached
from . import checked_out, intent, log_branch, manifest, message, refs, rescue, settle
from .checked_out import Move, Tree
from .commit_lock import CommitLock
from .draft import Draft, Parent, draft, write
from .errors import BranchMoves, ExportReverted, OtherStore, PushRefused
from .git import Git
from .manifest import MANIFEST, Found
from .place import Place

ATTEMPTS_MAX = 8
SCRATCH = "commit.index"


@dataclass(frozen=True)
class Tip:
    """A commit that an export is about to go on top of, and the manifest that counts there."""

    git: Git
    branch: str
    commit: str
    found: Found | None


# Takes edits of documents at a tip into the log. Returns the blobs it took in, by path: only over
# those, and over the manifest's own, may the export write.
Absorb = Callable[[Store, Tip], Mapping[str, str]]


def leave(store: Store, tip: Tip) -> Mapping[str, str]:
    """Take no edit in: what was edited is held back and named."""
    return {}


@dataclass(frozen=True)
class Order:
    """What an export with commit may do."""

    allow_loss: Sequence[str] = ()
    asked_by: str = ""
    rescue: bool = False
    forward: bool = False
    take_over: bool = False
    absorb: Absorb = leave


@dataclass(frozen=True)
class Committed:
    """What became of an export with commit, documents by name."""

    branch: str
    commit: str | None  # None: nothing was new
    tip: str | None  # of the branch now
    log_tip: str | None
    written: tuple[str, ...]
    unchanged: tuple[str, ...]
    refused: tuple[Withheld, ...]
    rescued: tuple[str, ...]  # refs that hold what was saved


@dataclass
class Work:
    """The holder of the commit lock at work on a branch."""

    git: Git
    store: Store
    order: Order
    branch: str
    here: Path | None = None  # the tree the caller stands in
    rescued: list[str] = field(default_factory=list)

    @property
    def scratch(self) -> Path:
        return self.store.folder / SCRATCH

    @property
    def ref(self) -> str:
        return f"refs/heads/{self.branch}"

    @property
    def exported_ref(self) -> str:
        return f"{refs.EXPORTED}/{self.branch}"


@contextmanager
def working(where: Place, store: Store, branch: str, order: Order) -> Iterator[Work]:
    """Take the commit lock, and settle what a dead export left.

    Raises:
        StoreBusy: another commits; or a tree that must be settled is held by another git.
    """
    with CommitLock(store.folder) as lock:
        here = None if where.tree is None else Path(where.tree)
        work = Work(Git(Path(where.common), (lock.descriptor,)), store, order, branch, here)
        for dead in (work.scratch, work.scratch.with_name(f"{SCRATCH}.lock")):
            dead.unlink(missing_ok=True)
        work.rescued += settle.settle(work.git, store.folder)
        yield work


def settle_dead(where: Place, store: Store) -> int:
    """Finish or undo what dead exports left; return how many there were.

    Where there is none it costs a look at a folder. An export that is at work meanwhile is none:
    its intent goes when it is done.
    """
    if not intent.is_any(store.folder, settle.KIND):
        return 0
    with CommitLock(store.folder) as lock:
        count = len(intent.pending(store.folder, settle.KIND))
        settle.settle(Git(Path(where.common), (lock.descriptor,)), store.folder)
        return count


def commit(where: Place, store: Store, branch: str, order: Order) -> Committed:
    """Commit the documents as of the last close on a branch, which comes along where checked out.

    Raises:
        StoreBusy: another holds what is needed (`TreeBusy`), somebody's rebase or merge is
            unfinished (`ExportWaits`), or the branch moved each time (`BranchMoves`).
        EditsInTheWay, OtherStore, ExportReverted: a person decides. No document was committed.
    """
    with working(where, store, branch, order) as work:
        for _ in range(ATTEMPTS_MAX):
            tip = work.git.resolve(work.ref)
            committed = export_on(work, tip, [] if tip is None else [tip])
            if committed is not None:
                return committed
        raise BranchMoves(branch, ATTEMPTS_MAX)


def export_on(
    work: Work,
    tip: str | None,
    commits: Sequence[str],
    *,
    base: str | None = None,
    beside: Sequence[str] = (),
) -> Committed | None:
    """Commit on top of `commits`, and move the branch there from `tip`; None where it had moved.

    `base` is the tree that the documents go into, where it is not the last commit's own. Commits
    `beside` are exports that this one replaces: their edits are taken in as well.
    """
    replaced = [_parent(work, each, is_local=each == tip) for each in beside]
    parents = [_parent(work, each, is_local=each == tip) for each in commits]
    made = draft(work.git, work.store, parents, base, work.order.allow_loss, replaced)
    if base is not None and made.refused:
        paths = ", ".join(each.path for each in made.refused)
        raise PushRefused(
            f"merged {work.branch}",
            f"a merge needs every document, and held back are {paths}.",
            "Take the edits in with `neighbor absorb PATH`, then push again.",
        )
    log_tip = None
    if made.now.rules.export.log:
        taking_over = work.order.take_over
        log_tip = log_branch.extend(
            work.git, work.store, made.now, work.scratch, take_over=taking_over
        )
        with suppress(StoreBusy):  # the next export does it
            work.store.retire(made.now.position)
    new = commits[-1] if commits else None
    written = None
    if not made.brings_nothing():
        new = written = write(work.git, work.store, made, work.scratch, work.order.asked_by)
    assert new is not None, "on no commit there is always something to write"
    if new != tip and not swap(work, tip, new, made):
        return None
    return _committed(work, made, written, new, log_tip)


def swap(work: Work, old: str | None, new: str, made: Draft) -> bool:
    """Move the branch, and with it the trees that have it checked out; False: it had moved.

    Whatever stops it, the trees are settled to where the branch then stands.
    """
    git = work.git
    trees = checked_out.trees_of(git, work.branch, work.here)
    token = f"goodneighbor {secrets.token_hex(16)}"
    locks = [(tree, checked_out.prepare_lock(tree, token)) for tree in trees]
    start = old or git.empty_tree()
    move = Move(start, new, tuple(git.changed_paths(start, new)))
    added = set(move.paths) - set(git.entries(start, move.paths))
    begun = settle.begin(work.store.folder, work.branch, (start, new), locks, token, sorted(added))
    reached("commit: intent written")
    locked: list[Tree] = []
    try:
        for tree in trees:
            checked_out.take_lock(tree)
            locked.append(tree)
            reached("commit: index locked")
            _move_files(work, tree, move)
        moves = {work.ref: (old, new), work.exported_ref: (git.resolve(work.exported_ref), new)}
        if not git.move_refs(moves, f"goodneighbor: {message.reason(made.now)}"):
            settle.settle_one(git, begun, locked)
            return False
        reached("commit: branch moved")
        refs.flush(git.folder, list(moves))
        for tree in trees:
            checked_out.finish(tree, move.paths)
    except BaseException:
        settle.settle_one(git, begun, locked)
        raise
    settle.end(begun)
    with suppress(StoreBusy):  # then `verify` takes them for edits, until the next export
        for tree in trees:
            work.store.came_along(tree.folder, made.pages)
    return True


def _parent(work: Work, commit: str, *, is_local: bool) -> Parent:
    """Look at a commit to go on top of, and have its edits taken in.

    Raises:
        OtherStore: its documents are another store's.
        ExportReverted: the branch went behind our last export there.
    """
    found = manifest.newest(work.git, commit)
    ours = work.store.store_id()
    if found is not None and found.manifest.store_id != ours:
        if not work.order.take_over:
            raise OtherStore(work.branch, found.manifest.store_id, ours)
        found = None  # its documents are edits of what this store began with
    if found is not None and not work.order.forward:
        _check_not_reverted(work, commit, found, is_local=is_local)
    taken = work.order.absorb(work.store, Tip(work.git, work.branch, commit, found))
    return Parent(commit, found, taken)


def _check_not_reverted(work: Work, commit: str, found: Found, *, is_local: bool) -> None:
    """Refuse a commit behind our last export: the branch's own, or one that has that export in it.

    A remote's tip that has not got the export yet is only behind.
    """
    last = work.git.resolve(work.exported_ref)
    if last is None or not (is_local or work.git.is_ancestor(last, commit)):
        return
    exported = manifest.newest(work.git, last)
    if exported is None or exported.manifest.store_id != found.manifest.store_id:
        return
    if found.manifest.position < exported.manifest.position:
        positions = (found.manifest.position, exported.manifest.position)
        raise ExportReverted(work.branch, *positions, exported.commit)


def _move_files(work: Work, tree: Tree, move: Move) -> None:
    """Move a tree's files, saving what is in the way where that was asked for."""
    ref = rescue.name_for(work.branch, time.time()) if work.order.rescue else None

    def wrote(folder: Path, path: str, data: bytes) -> bool:
        if path != MANIFEST:
            return work.store.wrote(folder, path, data)
        lying = manifest.parse(data)
        return lying is not None and lying.store_id == work.store.store_id()

    if checked_out.move_files(work.git, tree, move, wrote, ref):
        assert ref is not None, "nothing is saved unless it was asked for"
        work.rescued.append(ref)


def _committed(
    work: Work, made: Draft, written: str | None, new: str, log_tip: str | None
) -> Committed:
    return Committed(
        work.branch,
        written,
        new,
        log_tip,
        tuple(made.changed) if written else (),
        tuple(made.left),
        made.refused,
        tuple(work.rescued),
    )
