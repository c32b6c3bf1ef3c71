"""The JSON part of the kernel built for an older toolchain: no `<charconv>`, no SSE2.

`strtod` and `printf` do the doubles, words of eight bytes the scanning. The tests of JSON run on
this build and on the installed one.
"""

import os
import re
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Literal

from cffi import FFI

KERNEL = Path(__file__).resolve().parent.parent.parent / "kernel"
SOURCES = (
    "arena.c", "json.c", "order.c", "pretty.c", "read.c", "read_number.c", "read_string.c",
    "sort.c", "write.c", "number.cpp",
)  # fmt: skip
MACROS = ("-DGN_NUMBER_FALLBACK", "-DGN_PLAIN_WORDS")
FLAGS = ("-O1", "-fPIC", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", *MACROS)


class Refused(Exception):
    """The status and the position of a refusal."""


@cache
def _library() -> tuple[Any, Any]:
    with tempfile.TemporaryDirectory() as folder:
        objects = []
        for name in SOURCES:
            objects.append(str(Path(folder, name).with_suffix(".o")))
            plain_c = name.endswith(".c")
            compiler = os.environ.get("CC", "cc") if plain_c else os.environ.get("CXX", "c++")
            standard = "-std=c11" if plain_c else "-std=c++17"
            command = [compiler, standard, *FLAGS, "-c", str(KERNEL / name), "-o", objects[-1]]
            subprocess.run(command, check=True)
        library = str(Path(folder, "portable.so"))
        linker = os.environ.get("CXX", "c++")
        subprocess.run([linker, "-shared", *objects, "-o", library], check=True)
        ffi = FFI()
        ffi.cdef((KERNEL / "abi.h").read_text(encoding="utf-8") + _inner_declarations())
        return ffi, ffi.dlopen(library)


def _inner_declarations() -> str:
    """Return what kernel.h declares of arenas, buffers and JSON texts, as it stands there."""
    header = (KERNEL / "kernel.h").read_text(encoding="utf-8")
    structs = re.findall(r"typedef struct gn_(?:arena|buffer) \{.*?\} \w+;", header, re.S)
    functions = re.findall(
        r"^\w+ gn_(?:json_(?:pretty|quote|unescape)|arena_(?:open|close|reset))\(.*\);",
        header,
        re.M,
    )
    return "\n".join(["typedef struct gn_block gn_block;", *structs, *functions])


def text(name: Literal["pretty", "quote", "unescape"], data: bytes, *indent: int) -> bytes:
    """Return what `gn_json_<name>` appends to a buffer that holds `before`."""
    ffi, lib = _library()
    arena = ffi.new("gn_arena *")
    lib.gn_arena_open(arena, 1 << 30)
    out = ffi.new("gn_buffer *", {"arena": arena})
    assert lib.gn_json_unescape(b"before", 6, out)
    assert getattr(lib, f"gn_json_{name}")(data, len(data), *indent, out)
    written = bytes(ffi.buffer(out.data, out.size))
    lib.gn_arena_close(arena)
    assert written.startswith(b"before")
    return written.removeprefix(b"before")


def canonical(
    data: bytes, form: str = "pretty", *, depth_max: int = 128, size_max: int = 16 << 20
) -> bytes:
    """Do what `goodneighbor.kernel.canonical` does; raises `Refused(status, position)`."""
    ffi, lib = _library()
    scratch = lib.gn_scratch_open(1 << 33, 0)
    out, size, position = ffi.new("const uint8_t **"), ffi.new("uint64_t *"), ffi.new("uint64_t *")
    try:
        status = lib.gn_canonical(
            scratch, data, len(data), form == "pretty", depth_max, size_max, out, size, position
        )
        if status != lib.GN_OK:
            raise Refused(status, position[0])
        return bytes(ffi.buffer(out[0], size[0]))
    finally:
        lib.gn_scratch_close(scratch)
