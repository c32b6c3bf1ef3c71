"""Cuts the power under exports with commit: `python -m tests.faults.power_cuts --cuts 50`.

    life: copy the template -> mount -> rounds of append, close, export -> at some moment stop
          everything and copy the image -> mount the copy -> judge it, then the next commands

The control, `--without refs`: what an export flushes once the branch has moved is left out, the
refs' folders first of all. ext4 has one journal, so any flush after that one would take the refs
along; `--without rest` leaves only those out, which shows that the refs' flush alone suffices.
Mounts are made in a namespace of our own: they go with this process, however it ends.
"""

import argparse
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import NamedTuple

from goodneighbor.cli import refs
from goodneighbor.store import step

from . import ext4_image, power_world, processes
from .power_world import PLACES, WAYS, Acknowledged, Layout, Room

UNABLE = 2
ROUNDS_MAX, POSTS_MAX = 3, 2
STEPS_MAX = 20  # about as many as a close with commit reaches; past the end is after it
DURING_S = 0.5  # about as long as it takes
WITHOUT = ("refs", "rest")
KINDS = ("after", "step", "during")  # when a cut comes, beside a command
LOSSES = ("export", "log segment", "append", "close")
_WHO = {"NAME": "Ada", "EMAIL": "ada@example.org"}


class Moment(NamedTuple):
    """When in the last round the power goes."""

    command: int  # which command of the round, from the end: -1 is the last
    kind: str  # of KINDS
    steps: int
    delay_s: float


class Life(NamedTuple):
    """What is played before the power goes."""

    layout: Layout
    posts: tuple[int, ...]  # deltas by round
    moment: Moment


def lives(seed: str, count: int, only: str | None = None) -> Iterator[Life]:
    """Choose lives, all cuts of one kind where that is asked for."""
    for number in range(count):
        random = Random(f"power cuts {seed} {number}")
        layout = Layout(PLACES[number % len(PLACES)], random.choice(WAYS))
        posts = tuple(random.randint(0, POSTS_MAX) for _ in range(random.randint(1, ROUNDS_MAX)))
        kind = random.choice(KINDS)
        moment = Moment(
            random.choice((-1, -1, -1, -2)),
            only or kind,
            random.randint(1, STEPS_MAX),
            random.uniform(0, DURING_S),
        )
        yield Life(layout, posts, moment)


class Harness:
    """The folder that images, mounts and notes are in, and what came out."""

    def __init__(self, folder: Path, without: str) -> None:
        self._folder = folder
        self._without = without
        self._room = Room(folder / "mounted", folder / "notes")
        for each in self._room:
            each.mkdir()
        self.moments: Counter[str] = Counter()
        self.acknowledged: Counter[str] = Counter()

    def play(self, life: Life) -> list[str]:
        """Play a life, cut, and judge what is left; return what is lost or wrong."""
        live, cut = self._folder / "live.img", self._folder / "cut.img"
        ext4_image.copy(self._template(life.layout), live)
        noted = Acknowledged()
        with ext4_image.mounted(live, self._room.mounted):
            moment = self._until_cut(life, noted, lambda: ext4_image.copy(live, cut))
        self.moments[moment] += 1
        for name, acknowledged in vars(noted).items():
            self.acknowledged[name] += len(acknowledged)
        with ext4_image.mounted(cut, self._room.mounted):
            frame = len(life.posts) + 1
            found = power_world.problems_of(self._room, life.layout, noted, frame)
        where = f"{life.layout.place}, committed by {life.layout.way}, cut {moment}"
        return [f"{where}: {each}" for each in found]

    def _template(self, layout: Layout) -> Path:
        """Return an image with the repository on it, all of it flushed."""
        file = self._folder / f"{layout.place}-{layout.way}.img"
        if not file.exists():
            ext4_image.make(file)
            with ext4_image.mounted(file, self._room.mounted):
                power_world.fill(self._room, layout)
        return file

    def _until_cut(self, life: Life, noted: Acknowledged, cut: Callable[[], None]) -> str:
        """Run commands until the moment comes; return which it was in the end."""
        rounds = [
            power_world.commands(life.layout, number, posts)
            for number, posts in enumerate(life.posts, 1)
        ]
        last = rounds[-1]
        till = max(len(last) + life.moment.command, 0)
        for words in [*(words for each in rounds[:-1] for words in each), *last[:till]]:
            self._end(words, power_world.start(self._room, words, self._prepare), noted)
        words = last[till]
        name = " ".join(words[: 2 if words[0] == "frame" else 1])
        process = power_world.start(self._room, words, lambda: self._prepare(life.moment))
        is_stopped = True
        try:
            is_stopped = self._is_stopped(process, life.moment)
            if not is_stopped:
                self._end(words, process, noted)
            cut()
        finally:
            if is_stopped:
                power_world.kill(process)
        return f"{life.moment.kind if is_stopped else 'after'} {name}"

    def _is_stopped(self, process: int, moment: Moment) -> bool:
        """Have a command stopped in its course; False where it came to its end before."""
        if moment.kind == "after":
            return False
        if moment.kind == "during":
            time.sleep(moment.delay_s)
        else:
            os.waitid(os.P_PID, process, os.WEXITED | os.WSTOPPED | os.WNOWAIT)
        power_world.stop(process)
        return os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def _end(self, words: list[str], process: int, noted: Acknowledged) -> None:
        status = processes.end(process)
        assert status == 0, f"{words} ended with {status}: {power_world.said(self._room)}"
        noted.note(words, power_world.printed(self._room))

    def _prepare(self, moment: Moment | None = None) -> None:
        """In the process of a command: leave out what is to be, and stop it at its step."""
        watching: list[Callable[[str], None]] = []
        if self._without:
            watching.append(_leaving_out(keep_refs=self._without == "rest"))
        if moment is not None and moment.kind == "step":
            watching.append(_StopAt(moment.steps))

        def watch(name: str) -> None:
            for each in watching:
                each(name)

        step.watch(watch)


