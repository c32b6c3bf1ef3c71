"""Every hook runs in the plainest shells there are (rule 8)."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from goodneighbor.cli.guard_hooks import SOURCES

from .conftest import Neighbor
from .guarded import QUIET, clone_of, export, fleet_running, git, pushed, read, without_neighbor

AGENTS = "state/agents.json"
MARKED = "<<<<<<< Updated upstream\n{}\n=======\n>>>>>>> Stashed changes\n"
SCRIPTS = sorted(SOURCES.glob("*.sh"))
# A shell reads POSIX sh when it is called by that name: zsh and bash do, dash and mksh always do.
SHELLS = {
    "dash": "dash",
    "busybox ash": "busybox",
    "mksh": "mksh",
    "bash --posix": "bash",
    "zsh in sh mode": "zsh",
}


def needed(program: str) -> str:
    """Return a program's path; without it the test is skipped, but fails where CI installs it."""
    beside = Path(sys.executable).with_name(program)
    found = str(beside) if beside.exists() else shutil.which(program)
    if found is None:
        assert os.environ.get("CI") != "true", f"{program} is missing; .ci/run installs it"
        pytest.skip(f"{program} is not installed")
    return found


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """One of the shells, under the name `sh`."""
    program = needed(SHELLS[request.param])
    folder = tmp_path / "shell"
    folder.mkdir()
    (folder / "sh").symlink_to(program)
    return folder / "sh"


@pytest.fixture
def guarded(site: Path, neighbor: Neighbor, shell: Path) -> Path:
    """The site with the guard in force, every hook run by the shell."""
    neighbor("init", "--commit")
    export(site)
    for name in ("commit-msg", "reference-transaction", "pre-push"):
        chained = site / ".git" / "hooks" / name
        chained.write_text(f"#!{shell}\ncat >>'{site}/.git/ran'\n")
        chained.chmod(0o755)
    neighbor("guard", "install")
    for script in (site / ".git" / "goodneighbor" / "hooks").iterdir():
        if script.is_symlink():
            continue  # no hook there
        text = script.read_text()
        if text.startswith("#!/bin/sh\n"):
            script.write_text(text.replace("#!/bin/sh", f"#!{shell}", 1))
    return site


@pytest.mark.parametrize("with_neighbor", [True, False], ids=["neighbor", "without neighbor"])
def test_every_hook_refuses_and_lets_through_in_each_shell(
    with_neighbor: bool, guarded: Path, tmp_path: Path
) -> None:
    if not with_neighbor:
        without_neighbor(guarded)
    _remote, other = clone_of(guarded, tmp_path)
    for text in ("{}", MARKED):  # pre-commit and reference-transaction
        (guarded / AGENTS).write_text(text)
        assert "Refused" in git(guarded, "commit", "-q", "-a", "-m", "x", code=1).text
        assert "Refused" in git(guarded, "commit", "-aqnm", "x", code=1).text
    git(guarded, *QUIET, "commit", "-q", "-a", "-m", "behind the guard")
    assert "Refused" in git(guarded, "push", "origin", "main", code=1).text
    git(guarded, *QUIET, "reset", "-q", "--hard", "HEAD^")
    (guarded / "local.md").write_text("local\n")  # chains, and a merge
    git(guarded, "add", "-A")
    git(guarded, "commit", "-q", "-m", "local")
    pushed(other, "the fleet", fleet="x\n")
    git(guarded, "pull", "-q", "--no-rebase", "--no-edit")
    git(guarded, "push", "-q", "origin", "main")
    noted = (guarded / ".git" / "ran").read_text()
    assert f"refs/heads/main {read(other, 'rev-parse', 'HEAD')}\n" in noted  # pre-push's input
    (guarded / "local.md").write_text("staged\n")  # rule 3
    git(guarded, "add", "-A")
    (guarded / "local.md").write_text("unstaged\n")
    with fleet_running(guarded):
        assert "rule 3" in git(guarded, "stash", code=1).text
    git(other, "pull", "-q")
    pushed(other, "the fleet, again", fleet="y\n")
    git(guarded, "commit", "--allow-empty", "-q", "-m", "diverge", "--only")
    assert "are back" in git(guarded, "pull", "--rebase", "--autostash", code=1).text
    git(guarded, "pull", "-q", "--no-rebase", "--autostash", "--no-edit")
    assert read(guarded, "show", ":local.md") == "staged"
    assert (guarded / "local.md").read_text() == "unstaged\n"


def test_merge_driver_marks_in_each_shell(guarded: Path) -> None:
    without_neighbor(guarded)
    for branch, text in (("theirs", '{"a": 1}\n'), ("ours", '{"a": 2}\n')):
        git(guarded, "switch", "-q", "-c", branch, "main")
        (guarded / AGENTS).write_text(text)
        git(guarded, *QUIET, "commit", "-q", "-a", "-m", branch)
    git(guarded, "merge", "theirs", code=1)
    assert (guarded / AGENTS).read_text().startswith("<<<<<<< ours\n")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_shellcheck_finds_nothing(script: Path, tmp_path: Path) -> None:
    """Beside the settings that they read, as they lie when installed."""
    for source in SCRIPTS:
        shutil.copy(source, tmp_path / source.name)
    (tmp_path / "settings").write_text("neighbor=\nchained=\nbranch=\non_documents() {\n:\n}\n")
    command = [needed("shellcheck"), "--shell=sh", "--external-sources", "--source-path=SCRIPTDIR"]
    done = subprocess.run(
        [*command, script.name], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_checkbashisms_finds_nothing(script: Path) -> None:
    command = [needed("checkbashisms"), "--posix", "--force", "--extra", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_settings_are_read_by_each_shell(shell: Path, guarded: Path) -> None:
    settings = guarded / ".git" / "goodneighbor" / "hooks" / "settings"
    ask = f'. "{settings}"; on_documents printf "%s\\n" "$chained"'
    said = subprocess.run([shell, "-c", ask], capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[0] == str(guarded / ".git" / "hooks")
    assert ":(top,literal)state" in said
