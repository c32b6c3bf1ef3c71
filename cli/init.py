"""`neighbor init`: take a repository in, with its rules, its store and the state it starts from.

Everything that could refuse is asked before anything is written. The documents themselves are
left as they are, unless `--commit` brings them into canonical form.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import orjson

from ..kernel import Rules
from ..kernel.errors import GoodneighborError
from ..store import NotAStore, Store, StoreExists
from ..store.folder import DATABASE, MAILBOX
from ..store.lock import LOCK_FILE
from ..store.marker import MARKER
from . import place
from .answer import counted, print_json, progress, warn
from .command import command, json_option
from .delta_files import arrays_in, delta_files, is_known
from .document_files import is_inside
from .documents import Document, Found, damage, find_documents
from .errors import InitRefused, NoMainTree
from .exits import DONE
from .first_commit import (
    BLAME_FILE,
    FirstCommit,
    canonical_form,
    check_committable,
    commit_canonical,
)
from .git import VERSION_MIN, Git
from .join import join, store_url
from .rules_text import rules_text

LISTED_MAX = 10
UNFINISHED = (
    DATABASE,
    LOCK_FILE,
    MAILBOX,
    MARKER,
)  # how names start that an `init` that died leaves behind


@dataclass(frozen=True)
class Taken:
    """What `init` did, for printing."""

    tree: Path
    store: Path
    rules_written: bool
    found: Found
    documents: tuple[Document, ...]
    known: int
    pending: int
    first_commit: FirstCommit | None


@command("init", "neighbor init --commit", "neighbor init --pending-from 400")
@click.option(
    "--commit", is_flag=True, help="Commit the documents in canonical form, and the rules."
)
@click.option(
    "--pending-from",
    type=click.IntRange(0, 2**31 - 1),
    metavar="FRAME",
    help="Collect the delta files from this frame on; older ones count as merged.",
)
@json_option
def COMMAND(commit: bool, pending_from: int | None, as_json: bool) -> int:
    """Take this repository in: rules, store, base state.

    Finds the JSON documents under state/, writes a commented neighbor.toml (one that is there is
    used as it is), and logs what the documents hold as base state. Delta files that lie in
    state/stream_deltas/ count as merged already.

    With a PostgreSQL url in NEIGHBOR_STORE, or under [store] in neighbor.toml, the store is made
    there; where it is there already this clone joins it, and nothing is committed.
    """
    where = place.here()
    url = store_url(where)
    if (joined := join(where, url, pending_from)) is not None:
        return _say_joined(joined, as_json)
    taken = take_in(where, commit=commit, pending_from=pending_from, url=url)
    if as_json:
        print_json(_shape(taken))
    else:
        _print(taken)
    return DONE


def _say_joined(store: Store, as_json: bool) -> int:
    if as_json:
        print_json({"store": str(store.folder), "joined": store.store_id()})
    else:
        print(f"store: {store.folder}, joined to store {store.store_id()} on the server")
    return DONE


def take_in(
    where: place.Place, *, commit: bool, pending_from: int | None, url: str | None = None
) -> Taken:
    """Make the store from what lies in the main working tree.

    Raises:
        InitRefused: there is a store already, a document is damaged, or `commit` would take
            somebody's changes along. Nothing was written.
        RulesInvalid: there is a neighbor.toml and it cannot be used.
    """
    tree = where.main_tree()
    git = Git(tree)
    _check_repository(git, where)
    found = find_documents(tree)
    _check_readable(found)
    files = delta_files(tree)
    text, is_new = _rules(tree, git, found, files)
    documents, base = _base(tree, Rules.parse(text), found)
    if commit:
        check_committable(git, documents)
        base = {name: canonical_form(data) for name, data in base.items()}  # what will lie there
    known = [file for file in files if is_known(file, pending_from)]
    with progress("taking the state in"), _rules_written(tree, text if is_new else None):
        store = Store.create(where.store, text, base, url=url)
        store.known_files(known)
    first = commit_canonical(git, documents) if commit else None
    return Taken(
        tree, where.store, is_new, found, documents, len(known), len(files) - len(known), first
    )


def _check_repository(git: Git, where: place.Place) -> None:
    if git.is_bare():
        raise NoMainTree(where.common)
    if git.version() < VERSION_MIN:
        least = ".".join(map(str, VERSION_MIN))
        raise InitRefused(f"git {least} or newer is needed; this one is {git.version()}.")
    if (where.store / DATABASE).exists() or (where.store / MARKER).exists():
        raise StoreExists(where.store_folder)
    names = os.listdir(where.store) if where.store.exists() else []
    foreign = [name for name in names if not name.startswith(UNFINISHED)]
    if foreign:
        raise NotAStore(where.store_folder, f"it holds {foreign[0]!r}")


def _check_readable(found: Found) -> None:
    """Refuse while a document is damaged: the state it held would be lost from the start."""
    if not found.damaged:
        return
    names = "\n".join(f"  {each}" for each in found.damaged[:LISTED_MAX])
    more = len(found.damaged) - LISTED_MAX
    rest = f"\n  and {more} more" if more > 0 else ""
    raise InitRefused(
        f"Not taken in: {counted(len(found.damaged), 'document')} cannot be read.\n{names}{rest}\n"
        "Bring back the last good version (`git log -- FILE` finds it), then run `neighbor init` "
        "again."
    )


def _rules(tree: Path, git: Git, found: Found, files: list[Path]) -> tuple[str, bool]:
    """Return the rules' text, and whether it is new."""
    file = tree / place.RULES_FILE
    if file.exists() or file.is_symlink():
        # Bytes that are not UTF-8 go on as surrogates: the rules' reader names the line.
        return file.read_bytes().decode("utf-8", "surrogateescape"), False
    unruled = arrays_in(files)
    for ruled in ("posts_created", "comments_added"):
        unruled.pop(ruled, None)
    return rules_text(found.documents, git.branch() or "main", unruled), True


