"""Microseconds since 1970, never the same twice for one writer.

The clock is passed in wherever time is read, so that tests and crash harnesses own it.
"""

from time import time_ns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def now_us() -> int:
    """Read the system's clock, in microseconds since 1970 UTC."""
    return time_ns() // 1000


class Clock:
    """A clock that goes forward only, also while the system's is set back."""

    __slots__ = ("_last_us", "_source")

    def __init__(self, source: "Callable[[], int]" = now_us) -> None:
        self._source = source
        self._last_us = -(2**63)

    def tick(self) -> int:
        """Return the time in microseconds, at least one more than the last time."""
        self._last_us = max(self._source(), self._last_us + 1)
        return self._last_us
