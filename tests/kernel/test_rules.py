"""A bad neighbor.toml is refused whole, with the line and the reason; a good one says what it said.

In each text below `# here` marks the line that the refusal must name.
"""

import contextlib
import hashlib
from pathlib import Path

import pytest
from goodneighbor.kernel.errors import RulesInvalid
from goodneighbor.kernel.expression import Condition, Term
from goodneighbor.kernel.rules import Rules
from hypothesis import given
from hypothesis import strategies as st

from .conformance import CASES, load_cases

EXAMPLE_RULES = (Path(__file__).parent / "example.toml").read_text(encoding="utf-8")

DOCUMENTS = """
[documents.agents]
path = "state/agents.json"
root = "agents"
[documents.agents.derive]
total = "count(agents)"
"_meta.count" = "count(agents)"
[documents.stats]
path = "state/stats.json"
kind = "record"
[documents.stats.derive]
all = "count(agents)"
[documents.posts]
"""


def item(*lines: str) -> str:
    return "\n".join([DOCUMENTS, "[[items]]", 'each = "posts"', *lines])


def apply(operation: str) -> str:
    return item("apply = [", '  "inc /stats/n 1",', f"  '''{operation}''',  # here", "]")


def derive(expression: str) -> str:
    return f"{DOCUMENTS}\n[documents.more]\nkind = 'record'\nderive.x = '''{expression}''' # here"


