"""What a `neighbor run` is asked to do: which streams run what, how many frames, how long.

From the command line, or from a table of `neighbor.toml` that it may change:

    [runs.fleet]
    streams = 4                      # stream-1 .. stream-4, or by name:
    # [runs.fleet.stream]
    # alice = "claude -p 'tidy the channels'"
    command = "./agent.sh"           # a line for sh, or a list of words
    timeout = "15m"
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from ..kernel.errors import DeltaRejected
from ..kernel.malformed import Malformed
from ..kernel.settings import seconds
from ..store.delta import check, fallback
from .errors import UsageInvalid
from .tree_life import Limits

STREAMS_MAX = 1000
FRAMES_MAX = 1_000_000
SHELL = ("/bin/sh", "-c")
HELP = "`neighbor run --help` shows how it is used."


class StreamPlan(NamedTuple):
    """One stream, and the command that it runs."""

    name: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """All of a run."""

    streams: tuple[StreamPlan, ...]
    frames: int
    stagger_s: float
    limits: Limits
    parallel_max: int

    @property
    def names(self) -> list[str]:
        """Return the streams' names in their order."""
        return [stream.name for stream in self.streams]


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A run as it is written: a table of `[runs]`, or what the command line says of one."""

    streams: int | None = None
    stream: dict[str, str | list[str] | None] | None = None
    command: str | list[str] | None = None
    frames: int = 1
    stagger: str = "3s"
    timeout: str = "1h"
    grace: str = "10s"
    max_parallel: int | None = None


def plan(table: Mapping[str, Any], where: str, said: Mapping[str, Any]) -> Plan:
    """Join a table of `[runs]` (`where` names it) with what the command line says.

    Raises:
        UsageInvalid: it names no streams, no command, or something that cannot be.
    """
    merged = {**table, **{key: value for key, value in said.items() if value is not None}}
    for key, other in (("streams", "stream"), ("stream", "streams")):
        if said.get(key) and not said.get(other):
            merged.pop(other, None)  # what is typed stands in for what is written
    try:
        asked = msgspec.convert(merged, Asked)
    except msgspec.ValidationError as error:
        raise UsageInvalid(f"{where}: {error}. {HELP}") from error
    streams = _streams(asked, where)
    return Plan(
        streams,
        _count(asked.frames, "frames", FRAMES_MAX, where),
        _seconds(asked.stagger, "stagger", where),
        Limits(_seconds(asked.timeout, "timeout", where), _seconds(asked.grace, "grace", where)),
        len(streams)
        if asked.max_parallel is None
        else _count(asked.max_parallel, "max_parallel", STREAMS_MAX, where),
    )


def read_streams(typed: Sequence[str]) -> dict[str, str | None] | None:
    """Read each `--stream ID` or `--stream 'ID=COMMAND'` as it is typed; None where there is none.

    Raises:
        UsageInvalid: a name comes twice, or its command is empty.
    """
    found: dict[str, str | None] = {}
    for text in typed:
        name, equals, command = text.partition("=")
        if name in found:
            raise UsageInvalid(f"--stream: {name!r} is there twice; a stream is one writer.")
        if equals and not command.strip():
            raise UsageInvalid(f"--stream {text!r}: behind the `=` stands what it runs.")
        found[name] = command if equals else None
    return found or None


def _streams(asked: Asked, where: str) -> tuple[StreamPlan, ...]:
    if (asked.streams is None) == (asked.stream is None):
        raise UsageInvalid(
            f"{where}: say how many streams (--streams 4) or which (--stream 'alice=./agent.sh'). "
            f"{HELP}"
        )
    if asked.stream is None:
        assert asked.streams is not None
        count = _count(asked.streams, "streams", STREAMS_MAX, where)
        named: dict[str, Any] = {f"stream-{number}": None for number in range(1, count + 1)}
    else:
        named = dict(asked.stream)
        _count(len(named), "streams", STREAMS_MAX, where)
    by_lower: dict[str, str] = {}
    for name in named:
        _check_name(name, where)
        other = by_lower.setdefault(name.lower(), name)
        if other != name:
            raise UsageInvalid(f"{where}: the streams {other!r} and {name!r} differ by case alone.")
    return tuple(
        StreamPlan(name, _command(asked.command if own is None else own, name, where))
        for name, own in named.items()
    )


def _check_name(name: str, where: str) -> None:
    try:
        check(fallback(0, name, "missing", 0))
    except DeltaRejected as error:
        raise UsageInvalid(f"{where}: {error}") from error


def _command(written: str | Sequence[str] | None, name: str, where: str) -> tuple[str, ...]:
    words = (*SHELL, written) if isinstance(written, str) else tuple(written or ())
    if not words or (not words[-1].strip() and isinstance(written, str)):
        raise UsageInvalid(
            f"{where}: nothing says what stream {name!r} runs; put it behind `--`. {HELP}"
        )
    if any("\0" in word for word in words):
        raise UsageInvalid(f"{where}: the command of stream {name!r} holds a NUL.")
    return words


def _count(number: int, what: str, most: int, where: str) -> int:
    if not 1 <= number <= most:
        raise UsageInvalid(f"{where}: {what} is {number}; it must be 1 to {most:,}.")
    return number


def _seconds(text: str, what: str, where: str) -> float:
    try:
        return seconds(text)
    except Malformed as malformed:
        raise UsageInvalid(f"{where}: {what}: {malformed.reason}.") from malformed
