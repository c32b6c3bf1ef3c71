"""`neighbor worktree`: make a worktree for a stream, list them, take one away."""

import os
import time
from dataclasses import replace
from pathlib import Path

import click

from ..kernel import Rules
from ..store import Store
from ..store.delta import FRAME_MAX
from . import copy_in, place, stray, worktree, worktree_look
from .answer import counted, print_json, print_rows, warn
from .command import Noun, command, json_option
from .errors import UsageInvalid, WorktreeHeld, WorktreeRefused
from .exits import DONE, FOUND
from .git import Git
from .sweep import report, sweep
from .worktree import Worktree
from .worktree_add import Added, add
from .worktree_look import Look
from .worktree_remove import Removed, remove
from .worktree_settings import settings

LISTED_MAX = 20
PROCESSES_MAX = 4
_SIZES = ("B", "KiB", "MiB", "GiB", "TiB")


@click.group("worktree", cls=Noun)
def COMMAND() -> None:
    """Make, list and take away the worktrees that streams work in.

    One made here is yours until you remove it; those of `neighbor run` go with the run.
    """


@command(
    "add",
    "neighbor worktree add stream-1 --frame 405",
    "neighbor worktree add ada --from main --sparse state",
)
@click.argument("stream")
@click.option("--frame", type=click.IntRange(0, FRAME_MAX), help="The frame; else the open one.")
@click.option("--from", "start", metavar="COMMIT", help="Where its branch begins; else HEAD.")
@click.option("--path", "at", metavar="FOLDER", help="Where it goes, instead of [worktree] path.")
@click.option("--sparse", multiple=True, metavar="PATH", help="Check out only these folders.")
@click.option("--setup", metavar="COMMAND", help="Run this in it; if it fails, nothing is made.")
@json_option
def add_command(
    stream: str,
    frame: int | None,
    start: str | None,
    at: str | None,
    sparse: tuple[str, ...],
    setup: str | None,
    as_json: bool,
) -> int:
    """Make a worktree for STREAM, on a branch of its own.

    The branch is dc/STREAM/frame-FRAME, the folder ../REPOSITORY.worktrees/STREAM, unless
    [worktree] in neighbor.toml says otherwise. Uncommitted files named by [worktree] copy and by
    .worktreeinclude (patterns as in .gitignore) are copied in.
    """
    where = place.here()
    store = where.open_store()
    report(sweep(where))
    told = settings(where)
    told = replace(told, sparse=sparse or told.sparse, setup=setup or told.setup)
    commit = _commit(Git(told.main), start)
    path = None if at is None else Path(os.path.realpath(at))
    added = add(where, stream, frame_of(store, frame), commit, told, path=path)
    if as_json:
        print_json(_added_shape(added))
    else:
        _print_added(added)
    return DONE


@command("list", "neighbor worktree list")
@json_option
def list_command(as_json: bool) -> int:
    """List the worktrees: whose, how old and large, what work is in them, who holds them."""
    where = place.here()
    store = where.open_store()
    branch = Rules.parse(store.rules_text()).export.branch
    told = settings(where)
    patterns = copy_in.patterns_of(told.main, told.copy)
    now_s = time.time()
    looks = [worktree_look.look(where, each, branch, patterns, now_s)
             for each in worktree.all_of(where.store)]  # fmt: skip
    if as_json:
        print_json({"worktrees": [each._asdict() for each in looks]})
    elif looks:
        _print_looks(looks)
    else:
        print("No worktree of ours: `neighbor worktree add NAME` makes one.")
    return DONE


@command("remove", "neighbor worktree remove stream-1")
@click.argument("stream")
@click.option("--discard", is_flag=True, help="Do not save its work; what goes is named.")
@json_option
def remove_command(stream: str, discard: bool, as_json: bool) -> int:
    """Take the worktree of STREAM away, with its branch.

    What is nowhere else is saved first, under refs/goodneighbor/rescue/STREAM: files that no
    commit holds, commits that no other ref has. Deltas that lie in it go into the log.
    """
    where = place.here()
    where.open_store()
    swept = sweep(where)
    report(swept)
    each = worktree.of_stream(where.store, stream)
    if each is None and any(gone.stream.lower() == stream.lower() for gone in swept.removed):
        return DONE
    if each is None:
        warn(f"Stream {stream!r} has no worktree.\n`neighbor worktree list` lists them.")
        return FOUND
    _refuse_held(where, each)
    removed = remove(where, each, discard=discard)
    if as_json:
        print_json(_removed_shape(removed))
    else:
        _print_removed(removed)
    return DONE


COMMAND.add_all(add_command, list_command, remove_command)


