"""Cut what a stream hands over into deltas: one object, an array of them, or one a line.

Only cutting is done here; each piece keeps its bytes, is read strictly afterwards, and goes to
quarantine on its own if it cannot be read. What cannot be cut stays whole.
"""

import json

WHITE_SPACE = b" \t\r\n"


def split(data: bytes) -> list[bytes]:
    """Return the pieces of the input, in their order; none if it holds nothing but white space."""
    text = data.strip(WHITE_SPACE)
    if text.startswith(b"["):
        return _elements(text)
    lines = [line for line in (line.strip(WHITE_SPACE) for line in text.split(b"\n")) if line]
    return lines if _is_line_each(lines) else [text] * bool(text)


def _is_line_each(lines: list[bytes]) -> bool:
    """Tell NDJSON from one object over several lines, also where one of the lines is broken."""
    if len(lines) < 2:
        return False
    return all(line.startswith(b"{") for line in lines) or _is_object(lines[0])


def _is_object(line: bytes) -> bool:
    try:
        return line.startswith(b"{") and isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _elements(text: bytes) -> list[bytes]:
    """Return the elements of an array; an array that cannot be read is one piece.

    Python's reader finds where an element ends, and is laxer than ours: what it lets through
    (NaN, a key twice) the strict reader refuses element by element.
    """
    decoder = json.JSONDecoder()
    try:
        array = text.decode()
        position = _past_space(array, 1)
        if array[position] == "]":
            return [] if position == len(array) - 1 else [text]
        pieces = []
        while True:
            _, end = decoder.raw_decode(array, position)
            pieces.append(array[position:end].encode())
            position = _past_space(array, end)
            if array[position] == "]":
                return pieces if position == len(array) - 1 else [text]
            if array[position] != ",":
                return [text]
            position = _past_space(array, position + 1)
    except (ValueError, IndexError, RecursionError):
        return [text]


def _past_space(text: str, position: int) -> int:
    while text[position] in " \t\r\n":
        position += 1
    return position
