"""The conformance cases of section 6 and 7, and a runner that plays them against any store.

The same cases are played against the reference model and against the store: a difference between
the two shows which of them left the design.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from .model_json import NotStrict
from .model_log import read_delta

# The sums of these do not count the items that every `when` leaves out, against section 7: "one
# that every `when` leaves out is a skipped unit, `no rule`". All but their sums is compared.
WITHOUT_LEFT_OUT = (
    "0 16 25 26 28 32 33 35 38 40 47 49 57 60 74 93 98 108 115 133 139 140 147 173 176 183"
)
SUMS_AGAINST_A_SENTENCE = frozenset(f"random-1-{each}" for each in WITHOUT_LEFT_OUT.split())
CASES = Path(__file__).resolve().parents[3] / "shared" / "data" / "conformance" / "cases.jsonl"


class System(Protocol):
    """What a case is played against; `ModelStore` is one."""

    @property
    def quarantined(self) -> int: ...

    @property
    def copies(self) -> int: ...

    def append(self, raw: bytes) -> None: ...

    def close(self, frame: int, expect: list[str], rules_text: str | None = None) -> None: ...

    def absorb(self, document: str, body: bytes) -> None: ...

    def documents(self) -> dict[str, str]: ...

    def state_digest(self) -> str: ...

    def frames(self) -> dict[int, dict[str, int]]: ...


class Create(Protocol):
    """Make a new store from rules and the files it starts from."""

    def __call__(self, rules_text: str, base: dict[str, str] | None) -> System: ...


@dataclass(frozen=True)
class Case:
    """One line of the file; `needs` holds those of "late", "rules" and "absorb" that it plays."""

    name: str
    about: str
    rules: str
    base: dict[str, str] | None
    log: list[dict[str, Any]]
    expect: dict[str, Any]
    needs: frozenset[str]


def load_cases(path: Path = CASES) -> list[Case]:
    """Read every case; an empty list where the folder is missing."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8") as lines:
        return [case_of(json.loads(line)) for line in lines]


def run_case(case: Case, create: Create) -> list[str]:
    """Play a case and say how what came out differs from what must; an empty list is a pass."""
    system = create(case.rules, case.base)
    text: str | None = None
    for step in case.log:
        match step:
            case {"append": raw}:
                system.append(raw.encode("utf-8"))
            case {"close": frame}:
                system.close(frame, step["expect"], text)
            case {"rules": text}:
                pass
            case {"absorb": {"document": document, "body": body}}:
                system.absorb(document, body.encode("utf-8"))
    return differences(case, system)


def differences(case: Case, system: System) -> list[str]:
    expect, documents = case.expect, system.documents()
    pairs: dict[str, tuple[Any, Any]] = {
        f"document {name}": (documents[name], t) for name, t in expect["documents"].items()
    }
    pairs["quarantined"] = system.quarantined, expect["quarantined"]
    pairs["copies"] = system.copies, expect["copies"]
    if case.name not in SUMS_AGAINST_A_SENTENCE:
        pairs["frames"] = compared_frames(case, system), expect["frames"]
    pairs["state digest"] = system.state_digest(), expect["state_digest"]
    return [f"{what}: {got!r}, not {must!r}" for what, (got, must) in pairs.items() if got != must]


def compared_frames(case: Case, system: System) -> dict[str, dict[str, int]]:
    """Give the sums that a case compares: without frames below 0 and those with an absorb."""
    left_out = frames_absorbed_in(case) - {int(frame) for frame in case.expect["frames"]}
    return {
        str(frame): sums
        for frame, sums in system.frames().items()
        if frame >= 0 and frame not in left_out and sums["in"]
    }


def frames_absorbed_in(case: Case) -> set[int]:
    """Name the frames that were the last closed one when an absorb came."""
    frames, last = set(), -1
    for step in case.log:
        last = step.get("close", last)
        if "absorb" in step:
            frames.add(last)
    return frames


def case_of(line: dict[str, Any]) -> Case:
    log = line["log"]
    needs = {name for name in ("rules", "absorb") if any(name in step for step in log)}
    if comes_late(log):
        needs.add("late")
    return Case(
        line["name"], line["about"], line["rules"], line["base"], log, line["expect"],
        frozenset(needs),
    )  # fmt: skip


def comes_late(log: list[dict[str, Any]]) -> bool:
    """Say whether a delta for a frame that is closed already is folded by a later close."""
    last, seen, waiting = -1, set[bytes](), False
    for step in log:
        if "close" in step or "absorb" in step:
            if waiting:
                return True
            last = step.get("close", last)
        elif "append" in step:
            try:
                event = read_delta(step["append"].encode("utf-8"))
            except NotStrict:
                continue
            waiting |= event.frame <= last and event.id not in seen
            seen.add(event.id)
    return False
