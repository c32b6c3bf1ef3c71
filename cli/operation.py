"""Read one operation as it is typed: `inc /agents/a/karma 1` becomes an element of `ops`."""

import json

from .errors import UsageInvalid

# What a delta's `ops` may hold (design section 7); True: a value belongs to it.
OPERATIONS = {
    "set": True,
    "init": True,
    "inc": True,
    "max": True,
    "min": True,
    "include": True,
    "exclude": True,
    "push": True,
    "remove": False,
    "merge": True,
    "test": True,
}


def read_operation(text: str) -> dict[str, object]:
    """Return the operation as the object a delta carries.

    The value is JSON, or a string in single quotes as in neighbor.toml.

    Raises:
        UsageInvalid: the name is unknown, the path is no JSON Pointer, or the value is missing,
            too much, or neither JSON nor quoted.
    """
    words = text.split(None, 2)
    name = words[0] if words else ""
    takes_value = OPERATIONS.get(name)
    if takes_value is None:
        known = ", ".join(OPERATIONS)
        raise UsageInvalid(f"--op {text!r}: no operation {name!r}; there are {known}.")
    if len(words) < 2 or not words[1].startswith("/"):
        raise UsageInvalid(f"--op {text!r}: after {name!r} comes a path such as /agents/a/karma.")
    operation: dict[str, object] = {"op": name, "path": words[1]}
    if takes_value != (len(words) == 3):
        needs = "needs a value after its path" if takes_value else "takes no value"
        raise UsageInvalid(f"--op {text!r}: {name!r} {needs}.")
    if takes_value:
        operation["value"] = _read_value(text, words[2])
    return operation


def _read_value(text: str, value: str) -> object:
    if len(value) >= 2 and value[0] == value[-1] == "'":
        return value[1:-1]
    try:
        return json.loads(value)
    except ValueError as error:
        raise UsageInvalid(
            f"--op {text!r}: the value {value!r} is not JSON ({error}).\n"
            "Write a string as '...' or as \"...\"."
        ) from error
