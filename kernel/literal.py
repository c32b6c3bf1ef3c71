"""Literals in rules: JSON, or a string in single quotes (TOML's own quotes are double).

They go through the same strict reader and writer as every delta, so that `when` and `where` can
compare canonical bytes with canonical bytes.
"""

import json

from .errors import DeltaRejected
from .malformed import Malformed
from .text import canonical

INTEGER_MIN = -(2**63)
INTEGER_MAX = 2**64 - 1


def literal(text: str) -> bytes:
    """Give a literal's compact canonical bytes. Raises: Malformed, with the reader's reason."""
    source = _from_single_quotes(text) if text.startswith("'") else text
    try:
        return canonical(source.encode(), "compact")
    except DeltaRejected as rejected:
        said = f"neither JSON nor a string in single quotes ({rejected.reason})"
        raise Malformed(f"`{text}` is {said}") from rejected


def value_of(canonical_bytes: bytes) -> object:
    """Give the Python value of a literal, to look at its type."""
    value: object = json.loads(canonical_bytes)
    return value


def is_integer(value: object) -> bool:
    """Whether `inc` could take the value: an integer of design section 7, no bool, no float."""
    return type(value) is int and INTEGER_MIN <= value <= INTEGER_MAX


def _from_single_quotes(text: str) -> str:
    inner = text[1:-1]
    if len(text) < 2 or text[-1] != "'" or "'" in inner:
        raise Malformed(f"`{text}` is not one string in single quotes")
    return json.dumps(inner)
