"""Deltas kept as files, where a stream may write its own folder and not the mailbox.

Durable as the mailbox is: written beside, flushed, renamed, the folder flushed. What cannot become
an event is kept too, and goes to quarantine when the folder is collected.
"""

import os

from ..kernel.errors import DeltaRejected
from ..store.append import Appended
from ..store.delta import check
from ..store.disk import DISK, replace_file

TYPE_CHECKING = False  # part of append's way
if TYPE_CHECKING:
    from collections.abc import Sequence


def leave(
    folder: str, deltas: "Sequence[bytes]", *, frame: int | None, stream: str | None
) -> "list[Appended | DeltaRejected]":
    """Keep each delta in a file of its own; return what became of each, as `append_many` does.

    Raises:
        OSError: the folder takes them as little as the mailbox.
    """
    results: list[Appended | DeltaRejected] = []
    for number, delta in enumerate(deltas):
        name = os.path.join(folder, f"{os.urandom(8).hex()}-{number}")
        replace_file(DISK, f"{name}.json", delta, beside=f"{name}.new", mode=0o600)
        try:
            checked = check(delta, frame=frame, stream=stream)
            results.append(Appended(checked.id.hex(), checked.frame, checked.stream))
        except DeltaRejected as error:
            results.append(error)
    return results
