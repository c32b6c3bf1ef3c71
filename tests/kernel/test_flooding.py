"""Keys chosen to collide fold in linear time, for whoever chose them does not know the seed.

Instructions are counted, not time: callgrind counts each call of `gn_fold_run` in one process. The
control is a handle with the very seed the keys were chosen against; the keys' positions in its
table are computed here, as hash.c does: by multiplication with numbers that SipHash-1-3 makes of
the seed.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from goodneighbor.kernel import Event, Fold, Rules

from ..effort import EFFORT

RULES = """
[documents.a]
[[items]]
each = "items"
into = "a"
key = ["{@value}"]
"""
KEYS = 20_000
CONTROL_KEYS = 4_000
TABLE_MASK = 0x1FFF  # of the table that the control ends with; larger ones are crowded as much
CROWDED = 0x01FF  # all keys want a place in the first sixteenth
KNOWN_SEED = bytes(range(16))
OTHER_SEED = bytes(range(16, 32))
WORD = (1 << 64) - 1
FOLDS = 6
TOTALS = re.compile(r"^totals: (\d+)$", re.MULTILINE)


@pytest.fixture
def valgrind() -> str:
    """Its path; a machine that lacks it lacks this test, and is told."""
    found = shutil.which("valgrind")
    assert found is not None, "valgrind is not installed: apt-get install valgrind"
    return found


def rotated(word: int, by: int) -> int:
    return (word << by | word >> (64 - by)) & WORD


def sip_rounds(state: list[int], count: int) -> None:
    a, b, c, d = state
    for _ in range(count):
        a, c = (a + b) & WORD, (c + d) & WORD
        b, d = rotated(b, 13) ^ a, rotated(d, 16) ^ c
        a = rotated(a, 32)
        c, a = (c + b) & WORD, (a + d) & WORD
        b, d = rotated(b, 17) ^ c, rotated(d, 21) ^ a
        c = rotated(c, 32)
    state[:] = a, b, c, d


def sip(number: int) -> int:
    """Hash a counter of 8 bytes under KNOWN_SEED, as no key is hashed."""
    k0, k1 = (int.from_bytes(KNOWN_SEED[at : at + 8], "little") for at in (0, 8))
    names = (b"uespemos", b"modnarod", b"arenegyl", b"setybdet")
    constants = [int.from_bytes(name, "little") for name in names]
    keys = (k0 ^ 1, k1, k0 ^ 1, k1)
    state = [word ^ each for word, each in zip(keys, constants, strict=True)]
    for word in (number, 8 << 56):
        state[3] ^= word
        sip_rounds(state, 1)
        state[0] ^= word
    state[2] ^= 0xFF
    sip_rounds(state, 3)
    return state[0] ^ state[1] ^ state[2] ^ state[3]


def seed_number(index: int) -> int:
    return sip(2 * index) << 64 | sip(2 * index + 1)


WORD_KEY = seed_number(0)
SIZE_KEYS = {size: seed_number(8 + size) for size in range(4, 8)}


def position(key: bytes) -> int:
    """Where a document wants a key of 4 to 7 bytes, under KNOWN_SEED."""
    word = int.from_bytes(key[:4] + key[-4:], "little")
    return (SIZE_KEYS[len(key)] + WORD_KEY * word & (1 << 128) - 1) >> 96 & TABLE_MASK


def chosen_integers() -> list[int]:
    chosen: list[int] = []
    number = 1_000  # shorter keys are hashed otherwise, and are few
    while len(chosen) < KEYS:
        number += 1
        if position(b"%d" % number) <= CROWDED:
            chosen.append(number)
    return chosen


def fold(keys: list[object], seed: bytes) -> None:
    body = orjson.dumps({"frame": 1, "items": keys, "stream_id": "s"})
    with Fold(Rules.parse(RULES), seed=seed) as handle:
        receipt = handle.run([Event(bytes(16), 1, None, "s", False, body)]).receipts[0]
    assert receipt.units_in == len(keys)


def instructions(valgrind: str, tmp_path: Path) -> list[int]:
    """Run this file under callgrind and return what each call of the kernel took.

    Keys are chosen out here: under valgrind that would take minutes.
    """
    chosen = tmp_path / "chosen"
    chosen.write_bytes(orjson.dumps(chosen_integers()))
    command: list[str | Path] = [
        *(valgrind, "--tool=callgrind", "--toggle-collect=gn_fold_run"),
        *("--dump-after=gn_fold_run", f"--callgrind-out-file={tmp_path / 'out'}"),
        *(sys.executable, "-m", __name__, chosen),
    ]
    root = Path(__file__).resolve().parent.parent.parent
    subprocess.run(command, cwd=root, check=True, capture_output=True)
    dumps = [tmp_path / f"out.{number}" for number in range(1, FOLDS + 1)]
    return [int(TOTALS.findall(dump.read_text("utf-8"))[0]) for dump in dumps]


def everything(integers: list[int]) -> None:
    """What is counted, in this order."""
    fold(list(range(1_000_000, 1_000_000 + KEYS)), OTHER_SEED)
    fold([*integers], OTHER_SEED)
    fold([number << 40 for number in range(KEYS)], OTHER_SEED)
    fold([f"{number}" for number in integers], OTHER_SEED)
    fold([*integers[:CONTROL_KEYS]], OTHER_SEED)
    fold([*integers[:CONTROL_KEYS]], KNOWN_SEED)


@pytest.mark.skipif(EFFORT < 1, reason="a sanitized kernel cannot run in valgrind")
def test_chosen_keys_cost_what_any_keys_cost(tmp_path: Path, valgrind: str) -> None:
    plain, chosen, shifted, strings, few, known = instructions(valgrind, tmp_path)
    assert chosen < 1.2 * plain
    assert shifted < 1.5 * plain, "these are longer"
    assert strings < 1.5 * plain
    assert chosen < 1.5 * (KEYS / CONTROL_KEYS) * few, "linear in the number of keys"
    assert known > 2 * few, "the control: whoever knows the seed slows the fold down"


if __name__ == "__main__":
    everything(orjson.loads(Path(sys.argv[1]).read_bytes()))
