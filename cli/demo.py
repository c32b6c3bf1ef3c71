"""`neighbor demo`: a small fleet in a scratch repository, with four accidents, for real.

Every step is a command a user can type, run and printed as it happens; the streams are processes
of their own. The scratch repository is left where it is, to be looked into.
"""

import os
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
)
from .errors import DemoFailed
from .exits import DONE, FOUND

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

    In a scratch repository, for real: four streams in four worktrees over five frames; one falls
    silent, one sends garbage, one sends a delta twice. Then the state is wiped, and put right from
    the log byte for byte.
    """
    folder = _folder(at)
    with redirect_stdout(sys.stderr if as_json else sys.stdout), _without_neighbors_variables():
        tree = make_site(folder)
        with chdir(tree), _on_path(make_program(folder)):
            _take_in(tree)
            for frame in range(1, FRAMES + 1):
                _play(frame)
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


@contextmanager
def _on_path(program: Path) -> Iterator[None]:
    """Let the streams find this very installation as `neighbor`."""
    outer = os.environ.get("PATH", os.defpath)
    os.environ["PATH"] = f"{program.parent}{os.pathsep}{outer}"
    try:
        yield
    finally:
        os.environ["PATH"] = outer


def _take_in(tree: Path) -> None:
    _say(f"A repository with state/agents.json, channels.json and stats.json: {tree}")
    _step(DONE, "init", "--commit")


def _play(frame: int) -> None:
    """Play one frame: four streams in four worktrees, closed and committed."""
    _say(f"Frame {frame}: {STORIES.get(frame, 'four streams, four deltas')}")
    whole = DONE if frame not in (GARBAGE_FRAME, SILENT_FRAME) else FOUND
    streams = ("--streams", str(len(STREAMS)), "--stagger", "0s")
    _step(whole, "run", *streams, "--", "./agent.sh")


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
