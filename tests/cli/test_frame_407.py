"""Frame 407: a pull over uncommitted changes, a pop that failed, markers read as empty, committed.

Each way to the accident is played on real git, beside a fleet that pushes: with the guard at no
point is a damaged or emptied document committed or a change lost; without it (control) it happens.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from .conftest import Neighbor
from .guarded import DOCUMENTS, clone_of, export, fleet_running, git, read

AGENTS = "state/agents.json"
AGENTS_LEAST = 4
PULLS: dict[str, list[tuple[str, ...]]] = {
    "pull --rebase, autostash configured": [("pull", "--rebase")],
    "pull --rebase --autostash": [("pull", "--rebase", "--autostash")],
    "pull --autostash": [("pull", "--no-rebase", "--no-edit", "--autostash")],
    "stash; pull; stash pop": [("stash",), ("pull", "--rebase"), ("stash", "pop")],
    "fetch; stash; rebase; stash pop": [
        ("fetch",), ("stash",), ("rebase", "origin/main"), ("stash", "pop"),
    ],
    "fetch; rebase --autostash": [("fetch",), ("rebase", "--autostash", "origin/main")],
    "fetch; merge --autostash": [("fetch",), ("merge", "--no-edit", "--autostash", "origin/main")],
}  # fmt: skip
COMMITS: list[tuple[str, ...]] = [
    ("commit", "-am", "x"),
    ("add", "-A"),
    ("commit", "-m", "x"),
    ("commit", "-am", "x", "--no-verify"),
    ("add", "-A"),
    ("commit", "-m", "x", "--no-verify"),
    ("rebase", "--continue"),
    ("push", "origin", "HEAD:main"),
    ("push", "--no-verify", "--force", "origin", "HEAD:main"),
]


@dataclass(frozen=True)
class Accident:
    """A main tree with uncommitted changes, and a fleet that has pushed meanwhile."""

    site: Path
    remote: Path
    mine: dict[str, str]  # what a person has not committed: path to a text in it
    staged: str  # a text of notes.txt that is in the index alone


def agents(karma: int) -> dict[str, object]:
    names = ("ada", "bob", "cyd", "dee")
    return {"agents": {name: {"karma": karma, "name": name} for name in names}}


def documents(karma: int) -> dict[str, object]:
    return {"agents": agents(karma), "stats": {"total_posts": karma}}


@pytest.fixture(params=["fast-forward", "diverged"])
def accident(
    request: pytest.FixtureRequest, site: Path, neighbor: Neighbor, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Accident:  # fmt: skip
    """The main tree on the eve of frame 407; the user's own configuration asks for autostash."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_EDITOR", "true")
    git(site, "config", "--global", "rebase.autoStash", "true")
    neighbor("init", "--commit")
    (site / "notes.txt").write_text("committed\n")
    git(site, "add", "notes.txt")
    git(site, "commit", "-q", "-m", "notes")
    export(site, "An export", **documents(1))
    remote, other = clone_of(site, tmp_path)
    if request.param == "diverged":
        git(site, "commit", "-q", "--allow-empty", "-m", "a local commit")
    export(other, "frame 407", **documents(407))
    git(other, "push", "-q", "origin", "main")
    (site / "notes.txt").write_text("staged alone\n")
    git(site, "add", "notes.txt")
    (site / "notes.txt").write_text("half a thought\n")
    text = json.dumps(agents(1) | {"_mine": "my scripts"}, indent=2).replace(
        'karma": 1', 'karma": 9'
    )
    (site / AGENTS).write_text(text)
    mine = {"notes.txt": "half a thought", AGENTS: "my scripts"}
    return Accident(site, remote, mine, "staged alone")


def careless_reader(site: Path) -> None:
    """What the next worker did: a document that does not parse is taken for empty, and written."""
    for path in DOCUMENTS:
        try:
            json.loads((site / path).read_text())
        except json.JSONDecodeError:
            (site / path).write_text("{}\n")


def damage(folder: Path) -> list[str]:
    """Name the documents in any commit of any branch that do not parse, or lost their agents."""
    found: list[str] = []
    for commit in read(folder, "rev-list", "--branches", "--remotes").split():
        found += _judged(folder, commit)
    return found


@cache
def _judged(folder: Path, commit: str) -> list[str]:
    """Judge one commit, which never changes."""
    found = []
    for path in DOCUMENTS:
        shown = git(folder, "show", f"{commit}:{path}", code=None)
        try:
            held = json.loads(shown.text) if shown.code == 0 else {}
        except json.JSONDecodeError:
            found.append(f"{commit[:7]} {path}: markers")
            continue
        if path == AGENTS and len(held.get("agents", {})) < AGENTS_LEAST:
            found.append(f"{commit[:7]} {path}: {len(held.get('agents', {}))} agents")
    return found


