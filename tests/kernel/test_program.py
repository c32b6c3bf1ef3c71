"""What the rules say stands in the program that the kernel runs, nothing more and in that order."""

import json
from pathlib import Path
from typing import Any

from goodneighbor.kernel.rules import Rules
from hypothesis import given
from hypothesis import strategies as st

from .conformance import load_cases
from .program_reader import AT, FIELD_RULES, OPERATIONS, STAR, read_program

EXAMPLE_RULES = (Path(__file__).parent / "example.toml").read_text(encoding="utf-8")
EVERYTHING = """
[documents.agents]
path = "state/agents.json"
root = "members"
[documents.agents.fields]
z = "set"
"traits/*" = "max"
traits = "last"
"a~1b" = "first"
[documents.agents.derive]
"_meta.count" = "count(agents)"
[documents.stats]
kind = "record"
derive.all = "-5 + count(agents) + sum(posts/x.y) + count(agents)"
derive.odd = "count(posts where x.k == {\\"b\\": [1.0, null]})"
[documents.posts]
create = "always"
[[items]]
each = "o.k"
when = "a.b == 'go'"
into = "posts"
key = ["{@id}/{n|m.o}-x", ""]
apply = [
  "set /agents/@/_meta/by {@stream|who}",
  "push? /posts/@/log-{@index}/~01/~1 \\"{x}\\"",
  "remove /agents/{@key}/old",
]
[[items]]
each = "."
apply = ["merge /stats { \\"b\\": 1, \\"a\\": -0.0 }"]
[ops]
allow = ["set /agents/@/motto", "inc /agents/*/@", "test /posts/@/x*", "set /stats"]
"""


def test_everything_that_rules_can_say_comes_through() -> None:
    program = read_program(Rules.parse(EVERYTHING).program)
    agents, stats, posts = program["documents"]
    assert agents == {
        "name": "agents",
        "root": "members",
        "record": False,
        "always": False,
        "fields": [
            (("a/b",), "first"),
            (("traits",), "last"),
            (("traits", "*"), "max"),
            (("z",), "set"),
        ],
        "slots": ["@", "_meta", "a/b", "motto", "old", "traits", "z"],
        "derives": [(("_meta", "count"), 0, [0])],
    }
    assert (stats["record"], stats["root"], stats["slots"]) == (True, None, ["all", "odd"])
    assert stats["derives"] == [(("all",), -5, [0, 1, 0]), (("odd",), 0, [2])]
    assert (posts["always"], posts["slots"]) == (True, ["x", "x*"])
    assert program["terms"] == [
        ("count", 0, (), None),
        ("sum", 2, ("x", "y"), None),
        ("count", 2, (), (("x", "k"), b'{"b":[1.0,null]}')),
    ]
    assert program["allow"] == [
        ("set", "agents", AT, "motto"),
        ("inc", "agents", STAR, "@"),
        ("test", "posts", "@", "x*"),
        ("set", "stats"),
    ]
    items, whole = program["items"]
    assert items == {
        "each": "o.k",
        "when": (("a", "b"), b'"go"'),
        "into": 2,
        "key": [(["@id"], "/", [("n",), ("m", "o")], "-x"), ()],
        "apply": [
            ("set", 0, (AT, "_meta", "by"), ["@stream", ("who",)]),
            ("push?", 2, ("@", ("log-", ["@index"]), "~1", "/"), b'"{x}"'),
            ("remove", 0, ((["@key"],), "old"), None),
        ],
    }
    assert (whole["each"], whole["into"], whole["key"]) == (".", None, [])
    assert whole["apply"] == [("merge", 1, (), b'{"a":-0.0,"b":1}')]


