"""All commands by name; each is imported only when it is called (or listed by `--help`)."""

from importlib import import_module

import click

# In the order `neighbor --help` lists them: a repository's life, then looking, then repair.
MODULES = {
    "init": "init",
    "append": "append_command",
    "drain": "drain",
    "run": "run",
    "frame": "frame",
    "worktree": "worktree_command",
    "export": "export",
    "absorb": "absorb",
    "show": "show",
    "log": "log",
    "status": "status",
    "verify": "verify",
    "recover": "recover",
    "replay": "replay",
    "forget": "forget",
    "guard": "guard",
    "gc": "gc",
    "rescue": "rescue_command",
    "doctor": "doctor",
    "quarantine": "quarantine",
    "timeout": "timeout",
    "shell-helper": "shell_helper",
    "demo": "demo",
}


class PipeClosed(Exception):
    """Whoever reads our output went away; click would take the OSError for its own and exit."""


class Neighbor(click.Group):
    """The group that finds commands in their files."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise PipeClosed from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in MODULES:
            return None
        module = import_module(f".{MODULES[cmd_name]}", __package__)
        found = module.COMMAND
        assert isinstance(found, click.Command)
        return found


@click.group(
    cls=Neighbor,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="goodneighbor", prog_name="neighbor")
def neighbor() -> None:
    """Many processes, one git repository: deltas in, canonical state out.

    Streams append deltas; at the end of a frame they fold into the state documents.

    \b
    Exit codes: 0 done, 1 a check found something, 2 usage, 3 refused, 4 damage, 5 busy.
    Shell completion: eval "$(_NEIGHBOR_COMPLETE=bash_source neighbor)", or zsh_source, fish_source.
    """


def run_command(words: list[str]) -> int:
    """Run one command line through click and return its exit code."""
    try:
        code = neighbor.main(args=words, prog_name="neighbor", standalone_mode=False)
    except PipeClosed as error:
        raise BrokenPipeError from error
    except click.UsageError as error:
        error.show()
        return error.exit_code
    except click.Abort:
        raise KeyboardInterrupt from None
    except click.ClickException as error:
        error.show()
        return error.exit_code
    assert code is None or isinstance(code, int), f"{words} returned {code!r}"
    return code or 0
