"""Frames open, close and fold; who took part is on record; a close is all or nothing."""

import json
from collections.abc import Callable

import pytest
from goodneighbor.store import DeltaRejected, FrameDetail, FramePassed, Store, step

from .. import fleet

NARROW = fleet.RULES.replace('wait = "0s"', 'wait = "0s"\nreopen = 1')


def detail_of(store: Store, frame: int) -> FrameDetail:
    found = store.frame(frame)
    assert found is not None
    return found


def field(store: Store, document: str, key: str, name: str) -> object:
    body = store.entity(document, key.encode())
    return None if body is None else json.loads(body).get(name)


def test_a_close_folds_its_frame_and_its_sums_balance(store: Store) -> None:
    store.append(fleet.delta(1, "s1", fleet.post(1, "ada"), fleet.post(1, "bob")))
    store.append(fleet.delta(1, "s2", fleet.post(2, "nobody", "nowhere")))
    closed = store.close_frame(1)
    assert [sums.frame for sums in closed.folded] == [1]
    sums = closed.folded[0]
    assert (sums.units_in, sums.applied, sums.duplicate, sums.skipped) == (3, 2, 1, 0)
    assert sums.optional_skipped == 3
    assert field(store, "agents", "ada", "post_count") == 1
    assert closed.state_digest == store.state_digest()


def test_an_expected_stream_that_is_missing_gets_a_fallback_with_the_reason(store: Store) -> None:
    store.open_frame(1, ["s1", "s2"])
    store.append(fleet.delta(1, "S1"))
    store.drain()
    assert store.missing(1, ["s3"]) == ["s2", "s3"]
    closed = store.close_frame(1, expect=["s3"], missing_reason="timeout")
    assert sorted(closed.fallbacks) == ["s2", "s3"]
    streams = {each.stream: (each.status, each.reason) for each in detail_of(store, 1).streams}
    assert streams == {
        "s1": ("reported", ""),
        "s2": ("fallback", "timeout"),
        "s3": ("fallback", "timeout"),
    }


def test_an_open_frame_shows_who_is_missing(store: Store) -> None:
    store.open_frame(3, ["s1"])
    store.open_frame(3, ["s2"])
    store.append(fleet.delta(3, "s2"))
    store.drain()
    detail = detail_of(store, 3)
    assert detail.state == "open"
    assert [(each.stream, each.status) for each in detail.streams] == [
        ("s1", "missing"),
        ("s2", "reported"),
    ]


def test_closing_a_frame_closes_every_earlier_one_that_has_events(store: Store) -> None:
    store.open_frame(2, ["s9"])
    for frame in (5, 3, 1):
        store.append(fleet.delta(frame, "s1", fleet.post(frame, "ada")))
    closed = store.close_frame(4)
    assert [sums.frame for sums in closed.folded] == [1, 2, 3]
    assert closed.fallbacks == ["s9"]
    assert field(store, "agents", "ada", "post_count") == 2
    assert detail_of(store, 5).state == "open"


def test_a_frame_behind_the_last_close_is_neither_opened_nor_closed(store: Store) -> None:
    store.close_frame(5)
    with pytest.raises(FramePassed) as refused:
        store.close_frame(4)
    assert (refused.value.frame, refused.value.closed) == (4, 5)
    with pytest.raises(FramePassed):
        store.open_frame(5, ["s1"])


def test_the_last_frame_may_be_closed_again(store: Store) -> None:
    store.append(fleet.delta(5, "s1", fleet.post(1, "ada")))
    first = store.close_frame(5)
    again = store.close_frame(5)
    assert again.folded == []
    assert again.state_digest == first.state_digest


def test_a_name_that_no_stream_can_have_is_refused_and_nothing_closes(store: Store) -> None:
    with pytest.raises(DeltaRejected):
        store.close_frame(1, expect=["../s"])
    assert store.status().closed is None


def test_a_late_delta_inside_the_window_folds_in_its_own_frame(store: Store) -> None:
    store.append(fleet.delta(1, "s1", fleet.post(1, "ada"), minute=5))
    store.close_frame(1, expect=["s2"])
    store.close_frame(2)
    store.append(fleet.delta(1, "s2", fleet.post(1, "bob"), minute=1))
    closed = store.close_frame(3)
    assert [sums.frame for sums in closed.folded] == [1]
    # bob's was earlier, so the post is his; ada's is a duplicate now
    assert field(store, "agents", "bob", "post_count") == 1
    assert field(store, "agents", "ada", "post_count") == 0
    streams = {each.stream: each.status for each in detail_of(store, 1).streams}
    assert streams == {"s1": "reported", "s2": "late"}
    assert detail_of(store, 1).sums.late == 1


