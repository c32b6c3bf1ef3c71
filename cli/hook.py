"""What the guard's hooks ask `neighbor`: the two things that a shell cannot tell.

    neighbor hook judge          what is wrong with the blobs that `git cat-file --batch` prints?
    neighbor hook lease FOLDER   does a process of the fleet live?

The answer is the exit code: 0 no objection, 3 refused. Any other means to the hook that `neighbor`
could not run, and it goes on with what it can check itself. Nothing here starts git: the hook does,
in the environment that git gave it. A commit waits for this, so no click is loaded.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from .errors import UsageInvalid
from .exits import DONE, REFUSED

MARKERS = (b"<<<<<<< ", b">>>>>>> ")


def run_hook(words: list[str]) -> int:
    """Answer one question of a hook."""
    if words == ["judge"]:
        return _judge(sys.stdin.buffer)
    if len(words) == 2 and words[0] == "lease":
        from .lease import living

        return REFUSED if living(Path(words[1])) else DONE
    raise UsageInvalid("`neighbor hook` is for the hooks of `neighbor guard install`.")


def blobs(batch: BinaryIO) -> Iterator[tuple[str, bytes]]:
    """Yield path and bytes of each blob of `git cat-file --batch='... %(rest)'`."""
    while header := batch.readline():
        words = header.decode("utf-8", "replace").rstrip("\n").split(" ", 3)
        if words[1] in ("missing", "ambiguous"):
            continue
        data = batch.read(int(words[2]))
        batch.read(1)
        if words[1] == "blob":
            yield words[3], data


def fault(path: str, data: bytes) -> str | None:
    """Say what is wrong with a file under the documents' folders, or None if nothing is."""
    for line, text in enumerate(data.split(b"\n"), start=1):
        if text.startswith(MARKERS):
            return f"conflict markers, line {line}"
    if not path.rstrip('"').endswith(".json"):
        return None
    from .documents import damage

    found = damage(path, data)
    if found is None:
        return None
    return f"no JSON, line {found.line}, column {found.column}: {found.reason}"


def _judge(batch: BinaryIO) -> int:
    code = DONE
    for path, data in blobs(batch):
        wrong = fault(path, data)
        if wrong is not None:
            print(f"  {path}: {wrong}")
            code = REFUSED
    return code
