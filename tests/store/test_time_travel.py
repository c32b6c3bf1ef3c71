"""The state as any closed frame left it, until it is forgotten; the log brings it back."""

from collections.abc import Callable

import pytest
from goodneighbor.store import FrameNotShown, Store

from .. import fleet
from .raw import raw

FRAMES = 14
NARROW = fleet.RULES.replace('wait = "0s"', 'wait = "0s"\nreopen = 2').replace(
    '"inc /agents/*/karma"', '"remove /agents/*", "set /agents/*"'
)


def play(store: Store, frame: int) -> None:
    store.append(fleet.delta(frame, "s1", fleet.post(frame, "ada"), minute=frame))
    ops = {5: '[{"op": "remove", "path": "/agents/dee"}]'}.get(frame, "[]")
    store.append(b'{"frame": %d, "stream_id": "s2", "ops": %b}' % (frame, ops.encode()))
    store.close_frame(frame)


@pytest.fixture
def lived_in(make_store: Callable[..., Store]) -> tuple[Store, dict[int, dict[str, bytes]]]:
    """A store of 14 frames, and its documents as each close left them."""
    store = make_store(NARROW)
    names = store.documents()
    history = {-1: {name: store.document(name) for name in names}}
    for frame in range(1, FRAMES + 1):
        play(store, frame)
        history[frame] = {name: store.document(name) for name in names}
    return store, history


def states(store: Store, frame: int) -> dict[str, bytes | None]:
    return {name: store.state(name, frame) for name in store.documents()}


def test_each_frame_is_shown_as_it_was(
    lived_in: tuple[Store, dict[int, dict[str, bytes]]],
) -> None:
    store, history = lived_in
    for frame, documents in history.items():
        assert states(store, frame) == documents
    assert store.entity("agents", b"dee", 4) is not None
    assert store.entity("agents", b"dee", 5) is None
    assert b'"post_count":3' in (store.entity("agents", b"ada", 3) or b"")
    assert states(store, 0) == history[-1]


def test_a_late_delta_changes_the_frames_it_belongs_to(
    lived_in: tuple[Store, dict[int, dict[str, bytes]]],
) -> None:
    store, history = lived_in
    store.append(fleet.delta(FRAMES, "s9", fleet.post(99, "bob")))
    store.close_frame(FRAMES + 1)
    assert states(store, FRAMES - 1) == history[FRAMES - 1]
    assert states(store, FRAMES) != history[FRAMES]


@pytest.mark.parametrize("frame", [-2, FRAMES + 1])
def test_a_frame_that_is_not_there_is_refused_and_no_empty_document(
    frame: int, lived_in: tuple[Store, dict[int, dict[str, bytes]]]
) -> None:
    store, _ = lived_in
    with pytest.raises(FrameNotShown):
        store.state("agents", frame)
    with pytest.raises(FrameNotShown):
        store.entity("agents", b"ada", frame)


@pytest.mark.parametrize(("keep", "oldest"), [(6, 9), (1, 12), (14, 1)])
def test_forgetting_drops_what_older_frames_need_and_nothing_else(
    keep: int, oldest: int, lived_in: tuple[Store, dict[int, dict[str, bytes]]]
) -> None:
    store, history = lived_in
    digest = store.state_digest()
    assert store.forget(keep).oldest == oldest
    for frame in range(oldest, FRAMES + 1):
        assert states(store, frame) == history[frame]
    with pytest.raises(FrameNotShown, match="neighbor replay"):
        store.state("agents", oldest - 1)
    assert store.verify() == []
    assert store.state_digest() == digest
    store.replay()
    assert states(store, 2) == history[2]


def test_fewer_frames_than_are_kept_lose_nothing(store: Store) -> None:
    play(store, 1)
    assert store.forget(1).versions == 0
    assert store.state("agents", -1) is not None


def test_late_deltas_fold_as_if_nothing_had_been_forgotten(
    make_store: Callable[..., Store],
) -> None:
    """Also beyond what is kept: new rules may bring a wider window."""
    wide = NARROW.replace("reopen = 2", "reopen = 40")
    documents = []
    for forgets in (True, False):
        store = make_store(NARROW)
        for frame in range(1, FRAMES + 1):
            play(store, frame)
            if forgets:
                store.forget(1)
        store.append(fleet.delta(FRAMES - 1, "s7", fleet.post(77, "bob")))
        store.append(fleet.delta(3, "s8", fleet.post(78, "cyd")))
        store.append(fleet.delta(FRAMES + 1, "s1", fleet.post(79, "cyd")))
        sums = store.close_frame(FRAMES + 1, rules_text=wide).folded
        documents.append(([store.document(name) for name in store.documents()], sums))
    assert documents[0] == documents[1]


def test_what_is_forgotten_gives_its_space_back(
    lived_in: tuple[Store, dict[int, dict[str, bytes]]],
) -> None:
    store, _ = lived_in

    def versions() -> int:
        with raw(store) as cursor:
            return int(cursor.execute("SELECT count(*) FROM entity_past").fetchone()[0])

    before = versions()
    dropped = store.forget(4).versions
    assert dropped > 0
    assert versions() == before - dropped
    assert store.forget(4).versions == 0
