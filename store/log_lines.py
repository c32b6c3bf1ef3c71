"""Log segments as text: one event a line, for the branch that carries the log.

The fact not to miss: `body` comes last and as it was logged, byte for byte, so a reader finds it
behind the first `,"body":` (inside a string its quotes would be escaped), and the event's digest
can be checked without parsing it.

    {"position":7,"received_us":...,"kind":"delta","frame":405,"stream":"stream-1","body":{...}}
    {"position":8,...,"kind":"close",...,"rules":"their text, when new","body":{}}
"""

import json
from collections.abc import Iterator
from typing import NamedTuple

from . import closes, log
from .engine import Cursor
from .log import EventRow


class LogLines(NamedTuple):
    """Events as lines, and the chain's digest at the last of them."""

    first: int
    last: int
    chain: str
    text: bytes


def log_lines(cursor: Cursor, first: int, last: int) -> LogLines:
    """Write the events from `first` to `last` as lines."""
    lines, chain = [], ""
    named: set[bytes] | None = None
    for row in _rows(cursor, first, last):
        rules = None
        if row.kind == "close":
            digest = bytes.fromhex(json.loads(row.body)["rules"])
            named = _named(cursor, first) if named is None else named
            if digest not in named:
                named.add(digest)
                rules = closes.rules_text(cursor, digest)
        lines.append(_line(row, rules))
        chain = row.chain.hex()
    return LogLines(first, last, chain, b"".join(lines))


def _rows(cursor: Cursor, first: int, last: int) -> list[EventRow]:
    rows = []
    for row in log.read(cursor, first):
        if row.position > last:
            break
        rows.append(row)
    return rows


def _named(cursor: Cursor, first: int) -> set[bytes]:
    """Return the digests of the rules that closes below a position name."""
    return {close.rules for close in closes.since(cursor) if close.position < first}


def _line(row: EventRow, rules: str | None) -> bytes:
    head: dict[str, object] = {
        "position": row.position,
        "received_us": row.received_us,
        "kind": row.kind,
        "frame": row.frame,
        "stream": row.stream,
    }
    if rules is not None:
        head["rules"] = rules
    written = json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode()
    return written[:-1] + b',"body":' + row.body + b"}\n"


def lines_of(text: bytes) -> Iterator[tuple[dict[str, object], bytes]]:
    """Yield (what stands beside the body, the body's bytes) of each line of a segment."""
    for line in text.removesuffix(b"\n").split(b"\n"):
        head, _, body = line.partition(b',"body":')
        yield json.loads(head + b"}"), body[:-1]
