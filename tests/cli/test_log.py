"""`log` lists events by position, and what became of each."""

from pathlib import Path

from .. import fleet
from .conftest import Neighbor


def test_events_are_listed_with_what_became_of_them(taken_in: Path, neighbor: Neighbor) -> None:
    for frame in (1, 2):
        neighbor("append", stdin=fleet.delta(frame, "s1", fleet.post(frame, "ada")))
        neighbor("append", stdin=fleet.delta(frame, "s1", fleet.post(frame, "ada")))
        neighbor("append", stdin=fleet.delta(1, "S2", fleet.post(10 * frame, "bob")))
        neighbor("frame", "close", str(frame))
    neighbor("append", stdin=fleet.delta(3, "s1"))
    neighbor("drain")
    events = neighbor("log", "--json").json["events"]
    assert [each["position"] for each in events] == list(range(1, len(events) + 1))
    assert [each["kind"] for each in events if each["frame"] < 0] == ["own", "close"]
    deltas = [each for each in events if each["kind"] == "delta"]
    assert [(e["frame"], e["stream"], e["copies"], e["folds_in"], e["late"]) for e in deltas] == [
        (1, "s1", 1, 1, False),
        (1, "S2", 0, 1, False),
        (2, "s1", 1, 2, False),
        (1, "S2", 0, 1, True),
        (3, "s1", 0, None, False),
    ]
    assert deltas[0]["units_in"] == deltas[0]["applied"] == 1

    chosen = neighbor("log", "--stream", "s2", "--frame", "1", "--body", "--json").json["events"]
    assert [each["body"]["posts_created"][0]["number"] for each in chosen] == [10, 20]
    newest = neighbor("log", "--limit", "2", "--json").json["events"]
    assert [each["position"] for each in newest] == [len(events) - 1, len(events)]
    first = neighbor("log", "--from", "2", "--limit", "2", "--json").json["events"]
    assert [each["position"] for each in first] == [2, 3]
    text = neighbor("log").text
    assert text.splitlines()[0].split()[:4] == ["position", "id", "kind", "frame"]
    assert "late" in text
    assert neighbor("log", "--frame", "99").text == "No such event.\n"
