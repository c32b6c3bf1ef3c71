"""`neighbor init`: what it finds, what it writes, and what it refuses before it writes anything."""

import json
import subprocess
from pathlib import Path

import pytest
from goodneighbor.cli.documents import guess
from goodneighbor.cli.git import Git
from goodneighbor.kernel import Rules, canonical

from .. import fleet
from .conftest import Neighbor


def everything(tree: Path) -> dict[str, bytes]:
    """Return every file of a working tree, by path."""
    return {
        str(file.relative_to(tree)): file.read_bytes()
        for file in tree.rglob("*")
        if file.is_file() and ".git" not in file.relative_to(tree).parts
    }


def test_init_writes_rules_that_can_be_read_and_leaves_the_documents_alone(
    site: Path, neighbor: Neighbor
) -> None:
    before = everything(site)
    result = neighbor("init")
    after = everything(site)
    rules = Rules.parse(after.pop("neighbor.toml").decode())
    assert after == before
    by_name = {document.name: document for document in rules.documents}
    assert by_name["agents"].root == "agents"
    assert by_name["agents"].fields["post_count"] == "sum"
    assert by_name["stats"].kind == "record"
    assert "state/agents.json: 4 entities under 'agents'" in result.text
    assert "neighbor append" in result.text


def test_init_logs_what_the_documents_hold(site: Path, neighbor: Neighbor) -> None:
    neighbor("init")
    shown = neighbor("show", "/agents")
    assert shown.out == canonical(fleet.BASE["agents"])
    assert neighbor("show", "/stats/total_posts", "--json").json["value"] == 0


def test_rules_that_are_there_are_used_as_they_are(site: Path, neighbor: Neighbor) -> None:
    (site / "neighbor.toml").write_text(fleet.RULES)
    neighbor("init")
    assert (site / "neighbor.toml").read_text() == fleet.RULES
    assert neighbor("status").code == 0


def test_commit_rewrites_the_layout_only_and_lets_blame_look_through(
    site: Path, neighbor: Neighbor
) -> None:
    git = Git(site)
    answer = neighbor("init", "--commit", "--json").json
    for name in fleet.BASE:
        data = (site / "state" / f"{name}.json").read_bytes()
        assert data == canonical(data)
        assert json.loads(data) == json.loads(fleet.BASE[name])
        assert git.blob("main", f"state/{name}.json") == data
    assert git.blob("main", "neighbor.toml") is not None
    ignored = (site / ".git-blame-ignore-revs").read_text().split()
    assert answer["commit"] in ignored
    assert git.tip("main") == answer["blame_commit"]
    assert git.changes(["."]) == []


def test_commit_takes_its_own_paths_only(site: Path, neighbor: Neighbor) -> None:
    git = Git(site)
    (site / "README.md").write_text("Changed.\n")
    (site / "mine.txt").write_text("Staged.\n")
    git.call("add", "--", "mine.txt")
    neighbor("init", "--commit")
    left = {change.path: change.staged for change in git.changes(["."])}
    assert left == {"README.md": False, "mine.txt": True}


@pytest.mark.parametrize("staged", [False, True])
def test_commit_refuses_a_document_somebody_has_changed(
    site: Path, neighbor: Neighbor, staged: bool
) -> None:
    (site / "state" / "agents.json").write_text('{"agents": {"ada": {}}}')
    if staged:
        Git(site).call("add", "--", "state/agents.json")
    before = everything(site)
    result = neighbor("init", "--commit", code=3)
    assert f"state/agents.json: {'staged' if staged else 'modified'}" in result.err
    assert everything(site) == before
    assert not (site / ".git" / "goodneighbor").exists()


def test_commit_refuses_while_a_merge_is_unfinished(site: Path, neighbor: Neighbor) -> None:
    (site / ".git" / "MERGE_HEAD").write_text(Git(site).tip("main") or "")
    assert "a merge is unfinished" in neighbor("init", "--commit", code=3).err
    assert not (site / ".git" / "goodneighbor").exists()


def test_commit_refuses_rules_that_git_ignores(site: Path, neighbor: Neighbor) -> None:
    (site / ".gitignore").write_text("*.toml\n")
    (site / "neighbor.toml").write_text(fleet.RULES)
    assert "git ignores neighbor.toml" in neighbor("init", "--commit", code=3).err