def test_the_designs_example_comes_through() -> None:
    program = read_program(Rules.parse(EXAMPLE_RULES).program)
    slots = {document["name"]: document["slots"] for document in program["documents"]}
    assert slots == {
        "agents": [
            "comment_count",
            "heartbeat_last",
            "joined",
            "post_count",
            "subscribed_channels",
        ],
        "channels": ["post_count"],
        "stats": ["last_updated", "total_comments", "total_posts"],
        "posts": [],
        "comments": [],
    }
    posts, comments, whole = program["items"]
    assert posts["apply"][3] == (
        "max?",
        0,
        (([("author",), ("agent",)],), "heartbeat_last"),
        [("created_at",), "@utc"],
    )
    assert [len(key) for key in comments["key"]] == [1, 5, 3]
    assert whole["apply"] == [("max?", 2, ("last_updated",), ["@utc"])]


def test_programs_of_the_conformance_cases_are_read_to_their_last_byte() -> None:
    for case in load_cases():
        program = read_program(Rules.parse(case.rules).program)
        assert [len(program["items"])] == [case.rules.count("[[items]]")]


NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="{}|.\n\r\t\f\v"), min_size=1
).filter(lambda name: name == name.strip() and len(name.split()) == 1 and name[0] not in "@\"'")
FIELDS = st.lists(NAMES, min_size=1, max_size=3).map(tuple)
OWN = st.sampled_from(["@frame", "@utc", "@stream", "@id", "@index", "@key", "@value"])
REFERENCES = st.lists(FIELDS | OWN, min_size=1, max_size=3)
SEGMENTS = st.lists(NAMES | REFERENCES.map(lambda reference: (reference,)), min_size=1, max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def braces(reference: list[Any]) -> str:
    names = (name if isinstance(name, str) else ".".join(name) for name in reference)
    return "{" + "|".join(names) + "}"


def written(segment: Any) -> str:
    if not isinstance(segment, str):
        return "".join(braces(part) for part in segment)
    return segment.replace("~", "~0").replace("/", "~1")


@given(
    name=st.sampled_from([name for name in OPERATIONS if name not in ("remove", "merge", "inc")]),
    segments=SEGMENTS,
    value=JSON,
)
def test_any_operation_comes_through(name: str, segments: list[Any], value: Any) -> None:
    if name in ("max", "min"):
        value = "z"
    path = "".join(f"/{written(segment)}" for segment in ["map", *segments])
    line = f"{name} {path} {json.dumps(value)}"
    text = f'[documents.map]\n[[items]]\neach = "x"\napply = [{toml(line)}]'
    [item] = read_program(Rules.parse(text).program)["items"]
    [(read_name, document, read_segments, literal)] = item["apply"]
    assert (read_name, document, list(read_segments)) == (name, 0, segments)
    assert json.loads(literal) == value


@given(st.lists(NAMES.filter(lambda name: "{" not in name) | REFERENCES, min_size=1, max_size=4))
def test_any_key_comes_through(parts: list[Any]) -> None:
    key = "".join(part if isinstance(part, str) else braces(part) for part in parts)
    text = f'[documents.map]\n[[items]]\neach = "x"\ninto = "map"\nkey = [{toml(key)}]'
    [item] = read_program(Rules.parse(text).program)["items"]
    assert [merged(parts)] == item["key"]


@given(st.dictionaries(NAMES.filter(lambda name: name != "*"), st.sampled_from(FIELD_RULES)))
def test_fields_stand_in_the_order_of_their_bytes(fields: dict[str, str]) -> None:
    lines = [f"{toml(written(name))} = {toml(rule)}" for name, rule in fields.items()]
    text = "\n".join(["[documents.map.fields]", *lines])
    [document] = read_program(Rules.parse(text).program)["documents"]
    in_order = sorted(fields, key=str.encode)
    assert document["fields"] == [((name,), fields[name]) for name in in_order]
    assert document["slots"] == in_order


def merged(parts: list[Any]) -> tuple[Any, ...]:
    """Join texts that stand side by side: a template cannot tell them apart."""
    joined: list[Any] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        else:
            joined.append(part)
    return tuple(joined)


def toml(text: str) -> str:
    """Write a TOML basic string: JSON's, with DEL escaped and all else as it is."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
