"""The kill harness from the command line: `python -m tests.faults --kills 3000`.

Prints the seed, the table of hits, and what broke; exits 1 when something did, or when a step of
the store's was left out.
"""

import argparse
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path

from . import breakage, harness
from .plan import ROUND_STEPS
from .tally import Tally


def main() -> int:
    """Run the harness as the command line says."""
    asked = _asked()
    seed = asked.seed or secrets.token_hex(4)
    steps = breakage.WAYS[asked.broken].steps if asked.broken else ROUND_STEPS
    folder = Path(tempfile.mkdtemp(prefix="neighbor-faults-", dir=asked.folder))
    begin = time.perf_counter()
    print(f"seed {seed}", flush=True)
    with breakage.broken(asked.broken):
        tally = harness.run(seed, asked.kills, folder, life=asked.life, steps=steps)
    print(tally.table())
    print(f"{time.perf_counter() - begin:.1f} s")
    if tally.problem is not None:
        print(tally.problem, f"What is left of it lies in {folder}.", sep="\n")
        return 1
    shutil.rmtree(folder)
    uncovered = _uncovered(tally, asked.kills) if asked.life is None else []
    print("\n".join(uncovered))
    return 1 if uncovered else 0


def _uncovered(tally: Tally, kills: int) -> list[str]:
    """Say where the run fell short of what it was for."""
    short = [f"only {tally.kills} of {kills} kills"] if tally.kills < kills else []
    missed = [f"nobody was killed at {name!r}" for name in tally.missed()]
    unknown = [f"a step that is not in the list: {name!r}" for name in tally.unknown()]
    return short + missed + unknown


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", default="", help="plays the same kills again; random without")
    parser.add_argument("--life", type=int, help="only this one of the seed's lives")
    parser.add_argument("--folder", default=harness.memory())
    parser.add_argument("--broken", choices=sorted(breakage.WAYS), help="a control, to be caught")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
