"""Whether a store kept its promises: what was said to be kept against what is there.

For each delta: acknowledgements <= its places in the log (the event, and copies beside it) <= times
it was sent. Below is a loss, above a double.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from goodneighbor.store import DeltaRejected
from goodneighbor.store.delta import check

from .facts import Facts, Held
from .script import Round

_SHOWN_MAX = 60


@dataclass
class Ledger:
    """What was sent and what was acknowledged, over a store's whole life; kept by the parent.

    A delta counts under its id; bytes that are no delta count as they are.
    """

    sent: Counter[str] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)

    def count(self, script: Round, sent: list[int], told: list[int]) -> None:
        """Add the sendings of a round, by their indexes."""
        for index in sent:
            self.sent.update(name_of(raw) for raw in script.sendings[index])
        for index in told:
            self.told.update(name_of(raw) for raw in script.sendings[index])

    def count_files(self, script: Round) -> None:
        """Add the files of a round as sent: once each, however often they are collected."""
        self.sent.update(name_of(raw) for raw in script.files.values())

    def tell_files(self, script: Round) -> None:
        """Add the files of a round as acknowledged, once `collect` has returned."""
        self.told.update(name_of(raw) for raw in script.files.values())


@lru_cache(maxsize=4096)
def name_of(raw: bytes) -> str:
    """Return a delta's id, or bytes that are none as text."""
    try:
        return check(raw).id.hex()
    except DeltaRejected:
        return shown(raw.decode())


def shown(text: str) -> str:
    """Return the beginning of a text on one line."""
    return repr(text[:_SHOWN_MAX])


def kept(ledger: Ledger, held: Held, when: str) -> Iterator[str]:
    """Find what was lost, doubled or invented."""
    there = Counter({identity: 1 + copies for identity, copies in held.events.items()})
    there.update(map(shown, held.quarantined))
    for name in sorted(ledger.sent | there):
        counts = f"sent {ledger.sent[name]}, acknowledged {ledger.told[name]}, kept {there[name]}"
        if there[name] < ledger.told[name]:
            yield f"lost {when}: {name}: {counts}"
        elif not ledger.sent[name]:
            yield f"invented {when}: {name}: {counts}"
        elif there[name] > ledger.sent[name]:
            yield f"doubled {when}: {name}: {counts}"


def sound(facts: Facts) -> Iterator[str]:
    """Find what no store may show, whatever was sent."""
    yield from (f"verify: {fault}" for fault in facts.faults)
    yield from (f"export: {each}" for each in facts.withheld)
    for frame, (units, applied, duplicate, skipped) in facts.sums.items():
        if units != applied + duplicate + skipped:
            yield f"frame {frame} does not balance: {units} = {applied} + {duplicate} + {skipped}"


def same(facts: Facts, undisturbed: Facts) -> Iterator[str]:
    """Find where a store differs from one that nobody disturbed."""
    if facts.closed.events.keys() != undisturbed.closed.events.keys():
        yield "the log holds other events than an undisturbed one"
    if facts.closed.edits != undisturbed.closed.edits:
        yield f"{facts.closed.edits} edits absorbed, undisturbed {undisturbed.closed.edits}"
    for what in ("sums", "documents", "files"):
        found, meant = getattr(facts, what), getattr(undisturbed, what)
        yield from (
            f"{what} {name}: {_from(found.get(name), meant.get(name))}"
            for name in sorted(found.keys() | meant.keys())
            if found.get(name) != meant.get(name)
        )
    if facts.state_digest != undisturbed.state_digest:
        yield f"state digest {facts.state_digest}, undisturbed {undisturbed.state_digest}"


def _from(found: object, meant: object) -> str:
    """Show two values from shortly before where they part."""
    words, others = str(found), str(meant)
    pairs = enumerate(zip(words, others, strict=False))
    parted = next((index for index, (word, other) in pairs if word != other), len(words))
    start = max(0, parted - _SHOWN_MAX // 3)
    there, undisturbed = shown(words[start:]), shown(others[start:])
    return f"from character {start}: {there}, undisturbed {undisturbed}"
