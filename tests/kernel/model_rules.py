"""neighbor.toml for the reference model: sections 5 and 7 of the design, read with tomllib.

Strict enough to refuse what the conformance cases refuse; lines and reasons are not its affair.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from .model_template import (
    Reference,
    Template,
    parse_literal,
    parse_reference,
    parse_template,
    unescaped,
)

OPERATIONS = frozenset(
    ["set", "init", "inc", "max", "min", "include", "exclude", "push", "remove", "merge", "test"],
)
FIELD_RULES = frozenset(["last", "sum", "max", "min", "first", "set"])
OPERATION = re.compile(r"(\w+)(\??)\s+((?:\{[^}]*\}|[^\s{])+)\s*(.*)", re.DOTALL)
WHEN = re.compile(r"\s*(\S+?)\s*==\s*(.+?)\s*", re.DOTALL)
LITERAL = r"""'[^']*'|"(?:[^"\\]|\\.)*"|[^\s)]+"""
TERM = re.compile(
    r"\s*(?:(?P<constant>-?\d+)"
    rf"|count\(\s*(?P<count>[^\s)]+)(?:\s+where\s+(?P<path>\S+?)\s*==\s*(?P<literal>{LITERAL}))?\s*\)"
    r"|sum\(\s*(?P<sum>[^\s/)]+)/(?P<field>[^\s)]+)\s*\))\s*(?:\+|$)"
)


class BadRules(ValueError):
    """A rules text that is refused whole."""


@dataclass(frozen=True)
class Condition:
    """`field == literal`, of a `when` or a `where`."""

    path: tuple[str, ...]
    literal: Any


@dataclass(frozen=True)
class Term:
    """One summand of a derived field: a constant, a count or a sum."""

    constant: int = 0
    document: str = ""
    path: tuple[str, ...] = ()  # of a sum; a count has none
    where: Condition | None = None


