"""Texts as Python sees them: canonical JSON, instants, checksums. `fold.py` is the fold.

A status other than GN_OK becomes an exception right here, with what happened, at which byte, and
what stood there. Idle working memory lies on a stack, so that each thread finds one of its own.
`append` comes through here: no import that a Python start has not paid for already.
"""

from . import errors
from ._kernel import ffi, lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEPTH_MAX = 128  # arrays and objects inside each other, the outermost is 1
SIZE_MAX = 16 << 20
MEMORY_MAX = 8 << 30

_KEPT_FOR = 1 << 20  # after a larger text, or a refused one, its scratch is let go
_FORMS = {"compact": 0, "pretty": 1}
_EXCERPT_SIZE = 24
_MEMBERS = 64  # of nearly all objects at most
_INSTANT_SIZE_MAX = 27

_JSON_ERRORS: dict[int, type[errors.JsonRejected]] = {
    lib.GN_JSON_ENDS_EARLY: errors.JsonEndsEarly,
    lib.GN_JSON_UNEXPECTED: errors.JsonUnexpectedByte,
    lib.GN_JSON_TRAILING: errors.JsonTrailingBytes,
    lib.GN_JSON_BYTE_ORDER_MARK: errors.JsonByteOrderMark,
    lib.GN_JSON_NOT_UTF8: errors.JsonNotUtf8,
    lib.GN_JSON_LONE_SURROGATE: errors.JsonLoneSurrogate,
    lib.GN_JSON_BAD_ESCAPE: errors.JsonBadEscape,
    lib.GN_JSON_CONTROL: errors.JsonControlCharacter,
    lib.GN_JSON_DUPLICATE_KEY: errors.JsonDuplicateKey,
    lib.GN_JSON_NOT_FINITE: errors.JsonNotFinite,
    lib.GN_JSON_INTEGER_RANGE: errors.JsonIntegerRange,
    lib.GN_JSON_TOO_DEEP: errors.JsonTooDeep,
    lib.GN_JSON_TOO_LARGE: errors.JsonTooLarge,
}

_gn_canonical = lib.gn_canonical  # looked up once: the call is most of a small text's time
_gn_members = lib.gn_members
_gn_crc32c = lib.gn_crc32c
_buffer = ffi.buffer
_idle: "list[tuple[Any, Any, Any, Any]]" = []  # one scratch for each call that ran at once
_idle_tables: "list[Any]" = []  # of members, likewise


def status_error(status: int, data: bytes, position: int) -> errors.GoodneighborError:
    """Return the exception for a status that reading `data` ended with."""
    what = ffi.string(lib.gn_status_text(status)).decode("ascii")
    if status == lib.GN_NO_MEMORY:
        return errors.KernelLimit(f"{what}; nothing changed")
    excerpt = data[max(0, position - _EXCERPT_SIZE // 2) : position + _EXCERPT_SIZE // 2]
    text = f"{what}, at byte {position} of {len(data)}, near {str(excerpt)[1:]}"
    if status in _JSON_ERRORS:
        return _JSON_ERRORS[status](text, position=position)
    return errors.DeltaRejected(text, position=position)


def _open_scratch() -> "tuple[Any, Any, Any, Any]":
    """Working memory and the places of one result: bytes, size, position."""
    memory = lib.gn_scratch_open(MEMORY_MAX, 0)
    if memory == ffi.NULL:
        raise errors.KernelLimit("the machine has no memory left; nothing changed")
    return (
        ffi.gc(memory, lib.gn_scratch_close),
        ffi.new("const uint8_t **"),
        ffi.new("uint64_t *"),
        ffi.new("uint64_t *"),
    )


def canonical(
    data: bytes, form: str = "pretty", *, depth_max: int = DEPTH_MAX, size_max: int = SIZE_MAX
) -> bytes:
    """Read strict JSON and write it canonically: "pretty" with a final newline, or "compact".

    A limit of 0 is none. Doubles stay doubles (`1.0`), integers stay integers, keys are sorted.

    Raises:
        JsonRejected: a subclass for each cause; `position` is the byte it was seen at.
        KernelLimit: working memory reached its bound.
    """
    try:
        scratch = _idle.pop()
    except IndexError:
        scratch = _open_scratch()
    memory, out, out_size, position = scratch
    size = len(data)
    status = _gn_canonical(
        memory, data, size, _FORMS[form], depth_max, size_max, out, out_size, position
    )
    if status:
        raise status_error(status, data, position[0])
    result: bytes = _buffer(out[0], out_size[0])[:]
    if size <= _KEPT_FOR:
        _idle.append(scratch)
    return result


def members(compact: bytes) -> dict[bytes, bytes]:
    """Cut an object into its members: the bytes between a key's quotes -> its value's bytes.

    `compact` must come from `canonical`, which spells the keys; anything but an object gives {}.
    """
    size = len(compact)
    try:
        table = _idle_tables.pop()
    except IndexError:
        table = ffi.new("gn_member_place[]", _MEMBERS)
    count = _gn_members(compact, size, table, len(table))
    if count > len(table):
        table = ffi.new("gn_member_place[]", count)
        _gn_members(compact, size, table, count)
    places = iter(memoryview(_buffer(table)).cast("Q")[: 4 * count].tolist())
    found = {
        compact[key_at : key_at + key_size]: compact[at : at + value_size]
        for key_at, key_size, at, value_size in zip(places, places, places, places, strict=True)
    }
    if count <= _MEMBERS:
        _idle_tables.append(table)
    return found


def instant(text: bytes) -> int | None:
    """Return the microseconds since 1970 of an RFC 3339 time with an offset, else None."""
    us = ffi.new("int64_t *")
    return int(us[0]) if lib.gn_instant_parse(text, len(text), us) else None


def format_instant(us: int) -> str:
    """Write an instant in UTC: `2026-03-28T03:00:00Z`, six fraction digits only when not zero."""
    out = ffi.new("uint8_t[]", _INSTANT_SIZE_MAX)
    size = lib.gn_instant_format(us, out)
    return bytes(ffi.buffer(out, size)).decode("ascii")


def crc32c(data: bytes, crc: int = 0) -> int:
    """Return the CRC-32C (Castagnoli) of `data`, going on from `crc`."""
    checksum: int = _gn_crc32c(crc, data, len(data))
    return checksum
