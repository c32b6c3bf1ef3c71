"""Say what became of an export with commit, and of its push."""

from ..kernel import Rules
from ..store import Store
from .answer import warn
from .commit import Committed

SHORT = 10


def print_committed(store: Store, committed: Committed, *, indent: int = 0) -> None:
    """Print the documents and the commit; on stderr what was saved and what was held back."""
    space = " " * indent
    if committed.commit is not None:
        names = ", ".join(committed.written) or "no document changed"
        print(f"{space}{names} -> {committed.branch} {committed.commit[:SHORT]}")
    elif not committed.refused:
        print(f"{space}{committed.branch} has every document as it should be.")
    for ref in committed.rescued:
        warn(f"Edits that were in the way are saved: git show {ref}")
    for withheld in committed.refused:
        warn(f"Not committed: {withheld.path}: {withheld.reason}.")
        if withheld.lost:
            warn(f"If that is meant: `neighbor export --commit --allow-loss {withheld.document}`")


def committed_shape(store: Store, committed: Committed) -> dict[str, object]:
    """Give an export with commit as JSON; documents by name and path."""
    paths = {each.name: each.path for each in Rules.parse(store.rules_text()).documents}
    return {
        "branch": committed.branch,
        "commit": committed.commit,
        "tip": committed.tip,
        "log_tip": committed.log_tip,
        "written": [{"document": name, "path": paths[name]} for name in committed.written],
        "unchanged": [{"document": name, "path": paths[name]} for name in committed.unchanged],
        "refused": [each._asdict() for each in committed.refused],
        "rescued": list(committed.rescued),
    }
