"""Where an event folds, against the sentence of the design read word for word."""

from goodneighbor.store.schedule import Close, Header, Place, Schedule
from hypothesis import given
from hypothesis import strategies as st

# A log: closes with how far their frame is above the last one's, and deltas by frame.
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("close"), st.integers(0, 3), st.integers(0, 4)),
        st.tuples(st.just("delta"), st.integers(0, 12), st.just(0)),
    ),
    max_size=30,
)


def logs(steps: list[tuple[str, int, int]]) -> tuple[list[Close], list[Header]]:
    closes: list[Close] = []
    headers: list[Header] = []
    for position, (kind, number, reopen) in enumerate(steps, 1):
        if kind == "close":
            frame = number + (closes[-1].frame if closes else 0)
            closes.append(Close(position, frame, reopen, b"%d" % position))
        else:
            headers.append(Header(position, number))
    return closes, headers


def by_the_sentence(event: Header, closes: list[Close]) -> Place | None:
    """Late: take the first close at or above; count to the next close after the event."""
    at_or_above = [close for close in closes if close.frame >= event.frame]
    after = [close for close in closes if close.position > event.position]
    passed = [close for close in at_or_above if close.position < event.position]
    if not passed:
        return Place(event.frame, late=False) if at_or_above else None
    if not after:
        return None
    between = [c for c in closes if passed[0].position <= c.position <= after[0].position]
    counted = len({close.frame for close in between})
    return Place(event.frame if counted <= after[0].reopen else after[0].frame, late=True)


@given(steps=STEPS)
def test_an_event_folds_where_the_design_says(steps: list[tuple[str, int, int]]) -> None:
    closes, headers = logs(steps)
    schedule = Schedule(closes)
    for event in headers:
        assert schedule.place(event) == by_the_sentence(event, closes)


@given(steps=STEPS)
def test_the_closes_from_the_events_frame_on_are_enough(steps: list[tuple[str, int, int]]) -> None:
    closes, headers = logs(steps)
    for event in headers:
        tail = [close for close in closes if close.frame >= event.frame]
        assert Schedule(tail).place(event) == Schedule(closes).place(event)


@given(steps=STEPS)
def test_a_place_is_final_once_a_close_stands_behind_it(steps: list[tuple[str, int, int]]) -> None:
    closes, headers = logs(steps)
    for event in headers:
        places = [Schedule(closes[:size]).place(event) for size in range(len(closes) + 1)]
        taken = [place for place in places if place is not None]
        assert len(set(taken)) <= 1


def test_a_frame_keeps_the_rules_of_its_first_close() -> None:
    closes = [
        Close(1, 1, 8, b"a"),
        Close(2, 1, 8, b"b"),
        Close(3, 4, 8, b"c"),
        Close(4, 4, 8, b"d"),
    ]
    schedule = Schedule(closes)
    assert [schedule.rules(frame) for frame in (0, 1, 2, 4)] == [b"a", b"a", b"c", b"c"]
