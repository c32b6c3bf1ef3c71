"""The fold of section 7 of the design, in plain Python: the reference the kernel is held against.

Written from the design alone and for reading, not for speed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .model_json import ABSENT, REMOVED, is_integer
from .model_operations import Skip, changed
from .model_rules import Rules
from .model_state import BESIDE_ROOT, State, derive
from .model_template import look_up, render_key
from .model_units import Event, Unit, Write, filled_in, own_units, units


@dataclass(frozen=True)
class Line:
    """What became of one unit that did not apply, or of one operation with `?`."""

    source: str
    item: int
    status: str
    reason: str


@dataclass
class Receipt:
    """An event's sums: units in = applied + duplicate + skipped."""

    units_in: int = 0
    applied: int = 0
    duplicate: int = 0
    skipped: int = 0
    optional_skipped: int = 0
    lines: list[Line] = field(default_factory=list)


def fold_frame(state: State, rules: Rules, events: Sequence[Event]) -> list[Receipt]:
    """Fold one frame's events into `state`, in the order of section 6 whatever order they come in.

    Returns a receipt for each event, in the order given. A frame without events does not fold.
    """
    receipts = {index: Receipt() for index in range(len(events))}
    for index in sorted(receipts, key=lambda index: order(events[index])):
        fold_event(state, rules, events[index], receipts[index])
    if events:
        derive(state, rules)
    return list(receipts.values())


def order(event: Event) -> tuple[Any, ...]:
    seq = event.body.get("seq")
    time = (False, 0) if event.utc_us is None else (True, event.utc_us)
    return (*time, event.stream.lower().encode(), seq if is_integer(seq) else 0, event.id)


def fold_event(state: State, rules: Rules, event: Event, receipt: Receipt) -> None:
    fallback = not event.own and look_up(event.body, ("_meta", "status")) == "fallback"
    for unit in own_units(rules, event) if event.own else units(rules, event):
        if fallback and unit.source == ".":
            continue
        receipt.units_in += 1
        reason = "fallback" if fallback else unit.reason
        if reason:
            outcome = Line(unit.source, unit.item, "skipped", reason)
        else:
            outcome = run(state, rules, unit, receipt)
        if outcome.status == "applied":
            receipt.applied += 1
            continue
        receipt.lines.append(outcome)
        if outcome.status == "duplicate":
            receipt.duplicate += 1
        else:
            receipt.skipped += 1


class Draft:
    """A state with a unit's own writes laid over it, taken over only when the unit has applied."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.written: dict[tuple[str, str], Any] = {}

    def get(self, document: str, key: str) -> Any:
        return self.written.get((document, key), self.state.get(document, {}).get(key, ABSENT))

    def put(self, document: str, key: str, value: Any) -> None:
        self.written[document, key] = value

    def take_over(self) -> None:
        for (document, key), value in self.written.items():
            rows = self.state.setdefault(document, {})
            if value is ABSENT:
                rows.pop(key, None)
            else:
                rows[key] = value


def run(state: State, rules: Rules, unit: Unit, receipt: Receipt) -> Line:
    """Apply a unit whole or not at all, and say what became of it."""
    draft = Draft(state)
    optional: list[Line] = []
    try:
        kept = unit.rule is not None and unit.rule.into is not None
        if kept and not keep_item(draft, rules, unit):
            return Line(unit.source, unit.item, "duplicate", "key exists")
        for each in unit.rule.apply if unit.rule is not None else ():
            try:
                write(draft, filled_in(rules, each, unit))
            except Skip as skip:
                if not each.optional:
                    raise
                optional.append(Line(unit.source, unit.item, "optional", str(skip)))
        for each_write in unit.operations:
            write(draft, each_write)
    except Skip as skip:
        return Line(unit.source, unit.item, "skipped", str(skip))
    if unit.rule is not None and not kept and len(optional) == len(unit.rule.apply):
        return Line(unit.source, unit.item, "skipped", optional[0].reason)
    draft.take_over()
    receipt.optional_skipped += len(optional)
    receipt.lines.extend(optional)
    return Line(unit.source, unit.item, "applied", "")


def keep_item(draft: Draft, rules: Rules, unit: Unit) -> bool:
    """Write the item into its document; False where its key is there already, removed or not."""
    assert unit.rule is not None
    assert unit.rule.into is not None
    into = rules.documents[unit.rule.into]
    key = render_key(unit.rule.keys, unit.value, unit.names)
    if key is None:
        raise Skip("missing key")
    if into.root is not None and key == BESIDE_ROOT:
        raise Skip("unknown entity")
    if draft.get(into.name, key) is not ABSENT:
        return False
    draft.put(into.name, key, unit.value)
    return True


def write(draft: Draft, each: Write) -> None:
    """Apply one operation to the draft, or raise Skip and leave it as it was."""
    document = each.document
    current = draft.get(document.name, each.key)
    if document.is_record or each.names_at:
        draft.put(document.name, each.key, written_always_there(each, current))
        return
    if document.root is not None and each.key == BESIDE_ROOT:
        raise Skip("unknown entity")
    refuse_unknown(each, current)
    before = ABSENT if current is REMOVED else current
    after = changed(before, each.name, each.path, each.value, document.fields)
    if each.name == "remove" and not each.path:
        after = REMOVED
    draft.put(document.name, each.key, after)


def written_always_there(each: Write, current: Any) -> Any:
    """Give a record or `@` as the operation leaves it: an object, and no row when it is empty."""
    refuse_unwritable(each)
    before = {} if current is ABSENT else current
    rules = each.document.fields if each.document.is_record else {}
    after = changed(before, each.name, each.path, each.value, rules)
    if not isinstance(after, dict) or (each.names_at and each.document.root in after):
        raise Skip("wrong type")
    return after or ABSENT


def refuse_unknown(each: Write, current: Any) -> None:
    makes = not each.path and each.name in ("set", "init")
    if current is REMOVED:
        known = each.own and makes and each.name == "set"
    elif current is ABSENT:
        removes = each.name == "remove" and not each.path  # a place in an entity may be absent
        known = makes or (each.document.is_always_made and not removes)
    else:
        known = True
    if not known:
        raise Skip("unknown entity")


def refuse_unwritable(each: Write) -> None:
    """Refuse a write of a derived field, and of a root's own name in `@`."""
    if each.name == "test":
        return
    merging = each.name == "merge" and isinstance(each.value, dict)
    paths = [(*each.path, name) for name in each.value] if merging else [each.path]
    for path in paths:
        if any(path[: len(target)] == target for target in each.document.derive):
            raise Skip("wrong type")
        if each.names_at and path[:1] == (each.document.root,):
            raise Skip("wrong type")
