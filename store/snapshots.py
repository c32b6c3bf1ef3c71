"""The folded entities: the current version of each, the older ones, and the state digest.

The fact not to miss: snapshots are a cache of the log, but an exact one. Every version knows the
frame that made it, so going back to an older frame (a late event, time travel) is a look-up and not
a fold.

    entity        the current version; body NULL is removed, body empty is an empty record or `@`
    entity_past   what stood there before, by the frame that made it
    document      per document and frame that changed it: its share of the state digest, its counts

The state digest is a sum (modulo 2^256), so it is kept by what changed, and is the sum of its
documents' shares. Law 6: nothing here looks at an entity that a frame does not name.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

from ..kernel import Changed
from .engine import Cursor

DIGEST_MODULUS = 2**256
MEMBERS_KEY = b"@"  # the entity of the members beside a document's root


class Row(NamedTuple):
    """One version of one entity."""

    key: bytes
    frame: int
    body: bytes | None


class Known(NamedTuple):
    """What the next version of an entity has to know of this one."""

    frame: int
    digest: bytes | None
    is_removed: bool


# Entities that were looked up or written in this transaction; None: there is none.
Seen = dict[tuple[str, bytes], Known | None]
SEEN_MAX = 200_000


class Share(NamedTuple):
    """What a document adds to the state digest, and what it holds; `@` is no entity here."""

    digest: int
    entities: int
    removed: int


EMPTY = Share(0, 0, 0)

# The index on frame holds no base state; the first of the two is where SQLite starts in it.
_SINCE = "frame >= ? AND frame >= 0"

HIGHEST_FRAME = 2**62  # above every frame there is

# Steps from name to name along the index, and takes the newest row of each: the table has a row for
# every frame that changed a document, and is not walked.
_SHARES = """
    WITH RECURSIVE named (name) AS (
        SELECT min(document) FROM document
        UNION ALL
        SELECT (SELECT min(document) FROM document WHERE document > name) FROM named
        WHERE name IS NOT NULL
    )
    SELECT d.document, d.digest, d.entities, d.removed FROM named
    JOIN document AS d ON d.document = name AND d.frame = (
        SELECT max(frame) FROM document WHERE document = name AND frame <= ?
    )
"""


def key_digest(key: bytes) -> bytes:
    """Return what an entity is found by: its key may be longer than a B-tree takes."""
    return sha256(key).digest()


def entity_digest(document: str, key: bytes, body: bytes | None) -> bytes | None:
    """Return one entity's term of the state digest; None for one that does not count."""
    if not body:
        return None
    name = document.encode()
    term = sha256(len(name).to_bytes(4, "big") + name)
    term.update(len(key).to_bytes(4, "big") + key)
    term.update(body)
    return term.digest()


def state_digest(cursor: Cursor, frame: int | None = None) -> str:
    """Return the digest of the state, now or as frame `frame` left it: 64 hex digits."""
    total = sum(share.digest for share in shares(cursor, frame).values())
    return f"{total % DIGEST_MODULUS:064x}"


def shares(cursor: Cursor, frame: int | None = None) -> dict[str, Share]:
    """Return each document's share, now or as frame `frame` left it."""
    cursor.execute(_SHARES, (HIGHEST_FRAME if frame is None else frame,))
    return {
        name: Share(int.from_bytes(digest, "big"), entities, removed)
        for name, digest, entities, removed in cursor.fetchall()
    }


def entity(cursor: Cursor, document: str, key: bytes, frame: int | None = None) -> bytes | None:
    """Return an entity's body, now or as frame `frame` left it; None where there is none."""
    row = version(cursor, document, key, frame)
    return None if row is None or not row.body else row.body


def version(cursor: Cursor, document: str, key: bytes, frame: int | None = None) -> Row | None:
    """Return an entity's version, removed ones too; None where the key was never taken."""
    place = (document, key_digest(key))
    found = cursor.execute(
        "SELECT frame, body FROM entity WHERE document = ? AND key_digest = ?", place
    ).fetchone()
    if found is not None and frame is not None and found[0] > frame:
        found = cursor.execute(
            "SELECT frame, body FROM entity_past WHERE document = ? AND key_digest = ?"
            " AND frame <= ? ORDER BY frame DESC LIMIT 1",
            (*place, frame),
        ).fetchone()
    return None if found is None else Row(key, *found)


def entities(cursor: Cursor, document: str, frame: int | None = None) -> Iterator[Row]:
    """Yield a document's versions in the order of their keys, removed ones too."""
    if frame is None:
        rows = cursor.scan(
            "SELECT key, frame, body FROM entity WHERE document = ? ORDER BY key", (document,)
        )
    else:
        rows = cursor.scan(
            "SELECT e.key, p.frame, p.body FROM entity AS e JOIN ("
            "  SELECT key_digest, frame, body FROM entity WHERE document = :d AND frame <= :f"
            "  UNION ALL SELECT key_digest, frame, body FROM entity_past AS o"
            "  WHERE document = :d AND frame = (SELECT max(frame) FROM entity_past"
            "    WHERE document = :d AND key_digest = o.key_digest AND frame <= :f)"
            "  AND NOT EXISTS (SELECT 1 FROM entity WHERE document = :d"
            "    AND key_digest = o.key_digest AND frame <= :f)"
            ") AS p ON p.key_digest = e.key_digest WHERE e.document = :d ORDER BY e.key",
            {"d": document, "f": frame},
        )
    for key, made, body in rows:
        yield Row(key, made, body)


