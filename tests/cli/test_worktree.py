"""A worktree is made whole or not at all, listed as it stands, and nothing in it is lost."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from goodneighbor.cli import worktree, worktree_deltas
from goodneighbor.cli.errors import WorktreeHeld, WorktreeRefused
from goodneighbor.cli.lease import FOLDER, Lease
from goodneighbor.cli.place import find
from goodneighbor.cli.worktree_add import add
from goodneighbor.cli.worktree_remove import remove
from goodneighbor.cli.worktree_settings import settings
from goodneighbor.store import Store

from .. import fleet
from .commit_site import git
from .conftest import Neighbor
from .worktree_site import path_of, rescued, settled, store_folder, take_in, worktrees


@pytest.fixture
def repo(site: Path, neighbor: Neighbor) -> Path:
    """The site with its rules committed, in a folder of its own."""
    take_in(site, neighbor, fleet.RULES)
    return site


def made(neighbor: Neighbor, stream: str, *words: str) -> Path:
    """Make a worktree; return its folder."""
    return Path(neighbor("worktree", "add", stream, *words, "--json").json["path"])


def listed(neighbor: Neighbor) -> dict[str, dict[str, Any]]:
    rows = neighbor("worktree", "list", "--json").json["worktrees"]
    return {row["stream"]: row for row in rows}


def test_a_worktree_is_on_a_branch_of_its_own_and_main_stays(
    repo: Path, neighbor: Neighbor
) -> None:
    before = git(repo, "rev-parse", "HEAD", "--abbrev-ref", "HEAD")
    folder = made(neighbor, "ada", "--frame", "7")
    assert folder == path_of(repo, "ada")
    assert git(folder, "branch", "--show-current") == "dc/ada/frame-7\n"
    assert git(folder, "status", "--porcelain") == ""
    assert git(repo, "rev-parse", "HEAD", "--abbrev-ref", "HEAD") == before
    assert git(repo, "status", "--porcelain") == ""


def test_the_frame_is_the_environments_the_open_one_or_the_next(
    repo: Path, neighbor: Neighbor, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(neighbor, "a")
    neighbor("frame", "open", "12")
    made(neighbor, "b")
    monkeypatch.setenv("NEIGHBOR_FRAME", "20")
    made(neighbor, "c")
    assert {each.stream: each.frame for each in worktrees(repo)} == {"a": 1, "b": 12, "c": 20}


def test_a_worktree_begins_where_it_is_told(repo: Path, neighbor: Neighbor) -> None:
    first = git(repo, "rev-list", "--max-parents=0", "HEAD").strip()
    folder = made(neighbor, "ada", "--from", first)
    assert git(folder, "rev-parse", "HEAD").strip() == first
    neighbor("worktree", "add", "bob", "--from", "--upload-pack=x", code=2)
    neighbor("worktree", "add", "bob", "--from", "no-such", code=2)


def test_removing_takes_everything_away(repo: Path, neighbor: Neighbor) -> None:
    made(neighbor, "ada")
    neighbor("worktree", "remove", "ada")
    assert settled(repo) == []
    assert rescued(repo) == []
    assert git(repo, "worktree", "list").count("\n") == 1
    neighbor("worktree", "remove", "ada", code=1)


def test_gits_own_remove_and_prune_keep_their_hands_off(repo: Path, neighbor: Neighbor) -> None:
    """They delete ignored files and unpushed commits without a word."""
    folder = made(neighbor, "ada")
    done = subprocess.run(
        ["git", "worktree", "remove", "--force", folder], cwd=repo, capture_output=True, text=True
    )  # fmt: skip
    assert done.returncode != 0
    assert "neighbor worktree remove ada" in done.stderr
    git(repo, "worktree", "prune", "--expire=now")
    assert (folder / "README.md").is_file()


WORK: dict[str, Callable[[Path], object]] = {
    "an edit": lambda tree: (tree / "README.md").write_text("edited"),
    "a staged edit": lambda tree: stage(tree, "README.md", "staged"),
    "a new file": lambda tree: (tree / "new.txt").write_text("new"),
    "a file added and staged": lambda tree: stage(tree, "added.txt", "added"),
    "a deleted file": lambda tree: (tree / "README.md").unlink(),
    "a folder where a file was": lambda tree: swap(tree),
    "a symlink": lambda tree: (tree / "link").symlink_to("README.md"),
    "a listed file that git ignores": lambda tree: (tree / "state" / "own.json").write_text("{}"),
    "a commit": lambda tree: commit(tree),
    "a commit on no branch": lambda tree: detached(tree),
    "an edit behind a lock that a dead git left": lambda tree: lock(tree),
    "an edit in a tree whose .git is gone": lambda tree: unlink_git(tree),
    "a merge that stopped": lambda tree: conflict(tree),
}


def stage(tree: Path, name: str, text: str) -> None:
    (tree / name).write_text(text)
    git(tree, "add", name)


def swap(tree: Path) -> None:
    (tree / "README.md").unlink()
    (tree / "README.md").mkdir()
    (tree / "README.md" / "inside.txt").write_text("inside")


def commit(tree: Path) -> None:
    (tree / "committed.txt").write_text("committed")
    git(tree, "add", "committed.txt")
    git(tree, "commit", "-q", "-m", "Work")


def detached(tree: Path) -> None:
    git(tree, "checkout", "-q", "--detach")
    commit(tree)


def lock(tree: Path) -> None:
    (tree / "README.md").write_text("edited")
    folder = git(tree, "rev-parse", "--absolute-git-dir").strip()
    Path(folder, "index.lock").write_text("")


def unlink_git(tree: Path) -> None:
    (tree / "README.md").write_text("edited")
    (tree / ".git").unlink()


def conflict(tree: Path) -> None:
    start = git(tree, "rev-parse", "HEAD").strip()
    stage(tree, "README.md", "theirs\n")
    git(tree, "commit", "-q", "-m", "Theirs")
    git(tree, "branch", "theirs")
    git(tree, "reset", "-q", "--hard", start)
    stage(tree, "README.md", "ours\n")
    git(tree, "commit", "-q", "-m", "Ours")
    git(tree, "merge", "theirs", code=1)


def contents(tree: Path) -> dict[str, str]:
    return {
        path.relative_to(tree).as_posix(): "->" if path.is_symlink() else path.read_text()
        for path in tree.rglob("*")
        if not path.is_dir() and path.parts[len(tree.parts)] not in (".git", ".goodneighbor")
    }


@pytest.mark.parametrize("what", WORK)
def test_unsaved_work_is_saved_and_restored_as_it_was(
    what: str, repo: Path, neighbor: Neighbor
) -> None:
    (repo / ".git" / "info" / "exclude").write_text("own.json\n")
    folder = made(neighbor, "ada")
    WORK[what](folder)
    is_broken = not (folder / ".git").exists()
    head = "" if is_broken else git(folder, "rev-parse", "HEAD")
    status = "" if is_broken else git(folder, "status", "--porcelain")
    before = contents(folder)
    saved = neighbor("worktree", "remove", "ada", "--json").json["rescued"]
    assert saved == rescued(repo) and len(saved) == 1
    neighbor("rescue", "restore", saved[0], "--json")
    assert contents(folder) == before
    if not is_broken:
        assert git(folder, "rev-parse", "HEAD") == head
        assert what == "a merge that stopped" or git(folder, "status", "--porcelain") == status
    neighbor("worktree", "remove", "ada", "--discard")
    neighbor("rescue", "drop", saved[0].removeprefix("refs/goodneighbor/rescue/"))
    assert settled(repo) == rescued(repo) == []


def test_what_is_discarded_is_named(repo: Path, neighbor: Neighbor) -> None:
    folder = made(neighbor, "ada")
    commit(folder)
    stage(folder, "staged.txt", "staged")
    (folder / "README.md").write_text("edited")
    tip = git(folder, "rev-parse", "HEAD").strip()
    gone = neighbor("worktree", "remove", "ada", "--discard", "--json").json["discarded"]
    assert gone == ["README.md", "staged.txt", f"commit {tip}"]
    assert rescued(repo) == []


def test_pushed_commits_and_files_of_no_pattern_are_not_rescued(
    repo: Path, neighbor: Neighbor, tmp_path: Path
) -> None:
    git(repo, "init", "-q", "--bare", str(tmp_path / "remote"))
    git(repo, "remote", "add", "origin", str(tmp_path / "remote"))
    (repo / ".git" / "info" / "exclude").write_text("built/\n")
    folder = made(neighbor, "ada")
    commit(folder)
    git(folder, "push", "-q", "-u", "origin", "HEAD")
    (folder / "built").mkdir()
    (folder / "built" / "out.o").write_text("made again in no time")
    neighbor("worktree", "remove", "ada")
    assert rescued(repo) == []
    assert settled(repo) == []
    assert "branch" not in (repo / ".git" / "config").read_text()


def test_a_branch_of_the_streams_own_stays(repo: Path, neighbor: Neighbor) -> None:
    folder = made(neighbor, "ada")
    git(folder, "switch", "-q", "-c", "topic")
    commit(folder)
    neighbor("worktree", "remove", "ada")
    assert git(repo, "log", "-1", "--format=%s", "topic") == "Work\n"
    assert rescued(repo) == []
    assert settled(repo) == []


def test_deltas_that_lie_there_go_into_the_log(repo: Path, neighbor: Neighbor) -> None:
    folder = made(neighbor, "ada", "--frame", "3")
    private = worktrees(repo)[0].deltas
    (private / "one.json").write_bytes(b'{"posts_created": []}')
    shared = folder / "state" / "stream_deltas"
    shared.mkdir()
    (shared / "two.json").write_bytes(fleet.delta(3, "ada", fleet.post(2, "ada")))
    (shared / "half.json").write_bytes(b'{"posts_')
    removed = neighbor("worktree", "remove", "ada", "--json").json
    assert removed["deltas"] == 2
    assert removed["rescued"] == []
    kept = neighbor("quarantine", "list", "--json").json["quarantine"]
    assert [Path(each["source"]).name for each in kept] == ["half.json"]


def test_deltas_that_the_commit_brought_are_not_the_streams(repo: Path, neighbor: Neighbor) -> None:
    shared = repo / "state" / "stream_deltas"
    shared.mkdir()
    (shared / "old.json").write_bytes(fleet.delta(1, "s1", fleet.post(1, "ada")))
    git(repo, "add", "--force", str(shared))
    git(repo, "commit", "-q", "-m", "An old delta")
    folder = made(neighbor, "ada")
    (each,) = worktrees(repo)
    assert worktree_deltas.left(repo / ".git", each) == []
    (folder / "state" / "stream_deltas" / "old.json").write_bytes(fleet.delta(2, "ada"))
    assert len(worktree_deltas.left(repo / ".git", each)) == 1


def test_the_list_tells_how_things_stand(repo: Path, neighbor: Neighbor) -> None:
    ada, _bob = made(neighbor, "ada", "--frame", "2"), made(neighbor, "bob")
    commit(ada)
    (ada / "README.md").write_text("edited")
    git(repo, "commit", "-q", "--allow-empty", "-m", "main goes on")
    sleeping = subprocess.Popen(["sleep", "60"], cwd=ada)
    try:
        row = listed(neighbor)["ada"]
    finally:
        sleeping.kill()
        sleeping.wait()
    assert row["path"] == str(ada)
    assert row["branch"] == "dc/ada/frame-2"
    told = {name: row[name] for name in ("frame", "changed", "ahead", "behind", "unpushed", "held")}
    assert told == {
        "frame": 2, "changed": 1, "ahead": 1, "behind": 1, "unpushed": 1, "held": "pin"
    }  # fmt: skip
    assert row["processes"] == [sleeping.pid]
    assert row["size"] > 4096
    assert "ada" in neighbor("worktree", "list").text
    assert listed(neighbor)["bob"]["changed"] == 0


def test_a_worktree_somebody_stands_in_is_not_taken_away(repo: Path, neighbor: Neighbor) -> None:
    folder = made(neighbor, "ada")
    sleeping = subprocess.Popen(["sleep", "60"], cwd=folder)
    try:
        said = neighbor("worktree", "remove", "ada", code=5).err
        assert f"{sleeping.pid} (sleep)" in said
    finally:
        sleeping.kill()
        sleeping.wait()
    neighbor("worktree", "remove", "ada")


def test_a_leased_worktree_is_its_holders(repo: Path, neighbor: Neighbor) -> None:
    where = find(str(repo))
    head = git(repo, "rev-parse", "HEAD").strip()
    with Lease(store_folder(repo) / FOLDER, "run-1") as lease:
        added = add(where, "ada", 1, head, settings(where), lease=lease)
        assert "lease run-1" in listed(neighbor)["ada"]["held"]
        assert "Nothing to sweep" in neighbor("gc").text
        neighbor("worktree", "remove", "ada", code=5)
        remove(where, added.worktree)
    assert settled(repo) == []


def test_a_worktree_that_a_person_moved_is_found(repo: Path, neighbor: Neighbor) -> None:
    folder = made(neighbor, "ada")
    moved = folder.with_name("elsewhere")
    git(repo, "worktree", "move", "-f", "-f", str(folder), str(moved))
    (moved / "README.md").write_text("edited")
    neighbor("worktree", "remove", "ada")
    assert len(rescued(repo)) == 1
    assert settled(repo) == []


def test_a_worktree_whose_folder_is_gone_is_swept_with_its_commits_saved(
    repo: Path, neighbor: Neighbor
) -> None:
    folder = made(neighbor, "ada")
    commit(folder)
    subprocess.run(["rm", "-rf", folder], check=True)
    assert listed(neighbor)["ada"]["changed"] == 0
    neighbor("worktree", "remove", "ada")
    (ref,) = rescued(repo)
    assert git(repo, "log", "-1", "--format=%s", ref) == "Work\n"
    assert settled(repo) == []


def test_a_folder_that_came_later_in_its_place_is_a_persons(repo: Path, neighbor: Neighbor) -> None:
    """The record outlives a worktree that a person pruned; what lies there now is not it."""
    folder = made(neighbor, "ada")
    subprocess.run(["rm", "-rf", folder], check=True)
    git(repo, "worktree", "unlock", str(folder))
    git(repo, "worktree", "prune", "--expire=now")
    folder.mkdir(parents=True)
    (folder / "thesis.txt").write_text("three years of work")
    neighbor("worktree", "remove", "ada")
    assert (folder / "thesis.txt").read_text() == "three years of work"
    assert worktrees(repo) == []


def test_a_file_that_lies_in_its_place_is_a_persons(repo: Path, neighbor: Neighbor) -> None:
    folder = made(neighbor, "ada")
    subprocess.run(["rm", "-rf", folder], check=True)
    folder.write_text("three years of work")
    neighbor("worktree", "remove", "ada")
    assert folder.read_text() == "three years of work"
    assert settled(repo) == [str(folder)]


def test_a_branch_that_is_checked_out_elsewhere_stays_and_is_said(
    repo: Path, neighbor: Neighbor, tmp_path: Path
) -> None:
    folder = made(neighbor, "ada")
    git(folder, "switch", "-q", "--detach")
    git(repo, "worktree", "add", "-q", str(tmp_path / "hand"), "dc/ada/frame-1")
    assert "stays, for it is checked out elsewhere" in neighbor("worktree", "remove", "ada").text
    assert git(repo, "branch", "--list", "dc/*") == "+ dc/ada/frame-1\n"


def test_a_history_of_its_own_in_its_place_is_refused(repo: Path, neighbor: Neighbor) -> None:
    """Somebody ran `git init` in the worktree."""
    folder = made(neighbor, "ada")
    (folder / ".git").unlink()
    git(folder, "init", "-q")
    commit(folder)
    assert "is a repository of its own" in neighbor("worktree", "remove", "ada", code=3).err
    assert git(folder, "log", "-1", "--format=%s") == "Work\n"
    neighbor("worktree", "remove", "ada", "--discard")
    assert settled(repo) == []


def test_a_damaged_index_is_said_and_nothing_is_lost(repo: Path, neighbor: Neighbor) -> None:
    folder = made(neighbor, "ada")
    (folder / "work.txt").write_text("work")
    index = Path(git(folder, "rev-parse", "--absolute-git-dir").strip()) / "index"
    index.write_bytes(b"garbage")
    assert listed(neighbor)["ada"]["changed"] is None
    assert "index file" in neighbor("worktree", "remove", "ada", code=3).err
    index.unlink()
    neighbor("worktree", "remove", "ada")
    (ref,) = rescued(repo)
    assert git(repo, "show", f"{ref}:work.txt") == "work"


@pytest.mark.parametrize("way", ["a clone", "a submodule"])
def test_work_in_a_repository_inside_is_refused_until_it_is_pushed(
    way: str, repo: Path, neighbor: Neighbor, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    git(repo, "init", "-q", str(other))
    git(other, "commit", "-q", "--allow-empty", "-m", "Other")
    folder = made(neighbor, "ada")
    if way == "a clone":
        git(folder, "clone", "-q", str(other), "inside")
    else:
        git(
            folder,
            "-c",
            "protocol.file.allow=always",
            "submodule",
            "add",
            "-q",
            str(other),
            "inside",
        )
        git(folder, "commit", "-q", "-m", "A submodule")
        git(folder, "push", "-q", str(repo), "HEAD:refs/heads/kept")
    commit(folder / "inside")
    assert "inside is a repository of its own" in neighbor("worktree", "remove", "ada", code=3).err
    assert (folder / "inside" / "committed.txt").is_file()
    git(folder / "inside", "push", "-q", "origin", "HEAD:refs/heads/pushed")
    neighbor("worktree", "remove", "ada")
    assert settled(repo) == []


def test_setup_runs_in_the_worktree_and_says_whose_it_is(repo: Path, neighbor: Neighbor) -> None:
    folder = made(neighbor, "ada", "--setup", "echo $NEIGHBOR_STREAM $NEIGHBOR_FRAME >README.md")
    assert (folder / "README.md").read_text() == "ada 1\n"


def test_sparse_checks_out_what_is_named(repo: Path, neighbor: Neighbor) -> None:
    for name in ("docs", "src"):
        (repo / name).mkdir()
        (repo / name / "file").write_text(name)
    git(repo, "add", "--all")
    git(repo, "commit", "-q", "-m", "More")
    folder = made(neighbor, "ada", "--sparse", "src", "--sparse", "state")
    assert (folder / "src" / "file").is_file()
    assert not (folder / "docs").exists()
    assert git(folder, "status", "--porcelain") == ""
    assert listed(neighbor)["ada"]["changed"] == 0
    neighbor("worktree", "remove", "ada")
    assert rescued(repo) == []


def test_gits_folder_is_as_git_makes_it(repo: Path, neighbor: Neighbor) -> None:
    """We write it ourselves, so that nobody sees it half made; git must find nothing amiss."""
    ours = made(neighbor, "ada")
    git(repo, "worktree", "add", "-q", "-b", "plain", str(repo.parent / "plain"))
    folders = {name: repo / ".git" / "worktrees" / name for name in ("ada", "plain")}
    for name in ("HEAD", "commondir", "gitdir"):
        written = [(folders[each] / name).read_text() for each in ("ada", "plain")]
        told = written[1].replace("plain", "ada").replace(str(repo.parent / "ada"), str(ours))
        assert written[0] == told.replace("refs/heads/ada", "refs/heads/dc/ada/frame-1")
    plain = (repo.parent / "plain" / ".git").read_text()
    assert (ours / ".git").read_text() == plain.replace("plain", "ada")
    git(repo, "worktree", "repair")
    assert git(repo, "fsck", "--full") == ""
    git(repo, "worktree", "unlock", str(ours))
    git(repo, "worktree", "prune", "--expire=now")
    assert ours.is_dir() and folders["ada"].is_dir()


def test_where_worktrees_have_settings_of_their_own_git_makes_it(
    repo: Path, neighbor: Neighbor
) -> None:
    git(repo, "config", "extensions.worktreeConfig", "true")
    git(repo, "config", "--worktree", "user.nickname", "ada")
    folder = made(neighbor, "ada")
    assert git(folder, "config", "user.nickname") == "ada\n"
    (folder / "README.md").write_text("edited")
    neighbor("worktree", "remove", "ada")
    assert len(rescued(repo)) == 1
    assert settled(repo) == []


def test_templates_say_where_it_goes(repo: Path, neighbor: Neighbor) -> None:
    rules = fleet.RULES + '\n[worktree]\npath = ".trees/{stream}-{frame}"\nbranch = "w/{stream}"\n'
    (repo / "neighbor.toml").write_text(rules)
    folder = made(neighbor, "ada", "--frame", "9")
    assert folder == repo / ".trees" / "ada-9"
    assert git(folder, "branch", "--show-current") == "w/ada\n"
    neighbor("worktree", "remove", "ada")


def test_a_killed_holder_of_a_claim_gives_it_back(repo: Path, neighbor: Neighbor) -> None:
    made(neighbor, "ada")
    (each,) = worktrees(repo)
    claim = worktree.Claim(each.record)
    assert claim.take()
    with pytest.raises(WorktreeHeld):
        remove(find(str(repo)), each)
    claim.release()
    remove(find(str(repo)), each)


def test_two_that_remove_at_once_save_once(repo: Path, neighbor: Neighbor) -> None:
    folder = made(neighbor, "ada")
    (folder / "README.md").write_text("edited")
    command = [sys.executable, "-m", "goodneighbor.cli", "worktree", "remove", "ada"]
    running = [subprocess.Popen(command, cwd=repo, stderr=subprocess.DEVNULL) for _ in range(2)]
    ended = sorted(each.wait() for each in running)
    assert ended in ([0, 1], [0, 5])
    assert len(rescued(repo)) == 1
    assert settled(repo) == []


def test_two_that_add_one_stream_at_once_make_one(repo: Path, neighbor: Neighbor) -> None:
    command = [sys.executable, "-m", "goodneighbor.cli", "worktree", "add", "ada"]
    running = [subprocess.Popen(command, cwd=repo, stderr=subprocess.DEVNULL) for _ in range(2)]
    assert sorted(each.wait() for each in running) == [0, 3]
    assert [each.stream for each in worktrees(repo)] == ["ada"]
    neighbor("worktree", "remove", "ada")
    assert settled(repo) == []


def test_without_a_commit_or_a_store_it_is_refused(
    repository: Path, neighbor: Neighbor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    assert "neighbor init" in neighbor("worktree", "add", "ada", code=3).err
    (repository / "neighbor.toml").write_text("")
    neighbor("init")
    assert "no commit yet" in neighbor("worktree", "add", "ada", code=3).err
    where = find(str(repository))
    with pytest.raises(WorktreeRefused):
        add(where, "-x", 1, "HEAD", settings(where))
    assert settled(repository) == []
    assert Store.open(store_folder(repository)).verify() == []
