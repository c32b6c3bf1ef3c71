"""Bad input, one test each: a clear error, the reason in quarantine, and nothing lost."""

import json
from pathlib import Path

import pytest
from goodneighbor.kernel import canonical

from .. import fleet
from .conftest import Neighbor

# name -> the bytes as they come, the reason that quarantine shows
REFUSED = {
    "not json": (b"hello", "unexpected byte"),
    "conflict markers": (
        b'{"frame": 1,\n<<<<<<< Updated upstream\n"a": 1\n=======\n"a": 2\n>>>>>>> Stashed\n}',
        "unexpected byte",
    ),
    "no frame": (b'{"stream_id": "s1"}', "frame missing"),
    "no stream_id": (b'{"frame": 1}', "stream missing"),
    "frame 2^64-1": (b'{"frame": 18446744073709551615, "stream_id": "s1"}', "frame invalid"),
    "frame 405.0": (b'{"frame": 405.0, "stream_id": "s1"}', "frame invalid"),
    "stream with a slash": (b'{"frame": 1, "stream_id": "a/b"}', "stream invalid"),
    "stream with two dots": (b'{"frame": 1, "stream_id": "a..b"}', "stream invalid"),
    "stream ending in .lock": (b'{"frame": 1, "stream_id": "a.LOCK"}', "stream invalid"),
    "a reserved stream": (b'{"frame": 1, "stream_id": "Store"}', "stream reserved"),
    "an array in an array": (b"[[]]", "not an object"),
    "a key twice": (b'{"frame": 1, "frame": 2, "stream_id": "s1"}', "duplicate key"),
    "half an object": (b'{"frame": 1, "stream_id": "s1"', "ends early"),
    "NaN": (b'{"frame": 1, "stream_id": "s1", "x": NaN}', None),
    "a lone surrogate": (b'{"frame": 1, "stream_id": "s1", "x": "\\ud800"}', "lone surrogate"),
    "latin-1": (b'{"frame": 1, "stream_id": "s1", "x": "\xe9"}', "not utf-8"),
    "a byte order mark": (b'\xef\xbb\xbf{"frame": 1, "stream_id": "s1"}', "byte order mark"),
    "too deep": (
        b'{"frame": 1, "stream_id": "s1", "x": ' + b"[" * 128 + b"]" * 128 + b"}",
        "too deep",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_delta_goes_to_quarantine_with_its_reason(
    name: str, taken_in: Path, neighbor: Neighbor
) -> None:
    data, reason = REFUSED[name]
    refused = neighbor("append", "--json", stdin=data, code=3)
    (said,) = refused.json["rejected"]
    if reason is not None:
        assert said["reason"] == reason
    neighbor("drain", code=1)
    (kept,) = neighbor("quarantine", "list", "--json").json["quarantine"]
    assert kept["reason"] == said["reason"]
    assert data.strip(b"[]") in neighbor("quarantine", "show", str(kept["id"])).out
    assert "in quarantine" in neighbor("status").text
    assert "stays in quarantine" in neighbor("quarantine", "retry", str(kept["id"]), code=3).err
    assert neighbor("frame", "list", "--json").json["frames"] == []


def test_what_is_in_quarantine_can_be_looked_for_in_vain(
    taken_in: Path, neighbor: Neighbor
) -> None:
    assert "Nothing is in quarantine" in neighbor("quarantine", "list").text
    assert "number 7" in neighbor("quarantine", "show", "7", code=1).err
    assert "number 7" in neighbor("quarantine", "retry", "7", code=1).err


def _fold(neighbor: Neighbor, delta: dict[str, object]) -> None:
    whole = {"frame": 1, "stream_id": "s1", "utc": "2026-03-28T03:00:00Z", **delta}
    neighbor("append", stdin=json.dumps(whole).encode())
    neighbor("frame", "close", "1")


def _reasons(neighbor: Neighbor) -> list[str]:
    return [each["reason"] for each in neighbor("frame", "show", "1", "--json").json["unapplied"]]


def test_an_entity_key_may_hold_nul(site: Path, neighbor: Neighbor) -> None:
    allow = fleet.RULES.replace('"inc /agents/*/karma"', '"set /agents/*"')
    (site / "neighbor.toml").write_text(allow)
    neighbor("init")
    operation = {"op": "set", "path": "/agents/a\0b", "value": {"karma": 1}}
    _fold(neighbor, {"ops": [operation]})
    agents = json.loads((site / "state" / "agents.json").read_bytes())["agents"]
    assert agents["a\0b"] == {"karma": 1}
    neighbor("verify")
    neighbor("replay", "--check")


@pytest.mark.parametrize("author", ["zion/karma", "@", "~1", ""])
def test_an_odd_author_is_one_segment_and_reaches_nobody_else(
    author: str, taken_in: Path, neighbor: Neighbor
) -> None:
    before = json.loads(fleet.BASE["agents"])
    _fold(neighbor, {"posts_created": [fleet.post(1, author)]})
    assert json.loads(neighbor("show", "/agents").out) == before
    detail = neighbor("frame", "show", "1", "--json").json
    assert detail["units_in"] == detail["applied"] + detail["duplicate"] + detail["skipped"] == 1
    assert detail["optional_skipped"] >= 1 or detail["skipped"] == 1


def test_a_time_that_is_none_loses_no_heartbeat(taken_in: Path, neighbor: Neighbor) -> None:
    post = {**fleet.post(1, "ada"), "created_at": "2026-03-28T02:00:00Z"}
    neighbor("append", stdin=fleet.delta(1, "s1", post))
    neighbor(
        "append", stdin=fleet.delta(1, "s2", {**fleet.post(2, "ada"), "created_at": "yesterday"})
    )
    neighbor("frame", "close", "1")
    assert neighbor("show", "/agents/ada/heartbeat_last").out == b'"2026-03-28T02:00:00Z"\n'


def test_a_rule_that_writes_a_derived_field_is_refused(site: Path, neighbor: Neighbor) -> None:
    derived = fleet.RULES.replace(
        'kind = "record"\n',
        'kind = "record"\n[documents.stats.derive]\ntotal_posts = "count(posts)"\n',
    )
    (site / "neighbor.toml").write_text(derived)
    assert "neighbor.toml line" in neighbor("init", code=3).err
    assert not (site / ".git" / "goodneighbor").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[export]\nsurprise = 1\n", "surprise"),
        ('[[items]]\neach = "x"\napply = ["add /stats/total_posts 1"]\n', "add"),
        ("[documents.more\n", "not TOML"),
        ('[documents.more]\npath = "../outside.json"\n', "leaves the repository"),
        ('[documents.more]\npath = ".git/x.json"\n', "lies in .git"),
    ],
)
def test_bad_rules_are_refused_with_line_and_reason(
    line: str, said: str, site: Path, neighbor: Neighbor
) -> None:
    (site / "neighbor.toml").write_text(fleet.RULES + line)
    refused = neighbor("init", code=3)
    assert "neighbor.toml line" in refused.err
    assert said in refused.err
    assert (site / "neighbor.toml").exists()


