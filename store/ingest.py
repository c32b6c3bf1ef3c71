"""Frame and stream of a delta that names neither, by `[ingest]` (design: "Rules").

Only the templates of that table are filled here, without the compiled rules, because `append`
must not wait for them: `{agent_id}`, `run-{meta.run|id}`. A field is present when it is there,
neither null nor "".
"""

from ..kernel import canonical
from .members import members


def fill(template: str, raw: bytes) -> str | None:
    """Fill a template from a delta; None when a field that it names is not present.

    Raises:
        DeltaRejected: `raw` is not strict JSON.
    """
    body = canonical(raw, "compact")
    filled = []
    rest = template
    while rest:
        literal, brace, rest = rest.partition("{")
        filled.append(literal)
        if brace:
            names, _, rest = rest.partition("}")
            value = _first_present(names, body)
            if value is None:
                return None
            filled.append(value)
    return "".join(filled)


def _first_present(names: str, body: bytes) -> str | None:
    for name in names.split("|"):
        value: bytes | None = body
        for part in name.split("."):
            value = None if value is None else members(value).get(part.encode())
        if value is not None and value not in (b"null", b'""'):
            return _plain(value)
    return None


def _plain(value: bytes) -> str:
    """Return a string as it is, anything else as its canonical text."""
    if b"\\" in value and value.startswith(b'"'):
        import json  # rare: no escape is in a name that a stream may have

        return str(json.loads(value))
    return (value[1:-1] if value.startswith(b'"') else value).decode()
