"""What the rules' parts raise: a reason, and the place in the file, filled in on the way out.

The parts do not know where in neighbor.toml they stand; each level that does adds its keys with
`within`, and `rules.py` turns the whole into `RulesInvalid` with a line.
"""

from collections.abc import Iterator
from contextlib import contextmanager

Place = tuple[str | int, ...]  # keys and indexes from the top of the file: ("items", 0, "apply", 2)


class Malformed(ValueError):
    """A piece of the rules that cannot stand; never leaves the kernel."""

    def __init__(self, reason: str, *place: str | int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.place: Place = place


@contextmanager
def within(*place: str | int) -> Iterator[None]:
    """Say where the pieces read in this block stand."""
    try:
        yield
    except Malformed as malformed:
        malformed.place = place + malformed.place
        raise
