"""What the kernel refuses, as exceptions.

    GoodneighborError                 every error of ours
    ├── DeltaRejected                 fix the delta: it cannot become an event
    │   └── JsonRejected              it is not strict JSON; `position` is the byte it was seen at
    │       ├── JsonEndsEarly         the text stops inside a value
    │       ├── JsonUnexpectedByte    a byte that cannot stand there
    │       ├── JsonTrailingBytes     something follows the value
    │       ├── JsonByteOrderMark     the text starts with a byte order mark
    │       ├── JsonNotUtf8           bytes that are not UTF-8
    │       ├── JsonLoneSurrogate     half of a surrogate pair in an escape
    │       ├── JsonBadEscape         an escape that JSON does not have
    │       ├── JsonControlCharacter  a raw control character in a string
    │       ├── JsonDuplicateKey      one object names a key twice
    │       ├── JsonNotFinite         NaN, Infinity, or a double beyond the largest
    │       ├── JsonIntegerRange      an integer outside -2^63 .. 2^64-1
    │       ├── JsonTooDeep           more arrays and objects inside each other than allowed
    │       └── JsonTooLarge          more bytes than allowed
    ├── RulesInvalid                  fix neighbor.toml: line and reason
    └── KernelLimit                   the memory bound given at open was reached; nothing changed

The slugs in `reason` are what quarantine shows; they never change their meaning.
"""


class GoodneighborError(Exception):
    """Base of every error that goodneighbor raises on purpose."""


class DeltaRejected(GoodneighborError):
    """A delta that cannot become an event; `reason` is a slug, `position` a byte offset or None."""

    reason = "rejected"

    def __init__(
        self, text: str, *, reason: str | None = None, position: int | None = None
    ) -> None:
        super().__init__(text)
        self.position = position
        if reason is not None:
            self.reason = reason


class JsonRejected(DeltaRejected):
    """Bytes that are not strict JSON."""

    reason = "not json"


class JsonEndsEarly(JsonRejected):
    """The text stops inside a value."""

    reason = "ends early"


class JsonUnexpectedByte(JsonRejected):
    """A byte that cannot stand there, conflict markers among them."""

    reason = "unexpected byte"


class JsonTrailingBytes(JsonRejected):
    """Something follows the value."""

    reason = "trailing bytes"


class JsonByteOrderMark(JsonRejected):
    """The text starts with a byte order mark."""

    reason = "byte order mark"


class JsonNotUtf8(JsonRejected):
    """Bytes that are not UTF-8."""

    reason = "not utf-8"


class JsonLoneSurrogate(JsonRejected):
    """Half of a surrogate pair in an escape."""

    reason = "lone surrogate"


class JsonBadEscape(JsonRejected):
    """An escape that JSON does not have."""

    reason = "bad escape"


class JsonControlCharacter(JsonRejected):
    """A raw control character in a string."""

    reason = "control character"


class JsonDuplicateKey(JsonRejected):
    """One object names a key twice; no value of it can be trusted."""

    reason = "duplicate key"


class JsonNotFinite(JsonRejected):
    """NaN, Infinity, or a double beyond the largest finite one."""

    reason = "not finite"


class JsonIntegerRange(JsonRejected):
    """An integer outside -2^63 .. 2^64-1."""

    reason = "integer range"


class JsonTooDeep(JsonRejected):
    """More arrays and objects inside each other than allowed."""

    reason = "too deep"


class JsonTooLarge(JsonRejected):
    """More bytes than allowed."""

    reason = "too large"


class RulesInvalid(GoodneighborError):
    """A rules file that is refused whole; `line` counts from 1, None: the file as a whole."""

    def __init__(self, line: int | None, reason: str) -> None:
        where = "neighbor.toml" if line is None else f"neighbor.toml line {line}"
        super().__init__(f"{where}: {reason}")
        self.line = line
        self.reason = reason


class KernelLimit(GoodneighborError):
    """The memory bound given at open was reached; nothing changed."""
