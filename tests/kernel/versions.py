"""Versions of documents for diff and merge3: rules with each rule in them, and pairs that are near.

Also what both tests ask the fold: what a document becomes once operations are folded onto it.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from goodneighbor.kernel import Event, Fold, Rules, canonical
from hypothesis import strategies as st

from .strategies import FIELDS, KEYS, scalars, values

RULES_TEXT = """
[documents.a]
path = "state/a.json"
root = "a~/\\""
[documents.a.fields]
n = "sum"
h = "max"
lo = "min"
j = "first"
s = "set"
"deep/*" = "sum"
"x/*" = "max"
"h/*" = "set"
[documents.a.derive]
live = "count(a)"
"_meta.n" = "sum(a/n)"

[documents.p]
[documents.p.fields]
n = "sum"
s = "set"

[documents.st]
path = "state/st.json"
kind = "record"
[documents.st.fields]
n = "sum"
h = "max"
lo = "min"
j = "first"
s = "set"
"deep/*" = "sum"
[documents.st.derive]
na = "count(a)"
"d.x" = "7 + count(p where h == 1)"
"""
RULES = Rules.parse(RULES_TEXT)
UNDERIVED = Rules.parse(re.sub(r"\[.*derive\]\n(.+\n)*", "", RULES_TEXT))
ROOT = 'a~/"'
SEED = bytes(16)

names = st.sampled_from((*FIELDS, *FIELDS, *KEYS, "traits", '"', "\\", "\n\x01", "~1"))
short = st.lists(st.sampled_from((1, 2, 3, 4, 1.0, "1", None)), max_size=4, unique_by=repr)
counts = st.integers(-3, 3) | st.sampled_from((2**63, 2**64 - 1, -(2**63)))
objects = st.dictionaries(names, counts | values, max_size=3)
members: st.SearchStrategy[Any] = st.one_of(counts, short, objects, values, scalars)
entities = st.fixed_dictionaries(
    {},
    optional={
        "n": counts | scalars,
        "h": counts | scalars | objects,
        "lo": counts | scalars,
        "j": scalars,
        "s": short | values,
        "deep": objects | members,
        "x": objects | members,
        "list": short,
        '\u00e9/~"\n': members,
    },
)
keys = st.sampled_from(KEYS)
rooted_keys = keys.filter(lambda key: key != "@")
beside = st.fixed_dictionaries(
    {}, optional={"_meta": objects | members, "live": counts, "@": members, "m": members}
)
rooted = st.builds(
    lambda around, root: {**around, ROOT: root},
    beside,
    st.dictionaries(rooted_keys, entities | members, max_size=3),
)
plain = st.dictionaries(keys, entities | members, max_size=3)
records = st.builds(
    lambda entity, more: {**entity, **more},
    entities,
    st.fixed_dictionaries({}, optional={"na": counts, "d": objects | members}),
)
documents = {"a": rooted, "p": plain, "st": records}


def spliced(draw: st.DrawFn, base: Any, other: Any) -> Any:
    """Draw a version between two: each member from the one, the other, both or neither."""
    if not isinstance(base, dict) or not isinstance(other, dict):
        return draw(st.sampled_from((base, base, other)))
    result = {}
    for name in {**base, **other}:
        if name in base and name in other:
            result[name] = spliced(draw, base[name], other[name])
        elif draw(st.integers(0, 3 if name in base else 1)):
            result[name] = base.get(name, other.get(name))
    return result


@st.composite
def versions(draw: st.DrawFn, count: int) -> tuple[str, list[bytes]]:
    """Draw a document's name and `count` versions of it that share much."""
    name = draw(st.sampled_from(sorted(documents)))
    first = draw(documents[name])
    found = [first]
    for _ in range(count - 1):
        found.append(spliced(draw, first, draw(documents[name])))
    return name, [json.dumps(each).encode() for each in found]


def folded(name: str, old: bytes, deltas: Sequence[bytes], rules: Rules = RULES) -> bytes:
    """Fold `deltas`, as the store's own, onto a document; nothing of them may be skipped."""
    with Fold(rules, seed=SEED) as fold:
        fold.load(name, rows(rules, name, old))
        fold.recount()
        for number, ops in enumerate(deltas, start=1):
            body = b'{"frame":%d,"ops":%b,"stream_id":"git"}' % (number, ops)
            event = Event(number.to_bytes(16, "big"), number, None, "git", True, body)
            (receipt,) = fold.run([event]).receipts
            assert receipt.units_in == receipt.applied, receipt.unapplied
        return fold.document(name)


def rows(rules: Rules, name: str, text: bytes) -> list[tuple[bytes, bytes]]:
    """Part a document into the rows that its snapshot would have."""
    (document,) = (each for each in rules.documents if each.name == name)
    whole = json.loads(text)
    if document.is_record:
        return [(b"", compact(whole))]
    entities = whole if document.root is None else whole.pop(document.root)
    found = [(key.encode(), compact(each)) for key, each in entities.items()]
    return found if document.root is None else [*found, (b"@", compact(whole))]


def compact(value: Any) -> bytes:
    return canonical(json.dumps(value).encode(), "compact", depth_max=0)
