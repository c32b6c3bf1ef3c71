"""Judges a life of the worktree kills: nothing left over, nothing lost, nobody's work changed."""

from collections.abc import Sequence

from goodneighbor.cli import worktree

from . import worktree_world as worlds
from .commit_world import git
from .journal import Line
from .worktree_world import FILES, World


def judge(world: World, said: Sequence[Line], people: dict[str, str]) -> list[str]:
    """Return what is not as it must be after a kill and one `gc`."""
    found = [f"left over: {each}" for each in worlds.left_over(world)]
    found += [f"left running: {pid}" for pid in worlds.running_in(world)]
    found += _lost(world, said)
    now = worlds.people_of(world)
    found += [f"a person's changed: {name}" for name in people if now[name] != people[name]]
    found += _half_made(world)
    return found + _in_the_way(world)


def _lost(world: World, said: Sequence[Line]) -> list[str]:
    """Return what agents wrote and can be found nowhere."""
    wrote = [line.words[0] for line in said if line.kind == "wrote"]
    wrote += [f"busy: {what}" for what in ("committed", "untracked", "edited", "ignored")]
    wrote.append("tips: committed")
    saved = worlds.texts_saved(world)
    found = [f"lost: {text!r}" for text in wrote if text not in saved]
    for stream in ["busy", *(line.words[0] for line in said if line.kind == "delta")]:
        count = worlds.deltas_of(world, stream)
        found += [f"{count} deltas of {stream}, not 1"] if count != 1 else []
    return found


def _half_made(world: World) -> list[str]:
    """Return which pinned worktrees are not whole: a pin is given to whole ones alone."""
    found = []
    for each in worktree.all_of(world.store):
        files = len(list((each.path / "files").glob("*.txt")))
        copied = (each.path / "main.env").is_file()
        if each.is_pinned and (files != FILES or not copied):
            found.append(f"half made: {each.stream}, {files} files, copied: {copied}")
    if worktree.of_stream(world.store, worlds.KEPT) is None:
        found.append("the pinned worktree is gone")
    return found


def _in_the_way(world: World) -> list[str]:
    """Return what stops the same work from being done now, and what that leaves behind."""
    for each in worktree.all_of(world.store):
        if each.stream not in (worlds.KEPT, "busy", "tips"):
            world.remove(each.stream)
    for stream in ("new", "s1"):
        world.add(stream)
        world.remove(stream)
    world.gc()
    found = [f"left over at the end: {each}" for each in worlds.left_over(world)]
    if git(world.tree, "fsck", "--connectivity-only", ends=(0, 1, 2, 3)).startswith("broken"):
        found.append("git fsck finds broken links")
    return found
