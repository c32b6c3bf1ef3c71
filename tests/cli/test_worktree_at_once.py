"""Twenty `neighbor worktree add` at once in 5,000 files, while git fetches and gc sweeps.

Plain git fails there: of 20 simultaneous `git worktree add` up to 14, and some leave their branch.
"""

import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL

import pytest
from goodneighbor.cli.place import find
from goodneighbor.cli.worktree_remove import remove

from .. import fleet
from ..effort import EFFORT
from .commit_site import git
from .conftest import Neighbor
from .worktree_site import path_of, rescued, settled, take_in, worktrees

FILES, FOLDERS = 5_000, 50
AT_ONCE = 20
ROOM_BYTES = 2 * 2**30
PAUSE_S = 0.5  # between two fetches, and two sweeps
ROUNDS = 3 if EFFORT <= 1 else 50
COMMAND = [sys.executable, "-m", "goodneighbor.cli"]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory where there is room for 20 checkouts: what counts are the locks."""
    memory = Path("/dev/shm")
    is_roomy = memory.is_dir() and shutil.disk_usage(memory).free > ROOM_BYTES
    with tempfile.TemporaryDirectory(dir=memory if is_roomy else None) as made:
        yield Path(made).resolve()


@pytest.fixture
def large(folder: Path, site: Path, neighbor: Neighbor, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The site with 5,000 files, and a remote beside it."""
    large = Path(shutil.move(site, folder / "site"))
    monkeypatch.chdir(large)
    for part in range(FOLDERS):
        (large / "files" / str(part)).mkdir(parents=True)
        for number in range(FILES // FOLDERS):
            (large / "files" / str(part) / f"{number}.txt").write_text(f"{part} {number}\n")
    take_in(large, neighbor, fleet.RULES)
    git(large, "clone", "-q", "--bare", str(large), str(folder / "remote"))
    git(large, "remote", "add", "origin", str(folder / "remote"))
    (large / "state" / "assignments.json").write_text("{}")
    return large


@contextmanager
def again_and_again(act: Callable[[int], None]) -> Iterator[list[int]]:
    """Do something over and over in a thread; gives how often, and raises what it raised."""
    done, stop, raised = [0], threading.Event(), []

    def loop() -> None:
        try:
            while not stop.wait(PAUSE_S):
                act(done[0])
                done[0] += 1
        except AssertionError as error:
            raised.append(error)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield done
    finally:
        stop.set()
        thread.join()
    assert not raised, raised[0]


def run(*words: str, folder: Path) -> str:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_twenty_at_once_all_succeed(large: Path, folder: Path, tell: Callable[[str], None]) -> None:
    remote = folder / "remote"

    def fetch(count: int) -> None:
        tree = git(remote, "rev-parse", "main^{tree}").strip()
        new = git(remote, "commit-tree", "-p", "main", "-m", f"commit {count}", tree).strip()
        git(remote, "update-ref", "refs/heads/main", new)
        run("git", "fetch", "-q", "origin", folder=large)

    def sweep(_count: int) -> None:
        run(*COMMAND, "gc", folder=large)

    streams = [f"stream-{number}" for number in range(AT_ONCE)]
    with again_and_again(fetch) as fetched, again_and_again(sweep) as swept:
        for number in range(ROUNDS):
            _round(large, streams, is_first=number == 0)
    assert settled(large) == rescued(large) == []
    tell(f"{ROUNDS} rounds of {AT_ONCE}: all made; {fetched[0]} fetches, {swept[0]} gcs meanwhile")


def _round(large: Path, streams: list[str], *, is_first: bool) -> None:
    """Add a worktree for each at once, look at them, take them away; the first time at once."""
    adding = [
        subprocess.Popen(
            [*COMMAND, "worktree", "add", stream], cwd=large, stdout=DEVNULL,
            stderr=subprocess.PIPE, text=True,
        )
        for stream in streams
    ]  # fmt: skip
    said = [each.communicate()[1] for each in adding]
    assert [each.returncode for each in adding] == [0] * len(streams), said
    assert len(worktrees(large)) == len(streams)
    for stream in streams:
        tree = path_of(large, stream)
        assert sum(1 for _ in tree.glob("files/*/*.txt")) == FILES
        assert (tree / "state" / "assignments.json").is_file()
    if is_first:
        removing = [
            subprocess.Popen([*COMMAND, "worktree", "remove", stream], cwd=large, stdout=DEVNULL)
            for stream in streams
        ]
        assert [each.wait() for each in removing] == [0] * len(streams)
    for each in worktrees(large):
        remove(find(str(large)), each)
    assert worktrees(large) == []
    assert git(large, "branch", "--list", "dc/*") == ""
