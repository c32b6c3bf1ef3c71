"""The log of section 6 for the reference model: what folds where follows from the log alone.

Everything is folded again from nothing whenever it is asked for: slow, and impossible to get stale.
"""

import contextlib
import hashlib
import re
from dataclasses import dataclass
from typing import Any

from . import model_state
from .model import Receipt, fold_frame
from .model_diff import Ops, Refused, diff, split
from .model_json import NotStrict, compact, instant, is_integer, loads
from .model_rules import BadRules, Document, Rules, parse_rules
from .model_state import State, whole
from .model_template import escaped, look_up
from .model_units import Event

FRAME_MAX = 2**31 - 1
BASE_FRAME = -1
LAST_IN_FRAME = 2**63 - 1  # later than any time: an absorb sorts last in its frame
STREAM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
TIMES = (("utc",), ("completed_at",), ("timestamp",), ("_meta", "timestamp"))


@dataclass(frozen=True)
class Close:
    frame: int
    rules: Rules


@dataclass(frozen=True)
class Folded:
    """What the log comes to: the state, and each frame's receipts."""

    state: State
    receipts: dict[int, list[Receipt]]


class ModelStore:
    """A store in memory, of the reference model: append, close, absorb; then ask."""

    def __init__(self, rules_text: str, base: dict[str, str] | None = None) -> None:
        self.rules = parse_rules(rules_text)
        self.log: list[Event | Close] = []
        self.ids: set[bytes] = set()
        self.copies = 0
        self.quarantined = 0
        self.absorbed_in: set[int] = set()
        for name, text in (base or {}).items():
            ops = ops_of_base(self.rules.documents[name], loads(text.encode()))
            self.append_own("store", BASE_FRAME, None, ops)

    def append(self, raw: bytes, frame: int | None = None, stream: str | None = None) -> None:
        """Take a delta as it lies: an event, a copy, or a case for quarantine.

        A frame or stream that it lacks comes from beside.
        """
        try:
            event = read_delta(raw, frame, stream)
        except NotStrict:
            self.quarantined += 1
            return
        if event.id in self.ids:
            self.copies += 1
            return
        self.ids.add(event.id)
        self.log.append(event)

    def close(self, frame: int, expect: list[str], rules_text: str | None = None) -> None:
        """Close a frame; a bad rules text leaves the rules in force."""
        assert frame >= self.last_closed(), "frames close in increasing order"
        if rules_text is not None:
            with contextlib.suppress(BadRules):
                self.rules = parse_rules(rules_text)
        reported = {e.stream.lower() for e in self.log if isinstance(e, Event) and e.frame == frame}
        for stream in expect:
            if stream.lower() not in reported:
                self.append(fallback(frame, stream))
        self.log.append(Close(frame, self.rules))

    def absorb(self, document: str, body: bytes) -> None:
        """Take in a file as somebody left it after the last close; one refused changes nothing."""
        frame = self.last_closed()
        rules = self.rules_of(frame)
        target = rules.documents[document]
        try:
            ops = ops_of_edit(rules, target, whole(self.folded().state, target), body)
        except (NotStrict, Refused):
            return
        if not ops:
            return
        self.absorbed_in.add(frame)
        self.append_own("git", frame, LAST_IN_FRAME, ops)
        self.log.append(Close(frame, self.rules))

    def append_own(self, stream: str, frame: int, utc_us: int | None, ops: Ops) -> None:
        body = {"frame": frame, "stream_id": stream, "seq": len(self.log), "ops": ops}
        digest = hashlib.sha256(compact(body)).digest()
        self.log.append(Event(digest[:16], frame, utc_us, stream, True, body))

    def folded(self) -> Folded:
        """Fold the whole log from nothing."""
        frames: dict[int, list[Event]] = {}
        for position, entry in enumerate(self.log):
            if isinstance(entry, Event):
                frame = frame_of(self.log, position, entry)
                if frame is not None:
                    frames.setdefault(frame, []).append(entry)
        state: State = {}
        receipts = {
            frame: self.fold(state, self.rules_of(frame), frames[frame]) for frame in sorted(frames)
        }
        return Folded(state, receipts)

    def fold(self, state: State, rules: Rules, events: list[Event]) -> list[Receipt]:
        """Fold one frame: the one step that a test may give to the kernel instead."""
        return fold_frame(state, rules, events)

    def documents(self) -> dict[str, str]:
        return model_state.documents(self.folded().state, self.rules)

    def state_digest(self) -> str:
        return model_state.state_digest(self.folded().state)

    def frames(self) -> dict[int, dict[str, int]]:
        """Sum up each frame that has units."""
        sums = {frame: sums_of(each) for frame, each in self.folded().receipts.items()}
        return {frame: each for frame, each in sums.items() if each["in"]}

    def last_closed(self) -> int:
        return max((e.frame for e in self.log if isinstance(e, Close)), default=BASE_FRAME)

    def rules_of(self, frame: int) -> Rules:
        """Give the rules of the first close at or above a frame."""
        closes = (e for e in self.log if isinstance(e, Close) and e.frame >= frame)
        return next((close.rules for close in closes), self.rules)


