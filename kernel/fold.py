"""Bytes in, bytes out: the only Python that touches `ffi`.

A status other than GN_OK becomes an exception right here, with what happened, at which byte, and what
stood there. Working memory is one scratch a thread, kept small: a large text gets one of its own.
"""

import threading

from . import errors
from ._kernel import ffi, lib

DEPTH_MAX = 128  # arrays and objects inside each other, the outermost is 1
SIZE_MAX = 16 << 20
MEMORY_MAX = 8 << 30

_SCRATCH_KEPT_FOR = 1 << 20  # texts up to this size share their thread's scratch
_EXCERPT_SIZE = 24
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


class _Scratch(threading.local):
    """Working memory and result places of one thread."""

    def __init__(self) -> None:
        self.memory = ffi.gc(lib.gn_scratch_open(MEMORY_MAX, 0), lib.gn_scratch_close)
        self.out = ffi.new("const uint8_t **")
        self.size = ffi.new("uint64_t *")
        self.position = ffi.new("uint64_t *")


_scratch = _Scratch()


def canonical(
    data: bytes, form: str = "pretty", *, depth_max: int = DEPTH_MAX, size_max: int = SIZE_MAX
) -> bytes:
    """Read strict JSON and write it canonically, as "pretty" (final newline) or "compact" bytes.

    A limit of 0 is none. Doubles stay doubles (`1.0`), integers stay integers, keys are sorted.

    Raises:
        JsonRejected: a subclass for each cause; `position` is the byte it was seen at.
        KernelLimit: working memory reached its bound.
    """
    if form not in ("pretty", "compact"):
        raise ValueError(f"form is 'pretty' or 'compact', not {form!r}")
    scratch = _scratch if len(data) <= _SCRATCH_KEPT_FOR else _Scratch()
    status = lib.gn_canonical(
        scratch.memory, data, len(data), form == "pretty", depth_max, size_max,
        scratch.out, scratch.size, scratch.position,
    )  # fmt: skip
    if status != lib.GN_OK:
        raise status_error(status, data, scratch.position[0])
    return bytes(ffi.buffer(scratch.out[0], scratch.size[0]))


def instant(text: bytes) -> int | None:
    """Return the microseconds since 1970 of an RFC 3339 time with `T` and an offset, None if it is none."""
    us = ffi.new("int64_t *")
    return int(us[0]) if lib.gn_instant_parse(text, len(text), us) else None


def format_instant(us: int) -> str:
    """Write an instant of the years 1 to 9999 in UTC with `Z`, six fraction digits only when not zero."""
    out = ffi.new("uint8_t[]", _INSTANT_SIZE_MAX)
    size = lib.gn_instant_format(us, out)
    return bytes(ffi.buffer(out, size)).decode("ascii")


def crc32c(data: bytes, crc: int = 0) -> int:
    """Return the CRC-32C (Castagnoli) of `data`, going on from `crc`."""
    return int(lib.gn_crc32c(crc, data, len(data)))