@contextmanager
def _rules_written(tree: Path, text: str | None) -> Iterator[None]:
    """Write new rules first: an `init` that died is begun again with them; undo on refusal."""
    if text is not None:
        (tree / place.RULES_FILE).write_text(text, encoding="utf-8")
    try:
        yield
    except GoodneighborError:
        if text is not None:
            (tree / place.RULES_FILE).unlink()
        raise


def _base(
    tree: Path, rules: Rules, found: Found
) -> tuple[tuple[Document, ...], Mapping[str, bytes]]:
    """Return the documents the rules name that have a file, and the bytes of those files."""
    by_path = {document.path: document for document in found.documents}
    documents: list[Document] = []
    base: dict[str, bytes] = {}
    for ruled in rules.documents:
        if ruled.path is None or not is_inside(tree, ruled.path):
            continue
        data = (tree / ruled.path).read_bytes()
        if ruled.path not in by_path and (fault := damage(ruled.path, data)) is not None:
            raise InitRefused(f"Not taken in: a document cannot be read.\n  {fault}")
        value = by_path[ruled.path].value if ruled.path in by_path else orjson.loads(data)
        documents.append(Document(ruled.name, ruled.path, value, ruled.kind, ruled.root))
        base[ruled.name] = data
    return tuple(documents), base


def _shape(taken: Taken) -> dict[str, object]:
    first = taken.first_commit
    return {
        "tree": str(taken.tree),
        "store": str(taken.store),
        "rules_written": taken.rules_written,
        "documents": [
            {
                "name": document.name,
                "path": document.path,
                "kind": document.kind,
                "root": document.root,
                "entities": len(document.entities) if document.kind == "map" else 1,
            }
            for document in taken.documents
        ],
        "left": [{"path": path, "reason": reason} for path, reason in taken.found.left],
        "delta_files": {"known": taken.known, "pending": taken.pending},
        "commit": first.commit if first else None,
        "blame_commit": first.blame_commit if first else None,
    }


def _print(taken: Taken) -> None:
    for document in taken.documents:
        holds = "a record" if document.kind == "record" else _entities(document)
        print(f"{document.path}: {holds}")
    if not taken.documents:
        print("No documents under state/; describe yours in neighbor.toml.")
    for path, reason in taken.found.left:
        warn(f"{path}: left alone, {reason}")
    written = "written" if taken.rules_written else "was there, and is used as it is"
    print(f"{place.RULES_FILE}: {written}")
    print(f"store: {taken.store}")
    if taken.known or taken.pending:
        pending = f", {taken.pending:,} to be collected" if taken.pending else ""
        print(f"delta files: {taken.known:,} known as merged{pending}")
    if taken.first_commit is not None:
        _print_commit(taken.first_commit)
    print("\nNext: read neighbor.toml, then let streams write:")
    print("  neighbor append --frame 1 --stream stream-1 delta.json")
    print("  neighbor frame close 1")


def _print_commit(first: FirstCommit) -> None:
    if first.rewritten:
        layout = counted(len(first.rewritten), "document")
        print(f"committed {first.commit[:7]}: {layout} in canonical form, values equal")
        print(f"          and named in {BLAME_FILE}; for git blame to look through it:")
        print(f"          git config blame.ignoreRevsFile {BLAME_FILE}")
    else:
        print(f"committed {first.commit[:7]}: the documents were canonical already")


def _entities(document: Document) -> str:
    under = f" under {document.root!r}" if document.root is not None else ""
    return counted(len(document.entities), "entity", "entities") + under
