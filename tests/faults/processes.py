"""Processes of the harness: forked from a parent that has everything imported, so they are cheap.

The parent has one thread and no open database, which is what makes forking it safe.
"""

import os
import signal
import sys
import traceback
from collections.abc import Callable

from .journal import Journal

HANG_S = 120  # then SIGALRM ends a process, and the harness says that it hung
_RAISED = 70


def start(work: Callable[[], None], journal: Journal) -> int:
    """Run `work` in a process of its own; return its id."""
    sys.stdout.flush()
    process = os.fork()
    if process:
        return process
    status = _RAISED
    try:
        signal.alarm(HANG_S)
        work()
        status = 0
    except BaseException:  # told to the parent, which fails the run
        sys.setprofile(None)
        journal.say("raised", traceback.format_exc())
    finally:
        os._exit(status)


def end(process: int) -> int:
    """Wait for a process; return its exit status, or the signal it died of below 0."""
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status)


def kill_if_running(process: int) -> None:
    """End a process that is nobody's child any more, if it has not ended."""
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return


def kill(process: int) -> None:
    """End a process that has not been waited for."""
    os.kill(process, signal.SIGKILL)