def places(site: Path, path: str) -> Iterator[str]:
    """Yield every text that a file has somewhere a person finds it."""
    yield (site / path).read_text()
    yield git(site, "show", f":{path}", code=None).text
    kept = read(site, "for-each-ref", "--format=%(objectname)", "refs/goodneighbor").split()
    kept += (
        read(site, "log", "-g", "--format=%H", "refs/stash", "--").split() if stashes(site) else []
    )
    pending = ("MERGE_AUTOSTASH", "rebase-merge/autostash", "rebase-apply/autostash")
    kept += [
        (site / ".git" / name).read_text().strip()
        for name in pending
        if (site / ".git" / name).exists()
    ]
    for commit in kept:
        yield git(site, "show", f"{commit}:{path}", code=None).text
        yield git(site, "show", f"{commit}^2:{path}", code=None).text


def stashes(site: Path) -> bool:
    return git(site, "rev-parse", "--verify", "--quiet", "refs/stash", code=None).code == 0


def lost(accident: Accident, *, is_added: bool) -> list[str]:
    """Name the person's changes that are nowhere any more; `add` replaces what was staged."""
    wanted = [*accident.mine.items(), *([] if is_added else [("notes.txt", accident.staged)])]
    return [
        text
        for path, text in wanted
        if not any(text in each for each in places(accident.site, path))
    ]


def play(accident: Accident, pull: str, *, check: bool) -> None:
    """Pull, let the careless reader by, and commit in every way there is."""
    is_added = False
    for words in [*PULLS[pull], *COMMITS[:6], (), *COMMITS]:
        if words:
            said = git(accident.site, *words, code=None).text
        else:
            careless_reader(accident.site)
        is_added = is_added or words[:1] == ("add",)
        if check:
            assert damage(accident.site) == [], f"git {words}: {said}"
            assert damage(accident.remote) == [], f"git {words}: {said}"
            assert lost(accident, is_added=is_added) == [], f"git {words}: {said}"


@pytest.mark.parametrize("fleet", ["a fleet runs", "no fleet runs"])
@pytest.mark.parametrize("pull", PULLS)
def test_with_the_guard_nothing_is_damaged_and_nothing_lost(
    pull: str, fleet: str, accident: Accident, neighbor: Neighbor
) -> None:
    neighbor("guard", "install")
    if fleet == "a fleet runs":
        with fleet_running(accident.site):
            play(accident, pull, check=True)
    else:
        play(accident, pull, check=True)


@pytest.mark.parametrize("pull", PULLS)
def test_control_without_the_guard_it_happens(pull: str, accident: Accident) -> None:
    assert damage(accident.site) == []
    play(accident, pull, check=False)
    assert damage(accident.site) != []


CONFLICT = re.compile(r"<{7} [^\n]*\n(.*?)={7}\n(.*?)>{7} [^\n]*\n", re.DOTALL)


@pytest.mark.parametrize("name", ["stats", "channels"])
@pytest.mark.parametrize("guarded", [True, False], ids=["guard", "control"])
def test_the_files_of_that_day(
    name: str, guarded: bool, site: Path, neighbor: Neighbor, tmp_path: Path, shared_data: Path
) -> None:
    """A stash popped over the fleet's version made those bytes; only the control commits them."""
    damaged = (shared_data / "damaged" / f"{name}-stash-markers.json").read_text()
    upstream, stashed = CONFLICT.sub(r"\1", damaged), CONFLICT.sub(r"\2", damaged)
    before = CONFLICT.sub(lambda found: re.sub(r"\d", "1", found[1]), damaged)
    document = site / "state" / f"{name}.json"
    document.write_text(before)
    git(site, "commit", "-q", "-a", "-m", "before")
    neighbor("init")
    export(site)
    _remote, other = clone_of(site, tmp_path)
    (other / "state" / f"{name}.json").write_text(upstream)
    export(other, "the fleet")
    git(other, "push", "-q", "origin", "main")
    if guarded:
        neighbor("guard", "install")
    document.write_text(stashed)
    steps: list[tuple[str, ...]] = [("stash",), ("pull", "-q", "--rebase"), ("stash", "pop")]
    for words in steps:
        git(site, *words, code=None)
    assert guarded or document.read_text() == damaged  # the guard's merge driver may join them
    document.write_text(damaged)
    for words in COMMITS[:6]:
        git(site, *words, code=None)
    committed = read(site, "show", f"HEAD:state/{name}.json") + "\n"
    assert committed.rstrip() == (upstream if guarded else damaged).rstrip()
    careless_reader(site)
    for words in COMMITS[:6]:
        git(site, *words, code=None)
    committed = read(site, "show", f"HEAD:state/{name}.json")
    assert committed == (upstream.rstrip() if guarded else "{}")
