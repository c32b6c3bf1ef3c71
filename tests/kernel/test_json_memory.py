"""When memory ends, at whichever allocation, reading JSON says so and nothing breaks."""

import json

import pytest
from goodneighbor.kernel import KernelLimit, canonical
from goodneighbor.kernel import text as kernel_text
from goodneighbor.kernel._kernel import ffi, lib

TEXTS = {
    "plain": b'{"a":1,"b":[true,null,"x"]}',
    "out of order": json.dumps({f"k{n}": {"z": 1, "a": [n]} for n in range(400, 0, -1)}).encode(),
    "deep": b"[" * 5000 + b"]" * 5000,
    "deep and out of order": b'{"b":' * 2000 + b"1" + b',"a":2}' * 2000,
    "longer than the text": b"[" + b"1e15," * 5000 + b"1e15]",
    "a long string": b'"' + b"x\\n" * 40_000 + b'"',
}


def read(text: bytes, fail_at: int, memory_max: int = 1 << 30) -> tuple[int, bytes]:
    """Return the status and the result in a scratch whose `fail_at`-th allocation fails."""
    scratch = lib.gn_scratch_open(memory_max, fail_at)
    out, size, position = ffi.new("const uint8_t **"), ffi.new("uint64_t *"), ffi.new("uint64_t *")
    try:
        status = lib.gn_canonical(scratch, text, len(text), 1, 0, 0, out, size, position)
        assert position[0] <= len(text)
        return status, bytes(ffi.buffer(out[0], size[0])) if status == lib.GN_OK else b""
    finally:
        lib.gn_scratch_close(scratch)


@pytest.mark.parametrize("name", TEXTS)
def test_each_allocation_may_fail_and_the_first_good_run_is_right(name: str) -> None:
    text = TEXTS[name]
    expected = canonical(text, depth_max=0)
    for fail_at in range(1, 1000):
        status, result = read(text, fail_at)
        if status == lib.GN_OK:
            break
        assert status == lib.GN_NO_MEMORY
    assert fail_at > 2
    assert result == expected


def test_a_scratch_is_as_good_as_new_after_a_failure() -> None:
    text = TEXTS["out of order"]
    scratch = lib.gn_scratch_open(1 << 30, 3)
    out, size, position = ffi.new("const uint8_t **"), ffi.new("uint64_t *"), ffi.new("uint64_t *")
    rest = (text, len(text), 1, 0, 0, out, size, position)
    assert lib.gn_canonical(scratch, *rest) == lib.GN_NO_MEMORY
    assert lib.gn_canonical(scratch, *rest) == lib.GN_OK
    assert bytes(ffi.buffer(out[0], size[0])) == canonical(text)
    lib.gn_scratch_close(scratch)


def test_the_bound_given_at_open_holds() -> None:
    text = TEXTS["a long string"]
    assert read(text, 0, memory_max=len(text)) == (lib.GN_NO_MEMORY, b"")
    assert read(text, 0, memory_max=len(text) * 4)[0] == lib.GN_OK


def test_a_pretty_form_beyond_all_memory_is_a_limit_reached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kernel_text, "MEMORY_MAX", 1 << 24)
    monkeypatch.setattr(kernel_text, "_idle", [])
    nested = b"[" * 100_000 + b"]" * 100_000  # 20 GB of indentation
    with pytest.raises(KernelLimit, match="memory bound"):
        canonical(nested, depth_max=0)
    assert canonical(nested, "compact", depth_max=0) == nested
