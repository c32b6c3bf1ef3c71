"""`neighbor demo`: a small fleet in a scratch repository, with four accidents, for real.

Every step is a command a user can type, run and printed as it happens; the streams are processes
of their own. The scratch repository is left where it is, to be looked into.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stdout
from pathlib import Path

import click

from . import place
from .answer import print_json, print_rows
from .command import command, json_option
from .demo_site import (
    FRAMES,
    GARBAGE_FRAME,
    SILENT_FRAME,
    STREAMS,
    TWICE_FRAME,
    make_program,
    make_site,
    stream_environment,
)
from .errors import DemoFailed
from .exits import DONE, FOUND

STREAM_S_MAX = 60.0
STORIES = {
    TWICE_FRAME: "stream-2 sends the same delta twice: it must count once",
    GARBAGE_FRAME: "stream-3 sends a conflict marker and half an object",
    SILENT_FRAME: "stream-4 says nothing",
}
WIPED = b'{"agents": {}}'


@command("demo", "neighbor demo")
@click.option(
    "--at", type=click.Path(path_type=Path), help="Make the scratch repository in this new folder."
)
@json_option
def COMMAND(at: Path | None, as_json: bool) -> int:
    """Play a small fleet, accidents included.

    In a scratch repository, for real: four streams in four processes over five frames; one falls
    silent, one sends garbage, one sends a delta twice. Then the state is wiped, and put right from
    the log byte for byte.
    """
    folder = _folder(at)
    with redirect_stdout(sys.stderr if as_json else sys.stdout), _without_neighbors_variables():
        tree = make_site(folder)
        program = make_program(folder)
        with chdir(tree):
            _take_in(tree)
            for frame in range(1, FRAMES + 1):
                _play(program, tree, frame)
            restored = _wipe_and_restore(tree)
            _step(DONE, "verify")
            rows = _frames(tree)
            _conclude(rows, tree)
    if as_json:
        headings = ("frame", *STREAMS, "in", "applied", "duplicate", "skipped")
        frames = [dict(zip(headings, row, strict=True)) for row in rows]
        print_json({"tree": str(tree), "restored": restored, "frames": frames})
    return DONE


def _folder(at: Path | None) -> Path:
    if at is None:
        return Path(tempfile.mkdtemp(prefix="neighbor-demo-")).resolve()
    at.mkdir(parents=True)
    return at.resolve()


@contextmanager
def _without_neighbors_variables() -> Iterator[None]:
    """Keep what the caller's fleet says (NEIGHBOR_*) away from the demo's own."""
    outer = {name: value for name, value in os.environ.items() if name.startswith("NEIGHBOR_")}
    for name in outer:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(outer)


def _take_in(tree: Path) -> None:
    _say(f"A repository with state/agents.json, channels.json and stats.json: {tree}")
    _step(DONE, "init", "--commit")


def _play(program: Path, tree: Path, frame: int) -> None:
    """Play one frame: open it, let four processes write, close it."""
    story = STORIES.get(frame, "four streams, four deltas")
    _say(f"Frame {frame}: {story}")
    expected = [word for stream in STREAMS for word in ("--stream", stream)]
    _step(DONE, "frame", "open", str(frame), *expected)
    print("$ ./agent.sh 1 & ./agent.sh 2 & ./agent.sh 3 & ./agent.sh 4 & wait", flush=True)
    processes = [
        subprocess.Popen(
            ["/bin/sh", "./agent.sh", str(number)],
            cwd=tree,
            env=stream_environment(program, frame, stream),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for number, stream in enumerate(STREAMS, start=1)
    ]
    for stream, process in zip(STREAMS, processes, strict=True):
        output = _output(process, tree)
        for line in output.decode("utf-8", "replace").splitlines():
            print(f"  {stream}: {line}", flush=True)
    _step(DONE, "frame", "close", str(frame), "--wait", "0s")


def _output(process: subprocess.Popen[bytes], tree: Path) -> bytes:
    """Wait for a stream's process and return what it printed; end one that does not end."""
    with process:
        try:
            return process.communicate(timeout=STREAM_S_MAX)[0]
        except subprocess.TimeoutExpired as error:
            process.kill()
            raise DemoFailed(f"a stream took more than {STREAM_S_MAX:g} s", tree) from error


def _wipe_and_restore(tree: Path) -> bool:
    """Overwrite the agents as the accident did, and let the store put them right."""
    agents = tree / "state" / "agents.json"
    before = agents.read_bytes()
    _say("An accident: somebody's parse error becomes an empty default")
    print(f"$ printf '%s' '{WIPED.decode()}' > state/agents.json")
    agents.write_bytes(WIPED)
    _step(FOUND, "export", "--check")
    _step(DONE, "export")
    if agents.read_bytes() != before:
        raise DemoFailed("state/agents.json is not what it was before it was wiped", tree)
    print(f"state/agents.json: {len(before):,} bytes, each as it was before")
    _step(DONE, "quarantine", "list")
    return True


def _frames(tree: Path) -> list[list[object]]:
    store = place.find(str(tree)).open_store()
    rows = []
    for frame in range(1, FRAMES + 1):
        detail = store.frame(frame)
        assert detail is not None, f"frame {frame} has been closed"
        statuses = {row.stream: row.status for row in detail.streams}
        sums = detail.sums
        told = [statuses.get(stream, "-") for stream in STREAMS]
        rows.append([frame, *told, sums.units_in, sums.applied, sums.duplicate, sums.skipped])
    return rows


def _conclude(rows: list[list[object]], tree: Path) -> None:
    _say("What became of every unit: in = applied + duplicate + skipped")
    print_rows(("frame", *STREAMS, "in", "applied", "duplicate", "skipped"), rows)
    print(f"\nThe scratch repository is yours to look into: cd {tree}")
    print("  neighbor show /agents/ada    neighbor status    neighbor frame show 3    git log")


def _step(expected: int, *words: str) -> None:
    """Type one command, and go on only if it ended as it should."""
    from .__main__ import main

    print(f"$ neighbor {' '.join(words)}", flush=True)
    code = main(list(words))
    if code != expected:
        raise DemoFailed(
            f"`neighbor {' '.join(words)}` ended in {code}, not {expected}", Path.cwd()
        )


def _say(text: str) -> None:
    print(f"\n# {text}", flush=True)
