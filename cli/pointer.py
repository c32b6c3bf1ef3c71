"""Read a place in a document: `/agents/ada/karma`, a JSON Pointer (RFC 6901)."""

from .errors import UsageInvalid

NO_VALUE = object()  # what a path that leads nowhere gives; None is a value


def read_pointer(text: str) -> tuple[str, ...]:
    """Return a pointer's segments, unescaped; the first is the document.

    Raises:
        UsageInvalid: it does not start with `/`, or holds a `~` that is no `~0` or `~1`.
    """
    if not text.startswith("/") or text == "/":
        raise UsageInvalid(f"{text!r} is no path such as /agents/ada or /stats/total_posts.")
    segments = text[1:].split("/")
    for segment in segments:
        if "~" in segment.replace("~0", "").replace("~1", ""):
            raise UsageInvalid(f"{text!r}: write ~0 for `~` and ~1 for `/` inside a segment.")
    return tuple(segment.replace("~1", "/").replace("~0", "~") for segment in segments)


def descend(value: object, segments: tuple[str, ...]) -> object:
    """Return what a value holds at a path through objects, or NO_VALUE."""
    for segment in segments:
        if not isinstance(value, dict) or segment not in value:
            return NO_VALUE
        value = value[segment]
    return value
