"""`neighbor frame close`: gather what the streams left, fold it, write or commit the documents.

The rules come from where they are in force for everybody: the tip of the export branch, or before
they are committed there the main working tree; never a stream's. A bad rules file changes nothing
and is said.
"""

import getpass
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click

from ..kernel import Rules
from ..kernel.malformed import Malformed
from ..kernel.settings import seconds
from ..store import Closed, Exported, Refused, Store, StoreBusy
from . import export, guard, place
from .answer import print_json, progress, warn
from .command import command, frame_argument, json_option
from .commit import Committed, Order, commit, settle_dead
from .commit_lines import committed_shape, print_committed
from .document_files import DocumentFiles
from .errors import NoMainTree, UsageInvalid
from .exits import BUSY, DONE, FOUND, REFUSED
from .frame_lines import frame_lines
from .frame_lines import shape as frame_shape
from .gather import Gathered, gather, print_gathered
from .gather import shape as gathered_shape
from .git import Git
from .sweep import report, sweep
from .tip_edits import TipEdits, print_edits
from .tip_edits import shape as edits_shape


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

    Where [export] commit is set in neighbor.toml, they are committed. Delta files in
    state/stream_deltas/ are collected first. A stream that is expected and has not reported after
    the wait gets a fallback delta. Exit code 1 says that neighbor.toml could not be used (the
    rules in force stay) or that an edit in the commit was damage, 3 that a document was not
    exported, 5 that the export waits.
    """
    where = place.here()
    store = where.open_store()
    settle_dead(where, store)
    report(sweep(where))
    closing = close(where, store, frame, expect=expect, wait_s=_wait_s(store, wait))
    if as_json:
        print_json(shape(store, closing))
    else:
        print_closing(store, closing)
    return code_of(closing)


# What became of the documents: files, a commit, or why neither (the close stands all the same).
Outcome = Exported | Committed | StoreBusy | Refused


class Closing(NamedTuple):
    """All that a close came to."""

    gathered: Gathered
    closed: Closed
    edits: TipEdits
    exported: Outcome


def close(
    where: place.Place, store: Store, frame: int, *, expect: Sequence[str], wait_s: float
) -> Closing:
    """Gather what the streams left, fold, and bring the documents where [export] says.

    A refused or waiting export does not undo the close; it is part of what is returned.
    """
    tree = _tree(where)
    in_force = Rules.parse(store.rules_text())
    gathered = gather(where, store, frame, expect, wait_s)
    text = rules_text(Git(tree or Path(where.common)), in_force.export.branch)
    base = None if tree is None else DocumentFiles(tree, text)
    with progress(f"folding frame {frame}"):
        closed = store.close_frame(frame, expect=expect, rules_text=text, base=base)
    guard.refresh(where, Rules.parse(store.rules_text()))
    edits = TipEdits()
    return Closing(gathered, closed, edits, _export(where, store, tree, edits))


def code_of(closing: Closing) -> int:
    """Give the exit code of a close: what stopped the export goes before what was found."""
    if isinstance(closing.exported, StoreBusy):
        return BUSY
    if isinstance(closing.exported, Refused) or closing.exported.refused:
        return REFUSED
    found = closing.closed.rules_error is not None or closing.edits.refused
    return FOUND if found else DONE


def _export(where: place.Place, store: Store, tree: Path | None, edits: TipEdits) -> Outcome:
    """Commit or write the documents as [export] says; a refusal does not undo the close."""
    rules = Rules.parse(store.rules_text())
    if not rules.export.commit:
        return NoMainTree(where.common) if tree is None else export.write(store, tree)
    try:
        with progress("committing"):
            order = Order(asked_by=getpass.getuser(), absorb=edits)
            return commit(where, store, rules.export.branch, order)
    except (StoreBusy, Refused) as stopped:
        return stopped


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


def _tree(where: place.Place) -> Path | None:
    """Return the main working tree, or None where the repository has none."""
    try:
        return where.main_tree()
    except NoMainTree:
        return None


def _wait_s(store: Store, typed: str | None) -> float:
    if typed is None:
        return Rules.parse(store.rules_text()).frames.wait_s
    try:
        return seconds(typed)
    except Malformed as malformed:
        raise UsageInvalid(f"--wait: {malformed.reason}.") from malformed


def print_closing(store: Store, closing: Closing) -> None:
    """Say what became of the frames that folded, of the deltas, and of the documents."""
    gathered, closed, edits, exported = closing
    frames = sorted({closed.frame, *(sums.frame for sums in closed.folded)})
    for frame in frames:
        detail = store.frame(frame)
        assert detail is not None, f"frame {frame} has just been closed"
        for line in frame_lines(detail):
            print(line)
    if isinstance(exported, Committed):
        print_committed(store, exported, indent=len(f"frame {frames[-1]}   "))
    print_gathered(gathered)
    if closed.rules_error is not None:
        warn(
            f"{closed.rules_error}\nThe rules in force stay. Mend neighbor.toml, then close again."
        )
    print_edits(edits)
    if isinstance(exported, Exported):
        export.print_exported(store, exported)
    elif not isinstance(exported, Committed):
        warn(str(exported))


def shape(store: Store, closing: Closing) -> dict[str, object]:
    """Give a close as JSON."""
    gathered, closed, edits, exported = closing
    details = [store.frame(sums.frame) for sums in closed.folded]
    return {
        "frame": closed.frame,
        "folded": [frame_shape(detail) for detail in details if detail is not None],
        "fallbacks": list(closed.fallbacks),
        "rules_error": None if closed.rules_error is None else str(closed.rules_error),
        "state_digest": store.state_digest(),  # the edits taken in included
        "gathered": gathered_shape(gathered),
        "export": _export_shape(store, exported),
        "edits": edits_shape(edits),
    }


def _export_shape(store: Store, exported: Outcome) -> dict[str, object]:
    if isinstance(exported, Exported):
        return export.shape(store, exported)
    if isinstance(exported, Committed):
        return committed_shape(store, exported)
    return {"written": [], "stopped": str(exported)}
