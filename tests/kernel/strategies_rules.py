"""Hypothesis strategies: valid rules texts over the small vocabulary of `strategies.py`."""

import json

from hypothesis import strategies as st

from .strategies import OPERATIONS

DOCUMENTS = """\
[documents.a]
path = "state/a.json"
root = "a"
create = "{a_create}"
[documents.a.fields]
n = "sum"
h = "max"
lo = "min"
j = "first"
s = "set"
{a_derive}
[documents.p]
path = "state/p.json"
create = "{p_create}"
[documents.p.fields]
n = "sum"
s = "set"
[documents.k]
[documents.st]
path = "state/st.json"
kind = "record"
[documents.st.fields]
h = "max"
lo = "min"
{st_derive}
"""
A_DERIVE = (
    "",
    '[documents.a.derive]\nlive = "count(a)"',
    '[documents.a.derive]\n"_meta.live" = "count(a where x == \'q\') + -1"\n"_meta.n" = "sum(a/n)"',
)
ST_DERIVE = (
    "",
    '[documents.st.derive]\nna = "count(a)"\nnk = "7 + count(k)"\nsn = "sum(a/n) + sum(p/n)"',
    '[documents.st.derive]\n"d.x" = "count(p where h == 1) + count(a where x == \'u\')"\nj = "3"',
)
REFERENCES = (
    "who", "author|who", "id", "t", "n", "x.deep", "deep.x", "t|@utc", "missing|@index",
    "@frame", "@utc", "@stream", "@id", "@index", "@key", "@value", "@key|who", "items", "obj",
)  # fmt: skip
LITERALS = (
    "1", "-1", "0", "1.5", "18446744073709551615", "null", "true", '""', '"q"', "'u'", "[]",
    "[1, 1.0]", "{}", '{"n": 1, "s": ["q"], "h": "2026-01-01T00:00:00Z"}', '"{who}"',
)  # fmt: skip
WHENS = ("who == 'v'", "t == 1", "x.deep == null", 'id == "u"', "n == 1.0", "obj == {}")
KEY_LISTS = (
    ["{id}"],
    ["{id}"],
    ["{who}/{t}"],
    ["k-{id|who}"],
    ["{id}", "{who}/{t}", "{@id}/{@index}"],
    ["{@key}", "{id}-{n}", "{who}"],
    ["{@value}"],
)

references = st.sampled_from(("who", "who", "who", "id", *REFERENCES)).map(
    lambda name: f"{{{name}}}"
)
segments = st.one_of(
    references,
    st.sampled_from(("u", "w", "x~1y", "~0", "", "n", "h", "lo", "j2", "s", "x", "deep")),
    references.map(lambda each: f"n-{each}"),
)
whole_paths = st.one_of(
    st.builds("/a/{}".format, segments),
    st.builds("/a/@/{}".format, st.sampled_from(("m", "claims", "{who}", "{@key}", "_meta/m"))),
    st.builds("/p/{}".format, segments),
    st.just("/st"),
)
paths = st.one_of(
    whole_paths,
    st.builds("/a/{}/{}".format, segments, segments),
    st.builds("/p/{}/{}".format, segments, segments),
    st.builds("/p/{}/{}/{}".format, segments, segments, segments),
    st.builds("/k/{}/{}".format, segments, segments),
    st.builds("/st/{}".format, segments),
    st.builds("/st/{}/{}".format, segments, segments),
)


INTEGERS = ("1", "-1", "18446744073709551615")
OBJECTS = ("{}", '{"n": 1, "h": 2, "x": null}', '{"s": ["q"], "deep": {}, "lo": 1.5}')
LITERALS_OF = {
    "inc": INTEGERS,
    "merge": OBJECTS,
    "max": ("1", "1.5", "null", "'u'", '"2026-01-01T00:00:00Z"'),
    "min": ("-1", "-0.0", '""', "'u'", '"2026-01-01T00:00:00Z"'),
}


@st.composite
def operation_lines(draw: st.DrawFn) -> str:
    """Draw one line of `apply`; what can never apply is left out, the rules refuse it."""
    name, path = draw(st.sampled_from(OPERATIONS)), draw(paths)
    if path == "/st":
        name = draw(st.sampled_from(("set", "merge", "test")))
    literals = OBJECTS if path == "/st" else LITERALS_OF.get(name, LITERALS)
    optional = "?" if name != "test" and draw(st.booleans()) else ""
    value = "" if name == "remove" else draw(references | st.sampled_from(literals))
    return f"{name}{optional} {path} {value}".rstrip()


@st.composite
def item_tables(draw: st.DrawFn) -> str:
    """Draw one `[[items]]`."""
    lines = [
        "[[items]]",
        f'each = "{draw(st.sampled_from(("items", "items", "obj", "gone", ".")))}"',
    ]
    if draw(st.booleans()) and draw(st.booleans()):
        lines.append(f"when = {json.dumps(draw(st.sampled_from(WHENS)))}")
    into = draw(st.sampled_from(("", "", "k", "k", "p", "a")))
    if into:
        lines += [f'into = "{into}"', f"key = {json.dumps(draw(st.sampled_from(KEY_LISTS)))}"]
    apply = draw(st.lists(operation_lines(), min_size=0 if into else 1, max_size=4))
    return "\n".join([*lines, f"apply = {json.dumps(apply, ensure_ascii=False)}", ""])


ALLOWED = tuple(
    f"{name} {path}"
    for name in OPERATIONS
    for path in ("/a/*", "/a/*/*", "/a/@", "/a/@/*", "/p/*", "/p/*/*", "/p/u/*/*", "/st", "/st/*")
)


@st.composite
def rules_texts(draw: st.DrawFn, reopen: st.SearchStrategy[int] = st.just(8)) -> str:  # noqa: B008
    """Draw a valid neighbor.toml."""
    creates = st.sampled_from(("explicit", "always"))
    documents = DOCUMENTS.format(
        a_create=draw(creates),
        p_create=draw(creates),
        a_derive=draw(st.sampled_from(A_DERIVE)),
        st_derive=draw(st.sampled_from(ST_DERIVE)),
    )
    tables = draw(st.lists(item_tables(), min_size=1, max_size=4))
    refused = draw(st.sets(st.sampled_from(ALLOWED), max_size=20))
    allow = [each for each in ALLOWED if each not in refused] if draw(st.integers(0, 3)) else []
    head = f'[frames]\nreopen = {draw(reopen)}\n[export]\nmax_loss = "100%"\n'
    return head + documents + "\n".join(tables) + f"[ops]\nallow = {json.dumps(allow)}\n"
