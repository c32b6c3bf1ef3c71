"""The rules as a program: the bytes that the kernel's C reads (program.c), little-endian.

    program   "GNP1" documents:u16[] terms:u16[] items:u16[] allow:u16[]
    document  name root:u8+str record:u8 always:u8 fields:u16[] slots:u16[str] derives:u16[]
    field     names:u8[str] rule:u8
    derive    names:u8[str] constant:i128 terms:u16[u16]
    term      kind:u8 (0 count | 1 sum) document:u16 names:u8[str] where:u8+condition
    item      each:u8 (0 member | 1 ".")+str when:u8+condition into:u16 key:u16[] apply:u16[]
    condition names:u8[str] literal:str
    template  u16[kind:u8 (0 str | 1 reference)]
    reference u8[kind:u8 (0 names:u8[str] | 1.. the delta's own)]
    operation code:u8 optional:u8 document:u16 path:u8[kind:u8 (0 str | 1 template | 2 @)]
              value:u8 (0 none | 1 str | 2 reference)
    pattern   code:u8 path:u8[kind:u8 (0 literal | 1 star | 2 @) str], the document first

`x:u8[y]` is a count and so many y; a name alone is a str: u32 size and UTF-8. This is no file
format: a program is made from the rules' text for each handle, so it has no version to keep.
"""

from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple, TypeVar

from .document import Derived, Document, FieldRule
from .expression import Condition, Term
from .item import Item
from .operation import OPERATIONS, Operation, Pattern
from .tables import FIELD_RULES
from .template import OWN_NAMES, Field, Own, Reference, Template

MAGIC = b"GNP1"
NOWHERE = 0xFFFF  # `into` of a rule without one
Entry = TypeVar("Entry")


class Checked(NamedTuple):
    """Rules that passed every check; documents by name, in the file's order."""

    documents: dict[str, Document]
    fields: dict[str, tuple[FieldRule, ...]]
    derived: dict[str, tuple[Derived, ...]]
    items: tuple[Item, ...]
    allow: tuple[Pattern, ...]

    def terms(self) -> tuple[Term, ...]:
        """Give the distinct terms of all derived fields, in the order of their first use."""
        every = (field for fields in self.derived.values() for field in fields)
        return tuple(dict.fromkeys(term for field in every for term in field.expression.terms))


def encode(checked: Checked) -> bytes:
    """Give the program's bytes."""
    return _Encoder(checked).program()


def slots(checked: Checked) -> dict[str, list[str]]:
    """Give, by document, the own members of its entities that the rules name, in byte order."""
    found: dict[str, set[str]] = {name: set() for name in checked.documents}
    for document, member in _members(checked):
        found[document].add(member)
    return {name: sorted(members, key=str.encode) for name, members in found.items()}


def _members(checked: Checked) -> Iterator[tuple[str, str]]:
    for name in checked.documents:
        yield from ((name, field.names[0]) for field in checked.fields[name])
        yield from ((name, field.names[0]) for field in checked.derived[name])
    for term in checked.terms():
        if term.field is not None:
            yield term.document, term.field[0]
        if term.where is not None:
            yield term.document, term.where.field[0]
    lines: list[Operation | Pattern] = [line for item in checked.items for line in item.apply]
    for line in [*lines, *checked.allow]:
        own = line.segments[0 if checked.documents[line.document].is_record else 1 :]
        if own and isinstance(own[0], str):
            yield line.document, own[0]


