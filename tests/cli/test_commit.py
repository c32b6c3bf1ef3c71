"""An export becomes a commit: what is in it, where it goes, and whose work it leaves alone."""

import json
import os
import subprocess
import sys
from hashlib import sha1, sha256
from pathlib import Path

import pytest
from goodneighbor.cli.commit import Absorb, Order, Tip, commit
from goodneighbor.cli.errors import NoMainTree, TreeBusy
from goodneighbor.cli.place import find
from goodneighbor.store import Store, step

from .. import fleet
from ..effort import examples
from .commit_site import RULES, agree, fold, git, store_of, take_in
from .conftest import Neighbor


@pytest.fixture
def store(site: Path, neighbor: Neighbor) -> Store:
    """The site taken in, under rules whose closes commit."""
    return take_in(site, neighbor)


def export(site: Path, **order: bool) -> str | None:
    """Export with commit from the site; return the commit."""
    return commit(find(str(site)), store_of(site), "main", Order(**order)).commit  # type: ignore[arg-type]


def taking(folder: Path) -> Absorb:
    """Say of every document at the tip that its edit has been taken in."""
    paths = [f"state/{name}.json" for name in fleet.BASE]

    def absorb(store: Store, tip: Tip) -> dict[str, str]:
        return {path: git(folder, "rev-parse", f"{tip.commit}:{path}").strip() for path in paths}

    return absorb


def test_a_close_commits_the_documents_with_their_manifest(
    site: Path, store: Store, neighbor: Neighbor
) -> None:
    store.append(fleet.delta(1, "s1", fleet.post(1, "ada")))
    closed = neighbor("frame", "close", "1", "--json").json
    assert closed["export"]["commit"] == git(site, "rev-parse", "main").strip()
    agree(site, store, tree=site)
    manifest = json.loads((site / "state" / "manifest.json").read_bytes())
    assert (manifest["store"], manifest["frame"]) == (store.store_id(), 1)
    assert manifest["state_digest"] == store.state_digest()
    for path, file in manifest["files"].items():
        data = (site / path).read_bytes()
        assert file["sha256"] == sha256(data).hexdigest()
        assert file["blob"] == sha1(b"blob %d\0" % len(data) + data).hexdigest()
    changed = git(site, "show", "--name-only", "--format=").split()
    assert sorted(changed) == sorted([*manifest["files"], "state/manifest.json"])


def test_the_message_says_frame_streams_sums_and_digest(site: Path, store: Store) -> None:
    fold(store, 1)
    export(site)
    told = git(site, "log", "-1", "--format=%(trailers:unfold)")
    trailers = dict(line.split(": ", 1) for line in told.splitlines() if line)
    assert trailers["Neighbor-Frame"] == "1"
    assert trailers["Neighbor-Streams"] == "s1"
    assert trailers["Neighbor-Units"] == "1 in = 1 applied + 0 duplicate + 0 skipped"
    assert trailers["Neighbor-State"] == store.state_digest()
    assert git(site, "log", "-1", "--format=%B").strip().endswith("[skip ci]")


def test_the_words_for_ci_can_be_left_out(site: Path, neighbor: Neighbor) -> None:
    store = take_in(
        site, neighbor, RULES.replace("commit = true", "commit = true\nskip_ci = false")
    )
    fold(store, 1)
    export(site)
    assert "skip ci" not in git(site, "log", "-1", "--format=%B", "main")
    assert "skip ci" not in git(site, "log", "-1", "--format=%B", "goodneighbor/log")


def test_frame_show_finds_the_commit_again(site: Path, store: Store, neighbor: Neighbor) -> None:
    for frame in (1, 2, 3):
        fold(store, frame)
        if frame != 2:  # the third export brings two frames
            export(site)
    commits = git(site, "log", "--format=%H", "main").split()
    shown = [neighbor("frame", "show", str(frame), "--json").json["commit"] for frame in (1, 2, 3)]
    assert shown == [commits[1], commits[0], commits[0]]
    assert commits[0] in neighbor("frame", "show", "3").text