def test_a_late_delta_beyond_the_window_folds_in_the_next_close(
    make_store: Callable[..., Store],
) -> None:
    store = make_store(NARROW)
    store.append(fleet.delta(1, "s1", fleet.post(1, "ada")))
    store.close_frame(1)
    store.append(fleet.delta(1, "s2", fleet.post(2, "bob")))
    closed = store.close_frame(2)
    assert [(sums.frame, sums.late) for sums in closed.folded] == [(2, 1)]
    assert [(each.stream, each.status) for each in detail_of(store, 2).streams] == [("s2", "late")]


def test_new_rules_count_from_the_close_that_finds_them(store: Store) -> None:
    changed = fleet.RULES.replace("total_posts 1", "total_posts 10")
    store.append(fleet.delta(1, "s1", fleet.post(1, "ada")))
    store.append(fleet.delta(2, "s1", fleet.post(2, "ada")))
    store.close_frame(1, rules_text=fleet.RULES)
    store.close_frame(2, rules_text=changed)
    assert field(store, "stats", "", "total_posts") == 11
    assert store.rules_text() == changed


@pytest.mark.parametrize("bad", ["nonsense", "[frames]\nwait = 5", "[unknown]\n"])
def test_rules_that_are_bad_leave_those_in_force_and_are_said(store: Store, bad: str) -> None:
    store.append(fleet.delta(1, "s1", fleet.post(1, "ada")))
    closed = store.close_frame(1, rules_text=bad)
    assert closed.rules_error is not None
    assert closed.folded[0].applied == 1
    assert store.rules_text() == fleet.RULES


def test_a_document_new_to_the_rules_starts_from_its_file(store: Store) -> None:
    more = fleet.RULES + '\n[documents.towns]\npath = "state/towns.json"\n'
    store.close_frame(1)
    closed = store.close_frame(2, rules_text=more, base={"towns": b'{"ur": {"size": 1}}'})
    assert closed.rules_error is None
    assert field(store, "towns", "ur", "size") == 1
    store.close_frame(3, rules_text=more, base={"towns": b'{"ur": {"size": 2}}'})
    assert field(store, "towns", "ur", "size") == 1  # an edit of it is another matter


def test_a_new_document_that_is_damaged_leaves_the_old_rules(store: Store) -> None:
    more = fleet.RULES + '\n[documents.towns]\npath = "state/towns.json"\n'
    closed = store.close_frame(1, rules_text=more, base={"towns": b"<<<<<<< HEAD\n{}"})
    assert closed.rules_error is not None
    assert "state/towns.json" in str(closed.rules_error)
    assert store.documents() == ["agents", "channels", "stats", "posts"]


def test_a_new_document_waits_when_the_last_frame_is_closed_again(store: Store) -> None:
    more = fleet.RULES + '\n[documents.towns]\npath = "state/towns.json"\n'
    base = {"towns": b'{"ur": {"size": 1}}'}
    store.close_frame(1)
    store.close_frame(1, rules_text=more, base=base)
    assert store.entity("towns", b"ur") is None
    store.close_frame(2, rules_text=more, base=base)
    assert field(store, "towns", "ur", "size") == 1


def test_a_close_that_dies_on_the_way_has_done_nothing_and_can_be_repeated(store: Store) -> None:
    class Died(Exception):
        pass

    def die(at: str) -> Callable[[str], None]:
        def observer(name: str) -> None:
            if name == at:
                raise Died(name)

        return observer

    store.append(fleet.delta(1, "s1", fleet.post(1, "ada")))
    store.drain()
    before = store.status()
    for at in ("close: events written", "close: frame folded", "close: rows inserted"):
        step.watch(die(at))
        try:
            with pytest.raises(Died):
                store.close_frame(1, expect=["s2"])
        finally:
            step.watch(None)
        assert store.status() == before
    assert store.close_frame(1, expect=["s2"]).folded[0].applied == 1


def test_an_array_nobody_has_a_rule_for_and_a_forbidden_operation_are_on_record(
    store: Store,
) -> None:
    store.append(
        b'{"frame": 1, "stream_id": "s1", "observations": [1, 2],'
        b' "ops": [{"op": "set", "path": "/agents/ada/karma", "value": 5}]}'
    )
    store.close_frame(1)
    reasons = {(each.source, each.reason): each.units for each in store.status().unapplied}
    assert reasons == {("observations", "no rule"): 1, ("ops", "not allowed"): 1}


def test_status_counts_the_frames_in_a_row_that_applied_nothing(store: Store) -> None:
    store.append(fleet.delta(1, "s1", fleet.post(1, "ada")))
    store.close_frame(1)
    for frame in (2, 3):
        store.close_frame(frame, expect=["s1"])
    assert store.status().empty_frames == 2