def test_an_existing_blame_file_is_added_to(site: Path, neighbor: Neighbor) -> None:
    (site / ".git-blame-ignore-revs").write_text("# ours\n0123456789")
    Git(site).commit_only([".git-blame-ignore-revs"], "blame")
    commit = neighbor("init", "--commit", "--json").json["commit"]
    lines = (site / ".git-blame-ignore-revs").read_text().splitlines()
    assert lines[:2] == ["# ours", "0123456789"]
    assert lines[-1] == commit


def test_the_first_commit_of_all_can_be_ours(
    repository: Path, neighbor: Neighbor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    (repository / "state").mkdir()
    (repository / "state" / "stats.json").write_text('{"n":1}')
    neighbor("init", "--commit")
    assert Git(repository).blob("main", "state/stats.json") == b'{\n  "n": 1\n}\n'


def test_what_an_init_that_died_left_behind_is_no_store(site: Path, neighbor: Neighbor) -> None:
    folder = site / ".git" / "goodneighbor"
    (folder / "mailbox").mkdir(parents=True)
    (folder / "store.lock").touch()
    (folder / "store.sqlite3.new").write_bytes(b"half")
    neighbor("init")
    neighbor("verify")


def test_a_bare_repository_is_refused(
    tmp_path: Path, neighbor: Neighbor, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "init", "--quiet", "--bare", tmp_path / "bare.git"], check=True)
    monkeypatch.chdir(tmp_path / "bare.git")
    assert "No main working tree" in neighbor("init", code=3).err


def test_an_export_after_init_finds_its_own_bytes(site: Path, neighbor: Neighbor) -> None:
    """Neither what lay there nor the canonical form of it is somebody's edit."""
    neighbor("init", "--commit")
    assert neighbor("export", "--json").json["saved"] == []


def test_documents_in_canonical_form_need_no_blame_file(site: Path, neighbor: Neighbor) -> None:
    for name, data in fleet.BASE.items():
        (site / "state" / f"{name}.json").write_bytes(canonical(data))
    Git(site).commit_only(["state"], "canonical")
    assert neighbor("init", "--commit", "--json").json["blame_commit"] is None
    assert not (site / ".git-blame-ignore-revs").exists()


def test_a_damaged_document_is_named_with_reason_and_position(
    site: Path, neighbor: Neighbor, shared_data: Path
) -> None:
    damaged = (shared_data / "damaged" / "stats-stash-markers.json").read_bytes()
    (site / "state" / "stats.json").write_bytes(damaged)
    before = everything(site)
    result = neighbor("init", code=3)
    line = damaged[: damaged.index(b"<<<<<<<")].count(b"\n") + 1
    assert f"state/stats.json, line {line}, column 1:" in result.err
    assert everything(site) == before
    assert not (site / ".git" / "goodneighbor").exists()


def test_a_damaged_document_of_existing_rules_is_named_too(site: Path, neighbor: Neighbor) -> None:
    (site / "neighbor.toml").write_text('[documents.people]\npath = "data/people.json"\n')
    (site / "data").mkdir()
    (site / "data" / "people.json").write_text('{"ada": {},}')
    assert "data/people.json, line 1, column 12" in neighbor("init", code=3).err


def test_a_second_init_changes_nothing(site: Path, neighbor: Neighbor) -> None:
    neighbor("init")
    before = everything(site)
    assert "There is a store already" in neighbor("init", code=3).err
    assert everything(site) == before


def test_a_refused_init_takes_its_rules_back(site: Path, neighbor: Neighbor) -> None:
    (site / ".git" / "goodneighbor").mkdir()
    (site / ".git" / "goodneighbor" / "somebody's").write_text("not ours")
    neighbor("init", code=3)
    assert not (site / "neighbor.toml").exists()


