"""Run a worktree's setup command, such as `npm ci`, and end all of it when it takes too long.

Its output is shown only when it fails: of fifty streams nobody reads fifty installations.
"""

import os
import signal
import subprocess
import tempfile
from typing import BinaryIO

from .errors import WorktreeRefused
from .lease import LEASE_VARIABLE
from .worktree import Worktree

TIMEOUT_S = 1800.0
LINES_SHOWN = 20
# What a hook's environment says of another tree.
_GIT_PLACES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX")
_TAIL_BYTES = 16 * 1024


def run_setup(command: str, made: Worktree) -> None:
    """Run a shell command in a worktree.

    Raises:
        WorktreeRefused: it failed or took longer than TIMEOUT_S; its last lines are told.
    """
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            cwd=made.path,
            env=_environment(made),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            code = process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise _failed(command, f"was not done after {TIMEOUT_S:g} s", output) from None
        finally:
            if process.poll() is None:  # out of time, or Ctrl-C
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if code != 0:
            raise _failed(command, f"ended with exit code {code}", output)


def _environment(made: Worktree) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _GIT_PLACES} | {
        "NEIGHBOR_FRAME": str(made.frame),
        "NEIGHBOR_STREAM": made.stream,
        "NEIGHBOR_WORKTREE": str(made.path),
        "NEIGHBOR_DELTAS": str(made.deltas),
        LEASE_VARIABLE: made.nonce,
    }


def _failed(command: str, how: str, output: BinaryIO) -> WorktreeRefused:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - _TAIL_BYTES))
    lines = output.read().decode("utf-8", "replace").splitlines()[-LINES_SHOWN:]
    said = "\n".join(f"  {line}" for line in lines) or "  it said nothing"
    return WorktreeRefused(
        f"Not made: the setup command {how}:\n  $ {command}\n{said}\n"
        "The worktree was taken away again. Mend the command, then run this again."
    )
