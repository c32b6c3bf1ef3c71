"""`neighbor frame close`: gather what the streams left, fold it, write the documents.

The rules come from where they are in force for everybody: the tip of the export branch, or before
they are committed there the main working tree; never a stream's. A bad rules file changes nothing
and is said.
"""

import time
from pathlib import Path

import click

from ..kernel import Rules
from ..kernel.malformed import Malformed
from ..kernel.settings import seconds
from ..store import Closed, Drained, Exported, Store
from . import export, place
from .answer import counted, print_json, progress, warn
from .command import command, frame_argument, json_option
from .delta_files import delta_files
from .document_files import DocumentFiles
from .drain import shape as drained_shape
from .drain import warn_quarantined
from .errors import UsageInvalid
from .exits import DONE, FOUND, REFUSED
from .frame_lines import frame_lines
from .frame_lines import shape as frame_shape
from .git import Git

POLL_S = 0.25  # between two looks at who has reported


@command(
    "close", "neighbor frame close 405", "neighbor frame close 405 --wait 0s --expect stream-1"
)
@frame_argument
@click.option("--expect", multiple=True, metavar="NAME", help="A stream that must have reported.")
@click.option(
    "--wait", metavar="TIME", help="How long to wait for streams, instead of [frames] wait."
)
@json_option
def COMMAND(frame: int, expect: tuple[str, ...], wait: str | None, as_json: bool) -> int:
    """Fold FRAME and every earlier one, write the documents.

    Delta files in state/stream_deltas/ are collected first. A stream that is expected and has not
    reported after the wait gets a fallback delta. Exit code 1 says that neighbor.toml could not be
    used (the rules in force stay), 3 that a document was not exported.
    """
    where = place.here()
    tree = where.main_tree()
    store = where.open_store()
    in_force = Rules.parse(store.rules_text())
    wait_s = in_force.frames.wait_s if wait is None else _seconds(wait)
    drained = gather(store, tree, frame, expect, wait_s)
    text = rules_text(Git(tree), in_force.export.branch)
    with progress(f"folding frame {frame}"):
        closed = store.close_frame(
            frame, expect=expect, rules_text=text, base=DocumentFiles(tree, text)
        )
    exported = export.write(store, tree)
    if as_json:
        print_json(_shape(store, drained, closed, exported))
    else:
        _print(store, drained, closed, exported)
    if exported.refused:
        return REFUSED
    return FOUND if closed.rules_error is not None else DONE


def gather(store: Store, tree: Path, frame: int, expect: tuple[str, ...], wait_s: float) -> Drained:
    """Bring delta files and mailbox into the log until nobody is missing, or time is up."""
    deadline_s = time.monotonic() + wait_s
    drained = Drained(0, 0, [])
    said = False
    while True:
        store.collect(delta_files(tree))
        drained = _added(drained, store.drain())
        missing = store.missing(frame, expect)
        left_s = deadline_s - time.monotonic()
        if not missing or left_s <= 0:
            return drained
        if not said:
            names = ", ".join(missing)
            warn(f"Waiting up to {wait_s:g} s for {names} (`--wait 0s` closes at once).")
            said = True
        time.sleep(min(POLL_S, left_s))


def rules_text(git: Git, branch: str) -> str | None:
    """Return the text of neighbor.toml that counts, or None where there is none.

    Bytes that are not UTF-8 are handed on as surrogates, so that the rules' reader names the line.
    """
    tip = git.tip(branch)
    data = None if tip is None else git.blob(tip, place.RULES_FILE)
    file = git.folder / place.RULES_FILE
    if data is None and file.is_file():
        data = file.read_bytes()
    return None if data is None else data.decode("utf-8", "surrogateescape")


def _seconds(text: str) -> float:
    try:
        return seconds(text)
    except Malformed as malformed:
        raise UsageInvalid(f"--wait: {malformed.reason}.") from malformed


def _added(first: Drained, second: Drained) -> Drained:
    return Drained(
        first.events + second.events,
        first.copies + second.copies,
        [*first.quarantined, *second.quarantined],
    )


def _print(store: Store, drained: Drained, closed: Closed, exported: Exported) -> None:
    warn_quarantined(drained)
    frames = sorted({closed.frame, *(sums.frame for sums in closed.folded)})
    for frame in frames:
        detail = store.frame(frame)
        assert detail is not None, f"frame {frame} has just been closed"
        for line in frame_lines(detail):
            print(line)
    if drained.copies:
        copies = counted(drained.copies, "copy of a delta", "copies of deltas")
        print(f"{copies} that the log holds already: counted once")
    if closed.rules_error is not None:
        warn(
            f"{closed.rules_error}\nThe rules in force stay. Mend neighbor.toml, then close again."
        )
    export.print_exported(store, exported)


def _shape(store: Store, drained: Drained, closed: Closed, exported: Exported) -> dict[str, object]:
    details = [store.frame(sums.frame) for sums in closed.folded]
    return {
        "frame": closed.frame,
        "folded": [frame_shape(detail) for detail in details if detail is not None],
        "fallbacks": list(closed.fallbacks),
        "rules_error": None if closed.rules_error is None else str(closed.rules_error),
        "state_digest": closed.state_digest,
        "drained": drained_shape(drained),
        "export": export.shape(store, exported),
    }