def test_what_has_not_changed_is_not_committed(site: Path, store: Store) -> None:
    fold(store, 1)
    assert export(site) is not None
    assert export(site) is None
    karma = {"op": "inc", "path": "/agents/ada/karma", "value": 1}
    store.append(json.dumps({"frame": 2, "stream_id": "s1", "ops": [karma]}).encode())
    store.close_frame(2)
    export(site)
    changed = git(site, "show", "--name-only", "--format=").split()
    assert changed == ["state/agents.json", "state/manifest.json"]


def test_a_person_at_work_keeps_every_edit_staged_and_not(site: Path, store: Store) -> None:
    fold(store, 1)
    (site / "README.md").write_text("staged\n")
    git(site, "add", "README.md")
    (site / "README.md").write_text("and more, not staged\n")
    (site / "new.txt").write_text("untracked\n")
    before = [git(site, "diff"), git(site, "diff", "--cached"), git(site, "status", "--porcelain")]
    assert export(site) is not None
    after = [git(site, "diff"), git(site, "diff", "--cached"), git(site, "status", "--porcelain")]
    assert after == before
    assert "README" not in git(site, "show", "--name-only", "--format=")
    agree(site, store, tree=site)


@pytest.mark.parametrize("staged", [False, True])
def test_an_edit_of_a_document_is_refused_with_its_path_and_nothing_moves(
    site: Path, store: Store, neighbor: Neighbor, staged: bool
) -> None:
    fold(store, 1)
    edited = site / "state" / "agents.json"
    edited.write_text('{"agents": {}}\n')
    if staged:
        git(site, "add", "state/agents.json")
    before = git(site, "rev-parse", "main"), git(site, "status", "--porcelain")
    refused = neighbor("export", "--commit", code=3)
    assert "state/agents.json" in refused.err
    assert "neighbor absorb" in refused.err
    assert "--rescue" in refused.err
    assert (git(site, "rev-parse", "main"), git(site, "status", "--porcelain")) == before
    assert edited.read_text() == '{"agents": {}}\n'
    assert not (site / ".git" / "index.lock").exists()


def test_rescue_saves_the_edits_under_a_ref_and_goes_on(
    site: Path, store: Store, neighbor: Neighbor
) -> None:
    fold(store, 1)
    edited = site / "state" / "agents.json"
    edited.write_text("staged by a person\n")
    git(site, "add", "state/agents.json")
    edited.write_text("and written by one\n")
    (ref,) = neighbor("export", "--commit", "--rescue", "--json").json["rescued"]
    assert git(site, "show", f"{ref}:state/agents.json") == "and written by one\n"
    assert git(site, "show", f"{ref}^2:state/agents.json") == "staged by a person\n"
    agree(site, store, tree=site)


def test_markers_that_a_stash_left_unmerged_can_be_rescued(site: Path, store: Store) -> None:
    """The accident: `stash pop` over a newer state. The index has no version of the file then."""
    document = site / "state" / "agents.json"
    before = document.read_text()
    document.write_text(before.replace("ada", "eve"))
    git(site, "stash")
    document.write_text(before.replace("ada", "bob"))
    git(site, "commit", "--quiet", "--all", "--message", "A newer state")
    git(site, "stash", "pop", code=1)
    assert "<<<<<<<" in document.read_text()
    taken = Order(rescue=True, absorb=taking(site))
    made = commit(find(str(site)), store, "main", taken)
    assert "<<<<<<<" in git(site, "show", f"{made.rescued[0]}:state/agents.json")
    agree(site, store, tree=site)


