"""List the delta files that streams put into `state/stream_deltas/` as plain files.

Regular files directly in the folder, whose names end in `.json`; no symlinks, so that nothing
from outside the tree is taken in.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .place import DELTAS_FOLDER


def delta_files(tree: Path) -> list[Path]:
    """Return the delta files of a working tree, sorted by name."""
    folder = tree / DELTAS_FOLDER
    if folder.is_symlink() or folder.parent.is_symlink() or not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        names = [
            entry.name
            for entry in entries
            if entry.name.endswith(".json") and entry.is_file(follow_symlinks=False)
        ]
    return [folder / name for name in sorted(names)]


def is_known(file: Path, pending_from: int | None) -> bool:
    """Tell whether a file was merged before the store began: all are, or those below a frame.

    A file whose frame cannot be read is not known: collecting it puts it into quarantine with
    the reason, and a newer delta is not passed over because it is damaged.
    """
    if pending_from is None:
        return True
    delta = _read(file)
    frame = delta.get("frame") if isinstance(delta, dict) else None
    return type(frame) is int and frame < pending_from


def arrays_in(files: Iterable[Path]) -> Counter[str]:
    """Count the items of each top-level array in these deltas; what does not parse has none."""
    sizes: Counter[str] = Counter()
    for file in files:
        delta = _read(file)
        if isinstance(delta, dict):
            sizes.update({name: len(value) for name, value in delta.items() if type(value) is list})
    return +sizes


def _read(file: Path) -> Any:
    """Read a file for its looks only; None where it does not parse."""
    try:
        return json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        return None
