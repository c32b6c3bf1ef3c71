"""CRC-32C against its published values and against the definition, bit by bit."""

import random

import pytest
from goodneighbor.kernel import crc32c


def by_definition(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        # RFC 3720, B.4
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(reversed(range(32))), 0x113FDB5C),
    ],
)
def test_published_values_come_out(data: bytes, expected: int) -> None:
    assert crc32c(data) == expected == by_definition(data)


def test_every_length_equals_the_definition() -> None:
    data = random.Random(32).randbytes(100)
    for start in range(9):
        for end in range(start, 100):
            assert crc32c(data[start:end]) == by_definition(data[start:end])


def test_a_sum_goes_on_from_any_cut() -> None:
    data = random.Random(33).randbytes(64)
    for cut in range(65):
        assert crc32c(data[cut:], crc32c(data[:cut])) == crc32c(data)


def test_every_flipped_bit_is_seen() -> None:
    data = random.Random(34).randbytes(48)
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        assert crc32c(bytes(flipped)) != crc32c(data)