def _commit(git: Git, named: str | None) -> str:
    """Return the commit that a worktree starts at."""
    asked = (
        "rev-parse",
        "--verify",
        "--quiet",
        "--end-of-options",
        f"{named or 'HEAD'}^{{commit}}",
    )
    answer = git.call(*asked, ends=(0, 1, 128))
    if answer.exit_code == 0:
        return answer.line()
    if named is None:
        raise WorktreeRefused(
            "Not made: the repository has no commit yet, and a worktree begins at one.\n"
            "`neighbor init --commit` makes the first, or `git commit` does."
        )
    raise UsageInvalid(f"--from {named!r}: there is no such commit.")


def frame_of(store: Store, named: int | None) -> int:
    """Return the frame a worktree is for: named, the environment's, the open one, the next one."""
    if named is not None:
        return named
    told = os.environ.get("NEIGHBOR_FRAME", "")
    if told:
        if not told.isdigit() or int(told) > FRAME_MAX:
            raise UsageInvalid(f"NEIGHBOR_FRAME is {told!r}, which is no frame.")
        return int(told)
    status = store.status()
    if status.open:
        return status.open[-1].frame
    return 1 if status.closed is None else min(status.closed + 1, FRAME_MAX)


def _refuse_held(where: place.Place, each: Worktree) -> None:
    """Refuse to take away what a living process holds, or stands in."""
    held = worktree_look.held_by(where.store, each)
    if not each.is_pinned and held != "nobody":
        raise WorktreeHeld(each.path, held)
    there = [*stray.find([each.nonce]), *stray.inside(each.path)]
    if there:
        names = [f"{each.pid} ({stray.name_of(each)})" for each in dict.fromkeys(there)]
        raise WorktreeHeld(each.path, "process " + ", ".join(names[:PROCESSES_MAX]))


def _print_added(added: Added) -> None:
    made = added.worktree
    print(f"{made.path}")
    print(f"  on {made.branch}, at {made.start[:10]}")
    if added.copied.paths:
        names = ", ".join(added.copied.paths[:LISTED_MAX])
        more = len(added.copied.paths) - LISTED_MAX
        rest = f" and {more:,} more" if more > 0 else ""
        print(f"  copied in: {names}{rest} ({_size(added.copied.size)})")
    for path, reason in added.copied.left:
        warn(f"Not copied: {path}, {reason}.")


def _added_shape(added: Added) -> dict[str, object]:
    made = added.worktree
    return {
        "stream": made.stream,
        "frame": made.frame,
        "path": str(made.path),
        "branch": made.branch,
        "start": made.start,
        "copied": list(added.copied.paths),
        "copied_bytes": added.copied.size,
        "left": [{"path": path, "reason": reason} for path, reason in added.copied.left],
    }


def _print_looks(looks: list[Look]) -> None:
    headings = ("stream", "frame", "age", "size", "changed", "ahead", "behind", "unpushed",
                "processes", "held by", "path")  # fmt: skip
    rows = [
        (
            each.stream,
            each.frame,
            _age(each.age_s),
            _size(each.size),
            *("?" if count is None else count
              for count in (each.changed, each.ahead, each.behind, each.unpushed)),
            _pids(each.processes),
            each.held,
            each.path,
        )
        for each in looks
    ]  # fmt: skip
    print_rows(headings, rows)


def _print_removed(removed: Removed) -> None:
    gone, branch = removed.worktree.path, removed.worktree.branch
    if removed.is_branch_gone:
        print(f"removed: {gone}, with {branch}")
    else:
        print(f"removed: {gone}; {branch} stays, for it is checked out elsewhere")
    if removed.deltas:
        print(f"into the log: {counted(removed.deltas, 'delta')} that lay there")
    for ref in removed.rescued:
        print(f"saved: {ref}")
    if removed.rescued:
        print("`neighbor rescue list` lists what is saved.")
    for what in removed.discarded[:LISTED_MAX]:
        print(f"discarded: {what}")
    more = len(removed.discarded) - LISTED_MAX
    if more > 0:
        print(f"discarded: {more:,} more")


def _removed_shape(removed: Removed) -> dict[str, object]:
    return {
        "stream": removed.worktree.stream,
        "frame": removed.worktree.frame,
        "path": str(removed.worktree.path),
        "branch": removed.worktree.branch,
        "is_branch_gone": removed.is_branch_gone,
        "rescued": list(removed.rescued),
        "discarded": list(removed.discarded),
        "deltas": removed.deltas,
    }


def _pids(pids: list[int]) -> str:
    more = "..." if len(pids) > PROCESSES_MAX else ""
    return ",".join(map(str, pids[:PROCESSES_MAX])) + more or "-"


def _age(seconds: float) -> str:
    for unit, length_s in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length_s:
            return f"{int(seconds // length_s)}{unit}"
    return f"{int(seconds)}s"


def _size(size: float) -> str:
    for unit in _SIZES:
        if size < 1024 or unit == _SIZES[-1]:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError("the loop ends at the last unit")
