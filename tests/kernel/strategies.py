"""Hypothesis strategies: deltas, starting states and edits over a small vocabulary.

Small on purpose: the same few agents, fields and values meet again and again, so that claims are
contested, keys collide and types clash.
"""

import json
from typing import Any

from hypothesis import strategies as st

DELTA_NAMES = ("items", "obj", "gone", "extra")
FIELDS = ("n", "h", "lo", "j", "s", "x", "deep")
KEYS = ("u", "v", "w", "x/y", "~", "a b", "@", "a", "live", "\uffff", "😀", "")
STREAMS = ("s1", "S1", "s2", "t.x")
TIMES = (
    "2026-01-01T00:00:00Z",
    "2026-01-01T01:00:00+01:00",
    "2026-01-01T00:00:00.5Z",
    "2026-01-01T00:00:00.500000Z",
    "2026-01-01T00:00:00.0000019z",
    "0001-01-01t00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "2026-02-29T00:00:00Z",
    "2026-01-01 00:00:00Z",
    "2026-01-01T23:59:60Z",
    "nope",
)
NUMBERS = (0, 1, 2, -5, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, -(2**63), -0.0, 1.0, 1.5, 2.0**53,
           1e16, 1e-7, 9.5e300)  # fmt: skip
OPERATIONS = (
    "set", "init", "inc", "max", "min", "include", "exclude", "push", "remove", "merge", "test"
)  # fmt: skip

scalars: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.sampled_from(("", *KEYS)), st.sampled_from(TIMES),
    st.sampled_from(NUMBERS), st.text(max_size=3),
)  # fmt: skip
entities = st.dictionaries(st.sampled_from(FIELDS), scalars, min_size=1, max_size=4)
values: st.SearchStrategy[Any] = st.one_of(
    scalars, scalars, st.lists(scalars, max_size=3), entities,
    st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=2),
        max_leaves=4,
    ),
)  # fmt: skip


def mostly(
    usual: st.SearchStrategy[Any], other: st.SearchStrategy[Any] = values
) -> st.SearchStrategy[Any]:
    """Draw the usual eleven times in twelve: what is junk is skipped before anything is tried."""
    return st.sampled_from((usual,) * 11 + (other,)).flatmap(lambda drawn: drawn)


# Deltas.

agents = st.sampled_from(("u", "u", "u", "v", "v", "w", *KEYS))
items = st.fixed_dictionaries(
    {"id": st.sampled_from((1, 2, "1", "u", None, "", 1.0, [1])), "who": agents, "t": scalars},
    optional={
        "author": agents,
        "n": st.sampled_from((1, -1, 1.0, "1", None, 2**64 - 1)),
        "x": values,
        "deep": values,
    },
)
item_lists = st.lists(mostly(items), min_size=1, max_size=4)
pointers = st.builds(
    lambda document, below: "/".join(("", document, *below)),
    st.sampled_from(("a", "a", "a", "p", "p", "st", "st", "k", "none", "")),
    st.lists(
        st.sampled_from(
            ("u", "u", "v", "x~1y", "~0", "@", "a", *FIELDS, "", "na", "live", "_meta", "~2", "*")
        ),
        max_size=3,
    ),
)
entity_pointers = st.builds(
    "/{}/{}/{}".format,
    st.sampled_from(("a", "p")),
    st.sampled_from(("u", "v")),
    st.sampled_from(FIELDS),
)
well_formed = st.fixed_dictionaries(
    {"op": st.sampled_from(OPERATIONS), "path": entity_pointers | pointers, "value": values}
)
malformed = st.one_of(
    st.fixed_dictionaries({"op": st.sampled_from(OPERATIONS), "path": pointers}),
    st.fixed_dictionaries(
        {"op": st.sampled_from(("add", "inc?", "", 1)), "path": st.just("/p/u"), "value": values}
    ),
    st.fixed_dictionaries({"op": st.just("set"), "path": scalars, "value": values}),
    scalars,
)
operations = mostly(well_formed, malformed)
deltas_optional = {
    "utc": st.sampled_from((*TIMES, None, 5)),
    "completed_at": st.sampled_from(TIMES),
    "timestamp": st.sampled_from(TIMES),
    "seq": st.sampled_from((0, 1, 2, -1, 2**64 - 1, 1.0, "x", None)),
    "obj": mostly(st.dictionaries(st.sampled_from(KEYS), mostly(items), min_size=1, max_size=3)),
    "gone": mostly(item_lists),
    "extra": values,
    "who": agents,
    "t": scalars,
    "ops": mostly(st.lists(operations, min_size=1, max_size=3)),
    "_meta": st.one_of(
        st.just({"status": "ok", "timestamp": TIMES[0]}),
        st.just({"status": "ok", "timestamp": TIMES[2]}),
        st.just({"status": "fallback", "reason": "timeout"}),
        values,
    ),
}


@st.composite
def deltas(draw: st.DrawFn, frames: st.SearchStrategy[int] = st.just(1)) -> dict[str, Any]:  # noqa: B008
    """Draw the body of one delta of a stream."""
    body = draw(st.fixed_dictionaries({"items": mostly(item_lists)}, optional=deltas_optional))
    return {"frame": draw(frames), "stream_id": draw(st.sampled_from(STREAMS)), **body}


@st.composite
def spelled(draw: st.DrawFn, body: dict[str, Any]) -> bytes:
    """Spell a delta in one of the many ways that are the same event."""
    names = draw(st.permutations(sorted(body)))
    ascii_only, indent = draw(st.booleans()), draw(st.sampled_from((None, 1)))
    shuffled = {name: body[name] for name in names}
    return json.dumps(shuffled, ensure_ascii=ascii_only, indent=indent).encode()


# Starting states, own deltas.

bases = st.fixed_dictionaries(
    {},
    optional={
        "a": st.builds(
            lambda root, beside: {**beside, "a": root},
            st.dictionaries(
                agents.filter(lambda key: key != "@"), mostly(entities), min_size=2, max_size=4
            ),
            st.dictionaries(st.sampled_from(("m", "_meta", "live", "claims")), values, max_size=2),
        ),
        "p": st.dictionaries(agents, mostly(entities), min_size=1, max_size=4),
        "k": st.dictionaries(st.sampled_from(("1/1", "u", "1")), entities, max_size=2),
        "st": st.dictionaries(st.sampled_from((*FIELDS, "na", "d")), values, max_size=3),
    },
)
own_pointers = st.one_of(
    st.builds("/a/{}".format, st.sampled_from(("u", "v", "@", "x~1y"))),
    st.builds("/a/{}/{}".format, st.sampled_from(("u", "v", "@")), st.sampled_from(FIELDS)),
    st.builds("/p/{}".format, st.sampled_from(("u", "v", "@"))),
    st.builds("/st/{}".format, st.sampled_from(FIELDS)),
)
own_operations = st.lists(
    st.fixed_dictionaries(
        {"op": st.sampled_from(OPERATIONS[:-1]), "path": own_pointers, "value": values}
    ),
    max_size=4,
)
