"""The guard refuses what would hurt the state, and nothing else."""

import json
from pathlib import Path

import pytest
from goodneighbor.cli import guard, place
from goodneighbor.cli.git import Git
from goodneighbor.kernel import Rules

from .conftest import Neighbor
from .guarded import (
    MANIFEST,
    QUIET,
    clone_of,
    export,
    fleet_running,
    git,
    pushed,
    read,
    without_neighbor,
)

AGENTS = "state/agents.json"
MARKED = '{\n<<<<<<< Updated upstream\n  "a": 1\n=======\n  "a": 2\n>>>>>>> Stashed changes\n}\n'
COMMITS: dict[str, list[tuple[str, ...]]] = {
    "commit -a": [("commit", "-q", "-a", "-m", "x")],
    "add, commit": [("add", "-A"), ("commit", "-q", "-m", "x")],
    "commit PATH": [("commit", "-q", "-m", "x", "--", AGENTS)],
    "commit -a --no-verify": [("commit", "-q", "-a", "--no-verify", "-m", "x")],
    "commit --amend": [("commit", "-q", "-a", "--amend", "--no-verify", "-m", "x")],
}


@pytest.fixture
def guarded(site: Path, neighbor: Neighbor) -> Path:
    """The site, taken in, exported once, with the guard in force."""
    neighbor("init", "--commit")
    export(site)
    neighbor("guard", "install")
    return site


def edit(site: Path, text: str, path: str = AGENTS) -> None:
    (site / path).write_text(text)


@pytest.mark.parametrize("way", COMMITS)
@pytest.mark.parametrize("text", ["{}\n", '{"agents": {}}\n', MARKED, '{"agents": ', ""])
def test_damage_is_not_committed_whichever_way(guarded: Path, way: str, text: str) -> None:
    before = read(guarded, "rev-parse", "HEAD")
    edit(guarded, text)
    *ahead, last = COMMITS[way]
    for words in ahead:
        git(guarded, *words)
    said = git(guarded, *last, code=1).text
    assert read(guarded, "rev-parse", "HEAD") == before
    assert f"neighbor absorb {AGENTS}" in said
    assert "neighbor export" in said
    assert (guarded / AGENTS).read_text() == text  # and nothing of the person's is touched


def test_each_fault_is_named_with_its_place(guarded: Path) -> None:
    edit(guarded, MARKED)
    edit(guarded, '{"a": 1,\n}', "state/more.json")
    git(guarded, "add", "-A")
    said = git(guarded, "commit", "-m", "x", code=1).text
    assert f"{AGENTS}: neither what the store exported nor what a parent holds" in said
    assert f"{AGENTS}: conflict markers, line 2" in said
    assert "state/more.json: no JSON, line 2, column 1" in said


def test_a_document_is_not_removed(guarded: Path) -> None:
    git(guarded, "rm", "-q", AGENTS)
    git(guarded, "commit", "-q", "-m", "x", code=1)
    git(guarded, "commit", "-q", "--no-verify", "-m", "x", code=1)


def test_other_files_are_committed_as_ever(guarded: Path) -> None:
    edit(guarded, MARKED, "notes.md")
    edit(guarded, '{"broken": ', "elsewhere.json")
    git(guarded, "add", "-A")
    git(guarded, "commit", "-q", "-m", "x")
    edit(guarded, '{"frame": 1}', "state/extra.json")
    git(guarded, "add", "-A")
    git(guarded, "commit", "-q", "-m", "y")


def test_a_partial_commit_is_judged_by_what_it_commits(guarded: Path) -> None:
    """git gives the hook another index than the tree's own."""
    edit(guarded, "{}")
    git(guarded, "add", AGENTS)
    edit(guarded, "A site, with more.\n", "README.md")
    git(guarded, "commit", "-q", "-m", "README alone", "--", "README.md")
    assert read(guarded, "diff", "--cached", "--name-only") == AGENTS
    exported = read(guarded, "show", f"HEAD:{AGENTS}")
    git(guarded, "restore", "--staged", AGENTS)
    assert read(guarded, "show", f":{AGENTS}") == exported
    git(guarded, "commit", "-q", "-m", "x", "--", AGENTS, code=1)


def test_what_skips_the_hooks_of_commit_is_refused_at_the_ref(guarded: Path) -> None:
    git(guarded, "switch", "-q", "-c", "topic")
    edit(guarded, "{}")
    git(guarded, *QUIET, "commit", "-q", "-a", "-m", "without hooks")
    bad = read(guarded, "rev-parse", "HEAD")
    git(guarded, "switch", "-q", "main")
    git(guarded, "branch", "-q", "-D", "topic")
    git(guarded, "cherry-pick", bad, code=1)
    git(guarded, "cherry-pick", "--abort", code=None)
    git(guarded, "merge", "-q", "--no-edit", bad, code=1)
    git(guarded, "update-ref", "refs/heads/main", bad, code=1)
    git(guarded, "branch", "again", bad, code=1)
    git(guarded, "reset", "-q", "--hard", bad, code=1)
    assert read(guarded, "show", f"main:{AGENTS}") != "{}"


