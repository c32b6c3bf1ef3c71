"""Plain delta files, taken in as they lie.

Agents write deltas with whatever they have, and into the same file again (up to 17 times). So a
file is known by its content: once taken, other content under its name is quarantined as
`rewritten`, and the same content under another name is a copy of the same event.

    known       lay there when the store was made: merged already
    half        ends inside a value: still being written, looked at again next time; refused where
                nobody writes any more
    collected   an event, or a copy of one

Regular files only, through no symlink. Nothing is deleted here: git may track them, and the store
knows no git; `taken` names the files whose content is in the log.
"""

import errno
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from ..kernel.errors import DeltaRejected, JsonEndsEarly
from . import ingest, log
from .delta import Delta, check
from .engine import Cursor
from .log import Refusal
from .seal import seal
from .segment import BODY_SIZE_MAX, REJECTED, Note

KNOWN = "known"


class Beside(NamedTuple):
    """What is known beside files: frame and stream where they lack them, and whose tree it is."""

    frame: int | None = None
    stream: str | None = None
    frame_template: str | None = None
    stream_template: str | None = None
    tree: str = ""  # tells a worktree from the next one at the same path
    is_over: bool = False  # nobody writes there any more: half a file stays half


@dataclass
class Collected:
    """What became of files, by path."""

    events: int = 0
    copies: int = 0
    taken: list[Path] = field(default_factory=list)  # their content is in the log
    known: list[Path] = field(default_factory=list)
    waiting: list[Path] = field(default_factory=list)  # half written
    left: list[tuple[Path, str]] = field(default_factory=list)  # not a regular file, unreadable
    quarantined: list[Refusal] = field(default_factory=list)


def note_known(cursor: Cursor, paths: Iterable[Path], now_us: int) -> int:
    """Note files as merged already; return how many there are. Unreadable ones are passed over."""
    count = 0
    for path in paths:
        data = _read(path)
        if isinstance(data, bytes):
            _put(cursor, str(path), data, _identity(data), 1, now_us)
            count += 1
    return count


def unknown(cursor: Cursor, paths: Iterable[Path]) -> list[Path]:
    """Return the files that hold a delta which is neither in the log nor noted as known."""
    found = []
    for path in paths:
        data = _read(path)
        identity = _identity(data) if isinstance(data, bytes) else None
        if identity is not None and log.position_of(cursor, identity) is None:
            row = cursor.execute("SELECT 1 FROM collected WHERE id = ?", (identity,)).fetchone()
            if row is None:
                found.append(path)
    return found


def collect(cursor: Cursor, paths: Iterable[Path], beside: Beside, now_us: int) -> Collected:
    """Take files in, in the transaction of `cursor`; the caller holds the store's lock."""
    collected = Collected()
    for path in sorted(paths):
        data = _read(path)
        if isinstance(data, str):
            collected.left.append((path, data))
        else:
            _collect_file(cursor, path, data, beside, now_us, collected)
    return collected


def _collect_file(
    cursor: Cursor, path: Path, data: bytes, beside: Beside, now_us: int, collected: Collected
) -> None:
    key = f"{beside.tree}{path}"
    before = cursor.execute(
        "SELECT digest, id, known FROM collected WHERE path = ?", (key,)
    ).fetchone()
    if before is not None and before[0] == sha256(data).digest():
        _tell_before(path, before[1], before[2], collected)
        return
    try:
        frame, stream = _beside(data, beside)
        delta = check(data, frame=frame, stream=stream)
    except DeltaRejected as error:
        if isinstance(error, JsonEndsEarly) and not beside.is_over:
            collected.waiting.append(path)
            return
        _refuse(cursor, key, data, error.reason, str(error), now_us, collected)
        return
    if before is not None and before[1] == delta.id:
        _put(cursor, key, data, delta.id, before[2], now_us)  # the same delta in other white space
        _tell_before(path, before[1], before[2], collected)
    elif before is not None and before[1] is not None:
        text = f"{path} was taken in with other content before."
        _refuse(cursor, key, data, "rewritten", text, now_us, collected)
    else:
        is_known = _is_known(cursor, delta)
        _put(cursor, key, data, delta.id, int(is_known), now_us)
        if is_known:
            collected.known.append(path)
        else:
            _take(cursor, path, key, delta, now_us, collected)


def _take(
    cursor: Cursor, path: Path, source: str, delta: Delta, now_us: int, collected: Collected
) -> None:
    note = Note(
        delta.body,
        received_us=now_us,
        source=source,
        frame=delta.frame,
        stream=delta.stream,
    )
    taken = log.take(cursor, [note])
    collected.events += len(taken.events)
    collected.copies += len(taken.copies)
    collected.taken.append(path)


def _is_known(cursor: Cursor, delta: Delta) -> bool:
    """Tell whether a delta lay there when the store was made, under whatever name."""
    row = cursor.execute(
        "SELECT 1 FROM collected WHERE id = ? AND known = 1", (delta.id,)
    ).fetchone()
    return row is not None


def _tell_before(path: Path, identity: bytes | None, known: int, collected: Collected) -> None:
    if known:
        collected.known.append(path)
    elif identity is not None:
        collected.taken.append(path)


def _refuse(
    cursor: Cursor,
    source: str,
    data: bytes,
    reason: str,
    text: str,
    now_us: int,
    collected: Collected,
) -> None:
    """Quarantine a file's bytes, once for each content it has."""
    note = Note(
        data[:BODY_SIZE_MAX], received_us=now_us, source=source, kind=REJECTED, reason=reason
    )
    collected.quarantined.append(log.refuse(cursor, note, reason, text))
    _put(cursor, source, data, None, 0, now_us)


def _put(
    cursor: Cursor, key: str, data: bytes, identity: bytes | None, known: int, now_us: int
) -> None:
    before = cursor.execute(
        "SELECT id, received_us FROM collected WHERE path = ?", (key,)
    ).fetchone()
    first_identity, received_us = (None, now_us) if before is None else before
    row = (key, sha256(data).digest(), identity or first_identity, known, received_us)
    cursor.execute(
        "INSERT INTO collected (path, digest, id, known, received_us, seal)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (path) DO UPDATE SET digest = excluded.digest,"
        " id = excluded.id, known = excluded.known, seal = excluded.seal",
        (*row, seal(row)),
    )


def _beside(data: bytes, beside: Beside) -> tuple[int | None, str | None]:
    frame, stream = beside.frame, beside.stream
    if frame is None and beside.frame_template is not None:
        filled = ingest.fill(beside.frame_template, data)
        frame = int(filled) if filled is not None and filled.isdigit() else None
    if stream is None and beside.stream_template is not None:
        stream = ingest.fill(beside.stream_template, data)
    return frame, stream


def _identity(data: bytes) -> bytes | None:
    """Return the id of the delta in a file; None where it holds none."""
    try:
        return check(data, frame=0, stream="x").id
    except DeltaRejected:
        return None


def _read(path: Path) -> bytes | str:
    """Return a regular file's bytes, or why they are not read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return "a symbolic link" if error.errno == errno.ELOOP else str(error.strerror)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return "not a regular file"
    with os.fdopen(descriptor, "rb") as file:
        return file.read(BODY_SIZE_MAX + 1)  # more than that is refused as too large
