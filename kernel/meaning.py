"""Documents compared by what their fields mean: an edit as operations, two edits joined.

The fields' rules of neighbor.toml decide, as they do in the fold (section 7 of the design): a
counter's change is an increment, a set's a membership, a maximum stands against a maximum. Texts
may be any strict JSON and of any size; they are brought into canonical form first.
"""

from typing import Any, NamedTuple

from ._kernel import ffi, lib
from .errors import DeltaRejected, GoodneighborError, KernelLimit
from .rules import Rules
from .text import MEMORY_MAX, canonical, status_error

_SHAPES = (lib.GN_DOCUMENT_NOT_OBJECT, lib.GN_DOCUMENT_NO_ROOT, lib.GN_DOCUMENT_AT)


class Conflict(NamedTuple):
    """A place to which both sides wrote, each something else; None: that side took it out."""

    path: str  # a JSON Pointer that starts with the document, `/agents/ada/bio`
    ours: bytes | None  # canonical compact JSON
    theirs: bytes | None


class Merged(NamedTuple):
    """A merge's document, and what it could not decide, in the order of the document."""

    text: bytes  # canonical pretty JSON with a final newline
    conflicts: tuple[Conflict, ...]


def diff(rules: Rules, document: str, old: bytes, new: bytes) -> bytes:
    """Give the operations that make `old` into `new`: a JSON array, as a delta holds it in `ops`.

    Folded onto `old` as the store's own delta they give `new`. A field's change is said by its
    rule where that can say it: `sum` as `inc`, `max` and `min` as such, `first` where it was absent
    as `init`, `set` as excludes and includes, an array of a field without a rule that grew at its
    end as pushes. All else is `set` or `remove`; objects are descended into, an added entity is one
    `set`. Derived fields are left out.

    Raises:
        JsonRejected: a text is not strict JSON; `position` is the byte.
        DeltaRejected: it is no document of that kind (reason "shape"): no object, without its root,
            or with a member `@` under it.
        KernelLimit: memory reached its bound.
    """
    texts = [_compact(text, side) for text, side in ((old, "old"), (new, "new"))]
    scratch, ops = _open_scratch(), ffi.new("gn_text *")
    _call(lib.gn_diff, scratch, rules, document, texts, ("old", "new"), ops)
    return bytes(ffi.buffer(ops.bytes, ops.size))


def merge3(rules: Rules, document: str, base: bytes, ours: bytes, theirs: bytes) -> Merged:
    """Join two edits of one base by the fields' rules.

    Counters add, also where both sides counted the same; sets unite, without what either side took
    out; the further maximum or minimum wins; arrays of fields without a rule that grew at their end
    get both sides' elements, ours first. Different fields coexist, and so do different entities.
    Where both sides wrote, each something else (one a change, the other a removal; two entities
    under one new key; a set put into two orders), there is a conflict: the merged text then holds
    what the base held, or nothing, and both values are reported. Derived fields are never one: they
    are computed at the next fold. Where there is no base, it is the document without entities.

    With ours and theirs changed places the result is the same but for the order of what both
    brought to an array.

    Raises: as `diff` does.
    """
    sides = ("base", "ours", "theirs")
    texts = [_compact(text, side) for text, side in zip((base, ours, theirs), sides, strict=True)]
    scratch, merged = _open_scratch(), ffi.new("gn_text *")
    conflicts, count = ffi.new("const gn_conflict **"), ffi.new("uint64_t *")  # into `texts`
    _call(lib.gn_merge3, scratch, rules, document, texts, sides, merged, conflicts, count)
    found = tuple(
        Conflict((_bytes(each.path) or b"").decode(), _bytes(each.ours), _bytes(each.theirs))
        for each in conflicts[0][0 : count[0]]
    )
    return Merged(bytes(ffi.buffer(merged.bytes, merged.size)), found)


def _compact(text: bytes, side: str) -> bytes:
    try:
        return canonical(text, "compact", depth_max=0, size_max=0)
    except DeltaRejected as error:
        error.add_note(f"in the text {side!r}")
        raise


def _open_scratch() -> Any:
    memory = lib.gn_scratch_open(MEMORY_MAX, 0)
    if memory == ffi.NULL:
        raise KernelLimit("the machine has no memory left; nothing changed")
    return ffi.gc(memory, lib.gn_scratch_close)


def _call(
    function: Any, scratch: Any, rules: Rules, document: str, texts: list[bytes],
    sides: tuple[str, ...], *results: Any,
) -> None:  # fmt: skip
    indexes = {each.name: index for index, each in enumerate(rules.documents)}
    kept = [ffi.from_buffer(text) for text in (rules.program, *texts)]
    program, *given = [{"bytes": each, "size": len(each)} for each in kept]
    failed, position = ffi.new("uint32_t *"), ffi.new("uint64_t *")
    status = function(
        scratch, ffi.new("gn_text *", program), indexes[document], ffi.new("gn_text[]", given),
        *results, failed, position,
    )  # fmt: skip
    if status != lib.GN_OK:
        raise _error(status, texts[failed[0]], position[0], document, sides[failed[0]])


def _error(status: int, text: bytes, position: int, document: str, side: str) -> GoodneighborError:
    if status in _SHAPES:
        what = ffi.string(lib.gn_status_text(status)).decode("ascii")
        return DeltaRejected(f"{what}: {document!r} as {side!r} has it", reason="shape")
    error = status_error(status, text, position)
    error.add_note(f"in the text {side!r}")
    return error


def _bytes(text: Any) -> bytes | None:
    return bytes(ffi.buffer(text.bytes, text.size)) if text.size else None
