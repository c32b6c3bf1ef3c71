"""`neighbor log`: the events by position, with what became of each."""

import click
import orjson

from ..store import LoggedEvent
from . import place
from .answer import print_json, print_rows
from .command import command, json_option
from .exits import DONE
from .quarantine import moment

SHOWN_MAX = 50


@command("log", "neighbor log", "neighbor log --frame 405 --stream stream-1 --body --json")
@click.option("--from", "first", type=click.IntRange(1), metavar="POSITION", help="Begin here.")
@click.option("--frame", type=int, help="Only events of this frame, whatever frame they fold in.")
@click.option("--stream", metavar="NAME", help="Only this stream's; `git` and `store` are our own.")
@click.option("--limit", type=click.IntRange(1), default=SHOWN_MAX, help="How many at most.")
@click.option("--body", is_flag=True, help="With --json: their bodies as well.")
@json_option
def COMMAND(
    first: int | None,
    frame: int | None,
    stream: str | None,
    limit: int,
    body: bool,
    as_json: bool,
) -> int:
    """List the events in the log, by position.

    Without --from the newest are listed. `in` is the frame an event folds in, and is left out until
    a close has taken it; an id is what `append` returned.
    """
    events = (
        place.here()
        .open_store()
        .events(first=first, frame=frame, stream=stream, limit=limit, bodies=body and as_json)
    )
    if as_json:
        print_json({"events": [_shape(each, with_body=body) for each in events]})
    elif events:
        print_rows(
            ("position", "id", "kind", "frame", "stream", "received", "in", "late", "copies"),
            [_row(each) for each in events],
        )
    else:
        print("No such event.")
    return DONE


def _row(event: LoggedEvent) -> tuple[object, ...]:
    return (
        event.position,
        event.id[:12],
        event.kind,
        event.frame,
        event.stream,
        moment(event.received_us),
        "" if event.folds_in is None else event.folds_in,
        "late" if event.late else "",
        event.copies or "",
    )


def _shape(event: LoggedEvent, *, with_body: bool) -> dict[str, object]:
    shape = event._asdict()
    body = shape.pop("body")
    return {**shape, "body": orjson.Fragment(body)} if with_body else shape
