"""When the next stream may start: staggered, with jitter, and slower when starts fail (rule 5).

    start -- stagger .. stagger + a quarter of it --> start -- failed: twice as long --> start

Pure: the clock's times and the chance come in. The jitter only adds, so that two starts are never
closer than the stagger.
"""

from collections.abc import Callable

JITTER = 0.25  # of the stagger, at most
BACKOFF_S_MIN = 0.1  # what is doubled where there is no stagger
BACKOFF_S_MAX = 60.0
FAILURES_MAX = 10  # in a row that still make a difference


class Launches:
    """The starts of one run so far, and when the next one is due."""

    def __init__(self, stagger_s: float, chance: Callable[[], float]) -> None:
        self._stagger_s = stagger_s
        self._chance = chance  # from 0 up to 1
        self._failures = 0
        self.due_s = float("-inf")

    def started(self, at_s: float) -> None:
        """Note that a stream started."""
        self._failures = 0
        self._wait(at_s, self._stagger_s)

    def failed(self, at_s: float) -> None:
        """Note that a stream could not start: the machine, the disk or the service may be short."""
        self._failures = min(self._failures + 1, FAILURES_MAX)
        pause_s = max(self._stagger_s, BACKOFF_S_MIN) * 2.0**self._failures
        self._wait(at_s, max(self._stagger_s, min(pause_s, BACKOFF_S_MAX)))

    def _wait(self, at_s: float, pause_s: float) -> None:
        self.due_s = max(self.due_s, at_s + pause_s + self._stagger_s * JITTER * self._chance())
