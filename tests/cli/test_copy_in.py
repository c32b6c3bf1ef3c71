"""What was written and not committed is in a new worktree; nothing else comes along (rule 4)."""

import os
import socket
import stat
import subprocess
from pathlib import Path

import pytest
from goodneighbor.cli import copy_in, worktree
from goodneighbor.cli.git import Git

from .. import fleet
from .commit_site import git
from .conftest import Neighbor
from .worktree_site import path_of, rescued, settled, take_in, worktrees

FILE = "state/stream_assignments.json"
WRITTEN = '{"stream-3": ["ada", "bob"]}'


@pytest.fixture
def repo(site: Path, neighbor: Neighbor) -> Path:
    """The site with the assignments of the last frame committed."""
    (site / FILE).write_text("{}")
    take_in(site, neighbor, fleet.RULES)
    return site


def under_rules(repo: Path, table: str) -> None:
    (repo / "neighbor.toml").write_text(f"{fleet.RULES}\n[worktree]\n{table}\n")


@pytest.mark.parametrize(
    "how", ["unstaged", "staged", "staged then changed", "untracked", "ignored"]
)
def test_a_file_written_but_not_committed_is_seen(how: str, repo: Path, neighbor: Neighbor) -> None:
    """The accident of frame 406: a stream found the assignments of the commit, and none for it."""
    path = FILE
    if how in ("untracked", "ignored"):
        path = "state/new/assignments.json"
        (repo / "state" / "new").mkdir()
    if how == "ignored":
        (repo / ".git" / "info" / "exclude").write_text("new/\n")
    if how.startswith("staged"):
        (repo / path).write_text(WRITTEN if how == "staged" else "half")
        git(repo, "add", path)
    if how != "staged":
        (repo / path).write_text(WRITTEN)
    before = git(repo, "status", "--porcelain")
    copied = neighbor("worktree", "add", "stream-3", "--json").json["copied"]
    assert copied == [path]
    assert (path_of(repo, "stream-3") / path).read_text() == WRITTEN
    assert git(repo, "status", "--porcelain") == before


def test_an_include_file_speaks_as_gitignore_does(repo: Path, neighbor: Neighbor) -> None:
    under_rules(repo, "copy = []")
    lines = ["# local settings", "", "*.env", "!secret.env", "/config/*.json", "cache/"]
    (repo / ".worktreeinclude").write_text("\n".join(lines))
    for path in ("a.env", "deep/er/b.env", "secret.env", "config/c.json", "config/d/e.json",
                 "cache/f", "other.txt"):  # fmt: skip
        (repo / path).parent.mkdir(parents=True, exist_ok=True)
        (repo / path).write_text(path)
    copied = neighbor("worktree", "add", "ada", "--json").json["copied"]
    assert copied == ["a.env", "cache/f", "config/c.json", "deep/er/b.env"]


def test_deltas_are_not_copied_for_they_would_count_as_the_streams(
    repo: Path, neighbor: Neighbor
) -> None:
    (repo / "state" / "stream_deltas").mkdir()
    (repo / "state" / "stream_deltas" / "x.json").write_bytes(fleet.delta(1, "s1"))
    assert neighbor("worktree", "add", "ada", "--json").json["copied"] == []


def test_only_regular_files_come_and_the_rest_is_named(
    repo: Path, neighbor: Neighbor, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("not for streams")
    state = repo / "state"
    (state / "link.json").symlink_to(outside / "secret")
    (state / "folder").symlink_to(outside)
    os.mkfifo(state / "fifo.json")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(state / "socket.json"))
        added = neighbor("worktree", "add", "ada", "--json").json
    assert added["left"] == [
        {"path": "state/folder", "reason": "a symbolic link"},
        {"path": "state/link.json", "reason": "a symbolic link"},
    ]
    assert added["copied"] == []
    assert "secret" not in subprocess.check_output(["ls", "-R", added["path"]], text=True)


