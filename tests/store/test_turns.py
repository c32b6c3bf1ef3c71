"""Whoever waits for the store has its turn, however much another has to take in."""

import threading
from collections.abc import Iterator

import pytest
from goodneighbor.store import Store, StoreBusy, sequencer
from goodneighbor.store.engine import Writer
from goodneighbor.store.lock import StoreLock
from goodneighbor.store.step import watch

from .raw import raw
from .turns import BATCH, BATCHES, NOTES, TURN, WAIT_S, Turns, fill, lengths, wait_until


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequencer, "BATCH_NOTES", BATCH)
    monkeypatch.setattr(sequencer, "TURN_BATCHES", TURN)


@pytest.fixture
def other(store: Store) -> Iterator[Store]:
    """A second handle on the store, as another process has."""
    with Store.open(store.folder, wait_s=WAIT_S) as opened:
        yield opened


def taken_in(store: Store) -> tuple[int, int]:
    """Return how many deltas are in the log, and how many came twice."""
    with raw(store) as cursor:
        row = cursor.execute("SELECT count(*) FROM event WHERE kind = 'delta'").fetchone()
    return int(row[0]), store.status().copies


def test_two_who_close_over_a_large_backlog_take_turns(store: Store, other: Store) -> None:
    fill(store)
    turns = Turns(store, other, is_awaited=StoreLock(store.folder).is_awaited)
    turns.play(lambda first: first.close_frame(1), lambda second: second.close_frame(1))
    assert lengths(turns.batches) == [TURN] * (BATCHES // TURN)
    assert taken_in(store) == (NOTES, 0)


def test_one_who_does_not_give_way_keeps_the_other_waiting(
    store: Store, other: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above."""
    monkeypatch.setattr(Writer, "give_way", lambda writer: False)
    fill(store)
    turns = Turns(store, other, is_awaited=StoreLock(store.folder).is_awaited)
    turns.play(lambda first: first.close_frame(1), lambda second: second.close_frame(1))
    assert lengths(turns.batches) == [BATCHES]


def test_a_drain_that_nobody_waits_for_checkpoints_after_each_turn(store: Store) -> None:
    """So that the engine's own log stays small, however much there is to take in."""
    fill(store)
    steps: list[str] = []
    watch(steps.append)
    try:
        store.drain()
    finally:
        watch(None)
    turn = ["drain: rows inserted", "drain: committed"] * TURN + ["checkpoint: done"]
    assert steps == turn * (BATCHES // TURN)


def test_a_drain_that_gives_way_does_not_chase_who_appends_meanwhile(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StoreLock, "is_awaited", lambda lock: True)
    fill(store)
    came = []

    def append_more(step: str) -> None:
        if step == "drain: committed":
            came.append(step)
            assert len(came) <= BATCHES, "it does not end"
            watch(None)  # what the append reaches is nobody's concern
            fill(store, frame=2, first=NOTES * len(came))
            watch(append_more)

    watch(append_more)
    try:
        assert store.drain().events == NOTES
    finally:
        watch(None)
    assert len(came) == BATCHES
    assert store.drain().events == NOTES * BATCHES
    assert taken_in(store) == (NOTES * (1 + BATCHES), 0)


def test_a_drain_that_does_not_get_its_turn_back_keeps_what_it_took(
    store: Store,
) -> None:
    impatient = Store.open(store.folder, wait_s=0.1)
    fill(store)
    is_over = threading.Event()

    def hold() -> None:
        with StoreLock(store.folder, wait_s=WAIT_S, who="the test"):
            is_over.wait(WAIT_S)

    holder = threading.Thread(target=hold)

    def let_in(step: str) -> None:
        if step == "drain: committed":
            watch(None)
            holder.start()
            wait_until(StoreLock(store.folder).is_awaited)

    watch(let_in)
    try:
        with pytest.raises(StoreBusy) as busy:
            impatient.drain()
    finally:
        watch(None)
        is_over.set()
        holder.join()
    assert "the test" in busy.value.holder
    assert taken_in(store) == (BATCH * TURN, 0)
    assert impatient.drain().events == NOTES - BATCH * TURN
    impatient.close()
    assert taken_in(store) == (NOTES, 0)
