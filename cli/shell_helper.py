"""`neighbor shell-helper`: the cleanup trap and the bounded command for scripts without `run`."""

import shlex
from pathlib import Path

from .answer import print_bytes, print_json
from .command import command, json_option
from .exits import DONE
from .guard_hooks import program

SOURCE = Path(__file__).with_name("shell_helper.sh")


@command(
    "shell-helper",
    "neighbor shell-helper",
    'eval "$(neighbor shell-helper)" && neighbor_bounded 60s git log --oneline',
)
@json_option
def COMMAND(as_json: bool) -> int:
    """Print a fragment of POSIX sh for scripts that do not use `run`.

    It gives them neighbor_at_exit, which cleans up once however the script ends, and
    neighbor_bounded, which runs a program for a time at most and ends all that it started.
    """
    text = fragment()
    if as_json:
        print_json({"shell": text})
    else:
        print_bytes(text.encode())
    return DONE


def fragment() -> str:
    """Return the fragment, with this program's path on top.

    Raises:
        GuardRefused: there is no program `neighbor` that a script could start.
    """
    return f"neighbor_program={shlex.quote(program())}\n{SOURCE.read_text('utf-8')}"
