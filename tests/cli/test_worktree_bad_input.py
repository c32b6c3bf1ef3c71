"""Names, templates, places and disks that are not as they should be: refused, nothing left over."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from goodneighbor.cli.place import find
from goodneighbor.cli.worktree_add import add
from goodneighbor.cli.worktree_settings import settings

from .. import fleet
from .commit_site import git
from .conftest import Neighbor
from .worktree_site import path_of, settled, store_folder, take_in


@pytest.fixture
def repo(site: Path, neighbor: Neighbor) -> Path:
    take_in(site, neighbor, fleet.RULES)
    return site


@pytest.mark.parametrize(
    "stream",
    ["../x", "a/b", "-x", "..", "a..b", "x.lock", "x.", "", "a" * 65, "a\nb", "a\x1b[31m", "ü",
     "git", "Store", "a b", "$(id)", ".hidden", "~root"],
)  # fmt: skip
def test_a_name_no_stream_can_have_is_refused(stream: str, repo: Path, neighbor: Neighbor) -> None:
    said = neighbor("worktree", "add", "--", stream, code=3).err
    assert "no stream can have" in said
    assert "\x1b" not in said
    assert settled(repo) == []


TEMPLATES = {
    "path leaves the folder": 'path = "../../{stream}"',
    "path leaves by a field": 'path = "../{stream}/../../x"',
    "path is absolute": 'path = "/tmp/{stream}"',
    "path starts with a dash": 'path = "-{stream}"',
    "path starts at home": 'path = "~/{stream}"',
    "path lies in .git": 'path = ".git/{stream}"',
    "path lies in .git by case": 'path = ".GIT/trees/{stream}"',
    "path is the main tree": 'path = "../site/{stream}/.."',
    "path holds the main tree": 'path = "../{stream}/.."',
    "path lacks the stream": 'path = "../trees/{frame}"',
    "path names an unknown field": 'path = "../trees/{stream}-{pid}"',
    "path has a brace too many": 'path = "../trees/{{stream}"',
    "path holds a control character": 'path = "../trees/\\u0007{stream}"',
    "path has a part that is too long": f'path = "../{"x" * 250}{{stream}}"',
    "path is too long": f'path = "../{"x/" * 600}{{stream}}"',
    "branch starts with a dash": 'branch = "-{stream}"',
    "branch is none": 'branch = "dc/{stream}..{frame}"',
    "branch is our own": 'branch = "goodneighbor/{stream}"',
    "branch lacks the stream": 'branch = "dc/frame-{frame}"',
    "branch ends in lock": 'branch = "dc/{stream}.lock"',
    "copy holds a newline": 'copy = ["a\\nb"]',
    "a cap of nothing": "max_files = 0",
    "an unknown key": "copi = []",
}


@pytest.mark.parametrize("what", TEMPLATES)
def test_a_template_that_leads_astray_is_refused(what: str, repo: Path, neighbor: Neighbor) -> None:
    (repo / "neighbor.toml").write_text(f"{fleet.RULES}\n[worktree]\n{TEMPLATES[what]}\n")
    said = neighbor("worktree", "add", "stream-1", code=3).err
    assert said.startswith("neighbor.toml")
    assert settled(repo) == []


def test_a_way_through_a_symlink_is_refused(repo: Path, neighbor: Neighbor, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    (repo.parent / "site.worktrees").symlink_to(outside)
    assert "leads out of" in neighbor("worktree", "add", "ada", code=3).err
    assert list(outside.iterdir()) == []


def test_names_that_differ_by_case_alone_are_one_stream(repo: Path, neighbor: Neighbor) -> None:
    neighbor("worktree", "add", "Ada")
    assert "stream 'Ada' has the worktree" in neighbor("worktree", "add", "aDA", code=3).err
    neighbor("worktree", "remove", "ADA")
    assert settled(repo) == []


@pytest.mark.parametrize("kind", ["file", "folder", "dangling symlink"])
def test_a_path_that_exists_is_left_as_it_is(kind: str, repo: Path, neighbor: Neighbor) -> None:
    path = path_of(repo, "ada")
    path.parent.mkdir()
    if kind == "file":
        path.write_text("mine")
    elif kind == "folder":
        path.mkdir()
        (path / "mine").write_text("mine")
    else:
        path.symlink_to("nowhere")
    assert "exists, and is no worktree of ours" in neighbor("worktree", "add", "ada", code=3).err
    assert os.path.lexists(path)
    assert settled(repo) == [str(path)]


def test_a_branch_that_exists_stays(repo: Path, neighbor: Neighbor) -> None:
    git(repo, "branch", "dc/ada/frame-1")
    assert "there is a branch dc/ada/frame-1" in neighbor("worktree", "add", "ada", code=3).err
    assert settled(repo) == ["refs/heads/dc/ada/frame-1"]


def test_a_branch_in_the_way_of_the_name_is_said_by_git(repo: Path, neighbor: Neighbor) -> None:
    git(repo, "branch", "dc")
    neighbor("worktree", "add", "ada", code=3)
    git(repo, "branch", "-D", "dc")
    assert settled(repo) == []


def test_two_streams_that_would_overlap_are_refused(repo: Path, neighbor: Neighbor) -> None:
    neighbor("worktree", "add", "ada", "--path", "../trees/one")
    said = neighbor("worktree", "add", "bob", "--path", "../trees/one/two", code=3).err
    assert "overlap" in said


def test_a_bare_repository_is_refused(
    repo: Path, neighbor: Neighbor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(repo, "clone", "-q", "--bare", str(repo), str(tmp_path / "bare"))
    monkeypatch.chdir(tmp_path / "bare")
    assert "neighbor init" in neighbor("worktree", "add", "ada", code=3).err
    (store_folder(repo)).rename(tmp_path / "bare" / "goodneighbor")
    assert "No main working tree" in neighbor("worktree", "add", "ada", code=3).err


def test_a_shallow_clone_works(
    repo: Path, neighbor: Neighbor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(repo, "clone", "-q", "--depth", "1", f"file://{repo}", str(tmp_path / "shallow"))
    monkeypatch.chdir(tmp_path / "shallow")
    neighbor("init")
    folder = Path(neighbor("worktree", "add", "ada", "--json").json["path"])
    (folder / "new.txt").write_text("new")
    git(folder, "add", "new.txt")
    git(folder, "commit", "-q", "-m", "Work")
    assert len(neighbor("worktree", "remove", "ada", "--json").json["rescued"]) == 1
    assert settled(tmp_path / "shallow") == []


def test_a_repository_with_submodules_works(repo: Path, neighbor: Neighbor, tmp_path: Path) -> None:
    git(repo, "init", "-q", str(tmp_path / "other"))
    git(tmp_path / "other", "commit", "-q", "--allow-empty", "-m", "Other")
    allow = ("-c", "protocol.file.allow=always")
    git(repo, *allow, "submodule", "add", "-q", str(tmp_path / "other"), "module")
    git(repo, "commit", "-q", "-m", "A submodule")
    neighbor("worktree", "add", "ada")
    assert list((path_of(repo, "ada") / "module").iterdir()) == []
    neighbor("worktree", "remove", "ada")
    assert settled(repo) == []
    neighbor("worktree", "add", "ada")
    git(path_of(repo, "ada"), *allow, "submodule", "--quiet", "update", "--init")
    neighbor("worktree", "remove", "ada")
    assert settled(repo) == []


@pytest.mark.parametrize("broken", ["false", "no-such-filter-program"])
def test_a_filter_that_is_missing_is_told_and_nothing_stays(
    broken: str, repo: Path, neighbor: Neighbor
) -> None:
    """As where a repository uses LFS, and git-lfs is not installed."""
    (repo / ".gitattributes").write_text("*.bin filter=large\n")
    (repo / "data.bin").write_text("pointer")
    git(repo, "add", "--all")
    git(repo, "commit", "-q", "-m", "A large file")
    git(repo, "config", "filter.large.smudge", broken)
    git(repo, "config", "filter.large.required", "true")
    assert "data.bin" in neighbor("worktree", "add", "ada", code=3).err
    assert settled(repo) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB beside the repository's."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"a full disk needs root, to mount one: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_is_full_in_mid_checkout_leaves_nothing(
    repo: Path, neighbor: Neighbor, small_disk: Path
) -> None:
    for number in range(8):
        (repo / f"large-{number}").write_bytes(os.urandom(2**20))
    git(repo, "add", "--all")
    git(repo, "commit", "-q", "-m", "More than fits")
    said = neighbor("worktree", "add", "ada", "--path", str(small_disk / "ada"), code=3).err
    assert "No space left on device" in said or "unable to write" in said
    assert settled(repo) == []
    assert list(small_disk.iterdir()) == []


def test_a_disk_that_is_full_in_mid_copy_leaves_nothing(
    repo: Path, neighbor: Neighbor, small_disk: Path
) -> None:
    for number in range(8):
        (repo / "state" / f"large-{number}").write_bytes(os.urandom(2**20))
    said = neighbor("worktree", "add", "ada", "--path", str(small_disk / "ada"), code=3).err
    assert "No space left on device" in said
    assert settled(repo) == []
    assert list(small_disk.iterdir()) == []


def test_a_worktree_on_another_disk_is_rescued_and_removed(
    repo: Path, neighbor: Neighbor, small_disk: Path
) -> None:
    folder = small_disk / "ada"
    neighbor("worktree", "add", "ada", "--path", str(folder))
    (folder / "README.md").write_text("edited")
    saved = neighbor("worktree", "remove", "ada", "--json").json["rescued"]
    assert len(saved) == 1
    assert settled(repo) == []
    assert list(small_disk.iterdir()) == []


def test_a_disk_too_full_to_save_the_work_keeps_the_worktree(
    site: Path, neighbor: Neighbor, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = small_disk / "clone"
    take_in(site, neighbor, fleet.RULES)
    git(site, "clone", "-q", str(site), str(clone))
    monkeypatch.chdir(clone)
    neighbor("init")
    neighbor("worktree", "add", "ada")
    folder = path_of(clone, "ada")
    work = os.urandom(2**19)
    (folder / "work.bin").write_bytes(work)
    with (small_disk / "filler").open("wb", buffering=0) as filler:
        try:
            while filler.write(b"x" * 4096):
                pass
        except OSError:
            pass
    neighbor("worktree", "remove", "ada", code=3)
    assert (folder / "work.bin").read_bytes() == work
    (small_disk / "filler").unlink()
    neighbor("worktree", "remove", "ada")
    assert settled(clone) == []


def test_a_repository_on_a_full_disk_is_as_it_was(
    site: Path, neighbor: Neighbor, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it becomes full: in the record, in git's folder, in the checkout, in a copy."""
    clone = small_disk / "clone"
    take_in(site, neighbor, fleet.RULES)
    (site / "large").write_bytes(os.urandom(2**19))
    git(site, "add", "large")
    git(site, "commit", "-q", "-m", "A large file")
    git(site, "clone", "-q", str(site), str(clone))
    monkeypatch.chdir(clone)
    neighbor("init")
    (clone / "state" / "own.json").write_bytes(os.urandom(2**18))
    for free_pages in (0, 1, 2, 4, 8, 16, 64, 150, 200):
        with (small_disk / "filler").open("wb", buffering=0) as filler:
            try:
                while filler.write(b"x" * 4096):
                    pass
            except OSError:
                pass
            filler.truncate(max(0, filler.tell() - 4096 * free_pages))
        said = neighbor("worktree", "add", "ada", code=3).err
        assert settled(clone) == [], f"{free_pages}: {said}"
        (small_disk / "filler").unlink()
    neighbor("worktree", "add", "ada")
    neighbor("worktree", "remove", "ada")
    assert settled(clone) == []


