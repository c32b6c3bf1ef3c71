"""The eight rules, in their order and in their words.

Each test plays the rule as a person would, with the command `neighbor` in a real repository.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from . import fleet
from .cli.guarded import fleet_running

ROOT = Path(__file__).resolve().parent.parent
NEIGHBOR = (sys.executable, "-m", "goodneighbor.cli")


@pytest.fixture
def site(repository: Path) -> Path:
    """A repository with a small fleet's state, taken in by `neighbor init --commit`."""
    state = repository / "state"
    state.mkdir()
    for name, body in fleet.BASE.items():
        (state / f"{name}.json").write_bytes(body)
    (repository / "neighbor.toml").write_text(fleet.RULES, encoding="utf-8")
    git(repository, "add", "state", "neighbor.toml")
    git(repository, "commit", "--quiet", "--message", "A site with four agents")
    neighbor(repository, "init", "--commit")
    return repository


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", *words], cwd=folder, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(folder: Path, *words: str) -> bool:
    """Tell whether git was stopped by the guard."""
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode != 0 and "Refused by goodneighbor" in done.stderr


def neighbor(folder: Path, *words: str, delta: bytes = b"", code: int = 0) -> str:
    """Run a command that must end in `code`; return what it printed."""
    done = subprocess.run(
        [*NEIGHBOR, *words], cwd=folder, input=delta, capture_output=True, check=False
    )
    assert done.returncode == code, f"{words}: {done.returncode}\n{done.stderr.decode()}"
    return done.stdout.decode()


def state(site: Path, document: str) -> dict[str, object]:
    read = json.loads((site / "state" / f"{document}.json").read_bytes())
    assert isinstance(read, dict)
    return read


def test_1_create_worktrees_not_branches_on_main(site: Path) -> None:
    before = git(site, "rev-parse", "HEAD", "--abbrev-ref", "HEAD")
    neighbor(site, "worktree", "add", "stream-1", "--frame", "1")
    assert git(site, "rev-parse", "HEAD", "--abbrev-ref", "HEAD") == before
    listed = git(site, "worktree", "list", "--porcelain")
    assert "branch refs/heads/dc/stream-1/frame-1" in listed


def test_2_clean_up_after_yourself_immediately_also_after_a_crash(site: Path) -> None:
    """Streams that are killed leave nothing; of a fleet whose supervisor is, gc leaves nothing."""
    neighbor(
        site, "run", "--streams", "2", "--stagger", "0s", "--", "sh", "-c", "kill -9 $$", code=1
    )
    assert leftovers(site) == []
    command = [*NEIGHBOR, "run", "--streams", "2", "--stagger", "0s", "--", "sh", "-c"]
    up = "echo half a thought >thought; touch ../up.$NEIGHBOR_STREAM; sleep 999"
    with subprocess.Popen([*command, up], cwd=site, stderr=subprocess.DEVNULL) as fleet_process:
        while len(list((site.parent / "site.worktrees").glob("up.*"))) < 2:
            assert fleet_process.poll() is None
            time.sleep(0.05)
        fleet_process.kill()
    for mark in (site.parent / "site.worktrees").glob("up.*"):
        mark.unlink()
    neighbor(site, "gc")
    assert leftovers(site) == []
    rescued = git(site, "for-each-ref", "--format=%(refname)", "refs/goodneighbor/rescue").split()
    assert [git(site, "show", f"{ref}:thought") for ref in rescued] == ["half a thought\n"] * 2


def leftovers(site: Path) -> list[str]:
    """Name what a fleet that is gone must not leave."""
    found = git(site, "worktree", "list").splitlines()[1:]
    found += git(site, "for-each-ref", "--format=%(refname)", "refs/heads/dc").split()
    return found + [str(path) for path in site.parent.glob("*.worktrees")]


def test_3_never_stash_on_main_while_the_fleet_is_running(site: Path) -> None:
    """The fleet is a process that holds a lease; `cli/test_frame_407.py` plays the accident."""
    neighbor(site, "guard", "install")
    neighbor(site, "append", delta=fleet.delta(1, "stream-1", fleet.post(1, "ada")))
    neighbor(site, "frame", "close", "1")
    neighbor(site, "export", "--commit")
    (site / "notes.txt").write_text("half a thought", encoding="utf-8")
    git(site, "add", "notes.txt")
    git(site, "branch", "upstream")
    git(site, "commit", "--quiet", "--allow-empty", "--message", "a commit", "--only")
    with fleet_running(site):
        for words in ("stash",), ("rebase", "--autostash", "--force-rebase", "upstream"):
            assert refused(site, *words), words
            assert (site / "notes.txt").read_text(encoding="utf-8") == "half a thought"
            assert git(site, "diff", "--cached", "--name-only") == "notes.txt\n"
    (site / "state" / "agents.json").write_text("{}", encoding="utf-8")
    assert refused(site, "commit", "--all", "--no-verify", "--message", "emptied")
    git(site, "stash")  # the fleet is gone


