"""What a store holds, as plain facts that a fresh process reads and the parent judges."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from goodneighbor.store import Store
from goodneighbor.store.delta import check

from .roles import KEPT, Place


@dataclass
class Held:
    """What the log and the quarantine hold of what was sent."""

    events: dict[str, int] = field(default_factory=dict)  # id -> how many copies came beside it
    fallbacks: int = 0
    edits: int = 0  # absorbed
    quarantined: list[str] = field(default_factory=list)  # bodies


@dataclass
class Facts:
    """A store after a round, and what its last commands said."""

    drained: Held  # after the first drain, before anything was sent again
    closed: Held
    faults: list[str]  # that `verify` found
    withheld: list[str]
    sums: dict[str, list[int]]  # frame -> in, applied, duplicate, skipped
    documents: dict[str, str]
    files: dict[str, str]  # everything in the tree
    state_digest: str

    def write(self, path: Path) -> None:
        """Write them for the parent."""
        path.write_text(json.dumps(asdict(self)), "utf-8")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what a process wrote before it ended well."""
        said = json.loads(path.read_text("utf-8"))
        return cls(drained=Held(**said.pop("drained")), closed=Held(**said.pop("closed")), **said)


def held(place: Place) -> Held:
    """Read log and quarantine from the tables, past the store's own reading."""
    database = f"{(place.store / 'store.sqlite3').as_uri()}?mode=ro"
    with closing(sqlite3.connect(database, uri=True)) as connection:
        found = _events(connection.cursor())
        bodies = "SELECT body FROM quarantine WHERE source <> ? ORDER BY id"
        rows = connection.execute(bodies, (KEPT,))
        edits = "SELECT count(*) FROM event WHERE kind = 'own' AND stream = 'git'"
        (found.edits,) = connection.execute(edits).fetchone()
        found.quarantined = [body.decode() for (body,) in rows]
    return found


def look(place: Place, store: Store, drained: Held, withheld: Sequence[str]) -> Facts:
    """Read everything; `verify` comes first, before anything else could mend what it sees."""
    faults = [f"{fault.place}: {fault.what}" for fault in store.verify()]
    return Facts(
        drained,
        held(place),
        faults,
        list(withheld),
        {
            str(row.frame): [
                row.sums.units_in,
                row.sums.applied,
                row.sums.duplicate,
                row.sums.skipped,
            ]
            for row in store.frames()
        },
        {name: store.document(name).decode() for name in store.documents()},
        {
            path.relative_to(place.tree).as_posix(): path.read_text("utf-8")
            for path in sorted(place.tree.rglob("*"))
            if path.is_file()
        },
        store.state_digest(),
    )


def _events(cursor: sqlite3.Cursor) -> Held:
    found = Held()
    cursor.execute(
        "SELECT e.id, e.frame, e.stream, e.body, (SELECT count(*) FROM copy AS c WHERE"
        " c.position = e.position) FROM event AS e WHERE e.kind = 'delta' ORDER BY e.position"
    )
    for identity, frame, stream, body, copies in cursor:
        if check(body, frame=frame, stream=stream).fallback:
            found.fallbacks += 1
            continue
        assert identity.hex() not in found.events, "an id stands in the log once"
        found.events[identity.hex()] = copies
    return found
