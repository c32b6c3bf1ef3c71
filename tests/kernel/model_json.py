"""Strict JSON and its canonical form for the reference model, by the standard library and orjson.

Nothing here is shared with the kernel: where the two disagree, section 6 of the design decides.
"""

import enum
import json
import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any, TypeGuard

import orjson

DEPTH_MAX = 128
SIZE_MAX = 16 * 1024 * 1024
INTEGER_MIN = -(2**63)
INTEGER_MAX = 2**64 - 1

INSTANT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Mark(enum.Enum):
    """What stands in a place that holds no JSON value."""

    ABSENT = "absent"
    REMOVED = "removed"  # an entity that was there: its key stays taken


ABSENT = Mark.ABSENT
REMOVED = Mark.REMOVED


class NotStrict(ValueError):
    """Bytes that are not strict JSON within the limits."""


def loads(data: bytes) -> Any:
    """Read strict JSON of section 6.

    Raises:
        NotStrict: for anything else, the limits on depth and size included.
    """
    if len(data) > SIZE_MAX:
        raise NotStrict("too large")
    try:
        value = DECODER.decode(data.decode("utf-8"))
        if depth(value) > DEPTH_MAX:
            raise NotStrict("too deep")
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # lone surrogates have no UTF-8
    except (ValueError, RecursionError) as error:
        raise NotStrict(str(error)) from error
    return value


def compact(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def pretty(value: Any) -> bytes:
    options = orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(value, option=options)


def instant(text: object) -> int | None:
    """Return microseconds since 1970 of an RFC 3339 instant, or None where it is none."""
    match = INSTANT.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    micro = int((match[7] or "")[:6].ljust(6, "0"))
    away = offset(match[8])
    if away is None:
        return None
    try:
        local = datetime(year, month, day, hour, minute, second, micro, tzinfo=UTC)
        return (local - away - EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        return None


def format_instant(micros: int) -> str:
    """Spell an instant as `@utc` does: UTC, six digits of fraction only when they are not zero."""
    moment = EPOCH + timedelta(microseconds=micros)
    fraction = f".{moment.microsecond:06d}" if moment.microsecond else ""
    return (
        f"{moment.year:04d}-{moment.month:02d}-{moment.day:02d}"
        f"T{moment.hour:02d}:{moment.minute:02d}:{moment.second:02d}{fraction}Z"
    )


def is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def in_range(number: int) -> bool:
    return INTEGER_MIN <= number <= INTEGER_MAX


def offset(zone: str) -> timedelta | None:
    if zone in "Zz":
        return timedelta(0)
    hours, minutes = int(zone[1:3]), int(zone[4:6])
    if hours > 23 or minutes > 59:
        return None
    away = timedelta(hours=hours, minutes=minutes)
    return -away if zone[0] == "-" else away


def depth(value: Any) -> int:
    """Count the arrays and objects inside each other, the value's own being the first."""
    deep = 0
    nodes = [value]
    while nodes := [node for node in nodes if isinstance(node, dict | list)]:
        deep += 1
        nodes = [each for node in nodes for each in (node.values() if type(node) is dict else node)]
    return deep


def strict_integer(text: str) -> int:
    number = int(text)
    if not in_range(number):
        raise NotStrict("integer out of range")
    return number


def strict_double(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise NotStrict("double out of range")
    return number


def strict_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotStrict("duplicate key")
    return members


def refuse_constant(name: str) -> None:
    raise NotStrict(name)


DECODER = json.JSONDecoder(
    object_pairs_hook=strict_object,
    parse_int=strict_integer,
    parse_float=strict_double,
    parse_constant=refuse_constant,
)
