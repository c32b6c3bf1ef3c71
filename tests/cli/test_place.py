"""Where the store lies, told without starting git; git itself is asked whether it is true."""

import subprocess
from pathlib import Path

import pytest
from goodneighbor.cli import place
from goodneighbor.cli.errors import NoMainTree, NotARepository


def git(folder: Path, *arguments: str) -> str:
    """Run git as a user would, and return what it printed."""
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def common_as_git_tells(folder: Path) -> str:
    return git(folder, "rev-parse", "--path-format=absolute", "--git-common-dir")


def test_a_folder_deep_in_the_tree_finds_the_repository(repository: Path) -> None:
    deep = repository / "state" / "stream_deltas"
    deep.mkdir(parents=True)
    found = place.find(str(deep))
    assert found.common == common_as_git_tells(deep)
    assert found.main_tree() == repository.resolve()
    assert found.store == repository.resolve() / ".git" / "goodneighbor"


def test_a_linked_worktree_shares_the_store_of_its_clone(repository: Path, tmp_path: Path) -> None:
    git(repository, "commit", "--quiet", "--allow-empty", "-m", "first")
    git(repository, "worktree", "add", "--quiet", "-b", "side", str(tmp_path / "side"))
    found = place.find(str(tmp_path / "side"))
    assert found.common == common_as_git_tells(tmp_path / "side")
    assert found.tree == str((tmp_path / "side").resolve())
    assert found.main_tree() == repository.resolve()


def test_a_symlink_into_the_tree_is_followed(repository: Path, tmp_path: Path) -> None:
    (repository / "state").mkdir()
    (tmp_path / "link").symlink_to(repository / "state")
    assert place.find(str(tmp_path / "link")).common == common_as_git_tells(repository)


def test_a_separate_git_directory_is_found_through_its_file(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.git"
    subprocess.run(
        ["git", "init", "--quiet", f"--separate-git-dir={elsewhere}", tmp_path / "tree"], check=True
    )
    found = place.find(str(tmp_path / "tree"))
    assert found.common == str(elsewhere.resolve())
    assert found.main_tree() == (tmp_path / "tree").resolve()


def test_a_bare_repository_has_a_store_and_no_main_tree(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", "--bare", tmp_path / "bare.git"], check=True)
    found = place.find(str(tmp_path / "bare.git"))
    assert found.common == str((tmp_path / "bare.git").resolve())
    with pytest.raises(NoMainTree, match="bare"):
        found.main_tree()


def test_outside_a_repository_the_error_names_the_folder(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()  # empty: git does not take it for a repository either
    with pytest.raises(NotARepository, match="git init") as caught:
        place.find(str(tmp_path))
    assert caught.value.folder == str(tmp_path.resolve())


def test_what_the_environment_says_to_git_is_not_followed(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path))
    assert place.find(str(repository)).common == str((repository / ".git").resolve())
