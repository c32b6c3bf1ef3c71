"""Exports write what changed, lose nothing of anybody's, and go nowhere they should not."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from goodneighbor.store import Store, step

from .. import fleet
from .raw import raw

SHRINKING = fleet.RULES.replace("inc /agents/*/karma", "remove /agents/*")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A working tree with the small fleet's documents in it."""
    folder = tmp_path / "tree"
    (folder / "state").mkdir(parents=True)
    for name, data in fleet.BASE.items():
        (folder / "state" / f"{name}.json").write_bytes(data)
    return folder


def remove(frame: int, *names: str) -> bytes:
    ops = [{"op": "remove", "path": f"/agents/{name}"} for name in names]
    return json.dumps({"frame": frame, "stream_id": "s1", "ops": ops}).encode()


def test_documents_come_out_in_canonical_form(store: Store, tree: Path) -> None:
    store.append(fleet.delta(1, "s1", fleet.post(1, "ada")))
    store.close_frame(1)
    exported = store.export(tree)
    assert exported.written == ["agents", "channels", "stats"]
    assert not exported.saved, "what lay there at the start is no one's edit"
    options = orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    for name in exported.written:
        data = (tree / "state" / f"{name}.json").read_bytes()
        assert data == orjson.dumps(orjson.loads(data), option=options) == store.document(name)


def test_what_has_not_changed_is_not_written(store: Store, tree: Path) -> None:
    store.export(tree)
    karma = [{"op": "inc", "path": "/agents/ada/karma", "value": 1}]
    store.append(json.dumps({"frame": 1, "stream_id": "s1", "ops": karma}).encode())
    store.close_frame(1)
    before = {path: path.stat().st_ino for path in tree.rglob("*.json")}
    exported = store.export(tree)
    assert (exported.written, exported.unchanged) == (["agents"], ["channels", "stats"])
    after = {path.name for path, inode in before.items() if path.stat().st_ino != inode}
    assert after == {"agents.json"}
    assert store.export(tree).written == []


def test_check_says_what_differs_and_writes_nothing(store: Store, tree: Path) -> None:
    before = {path: path.read_bytes() for path in tree.rglob("*.json")}
    assert store.export(tree, check=True).written == ["agents", "channels", "stats"]
    assert {path: path.read_bytes() for path in tree.rglob("*.json")} == before
    store.export(tree)
    assert store.export(tree, check=True).written == []


def test_an_overwritten_document_is_put_right_and_what_lay_there_is_saved(
    store: Store, tree: Path
) -> None:
    store.export(tree)
    file = tree / "state" / "agents.json"
    good = file.read_bytes()
    file.write_bytes(b'{"agents": {}}')
    assert [fault.place for fault in store.verify()] == [str(file)]
    exported = store.export(tree)
    assert file.read_bytes() == good
    assert [saved.document for saved in exported.saved] == ["agents"]
    kept = store.quarantine_get(exported.saved[0].quarantine)
    assert kept is not None
    assert (kept[0].reason, kept[1]) == ("replaced by export", b'{"agents": {}}')


def test_a_missing_file_is_written_again(store: Store, tree: Path) -> None:
    store.export(tree)
    (tree / "state" / "stats.json").unlink()
    assert store.export(tree).written == ["stats"]


def test_a_document_that_lost_too_much_is_held_back_alone(
    make_store: Callable[..., Store], tree: Path
) -> None:
    store = make_store(SHRINKING)
    store.export(tree)
    before = (tree / "state" / "agents.json").read_bytes()
    store.append(remove(1, "ada", "bob"))
    store.append(fleet.delta(1, "s2", fleet.post(1, "cyd")))
    store.close_frame(1)
    exported = store.export(tree)
    assert exported.written == ["channels", "stats"]
    assert [(each.document, each.lost, each.entities) for each in exported.refused] == [
        ("agents", 2, 4)
    ]
    assert (tree / "state" / "agents.json").read_bytes() == before
    assert store.export(tree).refused == exported.refused


def test_a_loss_is_let_through_by_name_and_who_asked_is_kept(
    make_store: Callable[..., Store], tree: Path
) -> None:
    store = make_store(SHRINKING)
    store.append(remove(1, "ada", "bob"))
    store.close_frame(1)
    assert store.export(tree).refused, "against the base state, without an export before"
    assert store.export(tree, allow_loss=["agents"], asked_by="ada").refused == []
    with raw(store) as cursor:
        cursor.execute("SELECT document, frame, entities, lost, asked_by FROM loss")
        assert cursor.fetchall() == [("agents", 1, 4, 2, "ada")]
    assert store.export(tree).refused == []


def test_entities_swapped_for_others_count_as_lost(
    make_store: Callable[..., Store], tree: Path
) -> None:
    store = make_store(SHRINKING.replace('"remove', '"init /agents/*", "remove'))
    store.export(tree)
    ops = [{"op": "init", "path": f"/agents/new-{number}", "value": {}} for number in range(4)]
    store.append(json.dumps({"frame": 1, "stream_id": "s2", "ops": ops}).encode())
    store.append(remove(1, "ada", "bob", "cyd", "dee"))
    store.close_frame(1)
    assert [each.lost for each in store.export(tree).refused] == [4]


def test_a_document_that_never_held_anything_is_not_written(
    make_store: Callable[..., Store], tree: Path
) -> None:
    store = make_store(base={"stats": b"{}"})
    (tree / "state" / "agents.json").unlink()
    store.export(tree)
    assert not (tree / "state" / "agents.json").exists()


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_no_symbolic_link_is_crossed(store: Store, tree: Path, tmp_path: Path, kind: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    if kind == "folder":
        os.rename(tree / "state", tmp_path / "moved")
        (tree / "state").symlink_to(outside)
    else:
        (tree / "state" / "agents.json").unlink()
        (tree / "state" / "agents.json").symlink_to(outside / "agents.json")
    exported = store.export(tree)
    assert "agents" in [each.document for each in exported.refused]
    assert all("symbolic link" in each.reason for each in exported.refused)
    assert list(outside.iterdir()) == []


def test_an_export_killed_on_the_way_is_finished_by_the_next(store: Store, tree: Path) -> None:
    class Killed(Exception):
        pass

    store.append(fleet.delta(1, "s1", fleet.post(1, "ada")))
    store.close_frame(1)
    names = [
        "export intents: committed",
        "export: file written beside",
        "export: file replaced",
        "export results: rows inserted",
    ]
    for name in names:
        store.append(fleet.delta(1, "s1", fleet.post(names.index(name) + 2, "ada")))
        store.close_frame(1)

        def kill(reached: str, name: str = name) -> None:
            if reached == name:
                raise Killed(name)

        step.watch(kill)
        try:
            with pytest.raises(Killed):
                store.export(tree)
        finally:
            step.watch(None)
    assert store.export(tree).saved == [], "bytes of an export that was begun are ours"
    assert store.export(tree).written == []
    assert sorted(path.name for path in (tree / "state").iterdir()) == [
        "agents.json",
        "channels.json",
        "stats.json",
    ]


def test_what_an_export_left_beside_is_swept_by_the_next(store: Store, tree: Path) -> None:
    (tree / "state" / ".agents.json.neighbor-new").write_bytes(b"half")
    store.export(tree)
    assert not (tree / "state" / ".agents.json.neighbor-new").exists()
