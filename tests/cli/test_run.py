"""`neighbor run` on real git: streams come, work, are accounted for, and leave nothing behind."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from ..effort import EFFORT
from .running import (
    NEIGHBOR,
    POST,
    RULES,
    bodies,
    check_after,
    environment,
    git,
    left_over,
    make_site,
    run,
)

APPEND = f"echo '{POST % 1}' | neighbor append"
FRAME = 405


@pytest.fixture
def site(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The site, of which a run must leave nothing but its frame."""
    monkeypatch.delenv("NEIGHBOR_STORE", raising=False)
    yield make_site(repository)
    check_after(repository)


# Every way a stream can end: its command, the status it must get, and the reason of a fallback.
ENDINGS = {
    "reports": (APPEND, "reported", ""),
    "reports-twice": (f"{APPEND}; echo '{POST % 2}' | neighbor append", "reported", ""),
    "reports-and-fails": (f"echo '{POST % 3}' | neighbor append; exit 1", "reported", ""),
    "silent": ("exit 0", "fallback", "silent"),
    "exits-1": ("seq 30 >&2; exit 1", "fallback", "crashed"),
    "killed": ("kill -9 $$", "fallback", "crashed"),
    "kills-its-keeper": ("kill -9 $PPID; sleep 999", "fallback", "crashed"),
    "times-out": ("sleep 999", "fallback", "timeout"),
    "ignores-term": ("trap '' TERM; while :; do sleep 1; done", "fallback", "timeout"),
    "escapes": ("setsid sh -c 'trap \"\" TERM; sleep 999' & exit 0", "fallback", "silent"),
    "forks-away": ("(setsid sleep 999 >&- 2>&- &) ; exit 0", "fallback", "silent"),
    "not-there": ("no-such-command", "fallback", "crashed"),
    "closes-output": (f"exec >&- 2>&-; echo '{POST % 4}' | neighbor append", "reported", ""),
    "prints-bytes": ("printf '\\377\\376\\033[2J' >&2; exit 3", "fallback", "crashed"),
    "appends-garbage": ("echo '<<<<<<< Updated' | neighbor append", "fallback", "crashed"),
    "writes-garbage": ("echo '=======' >$NEIGHBOR_DELTAS/a.json", "fallback", "silent"),
    "half-a-file": ("printf '{\"posts' >state/stream_deltas/b.json", "fallback", "silent"),
    "another-frame": ("echo '{\"frame\": 404}' | neighbor append", "fallback", "silent"),
    "a-frame-to-come": ("echo '{\"frame\": 500}' | neighbor append", "fallback", "silent"),
    "own-folder": (f"echo '{POST % 5}' >$NEIGHBOR_DELTAS/a.json", "reported", ""),
    "in-worktree": (f"echo '{POST % 6}' >state/stream_deltas/c.json", "reported", ""),
    "in-main-tree": (
        'echo \'{"stream_id": "in-main-tree", "frame": 405}\' '
        ">$(git rev-parse --git-common-dir)/../state/stream_deltas/d.json",
        "reported",
        "",
    ),
    "no-worktree-any-more": ('rm -rf "$NEIGHBOR_WORKTREE"', "fallback", "silent"),
}


def test_each_way_a_stream_can_end_gives_one_status(site: Path) -> None:
    (site / "state" / "stream_deltas").mkdir(exist_ok=True)
    named = [word for name in ENDINGS for word in ("--stream", f"{name}={ENDINGS[name][0]}")]
    limits = ("--stagger", "0s", "--timeout", "3s", "--grace", "500ms")
    done = run(site, "run", "--frame", str(FRAME), *limits, *named, "--json", code=1)
    told = {name: (each["status"], each["reason"]) for name, each in done.streams().items()}
    assert told == {name: (status, reason) for name, (_, status, reason) in ENDINGS.items()}
    shown = run(site, "frame", "show", str(FRAME), "--json").json
    assert sorted(each["stream"] for each in shown["streams"]) == sorted(ENDINGS)
    assert shown["units_in"] == shown["applied"] + shown["duplicate"] + shown["skipped"]
    assert (shown["applied"], shown["duplicate"], shown["skipped"]) == (6, 1, 0)
    _fallbacks_say_why(site)


def _fallbacks_say_why(site: Path) -> None:
    (failed,) = bodies(site, "exits-1")
    meta = failed["_meta"]
    assert (meta["status"], meta["reason"], meta["exit_code"]) == ("fallback", "crashed", 1)
    assert meta["stderr"] == [str(number) for number in range(11, 31)]
    (odd,) = bodies(site, "prints-bytes")
    assert odd["_meta"]["stderr"] == ["\ufffd\ufffd\ufffd[2J"]
    (missing,) = bodies(site, "not-there")
    assert missing["_meta"]["exit_code"] == 127


