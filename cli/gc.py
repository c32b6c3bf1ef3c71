"""`neighbor gc`: sweep what no lease and no pin holds, and say what was swept."""

from pathlib import Path

import click

from . import branch_sweep, place
from .answer import counted, print_json
from .command import command, json_option
from .commit import settle_dead
from .exits import DONE, REFUSED
from .sweep import Swept, lines, sweep


@command("gc", "neighbor gc --dry-run", "neighbor gc")
@click.option("--dry-run", is_flag=True, help="Say what would be swept, and sweep nothing.")
@json_option
def COMMAND(dry_run: bool, as_json: bool) -> int:
    """Sweep up after processes that died: worktrees, branches, processes, leases, trash, exports.

    Only what is ours is touched, and work that is nowhere else is saved first, under
    refs/goodneighbor/rescue. `run`, `worktree` and `frame` do this when they start; here the
    branches that streams left in closed frames are swept, too. Exit code 3 says that something
    has to stay, and why.
    """
    where = place.here()
    store = where.open_store()
    settled = 0 if dry_run else settle_dead(where, store)
    swept = sweep(where, dry_run=dry_run, is_thorough=True)
    branch_sweep.sweep(Path(where.common), store, swept, dry_run=dry_run)
    if as_json:
        print_json({**_shape(swept), "exports": settled, "dry_run": dry_run})
    else:
        _print(swept, settled, dry_run=dry_run)
    return REFUSED if swept.stayed else DONE


def _print(swept: Swept, settled: int, *, dry_run: bool) -> None:
    if settled:
        print(f"settled: {counted(settled, 'export')} of a dead process")
    for line in lines(swept):
        print(line)
    if swept.is_nothing and not settled:
        print("Nothing to sweep.")
    elif dry_run:
        print("This was a dry run: `neighbor gc` does it.")


def _shape(swept: Swept) -> dict[str, object]:
    return {
        "ended": [{"pid": each.pid, "name": name} for each, name in swept.ended],
        "worktrees": [
            {
                "stream": each.stream,
                "frame": each.frame,
                "path": str(each.path),
                "branch": each.branch,
            }
            for each in swept.removed
        ],
        "rescued": swept.rescued,
        "deltas": swept.deltas,
        "branches": swept.branches,
        "leases": swept.leases,
        "files": [str(path) for path in swept.files],
        "trash": swept.trash,
        "stayed": [{"what": what, "why": why} for what, why in swept.stayed],
    }
