"""`append` starts a process for every delta, so what it imports is part of its price."""

import subprocess
import sys

HEAVY = {
    *("sqlalchemy", "alembic", "click", "msgspec", "rich", "filelock", "orjson", "sqlite3"),
    *("json", "typing", "dataclasses", "inspect", "hashlib", "tempfile", "logging", "uuid"),
    *("subprocess", "random", "datetime", "tomllib", "shutil"),
}


def loaded_by(statement: str) -> set[str]:
    """Return the modules that a statement loads and a bare start does not."""
    listing = "import sys; print(*sys.modules)"
    bare, with_it = (
        set(subprocess.check_output([sys.executable, "-c", code], text=True).split())
        for code in (listing, f"{statement}\n{listing}")
    )
    return with_it - bare


def test_append_loads_nothing_heavy() -> None:
    loaded = loaded_by("import goodneighbor.store.append, goodneighbor.store.writer")
    assert "goodneighbor.store.delta" in loaded
    assert not loaded & HEAVY


def test_reading_the_mailbox_loads_nothing_heavy() -> None:
    assert not loaded_by("import goodneighbor.store.mailbox") & HEAVY


def test_the_harness_sees_a_heavy_import() -> None:
    """The control."""
    assert loaded_by("import goodneighbor.store.lock") & HEAVY