class _Encoder:
    """Each method gives the bytes of what it is named for."""

    def __init__(self, checked: Checked) -> None:
        self._checked = checked
        self._slots = slots(checked)
        self._index = {name: index for index, name in enumerate(checked.documents)}
        self._terms = {term: index for index, term in enumerate(checked.terms())}

    def program(self) -> bytes:
        documents = _u16s(self._checked.documents.values(), self.document)
        terms = _u16s(self._terms, self.term)
        items = _u16s(self._checked.items, self.item)
        return MAGIC + documents + terms + items + _u16s(self._checked.allow, self.pattern)

    def document(self, document: Document) -> bytes:
        name = document.name
        root = _u8(document.root is not None) + _str(document.root or "")
        flags = _u8(document.is_record) + _u8(document.create == "always")
        fields = _u16s(self._checked.fields[name], _field_rule)
        members = _u16s(self._slots[name], _str)
        derives = _u16s(self._checked.derived[name], self.derived)
        return _str(name) + root + flags + fields + members + derives

    def derived(self, derived: Derived) -> bytes:
        constant = derived.expression.constant.to_bytes(16, "little", signed=True)
        terms = _u16s(derived.expression.terms, lambda term: _u16(self._terms[term]))
        return _names(derived.names) + constant + terms

    def term(self, term: Term) -> bytes:
        kind = _u8(term.kind == "sum") + _u16(self._index[term.document])
        return kind + _names(term.field or ()) + _maybe(term.where)

    def item(self, item: Item) -> bytes:
        is_whole = item.each == "."
        each = _u8(is_whole) + _str("" if is_whole else item.each)
        into = _u16(NOWHERE if item.into is None else self._index[item.into])
        key = _u16s(item.key, _template)
        return each + _maybe(item.when) + into + key + _u16s(item.apply, self.operation)

    def operation(self, operation: Operation) -> bytes:
        head = _u8(OPERATIONS.index(operation.name)) + _u8(operation.optional)
        document = self._checked.documents[operation.document]
        path = _u8(len(operation.segments))
        for index, segment in enumerate(operation.segments):
            path += _u8(2) if _is_at(segment, index, document) else _text(segment)
        return head + _u16(self._index[operation.document]) + path + _value(operation.value)

    def pattern(self, pattern: Pattern) -> bytes:
        document = self._checked.documents[pattern.document]
        path = _u8(1 + len(pattern.segments)) + _u8(0) + _str(pattern.document)
        for index, segment in enumerate(pattern.segments):
            kind = 1 if segment is None else 2 if _is_at(segment, index, document) else 0
            path += _u8(kind) + _str(segment or "")
        return _u8(OPERATIONS.index(pattern.name)) + path


def _is_at(segment: str | Template | None, index: int, document: Document) -> bool:
    return index == 0 and segment == "@" and document.root is not None


def _field_rule(field: FieldRule) -> bytes:
    return _names(field.names) + _u8(FIELD_RULES.index(field.rule))


def _maybe(condition: Condition | None) -> bytes:
    if condition is None:
        return _u8(0)
    return _u8(1) + _names(condition.field) + _json(condition.literal)


def _value(value: bytes | Reference | None) -> bytes:
    if value is None:
        return _u8(0)
    return _u8(1) + _json(value) if isinstance(value, bytes) else _u8(2) + _reference(value)


def _text(segment: str | Template) -> bytes:
    return _u8(0) + _str(segment) if isinstance(segment, str) else _u8(1) + _template(segment)


def _template(template: Template) -> bytes:
    return _u16s(template.parts, _part)


def _part(part: str | Reference) -> bytes:
    return _u8(0) + _str(part) if isinstance(part, str) else _u8(1) + _reference(part)


def _reference(reference: Reference) -> bytes:
    return _u8(len(reference.alternatives)) + b"".join(map(_alternative, reference.alternatives))


def _alternative(alternative: Field | Own) -> bytes:
    if isinstance(alternative, Field):
        return _u8(0) + _names(alternative.names)
    return _u8(1 + OWN_NAMES.index(alternative.name))


def _names(names: tuple[str, ...]) -> bytes:
    return _u8(len(names)) + b"".join(map(_str, names))


def _u16s(entries: Collection[Entry], encode_one: Callable[[Entry], bytes]) -> bytes:
    return _u16(len(entries)) + b"".join(map(encode_one, entries))


def _str(text: str) -> bytes:
    return _json(text.encode())


def _json(text: bytes) -> bytes:
    return len(text).to_bytes(4, "little") + text


def _u16(value: int) -> bytes:
    return value.to_bytes(2, "little")


def _u8(value: int) -> bytes:
    return value.to_bytes(1, "little")
