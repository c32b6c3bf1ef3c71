"""An edit made outside the store comes into the log once, by its fields' rules, or not at all."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from goodneighbor.store import Edit, EditRefused, Store
from goodneighbor.store.step import watch

from .. import fleet

RULES = fleet.RULES.replace('heartbeat_last = "max"', 'heartbeat_last = "max"\njoined = "first"')


class Killed(BaseException):
    """Stands in for a SIGKILL at a named step."""


@pytest.fixture
def closed(make_store: Callable[..., Store]) -> Store:
    """A store whose frame 1 has closed with one post of ada's."""
    store = make_store(RULES)
    store.append(fleet.delta(1, "s1", fleet.post(1, "ada")))
    store.close_frame(1)
    return store


def agents(store: Store) -> dict[str, dict[str, object]]:
    return dict(json.loads(store.document("agents"))["agents"])


def edited(store: Store, **changes: Mapping[str, object] | None) -> bytes:
    """Return agents.json with members of entities changed; None removes the entity."""
    whole = json.loads(store.document("agents"))
    for name, change in changes.items():
        if change is None:
            del whole["agents"][name]
        else:
            whole["agents"].setdefault(name, {}).update(change)
    return json.dumps(whole).encode()


def at_tip(
    blobs: dict[str, bytes], base: str, new: str, manifest: str = "m1", **more: object
) -> Edit:
    """An edit at a tip, of one blob into another."""
    edit = Edit(
        "agents",
        blobs[new],
        path="state/agents.json",
        commit=f"commit of {new}",
        manifest_blob=manifest,
        base_blob=base,
        new_blob=new,
        since_frame=1,
        read_blob=blobs.__getitem__,
    )
    return edit._replace(**more)  # type: ignore[arg-type]


def test_an_edit_is_a_delta_of_stream_git_that_names_its_origin(closed: Store) -> None:
    blobs = {"b1": closed.document("agents"), "b2": edited(closed, bob={"post_count": 7})}
    absorbed = closed.absorb(at_tip(blobs, "b1", "b2"))
    assert (absorbed.frame, absorbed.operations) == (1, 1)
    taken = closed.taken_in()
    assert [each[1:] for each in taken] == [
        (1, "state/agents.json", "commit of b2", "m1", "b1", "b2")
    ]
    assert agents(closed)["bob"]["post_count"] == 7


def test_an_edited_sum_adds_up_with_what_comes_late(closed: Store) -> None:
    closed.absorb(Edit("agents", edited(closed, ada={"post_count": 11})))
    closed.append(fleet.delta(1, "s2", fleet.post(2, "ada"), minute=5))
    closed.close_frame(2)
    assert agents(closed)["ada"]["post_count"] == 12


def test_a_lowered_maximum_a_changed_first_and_an_agent_added_again_survive(closed: Store) -> None:
    closed.absorb(Edit("agents", edited(closed, ada={"joined": "2026-01-01"}), allow_loss=True))
    closed.absorb(Edit("agents", edited(closed, bob=None), allow_loss=True))
    back = {"heartbeat_last": "2020-01-01T00:00:00Z", "joined": "2025-05-05"}
    closed.absorb(Edit("agents", edited(closed, ada=back, bob={"name": "bob"})))
    closed.append(fleet.delta(2, "s1"))
    closed.close_frame(2)
    found = agents(closed)
    assert {**found["ada"], **back} == found["ada"]
    assert found["bob"] == {"name": "bob"}


def test_absorbs_of_one_frame_fold_in_the_order_they_came(closed: Store) -> None:
    for number in range(12):
        closed.absorb(Edit("agents", edited(closed, ada={"name": f"ada {number}"})))
        assert agents(closed)["ada"]["name"] == f"ada {number}"


def test_the_layout_alone_is_no_edit(closed: Store) -> None:
    before = closed.status().events
    whole = json.loads(closed.document("agents"))
    absorbed = closed.absorb(Edit("agents", json.dumps(whole, indent=8).encode()))
    assert (absorbed.frame, absorbed.operations) == (None, 0)
    assert closed.status().events == before


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<<<<<<< ours\n{}\n=======\n{}\n>>>>>>> theirs\n", "markers"),
        (b'{"agents": {"ada": {"a": 1, "a": 2}}}', "duplicate"),
        (b'{"agents": {"ada": ', "byte 19"),
        (b"", "byte 0"),
        (b"[]", "not a JSON object"),
        (b"{}", "no object `agents`"),
        (b'{"agents": {"@": {}}}', "named `@`"),
        (b'{"agents": {"ada": {}}}', "3 of 4 entities are gone"),
    ],
)
def test_what_is_evidence_of_damage_changes_nothing(
    closed: Store, body: bytes, reason: str
) -> None:
    before = closed.status()
    with pytest.raises(EditRefused, match=reason) as refused:
        closed.absorb(Edit("agents", body, path="state/agents.json"))
    assert "neighbor absorb state/agents.json" in str(refused.value)
    assert closed.status() == before


