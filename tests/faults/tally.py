"""Counts kills by the step they came at, so that a step nobody was killed at is seen."""

from collections import Counter
from dataclasses import dataclass, field

from goodneighbor.store.step import STEPS

from .kill import AtStep
from .life import Verdict


@dataclass
class Tally:
    """A run so far."""

    seed: str
    kills: int = 0
    undisturbed: int = 0  # rounds that ended before the kill came
    modes: Counter[str] = field(default_factory=Counter)
    power_cuts: int = 0
    reached: Counter[str] = field(default_factory=Counter)
    at: Counter[str] = field(default_factory=Counter)  # killed at this very step
    after: Counter[str] = field(default_factory=Counter)  # killed on the way from it to the next
    acknowledged: int = 0
    problem: str | None = None  # the run ends at the first

    def add(self, verdict: Verdict) -> None:
        """Count one kill and keep what was found."""
        order = verdict.plan
        for line in verdict.said:
            self.reached.update(line.words if line.kind == "step" else ())
            self.acknowledged += line.kind == "acknowledged"
        if not verdict.killed:
            self.undisturbed += 1
        else:
            self.kills += 1
            self.modes[order.mode] += 1
            self.power_cuts += order.power_cut
            self._count_place(verdict)
        if verdict.problems:
            found = "".join(f"\n  {problem}" for problem in verdict.problems)
            again = f"python -m tests.faults --seed {self.seed} --life {verdict.life}"
            self.problem = f"life {verdict.life}, {order}{found}\nAgain: {again}"

    def missed(self) -> list[str]:
        """Return the steps that no process was killed at."""
        return [name for name in STEPS if not self.at[name]]

    def unknown(self) -> list[str]:
        """Return the steps that were reached and are not in the store's list."""
        return sorted(self.reached.keys() - set(STEPS))

    def table(self) -> str:
        """Write the table of hits."""
        modes = ", ".join(f"{count} {mode}" for mode, count in sorted(self.modes.items()))
        rows = [
            f"seed {self.seed}: {self.kills} kills ({modes}), {self.power_cuts} with a power cut; "
            f"{self.undisturbed} rounds ended before the kill came",
            f"{self.acknowledged} sendings acknowledged to processes that then died or went on",
            f"{'step':34} {'reached':>8} {'killed at':>10} {'killed after':>13}",
        ]
        for name in [*STEPS, *self.unknown()]:
            counts = f"{self.reached[name]:>8} {self.at[name]:>10} {self.after[name]:>13}"
            rows.append(f"{name:34} {counts}")
        rows.append(f"{'(before the first step)':34} {'':>8} {'':>10} {self.after['']:>13}")
        return "\n".join(rows)

    def _count_place(self, verdict: Verdict) -> None:
        order = verdict.plan.order
        for name in verdict.killed:
            if isinstance(order, AtStep) and name == verdict.plan.victim:
                self.at[order.name] += 1
            else:
                steps = [
                    line.words[0]
                    for line in verdict.said
                    if line.who == name and line.kind == "step"
                ]
                self.after[steps[-1] if steps else ""] += 1
