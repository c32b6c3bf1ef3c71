"""The lines in `info/attributes` that hand the documents to our merge driver.

They stand in a block of their own at the end, so that taking it away leaves the bytes that were
there. `info/attributes` holds for every worktree of the clone, and is never committed.
"""

from collections.abc import Sequence
from pathlib import Path

from .guard_config import DRIVER

BEGIN = (
    b"# goodneighbor: the documents merge by meaning (`neighbor guard remove` takes this away)\n"
)
END = b"# goodneighbor: end\n"
END_ADDED = b"# goodneighbor: end; the newline above is ours too\n"


def file_in(common: Path) -> Path:
    """Return where the attributes lie."""
    return common / "info" / "attributes"


def put(common: Path, paths: Sequence[str]) -> None:
    """Name the merge driver for each path; what was there stays as it is."""
    file = file_in(common)
    data = without_block(file.read_bytes() if file.exists() else b"")
    lines = b"".join(f"{_pattern(path)} merge={DRIVER}\n".encode() for path in paths)
    if data and not data.endswith(b"\n"):
        _write(file, data + b"\n" + BEGIN + lines + END_ADDED)
    else:
        _write(file, data + BEGIN + lines + END)


def put_back(common: Path, *, was_there: bool) -> None:
    """Take the block away, and the file if it was not there before and is empty again."""
    file = file_in(common)
    if not file.exists():
        return
    data = without_block(file.read_bytes())
    if data or was_there:
        _write(file, data)
    else:
        file.unlink()


def is_put(common: Path, paths: Sequence[str]) -> bool:
    """Tell whether every path is handed to the driver."""
    file = file_in(common)
    lines = file.read_bytes().splitlines() if file.exists() else []
    return all(f"{_pattern(path)} merge={DRIVER}".encode() in lines for path in paths)


def without_block(data: bytes) -> bytes:
    """Return the bytes as they were before `put`."""
    start = data.find(BEGIN)
    if start < 0:
        return data
    for end, head in ((END, data[:start]), (END_ADDED, data[: start - 1])):
        _block, found, rest = data[start:].partition(end)
        if found:
            return head + rest
    return data  # somebody took the last line away: what belongs to whom cannot be told


def _write(file: Path, data: bytes) -> None:
    file.parent.mkdir(exist_ok=True)
    beside = file.with_name("attributes.goodneighbor")
    beside.write_bytes(data)
    beside.replace(file)


def _pattern(path: str) -> str:
    """Write a path as a gitattributes pattern that means this path alone."""
    text = "".join(f"\\{letter}" if letter in "*?[\\" else letter for letter in f"/{path}")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' if " " in text else text
