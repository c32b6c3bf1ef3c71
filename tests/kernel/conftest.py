"""Hypothesis in these tests: the same examples on every machine, and no timing assertions."""

from hypothesis import settings

settings.register_profile("kernel", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("kernel")
