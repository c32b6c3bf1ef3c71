"""A push takes others' commits in and forces nothing; an export is built again where it must be."""

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from goodneighbor.cli.commit import Order, commit
from goodneighbor.cli.errors import BranchMoves, PushRefused
from goodneighbor.cli.place import find
from goodneighbor.cli.push import push
from goodneighbor.store import Store, step

from .commit_site import agree, fold, git, take_in
from .conftest import Neighbor

LOG = "goodneighbor/log"


@pytest.fixture
def origin(site: Path, tmp_path: Path) -> Path:
    """A bare repository that the site knows as origin."""
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", "origin.git")
    git(site, "remote", "add", "origin", "../origin.git")
    return tmp_path / "origin.git"


@pytest.fixture
def store(site: Path, origin: Path, neighbor: Neighbor) -> Store:
    """The site taken in, its first frame pushed."""
    store = take_in(site, neighbor)
    fold(store, 1)
    neighbor("export", "--push")
    return store


@pytest.fixture
def other(store: Store, origin: Path, tmp_path: Path) -> Path:
    """Somebody else's clone of it."""
    git(tmp_path, "clone", "--quiet", str(origin), "other")
    return tmp_path / "other"


def somebody_pushes(other: Path, path: str, text: str) -> str:
    """Have somebody else push a change of one file; return the commit."""
    git(other, "pull", "--quiet", "--rebase")
    (other / path).write_text(text)
    git(other, "add", path)
    git(other, "commit", "--quiet", "--message", f"change {path}")
    git(other, "push", "--quiet", "origin", "main")
    return git(other, "rev-parse", "HEAD").strip()


def sent(site: Path, **order: bool) -> str | None:
    """Push from the site; return the tip."""
    return push(find(str(site)), find(str(site)).open_store(), "main", Order(), "origin").tip


def tips(folder: Path) -> list[str]:
    return git(folder, "rev-parse", "main", LOG).split()


def test_branch_and_log_come_to_the_remote_together(site: Path, store: Store, origin: Path) -> None:
    assert tips(origin) == tips(site)
    assert git(site, "rev-parse", "origin/main").strip() == tips(site)[0]
    fold(store, 2)
    sent(site)
    assert tips(origin) == tips(site)


def test_an_export_is_built_again_on_what_others_pushed(
    site: Path, store: Store, origin: Path, other: Path
) -> None:
    theirs = somebody_pushes(other, "other.txt", "theirs\n")
    (site / "README.md").write_text("a person's, not staged\n")
    for frame in (2, 3):
        fold(store, frame)
        commit(find(str(site)), store, "main", Order())
    sent(site)
    assert tips(origin) == tips(site)
    history = git(site, "log", "--format=%H %s", "main").splitlines()
    assert history[0].endswith("frame 3: 1 stream, 2 units in")  # one export for both frames
    assert history[1].split()[0] == theirs
    agree(site, store, tree=site)
    assert (site / "other.txt").read_text() == "theirs\n"
    assert git(site, "status", "--porcelain") == " M README.md\n"


def test_with_a_persons_unpushed_commits_the_tips_are_merged_and_none_is_lost(
    site: Path, store: Store, origin: Path, other: Path
) -> None:
    theirs = somebody_pushes(other, "other.txt", "theirs\n")
    (site / "mine.txt").write_text("mine\n")
    git(site, "add", "mine.txt")
    git(site, "commit", "--quiet", "--message", "mine")
    mine = git(site, "rev-parse", "HEAD").strip()
    fold(store, 2)
    sent(site)
    assert git(site, "rev-parse", "main^1", "main^2").split() == [mine, theirs]
    assert tips(origin) == tips(site)
    agree(site, store, tree=site)
    assert (site / "other.txt").read_text() == "theirs\n"
    assert git(site, "status", "--porcelain") == ""


def test_a_conflict_outside_the_documents_is_a_persons(
    site: Path, store: Store, origin: Path, other: Path
) -> None:
    somebody_pushes(other, "README.md", "theirs\n")
    (site / "README.md").write_text("mine\n")
    git(site, "commit", "--quiet", "--all", "--message", "mine")
    fold(store, 2)
    before = tips(origin), git(site, "rev-parse", "main")
    with pytest.raises(PushRefused, match=r"README\.md"):
        sent(site)
    assert (tips(origin), git(site, "rev-parse", "main")) == before
    assert (site / "README.md").read_text() == "mine\n"


