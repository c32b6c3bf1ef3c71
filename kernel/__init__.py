"""The merge kernel: bytes and rules in, bytes out.

Names are handed on when they are first used: `append` needs `canonical`, not the reader of rules.
"""

from importlib import import_module

# typing costs `append` more than the kernel does; type checkers take this for true
TYPE_CHECKING = False
if TYPE_CHECKING:
    from .errors import DeltaRejected, GoodneighborError, JsonRejected, KernelLimit, RulesInvalid
    from .fold import Changed, Event, Fold, Folded, Receipt, UnitReceipt
    from .meaning import Conflict, Merged, diff, merge3
    from .packing import Packer
    from .rules import Rules
    from .text import canonical, crc32c, format_instant, instant

FOLD_VERSION = 1  # stands in each close: the meaning of sections 6 and 7 that it folded under

_HOMES = {
    "canonical": "text",
    "instant": "text",
    "format_instant": "text",
    "crc32c": "text",
    "Fold": "fold",
    "Event": "fold",
    "Folded": "fold",
    "Packer": "packing",
    "Changed": "fold",
    "Receipt": "fold",
    "UnitReceipt": "fold",
    "diff": "meaning",
    "merge3": "meaning",
    "Merged": "meaning",
    "Conflict": "meaning",
    "Rules": "rules",
    "GoodneighborError": "errors",
    "DeltaRejected": "errors",
    "JsonRejected": "errors",
    "RulesInvalid": "errors",
    "KernelLimit": "errors",
}

__all__ = [
    "FOLD_VERSION",
    "Changed",
    "Conflict",
    "DeltaRejected",
    "Event",
    "Fold",
    "Folded",
    "GoodneighborError",
    "JsonRejected",
    "KernelLimit",
    "Merged",
    "Packer",
    "Receipt",
    "Rules",
    "RulesInvalid",
    "UnitReceipt",
    "canonical",
    "crc32c",
    "diff",
    "format_instant",
    "instant",
    "merge3",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value