def test_a_document_that_was_edited_in_a_commit_is_held_back_alone(
    site: Path, store: Store
) -> None:
    fold(store, 1)
    export(site)
    (site / "state" / "agents.json").write_text('{"agents": {"web": {}}}\n')
    git(site, "commit", "--quiet", "--all", "--message", "A web edit")
    fold(store, 2)
    made = commit(find(str(site)), store, "main", Order())
    assert made.written == ("channels", "stats")
    assert [each.document for each in made.refused] == ["agents"]
    assert git(site, "show", "main:state/agents.json") == '{"agents": {"web": {}}}\n'


def test_the_seam_for_edits_decides_what_may_be_written_over(site: Path, store: Store) -> None:
    fold(store, 1)
    export(site)
    (site / "state" / "agents.json").write_text('{"agents": {"web": {}}}\n')
    git(site, "commit", "--quiet", "--all", "--message", "A web edit")
    fold(store, 2)
    assert commit(find(str(site)), store, "main", Order(absorb=taking(site))).refused == ()
    agree(site, store, tree=site)


def test_a_document_that_lost_too_much_is_held_back_alone(site: Path, neighbor: Neighbor) -> None:
    store = take_in(site, neighbor, RULES.replace("inc /agents/*/karma", "remove /agents/*"))
    ops = [{"op": "remove", "path": f"/agents/{name}"} for name in ("ada", "bob")]
    store.append(json.dumps({"frame": 1, "stream_id": "s1", "ops": ops}).encode())
    refused = neighbor("frame", "close", "1", code=3)
    assert "--allow-loss agents" in refused.err
    assert "ada" in git(site, "show", "main:state/agents.json")
    neighbor("export", "--commit", "--allow-loss", "agents")
    assert "Neighbor-Loss: agents 2 of 4" in git(site, "log", "-1", "--format=%B")
    agree(site, store, tree=site)


def test_another_stores_manifest_is_refused(site: Path, store: Store, neighbor: Neighbor) -> None:
    fold(store, 1)
    export(site)
    manifest = site / "state" / "manifest.json"
    manifest.write_text(manifest.read_text().replace(store.store_id(), "f" * 32))
    git(site, "commit", "--quiet", "--all", "--message", "Another store's")
    fold(store, 2)
    refused = neighbor("export", "--commit", code=3)
    assert "f" * 32 in refused.err
    assert "--take-over" in refused.err


def test_a_store_that_is_gone_for_good_can_be_taken_over(
    site: Path, store: Store, neighbor: Neighbor
) -> None:
    """Another clone's store exported twice; here a new one began at the first of the two."""
    fold(store, 1)
    export(site)
    first = {name: store.document(name) for name in fleet.BASE}
    fold(store, 2)
    export(site)
    folder = site / ".git" / "goodneighbor"
    folder.rename(site.parent / "gone")
    new = Store.create(folder, RULES, first)
    new.close_frame(2)
    assert "--take-over" in neighbor("export", "--commit", code=3).err
    neighbor("export", "--commit", "--take-over")
    new.append(fleet.delta(3, "s1", fleet.post(3, "bob")))
    new.close()
    neighbor("frame", "close", "3")
    assert json.loads(git(site, "show", "main:state/stats.json")) == {"total_posts": 3}
    agents = json.loads(git(site, "show", "main:state/agents.json"))["agents"]
    assert (agents["ada"]["post_count"], agents["bob"]["post_count"]) == (2, 1)
    agree(site, new, tree=site)
    manifest = json.loads((site / "state" / "manifest.json").read_bytes())
    assert manifest["store"] == new.store_id()
    ends = git(site, "ls-tree", "--name-only", "goodneighbor/log").split()
    assert f"{manifest['position']}.jsonl" in ends
    assert len(ends) == 2
    assert len(git(site, "rev-list", "goodneighbor/log").split()) == 4  # the other's lie behind


def test_a_manifest_with_markers_counts_as_none(site: Path, store: Store) -> None:
    fold(store, 1)
    export(site)
    manifest = site / "state" / "manifest.json"
    manifest.write_text("<<<<<<< ours\n" + manifest.read_text())
    git(site, "commit", "--quiet", "--all", "--message", "Markers")
    fold(store, 2)
    assert export(site) is not None
    assert json.loads(manifest.read_bytes())["frame"] == 2


