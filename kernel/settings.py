"""Single values of neighbor.toml: durations, shares, names of branches and paths of documents."""

import re

from .malformed import Malformed

WAIT_S_MAX = 7 * 24 * 3600.0
PATH_BYTES_MAX = 1024
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h|d)")
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)%")
_BRANCH_REFUSED = re.compile(
    r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|\Z)|\A[-./]|[./]\Z|\A@\Z"
)
_PART_REFUSED = re.compile(r"[\x00-\x1f\x7f\\]")
_GIT_FOLDERS = (".git", "git~1")  # the second is the first on Windows' old file systems
OURS = ("state/manifest.json", "state/stream_deltas")  # written by export; holds deltas


def seconds(text: str) -> float:
    """Read a duration such as "120s" or "15m", at most seven days. Raises: Malformed."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise Malformed(f"`{text}` is no duration such as 500ms, 120s, 15m, 2h or 1d")
    length_s = float(found[1]) * _UNIT_S[found[2]]
    if length_s > WAIT_S_MAX:
        raise Malformed(f"`{text}` is more than seven days")
    return length_s


def share(text: str) -> float:
    """Read a percentage such as "10%" as a share of 1. Raises: Malformed."""
    found = _PERCENT.fullmatch(text)
    if found is None or float(found[1]) > 100:
        raise Malformed(f"`{text}` is no percentage from 0% to 100%")
    return float(found[1]) / 100


def branch(name: str) -> str:
    """Pass a branch's name on if git would (git-check-ref-format). Raises: Malformed."""
    if not name or _BRANCH_REFUSED.search(name):
        raise Malformed(f"`{name}` cannot be a branch")
    if name.startswith("goodneighbor/"):
        raise Malformed(f"`{name}` is a branch of goodneighbor's own")
    return name


def url(text: str) -> str:
    """Pass a store's URL on. Raises: Malformed."""
    if not re.fullmatch(r"[a-z][a-z0-9+.-]*://\S+", text):
        raise Malformed(f"`{text}` is no URL such as postgresql://host/database")
    return text


def document_path(path: str) -> str:
    """Pass a document's path on if it stays inside the repository. Raises: Malformed."""
    parts = path.split("/")
    if path.startswith("/") or re.match(r"[A-Za-z]:", path):
        raise Malformed(f"path `{path}` is not relative to the repository")
    if not path.endswith(".json") or parts[-1] == ".json":
        raise Malformed(f"path `{path}` does not end in a name with .json")
    if "" in parts or "." in parts or _PART_REFUSED.search(path):
        raise Malformed(f"path `{path}` has an empty part, `.`, a backslash or a control character")
    if ".." in parts:
        raise Malformed(f"path `{path}` leaves the repository with `..`")
    if any(part.lower() in _GIT_FOLDERS for part in parts):
        raise Malformed(f"path `{path}` lies in .git")
    if len(path.encode()) > PATH_BYTES_MAX:
        raise Malformed(f"path `{path[:40]}...` is longer than {PATH_BYTES_MAX} bytes")
    if path.lower() == OURS[0] or path.lower().startswith(OURS[1] + "/"):
        raise Malformed(f"path `{path}` is goodneighbor's own")
    return path
