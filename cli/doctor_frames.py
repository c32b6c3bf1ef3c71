"""The doctor's look at the frames: streams that did not report, closes that merged nothing."""

from collections.abc import Iterator

from ..store import Store
from ..store.status import EMPTY_FRAMES_WARN
from .finding import Finding


def look(store: Store) -> Iterator[Finding]:
    """Yield what the newest closed frames show against rule 7."""
    status = store.status()
    if status.closed is None:
        return
    detail = store.frame(status.closed)
    assert detail is not None, "the last closed frame is known"
    for stream in detail.streams:
        if stream.status == "missing" or (stream.status, stream.reason) == ("fallback", "missing"):
            yield Finding(
                7,
                f"frame {status.closed}: {stream.stream} was expected, and wrote nothing",
                f"neighbor frame show {status.closed}",
            )
    if status.empty_frames >= EMPTY_FRAMES_WARN:
        yield Finding(
            7,
            f"the last {status.empty_frames} frames merged nothing",
            f"neighbor frame show {status.closed}",
        )
