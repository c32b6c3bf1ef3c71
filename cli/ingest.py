"""Frame and stream of a delta that lacks them, from `[ingest]` in the rules in force."""

from functools import lru_cache

from ..kernel import Rules
from ..store.ingest import fill
from .place import Place


class Ingest:
    """The templates of one rules file; a template that is not there gives None."""

    def __init__(self, frame: str | None, stream: str | None) -> None:
        self._frame = frame
        self._stream = stream

    def frame(self, delta: bytes) -> int | None:
        """Return the delta's frame, or None where the template gives no integer."""
        text = None if self._frame is None else fill(self._frame, delta)
        return int(text) if text is not None and text.isascii() and text.isdigit() else None

    def stream(self, delta: bytes) -> str | None:
        """Return the delta's stream, or None where the template gives none."""
        return None if self._stream is None else fill(self._stream, delta)


def ingest_in_force(where: Place) -> Ingest:
    """Return the templates of the rules in the log."""
    return _ingest(where.open_store().rules_text())


@lru_cache(maxsize=1)
def _ingest(text: str) -> Ingest:
    rules = Rules.parse(text)
    return Ingest(rules.ingest.frame, rules.ingest.stream)
