"""What a command prints, kept in bounded space: a log on disk, and the last lines in memory.

A log holds the beginning of what was printed and, where that was too much, its end; between them
one line says how many bytes were left out. A disk that is full costs log, never the command.
"""

import os
from collections import deque
from pathlib import Path

HEAD_SIZE_MAX = 8 * 2**20  # of a log; what comes then is kept in memory, the last of it
TAIL_SIZE_MAX = 256 * 2**10
LINES_MAX = 20
LINE_SIZE_MAX = 400  # bytes; what is longer is cut


class StreamLog:
    """A log file of at most `HEAD_SIZE_MAX` + `TAIL_SIZE_MAX` bytes and a line."""

    def __init__(self, file: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            self._descriptor = os.open(file, flags, 0o600)
        except OSError:
            self._descriptor = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        self._room = HEAD_SIZE_MAX
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self._lost = 0

    def write(self, data: bytes) -> None:
        """Keep what was printed, or as much of it as there is room for."""
        head, rest = data[: self._room], data[self._room :]
        if head:
            self._room -= len(head)
            self._put(head)
        if not rest:
            return
        self._tail.append(rest)
        self._tail_size += len(rest)
        while self._tail_size - len(self._tail[0]) >= TAIL_SIZE_MAX:
            gone = self._tail.popleft()
            self._tail_size -= len(gone)
            self._lost += len(gone)

    def close(self) -> None:
        """Put the end of what was printed behind its beginning."""
        tail = b"".join(self._tail)
        lost = self._lost + max(0, len(tail) - TAIL_SIZE_MAX)
        if lost:
            self._put(b"\n[neighbor: %d bytes are left out here]\n" % lost)
        self._put(tail[-TAIL_SIZE_MAX:])
        os.close(self._descriptor)

    def _put(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except OSError:  # no room: the command goes on, and the close says what is missing
                self._lost += len(data)
                return


class LastLines:
    """The last lines that were printed, each cut at `LINE_SIZE_MAX`; empty ones do not count."""

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque(maxlen=LINES_MAX)
        self._begun = b""  # a line without its end

    def write(self, data: bytes) -> None:
        """See what was printed."""
        whole, _end, begun = (self._begun + data).rpartition(b"\n")
        self._begun = begun[: LINE_SIZE_MAX + 1]
        found: list[bytes] = []
        while whole and len(found) < LINES_MAX:  # from the end: most of it is never looked at
            rest, *parts = whole.rsplit(b"\n", LINES_MAX)
            is_all = len(parts) < LINES_MAX
            found = [line for line in ([rest, *parts] if is_all else parts) if line.strip()] + found
            whole = b"" if is_all else rest
        self._lines.extend(line[:LINE_SIZE_MAX] for line in found[-LINES_MAX:])

    def texts(self) -> list[str]:
        """Return the lines as printable text, the oldest first."""
        begun = [self._begun[:LINE_SIZE_MAX]] if self._begun.strip() else []
        return [printable(line) for line in [*self._lines, *begun][-LINES_MAX:]]

    def last(self) -> str:
        """Return the last line, or "" before there is one."""
        return (self.texts() or [""])[-1]


def printable(line: bytes) -> str:
    """Make a line that no terminal takes for anything but text, whatever was printed."""
    text = line.decode("utf-8", "replace").rstrip()
    text = text.rsplit("\r", 1)[-1]  # progress bars write over themselves
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
