"""Puts one flipped bit right where a digest says what stood there.

The fact not to miss: a digest proves what it is given. So trying each bit and asking the digest
cannot make anything up; it either finds what was written, or nothing. Of what is larger than
SIZE_MAX another copy has to be found: trying costs the square of the size.
"""

from collections.abc import Callable, Iterator, Sequence

from .seal import seal

SIZE_MAX = 16 * 1024
_INTEGER_BITS = 64


def one_bit_apart(one: object, other: object) -> bool:
    """Say whether two digests differ in one bit: then it is the digest that was damaged."""
    if not (isinstance(one, bytes) and isinstance(other, bytes) and len(one) == len(other)):
        return False
    return (int.from_bytes(one) ^ int.from_bytes(other)).bit_count() == 1


def mended(data: bytes, is_right: Callable[[bytes], bool]) -> bytes | None:
    """Return the bytes that differ from `data` in one bit and are right; None for none."""
    if len(data) > SIZE_MAX:
        return None
    return next((each for each in _flipped_bytes(data) if is_right(each)), None)


def mended_row(values: Sequence[object], sealed: object) -> tuple[object, ...] | None:
    """Return a row that differs in one bit of one value, or of its seal, and holds its seal."""
    if seal(values) == sealed or one_bit_apart(seal(values), sealed):
        return tuple(values)
    for index, value in enumerate(values):
        for other in _flipped(value):
            row = (*values[:index], other, *values[index + 1 :])
            if seal(row) == sealed:
                return row
    return None


def _flipped(value: object) -> Iterator[object]:
    """Yield what is one bit apart, in the value or in what the row's head says it is."""
    yield 0 if value is None else None
    if isinstance(value, int):
        for bit in range(_INTEGER_BITS - 1):
            yield value ^ (1 << bit)
        yield value - 2**63 if value >= 0 else value + 2**63  # the sign
    elif isinstance(value, str):
        data = value.encode(errors="surrogateescape")
        yield data
        yield from _flipped_text(data)
    elif isinstance(value, bytes):
        yield value.decode(errors="surrogateescape")
        if len(value) <= SIZE_MAX:
            yield from _flipped_bytes(value)


def _flipped_text(data: bytes) -> Iterator[str]:
    if len(data) <= SIZE_MAX:
        for each in _flipped_bytes(data):
            yield each.decode(errors="surrogateescape")


def _flipped_bytes(data: bytes) -> Iterator[bytes]:
    changed = bytearray(data)
    for index in range(len(changed)):
        for bit in range(8):
            changed[index] ^= 1 << bit
            yield bytes(changed)
            changed[index] ^= 1 << bit
