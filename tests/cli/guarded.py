"""A site whose documents were exported, git as a person runs it, and a fleet beside it."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

DOCUMENTS = ("state/agents.json", "state/channels.json", "state/stats.json")
MANIFEST = "state/manifest.json"
QUIET = ("-c", "core.hooksPath=/dev/null")
LEASE = """if True:
    import sys
    from pathlib import Path
    from goodneighbor.cli.lease import Lease
    with Lease(Path(sys.argv[1]), "stream-1"):
        print("held", flush=True)
        sys.stdin.read()
"""


@dataclass(frozen=True)
class Said:
    """How a git command ended, and all it said."""

    code: int
    text: str


def git(folder: Path, *words: str, code: int | None = 0, **environment: str) -> Said:
    """Run git as a person does, hooks and all; `code` None: whatever it ends in."""
    done = subprocess.run(
        ["git", *words],
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    said = Said(done.returncode, done.stdout + done.stderr)
    if code is not None:
        assert (done.returncode != 0) == (code != 0), f"git {' '.join(words)}: {said}"
    return said


def read(folder: Path, *words: str) -> str:
    """Return what a git command prints."""
    return git(folder, *words).text.rstrip("\n")


def export(site: Path, message: str = "An export", **documents: object) -> None:
    """Commit documents with their manifest, as `neighbor export --commit` does: without hooks."""
    for name, value in documents.items():
        text = json.dumps(value, indent=2, sort_keys=True) + "\n"
        (site / "state" / f"{name}.json").write_text(text)
    files = {}
    for path in DOCUMENTS:
        data = (site / path).read_bytes()
        blob = read(site, "hash-object", "-w", path)
        files[path] = {"blob": blob, "sha256": hashlib.sha256(data).hexdigest()}
    manifest = {"files": files, "frame": 1, "store": "site"}
    (site / MANIFEST).write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")
    git(site, *QUIET, "add", *DOCUMENTS, MANIFEST)
    git(site, *QUIET, "commit", "-q", "--only", "-m", message, "--", *DOCUMENTS, MANIFEST)


def clone_of(site: Path, folder: Path) -> tuple[Path, Path]:
    """Make a bare remote of a site, and another clone that has no guard; return both."""
    remote, other = folder / "remote.git", folder / "other"
    git(folder, "clone", "-q", "--bare", str(site), str(remote))
    git(site, "remote", "add", "origin", str(remote))
    git(site, "fetch", "-q", "origin")
    git(site, "branch", "-q", "--set-upstream-to=origin/main", "main")
    git(folder, "clone", "-q", str(remote), str(other))
    return remote, other


def pushed(other: Path, message: str, **files: str) -> None:
    """Commit and push from the other clone; `a__b` is the path `a/b.json`, else a plain name."""
    for name, text in files.items():
        path = name.replace("__", "/") + (".json" if "__" in name else "")
        (other / path).write_text(text)
        git(other, "add", path)
    git(other, "commit", "-q", "-m", message)
    git(other, "push", "-q", "origin", "HEAD")


@contextmanager
def fleet_running(site: Path) -> "Iterator[subprocess.Popen[str]]":
    """A process that holds a lease, as a fleet does while it runs."""
    folder = site / ".git" / "goodneighbor" / "leases"
    process = subprocess.Popen(
        [sys.executable, "-c", LEASE, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def without_neighbor(site: Path) -> None:
    """Make the hooks believe in a `neighbor` that is gone."""
    settings = site / ".git" / "goodneighbor" / "hooks" / "settings"
    lines = settings.read_text().splitlines()
    changed = [
        "neighbor=/nowhere/neighbor" if line.startswith("neighbor=") else line for line in lines
    ]
    settings.write_text("\n".join(changed) + "\n")
