"""Item rules: which items of a delta become units, and what these do.

A rule that could never apply is refused: in the receipts it would look like bad input.
"""

from typing import NamedTuple

from .document import Derived, Document
from .expression import Condition, condition
from .literal import is_integer, value_of
from .malformed import Malformed, within
from .operation import Operation, Pattern, operation, pattern
from .tables import ItemTable
from .template import Template, template

WHOLE = ("set", "merge", "test")  # what a record or `@` takes as a whole: it holds an object


class Item(NamedTuple):
    """One [[items]] table; `into` is a document's name."""

    each: str
    when: Condition | None
    into: str | None
    key: tuple[Template, ...]
    apply: tuple[Operation, ...]


class Known(NamedTuple):
    """What operations are checked against."""

    documents: dict[str, Document]
    derived: dict[str, tuple[Derived, ...]]


def items(tables: list[ItemTable], known: Known) -> tuple[Item, ...]:
    """Check the item rules, in their order. Raises: Malformed."""
    rules = []
    for index, table in enumerate(tables):
        with within("items", index):
            rules.append(_item(table, known))
    return tuple(rules)


def patterns(lines: list[str], known: Known) -> tuple[Pattern, ...]:
    """Check `[ops] allow`. What it allows may still be refused at run time. Raises: Malformed."""
    allowed = []
    for index, line in enumerate(lines):
        with within("ops", "allow", index):
            found = pattern(line)
            document = _document(found.document, known)
            _refuse_no_entity(found.segments, document)
            allowed.append(found)
    return tuple(allowed)


def _item(table: ItemTable, known: Known) -> Item:
    if table.each in ("", "ops"):
        raise Malformed(f"`each` cannot be `{table.each}`", "each")
    if table.into is None and not table.apply:
        raise Malformed("a rule needs `into` or `apply`; this one does nothing")
    with within("when"):
        when = None if table.when is None else condition(table.when)
    _check_into(table, known)
    keys = []
    for index, text in enumerate(table.key):
        with within("key", index):
            keys.append(template(text))
    operations = []
    for index, line in enumerate(table.apply):
        with within("apply", index):
            operations.append(_checked(operation(line), known))
    return Item(table.each, when, table.into, tuple(keys), tuple(operations))


def _check_into(table: ItemTable, known: Known) -> None:
    if table.into is None:
        if table.key:
            raise Malformed("`key` without `into`", "key")
        return
    with within("into"):
        if _document(table.into, known).is_record:
            raise Malformed(f"`{table.into}` is a record: items go into maps")
    if not table.key:
        raise Malformed("`into` needs `key`: what makes an item a duplicate", "into")


def _checked(found: Operation, known: Known) -> Operation:
    document = _document(found.document, known)
    _refuse_no_entity(found.segments, document)
    inside = _inside(found.segments, document)
    if inside is not None:
        _refuse_derived(found, inside, known.derived[document.name])
        if not inside:
            _refuse_parts_of_whole(found, document)
        elif inside[0] == document.root:
            raise Malformed(f"`/{document.name}/@/{inside[0]}` is where the entities are (`root`)")
    _refuse_literal(found)
    return found


def _document(name: str, known: Known) -> Document:
    if name not in known.documents:
        raise Malformed(f"unknown document `{name}`")
    return known.documents[name]


def _refuse_no_entity(segments: tuple[object, ...], document: Document) -> None:
    if not segments and not document.is_record:
        raise Malformed(f"`/{document.name}` names no entity: `/{document.name}/ENTITY/...`")


def _inside(
    segments: tuple[str | Template | None, ...], document: Document
) -> tuple[str | Template | None, ...] | None:
    """Give the path inside a record or `@`; None where it leads to an entity of a map."""
    if document.is_record:
        return segments
    if document.root is not None and segments[0] == "@":
        return segments[1:]
    return None


def _refuse_derived(
    found: Operation, inside: tuple[str | Template | None, ...], derived: tuple[Derived, ...]
) -> None:
    for names, _ in derived:
        is_member = found.name == "merge" and inside == names[:-1] and _holds(found, names[-1])
        if is_member or (found.name != "test" and inside[: len(names)] == names):
            raise Malformed(f"`{'.'.join(names)}` of `{found.document}` is derived, never written")


def _holds(found: Operation, name: str) -> bool:
    value = value_of(found.value) if isinstance(found.value, bytes) else None
    return isinstance(value, dict) and name in value


def _refuse_parts_of_whole(found: Operation, document: Document) -> None:
    place = f"`/{document.name}`" if document.is_record else f"`/{document.name}/@`"
    if found.name in ("init", "remove"):
        raise Malformed(f"{place} always exists: no `{found.name}`")
    if found.name not in WHOLE:
        raise Malformed(f"{place} holds an object: no `{found.name}`")
    if found.name == "test" or not isinstance(found.value, bytes):
        return
    value = value_of(found.value)
    if not isinstance(value, dict):
        raise Malformed(f"{place} holds an object, not `{found.value.decode()}`")
    if document.root in value:
        raise Malformed(f"`{document.root}` in {place} is where the entities are (`root`)")


def _refuse_literal(found: Operation) -> None:
    if not isinstance(found.value, bytes):
        return
    value = value_of(found.value)
    if found.name == "inc" and not is_integer(value):
        raise Malformed(f"`inc` adds integers, not `{found.value.decode()}`")
    if found.name == "merge" and not isinstance(value, dict):
        raise Malformed(f"`merge` takes an object, not `{found.value.decode()}`")
    if found.name in ("max", "min") and isinstance(value, bool | list | dict):
        raise Malformed(f"`{found.name}` takes times, numbers or strings")
