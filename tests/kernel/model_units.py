"""From a delta to its units, for the reference model: the first half of section 7 of the design.

Only the paths and values that a unit's templates give are found here; nothing is written.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .model_json import ABSENT, compact, format_instant
from .model_operations import Skip
from .model_rules import OPERATIONS, Document, ItemRule, Operation, Rules
from .model_state import BESIDE_ROOT
from .model_template import look_up, parse_pointer, render, resolve


@dataclass(frozen=True)
class Event:
    """One event of a frame; `own` marks the store's own deltas."""

    id: bytes
    frame: int
    utc_us: int | None
    stream: str
    own: bool
    body: dict[str, Any]


@dataclass(frozen=True)
class Unit:
    """What applies whole or not at all; one with a reason is skipped before it starts."""

    source: str
    item: int = 0
    value: Any = None
    names: Mapping[str, Any] = field(default_factory=dict)
    rule: ItemRule | None = None
    operations: tuple["Write", ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Write:
    """An operation with its templates filled in; `names_at` says that `@` was written out."""

    name: str
    document: Document
    key: str
    path: tuple[str, ...]
    value: Any
    names_at: bool
    own: bool = False


def units(rules: Rules, event: Event) -> Iterator[Unit]:
    for rule in rules.items:
        yield from units_of_rule(rule, event)
    yield from units_left_out(rules, event)
    yield from units_of_ops(rules, event)
    for name in sorted(event.body):
        value = event.body[name]
        if name not in named(rules) and isinstance(value, dict | list) and value:
            yield Unit(name, reason="no rule")


def units_of_rule(rule: ItemRule, event: Event) -> Iterator[Unit]:
    items = items_of(rule.each, event)
    if items is None:
        yield Unit(rule.each, reason="not an array or object")
        return
    for index, key, value in items:
        if picks(rule, value):
            yield Unit(rule.each, index, value, names_of(event, index, key, value), rule)


def units_left_out(rules: Rules, event: Event) -> Iterator[Unit]:
    """Yield the items that every `when` of their rules leaves out."""
    for each in sorted({rule.each for rule in rules.items}):
        choosing = [rule for rule in rules.items if rule.each == each]
        for index, _, value in items_of(each, event) or []:
            if not any(picks(rule, value) for rule in choosing):
                yield Unit(each, index, reason="no rule")


def units_of_ops(rules: Rules, event: Event) -> Iterator[Unit]:
    listed = event.body.get("ops")
    if listed is None or listed == [] or listed == {}:
        return
    try:
        yield Unit("ops", operations=tuple(writes_of_ops(rules, listed, own=False)))
    except Skip as skip:
        yield Unit("ops", reason=str(skip))


def own_units(rules: Rules, event: Event) -> Iterator[Unit]:
    for index, each in enumerate(event.body.get("ops", [])):
        try:
            yield Unit("ops", index, operations=tuple(writes_of_ops(rules, [each], own=True)))
        except Skip as skip:
            yield Unit("ops", index, reason=str(skip))


def items_of(each: str, event: Event) -> list[tuple[int, str | None, Any]] | None:
    """List (index, key, value) of what `each` names; None where it is no array and no object."""
    value = event.body if each == "." else event.body.get(each)
    if each == ".":
        return [(0, None, value)]
    if value is None:
        return []
    if isinstance(value, list):
        return [(index, None, item) for index, item in enumerate(value)]
    if isinstance(value, dict):
        return [(index, key, value[key]) for index, key in enumerate(sorted(value))]
    return None


def picks(rule: ItemRule, item: Any) -> bool:
    if rule.when is None:
        return True
    found = look_up(item, rule.when.path)
    return found is not ABSENT and compact(found) == compact(rule.when.literal)


def names_of(event: Event, index: int, key: str | None, item: Any) -> dict[str, Any]:
    names = {"@frame": event.frame, "@stream": event.stream, "@id": event.id.hex()}
    names |= {"@index": index, "@value": item}
    if event.utc_us is not None:
        names["@utc"] = format_instant(event.utc_us)
    if key is not None:
        names["@key"] = key
    return names


def named(rules: Rules) -> set[str]:
    """Name the members at the top of a delta that some rule speaks of."""
    names = {"_meta", "ops"} | {rule.each for rule in rules.items}
    for rule in rules.items:
        if rule.each == ".":
            names |= {name.split(".")[0] for each in rule.references() for name in each}
            names |= {rule.when.path[0]} if rule.when else set()
    return names


def filled_in(rules: Rules, operation: Operation, unit: Unit) -> Write:
    document = rules.documents[operation.document]
    segments = [render(each, unit.value, unit.names) for each in operation.segments]
    value = operation.value
    if operation.reference is not None:
        value = resolve(operation.reference, unit.value, unit.names)
    if value is ABSENT or None in segments:
        raise Skip("missing field")
    whole = tuple(each for each in segments if each is not None)
    key, path = ("", whole) if document.is_record else (whole[0], whole[1:])
    return Write(operation.name, document, key, path, value, operation.names_at)


def writes_of_ops(rules: Rules, listed: Any, *, own: bool) -> Iterator[Write]:
    if not isinstance(listed, list):
        raise Skip("malformed")
    for each in listed:
        name, path = (each.get("op"), each.get("path")) if isinstance(each, dict) else (None, None)
        if not isinstance(name, str) or name not in OPERATIONS or not isinstance(path, str):
            raise Skip("malformed")
        segments = parse_pointer(path)
        if segments is None or (name != "remove" and "value" not in each):
            raise Skip("malformed")
        document = rules.documents.get(segments[0])
        if not own and not is_allowed(rules, name, segments):
            raise Skip("not allowed")
        if document is None or (len(segments) == 1 and not document.is_record):
            raise Skip("unknown entity")
        key, below = ("", segments[1:]) if document.is_record else (segments[1], segments[2:])
        names_at = document.root is not None and key == BESIDE_ROOT
        yield Write(name, document, key, tuple(below), each.get("value"), names_at, own)


def is_allowed(rules: Rules, name: str, segments: list[str]) -> bool:
    document = rules.documents.get(segments[0])
    names_at = document is not None and document.root is not None and segments[1:2] == ["@"]
    return any(
        pattern.operation == name
        and pattern.document == segments[0]
        and pattern.names_at == names_at
        and len(pattern.segments) == len(segments) - 1
        and all(a is None or a == b for a, b in zip(pattern.segments, segments[1:], strict=True))
        for pattern in rules.allow
    )
