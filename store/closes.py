"""The closes in the log, and the rules they name: what `schedule.py` is given to decide by.

A close is an event like any other. Its body says all that folding depends on: frame, expected
streams, digest of the rules, the window it grants (`reopen`), the version of the fold.
"""

import json
from collections.abc import Sequence
from functools import lru_cache

from ..kernel import Rules
from .engine import Cursor
from .errors import StoreDamaged
from .log import LOWEST, Entry
from .schedule import Close


def entry(
    frame: int,
    streams: Sequence[str],
    reopen: int,
    rules: bytes,
    *,
    after: int,
    now_us: int,
    fold: int,
) -> Entry:
    """Make a close event. It names its own position, or closing twice would be one event."""
    body = {
        "close": frame,
        "fold": fold,
        "position": after + 1,
        "reopen": reopen,
        "rules": rules.hex(),
        "streams": sorted(streams),
    }
    written = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return Entry("close", frame, None, "", now_us, written.encode())


def since(cursor: Cursor, frame: int | None = None) -> list[Close]:
    """Return the closes at or above a frame (all without one), in the order of the log."""
    cursor.execute(
        "SELECT position, frame, body FROM event WHERE kind = 'close' AND frame >= ?"
        " ORDER BY frame, position",  # as they stand; by position alone SQLite walks all of the log
        (LOWEST if frame is None else frame,),
    )
    return [_close(*row) for row in cursor]


def last(cursor: Cursor) -> Close | None:
    """Return the newest close; None in a log that has none yet."""
    row = cursor.execute(
        "SELECT position, frame, body FROM event WHERE kind = 'close'"
        " ORDER BY frame DESC, position DESC LIMIT 1"
    ).fetchone()
    return None if row is None else _close(*row)


def put_rules(cursor: Cursor, digest: bytes, text: str) -> None:
    """Keep the text of rules that a close is about to name."""
    cursor.execute(
        "INSERT INTO rules (digest, text) VALUES (?, ?) ON CONFLICT (digest) DO NOTHING",
        (digest, text),
    )


def rules_text(cursor: Cursor, digest: bytes) -> str:
    """Return the text of rules that a close names."""
    row = cursor.execute("SELECT text FROM rules WHERE digest = ?", (digest,)).fetchone()
    if row is None:
        raise StoreDamaged(f"rules {digest.hex()[:12]}", "a close names them; they are not there")
    return str(row[0])


def rules(cursor: Cursor, digest: bytes) -> Rules:
    """Return rules that a close names, checked and ready; parsed once in a process."""
    return _parsed(rules_text(cursor, digest))


def rules_in_force(cursor: Cursor) -> Rules:
    """Return the rules of the newest close."""
    newest = last(cursor)
    assert newest is not None, "a store's first event names its rules"
    return rules(cursor, newest.rules)


@lru_cache(maxsize=16)
def _parsed(text: str) -> Rules:
    return Rules.parse(text)


def _close(position: int, frame: int, body: bytes) -> Close:
    try:
        said = json.loads(body)
        return Close(position, frame, int(said["reopen"]), bytes.fromhex(said["rules"]))
    except (ValueError, KeyError, TypeError) as error:
        raise StoreDamaged(f"event {position}", "this close cannot be read") from error
