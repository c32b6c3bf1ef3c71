"""A delta: completing, checking, identity (design: "A delta").

Everything that becomes an event passes `check`, whatever way it came: a note in the mailbox is as
little trusted as a file an agent wrote. What passes is identified by its content: the digest is
over the canonical bytes, so the same delta sent twice is one event, and (frame, utc), which real
streams reuse, identifies nothing. What a delta lacks may be given beside it; then it stays out of
the body, and out of the identity.
"""

try:  # hashlib loads OpenSSL, which costs as much as a whole start of Python
    from _sha2 import sha256  # type: ignore[import-not-found, unused-ignore]  # Python 3.12 on
except ImportError:
    try:
        from _sha256 import sha256  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        from hashlib import sha256

from ..kernel import canonical, format_instant, instant
from ..kernel.errors import DeltaRejected
from .members import members, text

TYPE_CHECKING = False  # typing costs more than this module
if TYPE_CHECKING:
    from collections.abc import Mapping

FRAME_MAX = 2**31 - 1
STREAM_SIZE_MAX = 64
RESERVED_STREAMS = ("git", "store")
AHEAD_US_MAX = 5 * 60 * 1_000_000  # a claim further ahead of its receipt is flagged
FALLBACK_REASONS = ("crashed", "timeout", "silent", "missing")

_LETTERS_DIGITS = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789")
_STREAM_BYTES = _LETTERS_DIGITS | frozenset(b"._-")
_TIME_MEMBERS = (b"utc", b"completed_at", b"timestamp")


class Delta:
    """A delta that passed: what the log and the fold need to know of it."""

    __slots__ = ("body", "digest", "fallback", "frame", "reason", "seq", "stream", "utc_us")

    def __init__(
        self,
        body: bytes,
        *,
        frame: int,
        stream: str,
        utc_us: int | None,
        seq: int,
        fallback: bool,
        reason: str,
    ) -> None:
        self.body = body  # canonical, compact
        self.digest: bytes = sha256(body).digest()
        self.frame = frame
        self.stream = stream  # as written
        self.utc_us = utc_us
        self.seq = seq
        self.fallback = fallback
        self.reason = reason  # why it is a fallback; "" when it is none or says none

    @property
    def id(self) -> bytes:
        """The first 16 bytes of the digest."""
        return self.digest[:16]


def complete(raw: bytes, *, frame: int | None, stream: str | None, utc_us: int | None) -> bytes:
    """Add frame, stream and time where a delta leaves them out; return compact canonical bytes.

    Sending what is returned again is the same event, so a caller keeps it. A member that is
    there is never changed, right or wrong; `utc` is added when no time in the delta parses.

    Raises:
        DeltaRejected: `raw` is not strict JSON or not an object.
    """
    body = _object(raw)
    there = members(body)
    added = []
    if frame is not None and b"frame" not in there:
        added.append(b'"frame":%d' % frame)
    if stream is not None and b"stream_id" not in there:
        added.append(b'"stream_id":' + _quoted(stream))
    if utc_us is not None and b"utc" not in there and _utc_us(there, _meta(there)) is None:
        added.append(b'"utc":' + _quoted(format_instant(utc_us)))
    if not added:
        return body
    rest = body[1:] if body == b"{}" else b"," + body[1:]
    return canonical(b"{" + b",".join(added) + rest, "compact")


def check(
    raw: bytes, *, frame: int | None = None, stream: str | None = None, limits: bool = True
) -> Delta:
    """Check a delta as it lies; `frame` and `stream` stand in where it lacks its own.

    `limits=False` lets any depth and size through: what is in the log already folds again under
    newer, tighter limits too.

    Raises:
        DeltaRejected: with a slug in `reason`, and the byte where strict JSON ends.
    """
    body = _object(raw) if limits else _object(raw, depth_max=0, size_max=0)
    there = members(body)
    meta = _meta(there)
    is_fallback = meta.get(b"status") == b'"fallback"'
    said = text(meta.get(b"reason")) if is_fallback else None
    return Delta(
        body,
        frame=_frame(there.get(b"frame"), frame),
        stream=_stream(there.get(b"stream_id"), stream),
        utc_us=_utc_us(there, meta),
        seq=_integer(there.get(b"seq")) or 0,
        fallback=is_fallback,
        reason=said.decode() if said else "",
    )


