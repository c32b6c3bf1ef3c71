"""One command of `neighbor`: a click command that carries examples which run.

The examples are data, so that `--help` prints them and a test runs each of them.
"""

from collections.abc import Callable
from typing import Any

import click

EXAMPLE_STEP = "  "


class Command(click.Command):
    """A click command with examples below its options."""

    def __init__(self, *arguments: Any, examples: tuple[str, ...] = (), **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.examples = examples

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Print the examples as they are typed."""
        formatter.write("\nExample:\n" if len(self.examples) == 1 else "\nExamples:\n")
        for example in self.examples:
            formatter.write(f"{EXAMPLE_STEP}{example}\n")


class Launcher(Command):
    """A command that runs another one, which stands behind `--` and is handed over as `words`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Cut the line at the first `--`; nothing behind it is read for options."""
        mark = args.index("--") if "--" in args else len(args)
        ctx.params["words"] = tuple(args[mark + 1 :])
        return super().parse_args(ctx, args[:mark])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Say where the other command stands."""
        return [*super().collect_usage_pieces(ctx), "-- COMMAND..."]


class Noun(click.Group):
    """A group of commands about one thing, listed in the order they were added."""

    def add_all(self, *commands: click.Command) -> None:
        """Add several commands."""
        for each in commands:
            self.add_command(each)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


def command(
    name: str, *examples: str, cls: type[Command] = Command
) -> Callable[[Callable[..., int]], Command]:
    """Declare a command by its name and the examples its help shows.

    The decorated function returns the exit code; its docstring is the help text.
    """
    assert examples, f"{name}: every command's --help has an example that runs"
    return click.command(name, cls=cls, examples=examples)


def json_option(function: Callable[..., int]) -> Callable[..., int]:
    """Give a command `--json`, handed over as `as_json`."""
    option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
    return option(function)


def frame_argument(function: Callable[..., int]) -> Callable[..., int]:
    """Give a command the frame it is about, an integer from 0 to 2^31-1."""
    return click.argument("frame", type=click.IntRange(0, 2**31 - 1))(function)
