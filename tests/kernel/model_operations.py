"""The operations of section 7 on plain values, for the reference model.

Each takes what stands in a place, or ABSENT, and returns what will stand there.
Nothing is changed in place, so an operation that fails has done nothing.
"""

from collections.abc import Mapping
from typing import Any

from .model_json import ABSENT, compact, in_range, instant, is_integer

OPERATION_OF_RULE = {"sum": "inc", "max": "max", "min": "min", "first": "first", "last": "set"}
INSTANT, NUMBER, OTHER = 2, 1, 0


class Skip(Exception):
    """An operation that does not apply; its text is the reason."""


def changed(
    current: Any, name: str, path: tuple[str, ...], value: Any, rules: Mapping[str, str]
) -> Any:
    """Return what stands where `current` stood once the operation at `path` below it has applied.

    ABSENT on either side: nothing there. `rules` are those of an entity's own fields; they hold for
    a merge of the entity alone.
    """
    if not path:
        return at_place(current, name, value, rules)
    members: Any = {} if current is ABSENT else current
    if not isinstance(members, dict):
        raise Skip("wrong type")
    member = changed(members.get(path[0], ABSENT), name, path[1:], value, {})
    if member is not ABSENT:
        return {**members, path[0]: member}
    if path[0] in members:
        return {key: each for key, each in members.items() if key != path[0]}
    return current


def at_place(current: Any, name: str, value: Any, rules: Mapping[str, str]) -> Any:
    match name:
        case "set":
            return value
        case "init" if current is not ABSENT:
            raise Skip("claim taken")
        case "init":
            return value
        case "first":
            return value if current is ABSENT else current
        case "inc":
            return increased(current, value)
        case "max" | "min":
            return the_further(current, value, name)
        case "include":
            return included(current, [value])
        case "exclude":
            return excluded(current, value)
        case "push":
            return [*array_or_empty(current), value]
        case "remove":
            return ABSENT
        case "merge":
            return merged(current, value, rules)
        case "test" if current is ABSENT or compact(current) != compact(value):
            raise Skip("test failed")
        case "test":
            return current
    raise AssertionError(name)


def increased(current: Any, value: Any) -> int:
    start = 0 if current is ABSENT else current
    if not is_integer(start) or not is_integer(value) or not in_range(start + value):
        raise Skip("wrong type")
    return start + value


def the_further(current: Any, value: Any, name: str) -> Any:
    """Return the greater or the lesser; equal in rank: the greater canonical bytes, both ways."""
    before, after = ranked(current), ranked(value)
    if after is None:
        return current
    if before is None:
        return value
    if before == after:
        return max(current, value, key=compact)
    return value if (after > before) == (name == "max") else current


def ranked(value: Any) -> tuple[int, Any] | None:
    """Rank a value: other strings, numbers, instants; None for what loses to everything."""
    if value is ABSENT or value is None or value == "":
        return None
    if isinstance(value, str):
        moment = instant(value)
        return (OTHER, value) if moment is None else (INSTANT, moment)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return NUMBER, value
    raise Skip("wrong type")


def included(current: Any, values: list[Any]) -> list[Any]:
    members = array_or_empty(current)
    for value in values:
        if compact(value) not in map(compact, members):
            members = [*members, value]
    return members


def excluded(current: Any, value: Any) -> Any:
    if current is ABSENT:
        return ABSENT
    return [each for each in array_or_empty(current) if compact(each) != compact(value)]


def array_or_empty(current: Any) -> list[Any]:
    if current is ABSENT:
        return []
    if not isinstance(current, list):
        raise Skip("wrong type")
    return current


def merged(current: Any, value: Any, rules: Mapping[str, str]) -> dict[str, Any]:
    """Merge an object into what is there, member by member, each by its field's rule."""
    before = {} if current is ABSENT else current
    if not isinstance(value, dict) or not isinstance(before, dict):
        raise Skip("wrong type")
    result = dict(before)
    for key, each in value.items():
        rule = rules.get(key, "last")
        member = before.get(key, ABSENT)
        if rule == "set":
            after: Any = included(member, array_or_empty(each))
        else:
            after = at_place(member, OPERATION_OF_RULE[rule], each, {})
        if after is not ABSENT:
            result[key] = after
    return result
