"""The members of a compact canonical object, as bytes, without building its values.

`append` needs five of a delta's members and runs once per delta in a fresh process, where the
json module alone would cost a third of a Python start.
"""

from ..kernel.text import members

__all__ = ["members", "text"]


def text(value: bytes | None) -> bytes | None:
    """Return what stands between a string's quotes; None when absent, escaped or no string."""
    if value is None or not value.startswith(b'"') or b"\\" in value:
        return None
    return value[1:-1]