def test_exports_reverts_and_our_own_commits_pass(guarded: Path) -> None:
    export(guarded, stats={"total_posts": 1})
    git(guarded, "revert", "--no-edit", "HEAD")
    edit(guarded, "New.\n", "README.md")
    Git(guarded).commit_only(["README.md"], "ours")
    assert json.loads((guarded / "state" / "stats.json").read_text()) == {"total_posts": 0}


def test_without_a_manifest_only_markers_and_json_are_judged(
    site: Path, neighbor: Neighbor
) -> None:
    neighbor("init", "--commit")
    neighbor("guard", "install")
    edit(site, '{"agents": {"ada": {}}}')
    git(site, "commit", "-q", "-a", "-m", "an edit")
    edit(site, MARKED)
    git(site, "commit", "-q", "-a", "-m", "x", code=1)
    edit(site, "{")
    git(site, "commit", "-q", "-a", "-m", "x", code=1)


def test_a_web_edit_strands_nobody(guarded: Path, tmp_path: Path) -> None:
    """Another clone without the guard has edited a document, and even damaged one."""
    _remote, other = clone_of(guarded, tmp_path)
    pushed(other, "an edit on the web", state__agents='{"agents": {"eve": {}}}\n')
    edit(guarded, "Local.\n", "local.md")
    git(guarded, "add", "local.md")
    git(guarded, "commit", "-q", "-m", "a local commit")
    git(guarded, "pull", "-q", "--rebase")
    pushed(other, "damage on the web", state__stats=MARKED)
    edit(guarded, "Local, again.\n", "local.md")
    git(guarded, "commit", "-q", "-a", "-m", "another")
    git(guarded, "pull", "-q", "--no-rebase", "--no-edit")
    git(guarded, "switch", "-q", "-c", "topic")
    edit(guarded, "On a topic.\n", "local.md")
    git(guarded, "commit", "-q", "-a", "-m", "on a topic")
    git(guarded, "push", "-q", "origin", "topic")
    pushed(other, "and one more", state__stats='{"total_posts": 7}\n')
    git(guarded, "switch", "-q", "main")
    git(guarded, "pull", "-q", str(tmp_path / "remote.git"), "main", "--no-rebase", "--no-edit")
    assert (guarded / "state" / "stats.json").read_text() == '{"total_posts": 7}\n'


def test_amending_a_commit_that_holds_an_edit_brings_nothing_new(
    guarded: Path, neighbor: Neighbor
) -> None:
    edit(guarded, '{"agents": {"eve": {}}}\n')
    git(guarded, *QUIET, "commit", "-q", "-a", "-m", "made while the guard was away")
    git(guarded, "commit", "-q", "--amend", "-m", "a better message")


def test_a_push_does_not_carry_damage_that_was_committed_behind_the_guard(
    guarded: Path, tmp_path: Path
) -> None:
    remote, _other = clone_of(guarded, tmp_path)
    edit(guarded, "{}")
    git(guarded, *QUIET, "commit", "-q", "-a", "-m", "behind the guard")
    assert f"absorb {AGENTS}" in git(guarded, "push", "origin", "main", code=1).text
    assert read(remote, "show", f"main:{AGENTS}") != "{}"


def test_a_push_does_not_judge_what_was_there_before_the_guard(
    site: Path, neighbor: Neighbor, tmp_path: Path
) -> None:
    neighbor("init", "--commit")
    export(site)
    edit(site, MARKED)
    git(site, "commit", "-q", "-a", "-m", "an old sin")
    neighbor("guard", "install")
    git(tmp_path, "init", "-q", "--bare", "new.git")
    git(site, "push", "-q", str(tmp_path / "new.git"), "main")


def test_no_stash_on_main_while_the_fleet_is_running(guarded: Path) -> None:
    edit(guarded, "Half a thought.\n", "README.md")
    with fleet_running(guarded):
        said = git(guarded, "stash", code=1).text
        assert "rule 3" in said
        assert (guarded / "README.md").read_text() == "Half a thought.\n"
        assert read(guarded, "stash", "list") == ""
    git(guarded, "stash")  # the fleet was killed: its lease says so