def frame_of(log: list[Event | Close], position: int, event: Event) -> int | None:
    """Say in which frame an event folds, or None while no close has reached it.

    Late is what some close at or above has passed. From that first close to the next close after
    the event, the closes with different frames are counted: up to `reopen` it folds in its own
    frame, beyond in that next close's.
    """
    passed = [e for e in log[:position] if isinstance(e, Close)]
    first = next((index for index, e in enumerate(passed) if e.frame >= event.frame), None)
    later = (e for e in log[position:] if isinstance(e, Close))
    if first is None:
        return event.frame if any(e.frame >= event.frame for e in later) else None
    following = next(later, None)
    if following is None:
        return None
    distinct = {e.frame for e in passed[first:]} | {following.frame}
    return event.frame if len(distinct) <= following.rules.reopen else following.frame


def read_delta(raw: bytes, frame: int | None = None, stream: str | None = None) -> Event:
    """Read a delta of a stream; `frame` and `stream` are for one that lacks them.

    Raises:
        NotStrict: where it cannot become an event.
    """
    body = loads(raw)
    if not isinstance(body, dict):
        raise NotStrict("not an object")
    frame, stream = body.get("frame", frame), body.get("stream_id", stream)
    if not is_integer(frame) or not 0 <= frame <= FRAME_MAX:
        raise NotStrict("frame")
    if not isinstance(stream, str) or not is_stream(stream):
        raise NotStrict("stream_id")
    times = (instant(look_up(body, path)) for path in TIMES)
    utc_us = next((time for time in times if time is not None), None)
    return Event(hashlib.sha256(compact(body)).digest()[:16], frame, utc_us, stream, False, body)


def is_stream(name: str) -> bool:
    lower = name.lower()
    return (
        STREAM.fullmatch(name) is not None
        and ".." not in name
        and not lower.endswith((".", ".lock"))
        and lower not in ("git", "store")
    )


def fallback(frame: int, stream: str) -> bytes:
    meta = {"status": "fallback", "reason": "missing"}
    return compact({"frame": frame, "stream_id": stream, "_meta": meta})


def ops_of_base(document: Document, file: dict[str, Any]) -> Ops:
    """Say a starting state by whole-entity sets."""
    if document.is_record:
        return [{"op": "set", "path": f"/{escaped(document.name)}", "value": file}]
    members, beside = split(document, file)
    rows = {**members, **({"@": beside} if beside else {})}
    return [
        {"op": "set", "path": f"/{escaped(document.name)}/{escaped(key)}", "value": each}
        for key, each in rows.items()
    ]


def ops_of_edit(rules: Rules, document: Document, old: dict[str, Any], body: bytes) -> Ops:
    new = loads(body)
    if not isinstance(new, dict):
        raise Refused("not an object")
    if not document.is_record:
        before, after = split(document, old)[0], split(document, new)[0]
        if len(before.keys() - after.keys()) > rules.max_loss * len(before):
            raise Refused(f"{document.name} loses more than max_loss")
    return diff(document, old, new)


def sums_of(receipts: list[Receipt]) -> dict[str, int]:
    return {
        "in": sum(each.units_in for each in receipts),
        "applied": sum(each.applied for each in receipts),
        "duplicate": sum(each.duplicate for each in receipts),
        "skipped": sum(each.skipped for each in receipts),
    }
