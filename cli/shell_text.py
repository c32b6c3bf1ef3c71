"""A shell script as the doctor reads it: its commands by line, without comments and here-documents.

No parser: what is inside quotes stays, so a construct named in a message may be found as well.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_HERE = re.compile(r"<<-?\s*(['\"]?)(\w+)\1")
_QUOTED = re.compile(r"'[^']*'|\"(?:[^\"\\]|\\.)*\"")
_COMMENT = re.compile(r"(?:^|(?<=[\s;]))#.*")


class Line(NamedTuple):
    """One line, counted from 1; `bare` has its quoted parts emptied."""

    number: int
    text: str
    bare: str


class Loop(NamedTuple):
    """A loop's body, with the line that it begins on."""

    number: int
    lines: list[str]


def lines(script: str) -> Iterator[Line]:
    """Yield the lines of a script that hold commands."""
    ends: str | None = None
    for number, raw in enumerate(script.splitlines(), start=1):
        if ends is not None:
            ends = None if raw.strip() == ends else ends
            continue
        emptied = _QUOTED.sub(lambda found: found[0][0] * 2, raw)
        comment = _COMMENT.search(emptied)
        bare = emptied if comment is None else emptied[: comment.start()]
        if bare.strip():
            yield Line(number, _without_comment(raw, comment is not None), bare)
        here = _HERE.search(raw if comment is None else bare)
        ends = here[2] if here else None


def loops(script: str) -> Iterator[Loop]:
    """Yield the loops of a script, inner ones first; an outer one holds its inner ones' lines."""
    opened: list[Loop] = []
    for line in lines(script):
        for word in re.findall(r"(?<![\w$-])(?:do|done)(?![\w-])|[^;]+|;", _spaced(line.bare)):
            if word.strip() == "do":
                opened.append(Loop(line.number, []))
            elif word.strip() == "done" and opened:
                closed = opened.pop()
                yield closed
                if opened:
                    opened[-1].lines.extend(closed.lines)
            elif opened:
                opened[-1].lines.append(word)


def _spaced(bare: str) -> str:
    """Put `do` and `done` between separators, so that what stands beside them is told apart."""
    return re.sub(r"(?<![\w$-])(do|done)(?![\w-])", r";\1;", bare)


def _without_comment(raw: str, has_comment: bool) -> str:
    if not has_comment:
        return raw
    found = None
    for found in re.finditer(r"(?:^|(?<=[\s;]))#", raw):
        before = raw[: found.start()]
        if before.count("'") % 2 == 0 and before.count('"') % 2 == 0:
            return before
    return raw
