"""`neighbor run`: a frame of streams, or several, from their worktrees to the commit.

    sweep -> lease -> open -> launch ... collect -> close -> export -> sweep     once for each frame

One run at a time in a repository, because frames close in their order. Signals end it cleanly,
once; after a SIGKILL the next command that starts work brings what is left to the same end.
"""

import fcntl
import os
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from ..kernel import Rules
from ..store import Store
from ..store.step import reached
from . import close, lease, place, process, sweep, worktree_settings
from .answer import print_json
from .command import Launcher, command, json_option
from .commit import settle_dead
from .errors import NothingToStartFrom, RunBusy, UsageInvalid
from .exits import DONE, FOUND
from .git import Git
from .lease import Lease
from .run_frame import Played, RunFrame, Stop
from .run_plan import Plan, plan, read_streams
from .run_show import show
from .run_stream import Hands
from .tree_life import waking

LOGS = "logs"
LOGS_KEPT = 20  # frames
LEASE_NAME = "run"
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@command(
    "run",
    "neighbor run --streams 2 --stagger 1s --timeout 15m -- ./agent.sh",
    "neighbor run --stream 'alice=./agent.sh' --stream 'bob=sh agent.sh' --stagger 500ms",
    "neighbor run --frames 2 --streams 2 --stagger 0s -- ./agent.sh",
    "neighbor run fleet",
    cls=Launcher,
)
@click.argument("name", required=False)
@click.option("--streams", type=click.IntRange(1), metavar="N", help="Run stream-1 to stream-N.")
@click.option(
    "--stream",
    multiple=True,
    metavar="ID[=COMMAND]",
    help="Run a stream by name, with a command line of its own.",
)
@click.option("--frame", type=click.IntRange(0, 2**31 - 1), help="The first frame; or the next.")
@click.option("--frames", type=click.IntRange(1), metavar="N", help="Play so many frames.  [1]")
@click.option("--stagger", metavar="TIME", help="Between two starts, at least.  [3s]")
@click.option("--timeout", metavar="TIME", help="How long a stream may take.  [1h]")
@click.option("--grace", metavar="TIME", help="From being told to end to being killed.  [10s]")
@click.option("--max-parallel", type=click.IntRange(1), metavar="N", help="Streams at once.  [all]")
@json_option
def COMMAND(
    words: tuple[str, ...],
    name: str | None,
    stream: tuple[str, ...],
    frame: int | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Run a frame of streams: worktrees, commands, deltas, one commit.

    Each stream runs COMMAND in a worktree and a session of its own, with NEIGHBOR_FRAME,
    NEIGHBOR_STREAM, NEIGHBOR_WORKTREE and NEIGHBOR_DELTAS set. Its deltas come by `neighbor
    append`, or as files in NEIGHBOR_DELTAS or state/stream_deltas/. When a stream ends, or its time
    is over, everything it started is ended, and its unsaved work is saved under a ref; one that did
    not report gets a fallback delta. Then the frame is closed and the documents are committed. NAME
    is a table [runs.NAME] of neighbor.toml.

    Exit code 0 says that every stream reported, 1 that one did not; 130, 143 and 129 that INT, TERM
    or HUP ended the run, cleanly.
    """
    where = place.here()
    store = where.open_store()
    said = {
        **options,
        "stream": read_streams(stream),
        "command": list(words) or None,
    }
    asked = plan(_table(where, name), f"[runs.{name}]" if name else "run", said)
    with store:
        return Run(where, store, asked, as_json=as_json).run(frame)


class Run:
    """All frames of one run."""

    def __init__(self, where: place.Place, store: Store, asked: Plan, *, as_json: bool) -> None:
        self._where = where
        self._store = store
        self._plan = asked
        self._as_json = as_json
        self._show = show()
        self._stop = Stop()
        self._told: list[dict[str, object]] = []
        self._terminals = [each for each in (0, 1, 2) if os.isatty(each)]

    def run(self, first: int | None) -> int:
        """Play the frames; return the exit code.

        Raises:
            RunBusy: another run is at work.
        """
        process.adopt_orphans()  # of keepers that die
        codes = []
        with _alone(self._store), waking(ENDING, self._ask_to_stop) as awake:
            settle_dead(self._where, self._store)
            sweep.report(sweep.sweep(self._where))
            for index in range(self._plan.frames):
                if self._stop.number:
                    break
                codes.append(self._frame(self._next_frame(first, index), awake))
        if self._as_json:
            print_json({"frames": self._told, "ended_by": self._stop.number or None})
        return 128 + self._stop.number if self._stop.number else max(codes)

    def _ask_to_stop(self, number: int) -> None:
        self._stop.ask(number)
        if number == signal.SIGHUP:
            _leave(self._terminals)

    def _next_frame(self, first: int | None, index: int) -> int:
        if first is not None:
            return first + index
        return max((row.frame for row in self._store.frames()), default=0) + 1

    def _frame(self, number: int, awake: int) -> int:
        try:
            played = self._play(number, awake)
        except BaseException:
            sweep.report(sweep.sweep(self._where))
            raise
        reached("run: lease released")
        self._tell(number, played)
        code = close.code_of(played.closing)
        return code if code != DONE else DONE if played.has_all_reported else FOUND

    def _play(self, number: int, awake: int) -> Played:
        with Lease(self._store.folder / lease.FOLDER, LEASE_NAME) as held:
            reached("run: lease taken")
            frame = RunFrame(self._hands(number, held), self._plan, self._show)
            try:
                return frame.play(self._stop, awake)
            except BaseException:
                frame.abandon()
                raise

    def _hands(self, number: int, held: Lease) -> Hands:
        logs = self._store.folder / LOGS / f"frame-{number}"
        logs.mkdir(mode=0o700, exist_ok=True)
        _prune(logs.parent)
        return Hands(
            self._where,
            self._store,
            worktree_settings.settings(self._where),
            held,
            number,
            _start(self._where, self._store),
            self._plan.limits,
            logs,
            self._show.is_live,
        )

    def _tell(self, number: int, played: Played) -> None:
        self._told.append(_shape(self._store, number, played))
        if not self._as_json:
            close.print_closing(self._store, played.closing)
            sys.stdout.flush()


def _table(where: place.Place, name: str | None) -> dict[str, Any]:
    """Return a table of [runs], from neighbor.toml as it lies in the main tree."""
    if name is None:
        return {}
    file = where.main_tree() / place.RULES_FILE
    text = file.read_bytes().decode("utf-8", "surrogateescape") if file.is_file() else ""
    runs = Rules.parse(text).runs
    if name not in runs:
        known = ", ".join(runs) or "none"
        raise UsageInvalid(f"neighbor.toml has no table [runs.{name}]; there is {known}.")
    return runs[name]


@contextmanager
def _alone(store: Store) -> Iterator[None]:
    """Hold what only one run holds; the lock is on a folder, so no file is left.

    Raises:
        RunBusy: another run is at work.
    """
    folder = store.folder / LOGS
    folder.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        others = lease.living(store.folder / lease.FOLDER)
        raise RunBusy(
            sorted({each.owner.pid for each in others if each.name == LEASE_NAME})
        ) from None
    else:
        yield
    finally:
        os.close(descriptor)


def _start(where: place.Place, store: Store) -> str:
    """Return the commit that worktrees begin at: the one the last close made, where it makes one.

    Raises:
        NothingToStartFrom: there is no commit yet.
    """
    git = Git(where.main_tree())
    export = Rules.parse(store.rules_text()).export
    found = (git.tip(export.branch) if export.commit else None) or git.head()
    if found is None:
        raise NothingToStartFrom(git.folder)
    return found


def _prune(logs: Path) -> None:
    """Keep the logs of the newest frames."""
    folders = sorted(logs.glob("frame-*"), key=lambda each: each.stat().st_mtime_ns)
    for folder in folders[:-LOGS_KEPT]:
        shutil.rmtree(folder, ignore_errors=True)


def _leave(terminals: Sequence[int]) -> None:
    """Let go of a terminal that was closed: writing to it fails from now on."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in terminals:
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _shape(store: Store, number: int, played: Played) -> dict[str, object]:
    status = {each.stream: each for each in played.detail.streams}
    return {
        "frame": number,
        "streams": [
            {
                "stream": each.name,
                "status": status[each.name.lower()].status,
                "reason": status[each.name.lower()].reason,
                "exit_code": each.code,
                "started_s": each.started_s,
                "ended_s": each.ended_s,
                "said": each.said,
                "rescued": each.rescued,
            }
            for each in played.streams
        ],
        "close": close.shape(store, played.closing),
    }
