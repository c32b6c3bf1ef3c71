"""Build the C kernel: the PEP 517 backend, and the quick build in place.

The hooks are setuptools' own; what is added is `BuildKernel`, which writes the cffi binding from
`abi.h` into `build/` and compiles every C file of this folder. So the border is written down once,
and no machine-written C is in git.

Run as a program (`python kernel/build_backend.py`) it brings `kernel/_kernel.abi3.so` up to date,
recompiling only what changed; options of `build_ext` may follow, for a build elsewhere.
"""

import os
import re
import sys
import sysconfig
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cffi import FFI
from setuptools import Extension, setup
from setuptools.build_meta import *  # noqa: F403  the hooks of PEP 517 and PEP 660
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent.parent
KERNEL = Path("kernel")  # builds run in the root of the tree, and sdists want relative paths
MODULE = "goodneighbor.kernel._kernel"
LIMITED_API = ("Py_LIMITED_API", "0x030B0000")

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion"]
# What follows a likely branch is laid out behind it: a fold takes 1.5 % less. clang has no such
# option and is told not to say so, which gcc in turn does not mind.
TRACER = ["-ftracer", "-Wno-ignored-optimization-argument"]
# Python's own flags carry -DNDEBUG and -fwrapv; assertions stay on, and overflow stays an error
# that the sanitizers see.
COMMON = ["-O2", *TRACER, "-fvisibility=hidden", "-UNDEBUG", "-fno-wrapv", *WARNINGS]
FLAGS = {
    ".c": ["-std=c11", *COMMON],
    ".cpp": ["-std=c++17", "-fno-exceptions", "-fno-rtti", *COMMON],
}
GENERATED_FLAGS = ["-O2", "-fvisibility=hidden", "-w"]


def written_sources() -> list[Path]:
    """Return the C and C++ files people wrote, sorted."""
    return sorted([*KERNEL.glob("*.c"), *KERNEL.glob("*.cpp")])


def headers() -> list[Path]:
    """Return the kernel's headers, sorted."""
    return sorted(KERNEL.glob("*.h"))


def included(source: Path) -> list[Path]:
    """Return the C files that a C file holds a second time."""
    return [KERNEL / name for name in re.findall(r'#include "(\w+\.c)"', source.read_text("utf-8"))]


def write_binding(folder: Path) -> Path:
    """Write the cffi binding for `abi.h` into `folder` and return its path.

    The file is touched only when its text changed, so an unchanged border costs no compile.
    """
    ffi = FFI()
    ffi.cdef((KERNEL / "abi.h").read_text(encoding="utf-8"))
    ffi.set_source(MODULE, '#include "kernel.h"\n')
    folder.mkdir(parents=True, exist_ok=True)
    binding = folder / "_kernel.c"
    ffi.emit_c_code(str(binding))  # cffi itself leaves an unchanged file alone
    return binding


class BuildKernel(build_ext):
    """Compile the kernel: each file with its language's flags, in parallel, only when stale."""

    def get_source_files(self) -> list[str]:
        """Return what an sdist must hold to build the kernel."""
        return [path.as_posix() for path in [*written_sources(), *headers()]]

    def build_extension(self, ext: Extension) -> None:
        binding = write_binding(Path("build/binding"))
        sources = [binding, *written_sources()]
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            objects = list(pool.map(self.compile_one, sources))
        target = Path(self.get_ext_fullpath(ext.name))
        if self.force or is_stale(target, objects):
            target.parent.mkdir(parents=True, exist_ok=True)
            self.compiler.link_shared_object(
                [str(each) for each in objects], str(target), target_lang="c++"
            )

    def compile_one(self, source: Path) -> Path:
        """Compile one file unless its object is newer than it, the headers and this program."""
        (name,) = self.compiler.object_filenames([str(source)], output_dir=self.build_temp)
        read = [source, *included(source), *headers(), Path(__file__)]
        if self.force or is_stale(Path(name), read):
            written = source.parent == KERNEL
            self.compiler.compile(
                [str(source)],
                output_dir=self.build_temp,
                macros=[LIMITED_API],
                include_dirs=[str(KERNEL), sysconfig.get_path("include")],
                extra_postargs=FLAGS[source.suffix] if written else GENERATED_FLAGS,
            )
        return Path(name)


def is_stale(target: Path, sources: list[Path]) -> bool:
    """Say whether `target` is missing or older than one of `sources`."""
    if not target.exists():
        return True
    made = target.stat().st_mtime_ns
    return any(source.stat().st_mtime_ns > made for source in sources)


if __name__ == "__main__":
    os.chdir(ROOT)
    warnings.filterwarnings("ignore", message=r"`\[tool\.")  # "experimental" tables
    setup(script_args=["--quiet", "build_ext", *(sys.argv[1:] or ["--inplace"])])
