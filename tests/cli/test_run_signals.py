"""A run that is told to end does so cleanly, once: the frame closes, and everything is swept."""

import os
import pty
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .running import NEIGHBOR, check_after, environment, make_site, run

WAIT_S = 120  # for streams to be up; then something hangs
STREAMS = 3
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def site(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The site; after any signal its frame has closed, with one status a stream."""
    monkeypatch.delenv("NEIGHBOR_STORE", raising=False)
    yield make_site(repository)
    shown = run(repository, "frame", "show", "405", "--json").json
    told = {each["stream"]: (each["status"], each["reason"]) for each in shown["streams"]}
    assert shown["state"] == "closed"
    assert told == {
        "stream-1": ("reported", ""),
        "stream-2": ("fallback", "crashed"),
        "stream-3": ("fallback", "crashed"),
        "waiting": ("fallback", "missing"),
    }
    check_after(repository)


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """A run of three streams that do not end by themselves, and one that waits for its turn."""
    stubborn = f"trap '' TERM INT HUP; touch {tmp_path}/up.$NEIGHBOR_STREAM; sleep 999 & wait; wait"
    reports = f"echo '{{}}' | neighbor append; {stubborn}"
    streams = {"stream-1": reports, "stream-2": stubborn, "stream-3": stubborn, "waiting": "true"}
    named = [word for name, does in streams.items() for word in ("--stream", f"{name}={does}")]
    return [*NEIGHBOR, "run", "--stagger", "0s", "--max-parallel", str(STREAMS), *named]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_a_run_cleanly(
    site: Path, words: list[str], number: signal.Signals, code: int
) -> None:
    with started([*words, "--grace", "300ms"], site) as process:
        wait_for_streams(site, process)
        process.send_signal(number)
        process.wait(WAIT_S)
    assert process.returncode == code


def test_a_second_signal_waits_for_no_grace(site: Path, words: list[str]) -> None:
    """And is no second end: the streams are killed, the rest is done as after one signal."""
    with started([*words, "--grace", "1h"], site) as process:
        wait_for_streams(site, process)
        process.send_signal(signal.SIGINT)
        while process.poll() is None:  # two that come at once are one
            process.send_signal(signal.SIGINT)
            time.sleep(0.1)
    assert process.returncode == 130


def test_ctrl_c_on_a_terminal_ends_it_and_the_table_is_seen(site: Path, words: list[str]) -> None:
    ours, theirs = pty.openpty()
    with on_terminal([*words, "--grace", "300ms"], site, theirs) as process:
        wait_for_streams(site, process)
        os.write(ours, b"\x03")
        seen = read_all(ours)
    assert process.returncode == 130
    for shown in (b"elapsed", b"last line", b"stream-2", b"running", b"waiting"):
        assert shown in seen


def test_a_closed_terminal_ends_it(site: Path, words: list[str]) -> None:
    ours, theirs = pty.openpty()
    with on_terminal([*words, "--grace", "300ms"], site, theirs) as process:
        wait_for_streams(site, process)
        os.close(ours)
        process.wait(WAIT_S)
    assert process.returncode == 129


def started(command: list[str], site: Path) -> "subprocess.Popen[bytes]":
    """Start a run that nobody listens to."""
    return subprocess.Popen(
        command,
        cwd=site,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def on_terminal(command: list[str], site: Path, terminal: int) -> "subprocess.Popen[bytes]":
    """Start a run as a shell on a terminal would: the terminal's signals reach it."""
    process = subprocess.Popen(
        ["setsid", "--ctty", *command],
        cwd=site,
        env=environment() | {"TERM": "xterm", "COLUMNS": "100", "LINES": "30"},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    return process


def wait_for_streams(site: Path, process: "subprocess.Popen[bytes]") -> None:
    """Wait until all that may run at once does."""
    deadline_s = time.monotonic() + WAIT_S
    while len(list(site.parent.glob("up.*"))) < STREAMS:
        assert process.poll() is None, "the run ended by itself"
        assert time.monotonic() < deadline_s, "the streams do not start"
        time.sleep(0.05)


def read_all(terminal: int) -> bytes:
    """Read what is printed on a terminal until its last user has gone."""
    seen = b""
    try:
        while data := os.read(terminal, 2**16):
            seen += data
    except OSError:  # EIO: nobody has it open any more
        os.close(terminal)
    return seen
