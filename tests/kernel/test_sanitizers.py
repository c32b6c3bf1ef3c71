"""The kernel's own tests run again, in a kernel built with AddressSanitizer and UBSan.

That kernel lies in `build/sanitized`, beside links to the packages' Python. Python's small blocks
are taken from malloc, so that a read past the end of a bytes object is seen too; the control shows
it.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PLACE = ROOT / "build" / "sanitized"
SANITIZE = "-fsanitize=address,undefined -fno-sanitize-recover=all -g"
EFFORT = "0.03"  # the examples run in full without sanitizers
ELSEWHERE = "not portable"  # parameters that stand for a build of their own

# Four numbers, and a size that says there are eight.
READ_PAST_THE_END = """
from goodneighbor.kernel import _kernel
assert "sanitized" in _kernel.__file__
ffi, lib = _kernel.ffi, _kernel.lib
text = ffi.new("uint8_t[8]", b"[1,1,1,1")
out, size, at = ffi.new("const uint8_t **"), ffi.new("uint64_t *"), ffi.new("uint64_t *")
lib.gn_canonical(lib.gn_scratch_open(1 << 20, 0), text, {size}, 0, 0, 0, out, size, at)
print("read")
"""

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("gcc") is None, reason="needs gcc's libasan"
)


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """Build the kernel with sanitizers; return the environment in which Python finds it first."""
    package = PLACE / "goodneighbor"
    (package / "kernel").mkdir(parents=True, exist_ok=True)
    links = {package / name: ROOT / name for name in ("store", "cli")}
    links |= {package / "kernel" / path.name: path for path in (ROOT / "kernel").glob("*.py")}
    for link, target in links.items():
        if not link.is_symlink():
            link.symlink_to(target)
    flags = {"CC": "gcc", "CXX": "g++", "CFLAGS": SANITIZE, "CXXFLAGS": SANITIZE}
    where = ["--build-lib", str(PLACE), "--build-temp", str(PLACE / "temp")]
    subprocess.run(
        [sys.executable, ROOT / "kernel" / "build_backend.py", *where],
        env={**os.environ, **flags, "LDFLAGS": SANITIZE},
        check=True,
    )
    found = subprocess.run(
        ["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    )
    return {
        **os.environ,
        "LD_PRELOAD": found.stdout.strip(),
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONMALLOC": "malloc",
        "PYTHONPATH": str(PLACE),
        "NEIGHBOR_TEST_EFFORT": EFFORT,
    }


def read(environment: dict[str, str], size: int) -> subprocess.CompletedProcess[str]:
    code = READ_PAST_THE_END.replace("{size}", str(size))
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


def test_the_harness_sees_a_read_past_the_end(environment: dict[str, str]) -> None:
    assert read(environment, 8).stdout == "read\n"
    beyond = read(environment, 16)
    assert "heap-buffer-overflow" in beyond.stderr
    assert beyond.stdout == ""


def test_the_kernels_tests_pass_under_the_sanitizers(environment: dict[str, str]) -> None:
    folder = Path(__file__).parent
    files = [
        path
        for path in sorted(folder.glob("test_*.py"))
        if "goodneighbor.kernel import" in path.read_text("utf-8")
        and path.name != Path(__file__).name
    ]
    assert files
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", ELSEWHERE, *files],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
