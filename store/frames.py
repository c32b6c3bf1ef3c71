"""Frames: opened, closed, who reported; a close is one transaction and may be repeated.

The fact not to miss: a close only adds events (fallbacks, a new document's base state, the close
itself) and then folds what the schedule says, from the lowest frame that anything new belongs to. A
late event is no case of its own: its frame is lower, so more is folded again.

    rules read  ->  fallbacks, base state, close event  ->  places  ->  rewind  ->  fold
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ..kernel import FOLD_VERSION, Rules
from ..kernel.errors import RulesInvalid
from . import closes, forget, log, origin, receipts, replay, snapshots
from .delta import FRAME_MAX, Delta, check, fallback
from .engine import Cursor
from .errors import DocumentRefused, FramePassed
from .folding import fold_frames
from .log import Entry
from .receipts import FrameSums
from .schedule import Close, Place, Schedule
from .step import reached


class Closed(NamedTuple):
    """What a close did; `rules_error` says why a changed rules file was left aside."""

    frame: int
    folded: list[FrameSums]
    fallbacks: list[str]  # streams that were missing
    rules_error: RulesInvalid | None
    state_digest: str


class CloseOrder(NamedTuple):
    """What a close is asked to do."""

    frame: int
    expect: Sequence[str] = ()
    rules_text: str | None = None  # None: as they are
    base: Mapping[str, bytes] | None = None  # files of documents, taken where new to the rules
    missing_reason: str = "missing"


def open_frame(cursor: Cursor, frame: int, streams: Iterable[str], now_us: int) -> None:
    """Note which streams a frame expects; again with other streams adds to them.

    Raises:
        FramePassed: a close is at or above it.
        DeltaRejected: a name that no stream can have.
    """
    names = [check(fallback(frame, name, "missing", now_us)).stream for name in streams]
    last = closes.last(cursor)
    if last is not None and frame <= last.frame:
        raise FramePassed(frame, last.frame)
    receipts.put_open(cursor, frame)
    receipts.expect(cursor, frame, names)


def missing(cursor: Cursor, frame: int, expect: Iterable[str] = ()) -> list[str]:
    """Return the streams that a frame expects and the log holds nothing of."""
    cursor.execute(
        "SELECT stream FROM frame_stream WHERE frame = ? AND status = 'expected'", (frame,)
    )
    expected = {row[0]: row[0] for row in cursor}
    expected |= {name.lower(): name for name in expect}
    cursor.execute("SELECT DISTINCT stream FROM event WHERE frame = ? AND kind = 'delta'", (frame,))
    reported = {row[0].lower() for row in cursor}
    return [name for lower, name in sorted(expected.items()) if lower not in reported]


def close(cursor: Cursor, order: CloseOrder, *, now_us: int, seed: bytes) -> Closed:
    """Close a frame, and every earlier one that has events; the mailbox has been drained.

    Raises:
        FramePassed: a later frame has closed.
        DeltaRejected: `expect` holds a name that no stream can have.
        KernelLimit: the state does not fit; nothing changed.
    """
    last = closes.last(cursor)
    if last is not None and order.frame < last.frame:
        raise FramePassed(order.frame, last.frame)
    assert order.frame <= FRAME_MAX, order.frame
    rules, base, rules_error = _rules(cursor, order, last, now_us)
    lacking = _fallbacks(cursor, order, last, now_us)
    log.append(cursor, [_fallback_entry(each, now_us) for each in lacking] + base)
    _append_close(cursor, order, rules, now_us)
    reached("close: events written")
    folded = _fold(cursor, order.frame, last, seed)
    receipts.mark_closed(cursor, order.frame)
    return Closed(
        order.frame,
        folded,
        [each.stream for each in lacking],
        rules_error,
        snapshots.state_digest(cursor),
    )


def _rules(
    cursor: Cursor, order: CloseOrder, last: Close | None, now_us: int
) -> tuple[Rules, list[Entry], RulesInvalid | None]:
    """Return the rules this close names, base state new to them, and what was wrong."""
    in_force = None if last is None else closes.rules_in_force(cursor)
    if order.rules_text is None or (in_force is not None and order.rules_text == in_force.text):
        assert in_force is not None, "the first close brings its rules"
        rules = in_force
    else:
        try:
            rules = Rules.parse(order.rules_text)
        except RulesInvalid as error:
            if in_force is None:
                raise
            return in_force, [], error
    try:
        return rules, _base(cursor, order, last, rules, now_us), None
    except DocumentRefused as refused:
        if in_force is None:
            raise
        # Without its base state the document would start empty: the old rules stay.
        return in_force, [], RulesInvalid(None, str(refused))


def _base(
    cursor: Cursor, order: CloseOrder, last: Close | None, rules: Rules, now_us: int
) -> list[Entry]:
    """Make base state of the files of documents that no folded frame's rules knew.

    The last frame closed again folds under the rules of its first close, which do not know the
    new ones: their base state waits for the next frame.
    """
    if not order.base or (last is not None and order.frame == last.frame):
        return []
    known: set[str] = set()
    if last is not None:
        first = closes.since(cursor, last.frame)[0]
        folded_under = closes.rules(cursor, first.rules)
        known = {document.name for document in folded_under.documents} | set(
            snapshots.shares(cursor)
        )
    new = [document for document in rules.documents if document.name not in known]
    return origin.entries(new, order.base, order.frame, now_us)


def _fallbacks(cursor: Cursor, order: CloseOrder, last: Close | None, now_us: int) -> list[Delta]:
    """Make the fallbacks of streams that this frame, or an open one before it, waits for."""
    cursor.execute(
        "SELECT frame FROM frame WHERE state = 'open' AND frame > ? AND frame < ? ORDER BY frame",
        (log.LOWEST if last is None else last.frame, order.frame),
    )
    lacking = [
        (number, name)
        for number in [row[0] for row in cursor.fetchall()]
        for name in missing(cursor, number)
    ]
    lacking += [(order.frame, name) for name in missing(cursor, order.frame, order.expect)]
    return [check(fallback(number, name, order.missing_reason, now_us)) for number, name in lacking]


def _fallback_entry(delta: Delta, now_us: int) -> Entry:
    return Entry("delta", delta.frame, delta.utc_us, delta.stream, now_us, delta.body)


def _append_close(cursor: Cursor, order: CloseOrder, rules: Rules, now_us: int) -> None:
    closes.put_rules(cursor, rules.digest, rules.text)
    cursor.execute("SELECT stream FROM frame_stream WHERE frame = ?", (order.frame,))
    expected = {row[0] for row in cursor} | {name.lower() for name in order.expect}
    entry = closes.entry(
        order.frame,
        sorted(expected),
        rules.frames.reopen,
        rules.digest,
        after=log.head(cursor).position,
        now_us=now_us,
        fold=FOLD_VERSION,
    )
    log.append(cursor, [entry])


def _fold(cursor: Cursor, number: int, last: Close | None, seed: bytes) -> list[FrameSums]:
    """Place what this close takes, go back to before its lowest frame, and fold from there."""
    closed, position = (log.LOWEST, 0) if last is None else (last.frame, last.position)
    headers = log.headers_to_place(cursor, position, number, closed)
    if not headers:
        return []
    schedule = Schedule(closes.since(cursor, min(header.frame for header in headers)))
    places: dict[int, Place] = {}
    for header in headers:
        place = schedule.place(header)
        assert place is not None, "this close takes what it was asked about"
        places[header.position] = place
    receipts.place(cursor, places)
    lowest = min(place.frame for place in places.values())
    kept = forget.oldest(cursor)
    if kept is not None and lowest <= kept:  # what stood there before was forgotten
        replay.empty(cursor)
        return [sums for sums in replay.fold_all(cursor, seed) if sums.frame >= lowest]
    snapshots.rewind(cursor, lowest)
    refolded = receipts.frames_from(cursor, lowest)
    rules_of = Schedule(closes.since(cursor, lowest)).rules
    return fold_frames(cursor, refolded, rules_of, seed)
