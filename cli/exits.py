"""Exit codes: what each number tells a script, and which error ends in which.

Scripts branch on these numbers, so they never change their meaning: wait on 5, look on 1 and 4,
let a person decide on 3.
"""

from ..kernel.errors import GoodneighborError
from ..store.errors import StoreBusy, StoreDamaged, StoreUnwritable
from .errors import UsageInvalid

DONE = 0
FOUND = 1  # a check found something
USAGE = 2
REFUSED = 3
DAMAGE = 4
BUSY = 5


def code_of(error: GoodneighborError) -> int:
    """Tell the exit code that an error ends in; what is no usage, damage or wait is a refusal."""
    if isinstance(error, UsageInvalid):
        return USAGE
    if isinstance(error, StoreDamaged):
        return DAMAGE
    if isinstance(error, StoreUnwritable) and error.outcome in ("unknown", "unfinished"):
        return DAMAGE
    if isinstance(error, StoreBusy):
        return BUSY
    return REFUSED
