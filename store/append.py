"""Append: a delta into the mailbox, durable when the call returns.

A delta is checked before it is kept, so that its writer hears of a mistake while it can still be
mended. What is refused is kept all the same, with the reason, as a note of its own kind; the
sequencer moves it into quarantine. Neither needs the database.
"""

from .delta import check
from .errors import DeltaRejected
from .folder import is_postgresql
from .segment import BODY_SIZE_MAX, DELTA, REJECTED, Note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .clock import Clock
    from .disk import Disk
    from .server_writer import ServerWriter
    from .writer import Writer


class Appended:
    """A delta that is in the mailbox for good."""

    __slots__ = ("frame", "id", "stream")

    def __init__(self, id: str, frame: int, stream: str) -> None:
        self.id = id  # 32 hex digits
        self.frame = frame
        self.stream = stream


def open_writer(
    url: str | None,
    store_id: str,
    folder: str,
    clock: "Clock",
    disk: "Disk",
    random: "Callable[[int], bytes]",
) -> "Writer | ServerWriter":
    """Return the way into a store's mailbox: its folder, or the server that a url names."""
    if is_postgresql(url):
        from .server_writer import ServerWriter

        assert url is not None
        return ServerWriter(url, store_id, folder, clock=clock, disk=disk, random=random)
    from .writer import Writer

    return Writer(folder, clock=clock, disk=disk, random=random)


def append(
    writer: "Writer | ServerWriter",
    raw: bytes,
    *,
    source: str = "append",
    frame: int | None = None,
    stream: str | None = None,
) -> Appended:
    """Keep one delta as it lies; `frame` and `stream` are logged beside it where it lacks them.

    Raises:
        DeltaRejected: it cannot become an event; its bytes are kept for quarantine.
        StoreUnwritable: the disk did not take it.
    """
    result = append_many(writer, (raw,), source=source, frame=frame, stream=stream)[0]
    if isinstance(result, DeltaRejected):
        raise result
    return result


def append_many(
    writer: "Writer | ServerWriter",
    raws: "Sequence[bytes]",
    *,
    source: str = "append",
    frame: int | None = None,
    stream: str | None = None,
) -> "list[Appended | DeltaRejected]":
    """Keep deltas with one flush; in the place of one that is refused stands its error.

    Of bytes that are refused, the first 64 MiB are kept; no delta is longer.

    Raises:
        StoreUnwritable: the disk did not take them.
    """
    results: list[Appended | DeltaRejected] = []
    notes = []
    received_us = writer.clock.tick()
    for raw in raws:
        try:
            delta = check(raw, frame=frame, stream=stream)
        except DeltaRejected as error:
            results.append(error)
            kind, reason = REJECTED, error.reason
        else:
            results.append(Appended(delta.id.hex(), delta.frame, delta.stream))
            kind, reason = DELTA, ""
        notes.append(
            Note(
                raw[:BODY_SIZE_MAX],
                received_us=received_us,
                source=source,
                kind=kind,
                frame=frame,
                stream=stream,
                reason=reason,
            )
        )
    writer.append_many(notes)
    return results
