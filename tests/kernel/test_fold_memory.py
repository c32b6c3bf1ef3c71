"""Memory that ends in mid-fold leaves the handle as it was, and the next fold is right."""

import itertools

import orjson
import pytest
from goodneighbor.kernel import Changed, Event, Fold, KernelLimit, Rules

RULES = """
[documents.agents]
path = "state/agents.json"
root = "agents"
create = "always"
[documents.agents.fields]
seen = "max"
tags = "set"
[documents.agents.derive]
"_meta.count" = "count(agents)"
karma = "sum(agents/karma)"
[documents.posts]
[[items]]
each = "posts"
into = "posts"
key = ["{number}", "{@id}/{@index}"]
apply = [
  "inc /agents/{author}/karma 1",
  "max /agents/{author}/seen {@utc}",
  "include /agents/{author}/tags {tag}",
  "merge /agents/{author} {more}",
  "push /agents/{author}/deep/log {number}",
  "inc? /agents/{nobody}/karma 1",
]
[[items]]
each = "gone"
apply = ["remove /agents/{@value}", "exclude /agents/a1/tags {@value}"]
"""
DELTAS = 100


def delta(number: int) -> Event:
    author = f"a{number % 7}"
    more = {"seen": "2027-01-01T00:00:00Z", "tags": ["x", f"t{number}"], "é\n": {"n": number}}
    post = {"author": author, "number": number, "tag": f"t{number % 3}", "more": more}
    body = {"frame": 1, "stream_id": "s", "posts": [post], "unnamed": [1], "gone": []}
    if number % 10 == 9:
        body["gone"] = ["t1", "nobody"]
    text = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    utc_us = 1_774_666_800_000_000 + number // 2  # two at a time: ties are settled as well
    return Event(number.to_bytes(16, "big"), 1, utc_us, "s", False, text)


EVENTS = [delta(number) for number in range(DELTAS)]
_numbers = itertools.count(1_000)
BEFORE = [(b"a1", b'{"karma":5,"tags":["t0"]}'), (b"@", b'{"_meta":{"count":1}}')]


def opened(fail_at: int = 0) -> Fold:
    fold = Fold(Rules.parse(RULES), seed=bytes(16), fail_at=fail_at)
    fold.load("agents", BEFORE)
    fold.recount()
    return fold


def documents(fold: Fold) -> list[bytes]:
    return [fold.document("agents"), fold.document("posts", "compact")]


def expected() -> list[bytes]:
    with opened() as fold:
        fold.run(EVENTS)
        return documents(fold)


def test_every_allocation_of_a_fold_may_fail_and_nothing_has_changed() -> None:
    after = expected()
    with opened() as fold:
        before, totals = documents(fold), fold.totals()
        failures = 0
        for allocation in itertools.count(1):
            fold.fail_at(allocation)
            try:
                fold.run(EVENTS)
            except KernelLimit:
                failures += 1
                fold.fail_at(0)
                assert documents(fold) == before
                assert fold.totals() == totals
                continue
            fold.fail_at(0)
            break
        assert documents(fold) == after
    print(f"{failures} failed allocations in a fold of {DELTAS} deltas")
    assert failures > 1_000


def test_every_allocation_of_opening_and_loading_may_fail() -> None:
    failures = 0
    for allocation in itertools.count(1):
        try:
            opened(allocation).close()
        except KernelLimit:
            failures += 1
            continue
        break
    assert failures > 50


def test_every_allocation_of_what_comes_out_may_fail() -> None:
    after = expected()
    failures = 0
    with opened() as fold:
        rows = fold.run(EVENTS).changed
        for allocation in itertools.count(1):
            fold.fail_at(allocation)
            failed = 0
            for write in (lambda: documents(fold), lambda: fold.needs(EVENTS), fold.recount):
                try:
                    write()
                except KernelLimit:
                    failed += 1
            fold.fail_at(0)
            failures += failed
            if failed == 0:
                break
        assert documents(fold) == after
    assert failures > 20
    assert rows == changed_despite_failures()


def changed_despite_failures() -> list[Changed]:
    """The rows of one run, asked for until the memory suffices."""
    with opened() as fold:
        folded = fold.run(EVENTS)
        for allocation in itertools.count(1):
            fold.fail_at(allocation)
            try:
                return folded.changed
            except KernelLimit:
                continue
    raise AssertionError("a count has no end")


