"""Templates: text with references to an item's fields, such as `{author|agent}/{@index}`.

Braces always enclose a reference; there is no escape for a literal one, so a forgotten partner is
an error and never text. Names descend at dots, through objects only (design section 7).
"""

import re
from typing import NamedTuple, TypeVar

from .malformed import Malformed

OWN_NAMES = ("frame", "utc", "stream", "id", "index", "key", "value")  # in the program's order
PARTS_MAX = 255  # of a template, of a reference or of a sum
NAMES_MAX = 64  # of a field or a path, the document included; state.h has the same bound
Parts = TypeVar("Parts", bound=tuple[object, ...])
_REFERENCE = re.compile(r"(\{[^{}]*\})")


class Field(NamedTuple):
    """A field of the item, by the member names that lead to it."""

    names: tuple[str, ...]


class Own(NamedTuple):
    """One of the delta's own names: `@utc` is Own("utc")."""

    name: str


class Reference(NamedTuple):
    """`{a|b.c|@utc}`: the first present of its alternatives."""

    alternatives: tuple[Field | Own, ...]


class Template(NamedTuple):
    """Text and references that together give one string; text alone is a template, too."""

    parts: tuple[str | Reference, ...]

    @property
    def text(self) -> str | None:
        """The string itself where no reference stands in it, else None."""
        if not self.parts:
            return ""
        [first, *more] = self.parts
        return first if isinstance(first, str) and not more else None


def template(text: str) -> Template:
    """Read a text template. Raises: Malformed, for braces that do not pair and for bad names."""
    parts: list[str | Reference] = []
    for piece in filter(None, _REFERENCE.split(text)):
        if piece[0] == "{" and piece[-1] == "}":
            parts.append(reference(piece))
        elif "{" in piece or "}" in piece:
            raise Malformed(f"`{text}` has a brace without its partner")
        else:
            parts.append(piece)
    return Template(bounded(tuple(parts), PARTS_MAX, "parts", text))


def reference(braced: str) -> Reference:
    """Read exactly one reference, braces included. Raises: Malformed."""
    names = braced[1:-1].split("|")
    alternatives = tuple(_alternative(name, braced) for name in names)
    return Reference(bounded(alternatives, PARTS_MAX, "alternatives", braced))


def is_reference(text: str) -> bool:
    """Whether the text is one pair of braces around something: a template alone."""
    return len(text) > 2 and _REFERENCE.fullmatch(text) is not None


def field(name: str, where: str) -> Field:
    """Read a field's dotted name; `where` is the text it stands in, for the error.

    Raises: Malformed, for an empty name or one with white space around a part of it.
    """
    names = tuple(name.split("."))
    for part in names:
        if not part:
            raise Malformed(f"`{where}` has an empty name")
        if part != part.strip():
            raise Malformed(f"`{where}` has white space around a name")
    return Field(bounded(names, NAMES_MAX, "names", where))


def bounded(parts: Parts, count_max: int, what: str, where: str) -> Parts:
    """Pass the parts on if the program can hold as many. Raises: Malformed."""
    if len(parts) > count_max:
        raise Malformed(f"`{where[:40]}...` has more than {count_max} {what}")
    return parts


def _alternative(name: str, braced: str) -> Field | Own:
    if not name.startswith("@"):
        return field(name, braced)
    if name[1:] not in OWN_NAMES:
        known = " ".join(f"@{own}" for own in OWN_NAMES)
        raise Malformed(f"`{braced}` names an unknown `{name}` (there are {known})")
    return Own(name[1:])
