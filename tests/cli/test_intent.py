"""What an export left half done is finished or undone, and a person's bytes are saved first."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from goodneighbor.cli import intent
from goodneighbor.cli.commit import Order, commit
from goodneighbor.cli.commit_lock import CommitLock
from goodneighbor.cli.errors import TreeBusy
from goodneighbor.cli.place import find
from goodneighbor.store import Store, StoreBusy, step

from .. import fleet
from .commit_site import RULES, agree, fold, git, store_of, take_in
from .conftest import Neighbor

AGENTS = "state/agents.json"
EDIT = "a person wrote this\n"


class Died(BaseException):
    """Stands for a kill: nothing after it runs but what a dead process cannot do."""


@pytest.fixture
def store(site: Path, neighbor: Neighbor) -> Store:
    """The site taken in; frame 1 is committed, frame 2 has folded."""
    store = take_in(site, neighbor)
    fold(store, 1)
    commit(find(str(site)), store, "main", Order())
    fold(store, 2)
    return store


@pytest.fixture
def die_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Begin an export and leave it as a process leaves it that is killed at a step."""

    def dies(where: str) -> None:
        def kills(name: str) -> None:
            if name == where:
                raise Died

        step.watch(kills)
        with monkeypatch.context() as patched:
            patched.setattr("goodneighbor.cli.settle.settle_one", lambda *_: [])
            with pytest.raises(Died):
                commit(find("."), find(".").open_store(), "main", Order())
        step.watch(None)

    return dies


def export(site: Path) -> tuple[str, ...]:
    """Run the next command; return the refs under which it saved something."""
    return commit(find(str(site)), find(str(site)).open_store(), "main", Order()).rescued


def test_an_intent_comes_back_as_it_was_written(tmp_path: Path) -> None:
    written = intent.write(tmp_path, "export", {"branch": "main", "paths": ["a b\n"]})
    assert intent.pending(tmp_path, "export") == [written]
    assert intent.pending(tmp_path, "worktree") == []
    intent.remove(written)
    assert intent.pending(tmp_path, "export") == []


def test_half_an_intent_is_none(tmp_path: Path) -> None:
    intent.write(tmp_path, "export", {})
    half = tmp_path / "intents" / "export-half.new"
    half.write_bytes(b'{"kind": "ex')
    assert len(intent.pending(tmp_path, "export")) == 1
    assert not half.exists()


