"""Templates, literals and JSON Pointers for the reference model: section 7 of the design."""

import re
from collections.abc import Mapping
from typing import Any

from .model_json import ABSENT, compact, loads

Reference = tuple[str, ...]  # alternatives: `@utc`, or names joined by dots
Template = tuple[str | Reference, ...]

BRACES = re.compile(r"\{([^{}]*)\}")
VALUE = re.compile(r"\{([^{}\"]+)\}")
POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)+")


def parse_template(text: str, *, is_path: bool = False) -> Template:
    """Read a text with `{a|b}` in it; the literal parts of a path segment are unescaped."""
    parts: list[str | Reference] = []
    for index, part in enumerate(BRACES.split(text)):
        if index % 2:
            parts.append(tuple(part.split("|")))
        elif part or text == "":
            parts.append(unescaped(part) if is_path else part)
    return tuple(parts)


def parse_reference(text: str) -> Reference | None:
    """Read a value that is exactly one template; None where it is a literal."""
    match = VALUE.fullmatch(text)
    return tuple(match[1].split("|")) if match else None


def parse_literal(text: str) -> Any:
    """Read JSON, or a string in single quotes."""
    if len(text) >= 2 and text[0] == text[-1] == "'":
        return text[1:-1]
    return loads(text.encode())


def parse_pointer(text: str) -> list[str] | None:
    """Split a JSON Pointer (RFC 6901); None where it is none, or names nothing."""
    if POINTER.fullmatch(text) is None:
        return None
    return [unescaped(segment) for segment in text.split("/")[1:]]


def look_up(value: Any, path: tuple[str, ...]) -> Any:
    """Descend through objects only; ABSENT where there is nothing."""
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return ABSENT
        value = value[name]
    return value


def resolve(reference: Reference, item: Any, own_names: Mapping[str, Any]) -> Any:
    """Return the first alternative that is present: there, neither null nor empty."""
    for name in reference:
        if name.startswith("@"):
            value = own_names.get(name, ABSENT)
        else:
            value = look_up(item, tuple(name.split(".")))
        if value is not ABSENT and value is not None and value != "":
            return value
    return ABSENT


def text_of(value: Any) -> str:
    """Write a value into a path or a key: a string as it is, anything else its canonical text."""
    return value if isinstance(value, str) else compact(value).decode()


def render(template: Template, item: Any, own_names: Mapping[str, Any]) -> str | None:
    """Write a path segment, unescaped; None where a field is missing."""
    texts = []
    for part in template:
        value = part if isinstance(part, str) else resolve(part, item, own_names)
        if value is ABSENT:
            return None
        texts.append(text_of(value))
    return "".join(texts)


def render_key(
    alternatives: tuple[Template, ...], item: Any, own_names: Mapping[str, Any]
) -> str | None:
    """Write an item's key by the first alternative whose fields are all present, None without one.

    Several alternatives put their number in front, and escape their fields: they cannot collide.
    """
    for number, template in enumerate(alternatives, 1):
        values = [p if isinstance(p, str) else resolve(p, item, own_names) for p in template]
        if any(value is ABSENT for value in values):
            continue
        if len(alternatives) == 1 and len(template) == 1:
            return text_of(values[0])
        key = "".join(
            value if isinstance(part, str) else escaped(text_of(value))
            for part, value in zip(template, values, strict=True)
        )
        return key if len(alternatives) == 1 else f"{number}/{key}"
    return None


def escaped(segment: str) -> str:
    return segment.replace("~", "~0").replace("/", "~1")


def unescaped(segment: str) -> str:
    return segment.replace("~1", "/").replace("~0", "~")
