"""The doctor's look at the fleet's scripts: launches (rule 5), writes (rule 6), shells (rule 8).

Which scripts those are, `[doctor] scripts` says: globs under the main working tree.
"""

import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson

from . import shell_text
from .finding import Finding
from .git import run
from .shell_constructs import CONSTRUCTS

SCRIPTS_MAX = 500
SHELLCHECK_TIMEOUT_S = 60.0
SEVERITY = "warning"
PORTABILITY = range(3000, 4000)  # "In POSIX sh, ... is undefined"; the rest is another matter
# An ampersand that starts something: none of && |& >& <& &> and no escaped one.
_LAUNCH = re.compile(r"(?<![&|<>\\])&(?![&>])")
_SLEEP = re.compile(r"\bsleep\b")


def scripts(tree: Path, patterns: Sequence[str]) -> list[Path]:
    """Return the scripts that patterns name, regular files inside the tree."""
    found: set[Path] = set()
    for pattern in patterns:
        relative = pattern.lstrip("/")
        if ".." not in Path(relative).parts:
            found |= {path for path in tree.glob(relative) if path.is_file()}
    inside = [path for path in sorted(found) if path.resolve().is_relative_to(tree.resolve())]
    return inside[:SCRIPTS_MAX]


def look(tree: Path, patterns: Sequence[str], documents: Sequence[str]) -> Iterator[Finding]:
    """Yield what the scripts do against rules 5, 6 and 8; `documents` are paths of state files."""
    for path in scripts(tree, patterns):
        name = path.relative_to(tree).as_posix()
        text = path.read_text("utf-8", "replace")
        yield from _bare_launches(name, text)
        yield from _writes(name, text, documents)
        own = list(_constructs(name, text))
        yield from (finding for _line, finding in own)
        yield from _shellcheck(tree, name, {line for line, _finding in own})


def shellcheck() -> str | None:
    """Return where ShellCheck is, beside this Python or on PATH."""
    beside = Path(sys.executable).with_name("shellcheck")
    return str(beside) if beside.is_file() else shutil.which("shellcheck")


def _bare_launches(name: str, text: str) -> Iterator[Finding]:
    for loop in shell_text.loops(text):
        body = "\n".join(loop.lines)
        if _LAUNCH.search(body) and not _SLEEP.search(body):
            yield Finding(
                5,
                f"{name}:{loop.number}: a loop launches with `&` and does not wait in between",
                "a `sleep 3` behind the `&`",
            )


def _writes(name: str, text: str, documents: Sequence[str]) -> Iterator[Finding]:
    for line in shell_text.lines(text):
        for document in documents:
            if document in line.text and _writes_to(document).search(line.text):
                yield Finding(
                    6,
                    f"{name}:{line.number}: writes {document} itself",
                    "a delta instead: `neighbor append < delta.json`",
                )


def _writes_to(document: str) -> re.Pattern[str]:
    path = rf"[\"']?[^\s\"';|&<>]*{re.escape(document)}\b"
    return re.compile(
        rf">\|?\s*{path}|\btee\s+(?:-\w+\s+)*{path}"
        rf"|\b(?:mv|cp|install)\s[^;|&]*\s{path}[\"']?\s*(?:$|[;|&)])|\bsed\s+-\w*i[^;|&]*{path}"
    )


def _constructs(name: str, text: str) -> Iterator[tuple[int, Finding]]:
    for line in shell_text.lines(text):
        for construct in CONSTRUCTS:
            if construct.pattern.search(line.bare) or construct.pattern.search(line.text):
                what = f"{name}:{line.number}: {construct.lacks}"
                yield line.number, Finding(8, what, f"portable: {construct.portable}")


def _shellcheck(tree: Path, name: str, said: set[int]) -> Iterator[Finding]:
    """Yield what ShellCheck says of lines that nothing was said of; nothing where it is not."""
    program = shellcheck()
    if program is None:
        return
    options = ("--norc", "--shell=sh", "--format=json1", f"--severity={SEVERITY}")
    answer = run((program, *options, "--", name), tree, b"", SHELLCHECK_TIMEOUT_S)
    if not answer.stdout:
        return
    for comment in orjson.loads(answer.stdout)["comments"]:
        is_about_shells = comment["level"] == "error" or comment["code"] in PORTABILITY
        if is_about_shells and comment["line"] not in said:
            yield Finding(
                8,
                f"{name}:{comment['line']}: {comment['message']}",
                f"https://www.shellcheck.net/wiki/SC{comment['code']}",
            )
