"""`neighbor frame`: opened, waited for, closed, shown; and the rules a close takes."""

import subprocess
import sys
from pathlib import Path

from goodneighbor.cli.git import Git

from .. import fleet
from .conftest import Neighbor


def test_a_frame_folds_and_its_documents_are_written(taken_in: Path, neighbor: Neighbor) -> None:
    neighbor("append", stdin=fleet.delta(1, "s1", fleet.post(1, "ada"), fleet.post(2, "bob")))
    closed = neighbor("frame", "close", "1")
    assert "frame 1   1 stream: 1 reported" in closed.text
    assert "2 units in = 2 applied + 0 duplicate + 0 skipped" in closed.text
    assert "state/agents.json: written" in closed.text
    assert b'"post_count": 1' in (taken_in / "state" / "agents.json").read_bytes()
    assert neighbor("show", "/stats/total_posts").out == b"2\n"


def test_an_expected_stream_that_says_nothing_gets_a_fallback(
    taken_in: Path, neighbor: Neighbor
) -> None:
    neighbor("frame", "open", "1", "--stream", "s1", "--stream", "S2")
    neighbor("append", stdin=fleet.delta(1, "s1"))
    closed = neighbor("frame", "close", "1", "--json")
    assert closed.json["fallbacks"] == ["s2"]
    streams = {
        each["stream"]: each for each in neighbor("frame", "show", "1", "--json").json["streams"]
    }
    assert streams["s1"]["status"] == "reported"
    assert (streams["s2"]["status"], streams["s2"]["reason"]) == ("fallback", "missing")


