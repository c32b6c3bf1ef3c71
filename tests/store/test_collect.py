"""Plain delta files are taken in by their content, once, and nobody's file is touched."""

import os
from pathlib import Path

import pytest
from goodneighbor.store import Store

from .. import fleet


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "stream_deltas"
    made.mkdir()
    return made


def put(folder: Path, name: str, data: bytes) -> Path:
    (folder / name).write_bytes(data)
    return folder / name


def test_a_file_is_an_event_and_the_same_content_again_is_a_copy(
    store: Store, folder: Path
) -> None:
    delta = fleet.delta(1, "s1", fleet.post(1, "ada"))
    first, second = put(folder, "frame-1-s1.json", delta), put(folder, "frame-1-s1 2.json", delta)
    collected = store.collect([first, second])
    assert (collected.events, collected.copies, collected.taken) == (1, 1, [second, first])
    again = store.collect([first, second])
    assert (again.events, again.copies, again.taken) == (0, 0, [second, first])
    assert store.close_frame(1).folded[0].applied == 1


def test_what_was_known_at_init_is_merged_already_under_any_name(
    store: Store, folder: Path
) -> None:
    old = put(folder, "old.json", fleet.delta(1, "s1", fleet.post(1, "ada")))
    assert store.known_files([old]) == 1
    moved = put(folder, "elsewhere.json", old.read_bytes())
    collected = store.collect([old, moved])
    assert (collected.events, collected.known) == (0, [moved, old])


def test_a_file_rewritten_after_it_was_taken_goes_to_quarantine_once(
    store: Store, folder: Path
) -> None:
    file = put(folder, "a.json", fleet.delta(1, "s1", fleet.post(1, "ada")))
    store.collect([file])
    original = file.read_bytes()
    put(folder, "a.json", fleet.delta(1, "s1", fleet.post(2, "ada")))
    assert [each.reason for each in store.collect([file]).quarantined] == ["rewritten"]
    assert store.collect([file]).quarantined == []
    put(folder, "a.json", original)
    assert store.collect([file]).taken == [file]


def test_the_same_delta_in_other_white_space_is_not_rewritten(store: Store, folder: Path) -> None:
    file = put(folder, "a.json", fleet.delta(1, "s1"))
    store.collect([file])
    put(folder, "a.json", fleet.delta(1, "s1").replace(b",", b" , "))
    collected = store.collect([file])
    assert (collected.taken, collected.quarantined) == ([file], [])


def test_half_a_file_waits_and_is_taken_when_it_is_whole(store: Store, folder: Path) -> None:
    delta = fleet.delta(1, "s1", fleet.post(1, "ada"))
    for size in (0, 1, len(delta) // 2, len(delta) - 1):
        file = put(folder, "a.json", delta[:size])
        assert store.collect([file]).waiting == [file]
    assert store.status().quarantined == 0
    put(folder, "a.json", delta)
    assert store.collect([file]).events == 1


def test_a_bad_file_is_quarantined_once_and_taken_when_it_is_mended(
    store: Store, folder: Path
) -> None:
    file = put(folder, "a.json", b"<<<<<<< HEAD\n{}")
    assert len(store.collect([file]).quarantined) == 1
    assert store.collect([file]).quarantined == []
    put(folder, "a.json", fleet.delta(1, "s1"))
    assert store.collect([file]).events == 1


def test_only_regular_files_are_read(store: Store, folder: Path) -> None:
    real = put(folder, "real.json", fleet.delta(1, "s1"))
    link, pipe = folder / "link.json", folder / "pipe.json"
    link.symlink_to(real)
    os.mkfifo(pipe)
    collected = store.collect([link, pipe, folder, folder / "none.json"])
    assert collected.events == 0
    assert [path for path, _ in collected.left] == sorted(
        [link, pipe, folder, folder / "none.json"]
    )


def test_what_a_file_lacks_is_logged_beside_it(store: Store, folder: Path) -> None:
    file = put(folder, "a.json", b'{"posts_created": []}')
    assert store.collect([file], frame=3, stream="s7").events == 1
    store.close_frame(3)
    detail = store.frame(3)
    assert detail is not None
    assert [each.stream for each in detail.streams] == ["s7"]
    assert store.replay(check=True).differs == []


def test_a_path_that_comes_again_in_another_tree_is_another_file(
    store: Store, folder: Path
) -> None:
    file = put(folder, "mine.json", fleet.delta(1, "s1", fleet.post(1, "ada")))
    assert store.collect([file], tree="1 ").events == 1
    assert store.collect([file], tree="1 ").events == 0
    put(folder, "mine.json", fleet.delta(2, "s1", fleet.post(2, "ada")))
    second = store.collect([file], tree="2 ")
    assert (second.events, second.quarantined) == (1, [])


def test_half_a_file_is_refused_where_nobody_writes_any_more(store: Store, folder: Path) -> None:
    file = put(folder, "half.json", b'{"frame": 1, "stream_id": "s1", "posts_cr')
    assert store.collect([file]).waiting == [file]
    assert len(store.collect([file], is_over=True).quarantined) == 1
    assert store.collect([file], is_over=True).quarantined == []
