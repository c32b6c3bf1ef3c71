"""One store's life: a round, a kill, a recovery, a judgement, and on with the next round.

The store is copied from one made before, or its own creation is killed first. The next round finds
what the recovery left, so late deltas, refolds and old segments are met as well.
"""

import shutil
import signal
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from goodneighbor.store.disk import DISK

from . import judgement, processes, roles
from .facts import Facts
from .journal import Journal, Line, lines
from .judgement import Ledger
from .kill import arm
from .plan import Plan, Usual, plan_creation
from .power import TellingDisk, cut
from .recovery import create_again, recover
from .roles import Place, Role
from .script import BASE, Round


class Kit(NamedTuple):
    """What all lives of a run share."""

    seed: str
    steps: Sequence[str]  # that take turns in being killed at
    script: list[Round]
    made: Place  # a store nobody disturbed, before its first round
    undisturbed: list[Facts]  # after each round
    usual: list[Usual]  # of each round, alone
    usual_creation: Usual
    several_s: float  # what a round of several processes takes here


class Verdict(NamedTuple):
    """What one kill did and what was found after it."""

    life: int
    plan: Plan
    killed: list[str]  # who died of it
    said: list[Line]
    problems: list[str]
    took_s: float = 0.0  # from the first process's start to the last one's end


class Life:
    """A store and everything beside it, in a folder of its own."""

    def __init__(self, kit: Kit, number: int, folder: Path) -> None:
        self.kit = kit
        self.number = number
        self.place = Place(folder)
        self.ledger = Ledger()
        prepare(self.place, kit.script)

    def copied(self) -> None:
        """Begin with a copy of a store that was made before."""
        shutil.copytree(self.kit.made.store, self.place.store)

    def created(self, number: int) -> Verdict:
        """Begin with a creation that is killed, and done again."""
        order = plan_creation(self.kit.seed, number, self.kit.usual_creation)
        path, script = self.place.folder / "journal-creation", self.kit.script[0]
        process = self._start(roles.create, script, path, "alone", order, cut_later=False)
        statuses = {"alone": processes.end(process)}
        said = lines(path)
        problems = _unplanned(order, statuses, said)
        with closing(Journal(path, "recovery")) as journal:
            after = processes.start(lambda: create_again(self.place, script, journal), journal)
        problems += _failed("creation again", processes.end(after), lines(path))
        return Verdict(self.number, order, _killed(statuses), said, problems)

    def round(self, index: int, order: Plan) -> Verdict:
        """Play one round with its kill, recover, and judge."""
        script, path = self.kit.script[index], self.place.folder / f"journal-{index}"
        self.ledger.count_files(script)
        begin = time.perf_counter()
        statuses = self._play(script, path, order)
        took_s = time.perf_counter() - begin
        said = lines(path)
        problems = _unplanned(order, statuses, said)
        if order.power_cut:
            cut(said)
        told = self._count(script, said)
        before = judgement.Ledger(self.ledger.sent.copy(), self.ledger.told.copy())
        facts = self.place.folder / f"facts-{index}"
        status = self._recover(script, told, path, facts)
        again = lines(path)[len(said) :]
        problems += _failed("recovery", status, again)
        if status == 0:
            self._count(script, again)
            self.ledger.tell_files(script)
            problems += self._judge(before, Facts.read(facts), index)
        return Verdict(self.number, order, _killed(statuses), said, problems, took_s)

    def _recover(self, script: Round, told: set[int], path: Path, facts: Path) -> int:
        """Recover in a new process, which writes what it finds to `facts`; return its status."""
        with closing(Journal(path, "recovery")) as journal:

            def work() -> None:
                recover(self.place, script, told, journal).write(facts)

            return processes.end(processes.start(work, journal))

    def _judge(self, before: Ledger, facts: Facts, index: int) -> list[str]:
        return [
            *judgement.kept(before, facts.drained, "after the kill"),
            *judgement.kept(self.ledger, facts.closed, "after the recovery"),
            *judgement.sound(facts),
            *judgement.same(facts, self.kit.undisturbed[index]),
        ]

    def _count(self, script: Round, said: list[Line]) -> set[int]:
        """Enter what was sent and told into the ledger; return the sendings that were told."""
        sent = [int(line.words[0]) for line in said if line.kind == "sent"]
        told = [int(line.words[0]) for line in said if line.kind == "acknowledged"]
        self.ledger.count(script, sent, told)
        return set(told)

    def _play(self, script: Round, path: Path, order: Plan) -> dict[str, int]:
        """Run the round's processes to their ends; return how each ended."""
        running = {
            name: self._start(role, script, path, name, order, cut_later=order.power_cut)
            for name, role in _cast(order).items()
        }
        if order.victim == "all":
            time.sleep(order.moment * self.kit.several_s)  # the moment to die, not one to wait for
            for process in running.values():
                processes.kill(process)
            return {name: processes.end(process) for name, process in running.items()}
        statuses = {order.victim: processes.end(running.pop(order.victim))}
        if order.all_die and statuses[order.victim] == -signal.SIGKILL:
            for process in running.values():
                processes.kill(process)
        return statuses | {name: processes.end(process) for name, process in running.items()}

    def _start(
        self, role: Role, script: Round, path: Path, name: str, order: Plan, *, cut_later: bool
    ) -> int:
        with closing(Journal(path, name)) as journal:
            disk = TellingDisk(journal, self.place.kept) if cut_later else DISK

            def work() -> None:
                arm(order.order if name == order.victim else None, journal)
                role(self.place, script, journal, disk)

            return processes.start(work, journal)


def prepare(place: Place, script: list[Round]) -> None:
    """Make the folders and files that are there before the store."""
    for folder in (place.tree / "state", place.deltas, place.kept):
        folder.mkdir(parents=True)
    for name, data in BASE.items():
        (place.tree / "state" / f"{name}.json").write_bytes(data)
    for each in script:
        for name, data in {**each.files, **each.known}.items():
            (place.deltas / name).write_bytes(data)


def _cast(order: Plan) -> dict[str, Role]:
    if order.victim == "alone":
        return {"alone": roles.everything}
    writers: dict[str, Role] = {
        f"writer-{number}": roles.writer(number) for number in range(roles.WRITERS)
    }
    return {"reader": roles.reader, **writers, "clerk": roles.clerk}


def _killed(statuses: dict[str, int]) -> list[str]:
    return [name for name, status in statuses.items() if status == -signal.SIGKILL]


def _unplanned(order: Plan, statuses: dict[str, int], said: list[Line]) -> list[str]:
    """Say which processes ended otherwise than well or as planned."""
    problems = []
    for name, status in statuses.items():
        if status == -signal.SIGKILL and (order.all_die or name == order.victim):
            continue
        problems += _failed(name, status, [line for line in said if line.who == name])
    return problems


def _failed(name: str, status: int, said: list[Line]) -> list[str]:
    if status == 0:
        return []
    raised = [line.words[0] for line in said if line.kind == "raised"]
    how = "hung" if status == -signal.SIGALRM else f"ended with status {status}"
    return [f"{name} {how}", *raised]
