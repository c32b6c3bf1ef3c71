"""An entity whose slots are written is cut at them: all other members come out as they went in.

Keys are longer and shorter than what is compared at once, begin alike, and hold escapes; values end
in escaped quotes and backslashes, and hold what would end a member elsewhere.
"""

import orjson
from goodneighbor.kernel import Event, Fold, Rules
from hypothesis import example, given
from hypothesis import strategies as st

SLOTS = ("b", "comment_count", "comment_count_of_a_year", "heartbeat_last_seen", "karma", 'q"', "é")
RULES = Rules.parse(
    '[documents.a]\npath = "state/a.json"\n[[items]]\neach = "."\napply = ['
    + ",".join(f"'inc? /a/x/{slot} 1'" for slot in SLOTS)
    + ', "inc? /a/x/a_last 1"]'
)
KEYS = (
    *SLOTS, "", "a", "a\x01", "az", "b\\", 'b"', "b\x7f", "comment", "comment_", "comment_\n",
    "comment_c", "comment_countess", "comment_counts", "heartbeat_last", "heartbeat_last_s",
    "heartbeat_last_see",
    "k" * 15, "k" * 16, "k" * 17, "k" * 70, "karm", "karma\\", "karmas", "q", "q\\", "z", "è", "ê",
)  # fmt: skip
SORTED = orjson.OPT_SORT_KEYS

texts = st.sampled_from(
    ("", '"', "\\", '\\"', "},", ',"karma":7', "x" * 31, "x" * 32, "x" * 30 + '"y', "é" * 40, "\n")
) | st.text(max_size=70)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(-1e300, 1e300) | texts
)
values = st.recursive(
    scalars,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(texts, below, max_size=3),
    max_leaves=5,
)
bodies = st.dictionaries(st.sampled_from(KEYS), values, max_size=12)


def counted(body: dict[str, object]) -> dict[str, object]:
    """Return the body with one more in each slot that is a whole number or not there."""
    added = dict(body)
    for slot in (*SLOTS, "a_last"):
        value = added.get(slot, 0)
        if type(value) is int:
            added[slot] = value + 1
    return added


@given(bodies)
@example(dict.fromkeys(KEYS, 0))
@example(dict.fromkeys(KEYS, "x" * 40))
@example({key: {"karma": [{}]} for key in KEYS if key not in SLOTS})
def test_members_between_slots_are_kept(body: dict[str, object]) -> None:
    with Fold(RULES, seed=bytes(16)) as fold:
        fold.load("a", [(b"x", orjson.dumps(body, option=SORTED))])
        (row,) = fold.run([Event(bytes(16), 1, None, "s", False, b"{}")]).changed
        assert row.body == orjson.dumps(counted(body), option=SORTED)
