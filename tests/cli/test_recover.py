"""`recover` puts right what is damaged: from the mailbox, the log branch, or another clone."""

import json
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from goodneighbor.store import Store

from .. import fleet
from .commit_site import RULES, fold, git, take_in
from .conftest import Neighbor

LOG = "goodneighbor/log"
CONFLICT = re.compile(r"<{7} [^\n]*\n(.*?)={7}\n(.*?)>{7} [^\n]*\n", re.DOTALL)


@pytest.fixture
def store(site: Path, neighbor: Neighbor) -> Store:
    """A site whose closes commit, with two frames behind it."""
    store = take_in(site, neighbor)
    for frame in (1, 2):
        fold(store, frame)
        neighbor("frame", "close", str(frame))
    store.close()
    return store


def home(site: Path) -> Path:
    return site / ".git" / "goodneighbor"


def change(site: Path, statement: str) -> None:
    with closing(sqlite3.connect(home(site) / "store.sqlite3", isolation_level=None)) as connection:
        assert connection.execute(statement).rowcount > 0


def drop_mailbox(site: Path) -> None:
    for segment in (home(site) / "mailbox").iterdir():
        segment.unlink()


def seen(neighbor: Neighbor) -> object:
    """What a user sees of a store."""
    status = neighbor("status", "--json").json
    frames = neighbor("frame", "list", "--json").json
    return [status[name] for name in ("store_id", "state_digest", "events")], frames


def test_a_store_that_is_gone_comes_back_from_the_log_branch(
    site: Path, store: Store, neighbor: Neighbor
) -> None:
    before, tip = seen(neighbor), git(site, "rev-parse", "main")
    shutil.rmtree(home(site))
    said = neighbor("recover").text
    assert "branch goodneighbor/log" in said
    assert "No damage is left." in said
    assert seen(neighbor) == before
    neighbor("verify")
    neighbor("export", "--commit")
    assert git(site, "rev-parse", "main") == tip
    fold(store, 3)
    neighbor("export", "--commit")


def test_a_store_that_is_gone_comes_back_from_another_clone(
    site: Path, store: Store, neighbor: Neighbor, tmp_path: Path
) -> None:
    git(tmp_path, "clone", "--quiet", "--bare", "site", "other.git")
    before = seen(neighbor)
    shutil.rmtree(home(site))
    git(site, "branch", "--quiet", "-D", LOG)
    assert "neighbor init" in neighbor("recover", code=3).err
    assert "other.git" in neighbor("recover", "--from", str(tmp_path / "other.git")).text
    assert seen(neighbor) == before


def test_a_remotes_log_branch_is_asked_as_well(
    site: Path, store: Store, neighbor: Neighbor, tmp_path: Path
) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", "origin.git")
    git(site, "remote", "add", "origin", "../origin.git")
    neighbor("export", "--push")
    git(site, "fetch", "--quiet")
    before = seen(neighbor)
    git(site, "branch", "--quiet", "-D", LOG)
    (home(site) / "store.sqlite3").unlink()
    assert "branch origin/goodneighbor/log" in neighbor("recover").text
    assert seen(neighbor) == before


def test_a_damaged_event_is_named_and_brought_back(
    site: Path, store: Store, neighbor: Neighbor
) -> None:
    before = seen(neighbor)
    change(site, "UPDATE event SET body = zeroblob(70) WHERE kind = 'close' AND frame = 1")
    drop_mailbox(site)
    verified = neighbor("verify", "--json", code=1).json
    assert verified["lost"] == []
    assert {each["next"] for each in verified["faults"]} == {"neighbor recover"}
    planned = neighbor("recover", "--dry-run", "--json", code=1).json
    brought = {each["what"] for each in planned["steps"]}
    assert brought == {"brought back from branch goodneighbor/log"}
    assert planned["dry_run"]
    neighbor("verify", code=1)
    neighbor("recover")
    neighbor("verify")
    assert seen(neighbor) == before


