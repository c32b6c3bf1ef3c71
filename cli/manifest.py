"""`state/manifest.json`: whose export the documents beside it are, and which bytes they have.

The fact not to miss: whether somebody edited a document is told from the manifest of the same tree
alone (its blob, or not), so it needs no memory of what was exported. One that does not parse, or
holds markers, counts as none: the newest that parses in its ancestry is used.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from ..store.publication import Standing
from .git import Git

MANIFEST = "state/manifest.json"
ANCESTRY_MAX = 1000  # manifests looked at before there counts as none


@dataclass(frozen=True)
class File:
    """A document as it was exported."""

    document: str
    blob: str  # git's id of its bytes
    sha256: str
    standing: Standing


@dataclass(frozen=True)
class Manifest:
    """An export: whose, as of when, and its files by path."""

    store_id: str
    frame: int
    position: int  # of the close in the store's log
    state_digest: str
    files: Mapping[str, File]


@dataclass(frozen=True)
class Found:
    """A manifest in a commit's ancestry, and where."""

    manifest: Manifest
    commit: str
    blob: str


def render(manifest: Manifest) -> bytes:
    """Write a manifest in the documents' own canonical form."""
    files = {
        path: {
            "blob": file.blob,
            "document": file.document,
            "sha256": file.sha256,
            **file.standing._asdict(),
        }
        for path, file in manifest.files.items()
    }
    shape = {
        "files": files,
        "frame": manifest.frame,
        "position": manifest.position,
        "state_digest": manifest.state_digest,
        "store": manifest.store_id,
    }
    options = orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(shape, option=options)


def parse(data: bytes) -> Manifest | None:
    """Read a manifest; None for anything that is none."""
    try:
        read = orjson.loads(data)
        files = {path: _file(entry) for path, entry in read["files"].items()}
        numbers = (int(read["frame"]), int(read["position"]))
        return Manifest(str(read["store"]), *numbers, str(read["state_digest"]), files)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
        return None


def newest(git: Git, commit: str) -> Found | None:
    """Return the newest manifest that parses, in a commit or its ancestry; None: there is none."""
    found = _in(git, commit)
    if found is not None:
        return found
    listing = ("log", "--format=%H", f"--max-count={ANCESTRY_MAX}", "--full-history")
    older = git.call(*listing, "--end-of-options", commit, "--", MANIFEST).line().split()
    for each in older:
        found = _in(git, each)
        if found is not None:
            return found
    return None


def _in(git: Git, commit: str) -> Found | None:
    entry = git.entries(commit, [MANIFEST]).get(MANIFEST)
    if entry is None or not entry.is_file:
        return None
    manifest = parse(git.bytes_of(entry.blob))
    return None if manifest is None else Found(manifest, commit, entry.blob)


def _file(entry: Mapping[str, object]) -> File:
    counts = (entry["entities"], entry["removed"])
    if not all(isinstance(count, int) for count in counts):
        raise ValueError("a count is no integer")
    standing = Standing(str(entry["state"]), str(entry["rules"]), *counts)  # type: ignore[arg-type]
    bytes.fromhex(standing.state)
    return File(str(entry["document"]), str(entry["blob"]), str(entry["sha256"]), standing)
