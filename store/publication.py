"""What a commit of the documents is made from, as of one moment; the store knows no git.

The fact not to miss: whoever commits says what stands there already, read from the manifest beside
the documents. So nothing is remembered here about commits, and a document that has not changed is
not rendered (law 6). Law 5 holds as for files: a loss beyond `max_loss` is held back, alone.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from ..kernel import Rules
from ..kernel.document import Document
from . import closes, snapshots
from .engine import Cursor
from .export import Withheld, loss_of, render
from .export_record import LastExport, Version
from .snapshots import Share


class Standing(NamedTuple):
    """Which state a committed document was made from, and how much it holds."""

    state: str  # the document's share of the state digest, in hex
    rules: str  # digest of the rules it was written by, in hex
    entities: int
    removed: int


class Page(NamedTuple):
    """One document as it is to be committed; `data` None: as it stands."""

    document: str
    path: str
    data: bytes | None
    standing: Standing

    @property
    def version(self) -> Version:
        """The state that it is made from, as an export's record has it."""
        state, rules, entities, removed = self.standing
        share = Share(int(state, 16), entities, removed)
        return Version(self.document, share, bytes.fromhex(rules))


class Publication(NamedTuple):
    """The documents as of the last close, and what the commit says about itself."""

    store_id: str
    frame: int  # the last closed; below 0 before the first
    position: int  # of that close in the log
    state_digest: str
    rules: Rules
    pages: list[Page]
    refused: list[Withheld]
    losses: list[Withheld]  # beyond the bound, and asked for


class Folded(NamedTuple):
    """What frames brought, told together."""

    frames: list[int]
    streams: list[str]
    units_in: int
    applied: int
    duplicate: int
    skipped: int


def publication(
    cursor: Cursor, standing: Mapping[str, Standing], allow_loss: Collection[str], seed: bytes
) -> Publication:
    """Render the documents that are not as they stand; `standing` is by path."""
    rules = closes.rules_in_force(cursor)
    newest = closes.last(cursor)
    assert newest is not None, "a store's first event is a close"
    shares = snapshots.shares(cursor)
    pages, refused, losses = [], [], []
    for document in rules.documents:
        if document.path is None or document.name not in shares:
            continue
        share = shares[document.name]
        page = _page(cursor, rules, document, share, standing.get(document.path), seed)
        loss = _loss(cursor, rules, document, share, standing.get(document.path))
        if page.data is None or loss is None:
            pages.append(page)
        elif document.name in allow_loss:
            pages.append(page)
            losses.append(loss)
        else:
            refused.append(loss)
    store_id = cursor.execute("SELECT store_id FROM store WHERE id = 1").fetchone()[0]
    digest = snapshots.state_digest(cursor)
    return Publication(
        store_id, newest.frame, newest.position, digest, rules, pages, refused, losses
    )


def folded(cursor: Cursor, after: int, last: int) -> Folded:
    """Tell together what the closed frames above `after` and up to `last` brought."""
    cursor.execute(
        "SELECT frame, units_in, applied, duplicate, skipped FROM frame"
        " WHERE state = 'closed' AND frame > ? AND frame <= ? AND frame >= 0 ORDER BY frame",
        (after, last),
    )
    rows = cursor.fetchall()
    cursor.execute(
        "SELECT DISTINCT stream FROM frame_stream WHERE frame > ? AND frame <= ? AND frame >= 0"
        " ORDER BY stream",
        (after, last),
    )
    streams = [row[0] for row in cursor]
    sums = [_total(row[column] for row in rows) for column in range(1, 5)]
    return Folded([row[0] for row in rows], streams, *sums)


def _total(numbers: Iterable[int]) -> int:
    return sum(numbers)


def _page(
    cursor: Cursor,
    rules: Rules,
    document: Document,
    share: Share,
    standing: Standing | None,
    seed: bytes,
) -> Page:
    assert document.path is not None
    wanted = Standing(f"{share.digest:064x}", rules.digest.hex(), share.entities, share.removed)
    is_same = standing == wanted
    data = None if is_same else render(cursor, rules, document.name, seed)
    return Page(document.name, document.path, data, wanted)


def _loss(
    cursor: Cursor, rules: Rules, document: Document, share: Share, standing: Standing | None
) -> Withheld | None:
    last = None
    if standing is not None:
        counts = (standing.entities, standing.removed)
        last = LastExport("", b"", bytes.fromhex(standing.state), b"", *counts)
    return loss_of(cursor, rules, document, share, last)
