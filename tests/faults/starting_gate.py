"""A gate that processes wait behind until all are there, and what they count once it is open.

It is made before they are forked: the pipes and the memory are the same for all.
"""

import mmap
import os

_SIZE = 8  # of a number
_SHUT, _FRAME, _FIRST = 0, 1, 2


class Gate:
    """Shut, open for a while, shut for good; each process writes its own count alone."""

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._memory = mmap.mmap(-1, (_FIRST + processes) * _SIZE)
        self._numbers = memoryview(self._memory).cast("q")
        self._numbers[_FRAME] = 1
        self._ready, self._say_ready = os.pipe()
        self._go, self._hold = os.pipe()

    @property
    def is_shut(self) -> bool:
        """Say whether the window is over."""
        return bool(self._numbers[_SHUT])

    @property
    def frame(self) -> int:
        """The frame that is open now."""
        return self._numbers[_FRAME]

    @property
    def counts(self) -> list[int]:
        """What each process counted."""
        return self._numbers[_FIRST:].tolist()

    def count(self, number: int) -> None:
        """Count one for a process."""
        self._numbers[_FIRST + number] += 1

    def next_frame(self) -> int:
        """Open the next frame; return the one that was open. Two at once may get the same."""
        frame = self._numbers[_FRAME]
        self._numbers[_FRAME] = frame + 1
        return frame

    def wait(self) -> None:
        """Say that this process is ready, and wait until all are."""
        os.close(self._hold)
        os.write(self._say_ready, b"r")
        os.close(self._say_ready)
        os.read(self._go, 1)  # the end of it, once the parent lets go

    def open(self) -> None:
        """Let all go once each is ready; one that died before is missing."""
        os.close(self._say_ready)
        ready = 0
        while read := os.read(self._ready, self._processes):
            ready += len(read)
        os.close(self._hold)
        assert ready == self._processes, f"{ready} of {self._processes} processes came to the gate"

    def shut(self) -> None:
        """Shut the window for good."""
        self._numbers[_SHUT] = 1
