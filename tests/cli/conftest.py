"""A small site to run commands in, and the command itself, in this process."""

import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from goodneighbor.cli.__main__ import main
from goodneighbor.cli.git import Git
from goodneighbor.store import Store

from .. import fleet


@dataclass(frozen=True)
class Result:
    """How one command line ended, and what it said."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Neighbor = Callable[..., Result]


@pytest.fixture
def neighbor(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Neighbor:
    """Run a command line as the shell would, in the current folder, and hold it to an exit code."""
    for name in [name for name in os.environ if name.startswith("NEIGHBOR_")]:
        monkeypatch.delenv(name)

    def run(*words: str, stdin: bytes = b"", code: int = 0) -> Result:
        capfdbinary.readouterr()
        with io.TextIOWrapper(io.BytesIO(stdin)) as opened:
            monkeypatch.setattr(sys, "stdin", opened)
            ended = main(list(words))
        out, err = capfdbinary.readouterr()
        result = Result(ended, out, err.decode())
        assert ended == code, f"neighbor {' '.join(words)} ended in {ended}:\n{result.err}"
        return result

    return run


@pytest.fixture
def site(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the fleet's documents committed, not in canonical form; we stand in it."""
    (repository / "state").mkdir()
    for name, data in fleet.BASE.items():
        (repository / "state" / f"{name}.json").write_bytes(data + b"\n")
    (repository / "README.md").write_text("A site.\n")
    Git(repository).commit_only(["README.md", "state"], "A small site")
    monkeypatch.chdir(repository)
    return repository


@pytest.fixture
def taken_in(site: Path, neighbor: Neighbor) -> Iterator[Path]:
    """The site with a store and the fleet's rules; its store is verified when the test is over."""
    (site / "neighbor.toml").write_text(fleet.RULES)
    neighbor("init")
    yield site
    assert Store.open(site / ".git" / "goodneighbor").verify() == []