def test_a_close_waits_for_a_stream_that_reports_meanwhile(
    taken_in: Path, neighbor: Neighbor
) -> None:
    """The close is started first and says on stderr that it waits; only then does s1 report."""
    neighbor("frame", "open", "1", "--stream", "s1")
    command = [sys.executable, "-m", "goodneighbor.cli", "frame", "close", "1", "--wait", "60s"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as closing:
        assert closing.stderr is not None
        assert b"Waiting up to 60 s for s1" in closing.stderr.readline()
        neighbor("append", stdin=fleet.delta(1, "s1", fleet.post(1, "ada")))
        out, _ = closing.communicate(timeout=60)
    assert closing.returncode == 0
    assert b"1 stream: 1 reported" in out


def test_what_no_rule_names_shows_in_the_receipts_and_in_status(
    taken_in: Path, neighbor: Neighbor
) -> None:
    delta = b'{"frame": 1, "stream_id": "s1", "observations": ["a"], "ops": [%s]}'
    neighbor("append", stdin=delta % b'{"op": "set", "path": "/stats/total_posts", "value": 9}')
    assert "no rule: observations" in neighbor("frame", "close", "1").text
    shown = neighbor("frame", "show", "1").text
    assert "no rule" in shown
    assert "not allowed" in shown
    unapplied = neighbor("frame", "show", "1", "--json").json["unapplied"]
    reasons = {(each["source"], each["reason"]) for each in unapplied}
    assert reasons == {("observations", "no rule"), ("ops", "not allowed")}
    status = neighbor("status").text
    assert "no rule" in status
    assert "not allowed" in status


def test_plain_delta_files_are_collected_once(taken_in: Path, neighbor: Neighbor) -> None:
    folder = taken_in / "state" / "stream_deltas"
    folder.mkdir()
    (folder / "frame-1.json").write_bytes(fleet.delta(1, "s1", fleet.post(1, "ada")))
    neighbor("frame", "close", "1")
    neighbor("frame", "close", "2")
    assert neighbor("show", "/stats/total_posts").out == b"1\n"


def test_a_symlink_among_the_delta_files_is_not_followed(
    taken_in: Path, neighbor: Neighbor, tmp_path: Path
) -> None:
    folder = taken_in / "state" / "stream_deltas"
    folder.mkdir()
    (tmp_path / "outside.json").write_bytes(fleet.delta(1, "s1", fleet.post(1, "ada")))
    (folder / "frame-1.json").symlink_to(tmp_path / "outside.json")
    neighbor("frame", "close", "1")
    assert neighbor("show", "/stats/total_posts").out == b"0\n"


def test_changed_rules_come_from_the_main_tree_until_they_are_committed(
    taken_in: Path, neighbor: Neighbor
) -> None:
    changed = fleet.RULES.replace("total_posts 1", "total_posts 10")
    (taken_in / "neighbor.toml").write_text(changed)
    neighbor("append", stdin=fleet.delta(1, "s1", fleet.post(1, "ada")))
    neighbor("frame", "close", "1")
    assert neighbor("show", "/stats/total_posts").out == b"10\n"


def test_committed_rules_go_before_those_in_the_tree(taken_in: Path, neighbor: Neighbor) -> None:
    Git(taken_in).commit_only(["neighbor.toml"], "rules")
    (taken_in / "neighbor.toml").write_text(fleet.RULES.replace("total_posts 1", "total_posts 10"))
    neighbor("append", stdin=fleet.delta(1, "s1", fleet.post(1, "ada")))
    neighbor("frame", "close", "1")
    assert neighbor("show", "/stats/total_posts").out == b"1\n"


def test_bad_rules_leave_those_in_force_and_are_said_with_their_line(
    taken_in: Path, neighbor: Neighbor
) -> None:
    (taken_in / "neighbor.toml").write_text(fleet.RULES + "\n[surprise]\n")
    neighbor("append", stdin=fleet.delta(1, "s1", fleet.post(1, "ada")))
    closed = neighbor("frame", "close", "1", code=1)
    line = fleet.RULES.count("\n") + 2
    assert f"neighbor.toml line {line}" in closed.err
    assert neighbor("show", "/stats/total_posts").out == b"1\n"


def test_a_document_new_to_the_rules_starts_from_its_file(
    taken_in: Path, neighbor: Neighbor
) -> None:
    (taken_in / "state" / "teams.json").write_text('{"blue": {"name": "Blue"}}')
    rules = fleet.RULES + '\n[documents.teams]\npath = "state/teams.json"\n'
    (taken_in / "neighbor.toml").write_text(rules)
    neighbor("append", stdin=fleet.delta(1, "s1"))
    neighbor("frame", "close", "1")
    assert neighbor("show", "/teams/blue/name").out == b'"Blue"\n'


def test_a_frame_behind_the_last_close_is_refused(taken_in: Path, neighbor: Neighbor) -> None:
    neighbor("frame", "close", "5")
    assert (
        "Frame 4 is behind the last close, which was 5"
        in neighbor("frame", "close", "4", code=3).err
    )
    assert "Frame 5" in neighbor("frame", "open", "5", code=3).err


def test_frames_are_listed_with_their_sums(taken_in: Path, neighbor: Neighbor) -> None:
    assert neighbor("frame", "list").text.startswith("No frame yet")
    neighbor("append", stdin=fleet.delta(1, "s1", fleet.post(1, "ada"), fleet.post(1, "ada")))
    neighbor("frame", "close", "1")
    neighbor("frame", "open", "2")
    rows = {row["frame"]: row for row in neighbor("frame", "list", "--json").json["frames"]}
    assert (rows[1]["units_in"], rows[1]["applied"], rows[1]["duplicate"]) == (2, 1, 1)
    assert rows[2]["state"] == "open"
    assert neighbor("frame", "list").text.splitlines()[0].split()[:2] == ["frame", "state"]


def test_a_frame_nobody_knows_is_said(taken_in: Path, neighbor: Neighbor) -> None:
    assert "There is no frame 77" in neighbor("frame", "show", "77", code=1).err


def test_an_overwritten_document_is_put_right_and_what_lay_there_is_kept(
    taken_in: Path, neighbor: Neighbor
) -> None:
    neighbor("append", stdin=fleet.delta(1, "s1", fleet.post(1, "ada")))
    neighbor("frame", "close", "1")
    file = taken_in / "state" / "agents.json"
    before = file.read_bytes()
    file.write_bytes(b'{"agents": {}}')
    assert "state/agents.json: differs" in neighbor("export", "--check", code=1).text
    assert file.read_bytes() == b'{"agents": {}}'
    neighbor("export")
    assert file.read_bytes() == before
    kept = neighbor("quarantine", "list", "--json").json["quarantine"]
    bodies = [neighbor("quarantine", "show", str(each["id"])).out for each in kept]
    assert b'{"agents": {}}' in bodies
    assert "as it should be" in neighbor("export", "--check").text


def test_a_document_that_lost_too_much_is_refused_until_a_person_allows_it(
    taken_in: Path, neighbor: Neighbor
) -> None:
    rules = fleet.RULES.replace('"inc /agents/*/karma"', '"remove /agents/*"')
    (taken_in / "neighbor.toml").write_text(rules)
    neighbor("append", "--frame", "1", "--stream", "s1", "--op", "remove /agents/ada")
    refused = neighbor("frame", "close", "1", code=3)
    assert "agents" in refused.err
    assert "--allow-loss agents" in refused.err
    assert b"ada" in (taken_in / "state" / "agents.json").read_bytes()
    neighbor("export", "--allow-loss", "agents")
    assert b"ada" not in (taken_in / "state" / "agents.json").read_bytes()


def test_replay_and_export_bring_back_the_same_bytes(taken_in: Path, neighbor: Neighbor) -> None:
    neighbor("append", stdin=fleet.delta(1, "s1", fleet.post(1, "ada")))
    digest = neighbor("frame", "close", "1", "--json").json["state_digest"]
    files = {file: file.read_bytes() for file in (taken_in / "state").glob("*.json")}
    for file in files:
        file.unlink()
    assert neighbor("replay", "--check", "--json").json["state_digest"] == digest
    neighbor("replay")
    neighbor("export")
    assert {file: file.read_bytes() for file in (taken_in / "state").glob("*.json")} == files


def test_what_cannot_be_taken_in_is_said_at_the_close(taken_in: Path, neighbor: Neighbor) -> None:
    folder = taken_in / "state" / "stream_deltas"
    folder.mkdir()
    (folder / "half.json").write_bytes(b'{"frame": 1, "stream_id": "s2"')
    (folder / "garbage.json").write_bytes(b"<<<<<<< Updated upstream")
    closed = neighbor("frame", "close", "1")
    assert "half.json: ends inside a value, so it waits for the rest" in closed.err
    assert "garbage.json: unexpected byte, so it is in quarantine" in closed.err
    again = neighbor("frame", "close", "2", "--json").json["gathered"]
    assert [Path(path).name for path in again["waiting"]] == ["half.json"]
    assert again["quarantined"] == []
