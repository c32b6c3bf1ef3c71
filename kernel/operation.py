"""Operations in rules (`inc? /agents/{author|agent}/karma 1`) and patterns that allow some.

Paths are JSON Pointers whose first segment is a document. A template gives one whole segment, or
a part of one, and can never name the document: which documents a rule writes is known by reading.
"""

import re
from typing import NamedTuple

from .literal import literal
from .malformed import Malformed
from .template import NAMES_MAX, Reference, Template, bounded, is_reference, reference, template

OPERATIONS = (  # in the program's order
    "set",
    "init",
    "inc",
    "max",
    "min",
    "include",
    "exclude",
    "push",
    "remove",
    "merge",
    "test",
)
_LINE = re.compile(r"([^\s/?]+)(\??)\s+((?:\{[^{}]*\}|[^\s{}])+)(?:\s+(.*))?", re.DOTALL)
_SEGMENT_PIECE = re.compile(r"\{[^{}]*\}|/|[^/{}]+")


class Operation(NamedTuple):
    """One line of `apply`; `value` is compact canonical JSON, a reference, or None (`remove`)."""

    name: str
    optional: bool
    document: str
    segments: tuple[str | Template, ...]  # after the document; text is unescaped
    value: bytes | Reference | None


class Pattern(NamedTuple):
    """One line of `[ops] allow`; a segment None is `*`."""

    name: str
    document: str
    segments: tuple[str | None, ...]


def operation(line: str) -> Operation:
    """Read one line of `apply`. Raises: Malformed."""
    name, optional, path, value = _split(line, "OPERATION /DOCUMENT/... VALUE")
    if name == "test" and optional:
        raise Malformed("`test` cannot be optional: where it fails, its unit is skipped whole")
    document, segments = _path(path)
    return Operation(name, optional, document, segments, _value(name, value))


def pattern(line: str) -> Pattern:
    """Read one line of `[ops] allow`. Raises: Malformed."""
    name, optional, path, value = _split(line, "OPERATION /DOCUMENT/...")
    if optional:
        raise Malformed(f"`{line}` is optional, but what deltas carry in `ops` never is")
    if value is not None:
        raise Malformed(f"`{line}` holds a value, but a pattern allows any")
    document, segments = _path(path)
    if document == "*":
        raise Malformed("`*` cannot stand for the document: no stream has a master key")
    return Pattern(name, document, tuple(_star(segment, line) for segment in segments))


def unescaped(segment: str) -> str:
    """Undo `~1` for `/` and `~0` for `~`. Raises: Malformed, for any other `~`."""
    if re.search(r"~(?![01])", segment):
        raise Malformed(f"`{segment}` has a `~` that is neither `~0` (for ~) nor `~1` (for /)")
    return segment.replace("~1", "/").replace("~0", "~")


def _split(line: str, shape: str) -> tuple[str, bool, str, str | None]:
    found = _LINE.fullmatch(line.strip())
    if found is None:
        raise Malformed(f"`{line}` is not `{shape}`")
    name, optional, path, value = found.groups()
    if name not in OPERATIONS:
        raise Malformed(f"unknown operation `{name}` (there are {' '.join(OPERATIONS)})")
    return name, bool(optional), path, value


def _path(path: str) -> tuple[str, tuple[str | Template, ...]]:
    if not path.startswith("/"):
        raise Malformed(f"path `{path}` does not start with `/`")
    segments: list[str] = []
    for piece in _SEGMENT_PIECE.findall(path):
        if piece == "/":
            segments.append("")
        else:
            segments[-1] += piece
    first, *rest = map(_segment, bounded(tuple(segments), NAMES_MAX, "segments", path))
    if isinstance(first, Template):
        raise Malformed(f"path `{path}` has a template where the document stands")
    return first, tuple(rest)


def _segment(text: str) -> str | Template:
    parts = template(text).parts
    whole = Template(tuple(unescaped(part) if isinstance(part, str) else part for part in parts))
    return whole if whole.text is None else whole.text


def _value(name: str, text: str | None) -> bytes | Reference | None:
    if name == "remove":
        if text is not None:
            raise Malformed(f"`remove` takes no value, but here is `{text}`")
        return None
    if text is None:
        raise Malformed(f"`{name}` needs a value")
    return reference(text) if is_reference(text) and not _is_object(text) else literal(text)


def _is_object(text: str) -> bool:
    # `{"a": 1}` and `{ }` have the shape of a reference; no field's name starts with a quote.
    return text[1:].lstrip()[0] in '"}'


def _star(segment: str | Template, line: str) -> str | None:
    if isinstance(segment, Template):
        raise Malformed(f"`{line}` holds a template, but a pattern knows only `*`")
    return None if segment == "*" else segment
