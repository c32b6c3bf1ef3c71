"""`neighbor timeout` ends the whole tree, and passes through how the command ended."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from goodneighbor.cli import process

NEIGHBOR = (sys.executable, "-m", "goodneighbor.cli")
# A tree of four: a shell that ignores TERM, its child, one in another session, one forked away.
STUBBORN = """\
trap '' TERM
sleep 999 &
echo $! >>pids
setsid sleep 999 &
echo $! >>pids
(setsid sh -c 'echo $$ >>pids; exec sleep 999' &)
echo $$ >>pids
echo up
while :; do sleep 1; done
"""

# Each forks the next and ends. One that nobody ends notes it: the test must not wait for ever.
CHAIN = """\
import os, time
until_s = time.monotonic() + 60
while time.monotonic() < until_s:
    if os.fork():
        os._exit(0)
    os.setsid()
open("outlived", "w").close()
"""
# `neighbor`, whose first looks at a tree it is to kill find nobody.
BLIND = """\
from itertools import count
from goodneighbor.cli import process
from goodneighbor.cli.__main__ import main
see, looks = process._tree, count()
process._tree = lambda root, group: see(root, group) if next(looks) >= 20 else iter(())
main()
"""


def timeout(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*NEIGHBOR, "timeout", *words], cwd=folder, capture_output=True, text=True, check=False
    )


def alive(file: Path) -> list[int]:
    """Return those of the processes noted in a file that are still there."""
    found = []
    for word in file.read_text("utf-8").split():
        try:
            os.kill(int(word), 0)
            found.append(int(word))
        except ProcessLookupError:
            continue
    return found


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("true",), 0),
        (("sh", "-c", "exit 7"), 7),
        (("sh", "-c", "kill -9 $$"), 137),
        (("no-such-command",), 127),
        (("/etc/passwd",), 126),
    ],
)
def test_the_exit_status_comes_through(tmp_path: Path, command: tuple[str, ...], code: int) -> None:
    assert timeout(tmp_path, "60s", "--", *command).returncode == code


def test_what_it_reads_and_prints_is_the_commands_own(tmp_path: Path) -> None:
    done = subprocess.run(
        [*NEIGHBOR, "timeout", "60s", "--", "cat"], input=b"\xff\x00 bytes", capture_output=True,
        check=True,
    )  # fmt: skip
    assert done.stdout == b"\xff\x00 bytes"


def test_time_over_is_124_and_nobody_is_left(tmp_path: Path) -> None:
    """Not who ignores TERM, nor who left the session, nor who forked away."""
    done = timeout(tmp_path, "1s", "--grace", "300ms", "--json", "--", "sh", "-c", STUBBORN)
    assert done.returncode == 124
    told = json.loads(done.stderr)
    assert (told["cause"], told["survivors"]) == ("timeout", [])
    assert len((tmp_path / "pids").read_text("utf-8").split()) == 4
    assert alive(tmp_path / "pids") == []


def test_what_a_command_leaves_running_ends_with_it(tmp_path: Path) -> None:
    left = "setsid sleep 999 & echo $! >pids; exit 3"
    done = timeout(tmp_path, "60s", "--json", "--", "sh", "-c", left)
    assert done.returncode == 3
    assert json.loads(done.stderr)["left"] == 1
    assert alive(tmp_path / "pids") == []


def test_who_forks_as_fast_as_it_is_killed_ends(tmp_path: Path) -> None:
    """Its output comes to an end, so nobody of the chain holds it any more."""
    done = timeout(
        tmp_path, "500ms", "--grace", "100ms", "--json", "--", sys.executable, "-c", CHAIN
    )
    assert json.loads(done.stderr)["survivors"] == []
    assert not (tmp_path / "outlived").exists()


def test_a_look_that_finds_nobody_is_no_proof(tmp_path: Path) -> None:
    command = [sys.executable, "-c", BLIND, "timeout", "1s", "--grace", "100ms", "--json"]
    with (tmp_path / "said").open("wb") as said:  # no pipe, which those that are left would hold
        subprocess.run(
            [*command, "--", "sh", "-c", STUBBORN], cwd=tmp_path, stdout=said, stderr=said,
            check=False,
        )  # fmt: skip
    left = alive(tmp_path / "pids")
    process.send(left, signal.SIGKILL)
    assert left == []
    assert b'"survivors":[]' in (tmp_path / "said").read_bytes()
    assert len((tmp_path / "pids").read_text("utf-8").split()) == 4


@contextmanager
def stubborn(folder: Path, grace: str) -> "Iterator[subprocess.Popen[bytes]]":
    """Run the stubborn tree under a time limit far away, until it is up."""
    command = [*NEIGHBOR, "timeout", "1h", "--grace", grace, "--", "sh", "-c", STUBBORN]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, start_new_session=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"up\n"
        yield running


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_passed_on_and_ends_in_128_and_its_number(
    tmp_path: Path, number: signal.Signals
) -> None:
    with stubborn(tmp_path, "300ms") as running:
        running.send_signal(number)
    assert running.returncode == 128 + number
    assert alive(tmp_path / "pids") == []


def test_a_second_signal_waits_for_no_grace(tmp_path: Path) -> None:
    with stubborn(tmp_path, "1h") as running:
        while running.poll() is None:  # two that come at once are one
            running.send_signal(signal.SIGTERM)
            time.sleep(0.1)
    assert running.returncode == 128 + signal.SIGTERM
    assert alive(tmp_path / "pids") == []


@pytest.mark.parametrize("words", [("60s",), ("soon", "--", "true"), ("60s", "x", "--", "true")])
def test_what_cannot_be_understood_is_usage(tmp_path: Path, words: tuple[str, ...]) -> None:
    assert timeout(tmp_path, *words).returncode == 2