class _StopAt:
    """Stops this process at the n-th step."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    def __call__(self, name: str) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGSTOP)


def _leaving_out(*, keep_refs: bool) -> Callable[[str], None]:
    """Flush nothing any more in this process once the branch has moved, or the refs alone."""
    flushes = (os.fsync, os.fdatasync)
    flush_refs = refs.flush

    def nothing(fd: object) -> None: ...

    def leave_out() -> None:
        os.fsync = os.fdatasync = nothing

    def refs_alone(common: Path, refs: Sequence[str]) -> None:
        os.fsync, os.fdatasync = flushes
        flush_refs(common, refs)
        leave_out()

    def watch(name: str) -> None:
        if name == "commit: branch moved":
            leave_out()
            if keep_refs:
                refs.flush = refs_alone

    return watch


def main() -> int:
    """Cut as often as the command line says; print the moments, and what was lost."""
    arguments = _asked()
    try:
        ext4_image.check(arguments.folder)
    except ext4_image.NoImages as error:
        print(f"No power cuts can be played here: {error}.")
        return UNABLE
    if not arguments.inside:
        seed = ["--seed", arguments.seed, "--inside"]
        again = [sys.executable, "-m", "tests.faults.power_cuts", *sys.argv[1:], *seed]
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", *again])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    begin = time.perf_counter()
    with _folder(arguments.folder) as folder:
        harness = Harness(folder, arguments.without)
        problems = []
        for number, life in enumerate(lives(arguments.seed, arguments.cuts, arguments.kind)):
            if arguments.life in (None, number):
                problems += [f"life {number}, {each}" for each in harness.play(life)]
    _report(arguments, harness, problems, time.perf_counter() - begin)
    return 1 if problems else 0


def _report(
    arguments: argparse.Namespace, harness: Harness, problems: list[str], took_s: float
) -> None:
    without = f", without {arguments.without}" if arguments.without else ""
    print(f"seed {arguments.seed}: {arguments.cuts} power cuts{without}, {took_s:.0f} s")
    for moment, count in sorted(harness.moments.items()):
        print(f"  {moment:24} {count:>6}")
    counts = harness.acknowledged
    print("acknowledged: " + ", ".join(f"{count} {name}" for name, count in counts.items()))
    lost = {kind: sum(f"lost {kind}" in each for each in problems) for kind in LOSSES}
    print("lost: " + ", ".join(f"{count} {kind}s" for kind, count in lost.items()))
    print("\n".join(problems))


@contextmanager
def _folder(inside: str) -> Iterator[Path]:
    """Make a folder for a run, with an environment that knows nothing of the person's git."""
    os.environ.update({f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER")
                       for key, value in _WHO.items()})  # fmt: skip
    os.environ.update({"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"})
    folder = Path(tempfile.mkdtemp(prefix="power-cuts-", dir=inside))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _asked() -> argparse.Namespace:
    memory = Path("/dev/shm")
    parser = argparse.ArgumentParser(prog="python -m tests.faults.power_cuts")
    parser.add_argument("--cuts", type=int, default=10)
    parser.add_argument("--seed", default=secrets.token_hex(4), help="random without")
    parser.add_argument("--life", type=int, help="only this one of the seed's lives")
    parser.add_argument("--folder", default=str(memory) if memory.is_dir() else None)
    parser.add_argument("--kind", choices=KINDS, help="all cuts are of this kind")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--without", choices=WITHOUT, default="", help="a control, to be caught")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
