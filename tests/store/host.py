"""One of several hosts that share a store: it appends, closes and exports, frame by frame.

`python -m tests.store.host FOLDER TREE NAME` says that it is ready, and waits for its input to end,
so that all begin at once.
"""

import sys
from contextlib import suppress
from pathlib import Path

from goodneighbor.store import FramePassed, Store

from .. import fleet

FRAMES, APPENDS = 5, 5  # of each host


def live(folder: Path, tree: Path, name: str) -> None:
    """Live as a host does beside others: whoever is faster closes the frame."""
    with Store.open(folder) as host:
        print("ready", flush=True)
        sys.stdin.read()
        for frame in range(1, FRAMES + 1):
            for number in range(APPENDS):
                post = fleet.post(frame * 100 + number * 2 + (name == "b"), "ada")
                host.append(fleet.delta(frame, f"s-{name}-{number}", post))
            host.drain()
            with suppress(FramePassed):  # another was faster
                host.close_frame(frame)
            host.export(tree)


if __name__ == "__main__":
    live(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
