"""Kills processes of the store, hundreds of times, and looks each time whether a promise broke.

    undisturbed run -> per life: copy or create -> per round: play, KILL, cut, recover, judge

The promise (law 1): what was acknowledged is in the log exactly once. Acknowledgements are counted
outside, by a parent that no kill reaches, and only after `append` has returned. A seed plays the
same kills again; where several processes run at once, the system still decides who comes first.
"""

import gc
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from goodneighbor.store.disk import DISK

from . import processes, roles, script
from .facts import Facts
from .journal import Journal, lines
from .kill import count_calls
from .life import Kit, Life, prepare
from .plan import ROUND_STEPS, Plan, Usual, plan
from .recovery import recover
from .roles import Place
from .script import ROUNDS, Round
from .tally import Tally

MEMORY = "/dev/shm"
CREATIONS_EACH = 5  # of so many lives one begins with a creation that is killed


def run(
    seed: str,
    kills: int,
    folder: Path,
    *,
    life: int | None = None,
    steps: Sequence[str] = ROUND_STEPS,
) -> Tally:
    """Kill so many times, or play one life alone; stop at the first kill that shows a problem.

    `steps` are those that take turns in being killed at. What a problem left stays in `folder`.
    """
    kit = make_kit(seed, folder / "kit", steps)
    tally = Tally(seed)
    lives = range(kills) if life is None else [life]  # far more than most rounds need to kill
    for number in lives:
        place = folder / f"life-{number}"
        _live(Life(kit, number, place), tally, kills)
        if tally.problem or tally.kills >= kills:
            break
        shutil.rmtree(place)
    return tally


def memory() -> str:
    """Return where to work: in memory if we can; a kill leaves what the system knows anyway."""
    return MEMORY if os.access(MEMORY, os.W_OK) else tempfile.gettempdir()


def make_kit(seed: str, folder: Path, steps: Sequence[str]) -> Kit:
    """Make a store, play all rounds undisturbed, and measure what a round is."""
    rounds = script.rounds(seed)
    _warm_up(Place(folder / "warm"), rounds[0])
    made = Place(folder / "made")
    prepare(made, rounds)
    usual_creation = _measure(made, rounds[0], "create")
    kit = Kit(seed, steps, rounds, made, [], [], usual_creation, 0.0)
    alone = Life(kit, 0, folder / "alone")
    alone.copied()
    for index, each in enumerate(rounds):
        kit.usual.append(_measure(alone.place, each, "everything"))
        kit.undisturbed.append(_facts(alone.place, each, index))
    _assert_there_is_something_to_lose(kit.undisturbed[-1])
    return kit._replace(several_s=_several_s(kit, folder / "several"))


def _warm_up(place: Place, each: Round) -> None:
    """Do everything once in the parent, so that no child has to import what it needs."""
    prepare(place, [each])
    with closing(Journal(place.folder / "journal", "parent")) as journal:
        roles.create(place, each, journal, DISK)
        roles.everything(place, each, journal, DISK)
        recover(place, each, range(len(each.sendings)), journal)
    gc.collect()
    gc.freeze()  # what the parent has is copied into a child page by page when it is counted


def _live(life: Life, tally: Tally, kills: int) -> None:
    creation, others = divmod(life.number, CREATIONS_EACH)
    if others == 0:
        tally.add(life.created(creation))
    else:
        life.copied()
    for index in range(ROUNDS):
        if tally.problem or tally.kills >= kills:
            return
        number = life.number * ROUNDS + index
        order = plan(life.kit.seed, number, life.kit.usual[index], life.kit.steps)
        tally.add(life.round(index, order))


def _measure(place: Place, each: Round, name: str) -> Usual:
    """Play a role undisturbed; return the steps and calls it takes."""
    path = place.folder / f"usual-{name}-{each.frame}"
    role = {"create": roles.create, "everything": roles.everything}[name]
    with closing(Journal(path, name)) as journal:

        def work() -> None:
            with count_calls(journal):
                role(place, each, journal, DISK)

        _ended_well(processes.end(processes.start(work, journal)), path)
    steps = Counter(line.words[0] for line in lines(path, "step"))
    (calls,) = lines(path, "calls")
    return Usual(dict(steps), int(calls.words[0]))


def _facts(place: Place, each: Round, index: int) -> Facts:
    """Read what an undisturbed round left, in the way it is read after a kill."""
    path, said = place.folder / f"facts-{index}", place.folder / f"undisturbed-{index}"
    all_told = range(len(each.sendings))
    with closing(Journal(said, "undisturbed")) as journal:

        def work() -> None:
            recover(place, each, all_told, journal).write(path)

        _ended_well(processes.end(processes.start(work, journal)), said)
    return Facts.read(path)


def _several_s(kit: Kit, folder: Path) -> float:
    """Return what a round of several processes takes when nobody is killed; judge it as well."""
    life = Life(kit, 0, folder)
    life.copied()
    nobody = Plan("several", "clerk", None, 0.0, all_die=False, power_cut=False)
    verdict = life.round(0, nobody)
    assert verdict.problems == [], verdict.problems
    return verdict.took_s


def _assert_there_is_something_to_lose(facts: Facts) -> None:
    """Stop where the seed's script makes no unit of some kind, or no copy, or no refusal."""
    units, applied, duplicate, skipped = map(sum, zip(*facts.sums.values(), strict=True))
    assert units == applied + duplicate + skipped
    assert min(applied, duplicate, skipped) > 0, facts.sums
    assert any(facts.closed.events.values()), "no delta came twice"
    assert facts.closed.quarantined
    assert facts.closed.fallbacks
    assert facts.closed.edits == ROUNDS
    assert facts.faults == []


def _ended_well(status: int, path: Path) -> None:
    raised = [line.words[0] for line in lines(path, "raised")]
    assert status == 0, f"undisturbed, and it ended with {status}:\n" + "\n".join(raised)
