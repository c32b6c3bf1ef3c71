"""Two edits of one base joined, for the reference model: merge3 in section 8 of the design.

A place's value is a JSON value or ABSENT; what both sides wrote is joined by the field's rule, and
where that cannot be, the base's value stays and the place is a conflict.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from goodneighbor.kernel.document import Document

from .model_json import ABSENT, compact, in_range, is_integer
from .model_operations import Skip, ranked, the_further
from .model_template import escaped

Path = tuple[str, ...]  # of members, from the outermost object on
Sides = tuple[Any, Any, Any]  # base, ours, theirs
Joining = Callable[[Any, Any, Any], Any]  # None: not by this rule
Conflicts = list[tuple[str, bytes | None, bytes | None]]


def merge3(document: Document, sides: Sides) -> tuple[Any, Conflicts]:
    """Join two versions of a document of that kind; what comes out, and the conflicts."""
    merger = Merger(document, [])
    return merger.members((), sides), merger.conflicts


@dataclass(frozen=True)
class Merger:
    document: Document
    conflicts: Conflicts

    def members(self, path: Path, sides: Sides) -> dict[str, Any]:
        result = {}
        for key in sorted({key for side in sides for key in side}):
            base, ours, theirs = (side.get(key, ABSENT) for side in sides)
            value = self.place((*path, key), (base, ours, theirs))
            if value is not ABSENT:
                result[key] = value
        return result

    def place(self, path: Path, sides: Sides) -> Any:
        base, ours, theirs = sides
        if same(ours, base) or same(theirs, base):
            return theirs if same(ours, base) else ours
        rule = self.rule_of(path)
        joined = JOIN[rule](base, ours, theirs)
        if joined is not None:
            return joined
        if all(isinstance(side, dict) for side in sides):
            return self.members(path, sides)
        if same(ours, theirs):
            return ours
        if rule != "derived":
            self.conflicts.append((self.pointer(path), written(ours), written(theirs)))
        return base

    def rule_of(self, path: Path) -> str:
        document = self.document
        beside = document.root is not None and path[0] != document.root
        if (beside or document.is_record) and ".".join(path) in document.derive:
            return "derived"
        own = path if document.is_record else path[1 if document.root is None else 2 :]
        if beside or len(own) not in (1, 2):
            return "last"
        return document.fields.get(own[0] if len(own) == 1 else f"{own[0]}/*", "last")

    def pointer(self, path: Path) -> str:
        root = self.document.root
        if root is not None:
            path = path[1:] if path[0] == root else ("@", *path)
        return "".join(f"/{escaped(each)}" for each in (self.document.name, *path))


def same(a: Any, b: Any) -> bool:
    return written(a) == written(b)


def written(value: Any) -> bytes | None:
    return None if value is ABSENT else compact(value)


def nothing(*_: Any) -> Any:
    return None


def sums(base: Any, ours: Any, theirs: Any) -> int | None:
    start = 0 if base is ABSENT else base
    if not all(is_integer(each) for each in (start, ours, theirs)):
        return None
    total: int = ours + theirs - start
    return total if in_range(total) else None


def derived(base: Any, ours: Any, theirs: Any) -> int | None:
    return None if base is ABSENT else sums(base, ours, theirs)


def extremes(name: str) -> Joining:
    def joined(_: Any, ours: Any, theirs: Any) -> Any:
        if ours is ABSENT or theirs is ABSENT:
            return None
        try:
            found = the_further(ours, theirs, name)
            return None if ranked(found) is None else found
        except Skip:
            return None

    return joined


def sets(base: Any, ours: Any, theirs: Any) -> list[Any] | None:
    before = [] if base is ABSENT else base
    if not all(isinstance(each, list) for each in (before, ours, theirs)) or same(ours, theirs):
        return None
    by_bytes = [{compact(each): each for each in side} for side in (before, ours, theirs)]
    if any(
        len(found) != len(side)
        for found, side in zip(by_bytes, (before, ours, theirs), strict=True)
    ):
        return None
    old, our, their = by_bytes
    kept = old.keys() & our.keys() & their.keys()
    orders = [[each for each in side if each in kept] for side in by_bytes]
    if orders[0] != orders[1] and orders[0] != orders[2] and orders[1] != orders[2]:
        return None
    order = orders[2] if orders[0] == orders[1] else orders[1]
    new = [each for each in our if each not in old]
    new += [each for each in their if each not in old and each not in our]
    return [(old | our | their)[each] for each in (*order, *new)]


def grown(base: Any, ours: Any, theirs: Any) -> list[Any] | None:
    if not all(isinstance(each, list) for each in (base, ours, theirs)):
        return None
    for side in (ours, theirs):
        if len(side) <= len(base) or not same(side[: len(base)], base):
            return None
    return [*ours, *theirs[len(base) :]]


JOIN: dict[str, Joining] = {
    "sum": sums,
    "derived": derived,
    "max": extremes("max"),
    "min": extremes("min"),
    "set": sets,
    "last": grown,
    "first": nothing,
}
