"""Tests of the store run on both engines, but those that go past the store to its file."""

import pytest

# They read, damage or replace the database file itself; `test_postgresql.py` has the server's.
FILE_ALONE = {
    *("test_engine", "test_log", "test_mailbox_faults", "test_recover", "test_retire"),
    *("test_seal", "test_verify"),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        if hasattr(metafunc.module, "engine"):
            return  # it names its own
        alone = metafunc.module.__name__.rpartition(".")[2] in FILE_ALONE
        engines = ("sqlite",) if alone else ("sqlite", "postgresql")
        metafunc.parametrize("engine", engines, indirect=True)
