"""Which process of a round dies where, and what dies with it: made from the seed and a number.

Rounds take turns: all in one process, dying at a step; several at once, one of them dying at a
step; one process dying at any call; several dying at any moment. Steps take turns as well, so that
each comes up as often as any other.
"""

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from goodneighbor.store.step import STEPS

from .kill import AtCall, AtStep, Order
from .roles import WRITERS

MODES = ("alone", "alone", "several", "alone at a call", "several at a moment")
CREATE_STEPS = tuple(name for name in STEPS if name.startswith(("create:", "checkpoint:")))
ROUND_STEPS = tuple(name for name in STEPS if not name.startswith("create:"))


class Usual(NamedTuple):
    """What a round does when nobody disturbs it."""

    steps: dict[str, int]  # how often each is reached
    calls: int


class Plan(NamedTuple):
    """One kill. `moment` is a share of what such a round takes, for a kill from outside."""

    mode: str
    victim: str  # alone, writer-0.., clerk, all
    order: Order
    moment: float
    all_die: bool  # with the victim, at once
    power_cut: bool

    def __str__(self) -> str:
        order = self.order
        where = f"at {self.moment:.3f} of the round"
        if isinstance(order, AtStep):
            where = f"at {order.name!r}, time {order.nth}"
        elif order is not None:
            where = f"at call {order.nth}"
        more = (", all die", "")[not self.all_die] + (", power cut", "")[not self.power_cut]
        return f"{self.mode}: {self.victim} dies {where}{more}"


def plan(seed: str, number: int, usual: Usual, steps: Sequence[str] = ROUND_STEPS) -> Plan:
    """Plan the kill `number`, from 0; `steps` are those that take turns."""
    random = Random(f"plan {seed} {number}")
    mode = MODES[number % len(MODES)]
    turn, place = divmod(number, len(MODES))
    step = _turn(seed, steps, 2 * turn + min(place, 1) if mode == "alone" else turn)
    victim, order = "alone", _at_step(random, step, usual)
    if mode == "several":
        victim, order = _victim(random, step), AtStep(step, random.choice((1, 1, 2)))
    elif mode == "alone at a call":
        order = AtCall(random.randint(1, usual.calls))
    elif mode == "several at a moment":
        victim, order = "all", None
    return Plan(
        mode,
        victim,
        order,
        random.random(),
        all_die=order is None or random.random() < 0.5,
        power_cut=random.random() < 0.5,
    )


def plan_creation(seed: str, number: int, usual: Usual) -> Plan:
    """Plan the kill of a store's creation."""
    random = Random(f"creation {seed} {number}")
    order: Order = AtStep(CREATE_STEPS[number % len(CREATE_STEPS)], 1)
    if number % (len(CREATE_STEPS) + 1) == len(CREATE_STEPS):
        order = AtCall(random.randint(1, usual.calls))
    return Plan("creation", "alone", order, 0.0, all_die=False, power_cut=False)


def _at_step(random: Random, step: str, usual: Usual) -> Order:
    return AtStep(step, random.randint(1, usual.steps.get(step, 1)))


def _turn(seed: str, steps: Sequence[str], number: int) -> str:
    """Return the step whose turn it is, in an order of the seed's."""
    order = list(steps)
    Random(f"turns {seed}").shuffle(order)
    return order[number % len(order)]


def _victim(random: Random, step: str) -> str:
    writes = step.startswith("append:")
    drains = step.startswith(("drain:", "checkpoint:"))
    writer = f"writer-{random.randrange(WRITERS)}"
    return writer if writes or (drains and random.random() < 0.5) else "clerk"
