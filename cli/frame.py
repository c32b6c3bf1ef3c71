"""`neighbor frame`: open a frame, close it, and look at what became of it."""

from pathlib import Path

import click

from ..kernel import Rules
from ..store import FrameDetail, FrameRow
from . import place
from .answer import print_json, print_rows, warn
from .close import COMMAND as close_command
from .command import Noun, command, frame_argument, json_option
from .exits import DONE, FOUND
from .frame_lines import frame_lines, print_unapplied, shape
from .git import Git
from .message import commit_of
from .sweep import report, sweep


@click.group("frame", cls=Noun)
def COMMAND() -> None:
    """Open, close and look at frames, the ticks of the fleet."""


@command("open", "neighbor frame open 405 --stream stream-1 --stream stream-2")
@frame_argument
@click.option(
    "--stream", multiple=True, metavar="NAME", help="A stream that is expected to report."
)
@json_option
def open_command(frame: int, stream: tuple[str, ...], as_json: bool) -> int:
    """Let FRAME collect, and name the streams expected in it.

    A frame need not be opened; opened with its streams, a close waits for them and gives a
    missing one a fallback delta.
    """
    where = place.here()
    store = where.open_store()
    report(sweep(where))
    store.open_frame(frame, list(stream))
    if as_json:
        print_json({"frame": frame, "streams": sorted(stream)})
    else:
        expects = f", expecting {', '.join(stream)}" if stream else ""
        print(f"frame {frame} is open{expects}")
    return DONE


@command("list", "neighbor frame list")
@json_option
def list_command(as_json: bool) -> int:
    """List the frames with what became of their units."""
    everything = place.here().open_store().frames()
    frames = [row for row in everything if row.frame >= 0]  # below 0 is the store's own
    if as_json:
        print_json({"frames": [_row_shape(row) for row in frames]})
    elif frames:
        print_rows(
            ("frame", "state", "streams", "events", "in", "applied", "duplicate", "skipped"),
            [
                (
                    row.frame,
                    row.state,
                    row.streams,
                    row.sums.events,
                    row.sums.units_in,
                    row.sums.applied,
                    row.sums.duplicate,
                    row.sums.skipped,
                )
                for row in frames
            ],
        )
    else:
        print("No frame yet: `neighbor append` makes one.")
    return DONE


@command("show", "neighbor frame show 405")
@frame_argument
@json_option
def show_command(frame: int, as_json: bool) -> int:
    """Show who took part in FRAME, what did not apply and why, and the commit that brought it."""
    where = place.here()
    store = where.open_store()
    detail = store.frame(frame)
    if detail is None:
        warn(f"There is no frame {frame}.\n`neighbor frame list` lists them.")
        return FOUND
    branch = Rules.parse(store.rules_text()).export.branch
    commit = commit_of(Git(Path(where.common)), branch, frame) if detail.state == "closed" else None
    if as_json:
        print_json({**shape(detail), "commit": commit})
    else:
        _print(detail, f"{branch} {commit}" if commit else "")
    return DONE


COMMAND.add_all(open_command, close_command, list_command, show_command)


def _row_shape(row: FrameRow) -> dict[str, object]:
    return {
        **row.sums._asdict(),
        "frame": row.frame,
        "state": row.state,
        "streams": row.streams,
        "state_digest": row.state_digest,
    }


def _print(detail: FrameDetail, commit: str) -> None:
    for line in frame_lines(detail):
        print(line)
    if commit:
        print(f"commit      {commit}")
    if detail.streams:
        print()
        print_rows(
            ("stream", "status", "reason", "events"),
            [(each.stream, each.status, each.reason, each.events) for each in detail.streams],
        )
    if detail.unapplied:
        print()
        print_unapplied(detail.unapplied)
