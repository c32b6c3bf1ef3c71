"""Everything but events and rules is a cache: deleted, it comes back byte for byte."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from goodneighbor.store import Store, StoreDamaged

from .. import fleet
from .raw import raw

CACHES = ("entity", "entity_past", "document", "receipt", "frame", "frame_stream", "export")
NARROW = fleet.RULES.replace('wait = "0s"', 'wait = "0s"\nreopen = 1')


@pytest.fixture(params=[fleet.RULES, NARROW], ids=["reopen 8", "reopen 1"])
def lived_in(request: pytest.FixtureRequest, make_store: Callable[..., Store]) -> Store:
    """A store with late deltas, copies, a fallback and changed rules behind it."""
    store = make_store(request.param)
    rules = None
    for frame in range(1, 7):
        store.open_frame(frame, ["s1", "s2", "s3"])
        store.append(fleet.delta(frame, "s1", fleet.post(frame, "ada"), minute=frame))
        store.append(fleet.delta(frame, "s2", fleet.post(frame, "bob"), minute=frame + 1))
        if frame > 2:
            store.append(fleet.delta(frame - 2, "s3", fleet.post(frame + 100, "cyd")))
            store.append(fleet.delta(frame, "s1", fleet.post(frame, "ada"), minute=frame))
        if frame == 4:
            rules = request.param.replace("total_posts 1", "total_posts 3")
        store.close_frame(frame, rules_text=rules)
    return store


def empty(store: Store, *tables: str) -> None:
    with raw(store) as cursor:
        for table in tables:
            cursor.execute(f"DELETE FROM {table}")


def files(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_replay_from_nothing_gives_the_same_bytes(lived_in: Store, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    lived_in.export(tree)
    before, digest = files(tree), lived_in.state_digest()
    frames = lived_in.frames()
    details = [lived_in.frame(row.frame) for row in frames]
    assert len(before) == 3

    empty(lived_in, *CACHES)
    shutil.rmtree(tree)
    tree.mkdir()
    assert lived_in.replay().state_digest == digest
    lived_in.export(tree)

    assert files(tree) == before
    assert lived_in.state_digest() == digest
    assert lived_in.frames() == frames
    assert [lived_in.frame(row.frame) for row in frames] == details


def test_a_check_of_a_sound_store_finds_nothing_and_changes_nothing(lived_in: Store) -> None:
    before = files(lived_in.folder).get("store.sqlite3")
    replayed = lived_in.replay(check=True)
    assert replayed.differs == []
    assert replayed.state_digest == lived_in.state_digest()
    assert files(lived_in.folder).get("store.sqlite3") == before


@pytest.mark.parametrize(
    ("statement", "table", "what"),
    [
        ("UPDATE entity SET body = :empty WHERE key = :ada", "entity", "different"),
        ("DELETE FROM entity WHERE key = :ada", "entity", "missing"),
        ("UPDATE entity SET document = 'channels' WHERE document = 'stats'", "entity", "missing"),
        ("DELETE FROM entity_past WHERE frame = 2", "entity_past", "missing"),
        ("UPDATE receipt SET applied = applied + 1", "receipt", "different"),
        ("DELETE FROM frame_stream WHERE frame = 3", "frame_stream", "missing"),
        ("UPDATE document SET entities = 0 WHERE document = 'agents'", "document", "different"),
    ],
)
def test_a_check_places_what_differs_and_replay_puts_it_right(
    lived_in: Store, statement: str, table: str, what: str
) -> None:
    digest = lived_in.replay(check=True).state_digest
    with raw(lived_in) as cursor:
        cursor.execute(statement, {"ada": b"ada", "empty": b"{}"})
    found = lived_in.replay(check=True)
    assert (table, what) in {(each.table, each.what) for each in found.differs}
    assert found.state_digest == digest
    assert lived_in.replay().state_digest == digest
    assert lived_in.replay(check=True).differs == []


def test_an_event_with_a_flipped_bit_does_not_fold_in_silence(lived_in: Store) -> None:
    with raw(lived_in) as cursor:
        cursor.execute("SELECT position, body FROM event WHERE kind = 'delta'")
        position, body = next(row for row in cursor.fetchall() if b'"number":3,' in row[1])
        flip = "UPDATE event SET body = ? WHERE position = ?"
        cursor.execute(flip, (body.replace(b'"number":3,', b'"number":2,'), position))
    with pytest.raises(StoreDamaged) as damaged:
        lived_in.replay()
    assert "event" in damaged.value.place
    with raw(lived_in) as cursor:
        cursor.execute(flip, (body, position))
    lived_in.replay()


def test_replay_keeps_what_open_frames_expect(lived_in: Store) -> None:
    lived_in.open_frame(9, ["s7"])
    lived_in.replay()
    assert lived_in.missing(9) == ["s7"]
