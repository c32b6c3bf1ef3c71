"""One frame of a run: its streams started staggered, listened to until all are over, then closed.

    open the frame -> launch, hear, finish ... each stream -> close, export

Everything waits in one place, `_wait`: for what keepers tell, for the next start, for a signal.
"""

import os
import random
import select
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from ..store import FrameDetail
from ..store.step import reached
from . import close, process
from .close import Closing
from .launches import Launches
from .run_plan import Plan
from .run_show import Show
from .run_stream import ENDING, OVER, RUNNING, SETTLING, WAITING, Hands, RunStream

REFRESH_S = 0.25
WAIT_S_MAX = 3600.0
READ_SIZE = 2**12


@dataclass
class Stop:
    """The end that signals ask for: once asked for, it comes; asked again, without grace."""

    number: int = 0
    times: int = 0

    def ask(self, number: int) -> None:
        """Note a signal."""
        self.number = self.number or number
        self.times += 1


class Played(NamedTuple):
    """What a frame of a run came to."""

    streams: list[RunStream]
    closing: Closing
    detail: FrameDetail

    @property
    def has_all_reported(self) -> bool:
        status = {each.stream: each.status for each in self.detail.streams}
        return all(status[each.name.lower()] == "reported" for each in self.streams)


class RunFrame:
    """The streams of one frame at work; `play` returns when it has closed."""

    def __init__(
        self, hands: Hands, plan: Plan, show: Show, chance: Callable[[], float] = random.random
    ) -> None:
        self.streams = [RunStream(each) for each in plan.streams]
        self._hands = hands
        self._plan = plan
        self._show = show
        self._launches = Launches(plan.stagger_s, chance)
        self._told_to_end = 0

    def play(self, stop: Stop, awake: int) -> Played:
        """Run all streams to their end, and close the frame."""
        hands = self._hands
        hands.store.open_frame(hands.frame, self._plan.names)
        reached("run: frame opened")
        self._show.opened(hands.frame, self.streams)
        while True:
            now_s = time.monotonic()
            self._obey(stop)
            self._launch_next(now_s)
            self._settle()
            self._show.refresh(self.streams, now_s)
            if all(each.state == OVER for each in self.streams):
                break
            self._wait(awake)
        self._show.done(self.streams)
        reached("run: streams over")
        closing = close.close(hands.where, hands.store, hands.frame, expect=(), wait_s=0.0)
        reached("run: frame closed")
        closing.gathered.add(hands.gathered)
        detail = hands.store.frame(hands.frame)
        assert detail is not None, "it has just been closed"
        return Played(self.streams, closing, detail)

    def abandon(self) -> None:
        """End all that still runs, because something of ours went wrong."""
        for each in self.streams:
            each.end(at_once=True)
            while each.keeper is not None and not each.keeper.has_ended:
                each.keeper.read()

    def _obey(self, stop: Stop) -> None:
        if stop.times <= self._told_to_end:
            return
        self._told_to_end = stop.times
        self._show.stopping(stop.number)
        for each in self.streams:
            each.end(at_once=stop.times > 1)

    def _due_s(self) -> float | None:
        """Return when the next stream may start; None while none may, however long one waits."""
        running = [each for each in self.streams if each.state in (RUNNING, ENDING)]
        is_starting = any(each.started_s is None for each in running)
        is_any_waiting = any(each.state == WAITING for each in self.streams)
        if not is_any_waiting or is_starting or len(running) >= self._plan.parallel_max:
            return None
        return self._launches.due_s

    def _launch_next(self, now_s: float) -> None:
        due_s = self._due_s()
        if due_s is not None and due_s <= now_s:
            first = next(each for each in self.streams if each.state == WAITING)
            first.launch(self._hands, now_s)

    def _settle(self) -> None:
        """Settle the streams that have ended; tell the launches and the person of each."""
        for each in self.streams:
            if each.state == SETTLING:
                each.settle(self._hands)
                if each.state == SETTLING:
                    self._show.say(f"{each.name}: another holds the store; it is waited for")
                    continue
                if each.has_failed_to_start:
                    self._launches.failed(time.monotonic())
                self._show.ended(each)

    def _wait(self, awake: int) -> None:
        """Wait until something can happen, and hear whoever has something to tell."""
        by_descriptor = {
            each.keeper.descriptor: each
            for each in self.streams
            if each.keeper is not None and each.state in (RUNNING, ENDING)
        }
        poll = select.poll()
        for descriptor in (awake, *by_descriptor):
            poll.register(descriptor, select.POLLIN)
        is_soon = self._show.is_live or any(each.state == SETTLING for each in self.streams)
        wait_s = REFRESH_S if is_soon else WAIT_S_MAX
        due_s = self._due_s()
        if due_s is not None:
            wait_s = min(wait_s, max(0.0, due_s - time.monotonic()))
        for descriptor, _event in poll.poll(wait_s * 1000):
            if descriptor == awake:
                os.read(awake, READ_SIZE)
                process.reap_adopted()
            else:
                self._hear(by_descriptor[descriptor])

    def _hear(self, each: RunStream) -> None:
        had_started = each.started_s is not None
        each.hear(time.monotonic())
        if each.started_s is not None and not had_started:
            self._launches.started(each.started_s)
            self._show.started(each)