def test_a_file_that_git_was_writing_is_finished(
    site: Path, store: Store, die_at: Callable[[str], None]
) -> None:
    die_at("commit: branch moved")
    data = (site / AGENTS).read_bytes()
    (site / AGENTS).write_bytes(data[: len(data) // 2])
    (site / "state" / "stats.json").unlink()
    assert export(site) == ()
    agree(site, store, tree=site)


def test_a_file_that_git_was_writing_goes_back_where_the_branch_had_not_moved(
    site: Path, store: Store, die_at: Callable[[str], None]
) -> None:
    before = git(site, "show", f"main:{AGENTS}")
    die_at("commit: tree moved")
    data = (site / AGENTS).read_bytes()
    (site / AGENTS).write_bytes(data[: len(data) // 2])
    seen: list[str] = []

    def looks(name: str) -> None:
        if name == "settle: intent away":
            seen.append((site / AGENTS).read_text())

    step.watch(looks)
    assert export(site) == ()
    step.watch(None)
    assert seen == [before]
    agree(site, store, tree=site)


def test_bytes_that_a_person_wrote_meanwhile_are_saved_first(
    site: Path, store: Store, die_at: Callable[[str], None]
) -> None:
    die_at("commit: branch moved")
    (site / AGENTS).write_text(EDIT)
    (ref,) = export(site)
    assert git(site, "show", f"{ref}:{AGENTS}") == EDIT
    agree(site, store, tree=site)


def test_what_a_person_staged_after_taking_our_lock_away_stays_staged(
    site: Path, store: Store, die_at: Callable[[str], None]
) -> None:
    """git tells people to remove index.lock when no git runs, and none does."""
    die_at("commit: index locked")
    (site / ".git" / "index.lock").unlink()
    (site / "README.md").write_text(EDIT)
    git(site, "add", "README.md")
    assert export(site) == ()
    assert git(site, "diff", "--cached", "--name-only") == "README.md\n"
    agree(site, store, tree=site)


def test_a_persons_commit_after_taking_our_lock_away_is_built_upon(
    site: Path, store: Store, die_at: Callable[[str], None]
) -> None:
    die_at("commit: branch moved")
    (site / ".git" / "index.lock").unlink()
    (site / "README.md").write_text(EDIT)
    git(site, "commit", "--quiet", "--only", "--message", "a person's", "README.md")
    export(site)
    agree(site, store, tree=site)
    assert "a person's" in git(site, "log", "--format=%s", "main")
    assert git(site, "status", "--porcelain") == ""


def test_another_gits_lock_is_left_and_the_intent_stays(
    site: Path, store: Store, die_at: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    die_at("commit: branch moved")
    lock = site / ".git" / "index.lock"
    lock.unlink()
    lock.write_bytes(b"DIRC")
    monkeypatch.setattr("goodneighbor.cli.checked_out.WAIT_S", 0.1)
    with pytest.raises(TreeBusy):
        export(site)
    assert lock.read_bytes() == b"DIRC"
    assert len(os.listdir(store.folder / "intents")) == 1
    lock.unlink()
    export(site)
    agree(site, store, tree=site)


def test_a_worktree_that_is_gone_does_not_hold_anything_up(
    site: Path, store: Store, die_at: Callable[[str], None]
) -> None:
    git(site, "switch", "--quiet", "--detach")
    linked = site.parent / "linked"
    git(site, "worktree", "add", "--quiet", str(linked), "main")
    die_at("commit: tree moved")
    git(site, "worktree", "remove", "--force", str(linked))
    export(site)
    agree(site, store)
    assert os.listdir(store.folder / "intents") == []


def test_settling_twice_changes_nothing_more(
    site: Path, store: Store, die_at: Callable[[str], None]
) -> None:
    die_at("commit: index replaced")
    file = next((store.folder / "intents").iterdir())
    kept = file.read_bytes()
    export(site)
    before = git(site, "rev-parse", "main"), git(site, "status", "--porcelain")
    file.write_bytes(kept)
    export(site)
    assert (git(site, "rev-parse", "main"), git(site, "status", "--porcelain")) == before
    agree(site, store, tree=site)


@pytest.mark.parametrize("words", [("export",), ("frame", "close", "3"), ("export", "--commit")])
def test_any_command_that_exports_settles_first(
    site: Path,
    store: Store,
    neighbor: Neighbor,
    die_at: Callable[[str], None],
    words: tuple[str, ...],
) -> None:
    die_at("commit: branch moved")
    neighbor(*words)
    assert not (site / ".git" / "index.lock").exists()
    assert os.listdir(store.folder / "intents") == []
    git(site, "commit", "--quiet", "--allow-empty", "--message", "a person can go on")


def test_a_git_that_outlives_us_still_holds_the_commit_lock(site: Path, store: Store) -> None:
    """Nobody may settle what an orphaned git is still writing."""
    script = """
import os, signal, sys, threading
from pathlib import Path
from goodneighbor.cli.commit_lock import CommitLock
from goodneighbor.cli.git import Git
site = Path(sys.argv[1])
with CommitLock(site / ".git" / "goodneighbor") as lock:
    git = Git(site, (lock.descriptor,))
    threading.Thread(target=lambda: git.call(
        "-c", "alias.wait=!echo $$ > pid; exec sleep 60", "wait")).start()
    while not (site / "pid").exists() or not (site / "pid").read_text():
        pass
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", script, str(site)], check=False)
    assert done.returncode == -signal.SIGKILL
    with pytest.raises(StoreBusy), CommitLock(store.folder, wait_s=0):
        pass
    os.kill(int((site / "pid").read_text()), signal.SIGKILL)
    with CommitLock(store.folder):
        pass


def test_files_that_lay_there_before_git_knew_of_them_stay(
    repository: Path,
    neighbor: Neighbor,
    die_at: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a branch without a commit, going back must not take the documents away."""
    (repository / "state").mkdir()
    for name, data in fleet.BASE.items():
        (repository / "state" / f"{name}.json").write_bytes(data)
    (repository / "neighbor.toml").write_text(RULES)
    monkeypatch.chdir(repository)
    neighbor("init")
    fold(store_of(repository), 1)
    die_at("commit: tree moved")
    (repository / "README.md").write_text("a person's first commit\n")
    neighbor("export")  # settles, and writes files
    for name in fleet.BASE:
        assert (repository / "state" / f"{name}.json").is_file()
    assert git(repository, "diff", "--cached", "--name-only") == ""
    neighbor("export", "--commit")
    agree(repository, store_of(repository), tree=repository)