def fallback(
    frame: int,
    stream: str,
    reason: str,
    utc_us: int,
    meta: "Mapping[str, bytes] | None" = None,
) -> bytes:
    """Return the delta that says "I took part and had nothing", and why.

    `meta` holds more members of its `_meta` as JSON: an exit code, last lines of an output.
    """
    assert reason in FALLBACK_REASONS, reason
    now = _quoted(format_instant(utc_us))
    more = b"".join(b",%s:%s" % (_quoted(name), value) for name, value in (meta or {}).items())
    written = (
        b'{"frame":%d,"stream_id":%s,"utc":%s,"posts_created":[],"comments_added":[],'
        b'"_meta":{"status":"fallback","reason":%s,"timestamp":%s%s}}'
    )
    values = (frame, _quoted(stream), now, _quoted(reason), now, more)
    return canonical(written % values, "compact")


def _object(raw: bytes, **limits: int) -> bytes:
    body = canonical(raw, "compact", **limits)
    if not body.startswith(b"{"):
        raise DeltaRejected(
            "A delta is one JSON object; this is another JSON value.",
            reason="not an object",
            position=0,
        )
    return body


def _frame(value: bytes | None, beside: int | None) -> int:
    if value is None and beside is None:
        raise DeltaRejected(
            "The delta has no `frame`. Add one, or say it with --frame or NEIGHBOR_FRAME.",
            reason="frame missing",
        )
    number = beside if value is None else _integer(value)
    if number is None or not 0 <= number <= FRAME_MAX:
        raise DeltaRejected(
            f"The delta's `frame` is {_shown(value, beside)}; "
            f"it must be an integer from 0 to {FRAME_MAX}.",
            reason="frame invalid",
        )
    return number


def _stream(value: bytes | None, beside: str | None) -> str:
    if value is None and beside is None:
        raise DeltaRejected(
            "The delta has no `stream_id`. Add one, or say it with --stream or NEIGHBOR_STREAM.",
            reason="stream missing",
        )
    name = text(value) if value is not None else (beside or "").encode(errors="replace")
    if name is None or not _is_stream(name.lower()):
        raise DeltaRejected(
            f"The delta's `stream_id` is {_shown(value, beside)}; it must be 1 to "
            f"{STREAM_SIZE_MAX} of A-Z a-z 0-9 . _ -, start with a letter or digit, hold no `..` "
            "and not end in `.` or `.lock`.",
            reason="stream invalid",
        )
    if name.lower().decode() in RESERVED_STREAMS:
        raise DeltaRejected(
            f"The stream name {_shown(value, beside)} is the store's own; take another.",
            reason="stream reserved",
        )
    return name.decode()


def _is_stream(lower: bytes) -> bool:
    return (
        1 <= len(lower) <= STREAM_SIZE_MAX
        and lower[0] in _LETTERS_DIGITS
        and _STREAM_BYTES.issuperset(lower)
        and b".." not in lower
        and not lower.endswith((b".", b".lock"))
    )


def _meta(there: dict[bytes, bytes]) -> dict[bytes, bytes]:
    return members(there.get(b"_meta", b""))


def _utc_us(there: dict[bytes, bytes], meta: dict[bytes, bytes]) -> int | None:
    """Return the first time that is there and parses, in microseconds."""
    values = [there.get(name) for name in _TIME_MEMBERS] + [meta.get(b"timestamp")]
    for value in values:
        written = text(value)
        if written is not None and (found := instant(written)) is not None:
            return found
    return None


def _integer(value: bytes | None) -> int | None:
    if value is None or not value.lstrip(b"-").isdigit():
        return None
    return int(value)


def _quoted(name: str) -> bytes:
    """Quote a text as JSON; the canonical writer chooses the final spelling."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return b'"%s"' % "".join(c if c >= " " else f"\\u{ord(c):04x}" for c in escaped).encode(
        errors="surrogatepass"
    )


def _shown(value: bytes | None, beside: int | str | None) -> str:
    """Show a wrong value in an error, cut to a line."""
    shown = repr(beside) if value is None else value.decode(errors="replace")
    return shown if len(shown) <= 80 else shown[:77] + "..."
