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
    chain = "import os, time\nwhile True:\n    if os.fork(): os._exit(0)\n    os.setsid()\n"
    done = timeout(
        tmp_path, "500ms", "--grace", "100ms", "--json", "--", sys.executable, "-c", chain
    )
    told = json.loads(done.stderr)
    assert told["survivors"] == []


@contextmanager
def stubborn(folder: Path, grace: str) -> "Iterator[subprocess.Popen[bytes]]":
    """Run the stubborn tree under a time limit far away, until it is up."""
    command = [*NEIGHBOR, "timeout", "1h", "--grace", grace, "--", "sh", "-c", STUBBORN]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        yield process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_passed_on_and_ends_in_128_and_its_number(
    tmp_path: Path, number: signal.Signals
) -> None:
    with stubborn(tmp_path, "300ms") as process:
        process.send_signal(number)
    assert process.returncode == 128 + number
    assert alive(tmp_path / "pids") == []


def test_a_second_signal_waits_for_no_grace(tmp_path: Path) -> None:
    with stubborn(tmp_path, "1h") as process:
        while process.poll() is None:  # two that come at once are one
            process.send_signal(signal.SIGTERM)
            time.sleep(0.1)
    assert process.returncode == 128 + signal.SIGTERM
    assert alive(tmp_path / "pids") == []


@pytest.mark.parametrize("words", [("60s",), ("soon", "--", "true"), ("60s", "x", "--", "true")])
def test_what_cannot_be_understood_is_usage(tmp_path: Path, words: tuple[str, ...]) -> None:
    assert timeout(tmp_path, *words).returncode == 2