def test_a_frame_becomes_a_commit_and_the_next_one_starts_there(site: Path) -> None:
    delta = json.dumps(POST % '"$NEIGHBOR_FRAME"')
    command = f"git rev-parse HEAD >&2; echo {delta} | neighbor append"
    done = run(site, "run", "--frames", "2", "--streams", "1", "--", "sh", "-c", command)
    first, second = git(site, "log", "-2", "--reverse", "--format=%H", "main").split()
    assert done.out.splitlines() == [
        "frame 405   1 stream: 1 reported",
        "            1 unit in = 1 applied + 0 duplicate + 0 skipped",
        f"            agents, channels, stats -> main {first[:10]}",
        "frame 406   1 stream: 1 reported",
        "            1 unit in = 1 applied + 0 duplicate + 0 skipped",
        f"            agents, channels, stats -> main {second[:10]}",
    ]
    log = (site / ".git/goodneighbor/logs/frame-406/stream-1.log").read_text("utf-8")
    assert log.splitlines()[0] == first
    assert git(site, "status", "--porcelain") == ""


def test_a_file_that_is_not_committed_is_seen_by_every_stream(site: Path) -> None:
    """The accident of frame 406: staged, unstaged, untracked, ignored."""
    (site / "state" / "staged.json").write_text("{}", encoding="utf-8")
    rules = RULES.replace('"notes/"', '"notes/", "state/staged.json"')
    (site / "neighbor.toml").write_text(rules, encoding="utf-8")
    git(site, "add", "state/staged.json")
    (site / "notes" / "plan.txt").write_text("edited\n", encoding="utf-8")
    (site / "notes" / "new.txt").write_text("new\n", encoding="utf-8")
    (site / "fleet.env").write_text("TOKEN=1\n", encoding="utf-8")
    names = "state/staged.json notes/plan.txt notes/new.txt fleet.env"
    command = f"cat {names} >&2 && {APPEND}"
    run(site, "run", "--streams", "3", "--stagger", "0s", "--", "sh", "-c", command)
    expected = "".join((site / name).read_text("utf-8") for name in names.split())
    for number in (1, 2, 3):
        log = site / f".git/goodneighbor/logs/frame-405/stream-{number}.log"
        assert log.read_text("utf-8").startswith(expected)
    assert "A  state/staged.json" in git(site, "status", "--porcelain")  # nobody's work is touched


def test_fifty_streams_lose_nothing_and_start_the_stagger_apart(
    site: Path, tell: Callable[[str], None]
) -> None:
    calls = 10 if EFFORT > 1 else 2  # of `neighbor append`, for ten deltas in all
    command = (
        f"for n in $(seq {calls}); do for m in $(seq {10 // calls}); do"
        ' echo "{\\"posts_created\\": [{\\"number\\": \\"$NEIGHBOR_STREAM-$n-$m\\"}]}";'
        " done | neighbor append; done"
    )
    words = ("--streams", "50", "--stagger", "200ms", "--json", "--", "sh", "-c", command)
    done = run(site, "run", *words)
    starts = sorted(stream["started_s"] for stream in done.streams().values())
    gaps_s = [later - earlier for earlier, later in pairwise(starts)]
    assert len(starts) == 50
    assert min(gaps_s) >= 0.2
    shown = run(site, "frame", "show", "405", "--json").json
    assert (shown["applied"], shown["duplicate"], shown["skipped"]) == (500, 0, 0)
    assert json.loads((site / "state" / "stats.json").read_bytes())["total_posts"] == 500
    tell(f"50 streams, 500 deltas: 0 lost; starts {min(gaps_s):.3f} s apart or more (asked: 0.2)")


def test_a_gigabyte_of_output_costs_neither_disk_nor_memory(site: Path) -> None:
    command = f"yes | head -c 1000000000; yes no | head -c 1000000 >&2; echo the end; {APPEND}"
    run(site, "run", "--streams", "1", "--", "sh", "-c", command)
    log = (site / ".git/goodneighbor/logs/frame-405/stream-1.log").read_bytes()
    assert len(log) < 2**24
    assert log.startswith(b"y\ny\n")
    assert b"bytes are left out here" in log
    assert b"the end" in log  # which of two pipes is read first near the end, nobody says


def test_no_more_run_at_once_than_asked_for(site: Path) -> None:
    command = f"echo >running.$$; sleep 0.2; {APPEND}"
    words = ("--streams", "5", "--stagger", "0s", "--max-parallel", "2", "--json")
    done = run(site, "run", *words, "--", "sh", "-c", command)
    spans = [(each["started_s"], each["ended_s"]) for each in done.streams().values()]
    for at_s, _ in spans:
        assert sum(start <= at_s < end for start, end in spans) <= 2


