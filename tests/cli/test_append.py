"""`neighbor append`: what becomes a delta, what is completed, what is refused, what it loads."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from goodneighbor.cli.append import TAKES_VALUE
from goodneighbor.cli.append_command import COMMAND

from .. import fleet
from .conftest import Neighbor

HEAVY = (
    "click",
    "sqlalchemy",
    "msgspec",
    "rich",
    "alembic",
    "sqlite3",
    "json",
    "pathlib",
    "typing",
)


def test_a_delta_is_completed_and_sending_it_again_is_the_same_event(
    taken_in: Path, neighbor: Neighbor
) -> None:
    first = neighbor("append", "--frame", "1", "--stream", "s1", "--json", stdin=b'{"x": []}').json
    (appended,) = first["appended"]
    delta = appended["delta"]
    assert (delta["frame"], delta["stream_id"], delta["x"]) == (1, "s1", [])
    assert delta["utc"].endswith("Z")
    again = neighbor("append", "--json", stdin=json.dumps(delta).encode()).json
    assert again["appended"][0]["id"] == appended["id"]
    drained = neighbor("drain", "--json").json
    assert (drained["events"], drained["copies"]) == (1, 1)


def test_what_a_delta_says_itself_is_never_changed(taken_in: Path, neighbor: Neighbor) -> None:
    sent = fleet.delta(7, "own", fleet.post(1, "ada"))
    answer = neighbor("append", "--frame", "1", "--stream", "s1", "--json", stdin=sent).json
    assert answer["appended"][0]["delta"] == json.loads(sent)


def test_frame_and_stream_come_from_the_environment(
    taken_in: Path, neighbor: Neighbor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEIGHBOR_FRAME", "12")
    monkeypatch.setenv("NEIGHBOR_STREAM", "stream-9")
    (appended,) = neighbor("append", "--json", stdin=b"{}").json["appended"]
    assert (appended["frame"], appended["stream"]) == (12, "stream-9")


def test_an_option_goes_before_the_environment(
    taken_in: Path, neighbor: Neighbor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEIGHBOR_FRAME", "twelve")
    (appended,) = neighbor("append", "--frame=3", "--stream=s", "--json", stdin=b"{}").json[
        "appended"
    ]
    assert appended["frame"] == 3
    result = neighbor("append", "--stream", "s", stdin=b"{}", code=2)
    assert "NEIGHBOR_FRAME is 'twelve'" in result.err


def test_ingest_templates_fill_what_is_left_open(site: Path, neighbor: Neighbor) -> None:
    rules = fleet.RULES + '\n[ingest]\nstream = "{agent_id}"\nframe = "{meta.tick}"\n'
    (site / "neighbor.toml").write_text(rules)
    neighbor("init")
    sent = b'{"agent_id": "zion-1", "meta": {"tick": 6}}'
    (appended,) = neighbor("append", "--json", stdin=sent).json["appended"]
    assert (appended["frame"], appended["stream"]) == (6, "zion-1")
    assert "agent_id" in appended["delta"]


def test_an_array_a_line_each_and_a_file_are_taken(taken_in: Path, neighbor: Neighbor) -> None:
    deltas = [fleet.delta(1, "s1", minute=minute) for minute in range(4)]
    array = b"[" + b",\n".join(deltas) + b"]"
    assert len(neighbor("append", "--json", stdin=array).json["appended"]) == 4
    (taken_in / "lines.ndjson").write_bytes(b"\n".join(deltas) + b"\n")
    assert len(neighbor("append", "lines.ndjson", "--json").json["appended"]) == 4
    drained = neighbor("drain", "--json").json
    assert (drained["events"], drained["copies"]) == (4, 4)


def test_times_that_are_filled_in_increase(taken_in: Path, neighbor: Neighbor) -> None:
    answer = neighbor("append", "--frame", "1", "--stream", "s", "--json", stdin=b"[{},{},{}]").json
    times = [each["delta"]["utc"] for each in answer["appended"]]
    assert len(set(times)) == 3
    assert len({each["id"] for each in answer["appended"]}) == 3


def test_an_operation_is_a_delta_of_its_own(taken_in: Path, neighbor: Neighbor) -> None:
    operation = ("--op", "inc /agents/ada/karma 2")
    neighbor("append", "--frame", "1", "--stream", "s1", *operation, *operation)
    neighbor("frame", "close", "1")
    assert neighbor("show", "/agents/ada/karma").out == b"4\n"


def test_one_bad_line_costs_only_itself(taken_in: Path, neighbor: Neighbor) -> None:
    lines = b"\n".join([fleet.delta(1, "s1"), b'{"frame": 1,', fleet.delta(1, "s2")])
    result = neighbor("append", "--json", stdin=lines, code=3)
    assert len(result.json["appended"]) == 2
    (rejected,) = result.json["rejected"]
    assert rejected["reason"] == "ends early"
    assert "neighbor quarantine list" in result.err
    assert neighbor("drain", "--json", code=1).json["events"] == 2
    (kept,) = neighbor("quarantine", "list", "--json").json["quarantine"]
    assert neighbor("quarantine", "show", str(kept["id"])).out == b'{"frame": 1,'


def test_nothing_to_append_is_said(taken_in: Path, neighbor: Neighbor) -> None:
    assert "is empty" in neighbor("append", stdin=b" \n", code=2).err
    assert "no delta" in neighbor("append", stdin=b"[]").text


def test_many_deltas_are_not_all_listed(taken_in: Path, neighbor: Neighbor) -> None:
    lines = b"\n".join(fleet.delta(1, "s", fleet.post(n, "ada")) for n in range(30))
    assert "and 10 more" in neighbor("append", stdin=lines).text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--fraim", "1"), "no option --fraim"),
        (("--frame",), "--frame needs a value"),
        (("--frame", "-1"), "--frame is '-1'"),
        (("--frame", "405.0"), "--frame is '405.0'"),
        (("--frame", str(2**64 - 1)), "must be an integer from 0 to 2147483647"),
        (("--json=1",), "--json takes no value"),
        (("a.json", "b.json"), "append takes one FILE"),
        (("a.json", "--op", "inc /a/b 1"), "not both"),
        (("--op", "inc"), "after 'inc' comes a path"),
    ],
)
def test_wrong_usage_is_said_and_keeps_nothing(
    taken_in: Path, neighbor: Neighbor, words: tuple[str, ...], said: str
) -> None:
    assert said in neighbor("append", *words, code=2).err
    assert neighbor("drain", "--json").json["events"] == 0


def test_a_file_that_is_not_there_is_refused_with_its_name(
    taken_in: Path, neighbor: Neighbor
) -> None:
    assert (
        "nothing.json cannot be read: No such file"
        in neighbor("append", "nothing.json", code=3).err
    )
    assert "cannot be read: Is a directory" in neighbor("append", "state", code=3).err


def test_a_delta_as_an_argument_is_told_where_it_belongs(
    taken_in: Path, neighbor: Neighbor
) -> None:
    said = neighbor("append", '{"frame":1,"stream_id":"s"}', code=3).err
    assert "comes by standard input" in said
    assert "Errno" not in said


def test_a_file_may_be_named_like_an_option(taken_in: Path, neighbor: Neighbor) -> None:
    (taken_in / "--frame").write_bytes(fleet.delta(1, "s1"))
    neighbor("append", "--", "--frame")


def test_append_works_from_a_linked_worktree(
    taken_in: Path, neighbor: Neighbor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    side = tmp_path / "side"
    subprocess.run(["git", "worktree", "add", "-q", "-b", "side", side], check=True, cwd=taken_in)
    monkeypatch.chdir(side)
    neighbor("append", stdin=fleet.delta(1, "s1"))
    assert neighbor("drain", "--json").json["events"] == 1


def test_click_and_the_hand_know_the_same_options() -> None:
    declared = {
        option: not getattr(parameter, "is_flag", False)
        for parameter in COMMAND.params
        for option in parameter.opts
        if option.startswith("--")
    }
    assert declared == TAKES_VALUE


def test_append_loads_nothing_heavy(taken_in: Path) -> None:
    """A delta costs a stream little more than a Python start (the imports say so)."""
    program = (
        "import sys; from goodneighbor.cli.__main__ import main; "
        "code = main(['append', '--frame', '1', '--stream', 's']); "
        "print(*sys.modules, file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=b"{}", capture_output=True, check=True
    )
    # An editable install loads modules of its own at every start.
    idle = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules, file=sys.stderr)"],
        capture_output=True,
        check=True,
    )
    loaded = set(done.stderr.decode().split()) - set(idle.stderr.decode().split())
    assert not loaded & set(HEAVY)


@pytest.fixture
def sandboxed(taken_in: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The site as a stream in a sandbox sees it: a mailbox that nobody can write, not even root."""
    mailbox = taken_in / ".git" / "goodneighbor" / "mailbox"
    kept = mailbox.rename(tmp_path / "mailbox")
    mailbox.symlink_to("/proc/self" if Path("/proc/self").exists() else "/dev")
    deltas = tmp_path / "deltas"
    deltas.mkdir()
    monkeypatch.setenv("NEIGHBOR_DELTAS", str(deltas))
    yield deltas
    mailbox.unlink()
    kept.rename(mailbox)


def test_where_the_mailbox_cannot_be_written_deltas_are_left_as_files(
    sandboxed: Path, neighbor: Neighbor
) -> None:
    words = ("append", "--frame", "1", "--stream", "s1")
    done = neighbor(*words, stdin=b'{"x": [1]}')
    assert "kept as files" in done.err
    neighbor(*words, stdin=b"{", code=3)  # kept too, for quarantine
    sizes = sorted(file.stat().st_size for file in sandboxed.iterdir())
    assert sizes[0] == 1
    (first,) = (file for file in sandboxed.glob("*.json") if file.stat().st_size > 1)
    delta = json.loads(first.read_bytes())
    assert (delta["frame"], delta["stream_id"], delta["x"]) == (1, "s1", [1])


def test_without_a_folder_of_its_own_a_sandboxed_stream_is_refused(
    sandboxed: Path, neighbor: Neighbor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NEIGHBOR_DELTAS")
    neighbor("append", "--frame", "1", "--stream", "s1", stdin=b"{}", code=3)
