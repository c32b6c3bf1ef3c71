"""`neighbor recover`: put right what is damaged, from what is not."""

from collections.abc import Sequence
from pathlib import Path

import click

from ..kernel.errors import RulesInvalid
from ..store import Store
from ..store.errors import StoreDamaged
from ..store.rebuild import Lost, Report, Step, Told
from ..store.recover import Recovered
from . import damaged_files, manifest, place
from .answer import counted, print_json, warn
from .command import command, json_option
from .delta_files import delta_files
from .errors import NoMainTree
from .exits import DAMAGE, DONE, FOUND
from .git import Git
from .log_copies import log_copies, rules_texts


@command("recover", "neighbor recover --dry-run", "neighbor recover")
@click.option("--dry-run", is_flag=True, help="Say each step, and take none.")
@click.option(
    "--from",
    "source",
    metavar="CLONE",
    help="Another clone, or a remote, whose log branch is asked as well.",
)
@click.option(
    "--cut",
    is_flag=True,
    help="Go on without what nothing holds: the log ends before it, what is behind comes again.",
)
@json_option
def COMMAND(dry_run: bool, source: str | None, cut: bool, as_json: bool) -> int:
    """Put right what is damaged, and verify.

    An export that differs is written again, a snapshot folded again; a damaged event comes back
    from its mailbox segment, from the branch goodneighbor/log (of this clone, of a remote, or of
    the clone that --from names) or from its own digests, and so does a database that is lost. Each
    step is said before it is taken. Nothing is thrown away: damaged files are kept under damaged/
    in the store's folder, and replaced bytes in quarantine.

    Exit code 4 says that something cannot be brought back: it is named, and nothing is changed
    but with --cut. With --dry-run, 1 says that there is something to do.
    """
    where = place.here()
    store = where.any_store()
    tree = main_tree(where)
    git = Git(tree or Path(where.common))
    was_lost = not store.is_there()
    say = _nothing if as_json else _say
    done = store.recover(told(git, tree, source, cut=cut), dry_run=dry_run, say=say)
    files = _put_right(store, git, tree, say, dry_run=dry_run)
    if tree is not None and not dry_run and (was_lost or _lost_files(done.lost)):
        _pass_over(store, tree)
    if as_json:
        print_json(_shape(done, files, dry_run=dry_run))
    else:
        _print(done, files, dry_run=dry_run)
    if done.lost:
        return DAMAGE
    return FOUND if done.faults or (dry_run and (done.steps or files)) else DONE


def told(git: Git, tree: Path | None, source: str | None = None, *, cut: bool = False) -> Told:
    """Gather what may hold a copy of the log, and say whose store this is."""
    head = git.head()
    found = None if head is None else manifest.newest(git, head)
    store_id = "" if found is None else found.manifest.store_id
    texts = rules_texts(git, tree, place.RULES_FILE)
    return Told(tuple(log_copies(git, source)), store_id, texts, cut)


def main_tree(where: place.Place) -> Path | None:
    """Return the main working tree, or None where the repository has none."""
    try:
        return where.main_tree()
    except NoMainTree:
        return None


def _put_right(
    store: Store, git: Git, tree: Path | None, say: object, *, dry_run: bool
) -> list[Step]:
    """Put right the documents' files that do not parse."""
    if tree is None:
        return []
    steps = []
    try:
        damaged = list(damaged_files.find(store, tree))
    except (StoreDamaged, RulesInvalid):
        return []  # what documents there are is damaged itself, and was said
    for found in damaged:
        step = Step(str(found.file), f"{found.what}; put back as it was")
        steps.append(step)
        if callable(say):
            say(step)
        if not dry_run:
            damaged_files.put_right(store, git, found)
    return steps


def _lost_files(lost: Sequence[Lost]) -> bool:
    return any(each.place.startswith("collected ") for each in lost)


def _pass_over(store: Store, tree: Path) -> None:
    """Note delta files as known where the log does not hold them: some may be merged already.

    What was merged before the store began is in no log, and taken in again it would count twice.
    """
    for path in store.unknown_files(delta_files(tree)):
        store.known_files([path])
        warn(
            f"{path}: not collected: it may have been merged before. "
            f"If it was not, take it in with `neighbor append {path}`."
        )


def _say(report: Report) -> None:
    lost = "cannot be brought back: " if isinstance(report, Lost) else ""
    print(f"{report.place}: {lost}{report.what}", flush=True)


def _nothing(report: Report) -> None:
    return


def _print(done: Recovered, files: Sequence[Step], *, dry_run: bool) -> None:
    if done.lost:
        print(f"{counted(len(done.lost), 'thing')} cannot be brought back.")
        print("Another clone may have it: `neighbor recover --from CLONE`.")
    elif dry_run and (done.steps or files):
        print("Nothing was changed. `neighbor recover` takes these steps.")
    elif done.faults:
        print(f"{counted(len(done.faults), 'fault')} left: `neighbor verify` names them.")
    else:
        print("No damage is left." if done.steps or files else "No damage found.")


def _shape(done: Recovered, files: Sequence[Step], *, dry_run: bool) -> dict[str, object]:
    return {
        "dry_run": dry_run,
        "steps": [each._asdict() for each in [*done.steps, *files]],
        "lost": [{"place": each.place, "what": each.what} for each in done.lost],
        "faults": [
            {"place": each.place, "what": each.what, "next": each.next} for each in done.faults
        ],
    }