REFUSED = {
    # the text
    "no TOML": ("a = 1\n][ # here", "not TOML: Invalid statement at column 1"),
    "a key twice": ("[frames]\nreopen = 1\nreopen = 2 # here", "Cannot overwrite a value"),
    "an open string": ('[frames]\nwait = "1s # here', "not TOML"),
    "an open array": ('[ops]\nallow = ["inc /a/b"  # here', "not TOML: Unclosed array"),
    # tables and keys
    "an unknown table": ("[frames]\n[fleet] # here\nx = 1", "unknown table `fleet`"),
    "an unknown key at the top": ("reopen = 3 # here", "unknown key `reopen`"),
    "an unknown key": ("[export]\ncommit = true\nmax_los = '1%' # here", "unknown key `max_los`"),
    "an unknown key of a document": (
        "[documents.a]\nroot = 'a'\npaths = 'a.json' # here",
        "unknown key `paths`",
    ),
    "an unknown key of a rule": (item('into = "posts"', "keys = [] # here"), "unknown key `keys`"),
    "an unknown key of a later command": ("[worktree]\ncopi = [] # here", "unknown key `copi`"),
    "a table that is a value": ("documents = 3 # here", "`documents`: expected a table, got int"),
    "a document that is a value": ("[documents]\na = 3 # here", "expected a table, got int"),
    "a wrong type": ("[frames]\nreopen = '8' # here", "`reopen`: expected int, got str"),
    "a wrong type in an array": (
        item("apply = [", '  "inc /stats/n 1",', "  7, # here", "]"),
        "`apply`: expected str, got int",
    ),
    "items that are one table": ("[items] # here\neach = 'a'", "`items`: expected an array, got"),
    # single values
    "a negative reopen": ("[frames]\nreopen = -1 # here", "`reopen` is from 0 to 2147483647"),
    "a wait without a unit": ("[frames]\nwait = '120' # here", "`120` is no duration"),
    "a wait of years": ("[frames]\nwait = '400d' # here", "`400d` is more than seven days"),
    "a loss that is no percentage": ("[export]\nmax_loss = '0.1' # here", "no percentage"),
    "a loss over all": ("[export]\nmax_loss = '101%' # here", "no percentage from 0% to 100%"),
    "a branch git refuses": ("[export]\nbranch = 'a..b' # here", "`a..b` cannot be a branch"),
    "a branch like an option": ("[export]\nbranch = '-f' # here", "`-f` cannot be a branch"),
    "the log's branch": ("[export]\nbranch = 'goodneighbor/log' # here", "goodneighbor's own"),
    "a store that is no URL": ("[store]\nurl = 'here' # here", "`here` is no URL"),
    "an ingest that asks the delta": ("[ingest]\nstream = '{@id}' # here", "has no `@id`"),
    "an ingest with a loose brace": ("[ingest]\nframe = '{tick' # here", "without its partner"),
    # documents
    "a document's name": ("[documents.'a/b'] # here", "document name `a/b`"),
    "an absolute path": ("[documents.a]\npath = '/etc/a.json' # here", "not relative"),
    "a drive": ("[documents.a]\npath = 'C:/a.json' # here", "not relative"),
    "a path that is not .json": (
        "[documents.a]\npath = 'a.toml' # here",
        "end in a name with .json",
    ),
    "a path without a name": ("[documents.a]\npath = 'state/.json' # here", "end in a name"),
    "a path upwards": (
        "[documents.a]\npath = 'state/../../a.json' # here",
        "leaves the repository",
    ),
    "a path into git": ("[documents.a]\npath = 'state/.GIT/a.json' # here", "lies in .git"),
    "a path with an empty part": ("[documents.a]\npath = 'state//a.json' # here", "empty part"),
    "a path with a backslash": ("[documents.a]\npath = 'state\\a.json' # here", "a backslash"),
    "the manifest": ("[documents.a]\npath = 'state/manifest.json' # here", "goodneighbor's own"),
    "where deltas lie": ("[documents.a]\npath = 'state/stream_deltas/a.json' # here", "own"),
    "one file for two": (
        "[documents.a]\npath = 's/a.json'\n[documents.b]\npath = 's/A.json' # here",
        "`s/A.json` is the file of document `a` already",
    ),
    "a file as a folder": (
        "[documents.b]\npath = 'a.json/b.json' # here\n[documents.a]\npath = 'a.json'",
        "`a.json/b.json` lies inside `a.json`, a file",
    ),
    "an unknown kind": ("[documents.a]\nkind = 'list' # here", "`kind`: invalid enum value 'list'"),
    "an empty root": ("[documents.a]\nroot = '' # here", "`root` is empty"),
    "a record with a root": ("[documents.a]\nkind = 'record'\nroot = 'a' # here", "no `root`"),
    "a record with create": (
        "[documents.a]\nkind = 'record'\ncreate = 'always' # here",
        "a record always exists",
    ),
    # fields
    "an unknown field rule": (
        "[documents.a.fields]\nx = 'sum'\nkarma = 'add' # here",
        "unknown rule `add` (there are last sum max min first set)",
    ),
    "a field's rule of another type": ("[documents.a.fields]\nx = 1 # here", "unknown rule `1`"),
    "a field that descends": ("[documents.a.fields]\nx.y = 'sum' # here", "do not descend"),
    "a star alone": ("[documents.a.fields]\n'*' = 'sum' # here", "all of one (`traits/*`)"),
    "a star two levels down": ("[documents.a.fields]\n'a/b/*' = 'sum' # here", "all of one"),
    "a slash in a field": ("[documents.a.fields]\n'a/b' = 'sum' # here", "all of one"),
    # derived fields
    "a total in a map": (
        "[documents.a]\n[documents.a.derive]\nx = 'count(a)' # here",
        "document `a` is a map without a root",
    ),
    "a total in place of the root": (
        "[documents.a]\nroot = 'a'\n[documents.a.derive]\n'a.n' = 'count(a)' # here",
        "`a.n` is where the entities are",
    ),
    "a total inside a total": (
        "[documents.a]\nroot = 'a'\nderive.'n.m' = 'count(a)' # here\nderive.n = 'count(a)'",
        "derived `n.m` lies inside derived `n`",
    ),
    "a total without quotes": (
        "[documents.a]\nroot = 'b'\nderive._meta.n = 'count(a)' # here",
        'quote a name that descends: "_meta.n"',
    ),
    "a total that is a number": (
        "[documents.a]\nkind = 'record'\nderive.n = 3 # here",
        "a derived field is written as a string",
    ),
    "a total of what is not there": (derive("count(nowhere)"), "unknown document `nowhere`"),
    "a total of a record": (derive("sum(stats/n)"), "`stats` is a record"),
    "a total that subtracts": (derive("3 - count(posts)"), "comes `+` or the end, not `- count"),
    "a total of floats": (derive("1.5 + count(posts)"), "comes `+` or the end, not `.5"),
    "a total that ends early": (derive("count(posts) +"), "expected an integer, `count(DOCUMENT)`"),
    "an empty total": (derive(" "), "expected an integer"),
    "an open call": (derive("count(posts"), "expected `)` at ``"),
    "an unknown function": (derive("mean(posts/n)"), "expected an integer"),
    "a sum of nothing": (derive("sum(posts)"), "it is `count(DOCUMENT)` and `sum(DOCUMENT/FIELD)`"),
    "a count of a field": (derive("count(posts/n)"), "it is `count(DOCUMENT)`"),
    "a sum with a condition": (derive("sum(posts/n where a == 1)"), "expected `)`"),
    "a sum that descends by slashes": (derive("sum(posts/a/b)"), "`a/b` is no field"),
    "a condition without a value": (
        derive("count(posts where a == )"),
        "comes JSON or a string in",
    ),
    "a condition of another kind": (derive("count(posts where a != 1)"), "expected `)`"),
    "a constant out of range": (derive("18446744073709551616"), "outside -2^63 .. 2^64-1"),
    "a constant without an end": (derive("9" * 5000), "outside -2^63 .. 2^64-1"),
    "more terms than fit": (derive("+".join("1" * 256)), "more than 255 terms"),
    # item rules
    "a rule without each": (f"{DOCUMENTS}\n[[items]] # here\ninto = 'posts'", "missing key `each`"),
    "a rule over nothing": (f"{DOCUMENTS}\n[[items]]\neach = '' # here", "`each` cannot be ``"),
    "a rule over ops": (f"{DOCUMENTS}\n[[items]]\neach = 'ops' # here", "`each` cannot be `ops`"),
    "a rule that does nothing": (
        f"{DOCUMENTS}\n[[items]] # here\neach = 'a'",
        "a rule needs `into` or `apply`",
    ),
    "into what is not there": (
        item("into = 'post' # here", "key = ['{id}']"),
        "unknown document `post`",
    ),
    "into a record": (item("into = 'stats' # here", "key = ['{id}']"), "`stats` is a record"),
    "key without into": (
        item("apply = ['inc /stats/n 1']", "key = ['{id}'] # here"),
        "`key` without `into`",
    ),
    "into without key": (item("into = 'posts' # here"), "`into` needs `key`"),
    "a key with an unknown name": (
        item("into = 'posts'", "key = [", "'{id}',", "'{@nr}', # here", "]"),
        "names an unknown `@nr`",
    ),
    "a when without ==": (item("apply = ['inc /stats/n 1']", "when = 'a = 1' # here"), "FIELD =="),
    "a when of two conditions": (
        item("apply = ['inc /stats/n 1']", "when = 'a == 1 and b == 2' # here"),
        "`1 and b == 2` is neither JSON nor a string in single quotes",
    ),
    "a when of the delta's own": (
        item("apply = ['inc /stats/n 1']", "when = '@stream == 1' # here"),
        "conditions see fields, not `@stream`",
    ),
    "a when with a negation": (
        item("apply = ['inc /stats/n 1']", "when = 'not a == 1' # here"),
        "`not a` is no field",
    ),
    # operations
    "an unknown operation": (
        apply("add /stats/n 1"),
        "unknown operation `add` (there are set init",
    ),
    "an operation in capitals": (apply("INC /stats/n 1"), "unknown operation `INC`"),
    "an operation that is one word": (apply("inc"), "is not `OPERATION /DOCUMENT/... VALUE`"),
    "an empty operation": (apply(""), "is not `OPERATION"),
    "an optional test": (apply("test? /stats/n 1"), "`test` cannot be optional"),
    "an unknown document": (apply("inc /nowhere/n 1"), "unknown document `nowhere`"),
    "a path without a slash": (apply("inc stats/n 1"), "path `stats/n` does not start with `/`"),
    "a template for the document": (apply("inc /{d}/n 1"), "where the document stands"),
    "a path to a whole map": (apply("set /posts {}"), "`/posts` names no entity"),
    "a tilde alone": (apply("inc /stats/a~b 1"), "neither `~0` (for ~) nor `~1` (for /)"),
    "a path with a space": (apply("inc /stats/a b 1"), "`b 1` is neither JSON nor"),
    "a brace alone": (apply("inc /stats/{a 1"), "is not `OPERATION /DOCUMENT/... VALUE`"),
    "an empty template": (apply("inc /stats/{} 1"), "has an empty name"),
    "a template with an empty name": (apply("inc /posts/{a..b}/n 1"), "has an empty name"),
    "a template with white space": (apply("inc /posts/{a | b}/n 1"), "white space around a name"),
    "a template with an unknown name": (apply("set /posts/{id}/at {@now}"), "an unknown `@now`"),
    "a missing value": (apply("inc /stats/n"), "`inc` needs a value"),
    "a value for remove": (apply("remove /posts/{id} 1"), "`remove` takes no value"),
    "a value that is no JSON": (apply("set /stats/n yes"), "`yes` is neither JSON nor a string in"),
    "a value that is two": (apply("set /stats/n 1 2"), "`1 2` is neither JSON nor a string in"),
    "a value of two templates": (apply("set /stats/n {a}{b}"), "`{a}{b}` is neither JSON nor"),
    "a value in open quotes": (apply("set /stats/n 'a"), "is not one string in single quotes"),
    "a value out of range": (apply("set /stats/n 18446744073709551616"), "is neither JSON nor"),
    "a value not finite": (apply("set /stats/n NaN"), "`NaN` is neither JSON nor a string in"),
    "a value with a key twice": (apply('set /stats/n {"a": 1, "a": 2}'), "is neither JSON nor"),
    "inc by a float": (apply("inc /stats/n 1.5"), "`inc` adds integers, not `1.5`"),
    "inc by true": (apply("inc /stats/n true"), "`inc` adds integers, not `true`"),
    "a maximum of arrays": (apply("max /stats/n []"), "`max` takes times, numbers or strings"),
    "merge of a number": (apply("merge /posts/a 3"), "`merge` takes an object, not `3`"),
    "remove of a record": (apply("remove /stats"), "`/stats` always exists: no `remove`"),
    "init of a record": (apply("init /stats {}"), "`/stats` always exists: no `init`"),
    "remove of @": (apply("remove /agents/@"), "`/agents/@` always exists: no `remove`"),
    "init of @": (apply("init? /agents/@ {}"), "`/agents/@` always exists: no `init`"),
    "inc of a record": (apply("inc /stats 1"), "`/stats` holds an object: no `inc`"),
    "a record that is a list": (apply("set /stats []"), "`/stats` holds an object, not `[]`"),
    "the root's name under @": (apply("set /agents/@/agents {}"), "is where the entities are"),
    "the root's name in @": (apply('set /agents/@ {"agents": 1}'), "is where the entities are"),
    "the root's name merged into @": (
        apply('merge /agents/@ {"agents": 1}'),
        "is where the entities are",
    ),
    # derived fields are not written
    "a derived field": (apply("inc /stats/all 1"), "`all` of `stats` is derived, never written"),
    "below a derived field": (apply("set /stats/all/x 1"), "`all` of `stats` is derived"),
    "a derived field of @": (apply("set /agents/@/_meta/count 1"), "`_meta.count` of `agents` is"),
    "a derived field by merge": (apply('merge /stats {"all": 1}'), "`all` of `stats` is derived"),
    "a derived field removed": (apply("remove? /agents/@/total"), "`total` of `agents` is derived"),
    # what deltas may carry
    "an unknown operation allowed": (
        f"{DOCUMENTS}\n[ops]\nallow = [\n'inc /stats/n',\n'add /stats/n', # here\n]",
        "unknown operation `add`",
    ),
    "an unknown document allowed": (
        f"{DOCUMENTS}\n[ops]\nallow = ['inc /nowhere/*'] # here",
        "unknown document `nowhere`",
    ),
    "any document allowed": (f"{DOCUMENTS}\n[ops]\nallow = ['set /*/*'] # here", "no stream has a"),
    "an optional operation allowed": (
        f"{DOCUMENTS}\n[ops]\nallow = ['inc? /stats/n'] # here",
        "is optional",
    ),
    "a value allowed": (f"{DOCUMENTS}\n[ops]\nallow = ['inc /stats/n 1'] # here", "holds a value"),
    "a template allowed": (f"{DOCUMENTS}\n[ops]\nallow = ['inc /stats/{{n}}'] # here", "only `*`"),
    "a whole map allowed": (f"{DOCUMENTS}\n[ops]\nallow = ['set /posts'] # here", "no entity"),
}