@dataclass(frozen=True)
class Document:
    name: str
    path: str | None = None
    root: str | None = None
    is_record: bool = False
    is_always_made: bool = False
    fields: dict[str, str] = field(default_factory=dict)
    derive: dict[tuple[str, ...], tuple[Term, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Operation:
    """One line of `apply`; `names_at` says that the entity `@` is written out."""

    name: str
    optional: bool
    document: str
    segments: tuple[Template, ...]
    names_at: bool
    value: Any
    reference: Reference | None


@dataclass(frozen=True)
class ItemRule:
    each: str
    when: Condition | None
    into: str | None
    keys: tuple[Template, ...]
    apply: tuple[Operation, ...]

    def references(self) -> Iterator[Reference]:
        """Yield every reference of keys, paths and values."""
        for template in (*self.keys, *(s for each in self.apply for s in each.segments)):
            yield from (part for part in template if not isinstance(part, str))
        yield from (each.reference for each in self.apply if each.reference is not None)


@dataclass(frozen=True)
class Pattern:
    """One line of `[ops] allow`: None stands for `*`."""

    operation: str
    document: str
    segments: tuple[str | None, ...]
    names_at: bool


@dataclass(frozen=True)
class Rules:
    text: str
    documents: dict[str, Document]
    items: tuple[ItemRule, ...]
    allow: tuple[Pattern, ...]
    reopen: int
    max_loss: Fraction


def parse_rules(text: str) -> Rules:
    """Read a rules text.

    Raises:
        BadRules: where it does not parse, or names what is not there.
    """
    try:
        table = tomllib.loads(text)
        documents = {name: document(name, each) for name, each in table["documents"].items()}
        return Rules(
            text,
            documents,
            tuple(item_rule(documents, each) for each in table.get("items", [])),
            tuple(pattern(documents, each) for each in table.get("ops", {}).get("allow", [])),
            table.get("frames", {}).get("reopen", 8),
            share(table.get("export", {}).get("max_loss", "10%")),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadRules(str(error)) from error


def document(name: str, table: dict[str, Any]) -> Document:
    root, is_record = table.get("root"), table.get("kind", "map") == "record"
    fields = table.get("fields", {})
    refuse_unless(set(fields.values()) <= FIELD_RULES, f"a rule of a field of {name}")
    refuse_unless(not (root is not None and is_record), f"{name} is a record with a root")
    derive = {derived_path(target): terms(each) for target, each in table.get("derive", {}).items()}
    refuse_unless(not derive or is_record or root is not None, f"{name} derives without a record")
    is_always_made = table.get("create", "explicit") == "always"
    return Document(name, table.get("path"), root, is_record, is_always_made, fields, derive)


def item_rule(documents: dict[str, Document], table: dict[str, Any]) -> ItemRule:
    into = table.get("into")
    refuse_unless(into is None or not documents[into].is_record, f"into {into}")
    refuse_unless(into is not None or bool(table.get("apply")), f"a rule for {table['each']}")
    return ItemRule(
        table["each"],
        condition(table["when"]) if "when" in table else None,
        into,
        tuple(parse_template(each) for each in table.get("key", [])),
        tuple(operation(documents, each) for each in table.get("apply", [])),
    )


def operation(documents: dict[str, Document], text: str) -> Operation:
    match = OPERATION.fullmatch(text)
    refuse_unless(match is not None and match[1] in OPERATIONS, text)
    assert match is not None
    name, optional, path, rest = match[1], match[2] == "?", match[3], match[4].strip()
    segments = re.split(r"/(?![^{]*\})", path)
    refuse_unless(segments[0] == "" and segments[1] in documents, text)
    target = documents[segments[1]]
    names_at = target.root is not None and segments[2:3] == ["@"]
    refuse_unless((rest == "") == (name == "remove"), text)
    refuse_unless(not (name == "test" and optional), text)
    refuse_unless(target.is_record or len(segments) > 2, text)
    reference = parse_reference(rest)
    value = None if reference is not None or not rest else parse_literal(rest)
    templates = tuple(parse_template(each, is_path=True) for each in segments[2:])
    refuse_unless(not writes_derived(target, name, templates[names_at:], names_at), text)
    return Operation(name, optional, target.name, templates, names_at, value, reference)


def writes_derived(target: Document, name: str, path: tuple[Template, ...], at: bool) -> bool:
    literal = tuple(part[0] if part and len(part) == 1 else None for part in path)
    own = target.is_record or at
    return own and name != "test" and any(literal[: len(each)] == each for each in target.derive)


def pattern(documents: dict[str, Document], text: str) -> Pattern:
    name, path = text.split(None, 1)
    empty, where, *segments = path.strip().split("/")
    refuse_unless(name in OPERATIONS and empty == "" and where in documents, text)
    names_at = documents[where].root is not None and segments[:1] == ["@"]
    return Pattern(
        name,
        where,
        tuple(None if each == "*" else unescaped(each) for each in segments),
        names_at,
    )


def condition(text: str) -> Condition:
    match = WHEN.fullmatch(text)
    refuse_unless(match is not None, text)
    assert match is not None
    return Condition(tuple(match[1].split(".")), parse_literal(match[2]))


def terms(text: str) -> tuple[Term, ...]:
    found, position = [], 0
    while position < len(text):
        match = TERM.match(text, position)
        refuse_unless(match is not None, text)
        assert match is not None
        found.append(term(match))
        position = match.end()
    return tuple(found)


def term(match: re.Match[str]) -> Term:
    if match["constant"]:
        return Term(constant=int(match["constant"]))
    if match["sum"]:
        return Term(document=match["sum"], path=tuple(match["field"].split(".")))
    if match["path"]:
        where = Condition(tuple(match["path"].split(".")), parse_literal(match["literal"]))
        return Term(document=match["count"], where=where)
    return Term(document=match["count"])


def derived_path(target: str) -> tuple[str, ...]:
    return tuple(target.split("."))


def share(text: str) -> Fraction:
    refuse_unless(text.endswith("%"), text)
    return Fraction(text[:-1]) / 100


def refuse_unless(holds: bool, text: str) -> None:
    if not holds:
        raise BadRules(text)