def load(cursor: Cursor, names: Sequence[tuple[str, bytes]], seen: Seen) -> dict[str, list[Row]]:
    """Return the versions that are there among the named entities, by document."""
    if len(seen) > SEEN_MAX:
        seen.clear()
    # In the order of the index, so that a page is read once.
    placed = sorted((document, key_digest(key), key) for document, key in names)
    rows = cursor.each(
        "SELECT frame, body, digest FROM entity WHERE document = ? AND key_digest = ?",
        [place[:2] for place in placed],
    )
    found: dict[str, list[Row]] = {}
    for (document, _, key), row in zip(placed, rows, strict=True):
        seen[document, key] = None
        if row is not None:
            frame, body, digest = row
            seen[document, key] = Known(frame, digest, body is None)
            found.setdefault(document, []).append(Row(key, frame, body))
    return found


def write(
    cursor: Cursor,
    frame: int,
    changes: Iterable[Changed],
    rooted: Collection[str] = (),
    seen: Seen | None = None,
) -> None:
    """Make what frame `frame` changed the current versions, and keep those before as older ones.

    In the documents named by `rooted`, `@` is what lies beside the root, and no entity to count.
    What `seen` knows is not looked up again.
    """
    seen = {} if seen is None else seen
    by_document: dict[str, list[Changed]] = {}
    for change in changes:
        by_document.setdefault(change.document, []).append(change)
    before = shares(cursor)
    for document, changed in by_document.items():
        uncounted = MEMBERS_KEY if document in rooted else None
        _look_up(cursor, changed, seen)
        share = _write_document(
            cursor, frame, changed, before.get(document, EMPTY), uncounted, seen
        )
        _put_share(cursor, document, frame, share)


def rewind(cursor: Cursor, frame: int) -> None:
    """Put every entity back to what it was before frame `frame`, and forget what came since."""
    since = _SINCE if frame >= 0 else "frame >= ?"
    cursor.execute(f"SELECT document, key_digest, key FROM entity WHERE {since}", (frame,))
    touched = cursor.fetchall()
    older = list(
        cursor.each(
            "SELECT frame, body FROM entity_past WHERE document = ? AND key_digest = ?"
            " AND frame < ? ORDER BY frame DESC LIMIT 1",
            [(document, digest, frame) for document, digest, _ in touched],
        )
    )
    cursor.execute(f"DELETE FROM entity WHERE {since}", (frame,))
    cursor.executemany(
        "INSERT INTO entity (document, key_digest, key, frame, body, digest)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (
            (document, digest, key, *row, entity_digest(document, key, row[1]))
            for (document, digest, key), row in zip(touched, older, strict=True)
            if row is not None
        ),
    )
    cursor.executemany(
        "DELETE FROM entity_past WHERE document = ? AND key_digest = ? AND frame = ?",
        (
            (document, digest, row[0])
            for (document, digest, _), row in zip(touched, older, strict=True)
            if row is not None
        ),
    )
    cursor.execute("DELETE FROM entity_past WHERE frame >= ?", (frame,))
    cursor.execute("DELETE FROM document WHERE frame >= ?", (frame,))


def _look_up(cursor: Cursor, changed: Sequence[Changed], seen: Seen) -> None:
    """See what is there of entities that were not looked up before."""
    unseen = [each for each in changed if (each.document, each.key) not in seen]
    rows = cursor.each(
        "SELECT frame, digest, body IS NULL FROM entity WHERE document = ? AND key_digest = ?",
        [(each.document, key_digest(each.key)) for each in unseen],
    )
    for each, row in zip(unseen, rows, strict=True):
        known = None if row is None else Known(row[0], row[1], bool(row[2]))
        seen[each.document, each.key] = known


def _write_document(
    cursor: Cursor,
    frame: int,
    changed: Sequence[Changed],
    share: Share,
    uncounted: bytes | None,
    seen: Seen,
) -> Share:
    digest_sum, live, removed = share
    document = changed[0].document
    keeps: list[tuple[str, bytes]] = []
    rows: list[tuple[str, bytes, bytes, int, bytes | None, bytes | None]] = []
    # In the order of the index: a large document's rows then fill its pages one after the other.
    for digest, _, key, body in sorted((key_digest(each.key), *each) for each in changed):
        place = (document, digest)
        old = seen[document, key]
        new_digest = entity_digest(document, key, body)
        if old is not None:
            assert old.frame < frame, "a frame writes an entity once"
            keeps.append(place)
            digest_sum -= int.from_bytes(old.digest or b"", "big")
        digest_sum += int.from_bytes(new_digest or b"", "big")
        if key != uncounted:
            live += (new_digest is not None) - (old is not None and old.digest is not None)
            removed += (body is None) - (old is not None and old.is_removed)
        seen[document, key] = Known(frame, new_digest, body is None)
        rows.append((*place, key, frame, body, new_digest))
    cursor.executemany(
        "INSERT INTO entity_past (document, key_digest, frame, body) SELECT document, key_digest,"
        " frame, body FROM entity WHERE document = ? AND key_digest = ?",
        keeps,
    )
    cursor.executemany(
        "INSERT INTO entity (document, key_digest, key, frame, body, digest)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (document, key_digest) DO UPDATE SET"
        " frame = excluded.frame, body = excluded.body, digest = excluded.digest",
        rows,
    )
    return Share(digest_sum % DIGEST_MODULUS, live, removed)


def _put_share(cursor: Cursor, document: str, frame: int, share: Share) -> None:
    cursor.execute(
        "INSERT INTO document (document, frame, digest, entities, removed) VALUES (?, ?, ?, ?, ?)",
        (document, frame, share.digest.to_bytes(32, "big"), share.entities, share.removed),
    )
