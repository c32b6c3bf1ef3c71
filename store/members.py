"""The members of a compact canonical object, as bytes, without building its values.

`append` needs five of a delta's members and runs once per delta in a fresh process, where the
json module alone would cost a third of a Python start. Canonical compact bytes can be cut without
a parser: blank out escaped quotes, split at the rest, and every other piece lies outside strings.

    {"a":["x",1],"b":"y"}   ->   {  a  :[  x  ,1],  b  :  y  }
                                 0  1   2  3    4   5  6  7  8      even: outside strings
"""


def members(compact: bytes) -> dict[bytes, bytes]:
    """Return an object's members: the bytes between a key's quotes -> its value's bytes.

    Keys are spelled as the canonical writer spells them. `compact` must come from there; anything
    but an object gives {}.
    """
    found: dict[bytes, bytes] = {}
    if not compact.startswith(b"{"):
        return found
    depth = 0
    key = None  # of the member being passed; None: the next string is one
    value_at = 0
    offset = 0
    for number, piece in enumerate(_quotes_blanked(compact).split(b'"')):
        if number % 2:
            if depth == 1 and key is None:
                key = compact[offset : offset + len(piece)]
                value_at = offset + len(piece) + 2
        elif piece != b":" and (depth == 1 or piece != b","):
            depth, end = _pass(piece, depth)
            if end >= 0 and key is not None:
                found[key] = compact[value_at : offset + end]
                key = None
        offset += len(piece) + 1
    assert depth == 0, "not canonical JSON"
    return found


def text(value: bytes | None) -> bytes | None:
    """Return what stands between a string's quotes; None when absent, escaped or no string."""
    if value is None or not value.startswith(b'"') or b"\\" in value:
        return None
    return value[1:-1]


def _pass(piece: bytes, depth: int) -> tuple[int, int]:
    """Pass over bytes outside strings; return the depth behind them and where a member ends.

    Between two strings at most one member of the outermost object ends, at a comma or the last
    brace, since the next one begins with a string; -1 when none does.
    """
    closes = piece.count(b"}") + piece.count(b"]")
    depth += piece.count(b"{") + piece.count(b"[") - closes
    if depth == 1 and piece.endswith(b","):
        return depth, len(piece) - 1
    if depth == 0:
        return depth, len(piece) - 1
    return depth, -1


def _quotes_blanked(compact: bytes) -> bytes:
    """Blank out escaped quotes. Pairs of backslashes go first: a quote behind one ends a string."""
    if b"\\" not in compact:
        return compact
    return compact.replace(b"\\\\", b"__").replace(b'\\"', b"__")