def test_a_parent_that_is_read_only_is_said(
    repo: Path, neighbor: Neighbor, small_disk: Path
) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    said = neighbor("worktree", "add", "ada", "--path", str(small_disk / "a" / "b"), code=3).err
    assert "Read-only file system" in said
    assert settled(repo) == []


def test_a_parent_that_is_a_file_is_said(repo: Path, neighbor: Neighbor) -> None:
    path_of(repo, "ada").parent.write_text("in the way")
    neighbor("worktree", "add", "ada", code=3)
    path_of(repo, "ada").parent.unlink()
    assert settled(repo) == []


def test_setup_that_fails_leaves_nothing_and_shows_its_last_lines(
    repo: Path, neighbor: Neighbor
) -> None:
    setup = "echo begun > half; echo what went wrong >&2; exit 7"
    said = neighbor("worktree", "add", "ada", "--setup", setup, code=3).err
    assert "exit code 7" in said and "what went wrong" in said
    assert settled(repo) == []


def test_the_api_refuses_what_the_command_does(repo: Path) -> None:
    where = find(str(repo))
    head = git(repo, "rev-parse", "HEAD").strip()
    with pytest.raises(Exception, match=r"not a valid|invalid reference"):
        add(where, "ada", 1, "0" * 40, settings(where))
    with pytest.raises(Exception, match="no stream can have"):
        add(where, "..", 1, head, settings(where))
    assert settled(repo) == []
