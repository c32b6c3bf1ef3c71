"""`neighbor rescue`: the work that was saved before something took its place, and back again."""

from dataclasses import replace
from pathlib import Path

import click

from ..store.delta import FRAME_MAX
from . import place, rescued, worktree
from .answer import counted, print_bytes, print_json, print_rows, warn
from .command import Noun, command, json_option
from .errors import WorktreeRefused
from .exits import DONE, FOUND
from .git import Git
from .quarantine import moment
from .rescued import Rescued
from .sweep import report, sweep
from .worktree_add import add
from .worktree_command import frame_of
from .worktree_remove import remove
from .worktree_settings import settings

name_argument = click.argument("name")


@click.group("rescue", cls=Noun)
def COMMAND() -> None:
    """Look at work that was saved under refs/goodneighbor/rescue, and get it back.

    A worktree's before it was swept or removed, a person's edits before an export wrote there.
    """


@command("list", "neighbor rescue list")
@json_option
def list_command(as_json: bool) -> int:
    """List what is saved, oldest first."""
    git = Git(Path(place.here().common))
    found = rescued.all_of(git)
    if as_json:
        print_json({"rescued": [_shape(git, each) for each in found]})
    elif found:
        rows = [
            (each.name, moment(each.saved_s * 1_000_000), _what(git, each), each.subject)
            for each in found
        ]
        print_rows(("name", "saved", "what", "on top of"), rows)
        print("\n`neighbor rescue show NAME` prints it, `... restore NAME` makes a worktree of it.")
    else:
        print("Nothing is saved: nothing had to be.")
    return DONE


@command("show", "neighbor rescue show stream-1/20260328T030000Z-1a2b")
@name_argument
@json_option
def show_command(name: str, as_json: bool) -> int:
    """Print what NAME holds: its files as a patch, or its commits."""
    git = Git(Path(place.here().common))
    each = rescued.find(git, name)
    if each is None:
        return _absent(name)
    if as_json:
        print_json(_shape(git, each))
    elif each.has_files:
        base = each.base or git.empty_tree()
        print_bytes(git.call("diff-tree", "-p", "--stat", "-r", base, each.commit).stdout)
    else:
        print_bytes(git.call("log", "--stat", "-20", "--end-of-options", each.commit).stdout)
    return DONE


@command(
    "restore",
    "neighbor rescue restore stream-1/20260328T030000Z-1a2b",
    "neighbor rescue restore stream-1/20260328T030000Z-1a2b --as ada",
)
@name_argument
@click.option("--as", "stream", metavar="STREAM", help="Whose worktree it becomes; else its own.")
@click.option("--frame", type=click.IntRange(0, FRAME_MAX), help="The frame; else the open one.")
@json_option
def restore_command(name: str, stream: str | None, frame: int | None, as_json: bool) -> int:
    """Bring NAME back as a worktree: the commit it lay on, its files, what was staged of them.

    Nothing that lies in any tree is touched, and the ref stays until `neighbor rescue drop`.
    """
    where = place.here()
    store = where.open_store()
    report(sweep(where))
    git = Git(Path(where.common))
    each = rescued.find(git, name)
    if each is None:
        return _absent(name)
    if each.base is None:
        raise WorktreeRefused(
            f"Not restored: {name} was saved before the first commit, and a worktree begins at "
            f"one.\n`neighbor rescue show {name}` prints it."
        )
    told = replace(settings(where), copy=(), sparse=(), setup=None)
    added = add(where, stream or each.stream, frame_of(store, frame), each.base, told)
    made = added.worktree
    admin = worktree.admin_folder(Path(where.common), made)
    assert admin is not None, f"git has just made a folder for {made.path}"
    try:
        rescued.put_back(worktree.git_of(admin, made), each)
    except BaseException:
        remove(where, made, discard=True)
        raise
    if as_json:
        print_json({"name": each.name, "path": str(made.path), "branch": made.branch})
    else:
        print(f"{made.path}\n  on {made.branch}, with {_what(git, each)}")
        print(f"`neighbor rescue drop {each.name}` forgets what was saved.")
    return DONE


@command("drop", "neighbor rescue drop stream-1/20260328T030000Z-1a2b")
@name_argument
@json_option
def drop_command(name: str, as_json: bool) -> int:
    """Forget NAME. git keeps the commit for some weeks, and its id is printed."""
    git = Git(Path(place.here().common))
    each = rescued.find(git, name)
    if each is None or not rescued.drop(git, each):
        return _absent(name)
    if as_json:
        print_json({"name": each.name, "commit": each.commit})
    else:
        print(f"dropped: {each.name} (`git branch NAME {each.commit[:12]}` takes it back)")
    return DONE


COMMAND.add_all(list_command, show_command, restore_command, drop_command)


def _what(git: Git, each: Rescued) -> str:
    return counted(len(rescued.paths_of(git, each)), "file") if each.has_files else "commits"


def _shape(git: Git, each: Rescued) -> dict[str, object]:
    return {
        "name": each.name,
        "ref": each.ref,
        "stream": each.stream,
        "commit": each.commit,
        "base": each.base,
        "saved": moment(each.saved_s * 1_000_000),
        "paths": rescued.paths_of(git, each),
        "has_files": each.has_files,
    }


def _absent(name: str) -> int:
    warn(f"Nothing is saved under {name!r}.\n`neighbor rescue list` lists what is.")
    return FOUND
