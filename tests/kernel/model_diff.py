"""An edit as operations, for the reference model: `diff` of section 8 and absorb of section 10.

Applied to the old document the operations give the new one, by the fields' rules where those can
say it: a sum's change is an increment, so that what comes late still counts.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from .model_json import ABSENT, compact, in_range, is_integer
from .model_operations import Skip, changed
from .model_rules import Document
from .model_template import escaped

Ops = list[dict[str, Any]]
BY_RULE = {"sum": "inc", "max": "max", "min": "min", "first": "init"}


class Refused(ValueError):
    """An edit that is no evidence of anything: it is not taken in."""


def diff(document: Document, old: Mapping[str, Any], new: Mapping[str, Any]) -> Ops:
    """List the operations that make `old` into `new`; both as their files hold them."""
    if document.is_record:
        return list(diff_members(document, (), old, new, own=True))
    before, after = split(document, old), split(document, new)
    ops = list(diff_entities(document, before[0], after[0]))
    return ops + list(diff_members(document, ("@",), before[1], after[1], own=False))


def split(document: Document, whole: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part a document into its entities and the members beside its root."""
    if document.root is None:
        return dict(whole), {}
    members = whole.get(document.root)
    if not isinstance(members, dict) or "@" in members:
        raise Refused(f"{document.name} without its root, or with a member @ under it")
    return members, {key: each for key, each in whole.items() if key != document.root}


def diff_entities(
    document: Document, old: dict[str, Any], new: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key, ABSENT), new.get(key, ABSENT)
        if after is ABSENT:
            yield op("remove", document, (key,))
        elif isinstance(before, dict) and isinstance(after, dict):
            yield from diff_members(document, (key,), before, after, own=True)
        elif before is ABSENT or compact(before) != compact(after):
            yield op("set", document, (key,), after)


def diff_members(
    document: Document, path: tuple[str, ...], old: Any, new: Any, *, own: bool
) -> Iterator[dict[str, Any]]:
    """Compare two objects; `own` says that they are an entity, whose fields have rules."""
    beside = path[:1] == ("@",) and document.root is not None
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name, ABSENT), new.get(name, ABSENT)
        here = (*path, name)
        if (document.is_record or beside) and (here[1:] if beside else here) in document.derive:
            continue
        if after is ABSENT:
            yield op("remove", document, here)
        elif before is ABSENT or compact(before) != compact(after):
            rule = document.fields.get(name, "last") if own else "last"
            by_rule = ops_by_rule(document, here, rule, before, after)
            if by_rule is not None:
                yield from by_rule
            elif isinstance(before, dict) and isinstance(after, dict):
                yield from diff_members(document, here, before, after, own=False)
            else:
                yield op("set", document, here, after)


def ops_by_rule(
    document: Document, path: tuple[str, ...], rule: str, before: Any, after: Any
) -> Ops | None:
    """Say one member's change by its rule; None where the rule cannot express it."""
    if rule == "set":
        return ops_of_set(document, path, before, after)
    if rule == "last":
        return None
    value = after
    if rule == "sum":
        start = 0 if before is ABSENT else before
        if not is_integer(start) or not is_integer(after) or not in_range(after - start):
            return None
        value = after - start
    ops = [op(BY_RULE[rule], document, path, value)]
    return ops if gives(before, after, ops) else None


def ops_of_set(document: Document, path: tuple[str, ...], before: Any, after: Any) -> Ops | None:
    if not isinstance(after, list) or not isinstance(before, list):
        return None
    old, new = [compact(each) for each in before], [compact(each) for each in after]
    gone = [op("exclude", document, path, each) for each in before if compact(each) not in new]
    more = [op("include", document, path, each) for each in after if compact(each) not in old]
    return gone + more if gives(before, after, gone + more) else None


def gives(before: Any, after: Any, ops: Ops) -> bool:
    value = before
    try:
        for each in ops:
            value = changed(value, each["op"], (), each["value"], {})
    except Skip:
        return False
    return value is not ABSENT and compact(value) == compact(after)


def op(name: str, document: Document, path: tuple[str, ...], value: Any = ABSENT) -> dict[str, Any]:
    made = {"op": name, "path": "".join(f"/{escaped(each)}" for each in (document.name, *path))}
    return made if value is ABSENT else {**made, "value": value}
