"""The seal of a row: a digest over what no other digest covers.

The fact not to miss: an event's digest is over its body, and what a body lacks stands beside it (a
frame, a stream, when it was received). A flipped bit there would fold into another state, and one
in a segment's offset would skip a note, all in silence. So each row of the log and of the door
carries a seal, made when it is written and held against it by `verify`.

Caches carry none: they are held against the log folded again. The form of a seal never changes;
migrations make it for rows that are there.

What each column is held against, so that no bit of it can turn unseen (a test knows them all):

    event                 body by its digest, id and chain by that; what stands beside: seal
    rules                 the digest is the text's
    store                 position and chain: the log; store_id, created_us, forgotten: seal
    segment, copy, loss,  seal
      collected, export,
      quarantine
    note                  its own checksums, at its own place in its segment
    frame, frame_stream   of a closed frame: the log folded again; of an open one: seal
    receipt, entity,      the log folded again
      entity_past,
      document
    no meaning            store.epoch, of use to one writer at a time; store.id and note.number, by
                          which rows are found or lost aloud; reason and events of a stream that
                          is expected still; of sqlite_sequence the worst is that a number which
                          a retry took out of quarantine is given again
"""

from collections.abc import Sequence
from hashlib import sha256

SEAL_SIZE = 16

# What is sealed in each table, in this order; and what its rows are called by in a fault.
SEALED = {
    "event": ("position", "kind", "frame", "utc_us", "stream", "received_us"),
    "copy": ("position", "source", "received_us"),
    "segment": ("name", "taken"),
    "collected": ("path", "digest", "id", "known", "received_us"),
    "quarantine": ("id", "source", "received_us", "reason", "body"),
    "loss": ("document", "frame", "entities", "lost", "asked_by", "allowed_us"),
    "export": (
        *("clone", "branch", "path", "digest", "frame", "document", "document_digest"),
        *("rules", "entities", "removed", "done"),
    ),
    "store": ("store_id", "created_us", "forgotten"),
    "frame": (  # of one that is open
        *("frame", "state", "rules", "events", "units_in", "applied", "duplicate", "skipped"),
        *("optional_skipped", "state_digest", "totals"),
    ),
    "frame_stream": ("frame", "stream", "status"),  # of what an open frame expects
}
ROW_NAMES = {table: columns[0] for table, columns in SEALED.items()} | {"frame_stream": "stream"}
# The rows of these that no log holds yet: the seal tells, also where the word is damaged.
SEALED_ROWS = {
    "frame": "(state = 'open' OR seal IS NOT NULL)",
    "frame_stream": "(status = 'expected' OR seal IS NOT NULL)",
}


def seal(values: Sequence[object]) -> bytes:
    """Return the seal of a row's values: each by its kind and length, so that none runs over."""
    parts = []
    for value in values:
        if isinstance(value, int):
            parts.append(b"i%d;" % value)
        elif value is None:
            parts.append(b"-")
        elif isinstance(value, str):
            text = value.encode(errors="surrogatepass")
            parts.append(b"s%d:%b" % (len(text), text))
        elif isinstance(value, bytes):
            parts.append(b"b%d:%b" % (len(value), value))
        else:
            parts.append(b"?")  # no value of ours: a row that was damaged
    return sha256(b"".join(parts)).digest()[:SEAL_SIZE]


def carried(before: Sequence[object], sealed: object, after: Sequence[object]) -> object:
    """Return the seal of a row that changes; a damaged row keeps its own, and is still found."""
    return seal(after) if seal(before) == sealed else sealed


def is_seal(value: object) -> bool:
    """Say whether a value has the form of a seal."""
    return isinstance(value, bytes) and len(value) == SEAL_SIZE
