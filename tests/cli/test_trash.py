"""What is put into the trash is out of the way, also while somebody empties it."""

import errno
import os
import threading
from itertools import count
from pathlib import Path

import pytest
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


def test_a_trash_that_was_there_a_moment_ago_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, calls = os.mkdir, count()

    def too_late(path: Path, mode: int = 0o777) -> None:
        if next(calls) == 0:
            raise FileExistsError(errno.EEXIST, "it is there", str(path))
        make(path, mode)

    tree = tmp_path / "tree"
    tree.mkdir()
    with monkeypatch.context() as patched:
        patched.setattr(os, "mkdir", too_late)
        assert trash.put(tmp_path, tree, "1") == tmp_path / "trash" / "1"
    assert next(calls) == 2


def test_nothing_is_put_where_nothing_lies(tmp_path: Path) -> None:
    assert trash.put(tmp_path, tmp_path / "gone", "1") is None