def test_rules_that_are_not_utf8_are_refused(site: Path, neighbor: Neighbor) -> None:
    (site / "neighbor.toml").write_bytes(fleet.RULES.encode() + b"# \xff\n")
    assert "not UTF-8" in neighbor("init", code=3).err


def test_a_store_folder_that_is_not_ours_is_left_alone(site: Path, neighbor: Neighbor) -> None:
    folder = site / ".git" / "goodneighbor"
    (folder / "mailbox").mkdir(parents=True)
    (folder / "store.sqlite3").write_bytes(b"something else")
    for words in (("append", "--frame", "1", "--stream", "s"), ("status",), ("init",)):
        neighbor(*words, stdin=b"{}", code=3)
    assert (folder / "store.sqlite3").read_bytes() == b"something else"
    assert not any((folder / "mailbox").iterdir())


def test_a_damaged_file_on_disk_is_kept_before_it_is_replaced(
    taken_in: Path, neighbor: Neighbor
) -> None:
    neighbor("append", stdin=fleet.delta(1, "s1", fleet.post(1, "ada")))
    neighbor("frame", "close", "1")
    file = taken_in / "state" / "agents.json"
    whole = file.read_bytes()
    damaged = whole.replace(b"{\n", b"{\n<<<<<<< Updated upstream\n", 1)
    file.write_bytes(damaged)
    exported = neighbor("export")
    assert "neighbor quarantine show" in exported.err
    assert file.read_bytes() == whole == canonical(whole)
    (kept,) = neighbor("quarantine", "list", "--json").json["quarantine"]
    assert neighbor("quarantine", "show", str(kept["id"])).out == damaged


def test_garbage_in_the_folder_of_delta_files_stops_nothing(
    taken_in: Path, neighbor: Neighbor
) -> None:
    folder = taken_in / "state" / "stream_deltas"
    folder.mkdir()
    (folder / "a.json").write_bytes(b"<<<<<<< Updated upstream")
    (folder / "b.json").write_bytes(fleet.delta(1, "s1", fleet.post(1, "ada")))
    (folder / "c.json").write_bytes(b'{"frame": 1, "stream_id": "s2"')  # still being written
    neighbor("frame", "close", "1")
    assert neighbor("show", "/stats/total_posts").out == b"1\n"
    (kept,) = neighbor("quarantine", "list", "--json").json["quarantine"]
    assert kept["source"].endswith("a.json")
