"""How many examples a property test tries: `make soak` asks for more, the sanitizers for fewer."""

import os

EFFORT = float(os.environ.get("NEIGHBOR_TEST_EFFORT", "1"))


def examples(count: int) -> int:
    """Return `count`, scaled by NEIGHBOR_TEST_EFFORT."""
    return max(1, round(count * EFFORT))