def test_a_memory_bound_is_an_error_and_not_a_crash() -> None:
    fold = Fold(Rules.parse(RULES), seed=bytes(16), memory_max=1 << 16)
    before = documents(fold)
    with pytest.raises(KernelLimit):
        fold.run(EVENTS * 20)
    assert documents(fold) == before


def test_many_frames_fold_in_bounded_memory() -> None:
    with opened() as fold:
        sizes = []
        for _ in range(400):
            fold.run([*EVENTS[:10], long_text()])
            sizes.append(fold.memory()[1])
        whole = documents(fold)
    assert max(sizes) < 64 << 20, "old values are swept up"
    assert b"karma" in whole[0]


def long_text() -> Event:
    more = {"bio": "x" * 300_000}
    post = {"author": "a1", "tag": "t0", "more": more, "number": next(_numbers)}
    body = {"frame": 1, "stream_id": "s", "posts": [post], "gone": []}
    text = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    return Event(bytes(16), 1, None, "s", False, text)


def test_rows_that_are_loaded_again_and_again_take_their_memory_once() -> None:
    rows = [(b"%04d" % number, b'{"text":"%s"}' % (b"x" * 1_000)) for number in range(2_000)]
    with Fold(Rules.parse(RULES), seed=bytes(16)) as fold:
        for _ in range(60):
            fold.load("posts", rows)
        assert fold.memory()[0] < 32 << 20  # twice 2 MB, 16 MB more, and the copy's blocks
        assert len(fold.document("posts")) > 2_000_000


GROWING = """
[documents.map]
path = "state/map.json"
create = "always"
[documents.map.fields]
tags = "set"
[[items]]
each = "names"
apply = ["include /map/x/tags {@value}", "set /map/x/{@value} 1", "push /map/deep/a/b {@value}"]
[[items]]
each = "whole"
apply = ["merge /map/y {@value}"]
[ops]
allow = ["include /map/*/*", "set /map/*/*"]
"""


@pytest.mark.parametrize("way", ["items", "ops", "merge"])
def test_one_entity_may_grow_by_every_operation_of_a_frame(way: str) -> None:
    """Every step leaves a text behind; were they all kept, some deltas could never fold."""
    names = [f"name-{number:06}" for number in range(4_000)]
    if way == "items":
        body: dict[str, object] = {"names": names}
    elif way == "ops":
        include = [{"op": "include", "path": "/map/x/tags", "value": name} for name in names]
        body = {"ops": include + [{"op": "set", "path": f"/map/x/{n}", "value": 1} for n in names]}
    else:
        body = {"whole": [{"tags": names} | dict.fromkeys(names, 1)]}
    text = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    with Fold(Rules.parse(GROWING), seed=bytes(16)) as fold:
        receipt = fold.run([Event(bytes(16), 1, None, "s", False, text)]).receipts[0]
        assert receipt.skipped == 0
        assert fold.memory()[1] < 16 << 20
        state = orjson.loads(fold.document("map"))
    grown = state["y" if way == "merge" else "x"]
    assert grown["tags"] == names
    assert all(grown[name] == 1 for name in names)


def test_what_grew_is_put_back_when_a_later_operation_fails() -> None:
    """Texts given back within a unit are not those that undoing the unit needs."""
    long = ["x" * 100 + str(number) for number in range(50)]
    steps = [{"op": "include", "path": "/map/x/tags", "value": each} for each in long]
    fails = [{"op": "include", "path": "/map/x/karma", "value": 1}]
    good = {"ops": [{"op": "set", "path": "/map/x/karma", "value": 5}, *steps]}
    bad = {"ops": [*({**step, "value": step["value"] + "y"} for step in steps), *fails]}
    with Fold(Rules.parse(GROWING), seed=bytes(16)) as fold:
        events = [
            Event(bytes(16), 1, at, "s", False, orjson.dumps(body, option=orjson.OPT_SORT_KEYS))
            for at, body in enumerate([good, bad, good, bad])
        ]
        receipts = fold.run(events).receipts
        assert [receipt.applied for receipt in receipts] == [1, 0, 1, 0]
        assert orjson.loads(fold.document("map"))["x"] == {"karma": 5, "tags": long}
