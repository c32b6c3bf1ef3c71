"""What a dead process leaves is found and swept, and what anybody holds is not touched (rule 2)."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from goodneighbor.cli import lease, stray, sweep, trash
from goodneighbor.cli.lease import FOLDER, Lease, process
from goodneighbor.cli.place import find

from .. import fleet
from .commit_site import git
from .conftest import Neighbor
from .worktree_site import left_over, path_of, rescued, settled, store_folder, take_in, worktrees

# A supervisor: takes a lease, makes a worktree, starts what it is told there, says so, and waits.
SUPERVISOR = """if True:
    import os, subprocess, sys, time
    from pathlib import Path
    from goodneighbor.cli import place
    from goodneighbor.cli.git import Git
    from goodneighbor.cli.lease import Lease
    from goodneighbor.cli.worktree_add import add
    from goodneighbor.cli.worktree_settings import settings
    where = place.here()
    lease = Lease(where.store / "leases", "run-1").take()
    told = settings(where)
    head = Git(told.main).head()
    made = [add(where, name, 1, head, told, lease=lease).worktree for name in sys.argv[2:]]
    environment = {**os.environ, "NEIGHBOR_LEASE": lease.nonce}
    for each in made:
        subprocess.Popen(["sh", "-c", sys.argv[1]], cwd=each.path, env=environment,
                         stdout=subprocess.DEVNULL, start_new_session=True)
    print("started", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def repo(site: Path, neighbor: Neighbor) -> Path:
    take_in(site, neighbor, fleet.RULES)
    return site


@pytest.fixture
def supervisor(repo: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start supervisors that are killed when the test is over, if not before."""
    started: list[subprocess.Popen[str]] = []

    def start(command: str, *streams: str) -> subprocess.Popen[str]:
        words = [sys.executable, "-c", SUPERVISOR, command, *streams]
        begun = subprocess.Popen(words, cwd=repo, stdout=subprocess.PIPE, text=True)
        started.append(begun)
        assert begun.stdout is not None
        assert begun.stdout.readline() == "started\n"
        return begun

    yield start
    for each in started:
        each.kill()
        each.wait()
        assert each.stdout is not None
        each.stdout.close()


def kill(running: subprocess.Popen[str]) -> None:
    running.kill()
    running.wait()


def pid_in(file: Path) -> int:
    """Wait until a process has written its pid into a file; return it."""
    deadline_s = time.monotonic() + 30
    while not (file.is_file() and file.read_text().endswith("\n")):
        assert time.monotonic() < deadline_s, f"nobody wrote {file}"
        time.sleep(0.02)
    return int(file.read_text())


def test_a_killed_supervisor_leaves_nothing_behind(
    repo: Path, neighbor: Neighbor, supervisor: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    running = supervisor(f"echo $$ > {tmp_path}/$(basename $PWD); echo work > work.txt; sleep 600",
                         "ada", "bob")  # fmt: skip
    pids = [pid_in(tmp_path / name) for name in ("ada", "bob")]
    assert "Nothing to sweep" in neighbor("gc").text
    kill(running)
    swept = neighbor("gc", "--json").json
    assert [each["stream"] for each in swept["worktrees"]] == ["ada", "bob"]
    assert set(pids) <= {each["pid"] for each in swept["ended"]}
    assert [process(pid) for pid in pids] == [None, None]
    assert left_over(repo) == []
    for ref in rescued(repo):
        assert git(repo, "show", f"{ref}:work.txt") == "work\n"
    assert len(rescued(repo)) == 2


def test_two_that_sweep_at_once_sweep_once(
    repo: Path, supervisor: Callable[..., subprocess.Popen[str]]
) -> None:
    running = supervisor("echo work > work.txt; sleep 600", "ada", "bob")
    kill(running)
    command = [sys.executable, "-m", "goodneighbor.cli", "gc"]
    sweeping = [subprocess.Popen(command, cwd=repo, stdout=subprocess.DEVNULL) for _ in range(3)]
    assert [each.wait() for each in sweeping] == [0, 0, 0]
    assert settled(repo) == []


def test_a_dry_run_tells_the_same_and_touches_nothing(
    repo: Path, neighbor: Neighbor, supervisor: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    running = supervisor(f"echo $$ > {tmp_path}/pid; sleep 600", "ada")
    pid = pid_in(tmp_path / "pid")
    kill(running)
    before = left_over(repo)
    told = neighbor("gc", "--dry-run", "--json").json
    assert left_over(repo) == before
    assert process(pid) is not None
    swept = neighbor("gc", "--json").json
    assert {**told, "dry_run": False, "trash": 0} == {**swept, "trash": 0}


def test_a_stray_that_ignores_term_and_one_that_hides_are_ended(
    repo: Path, neighbor: Neighbor, supervisor: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    """The second has no word of ours in its environment; its parent has."""
    stubborn = f"trap '' TERM; env -i /bin/sh -c 'echo $$ > {tmp_path}/child; exec sleep 600' & "
    running = supervisor(
        f"{stubborn} echo $$ > {tmp_path}/parent; while :; do sleep 1; done", "ada"
    )
    pids = [pid_in(tmp_path / name) for name in ("parent", "child")]
    kill(running)
    neighbor("gc")
    assert [process(pid) for pid in pids] == [None, None]


def test_a_stray_that_asks_for_gc_is_answered(
    repo: Path, supervisor: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    """It would otherwise end itself before it has swept."""
    ask = f"while [ ! -e {tmp_path}/go ]; do sleep 0.1; done; cd {repo}; "
    ask += (
        f"{sys.executable} -m goodneighbor.cli gc > {tmp_path}/said 2>&1; echo $? > {tmp_path}/code"
    )
    running = supervisor(ask, "ada")
    kill(running)
    (tmp_path / "go").touch()
    assert pid_in(tmp_path / "code") == 0
    assert "swept: worktree" in (tmp_path / "said").read_text()
    assert settled(repo) == []


def test_starting_work_sweeps_first(
    repo: Path, neighbor: Neighbor, supervisor: Callable[..., subprocess.Popen[str]]
) -> None:
    for starting in ("worktree", "add", "bob"), ("frame", "open", "7"), ("frame", "close", "7"):
        running = supervisor("true", "ada")
        kill(running)
        assert "swept: worktree" in neighbor(*starting).err
        assert [each.stream for each in worktrees(repo)] == ["bob"]


def test_a_killed_add_is_swept_and_a_pinned_worktree_is_not(repo: Path, neighbor: Neighbor) -> None:
    neighbor("worktree", "add", "pinned")
    go_on = "import time; print('here', flush=True); time.sleep(600)"
    setup = f'{sys.executable} -c "{go_on}" > {repo.parent}/said'
    words = [sys.executable, "-m", "goodneighbor.cli", "worktree", "add", "ada", "--setup", setup]
    adding = subprocess.Popen(words, cwd=repo)
    deadline_s = time.monotonic() + 30
    while not (repo.parent / "said").is_file() or not (repo.parent / "said").read_text():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    assert "Nothing to sweep" in neighbor("gc").text
    adding.kill()
    adding.wait()
    swept = neighbor("gc", "--json").json
    assert [each["stream"] for each in swept["worktrees"]] == ["ada"]
    assert len(swept["ended"]) == 2  # the shell of the setup, and what it started
    assert [each.stream for each in worktrees(repo)] == ["pinned"]
    neighbor("worktree", "remove", "pinned")
    assert settled(repo) == []


def test_what_cannot_be_saved_stays_and_says_why(
    repo: Path, neighbor: Neighbor, supervisor: Callable[..., subprocess.Popen[str]]
) -> None:
    running = supervisor("true", "ada", "bob")
    inside = path_of(repo, "ada") / "inside"
    git(repo, "init", "-q", str(inside))
    git(inside, "commit", "-q", "--allow-empty", "-m", "Nowhere else")
    kill(running)
    result = neighbor("gc", code=3)
    assert "inside is a repository of its own" in result.text
    assert [each.stream for each in worktrees(repo)] == ["ada"]
    assert lease.dead(store_folder(repo) / FOLDER), "by its nonce what runs there is found"
    neighbor("worktree", "remove", "ada", "--discard")
    neighbor("gc")
    assert settled(repo) == []


def test_branches_of_closed_frames_go_with_their_commits_saved(
    repo: Path, neighbor: Neighbor
) -> None:
    neighbor("frame", "open", "3")
    neighbor("frame", "close", "3")
    for name in ("dc/a/frame-3", "dc/b/frame-3", "dc/a/frame-4", "feature", "dc/notes"):
        git(repo, "branch", name)
    git(repo, "worktree", "add", "-q", str(repo.parent / "hand"), "dc/a/frame-3")
    tree = git(repo, "rev-parse", "HEAD^{tree}").strip()
    work = git(repo, "commit-tree", "-m", "Work", "-p", "HEAD", tree).strip()
    git(repo, "update-ref", "refs/heads/dc/b/frame-3", work)
    assert neighbor("gc", "--json").json["branches"] == ["dc/b/frame-3"]
    (ref,) = rescued(repo)
    assert ref.startswith("refs/goodneighbor/rescue/b/")
    assert git(repo, "rev-parse", ref).strip() == work
    left = git(repo, "branch", "--format=%(refname:short)").split()
    assert left == ["dc/a/frame-3", "dc/a/frame-4", "dc/notes", "feature", "main"]


def test_what_is_a_persons_is_not_touched(repo: Path, neighbor: Neighbor) -> None:
    hand = repo.parent / "hand"
    git(repo, "worktree", "add", "-q", "-b", "dc/hand/frame-1", str(hand))
    git(repo, "worktree", "lock", "--reason", "initializing", str(hand))
    half = repo / ".git" / "worktrees" / "half"
    half.mkdir()
    (half / "locked").write_text("initializing")
    (repo / ".git" / "index.lock").write_text("")
    before = git(repo, "worktree", "list")
    assert "Nothing to sweep" in neighbor("gc").text
    assert git(repo, "worktree", "list") == before
    assert (half / "locked").is_file()
    assert (repo / ".git" / "index.lock").is_file()


def test_half_a_lease_and_half_a_record_go(repo: Path, neighbor: Neighbor) -> None:
    folder = store_folder(repo)
    for name in ("leases/run-1-00.new", "intents/worktree-00.new"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("half")
    assert len(neighbor("gc", "--json").json["files"]) == 2
    assert left_over(repo) == []


def test_a_lease_is_taken_while_others_sweep(tmp_path: Path) -> None:
    """A sweep may take the half-made file of a living process away: it makes it again."""
    folder = tmp_path / FOLDER
    folder.mkdir()
    script = f"""if True:
        from pathlib import Path
        from goodneighbor.cli import lease
        folder = Path({str(folder)!r})
        print("ready", flush=True)
        while (folder / "go-on").exists():
            for file in lease.half_made(folder):
                lease.sweep_half_made(file)
    """
    (folder / "go-on").touch()
    sweeping = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert sweeping.stdout is not None
    with sweeping, sweeping.stdout:
        sweeping.stdout.readline()
        for _ in range(300):
            with Lease(folder, "run"):
                assert len(lease.living(folder)) == 1
        (folder / "go-on").unlink()
    assert list(folder.iterdir()) == []


def test_the_trash_is_emptied_whatever_is_in_it(repo: Path) -> None:
    store = store_folder(repo)
    (store / "trash" / "tree" / "read-only").mkdir(parents=True)
    (store / "trash" / "tree" / "read-only" / "file").touch()
    (store / "trash" / "tree" / "read-only").chmod(0o500)
    (store / "trash" / "link").symlink_to(repo)
    assert trash.empty(store) == []
    assert not (store / "trash").exists()
    assert (repo / "README.md").is_file()


def test_nothing_to_sweep_costs_no_git(
    repo: Path, neighbor: Neighbor, monkeypatch: pytest.MonkeyPatch
) -> None:
    neighbor("worktree", "add", "ada")
    monkeypatch.setenv("PATH", "/nowhere")
    assert sweep.sweep(find(str(repo))).is_nothing


def test_a_pid_that_came_again_is_not_ended() -> None:
    sleeping = subprocess.Popen(["sleep", "60"])
    try:
        found = process(sleeping.pid)
        assert found is not None
        other = lease.Process(found.boot, found.pid, str(int(found.start) - 1))
        assert stray.end([other], 0.1) == []
        assert sleeping.poll() is None
        assert stray.end([found]) == []
        assert sleeping.wait() == -signal.SIGTERM
    finally:
        sleeping.kill()
        sleeping.wait()


def test_we_are_no_stray_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {**os.environ, "NEIGHBOR_LEASE": "feedface"}
    script = (
        "from goodneighbor.cli import stray; print([each.pid for each in stray.find(['feedface'])])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
