"""What the tests of commits share: a site whose closes commit, and git as a person types it."""

import subprocess
from pathlib import Path

from goodneighbor.cli.place import find
from goodneighbor.store import Store

from .. import fleet
from .conftest import Neighbor

RULES = fleet.RULES.replace(
    "[documents.agents]", "[export]\ncommit = true\n\n[documents.agents]", 1
)


def git(folder: Path, *words: str, code: int = 0) -> str:
    """Run git as a person would; return what it printed."""
    done = subprocess.run(
        ["git", *words], cwd=folder, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == code, f"git {' '.join(words)}: {done.returncode}\n{done.stderr}"
    return done.stdout


def take_in(site: Path, neighbor: Neighbor, rules: str = RULES) -> Store:
    """Commit rules under which closes commit, and make the store."""
    (site / "neighbor.toml").write_text(rules)
    git(site, "add", "neighbor.toml")
    git(site, "commit", "--quiet", "--message", "Rules")
    neighbor("init")
    return store_of(site)


def store_of(tree: Path) -> Store:
    """Open the store of a tree's repository."""
    return find(str(tree)).open_store()


def fold(store: Store, frame: int, number: int | None = None) -> None:
    """Bring one post in frame `frame`, and close it; nothing is exported."""
    store.append(fleet.delta(frame, "s1", fleet.post(number or frame, "ada")))
    store.close_frame(frame)
    store.close()


def agree(site: Path, store: Store, *, tree: Path | None = None, branch: str = "main") -> None:
    """Hold index, tree, branch and store against each other."""
    for name in ("agents", "channels", "stats"):
        wanted = store.document(name).decode()
        assert git(site, "show", f"{branch}:state/{name}.json") == wanted
        if tree is not None:
            assert (tree / "state" / f"{name}.json").read_text() == wanted
    if tree is not None:
        assert git(tree, "diff", "--cached", "--name-only", "--", "state") == ""
        assert git(tree, "diff", "--name-only", "--", "state") == ""
