"""Documents as the rules declare them: names, files, fields' rules, derived fields.

What is refused here would surprise at the first close otherwise: two documents in one file, a
total kept in a map that has no `@`, a derived field inside another.
"""

import re
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec

from .expression import Expression, expression
from .malformed import Malformed, within
from .operation import unescaped
from .settings import document_path
from .tables import FIELD_RULES, DocumentTable
from .template import field

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")


class Document(msgspec.Struct, frozen=True):
    """One state file, or entities kept in the store alone (`path` None)."""

    name: str
    path: str | None
    root: str | None  # the member of the file that holds the entities
    kind: str  # "map" or "record"
    create: str  # "explicit" or "always"
    fields: dict[str, str]
    derive: dict[str, str]

    @property
    def is_record(self) -> bool:
        return self.kind == "record"


class FieldRule(NamedTuple):
    """How writes to a member of an entity combine; ("traits", "*") is each member of `traits`."""

    names: tuple[str, ...]
    rule: str


class Derived(NamedTuple):
    """A computed field of a record or of `@`."""

    names: tuple[str, ...]
    expression: Expression


def documents(tables: dict[str, DocumentTable]) -> dict[str, Document]:
    """Check the documents of a rules file, in its order. Raises: Malformed."""
    found = {}
    for name, table in tables.items():
        with within("documents", name):
            found[name] = _document(name, table)
    _refuse_shared_files([document for document in found.values() if document.path])
    return found


def field_rules(document: Document) -> tuple[FieldRule, ...]:
    """Give the rules of a document's fields, sorted by name. Raises: Malformed."""
    rules = []
    for name, rule in document.fields.items():
        with within("documents", document.name, "fields", name):
            rules.append(FieldRule(_rule_names(name), _rule(rule)))
    return tuple(sorted(rules, key=lambda rule: [name.encode() for name in rule.names]))


def derived(document: Document, known: dict[str, Document]) -> tuple[Derived, ...]:
    """Give a document's derived fields, in the file's order. Raises: Malformed."""
    fields = []
    for name, text in document.derive.items():
        with within("documents", document.name, "derive", name):
            fields.append(_derived(document, name, text, known))
    for outer, inner in pairwise(sorted(total.names for total in fields)):
        if inner[: len(outer)] == outer:
            name = ".".join(inner)
            place = ("documents", document.name, "derive", name)
            raise Malformed(f"derived `{name}` lies inside derived `{'.'.join(outer)}`", *place)
    return tuple(fields)


def _document(name: str, table: DocumentTable) -> Document:
    if not _NAME.fullmatch(name):
        raise Malformed(f"document name `{name}` is not 1 to 64 of A-Z a-z 0-9 . _ -")
    with within("path"):
        path = None if table.path is None else document_path(table.path)
    if table.root == "":
        raise Malformed("`root` is empty; leave it out where the file is the map", "root")
    if table.kind == "record" and table.root is not None:
        raise Malformed("a record is the whole file and has no `root`", "root")
    if table.kind == "record" and table.create is not None:
        raise Malformed("a record always exists and has no `create`", "create")
    create = table.create or "explicit"
    return Document(name, path, table.root, table.kind, create, table.fields, table.derive)


def _refuse_shared_files(exported: list[Document]) -> None:
    # Without case, as macOS and Windows see files; what lies in a folder sorts right behind it.
    def folder(document: Document) -> str:
        return f"{document.path}/".lower()

    for first, second in pairwise(sorted(exported, key=folder)):
        outer, inner = folder(first), folder(second)
        if inner == outer:
            reason = f"`{second.path}` is the file of document `{first.name}` already"
            raise Malformed(reason, "documents", second.name, "path")
        if inner.startswith(outer):
            reason = f"`{second.path}` lies inside `{first.path}`, a file"
            raise Malformed(reason, "documents", second.name, "path")


def _rule_names(name: str) -> tuple[str, ...]:
    names = tuple(unescaped(part) for part in name.split("/"))
    if not all(names):
        raise Malformed(f"field `{name}` has an empty name")
    if names[0] == "*" or len(names) > 2 or names[1:] not in ((), ("*",)):
        raise Malformed(f"`{name}` is neither an entity's own member nor all of one (`traits/*`)")
    return names


def _rule(rule: Any) -> str:
    if isinstance(rule, dict):
        raise Malformed("fields do not descend at dots; quote a name that holds one")
    if rule not in FIELD_RULES:
        raise Malformed(f"unknown rule `{rule}` (there are {' '.join(FIELD_RULES)})")
    return str(rule)


def _derived(document: Document, name: str, text: Any, known: dict[str, Document]) -> Derived:
    if isinstance(text, dict):
        raise Malformed(f'quote a name that descends: "{name}.{next(iter(text), "name")}"')
    if not isinstance(text, str):
        raise Malformed('a derived field is written as a string, such as "count(agents)"')
    if not document.is_record and document.root is None:
        raise Malformed(f"document `{document.name}` is a map without a root: no place for a total")
    names = field(name, name).names
    if names[0] == document.root:
        raise Malformed(f"`{name}` is where the entities are (`root`)")
    value = expression(text)
    for term in value.terms:
        if term.document not in known:
            raise Malformed(f"unknown document `{term.document}` in `{text}`")
        if known[term.document].is_record:
            raise Malformed(f"`{term.document}` is a record: it has no entities to go over")
    return Derived(names, value)