def test_a_run_can_stand_in_the_rules(site: Path) -> None:
    fleet_table = f"""
[runs.fleet]
stagger = "0s"
command = "exit 4"
[runs.fleet.stream]
alice = {json.dumps(APPEND)}
bob = ["sh", "-c", "exit 5"]
"""
    (site / "neighbor.toml").write_text(RULES + fleet_table, encoding="utf-8")
    done = run(site, "run", "fleet", "--json", code=1)
    told = {name: (each["status"], each["exit_code"]) for name, each in done.streams().items()}
    assert told == {"alice": ("reported", 0), "bob": ("fallback", 5)}
    done = run(site, "run", "fleet", "--stream", "carol", "--json", code=1)
    assert [(name, each["exit_code"]) for name, each in done.streams().items()] == [("carol", 4)]
    run(site, "run", "none", code=2)


def test_a_stream_whose_worktree_cannot_be_made_is_a_fallback(site: Path) -> None:
    taken = site.parent / "site.worktrees" / "stream-1"
    taken.mkdir(parents=True)
    words = ("--streams", "2", "--stagger", "0s", "--json", "--", "sh", "-c", APPEND)
    done = run(site, "run", *words, code=1)
    told = {name: (each["status"], each["reason"]) for name, each in done.streams().items()}
    assert told == {"stream-1": ("fallback", "crashed"), "stream-2": ("reported", "")}
    assert "exists, and is no worktree of ours" in done.err
    taken.rmdir()
    taken.parent.rmdir()


def test_one_run_at_a_time(site: Path) -> None:
    command = f"until [ -e {site.parent}/go ]; do sleep 0.1; done; {APPEND}"
    words = [*NEIGHBOR, "run", "--streams", "1", "--", "sh", "-c", command]
    with subprocess.Popen(
        words, cwd=site, env=environment(), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as first:
        assert first.stderr is not None
        first.stderr.readline()  # its frame is open
        second = run(site, "run", "--streams", "1", "--", "true", code=5)
        assert f"at work in this repository (process {first.pid})" in second.err
        (site.parent / "go").touch()
        first.stderr.read()
    assert first.returncode == 0


def test_without_a_commit_there_is_nothing_to_start_from(repository: Path) -> None:
    (repository / "state").mkdir()
    (repository / "state" / "stats.json").write_text("{}", encoding="utf-8")
    run(repository, "init")
    assert "has no commit yet" in run(repository, "run", "--streams", "1", "--", "x", code=3).err
    assert left_over(repository) == []


# Prints how many of the supervisor's children are zombies: it is the keeper's parent.
ZOMBIES = """\
import os, pathlib
def fields(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
supervisor = fields(os.getppid())[1]
pids = [each.name for each in pathlib.Path("/proc").glob("[0-9]*")]
seen = [fields(pid) for pid in pids if os.path.exists(f"/proc/{pid}/stat")]
print("zombies", sum(each[:2] == ["Z", supervisor] for each in seen))
"""


def test_a_long_run_gathers_no_zombies(site: Path, tmp_path: Path) -> None:
    """Whoever deletes in the background ends as the run's child."""
    (tmp_path / "zombies.py").write_text(ZOMBIES, encoding="utf-8")
    words = ("--frames", "4", "--streams", "1", "--", sys.executable, str(tmp_path / "zombies.py"))
    run(site, "run", *words, code=1)
    log = (site / ".git/goodneighbor/logs/frame-408/stream-1.log").read_text("utf-8")
    assert log in ("zombies 0\n", "zombies 1\n")  # the last one may just have ended


def test_work_that_a_stream_did_not_hand_in_is_kept_under_a_ref(site: Path) -> None:
    command = f"echo half a thought >thought.txt; {APPEND}"
    done = run(site, "run", "--streams", "1", "--json", "--", "sh", "-c", command)
    (ref,) = done.streams()["stream-1"]["rescued"]
    assert git(site, "show", f"{ref}:thought.txt") == "half a thought\n"


NOT_RUN = (
    (("--streams", "0", "--", "true"), "0 is not in the range"),
    (("--streams", "2"), "nothing says what stream"),
    (("--", "true"), "say how many streams"),
    (("--stream", "a", "--stream", "A", "--", "true"), "differ by case alone"),
    (("--stream", "a=x", "--stream", "a=y"), "twice"),
    (("--stream", "../a", "--", "true"), "stream_id"),
    (("--stream", "-a", "--", "true"), "stream_id"),
    (("--stream", "a\nb", "--", "true"), "stream_id"),
    (("--stream", "a" * 65, "--", "true"), "stream_id"),
    (("--stream", "git", "--", "true"), "the store's own"),
    (("--stream", "a= "), "what it runs"),
    (("--streams", "2", "--timeout", "soon", "--", "true"), "no duration"),
)


def test_what_cannot_be_run_is_usage(site: Path) -> None:
    for words, said in NOT_RUN:
        assert said in run(site, "run", *words, code=2).err
