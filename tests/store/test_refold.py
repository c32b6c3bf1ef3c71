"""The log folded in memory gives the documents that the snapshots hold, whatever the log is."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from goodneighbor.store import Store
from goodneighbor.store.refold import refold

from .. import fleet
from ..effort import examples

SEED = bytes(16)
OTHER_RULES = fleet.RULES.replace(
    'kind = "record"',
    'kind = "record"\n[documents.stats.derive]\nposts = "count(posts)"',
)
FRAMES = 14  # more than `reopen`, so that some come too late for their own


def refolded(store: Store) -> tuple[dict[str, bytes], int]:
    with store._reading() as cursor:
        made = refold(cursor, SEED)
    with made.fold as fold:
        names = [document.name for document in fold.rules.documents]
        return {name: fold.document(name) for name in names}, made.events


@pytest.mark.parametrize("seed", range(examples(6)))
def test_late_early_and_repeated_closes_fold_to_the_same_documents(
    make_store: Callable[..., Store], seed: int
) -> None:
    random = Random(f"refold {seed}")
    store = make_store()
    number = 0
    for frame in range(1, FRAMES):
        for _ in range(random.randrange(5)):
            number += 1
            post = fleet.post(random.randrange(40), random.choice(("ada", "bob", "nobody")))
            into = random.choice((frame, frame, max(1, frame - 2), 1, frame + 1))
            store.append(fleet.delta(into, f"s{number}", post, minute=random.randrange(60)))
        if random.random() < 0.7:
            rules = OTHER_RULES if random.random() < 0.2 else None
            store.close_frame(frame, rules_text=rules)
            if random.random() < 0.3:
                store.append(fleet.delta(frame, f"late{number}", fleet.post(99, "cyd")))
                store.close_frame(frame)
    store.append(fleet.delta(FRAMES + 3, "early", fleet.post(77, "dee")))
    store.close_frame(FRAMES)
    documents, _ = refolded(store)
    assert documents == {name: store.document(name) for name in documents}
    assert store.replay(documents=True).differs == []


def test_a_document_that_differs_is_named(store: Store, tmp_path: Path) -> None:
    store.append(fleet.delta(1, "s1", fleet.post(1, "ada")))
    store.close_frame(1)
    kept = store.entity("agents", b"ada")
    assert kept is not None
    spoiled = kept.replace(b"ada", b"bob")
    _put(store, spoiled)
    assert [each.row for each in store.replay(documents=True).differs] == ["agents"]
    _put(store, kept)


def _put(store: Store, body: bytes) -> None:
    with store._writing("test") as writer, writer.transaction("known") as cursor:
        cursor.execute("UPDATE entity SET body = ? WHERE key = ?", (body, b"ada"))
