"""A copy of the log that lies elsewhere: the branch that carries it, here or in another clone.

The fact not to miss: a copy is believed as far as its chain goes. Every line's body gives a digest,
the digests give the chain, and the chain at the end is told beside the copy; so a line that was
changed, left out or taken from another log is seen before it is used.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from typing import NamedTuple

from ..kernel.errors import GoodneighborError
from .delta import check
from .log import FIRST_CHAIN, Entry, own_entry
from .log_lines import lines_of


class LogCopy(NamedTuple):
    """A copy as it is handed in: the store knows neither git nor where it came from."""

    name: str  # for those who read what was done
    store_id: str
    position: int  # of its last event
    chain: str  # at that event, in hex; "" where nobody told
    texts: Callable[[], Iterable[bytes]]  # its segments, in order


class Line(NamedTuple):
    """One event of a copy; `rules` is a text that is new with it."""

    position: int
    entry: Entry
    chain: bytes
    rules: str | None


class CopyReader:
    """Reads a copy once, forward; past its first line that does not follow there is nothing."""

    def __init__(self, copy: LogCopy) -> None:
        self.name = copy.name
        self._lines = lines(copy)
        self._line = next(self._lines, None)

    def at(self, position: int) -> Line | None:
        """Return the event at a position not below the last one asked for; None without it."""
        while self._line is not None and self._line.position < position:
            self._line = next(self._lines, None)
        found = self._line
        return found if found is not None and found.position == position else None


def lines(copy: LogCopy) -> Iterator[Line]:
    """Yield the events of a copy, as far as they follow one another."""
    chain = FIRST_CHAIN
    position = 0
    for text in copy.texts():
        for written in text.removesuffix(b"\n").split(b"\n"):
            line = _line(written, position + 1, chain)
            if line is None:
                return
            yield line
            position, chain = line.position, line.chain


def fault(copy: LogCopy) -> str:
    """Tell what keeps a copy from being believed; "" when its chain ends as was told."""
    position, chain = 0, FIRST_CHAIN
    for line in lines(copy):
        position, chain = line.position, line.chain
    if position < copy.position:
        return f"it can be followed up to event {position} of {copy.position}"
    if copy.chain and chain.hex() != copy.chain:
        return "its chain does not end as its commit says"
    return ""


def _line(written: bytes, position: int, chain: bytes) -> Line | None:
    try:
        (said, body), *_ = lines_of(written)
        entry = _entry(said, body)
    except (ValueError, KeyError, TypeError, GoodneighborError):
        return None
    if said["position"] != position:
        return None
    rules = said.get("rules")
    follows = sha256(chain + entry.digest).digest()
    return Line(position, entry, follows, rules if isinstance(rules, str) else None)


def _entry(said: dict[str, object], body: bytes) -> Entry:
    frame, stream, received_us = said["frame"], said["stream"], said["received_us"]
    if not (isinstance(frame, int) and isinstance(stream, str) and isinstance(received_us, int)):
        raise TypeError
    if said["kind"] == "close":
        json.loads(body)
        return Entry("close", frame, None, stream, received_us, body)
    if said["kind"] == "own":
        return own_entry(body, frame, stream, received_us)
    utc_us = check(body, frame=frame, stream=stream, limits=False).utc_us
    return Entry("delta", frame, utc_us, stream, received_us, body)
