"""git.py against real git: what reaches git, what comes back, and what never hangs."""

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from goodneighbor.cli.errors import GitFailed, GitMissing, GitTooSlow
from goodneighbor.cli.git import Git, environment, run


@pytest.fixture
def git(repository: Path) -> Git:
    """A repository with one commit of two files."""
    (repository / "a.json").write_text("{}\n")
    (repository / "b.json").write_text("{}\n")
    git = Git(repository)
    git.commit_only(["a.json", "b.json"], "first")
    return git


def test_what_the_environment_says_to_git_does_not_reach_our_calls(
    git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index-of-a-commit-in-the-making"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path))
    assert git.tip("main") is not None
    assert git.tracked(["a.json"]) == ["a.json"]


def test_who_commits_is_kept_and_nothing_else_of_git() -> None:
    outer = {"GIT_AUTHOR_NAME": "Ada", "GIT_DIR": "x", "GIT_TRACE": "1", "PATH": "/bin"}
    kept = environment(outer)
    assert kept["GIT_AUTHOR_NAME"] == "Ada"
    assert kept["PATH"] == "/bin"
    assert kept["GIT_TERMINAL_PROMPT"] == "0"
    assert "GIT_DIR" not in kept
    assert "GIT_TRACE" not in kept


def test_our_own_commits_run_no_hook(git: Git) -> None:
    for name in ("pre-commit", "post-commit", "reference-transaction", "post-index-change"):
        hook = git.folder / ".git" / "hooks" / name
        hook.write_text("#!/bin/sh\ntouch ../hook-ran hook-ran\nexit 1\n")
        hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    (git.folder / "a.json").write_text('{"a": 1}\n')
    git.commit_only(["a.json"], "second")
    assert not list(git.folder.rglob("hook-ran"))


def test_an_error_carries_the_command_the_exit_code_and_what_git_said(git: Git) -> None:
    with pytest.raises(GitFailed) as caught:
        git.call("cat-file", "blob", "main:nothing.json")
    assert caught.value.exit_code == 128
    assert caught.value.command[-1] == "main:nothing.json"
    assert "nothing.json" in caught.value.stderr
    assert "cat-file blob main:nothing.json" in str(caught.value)


def test_a_missing_git_is_said_as_such(git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(GitMissing, match="install git"):
        git.version()


def test_a_command_that_does_not_end_is_ended_with_its_children(tmp_path: Path) -> None:
    """The child of the child holds the pipes open, as an askpass program or ssh would."""
    pids = tmp_path / "pids"
    script = f"sleep 600 & echo $$ $! > {pids}; wait"
    begun = time.monotonic()
    with pytest.raises(GitTooSlow, match="not done after"):
        run(("sh", "-c", script), tmp_path, b"", timeout_s=1.0)
    assert time.monotonic() - begun < 60
    for pid in map(int, pids.read_text().split()):
        assert _is_gone(pid)


def test_a_branch_that_looks_like_an_option_is_only_a_branch(git: Git) -> None:
    assert git.tip("--help") is None
    assert git.tip("no such branch") is None
    assert git.blob("main", "--help") is None


def test_paths_are_names_and_not_patterns(git: Git) -> None:
    (git.folder / "a.json").write_text('{"a": 1}\n')
    assert git.changes(["*.json"]) == []
    assert [change.path for change in git.changes(["a.json"])] == ["a.json"]


def test_changes_tell_staged_modified_and_untracked(git: Git) -> None:
    (git.folder / "a.json").write_text('{"a": 1}\n')
    (git.folder / "b.json").write_text('{"b": 1}\n')
    (git.folder / "c d\n.json").write_text("{}\n")
    git.call("add", "--", "b.json")
    found = {change.path: change for change in git.changes(["a.json", "b.json", "c d\n.json"])}
    assert (found["a.json"].staged, found["a.json"].modified) == (False, True)
    assert (found["b.json"].staged, found["b.json"].modified) == (True, False)
    assert found["c d\n.json"].untracked


def test_a_blob_is_the_committed_bytes_not_those_on_disk(git: Git) -> None:
    (git.folder / "a.json").write_text('{"a": 1}\n')
    assert git.blob("main", "a.json") == b"{}\n"
    assert git.blob("main", "nothing.json") is None


def test_commit_only_leaves_what_somebody_else_has_staged(git: Git) -> None:
    (git.folder / "a.json").write_text('{"a": 1}\n')
    (git.folder / "b.json").write_text('{"b": 1}\n')
    git.call("add", "--", "b.json")
    git.commit_only(["a.json"], "only a")
    assert git.call("show", "--name-only", "--format=", "HEAD").line() == "a.json"
    (change,) = git.changes(["a.json", "b.json"])
    assert (change.path, change.staged) == ("b.json", True)


def test_an_unfinished_merge_is_named(git: Git) -> None:
    assert git.unfinished() is None
    (git.folder / ".git" / "MERGE_HEAD").write_text(git.tip("main") or "")
    assert git.unfinished() == "merge"


def test_ignored_paths_are_told(git: Git) -> None:
    (git.folder / ".gitignore").write_text("?.json\n")
    (git.folder / "c.json").write_text("{}\n")
    assert git.ignored(["a.json", "c.json"]) == ["c.json"]
    assert git.ignored(["a.json"]) == []  # tracked before it was ignored: git keeps it


def test_an_unborn_branch_has_a_name_and_no_tip(repository: Path) -> None:
    git = Git(repository)
    assert git.branch() == "main"
    assert git.head() is None
    assert git.tip("main") is None


def test_no_prompt_can_hold_a_call_up(repository: Path) -> None:
    """A credential helper or ssh would ask on the terminal; ours fail at once."""
    git = Git(repository)
    with pytest.raises(GitFailed):
        git.call("fetch", "https://localhost:9/none.git", timeout_s=30)


def _is_gone(pid: int) -> bool:
    """Tell whether a process has ended; one that nobody has waited for yet has ended too."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return not state.stdout.strip() or state.stdout.strip().startswith("Z")


def test_this_file_runs_on_real_git() -> None:
    assert Git(Path(sys.prefix)).version() >= (2, 39)
