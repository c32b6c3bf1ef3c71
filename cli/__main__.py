"""The command `neighbor`: append first, everything else through click.

A stream calls `append` for every delta, so its way loads no click, no SQLAlchemy, no msgspec and
no rich: it costs little more than a Python start. Here is also the one broad catch: whatever
happens ends in one of the exit codes of `cli/exits.py`, with a reason on stderr.
"""

import os
import sys

HELP = {"-h", "--help"}


def main(arguments: list[str] | None = None) -> int:
    """Run one command line (without the program's name) and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _run(words)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # `neighbor log | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # 128 + SIGPIPE
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130  # 128 + SIGINT
    except Exception as error:
        return _explain(error)


def _run(words: list[str]) -> int:
    if words[:1] == ["append"] and not HELP.intersection(words):
        from .append import run_append

        return run_append(words[1:])
    if words[:1] == ["hook"]:
        from .hook import run_hook

        return run_hook(words[1:])
    if words[:1] == ["merge-file"]:
        from .merge_file import run_merge_file

        return run_merge_file(words[1:])
    from .commands import run_command

    return run_command(words)


def _explain(error: Exception) -> int:
    """Say what happened on stderr and return the exit code."""
    from ..kernel.errors import GoodneighborError
    from .exits import DAMAGE, REFUSED, code_of

    if isinstance(error, GoodneighborError):
        print(error, file=sys.stderr)
        return code_of(error)
    if isinstance(error, OSError):  # a full disk, a missing file, a folder that is not ours
        where = "" if error.filename is None else f": {error.filename}"
        print(f"{error.strerror or error}{where}", file=sys.stderr)
        return REFUSED
    import traceback

    traceback.print_exc()
    print(
        "This is a fault in neighbor itself. Nothing that was acknowledged is lost;\n"
        "`neighbor verify` checks the store. Please report the lines above.",
        file=sys.stderr,
    )
    return DAMAGE


if __name__ == "__main__":
    sys.exit(main())
