"""A finding of the doctor: which rule, what was found, and what mends it."""

from collections.abc import Callable
from dataclasses import dataclass

# The eight rules, numbered and worded as everywhere; 0 is what all of them stand on.
RULES = (
    "What the rules stand on",
    "Create worktrees, not branches on main",
    "Clean up after yourself, immediately, also after a crash",
    "Never stash on main while the fleet is running",
    "Copy uncommitted state into worktrees",
    "Stagger parallel launches",
    "Write deltas, not state",
    "Fail gracefully, with a fallback delta",
    "Use portable shell",
)


@dataclass(frozen=True)
class Finding:
    """One thing that breaks a rule. `fix` mends it, where that can hurt nobody's work."""

    rule: int
    what: str
    mend: str  # the command, or what to write instead
    fix: Callable[[], None] | None = None