def test_a_linked_worktree_may_stash(guarded: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    git(guarded, "worktree", "add", "-q", "-b", "topic", str(tree))
    (tree / "README.md").write_text("Half a thought.\n")
    with fleet_running(guarded):
        git(tree, "stash")
        git(tree, "stash", "pop")
    (tree / AGENTS).write_text("{}")
    git(tree, "commit", "-q", "-a", "-m", "x", code=1)
    git(tree, "commit", "-q", "-a", "--no-verify", "-m", "x", code=1)


def test_an_autostash_that_git_must_store_is_let_through(guarded: Path) -> None:
    edit(guarded, "Half a thought.\n", "README.md")
    made = read(guarded, "stash", "create", "autostash")
    other = read(guarded, "stash", "create", "by hand")
    with fleet_running(guarded):
        git(guarded, "stash", "store", "-m", "autostash", made)
        git(guarded, "stash", "store", "-m", "autostash", other, code=1)
        git(guarded, "stash", "drop")


def test_a_rebase_on_main_puts_the_autostash_back_whole(guarded: Path, tmp_path: Path) -> None:
    _remote, other = clone_of(guarded, tmp_path)
    edit(guarded, "committed\n", "local.md")
    edit(guarded, "to go\n", "gone.md")
    git(guarded, "add", "-A")
    git(guarded, "commit", "-q", "-m", "local")
    pushed(other, "the fleet", fleet="x\n")
    edit(guarded, "staged\n", "local.md")
    edit(guarded, "new\n", "new.md")
    git(guarded, "add", "-A")
    git(guarded, "rm", "-q", "gone.md")
    edit(guarded, "unstaged\n", "local.md")
    (guarded / "README.md").chmod(0o755)
    staged, unstaged = read(guarded, "diff", "--cached"), read(guarded, "diff")
    said = git(guarded, "pull", "--rebase", "--autostash", code=1).text
    assert "rule 3" in said
    assert (read(guarded, "diff", "--cached"), read(guarded, "diff")) == (staged, unstaged)
    assert "rebase" not in read(guarded, "status")
    git(guarded, *QUIET, "stash")
    git(guarded, "pull", "-q", "--rebase")  # without uncommitted changes it goes through


def test_a_pull_that_moves_forward_keeps_what_is_staged(guarded: Path, tmp_path: Path) -> None:
    """git calls no hook before it; its own way back would drop the staged version."""
    _remote, other = clone_of(guarded, tmp_path)
    pushed(other, "the fleet", fleet="x\n")
    edit(guarded, "staged\n", "README.md")
    git(guarded, "add", "-A")
    edit(guarded, "unstaged\n", "README.md")
    git(guarded, "pull", "-q", "--rebase", "--autostash")
    assert read(guarded, "show", ":README.md") == "staged"
    assert (guarded / "README.md").read_text() == "unstaged\n"
    assert (guarded / "fleet").exists()


def test_a_rebase_that_meets_damage_names_the_way_back(guarded: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    git(guarded, "worktree", "add", "-q", "-b", "topic", str(tree))
    (tree / AGENTS).write_text('{"agents": {"eve": {}}}\n')
    (tree / "more.md").write_text("more\n")
    git(tree, "add", "-A")
    git(tree, *QUIET, "commit", "-q", "-m", "an edit of state")
    export(guarded, stats={"total_posts": 1})
    (tree / "more.md").write_text("uncommitted\n")
    said = git(tree, "rebase", "--autostash", "main", code=1).text
    assert "git rebase --abort" in said
    git(tree, "rebase", "--abort")
    assert (tree / "more.md").read_text() == "uncommitted\n"


def test_a_gone_neighbor_leaves_what_the_shell_can_check(guarded: Path) -> None:
    without_neighbor(guarded)
    edit(guarded, MARKED, "state/more.json")
    git(guarded, "add", "-A")
    said = git(guarded, "commit", "-m", "x", code=1).text
    assert "/nowhere/neighbor does not run, so JSON was not parsed" in said
    assert "state/more.json: conflict markers" in said
    edit(guarded, "{}", "state/more.json")
    edit(guarded, "{}")
    git(guarded, "add", "-A")
    assert "nor what a parent holds" in git(guarded, "commit", "-m", "x", code=1).text
    with fleet_running(guarded):
        git(guarded, "stash", code=1)
    git(guarded, "stash")


def test_no_python_starts_when_no_state_is_touched(guarded: Path, tmp_path: Path) -> None:
    without_neighbor(guarded)
    called = tmp_path / "called"
    program = tmp_path / "neighbor"
    program.write_text(f"#!/bin/sh\necho called >>'{called}'\n")
    program.chmod(0o755)
    settings = guarded / ".git" / "goodneighbor" / "hooks" / "settings"
    settings.write_text(settings.read_text().replace("/nowhere/neighbor", str(program)))
    edit(guarded, "New.\n", "README.md")
    git(guarded, "commit", "-q", "-a", "-m", "x")
    git(guarded, "switch", "-q", "-c", "topic")
    git(guarded, "merge", "-q", "main")
    assert not called.exists()
    edit(guarded, "{}", "state/more.json")
    git(guarded, "add", "-A")
    git(guarded, "commit", "-q", "-m", "x")
    assert called.exists()


def test_a_blob_that_the_merge_driver_made_is_let_through(guarded: Path) -> None:
    edit(guarded, '{"agents": {"eve": {}}}\n')
    blob = read(guarded, "hash-object", "-w", AGENTS)
    git(guarded, "commit", "-q", "-a", "-m", "x", code=1)
    merged = guarded / ".git" / "goodneighbor" / "merged"
    merged.mkdir()
    (merged / blob).touch()
    git(guarded, "commit", "-q", "-a", "-m", "x")


def two_edits(site: Path, ours: tuple[str, str, object], theirs: tuple[str, str, object]) -> None:
    """Make branches `ours` (checked out) and `theirs` that set one field of one agent each."""
    for branch, (name, field, value) in (("theirs", theirs), ("ours", ours)):
        git(site, "switch", "-q", "-c", branch, "main")
        agents = json.loads((site / AGENTS).read_text())
        agents["agents"][name][field] = value
        edit(site, json.dumps(agents, indent=2) + "\n")
        git(site, *QUIET, "commit", "-q", "-a", "-m", branch)


def test_a_merge_joins_two_edits_of_a_document_by_meaning(guarded: Path) -> None:
    two_edits(guarded, ("ada", "post_count", 5), ("ada", "post_count", 3))
    git(guarded, "merge", "-q", "--no-edit", "theirs")
    assert json.loads((guarded / AGENTS).read_text())["agents"]["ada"]["post_count"] == 8
    edit(guarded, "{}")
    git(guarded, "commit", "-q", "-a", "-m", "x", code=1)


def test_what_cannot_be_merged_is_marked_and_not_committed(guarded: Path) -> None:
    two_edits(guarded, ("ada", "name", "Ada L."), ("ada", "name", "Lady Ada"))
    said = git(guarded, "merge", "theirs", code=1).text
    assert f"{AGENTS}: both sides changed /agents/ada/name" in said
    text = (guarded / AGENTS).read_text()
    assert "<<<<<<< ours" in text
    assert "Ada L." in text
    assert "Lady Ada" in text
    git(guarded, "commit", "-q", "-a", "--no-verify", "-m", "x", code=1)


def test_without_neighbor_two_edits_are_never_one_side_in_silence(guarded: Path) -> None:
    """Lines far apart would merge as text into JSON that nobody wrote: both stand in it, marked."""
    two_edits(guarded, ("ada", "post_count", 5), ("dee", "post_count", 5))
    without_neighbor(guarded)
    git(guarded, "merge", "theirs", code=1)
    text = (guarded / AGENTS).read_text()
    assert "<<<<<<< ours" in text
    assert ">>>>>>> theirs" in text
    assert text.count('"post_count": 5') == 2
    git(guarded, "commit", "-q", "-a", "--no-verify", "-m", "x", code=1)


def test_without_a_store_nothing_is_refused(guarded: Path) -> None:
    store = guarded / ".git" / "goodneighbor"
    (store / "mailbox").rename(store / "elsewhere")
    edit(guarded, "{}")
    git(guarded, "commit", "-q", "-a", "-m", "x")
    git(guarded, "stash", "list")
    (store / "elsewhere").rename(store / "mailbox")


def test_a_changed_rule_reaches_the_hooks(guarded: Path) -> None:
    where = place.find(str(guarded))
    rules = where.open_store().rules_text() + '[documents.more]\npath = "other/more.json"\n'
    guard.refresh(where, Rules.parse(rules))
    (guarded / "other").mkdir()
    edit(guarded, "{", "other/x.json")
    git(guarded, "add", "-A")
    git(guarded, "commit", "-q", "-m", "x", code=1)


def test_odd_names_are_judged_too(guarded: Path) -> None:
    for name in ("a b", "ümlaut", 'quo"te', "tab\there"):
        edit(guarded, "{", f"state/{name}.json")
        git(guarded, "add", "-A")
        git(guarded, "commit", "-q", "-m", "x", code=1)
        edit(guarded, "{}", f"state/{name}.json")
        git(guarded, "add", "-A")
        git(guarded, "commit", "-q", "-m", "x")
    assert read(guarded, "status", "--porcelain") == ""
    assert MANIFEST in read(guarded, "ls-files", "state")
