"""A second try for what is in quarantine, such as after a version that reads more."""

from ..kernel.errors import DeltaRejected
from . import log, quarantine
from .delta import check
from .engine import Cursor
from .segment import Note


def retry(cursor: Cursor, number: int, now_us: int) -> str | None:
    """Make an event of an entry, in one transaction with its leaving quarantine.

    Returns the event's id in hex (of the event that is there, when it is a copy), or None where
    there is no such entry or it still cannot become one.
    """
    found = quarantine.entry(cursor, number)
    if found is None:
        return None
    kept, body = found
    try:
        delta = check(body)
    except DeltaRejected:
        return None
    log.take(cursor, [Note(body, received_us=now_us, source=kept.source)])
    quarantine.drop(cursor, number)
    return delta.id.hex()