def test_a_branch_that_was_put_back_is_a_persons_decision(
    site: Path, store: Store, neighbor: Neighbor
) -> None:
    for frame in (1, 2):
        fold(store, frame)
        export(site)
    git(site, "reset", "--quiet", "--hard", "HEAD~1")
    refused = neighbor("export", "--commit", code=3)
    assert "neighbor absorb --revert" in refused.err
    assert "--forward" in refused.err
    neighbor("export", "--commit", "--forward")
    agree(site, store, tree=site)


def test_a_linked_worktree_on_the_branch_comes_along(site: Path, store: Store) -> None:
    git(site, "switch", "--quiet", "--create", "feature")
    linked = site.parent / "linked"
    git(site, "worktree", "add", "--quiet", str(linked), "main")
    (linked / "README.md").write_text("a person's\n")
    fold(store, 1)
    export(linked)
    agree(site, store, tree=linked)
    assert (linked / "README.md").read_text() == "a person's\n"
    assert git(site, "status", "--porcelain") == ""
    assert git(site, "branch", "--show-current").strip() == "feature"


def test_a_tree_whose_git_directory_is_elsewhere_comes_along(site: Path, store: Store) -> None:
    """git's list of worktrees names the git directory then; moving the branch alone would harm."""
    git(site, "init", "--quiet", "--separate-git-dir", str(site.parent / "elsewhere"))
    linked = site.parent / "linked"
    git(site, "worktree", "add", "--quiet", "--detach", str(linked))
    moved = store_of(site)
    fold(moved, 1)
    with pytest.raises(NoMainTree):
        export(linked)
    export(site)
    agree(site, moved, tree=site)


def test_a_detached_head_stays_where_it_is(site: Path, store: Store) -> None:
    git(site, "switch", "--quiet", "--detach")
    before = git(site, "rev-parse", "HEAD")
    fold(store, 1)
    export(site)
    assert git(site, "rev-parse", "HEAD") == before
    assert git(site, "status", "--porcelain") == ""
    agree(site, store)


