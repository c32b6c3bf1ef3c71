"""Read the rules' program back, from the format in kernel/program.py alone.

Gives plain dicts and tuples: names as str, literals as bytes, the delta's own as "@utc". A second
reader beside the one in C: what both understand alike is the format.
"""

from collections.abc import Callable
from typing import Any, TypeVar

OPERATIONS = [
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
]
FIELD_RULES = ["last", "sum", "max", "min", "first", "set"]
OWN_NAMES = ["@frame", "@utc", "@stream", "@id", "@index", "@key", "@value"]
AT = object()  # the entity `@`, written out
STAR = object()
Entry = TypeVar("Entry")


def read_program(program: bytes) -> dict[str, Any]:
    """Give documents, terms, items and allow; every byte must belong to one of them."""
    reader = Reader(program)
    assert reader.take(4) == b"GNP1"
    found = {
        "documents": reader.many(2, reader.document),
        "terms": reader.many(2, reader.term),
        "items": reader.many(2, reader.item),
        "allow": reader.many(2, reader.pattern),
    }
    assert reader.rest == b""
    return found


class Reader:
    def __init__(self, rest: bytes) -> None:
        self.rest = rest

    def take(self, size: int) -> bytes:
        assert size <= len(self.rest)
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def flag(self) -> bool:
        return [False, True][self.number(1)]

    def literal(self) -> bytes:
        return self.take(self.number(4))

    def string(self) -> str:
        return self.literal().decode()

    def many(self, size: int, read: Callable[[], Entry]) -> list[Entry]:
        return [read() for _ in range(self.number(size))]

    def names(self) -> tuple[str, ...]:
        return tuple(self.many(1, self.string))

    def document(self) -> dict[str, Any]:
        name, has_root, root = self.string(), self.flag(), self.string()
        assert has_root or root == ""
        return {
            "name": name,
            "root": root if has_root else None,
            "record": self.flag(),
            "always": self.flag(),
            "fields": self.many(2, lambda: (self.names(), FIELD_RULES[self.number(1)])),
            "slots": self.many(2, self.string),
            "derives": self.many(2, self.derived),
        }

    def derived(self) -> tuple[tuple[str, ...], int, list[int]]:
        names = self.names()
        constant = int.from_bytes(self.take(16), "little", signed=True)
        return names, constant, self.many(2, lambda: self.number(2))

    def term(self) -> tuple[Any, ...]:
        kind, document = ["count", "sum"][self.number(1)], self.number(2)
        return kind, document, self.names(), self.maybe_condition()

    def maybe_condition(self) -> tuple[tuple[str, ...], bytes] | None:
        return (self.names(), self.literal()) if self.flag() else None

    def item(self) -> dict[str, Any]:
        is_whole, member = self.flag(), self.string()
        assert not (is_whole and member)
        when, into = self.maybe_condition(), self.number(2)
        return {
            "each": "." if is_whole else member,
            "when": when,
            "into": None if into == 0xFFFF else into,
            "key": self.many(2, self.template),
            "apply": self.many(2, self.operation),
        }

    def template(self) -> tuple[Any, ...]:
        return tuple(self.many(2, lambda: self.reference() if self.flag() else self.string()))

    def reference(self) -> list[Any]:
        return self.many(1, self.alternative)

    def alternative(self) -> Any:
        kind = self.number(1)
        return OWN_NAMES[kind - 1] if kind else self.names()

    def operation(self) -> tuple[Any, ...]:
        name, optional, document = OPERATIONS[self.number(1)], self.flag(), self.number(2)
        segments = tuple(self.many(1, self.segment))
        return name + "?" * optional, document, segments, self.value()

    def value(self) -> Any:
        match self.number(1):
            case 0:
                return None
            case 1:
                return self.literal()
            case 2:
                return self.reference()
        raise AssertionError("a value is nothing, a literal or a reference")

    def segment(self) -> Any:
        match self.number(1):
            case 0:
                return self.string()
            case 1:
                return self.template()
            case 2:
                return AT
        raise AssertionError("a segment is text, a template or @")

    def pattern(self) -> tuple[Any, ...]:
        return OPERATIONS[self.number(1)], *self.many(1, self.pattern_segment)

    def pattern_segment(self) -> Any:
        kind, text = self.number(1), self.string()
        assert kind == 0 or text == ("" if kind == 1 else "@")
        return [text, STAR, AT][kind]
