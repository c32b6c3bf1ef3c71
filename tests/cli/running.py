"""Runs of streams on real git, in processes of their own, and what they leave behind: nothing."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from goodneighbor.store import Store

from .. import fleet

NEIGHBOR = (sys.executable, "-m", "goodneighbor.cli")
RULES = fleet.RULES + '\n[export]\ncommit = true\n\n[worktree]\ncopy = ["*.env", "notes/"]\n'
POST = '{"posts_created": [{"number": %s, "author": "ada", "channel": "general"}]}'
RUN_S = 240  # then something hangs


class Ran(NamedTuple):
    """How one command line ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def streams(self) -> dict[str, dict[str, Any]]:
        """Return the streams of the first frame by name."""
        return {each["stream"]: each for each in self.json["frames"][0]["streams"]}


def make_site(repository: Path) -> Path:
    """Fill a repository: frames are committed, and frame 404 has closed."""
    (repository / "state" / "stream_deltas").mkdir(parents=True)
    for name, data in fleet.BASE.items():
        (repository / "state" / f"{name}.json").write_bytes(data + b"\n")
    (repository / "neighbor.toml").write_text(RULES, encoding="utf-8")
    (repository / ".gitignore").write_text("*.env\n", encoding="utf-8")
    (repository / "notes").mkdir()
    (repository / "notes" / "plan.txt").write_text("as committed\n", encoding="utf-8")
    (repository / "state" / "stream_deltas" / ".keep").touch()
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message", "A site")
    run(repository, "init", "--commit")
    run(repository, "frame", "close", "404")
    return repository


def check_after(site: Path) -> None:
    """Hold a site against what must be true after any run: nothing left over, a store in order."""
    assert left_over(site) == []
    assert Store.open(site / ".git" / "goodneighbor").verify() == []


def environment() -> dict[str, str]:
    """Return ours without what another fleet says."""
    return {name: value for name, value in os.environ.items() if not name.startswith("NEIGHBOR_")}


def run(site: Path, *words: str, code: int = 0) -> Ran:
    """Type one command line that must end in `code`."""
    done = subprocess.run(
        [*NEIGHBOR, *words],
        cwd=site,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_S,
    )
    assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
    return Ran(done.returncode, done.stdout, done.stderr)


def git(site: Path, *words: str) -> str:
    """Run git as a person would, and return what it printed."""
    done = subprocess.run(["git", *words], cwd=site, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"git {' '.join(words)}: {done.stderr}"
    return done.stdout


def left_over(site: Path) -> list[str]:
    """Name what a run must not leave: worktrees, branches, records, leases, locks, processes."""
    found = git(site, "worktree", "list", "--porcelain").split("\n\n")[1:-1]
    found += git(site, "for-each-ref", "--format=%(refname)", "refs/heads/dc").split()
    store = site / ".git" / "goodneighbor"
    for folder in ("intents", "leases"):
        found += [str(path) for path in (store / folder).glob("*")]
    found += [str(path) for path in site.parent.glob("*.worktrees")]
    found += [str(path) for path in (site / ".git").rglob("*.lock") if store not in path.parents]
    return found + [f"process {pid}: {command}" for pid, command in processes_of(site)]


def processes_of(site: Path) -> list[tuple[int, str]]:
    """Return the processes that were started for a stream of the site."""
    wanted = f"NEIGHBOR_WORKTREE={site.parent}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environ = (folder / "environ").read_bytes()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if any(part.startswith(wanted) for part in environ.split(b"\0")):
            found.append((int(folder.name), command))
    return found


def bodies(site: Path, stream: str) -> list[Any]:
    """Return the deltas of a stream as the log holds them."""
    database = site / ".git" / "goodneighbor" / "store.sqlite3"
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        rows = connection.execute(
            "SELECT body FROM event WHERE stream = ? ORDER BY position", (stream,)
        ).fetchall()
    return [json.loads(row[0]) for row in rows]
