"""The members of a compact canonical object, as bytes, without building its values.

`append` needs five of a delta's members and runs once per delta in a fresh process, where the
json module alone would cost a third of a Python start. Canonical compact bytes can be cut without
a parser: their outline has the same length and nothing within strings that could be mistaken, so
that a value ends where brackets balance, or at the next comma.

    {"a":["x",1],"b\\":{":"y"}
    {"a":["x",1],"b____":"y"}     the outline
"""

_OPENING = {b"{": b"}", b"[": b"]"}
_NO_BRACKETS = bytes.maketrans(b"{}[],", b"_____")


def members(compact: bytes) -> dict[bytes, bytes]:
    """Return an object's members: the bytes between a key's quotes -> its value's bytes.

    Keys are spelled as the canonical writer spells them. `compact` must come from there; anything
    but an object gives {}.
    """
    found: dict[bytes, bytes] = {}
    if not compact.startswith(b"{") or compact == b"{}":
        return found
    outline = _outline(compact)
    at = 1
    while at < len(outline):
        key_end = outline.index(b'"', at + 1)
        end = _value_end(outline, key_end + 2)
        found[compact[at + 1 : key_end]] = compact[key_end + 2 : end]
        at = end + 1
    return found


def text(value: bytes | None) -> bytes | None:
    """Return what stands between a string's quotes; None when absent, escaped or no string."""
    if value is None or not value.startswith(b'"') or b"\\" in value:
        return None
    return value[1:-1]


def _value_end(outline: bytes, at: int) -> int:
    opening = outline[at : at + 1]
    if opening not in _OPENING:
        end = outline.find(b",", at)
        return len(outline) - 1 if end < 0 else end
    closing, depth = _OPENING[opening], 0
    while True:
        end = outline.index(closing, at) + 1
        depth += outline.count(opening, at, end) - 1
        if depth == 0:
            return end
        at = end


def _outline(compact: bytes) -> bytes:
    """Blank out escaped quotes, and what else looks like structure within strings."""
    if b"\\" in compact:  # pairs of backslashes first: a quote behind one ends a string
        compact = compact.replace(b"\\\\", b"__").replace(b'\\"', b"__")
    pieces = compact.split(b'"')  # every other one lies within a string
    pieces[1::2] = b'"'.join(pieces[1::2]).translate(_NO_BRACKETS).split(b'"')
    return b'"'.join(pieces)
