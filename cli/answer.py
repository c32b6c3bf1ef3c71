"""Print a command's answer: one JSON object for programs, aligned text for people.

Answers go to stdout, everything else (progress, warnings, errors) to stderr, so a pipe carries
the answer alone. rich is imported only when a person looks.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import orjson

GAP = "   "


def print_json(answer: object) -> None:
    """Print one JSON object in the form that the exports have."""
    options = orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    print_bytes(orjson.dumps(answer, option=options))


def print_bytes(data: bytes) -> None:
    """Print bytes as they are, whatever the terminal's encoding."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def print_rows(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table: columns aligned, numbers to the right, headings bold on a terminal."""
    texts = [[str(cell) for cell in row] for row in rows]
    right = [
        bool(rows) and all(isinstance(row[c], int) for row in rows) for c in range(len(headings))
    ]
    if sys.stdout.isatty():
        _print_rich(headings, texts, right)
        return
    for line in aligned([list(headings), *texts], right):
        print(line)


def aligned(rows: Sequence[Sequence[str]], right: Sequence[bool]) -> list[str]:
    """Return one line for each row, the cells of a column starting (or ending) below each other."""
    widths = [max((len(row[c]) for row in rows), default=0) for c in range(len(right))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ]
        lines.append(GAP.join(cells).rstrip())
    return lines


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Say a number with its noun: `1 event`, `2 events`, `1,024 copies`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def warn(text: str) -> None:
    """Say something a person should know, on stderr."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def progress(doing: str) -> Iterator[None]:
    """Show on a terminal that something is being done; say nothing elsewhere."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(doing):
        yield


def _print_rich(
    headings: Sequence[str], texts: Sequence[Sequence[str]], right: Sequence[bool]
) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for heading, to_right in zip(headings, right, strict=True):
        table.add_column(heading, justify="right" if to_right else "left", overflow="fold")
    for row in texts:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