def test_a_symlink_that_the_commit_has_is_not_written_through(
    repo: Path, neighbor: Neighbor, tmp_path: Path
) -> None:
    """The main tree has a folder now where the commit has a link that leads out."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (repo / "state" / "way").symlink_to(outside)
    git(repo, "add", "state/way")
    git(repo, "commit", "-q", "-m", "A link")
    (repo / "state" / "way").unlink()
    (repo / "state" / "way").mkdir()
    (repo / "state" / "way" / "file.json").write_text("{}")
    said = neighbor("worktree", "add", "ada", code=3).err
    assert "behind a symbolic link in the commit" in said
    assert list(outside.iterdir()) == []
    assert settled(repo) == []


def test_a_file_takes_the_place_of_a_link_in_the_commit(
    repo: Path, neighbor: Neighbor, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    target.write_text("somebody else's")
    (repo / "state" / "link.json").symlink_to(target)
    git(repo, "add", "state/link.json")
    git(repo, "commit", "-q", "-m", "A link")
    (repo / "state" / "link.json").unlink()
    (repo / "state" / "link.json").write_text("ours")
    neighbor("worktree", "add", "ada")
    assert (path_of(repo, "ada") / "state" / "link.json").read_text() == "ours"
    assert target.read_text() == "somebody else's"


@pytest.mark.parametrize(
    ("table", "said"), [("max_files = 2", "2 files"), ("max_bytes = 5", "5 bytes")]
)
def test_more_than_the_caps_is_refused_and_said(
    table: str, said: str, repo: Path, neighbor: Neighbor
) -> None:
    under_rules(repo, table)
    for name in "abc":
        (repo / "state" / f"{name}.json").write_text("{ }")
    assert said in neighbor("worktree", "add", "ada", code=3).err
    assert settled(repo) == []


def test_modes_and_odd_names_come_along(repo: Path, neighbor: Neighbor) -> None:
    names = [
        "a b.json",
        "quote'\".json",
        "new\nline.json",
        os.fsdecode(b"not-utf8-\xff.json"),
        "ü.json",
    ]
    for name in names:
        (repo / "state" / name).write_text(name, errors="surrogateescape")
        (repo / "state" / name).chmod(0o750)
    neighbor("worktree", "add", "ada")
    for name in names:
        copied = path_of(repo, "ada") / "state" / name
        assert copied.read_text(errors="surrogateescape") == name
        assert stat.S_IMODE(copied.stat().st_mode) == 0o750
    neighbor("worktree", "remove", "ada")
    assert rescued(repo) == []


def test_a_copy_that_changed_is_work_and_one_that_did_not_is_none(
    repo: Path, neighbor: Neighbor
) -> None:
    for name in ("kept", "changed", "deleted"):
        (repo / "state" / f"{name}.json").write_text(name)
    (repo / FILE).write_text(WRITTEN)
    neighbor("worktree", "add", "ada")
    folder = path_of(repo, "ada")
    (folder / "state" / "changed.json").write_text("by the stream")
    (folder / "state" / "deleted.json").unlink()
    neighbor("worktree", "remove", "ada")
    (ref,) = rescued(repo)
    changed = git(repo, "diff-tree", "-r", "--name-only", f"{ref}^1", ref).split()
    assert changed == ["state/changed.json"]


def test_blocks_are_shared_where_the_disk_can(tmp_path: Path, neighbor: Neighbor) -> None:
    """Here it may or may not; the bytes are the same either way."""
    source, tree, admin = (tmp_path / name for name in ("source", "tree", "admin"))
    for folder in (source, tree, admin):
        folder.mkdir()
    (source / "large").write_bytes(os.urandom(3 * copy_in.READ_BYTES + 17))
    copy_in.copy(source, tree, copy_in.Listed(("large",), (), 0), admin)
    assert (tree / "large").read_bytes() == (source / "large").read_bytes()
    assert copy_in.changed_since(admin, tree, ["large", "other"]) == ["other"]


def test_a_copy_that_was_being_written_is_no_work(repo: Path, neighbor: Neighbor) -> None:
    neighbor("worktree", "add", "ada")
    (path_of(repo, "ada") / f"{copy_in.BESIDE}0123").write_text("half")
    neighbor("worktree", "remove", "ada")
    assert rescued(repo) == []


def test_nothing_listed_starts_no_git(tmp_path: Path) -> None:
    assert copy_in.uncommitted(Git(tmp_path / "nowhere"), ["", "# a comment"]) == []


def test_what_is_noted_is_gone_with_the_worktree(repo: Path, neighbor: Neighbor) -> None:
    (repo / FILE).write_text(WRITTEN)
    neighbor("worktree", "add", "ada")
    admin = worktree.admin_folder(repo / ".git", worktrees(repo)[0])
    assert admin is not None
    assert (admin / copy_in.COPIED_FILE).is_file()
    neighbor("worktree", "remove", "ada")
    assert not admin.exists()
