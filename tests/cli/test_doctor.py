"""The doctor finds each planted fault, numbered by its rule, and nothing in a clean repository."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from goodneighbor.cli import doctor_git
from goodneighbor.store import Store

from .. import fleet
from .conftest import Neighbor

RULES = (
    fleet.RULES.replace("[documents.agents]", "[export]\ncommit = true\n\n[documents.agents]", 1)
    + '\n[worktree]\ncopy = ["zion.json", "config/*.json"]\n'
    + '\n[doctor]\nscripts = ["scripts/*.sh"]\n'
)
CLEAN_SCRIPT = """\
#!/bin/sh
# timeout, sed -i and grep -P are only named here; so is state/agents.json
for stream in one two; do
    ./agent.sh "$stream" &
    sleep 3
done
wait
jq . state/agents.json > /dev/null 2>&1
neighbor append < delta.json && echo "done"
"""
BAD_SCRIPT = """\
#!/bin/bash
for stream in one two; do
    timeout 60 ./agent.sh "$stream" &
done
declare -A karma
echo "$1" > state/agents.json
sed -i 's/a/b/' notes.txt
"""
# What is planted: the finding's rule, and words that its line must hold.
FAULTS = {
    "a worktree that is gone": (2, "registered, and gone"),
    "a worktree of a closed frame": (2, "left from a closed frame (dc/s2/frame-1)"),
    "a branch of a closed frame": (2, "branch dc/s3/frame-1"),
    "a stash": (3, "stash@{0} is kept"),
    "autostash": (3, "rebase.autoStash is true"),
    "markers": (3, "state/channels.json: it holds conflict markers"),
    "a listed file that a worktree lacks": (4, "lacks zion.json"),
    "a bare launch": (5, "scripts/fleet.sh:2: a loop launches"),
    "a script that writes state": (6, "scripts/fleet.sh:6: writes state/agents.json"),
    "an edited document": (6, "state/agents.json was edited"),
    "a total that drifted": (6, "/stats/total_agents says 9, and there are 4 agents"),
    "a stream that wrote nothing": (7, "ghost was expected"),
    "ten frames that merged nothing": (7, "frames merged nothing"),
    "a construct that macOS lacks": (8, "scripts/fleet.sh:3: macOS has no `timeout`"),
    "an array that old shells lack": (8, "scripts/fleet.sh:5: `declare -A`"),
    "an option that macOS spells otherwise": (8, "scripts/fleet.sh:7: `sed -i`"),
    "rules in no commit": (0, "neighbor.toml is not committed"),
}


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def clean(site: Path, neighbor: Neighbor) -> Path:
    """A site with store, guard, one exported frame and a script that keeps the rules."""
    (site / "neighbor.toml").write_text(RULES)
    (site / "scripts").mkdir()
    (site / "scripts" / "start.sh").write_text(CLEAN_SCRIPT)
    (site / ".gitignore").write_text("zion.json\n")
    git(site, "add", "scripts", ".gitignore")
    git(site, "commit", "-q", "-m", "scripts")
    neighbor("init", "--commit")
    neighbor("guard", "install")
    neighbor("append", stdin=fleet.delta(1, "s1", fleet.post(1, "ada")))
    neighbor("frame", "close", "1")
    return site


def plant(site: Path) -> None:
    """Break the rules, each once."""
    store = Store.open(site / ".git" / "goodneighbor")
    whole = json.loads((site / "state/stats.json").read_bytes())
    total = json.dumps({**whole, "total_agents": 9}).encode()
    absorbing_total(store, total)
    for frame in range(2, 13):
        store.close_frame(frame, expect=["ghost"])
    beside = site.parent / "worktrees"
    git(site, "worktree", "add", "-q", "-b", "dc/s1/frame-99", str(beside / "gone"))
    for file in sorted((beside / "gone").rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    (beside / "gone").rmdir()
    git(site, "worktree", "add", "-q", "-b", "dc/s2/frame-1", str(beside / "s2"))
    git(site, "branch", "dc/s3/frame-1")
    (site / "README.md").write_text("Changed.\n")
    git(site, "stash")
    git(site, "config", "rebase.autoStash", "true")
    (site / "state/channels.json").write_text("<<<<<<< ours\n{}\n=======\n{}\n>>>>>>> theirs\n")
    (site / "state/agents.json").write_text('{"agents": {"ada": {}}}\n')
    (site / "zion.json").write_text("{}\n")
    (site / "scripts" / "fleet.sh").write_text(BAD_SCRIPT)
    with (site / "neighbor.toml").open("a") as rules:
        rules.write("\n# changed\n")


def absorbing_total(store: Store, body: bytes) -> None:
    from goodneighbor.store import Edit

    store.absorb(Edit("stats", body))


def findings(neighbor: Neighbor, *words: str, code: int = 1) -> list[dict[str, Any]]:
    found = neighbor("doctor", "--json", *words, code=code).json["findings"]
    assert isinstance(found, list)
    return found


def test_a_clean_repository_has_no_finding(clean: Path, neighbor: Neighbor) -> None:
    assert findings(neighbor, code=0) == []
    assert "Nothing found" in neighbor("doctor").text


def test_each_planted_fault_is_found_under_its_rule(clean: Path, neighbor: Neighbor) -> None:
    plant(clean)
    found = [(each["rule"], each["what"]) for each in findings(neighbor)]
    missed = [
        fault
        for fault, (rule, words) in FAULTS.items()
        if not any(number == rule and words in what for number, what in found)
    ]
    assert missed == [], found
    lines = neighbor("doctor", code=1).text.splitlines()
    assert len(lines) == len(found) + 1, "one line each, and their number"


def test_fix_does_the_safe_ones_and_leaves_peoples_work(clean: Path, neighbor: Neighbor) -> None:
    plant(clean)
    before = {path: (clean / path).read_bytes() for path in ("state/agents.json", "neighbor.toml")}
    left = [each["what"] for each in findings(neighbor, "--fix")]
    mended = ("registered, and gone", "dc/s3/frame-1", "rebase.autoStash", "lacks zion.json")
    assert [what for what in left if any(words in what for words in mended)] == []
    assert (clean.parent / "worktrees/s2/zion.json").read_bytes() == b"{}\n"
    assert git(clean, "config", "rebase.autoStash") == "false\n"
    assert "dc/s3/frame-1" not in git(clean, "branch", "--list", "dc/*")
    assert git(clean, "stash", "list") != ""
    assert before == {path: (clean / path).read_bytes() for path in before}


def test_a_stream_that_works_in_the_main_tree_breaks_rule_1(
    clean: Path, neighbor: Neighbor
) -> None:
    git(clean, "switch", "-q", "-c", "dc/s1/frame-9")
    assert [(each["rule"], each["what"]) for each in findings(neighbor)] == [
        (1, "the main working tree is on a stream's branch, dc/s1/frame-9")
    ]


def test_a_repository_without_a_store_is_told_how_to_get_one(
    site: Path, neighbor: Neighbor
) -> None:
    assert [each["mend"] for each in findings(neighbor)] == ["neighbor init"]


def test_rules_that_cannot_be_used_are_a_finding(clean: Path, neighbor: Neighbor) -> None:
    (clean / "neighbor.toml").write_text("[nothing]\n")
    found = [each["what"] for each in findings(neighbor) if each["rule"] == 0]
    assert any("neighbor.toml" in what and "nothing" in what for what in found), found


@pytest.mark.parametrize("version", [(2, 38, 5), (1, 9)])
def test_an_old_git_is_a_finding(version: tuple[int, ...]) -> None:
    assert [each.rule for each in doctor_git.old_git(version)] == [0]
    assert list(doctor_git.old_git((2, 39))) == []
