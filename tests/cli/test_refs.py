"""A power cut between git's flush of a lock and its rename leaves the lock: exports go on.

`tests/faults/power_cuts.py` found each of these; here they are laid by hand.
"""

from pathlib import Path

import pytest
from goodneighbor.cli import log_branch, refs, settle
from goodneighbor.cli.commit import SCRATCH, Order, commit
from goodneighbor.cli.errors import BranchMoves
from goodneighbor.cli.git import Git
from goodneighbor.cli.place import find
from goodneighbor.store import Store

from .commit_site import agree, fold, git, take_in
from .conftest import Neighbor

MAIN = "refs/heads/main"


@pytest.fixture
def store(site: Path, neighbor: Neighbor, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The site taken in, frame 1 has folded; a lock that says nothing is soon taken for dead."""
    monkeypatch.setattr(refs, "WAIT_S", 0.2)
    store = take_in(site, neighbor)
    fold(store, 1)
    return store


def lay(site: Path, ref: str, holds: str) -> Path:
    lock = site / ".git" / f"{ref}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text(f"{holds}\n" if holds else "")
    return lock


def die_moving_to(site: Path, store: Store, new: str) -> None:
    """Leave what an export that died before it moved the branch leaves besides locks."""
    old = git(site, "rev-parse", MAIN).strip()
    settle.begin(store.folder, "main", (old, new), [], "goodneighbor dead", [])


def test_locks_of_a_dead_export_are_taken_away(site: Path, store: Store) -> None:
    new = git(site, "commit-tree", "-m", "of the dead", "-p", MAIN, f"{MAIN}^{{tree}}").strip()
    die_moving_to(site, store, new)
    for ref in (MAIN, f"{refs.EXPORTED}/main"):
        lay(site, ref, new)
    lay(site, "HEAD", "")
    assert commit(find(str(site)), store, "main", Order()).commit is not None
    agree(site, store, tree=site)


def test_a_dead_lock_of_the_log_is_taken_away(site: Path, store: Store) -> None:
    lay(site, log_branch.REF, git(site, "rev-parse", MAIN).strip())
    assert commit(find(str(site)), store, "main", Order()).log_tip is not None


def test_a_dead_lock_of_our_private_index_is_taken_away(site: Path, store: Store) -> None:
    (store.folder / f"{SCRATCH}.lock").write_bytes(b"")
    assert commit(find(str(site)), store, "main", Order()).commit is not None


def test_the_lock_of_somebody_at_work_stays(site: Path, store: Store) -> None:
    theirs = git(site, "rev-parse", MAIN).strip()
    die_moving_to(site, store, git(site, "rev-parse", f"{MAIN}^").strip())
    lock = lay(site, MAIN, theirs)
    with pytest.raises(BranchMoves):
        commit(find(str(site)), store, "main", Order())
    assert lock.read_text() == f"{theirs}\n"


def test_the_empty_tree_is_no_object_that_a_power_cut_could_empty(site: Path) -> None:
    empty = Git(site).empty_tree()
    assert not (site / ".git" / "objects" / empty[:2] / empty[2:]).exists()
    assert git(site, "diff-tree", "-r", "--name-only", empty, MAIN)
