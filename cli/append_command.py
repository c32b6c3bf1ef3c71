"""`append` as click sees it, for `--help` and completion only: `append.py` runs it, before click.

The options are those that `append.py` reads by hand; a test holds the two against each other.
"""

import click

from .command import command, json_option


@command(
    "append",
    "neighbor append --frame 405 --stream stream-1 delta.json",
    """echo '{"posts_created": []}' | neighbor append --frame 405 --stream stream-1""",
    "neighbor append --frame 405 --stream stream-1 --op 'inc /agents/ada/karma 1'",
)
@click.argument("file", required=False)
@click.option("--frame", metavar="N", help="For deltas without `frame`; else NEIGHBOR_FRAME.")
@click.option("--stream", metavar="NAME", help="For deltas without one; else NEIGHBOR_STREAM.")
@click.option("--op", multiple=True, metavar="OPERATION", help="One operation; no FILE then.")
@json_option
def COMMAND(
    file: str | None, frame: str | None, stream: str | None, op: tuple[str, ...], as_json: bool
) -> int:
    """Keep deltas from FILE or standard input; durable on return.

    The input is one JSON object, an array of them, or one a line. A delta without a time gets one.
    With --json the completed deltas are printed: sending one again is the same event. A delta that
    cannot become an event goes to quarantine, and the exit code is 3.
    """
    raise AssertionError("append is run by append.py, before click")
