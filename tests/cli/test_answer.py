"""Answers: JSON whose shape programs may rely on, plain text in a pipe, colour on a terminal."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from goodneighbor.cli.answer import aligned, counted

from .. import fleet
from .conftest import Neighbor

SHAPES = {
    "append": {"appended", "rejected"},
    "drain": {"events", "copies", "quarantined"},
    "frame open 2": {"frame", "streams"},
    "frame list": {"frames"},
    "frame show 1": {
        *("frame", "state", "rules", "state_digest", "streams", "events", "units_in", "applied"),
        *("duplicate", "skipped", "optional_skipped", "late", "unapplied", "ahead", "commit"),
    },
    "frame close 2": {
        *(
            "frame",
            "folded",
            "fallbacks",
            "rules_error",
            "state_digest",
            "gathered",
            "export",
            "edits",
        ),
    },
    "export": {"written", "unchanged", "refused", "saved"},
    "export --check": {"written", "unchanged", "refused", "saved"},
    "doctor": {"findings", "mended"},
    "replay --check": {"frames", "state_digest", "differs", "changed"},
    "verify": {"faults", "lost"},
    "show /agents/ada": {"path", "value"},
    "status": {
        *("store_id", "folder", "state_digest", "events", "copies", "documents", "open", "closed"),
        *("last", "unapplied", "empty_frames", "quarantined", "waiting_bytes", "mailbox_bytes"),
    },
    "quarantine list": {"quarantine"},
    "quarantine show 1": {"id", "source", "received_us", "reason", "size", "body"},
}


@pytest.mark.parametrize("words", SHAPES)
def test_the_shape_of_json_answers_is_stable(
    words: str, taken_in: Path, neighbor: Neighbor
) -> None:
    neighbor("append", stdin=fleet.delta(1, "s1", fleet.post(1, "ada")))
    neighbor("append", stdin=b"not json", code=3)
    neighbor("frame", "close", "1")
    code = 1 if words == "doctor" else 0  # this site has no guard
    answer = neighbor(*words.split(), "--json", stdin=fleet.delta(1, "s2"), code=code).json
    assert set(answer) == SHAPES[words]


def test_columns_stand_below_each_other() -> None:
    lines = aligned([["a", "number"], ["bcd", "7"], ["ä", "1234567"]], [False, True])
    assert lines == ["a      number", "bcd         7", "ä     1234567"]


def test_numbers_carry_their_noun() -> None:
    assert counted(1, "event") == "1 event"
    assert counted(0, "event") == "0 events"
    assert counted(1024, "copy", "copies") == "1,024 copies"


def test_a_terminal_gets_bold_headings_and_a_pipe_gets_none(
    taken_in: Path, neighbor: Neighbor
) -> None:
    neighbor("frame", "close", "1")
    assert b"\x1b" not in neighbor("frame", "list").out
    shown = _on_a_terminal("frame", "list")
    assert b"\x1b[1m" in shown
    assert b"closed" in shown


def test_a_name_with_markup_is_shown_as_it_is(taken_in: Path, neighbor: Neighbor) -> None:
    """rich would take [red] for a colour, and a file's name may hold it."""
    folder = taken_in / "state" / "stream_deltas"
    folder.mkdir()
    (folder / "[red]x.json").write_bytes(b"garbage")
    neighbor("frame", "close", "1")
    assert b"[red]x.json" in _on_a_terminal("quarantine", "list").replace(b"\r\n", b"")


def _on_a_terminal(*words: str) -> bytes:
    """Run a command with a terminal for its output, 250 columns wide, and return all of it."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "goodneighbor.cli", *words]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "250"}
    with subprocess.Popen(command, stdout=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # Linux tells the end of a terminal so
                break
            if not part:
                break
            shown += part
    os.close(ours)
    assert process.returncode == 0
    return shown
