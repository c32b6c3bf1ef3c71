"""What processes said before they died: lines in a file that their death does not take back."""

import json
import os
from pathlib import Path
from typing import NamedTuple


class Line(NamedTuple):
    """One thing a process said: who, what kind of thing, and the words that belong to it."""

    who: str
    kind: str
    words: list[str]


class Journal:
    """One process's pen on the file. A line is one write, so many may write at once.

    A kill may end a write where a page of the file ends. So a line begins with its newline: what
    was half said stands by itself, and was not said.
    """

    def __init__(self, path: Path, who: str) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
        self._who = who

    def say(self, kind: str, *words: object) -> None:
        """Write a line; it is there for the parent once this returns, whatever comes next."""
        line = json.dumps([self._who, kind, [str(word) for word in words]])
        os.write(self._descriptor, f"\n{line}".encode())

    def close(self) -> None:
        """Put the pen down."""
        os.close(self._descriptor)


def lines(path: Path, kind: str | None = None) -> list[Line]:
    """Return what was said, or what of one kind was."""
    if not path.exists():
        return []
    said = [_read(line) for line in path.read_text("utf-8").split("\n")]
    return [line for line in said if line is not None and kind in (None, line.kind)]


def _read(line: str) -> Line | None:
    """Read a line; None for one that was only half said: the list it is does not close."""
    return Line(*json.loads(line)) if line.endswith("]]") else None