@pytest.mark.parametrize(("text", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_wrong_is_refused_with_its_line_and_reason(text: str, reason: str) -> None:
    with pytest.raises(RulesInvalid) as refused:
        Rules.parse(text)
    marked = [line for line, said in enumerate(text.split("\n"), 1) if "# here" in said]
    assert reason in refused.value.reason
    assert [refused.value.line] == marked


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("#" * (256 * 1024 + 1), "262145 bytes, more than 262144"),
        ("a = " + "[" * 100_000, "not TOML that can be read"),
        (f"a = {'9' * 5000}", "not TOML that can be read"),
    ],
    ids=["too long", "too deep", "too many digits"],
)
def test_what_no_line_can_be_named_for_is_refused_too(text: str, reason: str) -> None:
    with pytest.raises(RulesInvalid) as refused:
        Rules.parse(text)
    assert refused.value.line is None
    assert reason in refused.value.reason


def test_text_that_is_no_utf8_is_refused_with_its_line() -> None:
    with pytest.raises(RulesInvalid, match="line 2: not UTF-8"):
        Rules.parse("# fine\n# \udce9\n")


ACCEPTED = {
    "a write above a derived field": apply("set /agents/@/_meta {}"),
    "a write of the whole record": apply('set /stats {"all": 1}'),
    "a test of a derived field": apply("test /stats/all 1"),
    "a template where a derived field may be": apply("inc /stats/{name} 1"),
    "a template below @": apply("inc /agents/@/{name} 1"),
    "@ in a document without a root": apply("remove /posts/@"),
    "an object as the value": apply('set /stats/n {"k": [1, 2.0, null]}'),
    "an empty object as the value": apply("init? /posts/{id} { }"),
    "braces in a string": apply('set /stats/n "{x}"'),
    "a string in single quotes": apply("set /stats/n 'a b'"),
    "an empty member name": apply("inc /stats/ 1"),
    "a star in part of a pattern": f"{DOCUMENTS}\n[ops]\nallow = ['set /posts/x*/y']",
    "a pattern over a derived field": f"{DOCUMENTS}\n[ops]\nallow = ['set /stats/all']",
    "tables of commands": """
        [worktree]
        copy = ["notes/*.md"]
        [runs.fleet]
        streams = 4
        [doctor]
        scripts = ["*.sh"]
        """,
    "an empty file": "",
}


