"""Where in a TOML text a key or an array's element stands: tomllib gives values without positions.

Read only when rules are refused, and only after tomllib has read the same text, so the scanner can
be lax: it keeps apart strings, comments and brackets, and nothing else.
"""

import re
import tomllib
from collections.abc import Iterator

from .malformed import Place

_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})'  # a multi-line string may end in up to five quotes
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|[\[\]{}=,.\n]"
    r"|[^\s\[\]{}=,.\#\"']+",
    re.DOTALL,
)


def line_of(text: str, place: Place) -> int | None:
    """Give the line, from 1, of the innermost part of `place` that the text holds.

    A place beyond what is written (a key that is missing) gives the line of what should hold it;
    None where nothing of it is there.
    """
    lines = Scanner(text).lines
    for end in range(len(place), 0, -1):
        if place[:end] in lines:
            return lines[place[:end]]
    return None


class Scanner:
    """One walk over a TOML text; `lines` maps each place in it to its line."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Place, int] = {}
        self._elements: dict[Place, int] = {}  # how many tables an array of tables has so far
        self._tokens = _tokens(text)
        self._table: Place = ()
        for token, line in self._tokens:
            if token == "\n":
                continue
            if token == "[":
                self._header(line)
            else:
                self._pair(token, line, self._table)
            self._skip_to("\n")

    def _header(self, line: int) -> None:
        token, _ = next(self._tokens)
        is_array = token == "["
        if is_array:
            token, _ = next(self._tokens)
        keys = self._keys(token, "]")
        place: Place = ()
        for key in keys:
            place = (*self._innermost(place), key)
        if is_array:
            self._elements[place] = self._elements.get(place, -1) + 1
            self._note(place, line)
        self._table = self._innermost(place)
        self._note(self._table, line)

    def _innermost(self, place: Place) -> Place:
        return (*place, self._elements[place]) if place in self._elements else place

    def _pair(self, token: str, line: int, table: Place) -> None:
        keys = self._keys(token, "=")
        for end in range(1, len(keys) + 1):
            self._note((*table, *keys[:end]), line)
        token, line = next(self._tokens)
        self._value(token, line, (*table, *keys))

    def _keys(self, token: str, stop: str) -> list[str]:
        keys: list[str] = []
        while token != stop:
            if token != ".":
                keys.append(_key(token))
            token, _ = next(self._tokens)
        return keys

    def _value(self, token: str, line: int, place: Place) -> None:
        self._note(place, line)
        if token == "[":
            self._array(place)
        elif token == "{":
            self._inline_table(place)

    def _array(self, place: Place) -> None:
        index = 0
        wants = True
        for token, line in self._tokens:
            if token == "]":
                return
            if token == ",":
                index += 1
                wants = True
            elif token != "\n" and wants:
                self._value(token, line, (*place, index))
                wants = False  # what follows until "," is the rest of a number or a date

    def _inline_table(self, place: Place) -> None:
        wants = True
        for token, line in self._tokens:
            if token == "}":
                return
            if token == ",":
                wants = True
            elif token != "\n" and wants:
                self._pair(token, line, place)
                wants = False

    def _skip_to(self, stop: str) -> None:
        # What is left of a line: the rest of a number or a date, a header's last bracket.
        for token, _ in self._tokens:
            if token == stop:
                return

    def _note(self, place: Place, line: int) -> None:
        self.lines.setdefault(place, line)


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    line = 1
    for found in _TOKEN.finditer(text):
        token = found[0]
        if not token.startswith("#"):
            yield token, line
        line += token.count("\n")


def _key(token: str) -> str:
    if token[0] not in "\"'":
        return token
    [key] = tomllib.loads(f"{token} = 0")
    return key
