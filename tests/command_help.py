"""The page `docs/commands.md`: what `--help` prints, command by command.

`python -m tests.command_help` writes it; `test_tidy.py` fails where it and the program differ.
"""

from collections.abc import Iterator
from pathlib import Path

import click
from goodneighbor.cli.commands import neighbor

PAGE = Path(__file__).resolve().parent.parent / "docs" / "commands.md"
WIDTH = 100

INTRODUCTION = """\
# Commands

What `neighbor COMMAND --help` prints, in one piece. Every command ends in one of these exit codes:

| code | means |
|---|---|
| 0 | done |
| 1 | a check found something |
| 2 | usage |
| 3 | refused |
| 4 | damage |
| 5 | busy |
"""


def page() -> str:
    """Return the page as the program would have it."""
    parts = [INTRODUCTION]
    for name, help_text in _helps(neighbor, "neighbor", None):
        parts.append(f"## {name}\n\n```text\n{help_text}\n```\n")
    return "\n".join(parts)


def _helps(
    command: click.Command, name: str, parent: click.Context | None
) -> Iterator[tuple[str, str]]:
    """Yield each command's full name and its help, a group before its members."""
    context = command.make_context(
        name.split()[-1],
        [],
        parent=parent,
        resilient_parsing=True,
        terminal_width=WIDTH,
        max_content_width=WIDTH,
    )
    yield name, "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    if isinstance(command, click.Group):
        for member in command.list_commands(context):
            found = command.get_command(context, member)
            assert found is not None
            yield from _helps(found, f"{name} {member}", context)


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
