"""Sweep up after the dead: what no living process holds and nobody has pinned.

    processes ended -> deltas into the log -> unsaved work rescued -> worktrees and branches away
    -> leases away -> trash emptied

Everything that starts work does it first. With nothing to sweep it costs a look at some folders.
The fact not to miss: only what carries our record, our lease or our nonce is touched, and a lease's
file goes last, because it is by its nonce that its processes are found.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..kernel.errors import GoodneighborError
from ..store.step import reached
from . import intent, lease, refs, rescue, stray, trash, unsaved, worktree, worktree_remove
from .answer import counted, warn
from .errors import WorktreeHeld
from .lease import Held, Process
from .place import Place
from .worktree import Claim, Worktree
from .worktree_lock import WorktreeLock
from .worktree_remove import Removed

_REFS = (rescue.PREFIX, "refs/heads/dc")  # nobody else writes there


@dataclass
class Swept:
    """What was swept, or with a dry run would be; and what had to stay, with why."""

    ended: list[tuple[Process, str]] = field(default_factory=list)  # with its name
    removed: list[Worktree] = field(default_factory=list)
    rescued: list[str] = field(default_factory=list)
    deltas: int = 0
    branches: list[str] = field(default_factory=list)
    leases: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)  # half-made leases and records, git's locks
    trash: int = 0
    stayed: list[tuple[str, str]] = field(default_factory=list)

    @property
    def is_nothing(self) -> bool:
        """Tell whether there was nothing to sweep."""
        found = (self.ended, self.removed, self.branches, self.leases, self.files, self.stayed)
        return not any(found) and not self.trash


def sweep(where: Place, *, dry_run: bool = False, is_thorough: bool = False) -> Swept:
    """Sweep what the dead left; what cannot be swept stays, and is told.

    `is_thorough` empties the trash before it returns, instead of in the background.

    Raises:
        StoreBusy: the worktree lock was held all the time.
    """
    swept = Swept()
    store = where.store
    found = _dead_leases(store), _unheld(store)
    if any(found):
        _sweep_dead(where, found, swept, dry_run=dry_run)
    _sweep_half_made(store, swept, dry_run=dry_run)
    _sweep_locks(Path(where.common), swept, dry_run=dry_run)
    _sweep_trash(store, swept, dry_run=dry_run, is_thorough=is_thorough)
    return swept


def report(swept: Swept) -> None:
    """Say on stderr what was swept, where there was anything."""
    for line in lines(swept):
        warn(line)


def lines(swept: Swept) -> list[str]:
    """Return a line for each thing that was swept or stayed."""
    said = [f"ended: process {each.pid} ({name}), left running" for each, name in swept.ended]
    said += [
        f"swept: worktree {each.path} of {each.stream} (frame {each.frame}, {each.branch})"
        for each in swept.removed
    ]
    said += [f"saved: {ref}" for ref in swept.rescued]
    if swept.deltas:
        said.append(f"collected: {counted(swept.deltas, 'delta')} that lay there")
    said += [f"swept: branch {name}" for name in swept.branches]
    said += [f"swept: lease {name} of a dead process" for name in swept.leases]
    said += [f"swept: {path}" for path in swept.files]
    if swept.trash:
        said.append(f"swept: {counted(swept.trash, 'thing')} in the trash")
    said += [f"stays: {what}: {why}" for what, why in swept.stayed]
    return said


def _dead_leases(store: Path) -> list[Held]:
    return lease.dead(store / lease.FOLDER)


def _unheld(store: Path) -> list[Worktree]:
    """Return the worktrees that nobody has pinned and no living lease holds.

    One that is being made looks like that too; the claim tells them apart.
    """
    living = {held.file.name for held in lease.living(store / lease.FOLDER)}
    return [each for each in worktree.all_of(store)
            if not each.is_pinned and each.lease not in living]  # fmt: skip


def _sweep_dead(
    where: Place, found: tuple[list[Held], list[Worktree]], swept: Swept, *, dry_run: bool
) -> None:
    store = where.store
    leases, candidates = found
    dead = _claimable(store, candidates)
    _end_strays([*(held.nonce for held in leases), *(each.nonce for each in dead)], swept, dry_run)
    reached("sweep: strays ended")
    for each in dead:
        if dry_run:
            swept.removed.append(each)
        else:
            _sweep_worktree(where, each, swept)
    kept = {each.lease for each in worktree.all_of(store)}
    for held in leases:
        if held.file.name not in kept or dry_run:
            swept.leases.append(held.file.name)
            if not dry_run:
                lease.sweep(held)
                reached("sweep: lease away")


def _claimable(store: Path, candidates: Sequence[Worktree]) -> list[Worktree]:
    """Return those that no living process makes or takes away, as they are now.

    Under the lock, for a record is put there before its claim.
    """
    if not candidates:
        return []
    names = {each.record.file for each in candidates}
    found = []
    with WorktreeLock(store):
        for each in _unheld(store):
            claim = Claim(each.record)
            if each.record.file in names and claim.take():
                found.append(each)
                claim.release()
    return found


def _end_strays(nonces: Sequence[str], swept: Swept, dry_run: bool) -> None:
    found = stray.find(nonces)
    swept.ended += [(each, stray.name_of(each)) for each in found]
    if dry_run:
        return
    for each in stray.end(found):
        swept.stayed.append((f"process {each.pid}", "it does not end, not even killed"))


def _sweep_worktree(where: Place, each: Worktree, swept: Swept) -> None:
    try:
        removed: Removed = worktree_remove.remove(where, each, is_dead=True)
    except WorktreeHeld:
        return  # another sweep was faster
    except (GoodneighborError, OSError) as error:
        swept.stayed.append((f"worktree {each.path}", str(error)))
        return
    swept.removed.append(each)
    swept.rescued += removed.rescued
    swept.deltas += removed.deltas
    reached("sweep: worktree away")


def _sweep_half_made(store: Path, swept: Swept, *, dry_run: bool) -> None:
    """Take away what was to be a lease or a record: nothing of it had begun."""
    for file in lease.half_made(store / lease.FOLDER):
        swept.files.append(file)
        if not dry_run:
            lease.sweep_half_made(file)
    torn = list((store / intent.FOLDER).glob(f"{worktree.KIND}-*.new"))
    if torn and not dry_run:
        with WorktreeLock(store):
            torn = [file for file in torn if file.exists()]
            intent.pending(store, worktree.KIND)
    swept.files += torn
    for each in worktree.all_of(store):
        admin = worktree.admin_folder(store.parent, each)
        if admin is not None and any(admin.glob(f"{unsaved.INDEX_BESIDE}*")):
            _sweep_copies(store, each, admin, swept, dry_run=dry_run)


def _sweep_copies(store: Path, each: Worktree, admin: Path, swept: Swept, *, dry_run: bool) -> None:
    """Take away copies of an index, unless a living process looks through them."""
    with WorktreeLock(store):
        claim = Claim(each.record)
        if not claim.take():
            return
        try:
            found = sorted(admin.glob(f"{unsaved.INDEX_BESIDE}*"))
            swept.files += found if dry_run else unsaved.sweep_copies(admin)
        finally:
            claim.release()


def _sweep_locks(common: Path, swept: Swept, *, dry_run: bool) -> None:
    """Take away the locks of refs of ours that a git left which was killed while it wrote them.

    A living git holds one for some milliseconds; it goes when it stays the same for seconds.
    """
    for folder in _REFS:
        for lock in sorted((common / folder).rglob("*.lock")):
            swept.files.append(lock)
            if not dry_run:
                refs.free(common, lock.relative_to(common).as_posix().removesuffix(".lock"))


def _sweep_trash(store: Path, swept: Swept, *, dry_run: bool, is_thorough: bool) -> None:
    lying = trash.look(store)
    swept.trash = len(lying)
    if dry_run or not lying:
        return
    if is_thorough:
        swept.stayed += [(str(path), "it cannot be deleted") for path in trash.empty(store)]
    else:
        trash.empty_later(store)