def test_documents_that_both_sides_exported_do_not_conflict(
    site: Path, store: Store, origin: Path, other: Path
) -> None:
    """A person's commit lies between two exports of ours, and a clone merged an older one."""
    fold(store, 2)
    commit(find(str(site)), store, "main", Order())
    (site / "mine.txt").write_text("mine\n")
    git(site, "add", "mine.txt")
    git(site, "commit", "--quiet", "--message", "mine")
    somebody_pushes(other, "other.txt", "theirs\n")
    fold(store, 3)
    sent(site)
    assert tips(origin) == tips(site)
    agree(site, store, tree=site)


def test_others_who_are_faster_each_time_are_told_of(
    site: Path, store: Store, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("goodneighbor.cli.push.ATTEMPTS_MAX", 3)
    monkeypatch.setattr("goodneighbor.cli.push.PAUSE_S", 0.01)
    pushed: list[str] = []

    def races(name: str) -> None:
        if name == "push: fetched":
            pushed.append(somebody_pushes(other, "other.txt", f"{len(pushed)}\n"))

    fold(store, 2)
    step.watch(races)
    try:
        with pytest.raises(BranchMoves):
            sent(site)
    finally:
        step.watch(None)
    assert len(pushed) == 3
    sent(site)  # nothing is lost by it
    assert git(site, "log", "--format=%H", "main").split()[1:4] == pushed[::-1]
    agree(site, store, tree=site)


def test_no_lock_is_held_while_the_network_is_waited_for(site: Path, store: Store) -> None:
    fold(store, 2)
    exported: list[str] = []

    def looks(name: str) -> None:
        if name == "push: fetched" and not exported:
            exported.append(name)
            script = "import sys; from goodneighbor.cli.__main__ import main; sys.exit(main())"
            command = [sys.executable, "-c", script, "export", "--commit"]
            subprocess.run(command, cwd=site, check=True, capture_output=True, timeout=30)

    step.watch(looks)
    try:
        sent(site)
    finally:
        step.watch(None)
    assert exported
    agree(site, store, tree=site)


def test_an_export_that_is_not_newer_than_the_remotes_is_dropped(
    site: Path, store: Store, origin: Path
) -> None:
    """What we made here is behind what of ours is there already: it goes, and theirs stays."""
    old = git(site, "rev-parse", "main").strip()
    fold(store, 2)
    newest = sent(site)
    git(site, "reset", "--quiet", "--hard", old)
    assert sent(site) == newest
    assert tips(origin) == tips(site)
    agree(site, store, tree=site)


def test_what_a_remotes_hook_declines_is_told_in_its_words(
    site: Path, store: Store, origin: Path, neighbor: Neighbor
) -> None:
    hook = origin / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'not on a Sunday' >&2\nexit 1\n")
    hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    before = tips(origin)
    fold(store, 2)
    refused = neighbor("export", "--push", code=3)
    assert "not on a Sunday" in refused.err
    assert tips(origin) == before
    hook.unlink()
    neighbor("export", "--push")
    assert tips(origin) == tips(site)


def test_another_remote_can_be_named(
    site: Path, store: Store, tmp_path: Path, neighbor: Neighbor
) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", "second.git")
    told = neighbor("export", "--json", "--push", str(tmp_path / "second.git")).json
    assert told["pushed"] == str(tmp_path / "second.git")
    assert tips(tmp_path / "second.git") == tips(site)


def test_a_branch_that_is_checked_out_nowhere_is_pushed_as_well(
    site: Path, store: Store, origin: Path, other: Path
) -> None:
    somebody_pushes(other, "other.txt", "theirs\n")
    git(site, "switch", "--quiet", "--detach")
    fold(store, 2)
    sent(site)
    assert tips(origin) == tips(site)
    assert not (site / "other.txt").exists()
    stats = json.loads(git(site, "show", "main:state/stats.json"))
    assert stats == {"total_posts": 2}


def test_a_revert_on_the_remote_is_a_persons_decision(
    site: Path, store: Store, other: Path, neighbor: Neighbor
) -> None:
    fold(store, 2)
    sent(site)
    git(other, "pull", "--quiet")
    git(other, "revert", "--no-edit", "HEAD")
    git(other, "push", "--quiet", "origin", "main")
    fold(store, 3)
    refused = neighbor("export", "--push", code=3)
    assert "--forward" in refused.err
    neighbor("export", "--push", "--forward")
    agree(site, store, tree=site)
