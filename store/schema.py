"""The store's tables, as SQLAlchemy Core knows them.

Only making and migrating a database imports this file: statements are SQL text in the file of their
noun (`log.py`, `snapshots.py`, ...), run on the driver's own cursor, because a reader must not pay
for importing SQLAlchemy and a bulk path must not pay for its rows.

    the truth     event, rules                    what the state depends on
    the door      store, segment, copy,           what has been taken in, what was refused,
                  collected, quarantine,        what somebody let through
                  loss
    the mailbox   note                            on PostgreSQL; on SQLite it is a folder of files
    caches        frame, frame_stream, receipt,   delete them: `replay` brings back the same
                  entity, entity_past, document,         bytes
                  export

A row of the log or of the door carries a seal (`seal.py`): a digest over what no other covers. So
does what an open frame is, which no log holds before its close.

Keys and bodies are bytes: a key may hold NUL, which PostgreSQL's text refuses, and is found by its
digest, because it may be longer than a B-tree takes. Times are integer microseconds since 1970.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()

# SQLite keeps rows by this number itself only where the type says INTEGER.
RowNumber = BigInteger().with_variant(Integer(), "sqlite")
# Text sorts by bytes on both engines.
Words = Text().with_variant(Text(collation="C"), "postgresql")

# The one row of the store itself. `position` and `chain` are the log's head: a log whose last rows
# are cut off is still a valid chain, and only the head tells.
store = Table(
    "store",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("store_id", Words, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("chain", LargeBinary, nullable=False),
    Column("seal", LargeBinary),
    Column("forgotten", BigInteger),  # versions that only frames below it need are gone
)

event = Table(
    "event",
    metadata,
    Column("position", RowNumber, primary_key=True, autoincrement=False),
    Column("id", LargeBinary, nullable=False, unique=True),
    Column("kind", Words, nullable=False),  # delta, own, close
    Column("frame", BigInteger, nullable=False),
    Column("utc_us", BigInteger),
    Column("stream", Words, nullable=False),  # as written; "" for a close
    Column("received_us", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("chain", LargeBinary, nullable=False),
    Column("seal", LargeBinary),
)
Index("event_frame", event.c.frame, event.c.position)
Index(
    "event_close",
    event.c.frame,
    event.c.position,
    sqlite_where=text("kind = 'close'"),
    postgresql_where=text("kind = 'close'"),
)

rules = Table(
    "rules",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("text", Words, nullable=False),
)

copy = Table(
    "copy",
    metadata,
    Column("position", BigInteger, nullable=False, index=True),
    Column("source", Words, nullable=False),
    Column("received_us", BigInteger, nullable=False),
    Column("seal", LargeBinary),
)

segment = Table(
    "segment",
    metadata,
    Column("name", Words, primary_key=True),
    Column("taken", BigInteger, nullable=False),  # bytes of it that are in the log or in quarantine
    Column("seal", LargeBinary),
)

# A note as it stands in its segment, until the sequencer takes it. On PostgreSQL alone.
note = Table(
    "note",
    metadata,
    Column("number", BigInteger, Identity(always=True), primary_key=True),
    Column("segment", Words, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),  # of its segment, that it takes
    Column("bytes", LargeBinary, nullable=False),
    UniqueConstraint("segment", "offset"),
    info={"engine": "postgresql"},
)

collected = Table(
    "collected",
    metadata,
    Column("path", Words, primary_key=True),
    Column("digest", LargeBinary, nullable=False),  # SHA-256 of the file's bytes
    Column("id", LargeBinary, index=True),  # of the delta in it; NULL where it holds none
    Column("known", Integer, nullable=False),  # 1: lay there at init, merged already
    Column("received_us", BigInteger, nullable=False),
    Column("seal", LargeBinary),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Integer, primary_key=True),  # never given twice, also after a retry
    Column("source", Words, nullable=False),
    Column("received_us", BigInteger, nullable=False),
    Column("reason", Words, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("seal", LargeBinary),
    sqlite_autoincrement=True,
)

frame = Table(
    "frame",
    metadata,
    Column("frame", RowNumber, primary_key=True, autoincrement=False),
    Column("state", Words, nullable=False),  # open, closed
    Column("rules", LargeBinary),
    Column("events", BigInteger, nullable=False),
    Column("units_in", BigInteger, nullable=False),
    Column("applied", BigInteger, nullable=False),
    Column("duplicate", BigInteger, nullable=False),
    Column("skipped", BigInteger, nullable=False),
    Column("optional_skipped", BigInteger, nullable=False),
    Column("state_digest", LargeBinary),  # after the frame; NULL until something folded in it
    Column("totals", Words),  # the derive terms' running values after the frame, as JSON
    Column("seal", LargeBinary),  # of an open frame
)

frame_stream = Table(
    "frame_stream",
    metadata,
    Column("frame", BigInteger, nullable=False),
    Column("stream", Words, nullable=False),  # lower case
    Column("status", Words, nullable=False),  # expected, reported, fallback, late
    Column("reason", Words, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("seal", LargeBinary),
    PrimaryKeyConstraint("frame", "stream"),
)

receipt = Table(
    "receipt",
    metadata,
    Column("position", RowNumber, primary_key=True, autoincrement=False),
    Column("frame", BigInteger, nullable=False, index=True),  # where the event folds
    Column("late", Integer, nullable=False),
    Column("units_in", BigInteger, nullable=False),
    Column("applied", BigInteger, nullable=False),
    Column("duplicate", BigInteger, nullable=False),
    Column("skipped", BigInteger, nullable=False),
    Column("optional_skipped", BigInteger, nullable=False),
    Column("unapplied", LargeBinary),  # JSON: [source, item, status, reason, operation] each
)

# `body` NULL: removed, the key stays taken. `body` empty: a record or `@` that holds nothing, which
# counts as no row; it stays as one so that going back to an older frame finds what was there.
entity = Table(
    "entity",
    metadata,
    Column("document", Words, nullable=False),
    Column("key_digest", LargeBinary, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("frame", BigInteger, nullable=False),
    Column("body", LargeBinary),
    Column("digest", LargeBinary),  # NULL where the entity does not count in the state digest
    PrimaryKeyConstraint("document", "key_digest"),
    sqlite_with_rowid=False,  # one page an entity, not one of the key's and one of the row's
)
# For going back to an older frame. Base state, most of a large one, has no place in it.
Index(
    "ix_entity_frame",
    entity.c.frame,
    sqlite_where=text("frame >= 0"),
    postgresql_where=text("frame >= 0"),
)

entity_past = Table(
    "entity_past",
    metadata,
    Column("document", Words, nullable=False),
    Column("key_digest", LargeBinary, nullable=False),
    Column("frame", BigInteger, nullable=False, index=True),
    Column("body", LargeBinary),
    PrimaryKeyConstraint("document", "key_digest", "frame"),
)

# One row for each frame that changed a document: its share of the state digest, and what it holds.
document = Table(
    "document",
    metadata,
    Column("document", Words, nullable=False),
    Column("frame", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("entities", BigInteger, nullable=False),
    Column("removed", BigInteger, nullable=False),
    PrimaryKeyConstraint("document", "frame"),
)

# What we put at a path: the row is there before the file is; `done` turns 1 after, and is sealed.
export = Table(
    "export",
    metadata,
    Column("clone", Words, nullable=False),
    Column("branch", Words, nullable=False),
    Column("path", Words, nullable=False),
    Column("digest", LargeBinary, nullable=False),  # SHA-256 of the file's bytes
    Column("frame", BigInteger, nullable=False),
    Column("document", Words, nullable=False),
    Column("document_digest", LargeBinary, nullable=False),
    Column("rules", LargeBinary, nullable=False),
    Column("entities", BigInteger, nullable=False),
    Column("removed", BigInteger, nullable=False),
    Column("done", Integer, nullable=False),
    Column("seal", LargeBinary),
    PrimaryKeyConstraint("clone", "branch", "path", "digest"),
)

# An export that lost more than `max_loss`, let through: how much, and who asked.
loss = Table(
    "loss",
    metadata,
    Column("document", Words, nullable=False),
    Column("frame", BigInteger, nullable=False),
    Column("entities", BigInteger, nullable=False),  # before
    Column("lost", BigInteger, nullable=False),
    Column("asked_by", Words, nullable=False),
    Column("allowed_us", BigInteger, nullable=False),
    Column("seal", LargeBinary),
)