def test_a_bare_repository_is_enough(
    site: Path, tmp_path: Path, neighbor: Neighbor, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(site, "clone", "--quiet", "--bare", str(site), str(tmp_path / "bare.git"))
    store = Store.create(tmp_path / "bare.git" / "goodneighbor", RULES, fleet.BASE)
    store.append(fleet.delta(1, "s1", fleet.post(1, "ada")))
    store.close()
    monkeypatch.chdir(tmp_path / "bare.git")
    # The committed documents end in a line feed that the base has not: edits, until taken in.
    store.close_frame(1)
    made = commit(find("."), store, "main", Order())
    assert {each.document for each in made.refused} == set(fleet.BASE)
    commit(find("."), store, "main", Order(absorb=taking(tmp_path / "bare.git")))
    agree(tmp_path / "bare.git", store)
    store.append(fleet.delta(2, "s1", fleet.post(2, "ada")))
    neighbor("frame", "close", "2")
    agree(tmp_path / "bare.git", store)


def test_a_branch_that_does_not_exist_yet_is_made(site: Path, neighbor: Neighbor) -> None:
    store = take_in(
        site, neighbor, RULES.replace("commit = true", 'commit = true\nbranch = "state"')
    )
    fold(store, 1)
    neighbor("export", "--commit")
    agree(site, store, branch="state")
    assert git(site, "status", "--porcelain") == ""


def test_an_unborn_branch_gets_its_first_commit(
    repository: Path, neighbor: Neighbor, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "state").mkdir()
    for name, data in fleet.BASE.items():
        (repository / "state" / f"{name}.json").write_bytes(data)
    (repository / "neighbor.toml").write_text(RULES)
    monkeypatch.chdir(repository)
    neighbor("init")
    store = store_of(repository)
    store.append(fleet.delta(1, "s1", fleet.post(1, "ada")))
    neighbor("frame", "close", "1")
    agree(repository, store, tree=repository)
    assert git(repository, "status", "--porcelain") == "?? neighbor.toml\n"


@pytest.mark.parametrize("operation", ["rebase", "merge", "cherry-pick", "revert"])
def test_while_a_person_is_in_the_middle_of_something_the_export_waits(
    site: Path, store: Store, neighbor: Neighbor, operation: str
) -> None:
    (site / "README.md").write_text("ours\n")
    git(site, "commit", "--quiet", "--all", "--message", "ours")
    git(site, "switch", "--quiet", "--create", "theirs", "HEAD~1")
    (site / "README.md").write_text("theirs\n")
    git(site, "commit", "--quiet", "--all", "--message", "theirs")
    git(site, "switch", "--quiet", "main")
    target = {"rebase": "theirs", "merge": "theirs", "cherry-pick": "theirs", "revert": "HEAD~2"}
    if operation == "revert":
        (site / "README.md").write_text("ours again\n")
        git(site, "commit", "--quiet", "--all", "--message", "ours again")
        target["revert"] = "HEAD~1"
    git(site, operation, target[operation], code=1)
    before = git(site, "rev-parse", "main"), git(site, "status", "--porcelain")
    store.append(fleet.delta(1, "s1", fleet.post(1, "ada")))
    waits = neighbor("frame", "close", "1", code=5)
    assert "The export waits" in waits.err
    assert "1 unit in = 1 applied" in waits.text
    assert (git(site, "rev-parse", "main"), git(site, "status", "--porcelain")) == before
    git(site, operation, "--abort")
    neighbor("export", "--commit")
    agree(site, store, tree=site)


def test_somebody_elses_lock_is_waited_for_and_left(
    site: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fold(store, 1)
    lock = site / ".git" / "index.lock"
    lock.write_bytes(b"")
    monkeypatch.setattr("goodneighbor.cli.checked_out.WAIT_S", 0.2)
    before = git(site, "rev-parse", "main")
    with pytest.raises(TreeBusy):
        export(site)
    assert lock.read_bytes() == b""
    assert git(site, "rev-parse", "main") == before
    assert not list((site / ".git" / "goodneighbor" / "intents").iterdir())
    lock.unlink()
    assert export(site) is not None
    agree(site, store, tree=site)


def test_a_commit_of_a_persons_between_the_two_is_built_upon(site: Path, store: Store) -> None:
    fold(store, 1)
    git(site, "switch", "--quiet", "--detach")  # so that nothing stands in the person's way
    made: list[str] = []

    def races(name: str) -> None:
        if name == "commit: objects written" and not made:
            made.append(name)
            tip = git(site, "commit-tree", "main^{tree}", "-p", "main", "-m", "faster").strip()
            git(site, "update-ref", "refs/heads/main", tip)

    step.watch(races)
    try:
        export(site)
    finally:
        step.watch(None)
    assert git(site, "log", "--format=%s", "main").splitlines()[1] == "faster"
    agree(site, store)


def test_a_failure_after_the_files_moved_puts_them_back(site: Path, store: Store) -> None:
    fold(store, 1)
    before = git(site, "rev-parse", "main"), (site / "state" / "agents.json").read_bytes()

    def fails(name: str) -> None:
        if name == "commit: tree moved":
            raise OSError(28, "No space left on device")

    step.watch(fails)
    try:
        with pytest.raises(OSError, match="No space"):
            export(site)
    finally:
        step.watch(None)
    now = git(site, "rev-parse", "main"), (site / "state" / "agents.json").read_bytes()
    assert now == before
    assert git(site, "status", "--porcelain") == ""
    assert not list((site / ".git" / "goodneighbor" / "intents").iterdir())


def test_an_export_to_files_first_is_taken_along(
    site: Path, store: Store, neighbor: Neighbor
) -> None:
    fold(store, 1)
    neighbor("export")
    export(site)
    agree(site, store, tree=site)
    fold(store, 2)
    neighbor("export")
    fold(store, 3)  # the files are behind the log, and still ours
    export(site)
    agree(site, store, tree=site)
    assert neighbor("verify").text == "No damage found.\n"
    fold(store, 4)
    neighbor("export")  # what a commit put there is ours, and not somebody's edit
    assert neighbor("quarantine", "list", "--json").json["quarantine"] == []
    assert neighbor("verify").text == "No damage found.\n"
    git(site, "checkout", "--", "state/agents.json")
    assert "not the file that was exported" in neighbor("verify", code=1).text


def test_files_come_with_their_manifest_too(site: Path, neighbor: Neighbor) -> None:
    store = take_in(site, neighbor, fleet.RULES)
    fold(store, 1)
    neighbor("export")
    manifest = json.loads((site / "state" / "manifest.json").read_bytes())
    for path, file in manifest["files"].items():
        assert file["blob"] == git(site, "hash-object", path).strip()
    assert (manifest["store"], manifest["frame"], len(manifest["files"])) == (
        store.store_id(),
        1,
        3,
    )
    git(site, "add", "state")
    git(site, "commit", "--quiet", "--message", "by hand")
    assert export(site) is None, "what a person committed is what an export would"


def test_files_are_not_written_over_another_stores(
    site: Path, store: Store, neighbor: Neighbor
) -> None:
    (site / "state" / "manifest.json").write_text(
        json.dumps({"store": "f" * 32, "frame": 1, "position": 1, "state_digest": "", "files": {}})
    )
    fold(store, 1)
    before = (site / "state" / "agents.json").read_bytes()
    assert "f" * 32 in neighbor("export", code=3).err
    assert (site / "state" / "agents.json").read_bytes() == before


def test_eight_committers_at_once_lose_no_update(site: Path, store: Store) -> None:
    """Each brings frames of its own and exports; a person stages and edits beside them."""
    frames, committers = min(200, max(40, examples(40))), 8  # `make soak`: 200
    (site / "README.md").write_text("staged\n")
    git(site, "add", "README.md")
    (site / "mine.txt").write_text("not staged\n")
    script = f"""
import sys, os
from tests import fleet
from goodneighbor.cli.commit import Order, commit
from goodneighbor.cli.place import find
from goodneighbor.store import FramePassed, Store
site, number = sys.argv[1], int(sys.argv[2])
store = Store.open(site + "/.git/goodneighbor", wait_s=120)
for frame in range(number, {frames} + 1, {committers}):
    store.append(fleet.delta(frame, f"s{{number}}", fleet.post(frame, "ada")))
    try:
        store.close_frame(frame)
    except FramePassed:
        pass  # it folds with the next close
    commit(find(site), store, "main", Order())
store.close()
"""
    root = Path(__file__).resolve().parents[2]
    started = [
        subprocess.Popen([sys.executable, "-c", script, str(site), str(number)], cwd=root)
        for number in range(1, committers + 1)
    ]
    assert [process.wait(timeout=8 * frames) for process in started] == [0] * committers
    store.close_frame(frames + 1)
    export(site)
    assert json.loads(git(site, "show", "main:state/stats.json")) == {"total_posts": frames}
    agree(site, store, tree=site)
    assert git(site, "rev-list", "--merges", "main") == ""
    assert "error" not in git(site, "fsck", "--full")
    assert git(site, "status", "--porcelain") == "M  README.md\n?? mine.txt\n"
    positions = [int(line) for line in git(site, "log", "--reverse", "main",
        "--format=%(trailers:key=Neighbor-Position,valueonly,separator=)").split()]  # fmt: skip
    assert positions == sorted(set(positions)), "no export goes over a newer one"
    assert os.listdir(store.folder / "intents") == []