@pytest.mark.parametrize("document", ["channels", "stats"])
def test_a_real_file_that_a_stash_damaged_changes_nothing(
    closed: Store, shared_data: Path, document: str
) -> None:
    body = (shared_data / "damaged" / f"{document}-stash-markers.json").read_bytes()
    with pytest.raises(EditRefused, match="conflict markers"):
        closed.absorb(Edit(document, body))


def test_an_edit_counts_once_when_its_export_never_came(closed: Store) -> None:
    blobs = {"b1": closed.document("agents"), "b2": edited(closed, bob={"post_count": 5})}
    for _ in range(2):
        closed.absorb(at_tip(blobs, "b1", "b2"))
    assert agents(closed)["bob"]["post_count"] == 5


def test_a_later_edit_under_the_same_manifest_starts_from_the_newest(closed: Store) -> None:
    blobs = {"b1": closed.document("agents"), "b2": edited(closed, bob={"post_count": 5})}
    closed.absorb(at_tip(blobs, "b1", "b2"))
    blobs["b3"] = edited(closed, bob={"post_count": 6})
    closed.absorb(at_tip(blobs, "b1", "b3"))
    assert agents(closed)["bob"]["post_count"] == 6
    closed.absorb(at_tip(blobs, "b1", "b1"))  # and taken back before any export
    assert agents(closed)["bob"]["post_count"] == 0


def test_an_edit_made_again_after_an_export_counts_again(closed: Store) -> None:
    blobs = {"b1": closed.document("agents"), "b2": edited(closed, bob={"post_count": 5})}
    closed.absorb(at_tip(blobs, "b1", "b2"))
    closed.absorb(at_tip(blobs, "b2", "b1", "m2"))
    closed.absorb(at_tip(blobs, "b1", "b2", "m3"))
    assert agents(closed)["bob"]["post_count"] == 5


def test_tips_under_two_manifests_are_told_apart(closed: Store) -> None:
    blobs = {"b1": closed.document("agents"), "b2": edited(closed, bob={"post_count": 5})}
    blobs["c2"] = edited(closed, cyd={"post_count": 3})
    closed.absorb(at_tip(blobs, "b1", "b2", "of the remote"))
    closed.absorb(at_tip(blobs, "b1", "c2", "of ours"))
    closed.absorb(at_tip(blobs, "b1", "b2", "of the remote"))  # its push was rejected
    found = agents(closed)
    assert (found["bob"]["post_count"], found["cyd"]["post_count"]) == (5, 3)


@pytest.mark.parametrize(
    "step",
    [
        "append: done",
        "absorb: note kept",
        "drain: rows inserted",
        "drain: committed",
        "close: events written",
        "close: committed",
    ],
)
def test_an_edit_counts_once_when_its_command_is_killed(
    closed: Store, step: str, engine: str
) -> None:
    durable = {"sqlite": "append: note flushed", "postgresql": "append: note committed"}
    blobs = {"b1": closed.document("agents"), "b2": edited(closed, bob={"post_count": 5})}

    def kill(reached: str) -> None:
        if reached == (durable[engine] if step == "append: done" else step):
            raise Killed(step)

    watch(kill)
    try:
        with pytest.raises(Killed):
            closed.absorb(at_tip(blobs, "b1", "b2"))
    finally:
        watch(None)
    closed.close()
    again = Store.open(closed.folder)
    again.absorb(at_tip(blobs, "b1", "b2"))
    assert agents(again)["bob"]["post_count"] == 5
    assert len(again.taken_in()) == 1


def test_an_edit_is_no_late_delta_and_none_from_the_future(closed: Store) -> None:
    closed.absorb(Edit("agents", edited(closed, bob={"post_count": 5})))
    detail = closed.frame(1)
    assert detail is not None
    assert (detail.sums.events, detail.sums.late, detail.ahead) == (2, 0, 0)


def test_a_replay_from_nothing_folds_the_edits_again(closed: Store) -> None:
    closed.absorb(Edit("agents", edited(closed, bob={"post_count": 5})))
    assert closed.replay(check=True).differs == []


def test_a_base_state_is_told_from_the_log(closed: Store) -> None:
    assert json.loads(closed.base_state("agents")) == json.loads(fleet.BASE["agents"])
    assert json.loads(closed.base_state("stats")) == json.loads(fleet.BASE["stats"])
    assert json.loads(closed.base_state("posts")) == {}
