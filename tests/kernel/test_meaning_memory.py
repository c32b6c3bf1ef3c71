"""When memory ends inside diff or merge3, at whichever allocation, they say so, no more."""

import json
from typing import Any

import pytest
from goodneighbor.kernel import canonical, diff, meaning, merge3
from goodneighbor.kernel._kernel import ffi, lib
from goodneighbor.kernel.errors import KernelLimit

from .versions import ROOT, RULES, compact

DOCUMENT = 0  # the rooted one
MEMORY_MAX = 1 << 30


def version(number: int) -> bytes:
    """Give a version that differs from every other in each rule's field, and deeply."""
    agent = {
        "n": number, "h": number, "lo": -number, "j": number, "s": ["x", f"s{number}\n"],
        "deep": {"a": number}, "x": {"a": number}, "list": [0, *range(1, number)],
        f"new{number}/": {"k": [number] * 40}, "bio": "b" * number,
    }  # fmt: skip
    for depth in range(40):
        agent = {"n": number, "at": agent, f"d{depth}": number}
    whole = {ROOT: {f"e{key}": agent for key in range(8)}, "_meta": {"n": number}, "m\n": number}
    return canonical(json.dumps(whole).encode(), "compact")


TEXTS = [version(number) for number in (1, 2, 3)]


def run(name: str, fail_at: int, versions: list[bytes] = TEXTS) -> tuple[int, list[bytes]]:
    """Give the status and the result in a scratch whose `fail_at`-th allocation fails."""
    scratch = lib.gn_scratch_open(MEMORY_MAX, fail_at)
    try:
        return run_in(scratch, name, versions)
    finally:
        lib.gn_scratch_close(scratch)


def run_in(scratch: Any, name: str, versions: list[bytes] = TEXTS) -> tuple[int, list[bytes]]:
    kept = [ffi.from_buffer(text) for text in (RULES.program, *versions)]
    program, *texts = [{"bytes": each, "size": len(each)} for each in kept]
    out, failed, position = ffi.new("gn_text *"), ffi.new("uint32_t *"), ffi.new("uint64_t *")
    head = (scratch, ffi.new("gn_text *", program), DOCUMENT, ffi.new("gn_text[]", texts), out)
    if name == "diff":
        status = lib.gn_diff(*head, failed, position)
        return status, [] if status else [bytes(ffi.buffer(out.bytes, out.size))]
    conflicts, count = ffi.new("const gn_conflict **"), ffi.new("uint64_t *")
    status = lib.gn_merge3(*head, conflicts, count, failed, position)
    if status:
        return status, []
    paths = [each.path for each in conflicts[0][0 : count[0]]]
    return status, [bytes(ffi.buffer(each.bytes, each.size)) for each in (out[0], *paths)]


def expected(name: str) -> list[bytes]:
    if name == "diff":
        return [diff(RULES, "a", *TEXTS[:2])]
    found = merge3(RULES, "a", *TEXTS)
    assert len(found.conflicts) > 300
    return [found.text, *(each.path.encode() for each in found.conflicts)]


@pytest.mark.parametrize("name", ["diff", "merge3"])
def test_each_allocation_may_fail_and_the_first_good_run_is_right(name: str) -> None:
    right = expected(name)
    for fail_at in range(1, 100_000):
        status, result = run(name, fail_at)
        if status == lib.GN_OK:
            break
        assert (status, result) == (lib.GN_NO_MEMORY, [])
    assert result == right
    print(f"{fail_at - 1} allocations of {name} failed")
    assert fail_at > 100


@pytest.mark.parametrize("name", ["diff", "merge3"])
def test_each_allocation_may_fail_wherever_a_buffer_has_to_grow(name: str) -> None:
    for size in range(64):
        texts = [short(number, size) for number in (1, 2, 3)]
        for fail_at in range(1, 1000):
            status, _ = run(name, fail_at, texts)
            if status == lib.GN_OK:
                break
            assert status == lib.GN_NO_MEMORY
        assert fail_at > 10


def short(number: int, size: int) -> bytes:
    pad = "p" * size
    agent = {
        "s": ["x", f"{pad}{number}", pad], "list": [pad, *range(1, number)],
        f"{pad}/": number, "n": number, "deep": {pad: {"l": number}},
    }  # fmt: skip
    return compact({ROOT: {pad: agent, f"{pad}{number}": 1}, pad: number})


@pytest.mark.parametrize("name", ["diff", "merge3"])
def test_a_scratch_is_as_good_as_new_after_a_failure(name: str) -> None:
    scratch = lib.gn_scratch_open(MEMORY_MAX, 100)
    assert run_in(scratch, name) == (lib.GN_NO_MEMORY, [])
    assert run_in(scratch, name) == (lib.GN_OK, expected(name))
    lib.gn_scratch_close(scratch)


def test_a_memory_bound_is_a_limit_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meaning, "MEMORY_MAX", 1 << 17)
    for function in (lambda: diff(RULES, "a", *TEXTS[:2]), lambda: merge3(RULES, "a", *TEXTS)):
        with pytest.raises(KernelLimit, match="memory bound"):
            function()


def test_a_program_or_a_number_that_is_none_of_a_document_is_refused() -> None:
    scratch = lib.gn_scratch_open(MEMORY_MAX, 0)
    out, failed, position = ffi.new("gn_text *"), ffi.new("uint32_t *"), ffi.new("uint64_t *")
    text = ffi.from_buffer(b'{"a": 1}')
    texts = ffi.new("gn_text[]", [{"bytes": text, "size": len(text)}] * 2)
    for program, document, status in (
        (RULES.program, 99, lib.GN_DOCUMENT_UNKNOWN),
        (RULES.program[:-1], 0, lib.GN_PROGRAM_INVALID),
        (RULES.program, 1, lib.GN_JSON_UNEXPECTED),  # a space: not canonical
    ):
        kept = ffi.from_buffer(program)
        given = ffi.new("gn_text *", {"bytes": kept, "size": len(kept)})
        assert lib.gn_diff(scratch, given, document, texts, out, failed, position) == status
    lib.gn_scratch_close(scratch)