def test_4_copy_uncommitted_state_into_worktrees(site: Path) -> None:
    rules = site / "neighbor.toml"
    rules.write_text(rules.read_text("utf-8") + '\n[worktree]\ncopy = ["*.env"]\n', "utf-8")
    (site / "fleet.env").write_text("TOKEN=1", encoding="utf-8")
    made = neighbor(site, "worktree", "add", "stream-1", "--frame", "1", "--json")
    assert (Path(json.loads(made)["path"]) / "fleet.env").read_text("utf-8") == "TOKEN=1"


def test_5_stagger_parallel_launches(site: Path) -> None:
    command = ("sh", "-c", "echo '{}' | neighbor append")
    words = ("run", "--streams", "3", "--stagger", "1s", "--json", "--", *command)
    (frame,) = json.loads(neighbor(site, *words))["frames"]
    started = sorted(each["started_s"] for each in frame["streams"])
    assert len(started) == 3
    assert min(later - earlier for earlier, later in pairwise(started)) >= 1.0


def test_6_write_deltas_not_state(site: Path) -> None:
    """Four processes write at once and all is counted; a write to the state itself is put right."""
    streams = [f"stream-{number}" for number in range(1, 5)]
    writers = [
        subprocess.Popen([*NEIGHBOR, "append"], cwd=site, stdin=subprocess.PIPE) for _ in streams
    ]
    for number, (stream, writer) in enumerate(zip(streams, writers, strict=True), start=1):
        writer.communicate(fleet.delta(1, stream, fleet.post(number, "ada")))
        assert writer.returncode == 0
    neighbor(site, "frame", "close", "1")
    neighbor(site, "export")
    assert state(site, "stats") == {"total_posts": 4}
    folded = (site / "state" / "agents.json").read_bytes()

    (site / "state" / "agents.json").write_text('{"agents": {}}', encoding="utf-8")
    neighbor(site, "export", "--check", code=1)
    neighbor(site, "export")
    assert (site / "state" / "agents.json").read_bytes() == folded


def test_7_fail_gracefully_with_a_fallback_delta(site: Path) -> None:
    """A stream that says nothing, or crashes, is not forgotten: a delta is written for it."""
    neighbor(site, "frame", "open", "1", "--stream", "stream-1", "--stream", "stream-2")
    neighbor(site, "append", delta=fleet.delta(1, "stream-1", fleet.post(1, "ada")))
    neighbor(site, "frame", "close", "1", "--wait", "0s")
    shown = json.loads(neighbor(site, "frame", "show", "1", "--json"))
    status = {row["stream"]: row["status"] for row in shown["streams"]}
    assert status == {"stream-1": "reported", "stream-2": "fallback"}
    crash = ("--stream", "quiet=exit 0", "--stream", "loud=echo no key >&2; exit 3")
    neighbor(site, "run", "--stagger", "0s", *crash, code=1)
    shown = json.loads(neighbor(site, "frame", "show", "2", "--json"))
    reasons = {row["stream"]: row["reason"] for row in shown["streams"]}
    assert reasons == {"quiet": "silent", "loud": "crashed"}
    neighbor(site, "verify")


def test_8_use_portable_shell(site: Path, tmp_path: Path) -> None:
    """Every script that we bring or write parses in the plainest shells there are, and the doctor
    names what a fleet's own scripts use that old shells and macOS lack."""
    neighbor(tmp_path, "demo", "--at", str(tmp_path / "demo"))
    scripts = [ROOT / "kernel" / "toolchain.sh", ROOT / "tests" / "newcomer.sh"]
    scripts += [ROOT / "cli" / "shell_helper.sh"]
    scripts += (tmp_path / "demo").rglob("agent.sh")
    assert len(scripts) == 4
    scripts += (ROOT / "cli" / "hooks").glob("*.sh")
    assert len(scripts) == 12
    shells = [[name] for name in ("dash", "mksh", "ksh", "sh") if shutil.which(name)]
    if shutil.which("busybox"):
        shells.append(["busybox", "sh"])
    for script in scripts:
        assert script.read_text("utf-8").startswith(("#!/bin/sh\n", "# shellcheck shell=sh\n"))
        for shell in shells:
            subprocess.run([*shell, "-n", script], check=True, env=os.environ)

    (site / "fleet.sh").write_text("#!/bin/sh\ntimeout 60 ./agent.sh\n", encoding="utf-8")
    with (site / "neighbor.toml").open("a", encoding="utf-8") as rules:
        rules.write('\n[doctor]\nscripts = ["*.sh"]\n')
    found = json.loads(neighbor(site, "doctor", "--json", code=1))["findings"]
    assert [each["what"] for each in found if each["rule"] == 8] == [
        "fleet.sh:2: macOS has no `timeout`"
    ]