def test_init_from_a_linked_worktree_takes_the_main_tree_in(
    site: Path, neighbor: Neighbor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    side = tmp_path / "side"
    subprocess.run(["git", "worktree", "add", "--quiet", "-b", "side", side], check=True, cwd=site)
    monkeypatch.chdir(side)
    neighbor("init")
    assert (site / "neighbor.toml").exists()
    assert not (side / "neighbor.toml").exists()


def test_an_empty_repository_can_be_taken_in(
    repository: Path, neighbor: Neighbor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    assert "No documents under state/" in neighbor("init").text
    Rules.parse((repository / "neighbor.toml").read_text())


def test_what_holds_no_object_or_is_a_symlink_is_left_alone(site: Path, neighbor: Neighbor) -> None:
    (site / "state" / "list.json").write_text("[1]")
    (site / "state" / "link.json").symlink_to("agents.json")
    left = neighbor("init", "--json").json["left"]
    assert left == [
        {"path": "state/link.json", "reason": "not a regular file"},
        {"path": "state/list.json", "reason": "holds no object"},
    ]


def test_delta_files_that_are_there_count_as_merged(site: Path, neighbor: Neighbor) -> None:
    _put_delta(site, 1)
    assert neighbor("init", "--json").json["delta_files"] == {"known": 1, "pending": 0}
    neighbor("frame", "close", "1")
    assert neighbor("show", "/stats/total_posts").out == b"0\n"


def test_pending_from_leaves_the_newer_ones_to_be_collected(site: Path, neighbor: Neighbor) -> None:
    _put_delta(site, 1)
    _put_delta(site, 2)
    answer = neighbor("init", "--pending-from", "2", "--json").json
    assert answer["delta_files"] == {"known": 1, "pending": 1}
    neighbor("frame", "close", "2", "--wait", "0s")
    assert neighbor("show", "/stats/total_posts").out == b"1\n"


def test_real_state_is_taken_in_and_proposals_are_right(
    repository: Path,
    tmp_path: Path,
    shared_data: Path,
    neighbor: Neighbor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bundle = shared_data / "fleet-history.bundle"
    subprocess.run(["git", "clone", "--quiet", bundle, tmp_path / "fleet"], check=True)
    monkeypatch.chdir(tmp_path / "fleet")
    before = {
        name: json.loads((tmp_path / "fleet" / "state" / f"{name}.json").read_bytes())
        for name in ("agents", "channels", "stats")
    }
    neighbor("init", "--commit")
    text = (tmp_path / "fleet" / "neighbor.toml").read_text()
    rules = {document.name: document for document in Rules.parse(text).documents}
    assert (rules["agents"].root, rules["channels"].root) == ("agents", "channels")
    assert rules["agents"].fields["heartbeat_last"] == "max"
    assert rules["agents"].fields["subscribed_channels"] == "set"
    assert rules["stats"].kind == "record"
    assert '# total_agents = "count(agents)"' in text
    for name, value in before.items():
        data = (tmp_path / "fleet" / "state" / f"{name}.json").read_bytes()
        assert json.loads(data) == value
        assert neighbor("show", f"/{name}").out == data == canonical(data)
    neighbor("export", "--check")


@pytest.mark.parametrize(
    ("name", "value", "kind", "root"),
    [
        ("agents", {"agents": {}}, "map", "agents"),
        ("agents", {"agents": {"a": {}}, "_meta": {"count": 1}}, "map", "agents"),
        ("people", {"agents": {"a": {"n": 1}}, "last_updated": "x"}, "map", "agents"),
        ("people", {"a": {"n": 1}, "b": {"n": 2}}, "map", None),
        ("stats", {"total": 1}, "record", None),
        ("config", {"limits": {"a": 1}, "paths": {"b": 2}}, "record", None),
        ("agents", {"agents": {"@": {}}}, "record", None),
        ("agents", {"agents": {"a": 1}}, "record", None),
        ("empty", {}, "record", None),
    ],
)
def test_the_shape_of_a_document_is_guessed(
    name: str, value: dict[str, object], kind: str, root: str | None
) -> None:
    document = guess(name, f"state/{name}.json", value)
    assert (document.kind, document.root) == (kind, root)


def _put_delta(site: Path, frame: int) -> None:
    folder = site / "state" / "stream_deltas"
    folder.mkdir(exist_ok=True)
    (folder / f"frame-{frame}.json").write_bytes(
        fleet.delta(frame, "stream-1", fleet.post(frame, "ada"))
    )
