"""A subset of the kernel's tests under valgrind, which also sees what was never written.

Under `make soak`: Python runs thirty times slower there, and says much about itself. What counts
are errors with the kernel on their stack.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ..effort import EFFORT

pytestmark = pytest.mark.skipif(EFFORT <= 1, reason="takes minutes: make soak")

ROOT = Path(__file__).resolve().parents[2]
READ_PAST_THE_END = """
from goodneighbor.kernel import _kernel
ffi, lib = _kernel.ffi, _kernel.lib
text = ffi.new("uint8_t[8]", b"[1,1,1,1")
out, size, at = ffi.new("const uint8_t **"), ffi.new("uint64_t *"), ffi.new("uint64_t *")
lib.gn_canonical(lib.gn_scratch_open(1 << 20, 0), text, 4096, 0, 0, 0, out, size, at)
"""
FILES = ("test_fold_input.py", "test_documents.py", "test_json_refused.py", "test_packed_bodies.py")
ENVIRONMENT = {**os.environ, "PYTHONMALLOC": "malloc", "NEIGHBOR_TEST_EFFORT": "0.03"}


def errors_in_the_kernel(report: Path, *words: str) -> list[str]:
    """Run Python under valgrind, and return what it says of the kernel."""
    valgrind = shutil.which("valgrind")
    assert valgrind is not None, "valgrind is not installed: apt-get install valgrind"
    command = [valgrind, "--xml=yes", f"--xml-file={report}", "--num-callers=30", sys.executable]
    done = subprocess.run(
        [*command, *words], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [
        f"{error.findtext('kind')}: {[frame.findtext('fn') for frame in frames]}"
        for error in ElementTree.parse(report).iter("error")
        if (frames := list(error.iter("frame"))[:3])  # a copy of valgrind's own may lie on top
        if any((frame.findtext("obj") or "").endswith("_kernel.abi3.so") for frame in frames)
    ]


def test_a_subset_passes_under_valgrind(tmp_path: Path, tell: Callable[[str], None]) -> None:
    files = [str(Path(__file__).with_name(name)) for name in FILES]
    words = ("-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *files)
    assert errors_in_the_kernel(tmp_path / "report.xml", *words) == []
    tell(f"{', '.join(FILES)}: nothing of the kernel")


def test_valgrind_sees_a_read_past_the_end(tmp_path: Path) -> None:
    found = errors_in_the_kernel(tmp_path / "report.xml", "-c", READ_PAST_THE_END)
    assert any(each.startswith("InvalidRead") for each in found), found
