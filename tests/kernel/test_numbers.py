"""Numbers digit for digit in orjson's spelling, on both number paths, and exact at every edge."""

import hashlib
import random
import struct
from collections.abc import Callable
from itertools import islice
from math import isfinite, nextafter

import orjson
import pytest
from goodneighbor.kernel import JsonRejected
from goodneighbor.kernel import canonical as installed

from . import portable
from .number_sequence import PUBLISHED_SHA256, double, ecmascript, sequence

Canonical = Callable[..., bytes]
BUILDS: dict[str, Canonical] = {"installed": installed, "portable": portable.canonical}


@pytest.fixture(scope="module", params=BUILDS)
def canonical(request: pytest.FixtureRequest) -> Canonical:
    """The installed kernel's, and the portable build's."""
    return BUILDS[request.param]


def assert_equal_to_orjson(canonical: Canonical, values: list[float]) -> None:
    """Read each value with 18 digits and as Python writes it, and compare what is written."""
    expected = orjson.dumps(values)
    exact = ",".join(f"{value:.17e}" for value in values)
    shortest = ",".join(map(repr, values))
    assert canonical(f"[{exact}]".encode(), "compact") == expected
    assert canonical(f"[{shortest}]".encode(), "compact") == expected
    assert canonical(expected, "compact") == expected


def random_doubles(seed: int, count: int) -> list[float]:
    """Return finite doubles of random bits."""
    numbers = struct.unpack(f"<{count}d", random.Random(seed).randbytes(8 * count))
    return [value for value in numbers if isfinite(value)]


@pytest.mark.parametrize("count", PUBLISHED_SHA256)
def test_the_generator_makes_the_published_sequence(count: int) -> None:
    lines = (f"{bits:x},{ecmascript(double(bits))}\n" for bits in islice(sequence(), count))
    assert hashlib.sha256("".join(lines).encode()).hexdigest() == PUBLISHED_SHA256[count]


def test_the_published_sequence_prints_digit_for_digit(canonical: Canonical) -> None:
    assert_equal_to_orjson(canonical, [double(bits) for bits in islice(sequence(), 100_000)])


def test_random_bit_patterns_print_as_orjson_prints_them(canonical: Canonical) -> None:
    assert_equal_to_orjson(canonical, random_doubles(seed=21, count=100_000))


def test_powers_and_their_neighbours_print_as_orjson_prints_them(canonical: Canonical) -> None:
    powers = [2.0**exponent for exponent in range(-1074, 1024)]
    powers += [float(f"1e{exponent}") for exponent in range(-323, 309)]
    neighbours = [nextafter(value, towards) for value in powers for towards in (0, 2 * value)]
    values = [value for value in powers + neighbours if isfinite(value)]
    assert_equal_to_orjson(canonical, values + [-value for value in values])


def test_short_decimals_print_as_orjson_prints_them(canonical: Canonical) -> None:
    generator = random.Random(22)
    texts = []
    for _ in range(100_000):
        digits = str(generator.randrange(10 ** generator.randrange(1, 18)))
        digits = digits.zfill(generator.randrange(2, 19))
        point = generator.randrange(1, len(digits))
        texts.append(f"{digits[:point].lstrip('0') or '0'}.{digits[point:]}")
    data = f"[{','.join(texts)}]".encode()
    assert canonical(data, "compact") == orjson.dumps(orjson.loads(data))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", "0"), ("-0", "0"), ("0.0", "0.0"), ("-0.0", "-0.0"), ("-0e5", "-0.0"),
        ("0e999999999999", "0.0"), ("1.0", "1.0"), ("1.50", "1.5"), ("1e0", "1.0"),
        ("1E5", "100000.0"), ("1e15", "1000000000000000.0"), ("1e16", "1e+16"),
        ("9999999999999998.0", "9999999999999998.0"), ("15e15", "1.5e+16"),
        ("0.00001", "0.00001"), ("0.000012", "0.000012"), ("0.0000099", "9.9e-6"),
        ("1e-5", "0.00001"), ("1e-6", "1e-6"), ("123e-20", "1.23e-18"), ("1e100", "1e+100"),
        ("1e-400", "0.0"), ("-1e-400", "-0.0"), ("1e-99999999999999999999", "0.0"),
        ("0." + "0" * 400 + "1e401", "1.0"), ("1" + "0" * 400 + "e-400", "1.0"),
        ("1" + "0" * 400 + ".5e-800", "0.0"), ("5e-324", "5e-324"), ("2.5e-324", "5e-324"),
        ("2.4e-324", "0.0"), ("1.7976931348623158e308", "1.7976931348623157e+308"),
        ("2.2250738585072011e-308", "2.225073858507201e-308"),
        ("9007199254740993.0", "9007199254740992.0"),
        ("9007199254740993." + "0" * 900 + "1", "9007199254740994.0"),
        ("9007199254740993" + "0" * 900 + "e-900", "9007199254740992.0"),
        ("9223372036854775807", "9223372036854775807"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("18446744073709551615", "18446744073709551615"),
        ("18446744073709551616.0", "1.8446744073709552e+19"),
    ],
)  # fmt: skip
def test_edges_are_written_as_section_8_says(
    canonical: Canonical, text: str, expected: str
) -> None:
    assert canonical(text.encode(), "compact").decode() == expected


@pytest.mark.parametrize(
    "text",
    ["18446744073709551616", "-9223372036854775809", "99999999999999999999", "1" + "0" * 30,
     "1e309", "-1e309", "1.7976931348623159e308", "1e99999999999999999999", "1" + "0" * 309 + ".0",
     "0." + "0" * 10 + "1e400", "1" + "0" * 400 + "e-50"],
)  # fmt: skip
def test_numbers_out_of_range_are_refused_at_their_first_byte(
    canonical: Canonical, text: str
) -> None:
    with pytest.raises((JsonRejected, portable.Refused)) as refused:
        canonical(f"[ {text}]".encode())
    position = getattr(refused.value, "position", refused.value.args[-1])
    assert position == 2
