"""Conditions (`status == 'active'`) and derived values (`3489 + count(posts)`).

Whole numbers, counts and sums of integers are all there is: floats would make a total depend on
the order of its terms (design section 7).
"""

import json
import re
from typing import NamedTuple

from .literal import INTEGER_MAX, INTEGER_MIN, literal
from .malformed import Malformed
from .template import PARTS_MAX, field

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_CALL = re.compile(r"(count|sum)\(\s*([^\s()/]+)(?:/([^\s()]+))?\s*")
_WHERE = re.compile(r"where\s+([^=]*)==\s*")
_SINGLE_QUOTED = re.compile(r"'[^']*'")


class Condition(NamedTuple):
    """A field and the compact canonical JSON that it must equal; absent equals nothing."""

    field: tuple[str, ...]
    literal: bytes


class Term(NamedTuple):
    """A value kept over a document's entities: `count(agents where ...)` or `sum(agents/karma)`."""

    kind: str  # "count" or "sum"
    document: str
    field: tuple[str, ...] | None  # sum's
    where: Condition | None  # count's


class Expression(NamedTuple):
    """The sum of a constant and terms; a term may stand in it twice."""

    constant: int
    terms: tuple[Term, ...]


def condition(text: str) -> Condition:
    """Read `FIELD == LITERAL`. Raises: Malformed."""
    name, equals, value = text.partition("==")
    if not equals:
        raise Malformed(f"`{text}` is not `FIELD == LITERAL`")
    return Condition(_field(name, text), literal(value.strip()))


def expression(text: str) -> Expression:
    """Read integers, `count(...)` and `sum(...)` joined by `+`. Raises: Malformed."""
    constant = 0
    terms: list[Term] = []
    rest = text.strip()
    for _ in range(PARTS_MAX):
        if number := _INTEGER.match(rest):
            constant += _constant(number[0])
            rest = rest[number.end() :].lstrip()
        else:
            term, rest = _term(rest, text)
            terms.append(term)
        if not rest:
            return Expression(constant, tuple(terms))
        if not rest.startswith("+"):
            raise Malformed(f"`{text}`: after a term comes `+` or the end, not `{rest}`")
        rest = rest[1:].lstrip()
    raise Malformed(f"`{text[:40]}...` has more than {PARTS_MAX} terms")


def _constant(digits: str) -> int:
    # The length first: int() of very long digits costs quadratic time and raises beyond 4300.
    if len(digits) > 20 or not INTEGER_MIN <= int(digits) <= INTEGER_MAX:
        raise Malformed(f"constant {digits[:24]} is outside -2^63 .. 2^64-1")
    return int(digits)


def _term(rest: str, text: str) -> tuple[Term, str]:
    call = _CALL.match(rest)
    if call is None:
        raise Malformed(
            f"`{text}`: expected an integer, `count(DOCUMENT)`, "
            f"`count(DOCUMENT where FIELD == LITERAL)` or `sum(DOCUMENT/FIELD)` at `{rest}`"
        )
    kind, document, name = call.groups()
    rest = rest[call.end() :]
    if (kind == "sum") != (name is not None):
        raise Malformed(f"`{text}`: it is `count(DOCUMENT)` and `sum(DOCUMENT/FIELD)`")
    summed = _field(name, text) if name else None
    where, rest = _where(rest, text) if kind == "count" else (None, rest)
    if not rest.startswith(")"):
        raise Malformed(f"`{text}`: expected `)` at `{rest}`")
    return Term(kind, document, summed, where), rest[1:].lstrip()


def _where(rest: str, text: str) -> tuple[Condition | None, str]:
    found = _WHERE.match(rest)
    if found is None:
        return None, rest
    start = found.end()
    quoted = _SINGLE_QUOTED.match(rest, start)
    end = quoted.end() if quoted else _json_end(rest, start, text)
    where = Condition(_field(found[1], text), literal(rest[start:end]))
    return where, rest[end:].lstrip()


def _json_end(rest: str, start: int, text: str) -> int:
    try:
        return json.JSONDecoder().raw_decode(rest, start)[1]
    except (ValueError, RecursionError) as error:
        raise Malformed(
            f"`{text}`: after `==` comes JSON or a string in single quotes, not `{rest[start:]}`"
        ) from error


def _field(name: str, text: str) -> tuple[str, ...]:
    found = field(name.strip(), text)
    if any(re.search(r"[\s/{}'\"!<>=]", part) for part in found.names):
        raise Malformed(f"`{text}`: `{name.strip()}` is no field (a field descends at dots)")
    if found.names[0].startswith("@"):
        raise Malformed(f"`{text}`: conditions see fields, not `{found.names[0]}`")
    return found.names