@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_what_looks_odd_and_is_right_is_taken(text: str) -> None:
    assert Rules.parse(text.replace("# here", "")).program.startswith(b"GNP1")


def test_the_designs_example_says_what_it_says() -> None:
    rules = Rules.parse(EXAMPLE_RULES)
    assert [document.name for document in rules.documents] == [
        "agents",
        "channels",
        "stats",
        "posts",
        "comments",
    ]
    agents, _, stats, posts, _ = rules.documents
    assert (agents.path, agents.root, agents.create) == ("state/agents.json", "agents", "explicit")
    assert agents.fields["heartbeat_last"] == "max"
    assert (stats.kind, stats.root, posts.path) == ("record", None, None)
    assert (rules.frames.wait_s, rules.frames.reopen) == (120.0, 8)
    assert (rules.export.commit, rules.export.branch) == (True, "main")
    assert rules.export.max_loss == 0.1
    assert rules.terms == ()
    assert rules.text == EXAMPLE_RULES
    assert rules.digest == hashlib.sha256(EXAMPLE_RULES.encode()).digest()


def test_an_empty_file_means_the_defaults() -> None:
    rules = Rules.parse("")
    assert (rules.frames.wait_s, rules.frames.reopen) == (120.0, 8)
    assert (rules.export.commit, rules.export.branch, rules.export.max_loss) == (False, "main", 0.1)
    assert (rules.export.log, rules.export.skip_ci) == (True, True)
    assert (rules.ingest.stream, rules.ingest.frame, rules.store_url) == (None, None, None)
    assert rules.documents == ()


