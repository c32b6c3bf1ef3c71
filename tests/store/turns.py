"""Handles of one store that take turns: each waits after its batch until the others wait too."""

import threading
import time
from collections.abc import Callable
from itertools import groupby

from goodneighbor.store import Store
from goodneighbor.store.step import watch

from .. import fleet

BATCH, BATCHES = 5, 12
TURN = 2  # batches
NOTES = BATCH * BATCHES - 1
WAIT_S = 60.0  # for what must come: a busy machine is no fault
LOOK_S = 0.001


class Turns:
    """Who took a batch in, in order; each waits after its own until all others wait too, or end.

    So who gives way gives way to somebody.
    """

    def __init__(self, *handles: Store, is_awaited: Callable[[], bool]) -> None:
        self.batches: list[str] = []
        self._is_awaited = is_awaited
        self._handles = handles
        self._left = len(handles)

    def play(self, *calls: Callable[[Store], object]) -> None:
        threads = [
            threading.Thread(target=self._run, args=(call, handle), name=f"handle {number}")
            for number, (call, handle) in enumerate(zip(calls, self._handles, strict=True))
        ]
        watch(self._reached)
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(WAIT_S)
        finally:
            watch(None)
        assert self._left == 0, "a call did not end"

    def _run(self, call: Callable[[Store], object], handle: Store) -> None:
        call(handle)
        self._left -= 1

    def _reached(self, step: str) -> None:
        if step == "drain: committed":
            self.batches.append(threading.current_thread().name)
            wait_until(lambda: self._left < len(self._handles) or self._is_awaited())


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline_s, "it did not come"
        time.sleep(LOOK_S)


def lengths(batches: list[str]) -> list[int]:
    """Return how many batches there are in each turn."""
    return [len(list(each)) for _, each in groupby(batches)]


def fill(store: Store, frame: int = 1, first: int = 0) -> None:
    """Append as many batches of notes as a drain is to take in."""
    numbers = range(first, first + NOTES)
    store.append_many([fleet.delta(frame, f"s{each}", fleet.post(each, "ada")) for each in numbers])
