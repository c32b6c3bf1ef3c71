"""Scripts branch on exit codes: 0 done, 1 found, 2 usage, 3 refused, 4 damage, 5 busy."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from goodneighbor.cli.exits import code_of
from goodneighbor.kernel import DeltaRejected, RulesInvalid
from goodneighbor.kernel.errors import GoodneighborError
from goodneighbor.store.errors import (
    Refused,
    StoreBusy,
    StoreDamaged,
    StoreMissing,
    StoreUnwritable,
)
from goodneighbor.store.lock import StoreLock

from .. import fleet
from .conftest import Neighbor

COMMAND = [sys.executable, "-m", "goodneighbor.cli"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DeltaRejected("x"), 3),
        (RulesInvalid(1, "x"), 3),
        (Refused("x"), 3),
        (StoreMissing("x"), 3),
        (StoreDamaged("x", "y"), 4),
        (StoreBusy("x", 1.0), 5),
        (StoreUnwritable("x", OSError(28, "No space left on device"), "not kept"), 3),
        (StoreUnwritable("x", OSError(5, "Input/output error"), "unknown"), 4),
        (StoreUnwritable("x", OSError(28, "No space left on device"), "unfinished"), 4),
    ],
)
def test_an_error_ends_in_the_code_of_its_decision(error: GoodneighborError, code: int) -> None:
    assert code_of(error) == code


def test_0_done(taken_in: Path, neighbor: Neighbor) -> None:
    assert neighbor("status", code=0).err == ""


def test_1_a_check_found_something(taken_in: Path, neighbor: Neighbor) -> None:
    neighbor("append", stdin=fleet.delta(1, "s1", fleet.post(1, "ada")))
    neighbor("frame", "close", "1")
    (taken_in / "state" / "stats.json").write_text("{}")
    neighbor("export", "--check", code=1)
    neighbor("verify", code=1)
    neighbor("export")
    neighbor("show", "/agents/nobody", code=1)


def test_2_usage(taken_in: Path, neighbor: Neighbor) -> None:
    assert "No such command 'fraim'" in neighbor("fraim", code=2).err
    assert "No such option" in neighbor("status", "--fraim", code=2).err
    assert "no option --fraim" in neighbor("append", "--fraim", code=2).err
    assert "'abc' is not a valid integer" in neighbor("frame", "close", "abc", code=2).err
    assert "no duration" in neighbor("frame", "close", "1", "--wait", "soon", code=2).err


def test_3_refused(
    taken_in: Path, neighbor: Neighbor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    neighbor("append", stdin=b"not json", code=3)
    monkeypatch.chdir(tmp_path)
    assert "Not in a git repository" in neighbor("status", code=3).err
    assert "Not in a git repository" in neighbor("append", stdin=b"{}", code=3).err


def test_3_refused_where_no_store_is_yet(site: Path, neighbor: Neighbor) -> None:
    for words in (("append",), ("status",), ("drain",), ("frame", "close", "1"), ("verify",)):
        assert "neighbor init" in neighbor(*words, stdin=b"{}", code=3).err


def test_4_damage(site: Path, neighbor: Neighbor) -> None:
    (site / "neighbor.toml").write_text(fleet.RULES)
    neighbor("init")
    neighbor("append", stdin=fleet.delta(1, "s1", fleet.post(1, "ada")))
    neighbor("frame", "close", "1")
    database = site / ".git" / "goodneighbor" / "store.sqlite3"
    data = database.read_bytes()
    database.write_bytes(data.replace(b'"title":"Post 1"', b'"title":"Post 2"'))
    assert "next: neighbor recover" in neighbor("verify", code=1).text
    for segment in (site / ".git" / "goodneighbor" / "mailbox").iterdir():
        segment.unlink()
    result = neighbor("verify", code=4)
    assert "nothing holds another copy" in result.text
    neighbor("recover", code=4)


def test_5_busy_after_a_bounded_wait(taken_in: Path, neighbor: Neighbor) -> None:
    """The lock is held by this very process's parent here; the command is one of its own."""
    with StoreLock(taken_in / ".git" / "goodneighbor", who="the test"):
        done = subprocess.run(
            [*COMMAND, "drain"], capture_output=True, text=True, check=False, timeout=60
        )
    assert done.returncode == 5
    assert "busy" in done.stderr
    assert "the test" in done.stderr


def test_append_does_not_wait_for_the_lock(taken_in: Path, neighbor: Neighbor) -> None:
    with StoreLock(taken_in / ".git" / "goodneighbor"):
        neighbor("append", stdin=fleet.delta(1, "s1"))


def test_errors_go_to_stderr_and_answers_to_stdout(taken_in: Path, neighbor: Neighbor) -> None:
    refused = neighbor("append", stdin=b"not json", code=3)
    assert refused.out == b""
    assert refused.err
    assert neighbor("status").err == ""


def test_an_interrupt_ends_in_130_and_says_so(taken_in: Path) -> None:
    """A close that waits for a stream is interrupted as a terminal does it."""
    waiting = [*COMMAND, "frame", "close", "1", "--expect", "s1", "--wait", "60s"]
    with subprocess.Popen(waiting, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "Waiting" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert "Interrupted" in process.stderr.read()
    assert process.returncode == 130


def test_a_reader_that_went_away_is_no_error(taken_in: Path, neighbor: Neighbor) -> None:
    neighbor("frame", "close", "1")
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*COMMAND, "show", "/agents"], stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert done.returncode == 141
    assert done.stderr == b""
