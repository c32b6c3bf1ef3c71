"""`neighbor timeout`: the portable `timeout`, which ends the whole tree. No frame, no store.

What GNU's leaves out: what the command started and left in a session of its own ends too. What
macOS lacks: the command itself.
"""

import signal
import sys
import time

import click
import orjson

from ..kernel.malformed import Malformed
from ..kernel.settings import seconds
from . import process
from .answer import warn
from .command import Launcher, command
from .errors import UsageInvalid
from .tree_life import Ended, Limits, TreeLife, waking

EXPIRED = 124
PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE = "10s"


@command("timeout", "neighbor timeout 60s -- git log --oneline", cls=Launcher)
@click.argument("limit", metavar="TIME")
@click.option(
    "--grace",
    default=GRACE,
    show_default=True,
    metavar="TIME",
    help="How long it may take to end when it is told to, before it is killed.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stderr at the end.")
def COMMAND(words: tuple[str, ...], limit: str, grace: str, as_json: bool) -> int:
    """Run COMMAND for TIME at most.

    When the time is over, or a signal comes, it is told to end (SIGTERM, or that signal), and
    killed after the grace; so is all that it started, also in sessions of its own, and what it
    leaves running when it ends.

    The exit code is the command's own, 128 and the signal's number if one ended it, 124 if the
    time was over, 126 or 127 if it could not be started.
    """
    if not words:
        raise UsageInvalid("What to run stands behind `--`: neighbor timeout 60s -- ./agent.sh")
    limits = Limits(_seconds("TIME", limit), _seconds("--grace", grace))
    started_s = time.monotonic()
    try:
        ended = _live(words, limits)
    except OSError as error:
        warn(f"{words[0]}: {error.strerror or error}")
        ended = Ended(process.code_of(error), "not started", 0, [])
    code = _code(ended)
    if as_json:
        told = ended._asdict() | {
            "seconds": round(time.monotonic() - started_s, 3),
            "exit_code": code,
        }
        sys.stderr.buffer.write(orjson.dumps(told) + b"\n")
    elif ended.survivors:
        warn(f"Not even SIGKILL ended these processes: {' '.join(map(str, ended.survivors))}")
    return code


def _live(words: tuple[str, ...], limits: Limits) -> Ended:
    adopts = process.adopt_orphans()
    trees: list[TreeLife] = []
    early: list[int] = []

    def pass_on(number: int) -> None:
        early.append(number)
        for tree in trees:
            tree.ask(f"signal {number}", number)

    with waking(PASSED_ON, pass_on) as awake:
        started = process.start(words, has_own_session=False)
        # Ctrl-C reaches the command as well as us; its group is our caller's, so no group's ends.
        trees.append(TreeLife(started, limits, adopts=adopts))
        for number in early:
            trees[0].ask(f"signal {number}", number)
        return trees[0].run(awake)


def _code(ended: Ended) -> int:
    if ended.cause == "timeout":
        return EXPIRED
    if ended.cause.startswith("signal "):
        return 128 + int(ended.cause.removeprefix("signal "))
    return ended.code if ended.code >= 0 else 128 - ended.code


def _seconds(name: str, text: str) -> float:
    try:
        return seconds(text)
    except Malformed as malformed:
        raise UsageInvalid(f"{name}: {malformed.reason}.") from malformed
