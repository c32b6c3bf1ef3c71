"""The members of a compact canonical object, as bytes, without building its values.

`append` needs five of a delta's members and runs once per delta in a fresh process, where the
json module alone would cost a third of a Python start. Canonical compact bytes can be cut without
a parser: blank out escaped quotes, split at the rest, and every other piece lies outside strings.

    {"a":["x",1],"b":"y"}   ->   {  a  :[  x  ,1],  b  :  y  }
                                 0  .  1   .  2     .  3  .  4      pieces outside strings
"""


def members(compact: bytes) -> dict[bytes, bytes]:
    """Return an object's members: the bytes between a key's quotes -> its value's bytes.

    Keys are spelled as the canonical writer spells them. `compact` must come from there; anything
    but an object gives {}.
    """
    if not compact.startswith(b"{") or compact == b"{}":
        return {}
    found: dict[bytes, bytes] = {}
    start = 1
    for end in _member_ends(compact):
        colon = start + _quotes_blanked(compact[start:end]).index(b'"', 1) + 1
        found[compact[start + 1 : colon - 1]] = compact[colon + 1 : end]
        start = end + 1
    return found


def text(value: bytes | None) -> bytes | None:
    """Return what stands between a string's quotes; None when absent, escaped or no string."""
    if value is None or not value.startswith(b'"') or b"\\" in value:
        return None
    return value[1:-1]


def _member_ends(compact: bytes) -> list[int]:
    """Return where each member of the outermost object ends: at a comma, or the last brace."""
    ends: list[int] = []
    depth = 0
    start = 0
    for number, piece in enumerate(_quotes_blanked(compact).split(b'"')):
        if number % 2 == 0:
            closes = piece.count(b"}") + piece.count(b"]")
            if depth - closes > 1:  # a long array of numbers is passed over at the speed of count
                depth += piece.count(b"{") + piece.count(b"[") - closes
            else:
                depth = _scan(piece, start, depth, ends)
        start += len(piece) + 1
    assert depth == 0, "not canonical JSON"
    return ends


def _scan(piece: bytes, start: int, depth: int, ends: list[int]) -> int:
    for index, byte in enumerate(piece, start):
        if byte in b"{[":
            depth += 1
        elif byte in b"}]":
            depth -= 1
            if depth == 0:
                ends.append(index)
        elif byte == 0x2C and depth == 1:
            ends.append(index)
    return depth


def _quotes_blanked(compact: bytes) -> bytes:
    """Blank out escaped quotes. Pairs of backslashes go first: a quote behind one ends a string."""
    if b"\\" not in compact:
        return compact
    return compact.replace(b"\\\\", b"__").replace(b'\\"', b"__")
