"""What is put into the trash is out of the way, also while somebody empties it."""

import threading
from pathlib import Path

from goodneighbor.cli import trash

PUTS = 100


def test_the_trash_may_be_emptied_while_something_is_put_into_it(tmp_path: Path) -> None:
    """Emptying takes the folder away, too: a rename then found none, and took the tree for gone."""
    store = tmp_path / "store"
    store.mkdir()
    is_over = threading.Event()

    def empty() -> None:
        while not is_over.is_set():
            trash.empty(store)

    emptying = threading.Thread(target=empty)
    emptying.start()
    try:
        for number in range(PUTS):
            tree = tmp_path / "tree"
            tree.mkdir()
            assert trash.put(store, tree, str(number)) is not None
            assert not tree.exists()
    finally:
        is_over.set()
        emptying.join()


def test_nothing_is_put_where_nothing_lies(tmp_path: Path) -> None:
    assert trash.put(tmp_path, tmp_path / "gone", "1") is None