def test_what_nothing_holds_ends_in_4_and_is_cut_only_when_told(
    site: Path, store: Store, neighbor: Neighbor
) -> None:
    git(site, "branch", "--quiet", "-D", LOG)
    change(site, "UPDATE event SET body = zeroblob(70) WHERE kind = 'close' AND frame = 2")
    assert "nothing holds another copy" in neighbor("verify", code=4).text
    said = neighbor("recover", code=4).text
    assert "last good close is that of frame 1" in said
    assert "--from" in said
    neighbor("recover", "--cut", code=4)
    neighbor("verify")
    neighbor("frame", "close", "2")
    assert json.loads(neighbor("show", "/stats/total_posts").text) == 2


def test_a_database_behind_its_branch_is_damage(
    site: Path, store: Store, neighbor: Neighbor
) -> None:
    """A backup was put back, or the end of the write-ahead log was lost: all holds, and is old."""
    old = (home(site) / "store.sqlite3").read_bytes()
    fold(store, 3)
    neighbor("export", "--commit")
    before = seen(neighbor)
    (home(site) / "store.sqlite3").write_bytes(old)
    assert "goes on to" in neighbor("verify", code=1).text
    neighbor("recover")
    assert seen(neighbor) == before
    neighbor("verify")


def test_delta_files_of_a_lost_store_are_not_taken_in_twice(
    site: Path, store: Store, neighbor: Neighbor
) -> None:
    deltas = site / "state" / "stream_deltas"
    deltas.mkdir()
    (deltas / "old.json").write_bytes(fleet.delta(1, "s7", fleet.post(77, "ada")))
    before = seen(neighbor)
    shutil.rmtree(home(site))
    assert "old.json: not collected" in neighbor("recover").err
    neighbor("frame", "close", "3")
    assert seen(neighbor)[0][1] == before[0][1]  # type: ignore[index]


@pytest.mark.parametrize("name", ["stats", "channels"])
@pytest.mark.parametrize("commits", [True, False], ids=["commit", "files"])
def test_frame_407_is_refused_named_and_put_right(
    name: str, commits: bool, site: Path, neighbor: Neighbor, shared_data: Path
) -> None:
    """The very bytes that a failed stash pop left that day, over the state of that day."""
    damaged = (shared_data / "damaged" / f"{name}-stash-markers.json").read_text()
    sound = CONFLICT.sub(r"\1", damaged)
    file = site / "state" / f"{name}.json"
    file.write_text(sound)
    git(site, "commit", "--quiet", "--all", "--message", "that day")
    take_in(site, neighbor, RULES if commits else fleet.RULES)
    neighbor("append", stdin=fleet.delta(407, "s1", fleet.post(1, "ada")))
    neighbor("frame", "close", "407")
    before, digest = file.read_bytes(), neighbor("status", "--json").json["state_digest"]

    file.write_text(damaged)
    assert "does not parse" in neighbor("verify", code=1).text or not commits
    neighbor("absorb", f"state/{name}.json", code=3)
    neighbor("append", f"state/{name}.json", code=3)
    assert file.read_text() == damaged
    neighbor("recover", "--dry-run", code=1)
    assert file.read_text() == damaged

    said = neighbor("recover").text
    assert str(file) in said
    assert file.read_bytes() == before
    kept = neighbor("quarantine", "list", "--json").json["quarantine"]
    number = next(each["id"] for each in kept if each["reason"].startswith("replaced by"))
    assert neighbor("quarantine", "show", str(number)).out.decode() == damaged
    neighbor("verify")
    assert neighbor("status", "--json").json["state_digest"] == digest
    assert git(site, "status", "--porcelain", "--", f"state/{name}.json") == (
        "" if commits else f" M state/{name}.json\n"
    )


def test_a_document_made_empty_by_the_next_reader_is_never_exported_empty(
    site: Path, store: Store, neighbor: Neighbor
) -> None:
    """That day a reader took the markers for `{}` and wrote it: the log still has all agents."""
    file = site / "state" / "agents.json"
    before = file.read_bytes()
    file.write_text("{}")
    neighbor("absorb", "state/agents.json", code=3)
    fold(store, 3)
    assert len(json.loads(neighbor("show", "/agents").text)["agents"]) == 4
    file.write_bytes(before)
