"""Edits made outside the store, on real git: from the tip and from the working tree, each once."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from goodneighbor.store import Store
from goodneighbor.store.step import watch

from .. import fleet
from .conftest import Neighbor

RULES = fleet.RULES.replace(
    '[documents.agents]', '[export]\ncommit = true\n\n[documents.agents]', 1
).replace('heartbeat_last = "max"', 'heartbeat_last = "max"\njoined = "first"')  # fmt: skip
AGENTS = "state/agents.json"


class Killed(BaseException):
    """Stands in for a SIGKILL at a named step."""


@pytest.fixture
def exported(site: Path, neighbor: Neighbor) -> Iterator[Path]:
    """The site with frame 1 closed and committed."""
    (site / "neighbor.toml").write_text(RULES)
    neighbor("init", "--commit")
    neighbor("append", stdin=fleet.delta(1, "s1", fleet.post(1, "ada")))
    neighbor("frame", "close", "1")
    yield site
    assert Store.open(site / ".git" / "goodneighbor").verify() == []


def git(folder: Path, *words: str, stdin: str | None = None) -> str:
    done = subprocess.run(
        ["git", *words], cwd=folder, input=stdin, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def agents(site: Path, commit: str = "main") -> dict[str, Any]:
    """Return the agents in a commit."""
    return dict(json.loads(git(site, "show", f"{commit}:{AGENTS}"))["agents"])


def edit(site: Path, **changes: Mapping[str, object] | None) -> None:
    """Change members of agents in the working tree; None removes one."""
    file = site / AGENTS
    whole = json.loads(file.read_bytes())
    for name, change in changes.items():
        if change is None:
            del whole["agents"][name]
        else:
            whole["agents"].setdefault(name, {}).update(change)
    file.write_text(json.dumps(whole, indent=2))


def commit_edit(site: Path, **changes: Mapping[str, object] | None) -> None:
    """Commit an edit as a clone without the guard would."""
    edit(site, **changes)
    git(site, "commit", "-q", "--no-verify", "-m", "an edit on the web", "--", AGENTS)


def store_of(site: Path) -> Store:
    return Store.open(site / ".git" / "goodneighbor")


def close(neighbor: Neighbor, frame: int, code: int = 0) -> str:
    neighbor("append", stdin=fleet.delta(frame, "s1"))
    return neighbor("frame", "close", str(frame), code=code).text


def killed_at(step: str, neighbor: Neighbor, *words: str) -> None:
    def kill(reached: str) -> None:
        if reached == step:
            raise Killed(step)

    watch(kill)
    try:
        with pytest.raises(Killed):
            neighbor(*words)
    finally:
        watch(None)


# --- from the tip -------------------------------------------------------------------------------


def test_a_document_changed_at_the_tip_survives_the_next_export_once(
    exported: Path, neighbor: Neighbor
) -> None:
    commit_edit(exported, bob={"post_count": 5})
    said = close(neighbor, 2)
    assert f"{AGENTS}: edit at" in said
    assert "1 operation" in said
    close(neighbor, 3)
    assert agents(exported)["bob"]["post_count"] == 5
    assert [each.path for each in store_of(exported).taken_in()] == [AGENTS]
    assert git(exported, "status", "--porcelain", "state") == ""


def test_a_lowered_maximum_a_changed_first_and_an_agent_added_again_survive(
    exported: Path, neighbor: Neighbor
) -> None:
    back = {"heartbeat_last": "2020-01-01T00:00:00Z", "joined": "2025-05-05"}
    commit_edit(exported, ada={"joined": "2026-01-01"})
    close(neighbor, 2)
    store = store_of(exported)
    store.append(b'{"frame": 3, "stream_id": "s2"}')
    neighbor("frame", "close", "3")
    commit_edit(exported, ada=back, zoe={"name": "zoe"})
    close(neighbor, 4)
    found = agents(exported)
    assert {**found["ada"], **back} == found["ada"]
    assert found["zoe"] == {"name": "zoe"}


@pytest.mark.parametrize("step", ["absorb: note kept", "commit: objects written"])
def test_an_edit_at_the_tip_counts_once_when_the_export_is_killed(
    exported: Path, neighbor: Neighbor, step: str
) -> None:
    commit_edit(exported, bob={"post_count": 5})
    neighbor("append", stdin=fleet.delta(2, "s1"))
    killed_at(step, neighbor, "frame", "close", "2")
    neighbor("export", "--commit")
    assert agents(exported)["bob"]["post_count"] == 5
    assert len(store_of(exported).taken_in()) == 1


def test_damage_at_the_tip_is_named_and_the_stores_version_goes_out(
    exported: Path, neighbor: Neighbor
) -> None:
    before = agents(exported)
    (exported / AGENTS).write_text('<<<<<<< ours\n{}\n=======\n{"agents": {}}\n>>>>>>> theirs\n')
    git(exported, "commit", "-q", "--no-verify", "-am", "an accident")
    neighbor("append", stdin=fleet.delta(2, "s1"))
    said = neighbor("frame", "close", "2", code=1).err
    assert f"Not taken in: {AGENTS}: it holds conflict markers" in said
    assert agents(exported) == before
    assert store_of(exported).taken_in() == []


def test_an_emptied_document_at_the_tip_is_named_and_written_again(
    exported: Path, neighbor: Neighbor
) -> None:
    before = agents(exported)
    (exported / AGENTS).write_text('{"agents": {}}\n')
    git(exported, "commit", "-q", "--no-verify", "-am", "an accident")
    assert "4 of 4 entities are gone" in neighbor("export", "--commit", code=1).err
    assert agents(exported) == before


def test_a_manifest_with_markers_counts_as_none(exported: Path, neighbor: Neighbor) -> None:
    (exported / "state/manifest.json").write_text("<<<<<<< ours\n=======\n>>>>>>> theirs\n")
    edit(exported, bob={"post_count": 5})
    git(exported, "commit", "-q", "--no-verify", "-am", "an accident")
    close(neighbor, 2)
    assert agents(exported)["bob"]["post_count"] == 5


def test_an_edit_before_the_first_export_survives_it(site: Path, neighbor: Neighbor) -> None:
    (site / "neighbor.toml").write_text(RULES)
    neighbor("init", "--commit")
    commit_edit(site, bob={"post_count": 5})
    neighbor("append", stdin=fleet.delta(1, "s1", fleet.post(1, "bob")))
    neighbor("frame", "close", "1")
    assert agents(site)["bob"]["post_count"] == 6


def edit_on_remote(exported: Path, name: str, **changes: Mapping[str, object] | None) -> None:
    """Edit agents in a clone without a guard, and push that."""
    clone = exported.parent / name
    git(exported.parent, "clone", "-q", str(exported.parent / "remote.git"), str(clone))
    commit_edit(clone, **changes)
    git(clone, "push", "-q", "origin", "main")


@pytest.fixture
def pushed(exported: Path, neighbor: Neighbor) -> Path:
    """The exported site, pushed to a remote of its own."""
    git(exported.parent, "init", "-q", "--bare", "-b", "main", "remote.git")
    git(exported, "remote", "add", "origin", str(exported.parent / "remote.git"))
    neighbor("export", "--push")
    return exported


def test_a_document_changed_on_the_remote_between_two_exports_survives_once(
    pushed: Path, neighbor: Neighbor
) -> None:
    edit_on_remote(pushed, "web", bob={"post_count": 5})
    close(neighbor, 2)  # an export of ours that the remote will not take as it is
    neighbor("export", "--push")
    edit_on_remote(pushed, "phone", cyd={"post_count": 3})
    close(neighbor, 3)
    neighbor("export", "--push")
    remote = agents(pushed.parent / "remote.git")
    assert (remote["bob"]["post_count"], remote["cyd"]["post_count"]) == (5, 3)
    assert agents(pushed) == remote
    assert len(store_of(pushed).taken_in()) == 2


def test_an_edit_on_the_remote_counts_once_when_its_push_is_rejected(
    pushed: Path, neighbor: Neighbor
) -> None:
    edit_on_remote(pushed, "web", bob={"post_count": 5})
    hook = pushed.parent / "remote.git/hooks/pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    close(neighbor, 2)
    neighbor("export", "--push", code=3)
    commit_edit(pushed, cyd={"post_count": 3})  # and somebody edits what we have here
    neighbor("export", "--commit")
    hook.unlink()
    neighbor("export", "--push")
    remote = agents(pushed.parent / "remote.git")
    assert (remote["bob"]["post_count"], remote["cyd"]["post_count"]) == (5, 3)


# --- somebody put the branch back ---------------------------------------------------------------


def reverted(site: Path, neighbor: Neighbor) -> None:
    """Let frame 2 be exported, and its commit be reverted."""
    neighbor("append", stdin=fleet.delta(2, "s1", fleet.post(2, "bob")))
    neighbor("frame", "close", "2")
    git(site, "revert", "--no-edit", "HEAD")


def test_a_reverted_export_is_a_persons_decision(exported: Path, neighbor: Neighbor) -> None:
    reverted(exported, neighbor)
    said = neighbor("export", "--commit", code=3).err
    assert "neighbor absorb --revert" in said
    assert "neighbor export --commit --forward" in said


def test_absorb_revert_takes_the_state_back(exported: Path, neighbor: Neighbor) -> None:
    reverted(exported, neighbor)
    neighbor("absorb", "--revert")
    assert agents(exported)["bob"]["post_count"] == 0
    assert json.loads(store_of(exported).document("stats"))["total_posts"] == 1
    close(neighbor, 3)
    assert agents(exported)["bob"]["post_count"] == 0


def test_export_forward_keeps_the_stores_state(exported: Path, neighbor: Neighbor) -> None:
    reverted(exported, neighbor)
    neighbor("export", "--commit", "--forward")
    assert agents(exported)["bob"]["post_count"] == 1
    assert store_of(exported).taken_in() == []


# --- from the working tree ----------------------------------------------------------------------


def test_an_edit_in_the_tree_is_taken_in_and_the_tree_is_clean(
    exported: Path, neighbor: Neighbor
) -> None:
    edit(exported, bob={"post_count": 5})
    git(exported, "add", AGENTS)
    (exported / "README.md").write_text("Edited, and not ours.\n")
    answer = neighbor("absorb", AGENTS, "--json").json
    assert answer["absorbed"] == [
        {
            "document": "agents",
            "path": AGENTS,
            "frame": 1,
            "operations": 1,
            "put_back": True,
            "saved": None,
        }
    ]
    assert git(exported, "status", "--porcelain") == " M README.md\n"
    neighbor("export", "--commit")
    assert agents(exported)["bob"]["post_count"] == 5
    assert git(exported, "status", "--porcelain") == " M README.md\n"


def test_two_edits_in_the_tree_one_after_the_other_both_count(
    exported: Path, neighbor: Neighbor
) -> None:
    edit(exported, bob={"post_count": 5})
    neighbor("absorb", AGENTS)
    edit(exported, bob={"post_count": 7})  # of the committed version, where it is 0
    neighbor("absorb", AGENTS)
    neighbor("export", "--commit")
    assert agents(exported)["bob"]["post_count"] == 12


@pytest.mark.parametrize(
    "step",
    [
        "absorb: intent written",
        "absorb: note kept",
        "close: committed",
        "absorb: file put back",
        "absorb: index put back",
    ],
)
def test_an_edit_in_the_tree_counts_once_when_absorb_is_killed(
    exported: Path, neighbor: Neighbor, step: str
) -> None:
    edit(exported, bob={"post_count": 5})
    git(exported, "add", AGENTS)
    killed_at(step, neighbor, "absorb", AGENTS)
    neighbor("absorb", AGENTS)
    assert git(exported, "status", "--porcelain") == ""
    neighbor("export", "--commit")
    assert agents(exported)["bob"]["post_count"] == 5


def test_an_edit_that_went_on_after_a_kill_counts_what_is_new(
    exported: Path, neighbor: Neighbor
) -> None:
    edit(exported, bob={"post_count": 5})
    killed_at("close: committed", neighbor, "absorb", AGENTS)
    edit(exported, bob={"post_count": 6})
    neighbor("absorb", AGENTS)
    neighbor("export", "--commit")
    assert agents(exported)["bob"]["post_count"] == 6


def test_a_staged_version_beside_the_edit_is_saved(exported: Path, neighbor: Neighbor) -> None:
    edit(exported, bob={"name": "staged"})
    git(exported, "add", AGENTS)
    edit(exported, bob={"name": "bobby"})
    saved = neighbor("absorb", AGENTS, "--json").json["absorbed"][0]["saved"]
    assert agents(exported, f"{saved}^2")["bob"]["name"] == "staged"
    assert git(exported, "status", "--porcelain") == ""


def test_an_edit_in_the_tree_comes_after_the_one_at_the_tip(
    exported: Path, neighbor: Neighbor
) -> None:
    commit_edit(exported, bob={"name": "of the tip"})
    edit(exported, bob={"name": "of the tree"})
    neighbor("absorb", AGENTS)
    neighbor("export", "--commit")
    assert agents(exported)["bob"]["name"] == "of the tree"


def test_a_damaged_file_is_refused_with_both_ways_out(exported: Path, neighbor: Neighbor) -> None:
    (exported / AGENTS).write_text("<<<<<<< ours\n")
    said = neighbor("absorb", AGENTS, code=3).err
    assert f"neighbor absorb {AGENTS}" in said
    assert "neighbor export" in said
    assert (exported / AGENTS).read_text() == "<<<<<<< ours\n"


def test_a_file_that_is_no_document_is_a_usage_error(exported: Path, neighbor: Neighbor) -> None:
    assert AGENTS in neighbor("absorb", "README.md", code=2).err
    neighbor("absorb", code=2)


def test_without_commits_the_file_holds_edit_and_state(site: Path, neighbor: Neighbor) -> None:
    (site / "neighbor.toml").write_text(RULES.replace("commit = true", "commit = false"))
    neighbor("init")
    neighbor("append", stdin=fleet.delta(1, "s1", fleet.post(1, "ada")))
    neighbor("frame", "close", "1")
    edit(site, bob={"post_count": 5})
    neighbor("absorb", AGENTS)
    found = json.loads((site / AGENTS).read_bytes())["agents"]
    assert (found["ada"]["post_count"], found["bob"]["post_count"]) == (1, 5)
    assert store_of(site).status().quarantined == 0
    assert neighbor("export", "--check").text == "Every document is as it should be.\n"
