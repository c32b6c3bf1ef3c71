"""The log lies on its own branch, segment by segment, and says every event byte for byte."""

from hashlib import sha256
from pathlib import Path

import pytest
from goodneighbor.cli.commit import Order, commit
from goodneighbor.cli.errors import OtherStore
from goodneighbor.cli.place import find
from goodneighbor.store import Store
from goodneighbor.store.log_lines import lines_of

from .. import fleet
from .commit_site import RULES, fold, git, take_in
from .conftest import Neighbor

LOG = "goodneighbor/log"


@pytest.fixture
def store(site: Path, neighbor: Neighbor) -> Store:
    """The site taken in, under rules whose closes commit."""
    return take_in(site, neighbor)


def export(site: Path) -> None:
    commit(find(str(site)), find(str(site)).open_store(), "main", Order())


def segments(site: Path, branch: str = LOG) -> dict[int, bytes]:
    """Return the segments on the branch by the position they end at."""
    names = git(site, "ls-tree", "--name-only", branch).split()
    ends = sorted(int(name.removesuffix(".jsonl")) for name in names)
    return {end: git(site, "show", f"{branch}:{end}.jsonl").encode() for end in ends}


def test_each_export_adds_what_came_since_the_last(site: Path, store: Store) -> None:
    for frame in (1, 2):
        fold(store, frame)
        export(site)
    fold(store, 3)
    fold(store, 4)
    export(site)
    position = 0
    for end, text in segments(site).items():
        for head, _ in lines_of(text):
            position += 1
            assert head["position"] == position
        assert position == end
    assert len(segments(site)) == 3
    assert position == store.status().events


def test_the_chain_can_be_followed_on_the_branch_alone(site: Path, store: Store) -> None:
    for frame in (1, 2):
        fold(store, frame)
        export(site)
    chain = bytes(32)
    for text in segments(site).values():
        for _, body in lines_of(text):
            chain = sha256(chain + sha256(body).digest()).digest()
    told = git(site, "log", "-1", "--format=%(trailers:key=Neighbor-Chain,valueonly)", LOG).strip()
    assert told == chain.hex()


def test_rules_are_told_when_they_are_new(site: Path, store: Store) -> None:
    fold(store, 1)
    export(site)
    fold(store, 2)
    changed = RULES.replace('wait = "0s"', 'wait = "1s"')
    store.close_frame(3, rules_text=changed)
    store.append(fleet.delta(3, "s1", fleet.post(3, "ada")))
    store.close_frame(4)
    store.close()
    export(site)
    told = [head["rules"] for text in segments(site).values() for head, _ in lines_of(text)
            if "rules" in head]  # fmt: skip
    assert told == [RULES, changed]


def test_a_segment_is_never_written_again(site: Path, store: Store) -> None:
    fold(store, 1)
    export(site)
    before = git(site, "ls-tree", LOG).splitlines()
    fold(store, 2)
    export(site)
    export(site)
    now = git(site, "ls-tree", LOG).splitlines()
    assert [line for line in now if line in before] == before
    assert len(now) == len(before) + 1
    assert len(git(site, "rev-list", LOG).split()) == 2


def test_an_export_whose_document_is_held_back_still_brings_the_log(
    site: Path, store: Store, neighbor: Neighbor
) -> None:
    fold(store, 1)
    (site / "state" / "agents.json").write_text("a person's edit\n")
    neighbor("export", "--commit", code=3)
    assert max(segments(site)) == store.status().events


def test_the_log_can_stay_at_home(site: Path, neighbor: Neighbor) -> None:
    store = take_in(site, neighbor, RULES.replace("commit = true", "commit = true\nlog = false"))
    fold(store, 1)
    export(site)
    assert git(site, "branch", "--list", LOG) == ""


def test_a_clones_first_segment_continues_the_remotes(
    site: Path, store: Store, tmp_path: Path, neighbor: Neighbor
) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", "origin.git")
    git(site, "remote", "add", "origin", "../origin.git")
    fold(store, 1)
    neighbor("export", "--push")
    git(site, "branch", "--quiet", "-D", LOG)
    fold(store, 2)
    neighbor("export", "--push")
    assert segments(tmp_path / "origin.git") == segments(site)
    assert len(segments(site)) == 2


def test_another_stores_log_is_not_continued(site: Path, store: Store) -> None:
    tree = git(site, "rev-parse", "main^{tree}").strip()
    message = "log 1 to 4\n\nNeighbor-Store: another"
    foreign = git(site, "commit-tree", "-m", message, tree).strip()
    git(site, "branch", LOG, foreign)
    fold(store, 1)
    with pytest.raises(OtherStore, match="another"):
        export(site)
    assert git(site, "rev-parse", LOG).strip() == foreign


def test_segments_go_when_the_branch_has_what_they_brought(
    site: Path, store: Store, neighbor: Neighbor
) -> None:
    fold(store, 1)
    mailbox = site / ".git" / "goodneighbor" / "mailbox"
    assert len(list(mailbox.iterdir())) == 1
    assert "bytes of segments" in neighbor("status").text
    export(site)
    assert list(mailbox.iterdir()) == []
    assert "bytes of segments" not in neighbor("status").text


def test_segments_stay_where_the_log_stays_at_home(site: Path, neighbor: Neighbor) -> None:
    store = take_in(site, neighbor, RULES.replace("commit = true", "commit = true\nlog = false"))
    fold(store, 1)
    export(site)
    assert len(list((site / ".git" / "goodneighbor" / "mailbox").iterdir())) == 1
