"""Guess how writes to a field combine, from its name and from what it holds in every entity.

Only what both agree on is proposed: a wrong rule makes two branches merge wrongly in silence,
while no rule (`last`) is what git users expect anyway.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from .. import kernel

BIRTH = {"joined", "joined_at", "created", "created_at", "registered", "registered_at"}


def guess_fields(entities: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return field -> rule for the fields of these entities whose rule is plain to see."""
    values: dict[str, list[Any]] = {}
    for entity in entities:
        if isinstance(entity, Mapping):
            for field, value in entity.items():
                values.setdefault(field, []).append(value)
    rules = {field: _rule(field, held) for field, held in sorted(values.items())}
    return {field: rule for field, rule in rules.items() if rule is not None}


def _rule(field: str, held: list[Any]) -> str | None:
    if not field.replace("_", "").replace("-", "").isalnum():
        return None  # "/" and "*" mean more than themselves in a field's name
    if field.endswith("_count") or field.startswith("total_"):
        return "sum" if all(type(value) is int for value in held) else None
    if field in BIRTH:
        return "first"
    if "last" in field.split("_"):
        return "max" if all(_is_instant(value) for value in held) else None
    if any(held) and all(_is_set(value) for value in held):
        return "set"
    return None


def _is_instant(value: object) -> bool:
    return isinstance(value, str) and kernel.instant(value.encode()) is not None


def _is_set(value: object) -> bool:
    """Tell an array of different strings."""
    if not isinstance(value, list) or not all(isinstance(member, str) for member in value):
        return False
    return len(set(value)) == len(value)