def test_equal_terms_are_kept_once_in_the_order_of_their_first_use() -> None:
    rules = Rules.parse(
        derive("3489 + count(posts) + sum(posts/a.b) + -1 + count(posts)")
        + '\nderive.y = "count(posts where a.b == \'x\') + count(posts where n == {\\"b\\": [1]})"'
    )
    assert rules.terms == (
        Term("count", "agents", None, None),
        Term("count", "posts", None, None),
        Term("sum", "posts", ("a", "b"), None),
        Term("count", "posts", None, Condition(("a", "b"), b'"x"')),
        Term("count", "posts", None, Condition(("n",), b'{"b":[1]}')),
    )


@pytest.mark.parametrize(
    ("written", "wait_s"),
    [("500ms", 0.5), ("120s", 120.0), ("1.5m", 90.0), ("2h", 7200.0), ("7d", 604800.0), ("0s", 0)],
)
def test_a_wait_is_a_number_with_its_unit(written: str, wait_s: float) -> None:
    assert Rules.parse(f"[frames]\nwait = '{written}'").frames.wait_s == wait_s


@pytest.mark.skipif(not CASES.exists(), reason=f"{CASES} is missing")
def test_rules_of_the_conformance_cases_are_taken_or_refused_as_the_cases_imply() -> None:
    refused = {}
    for case in load_cases():
        changed = [step["rules"] for step in case.log if "rules" in step]
        for index, text in enumerate([case.rules, *changed]):
            try:
                Rules.parse(text)
            except RulesInvalid as invalid:
                refused[case.name, index] = invalid.line
    assert refused == {
        ("a-bad-rules-file-leaves-the-rules-in-force", 1): 26,
        ("a-bad-rules-file-leaves-the-rules-in-force", 2): 23,
        ("a-bad-rules-file-leaves-the-rules-in-force", 3): 23,
        ("a-derived-field-is-not-written", 1): 31,
    }


@given(st.data())
def test_damaged_rules_are_taken_or_refused_and_nothing_else(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(EXAMPLE_RULES)))
    end = data.draw(st.integers(start, min(len(EXAMPLE_RULES), start + 40)))
    instead = data.draw(st.text(alphabet="{}[]\"'/@~|.=+?*#\n ax1-\\é\ud800", max_size=12))
    with contextlib.suppress(RulesInvalid):
        Rules.parse(EXAMPLE_RULES[:start] + instead + EXAMPLE_RULES[end:])
