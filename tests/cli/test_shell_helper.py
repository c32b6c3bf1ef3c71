"""The shell helper cleans up once however a script ends, and bounds a program with all it starts.

In the shells that people have (rule 8), zsh in its own mode too.
"""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from goodneighbor.cli.shell_helper import SOURCE, fragment

from .conftest import Neighbor
from .test_guard_shells import needed

SHELLS = ("dash", "bash", "bash --posix", "busybox ash", "mksh", "zsh")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Script = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture(params=SHELLS)
def script(request: pytest.FixtureRequest, tmp_path: Path) -> Script:
    """Run a script behind the fragment in one of the shells, in a session of its own."""
    shell, *options = str(request.param).split()
    program = needed(shell)
    file = tmp_path / "script.sh"

    def run(text: str) -> "subprocess.Popen[str]":
        file.write_text(f"set -eu\n{fragment()}\n{text}", encoding="utf-8")
        return subprocess.Popen(
            [program, *options, file],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return run


def ended(process: "subprocess.Popen[str]") -> tuple[int, list[str]]:
    """Return how a script ended, and what it printed."""
    out, _err = process.communicate(timeout=60)
    return process.returncode, out.split()


@pytest.mark.parametrize(("last", "code"), [("true", 0), ("false", 1), ("exit 7", 7)])
def test_it_cleans_once_the_last_first(script: Script, last: str, code: int) -> None:
    text = f"neighbor_at_exit 'echo first'\nneighbor_at_exit 'echo second'\n{last}\n"
    assert ended(script(text)) == (code, ["second", "first"])


def test_a_program_gets_its_input_and_its_code_comes_through(script: Script) -> None:
    text = "echo in | neighbor_bounded 20s cat\nneighbor_bounded 20s sh -c 'exit 9' || echo $?\n"
    assert ended(script(text)) == (0, ["in", "9"])


def test_time_over_ends_the_grandchildren_too(script: Script, tmp_path: Path) -> None:
    kept = "sh -c 'echo $$ >pid; sleep 999 & wait'"
    code, out = ended(script(f'neighbor_bounded 1s {kept} || echo "$?"\n'))
    assert (code, out) == (0, ["124"])
    assert not _lives(int((tmp_path / "pid").read_text("utf-8")))


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_all_of_it_once(
    script: Script, number: signal.Signals, tmp_path: Path
) -> None:
    """The script goes no further, and dies of the signal (some shells: ends in 128 and it)."""
    with script(
        "neighbor_at_exit 'echo cleaned'\n"
        "neighbor_bounded 99s sh -c 'echo $$ >pid; echo up; sleep 999 & wait'\n"
        "echo further\n"
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(number)
        assert process.stdout.read() == "cleaned\n"
    assert process.returncode in (-number, 128 + number)
    assert not _lives(int((tmp_path / "pid").read_text("utf-8")))


def test_shellcheck_finds_nothing() -> None:
    program = needed("shellcheck")
    subprocess.run([program, "--norc", "--severity=style", SOURCE], check=True)


def test_it_names_this_program_by_its_path(neighbor: Neighbor) -> None:
    text = neighbor("shell-helper").text
    assert text.startswith(("neighbor_program=/", "neighbor_program='/"))
    assert neighbor("shell-helper", "--json").json == {"shell": text}


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
