"""The store's public face: names, handed on when they are first asked for (PEP 562).

`append` runs once for every delta in a process of its own, so importing this package imports
nothing.
"""

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .absorb import Absorbed, TakenIn
    from .append import Appended
    from .collect import Collected
    from .edit import Edit
    from .errors import (
        DeltaRejected,
        DocumentRefused,
        DocumentUnknown,
        DriverMissing,
        EditRefused,
        FrameNotShown,
        FramePassed,
        GoodneighborError,
        LockLost,
        LogConflict,
        NotAStore,
        NoteWaits,
        Refused,
        RulesInvalid,
        StoreAway,
        StoreBusy,
        StoreDamaged,
        StoreExists,
        StoreMissing,
        StoreOnNetwork,
        StoreTooNew,
        StoreUnwritable,
    )
    from .export import Exported, Saved, Withheld
    from .forget import Forgotten
    from .frame_view import FrameDetail, FrameRow
    from .frames import Closed
    from .log import Refusal
    from .log_copy import LogCopy
    from .logged import LoggedEvent
    from .quarantine import Kept
    from .rebuild import Lost, Step, Told
    from .receipts import FrameSums, StreamStatus, Unapplied
    from .recover import Recovered
    from .replay import Difference, Replayed
    from .sequencer import Drained
    from .status import DocumentStatus, OpenFrame, Status
    from .store import Store
    from .verify import Fault

_HOME = {
    "absorb": ("Absorbed", "TakenIn"),
    "append": ("Appended",),
    "collect": ("Collected",),
    "edit": ("Edit",),
    "errors": (
        "DeltaRejected",
        "DocumentRefused",
        "DocumentUnknown",
        "DriverMissing",
        "EditRefused",
        "FrameNotShown",
        "FrameNotShown",
        "FramePassed",
        "GoodneighborError",
        "LockLost",
        "LogConflict",
        "NotAStore",
        "NoteWaits",
        "Refused",
        "RulesInvalid",
        "StoreAway",
        "StoreBusy",
        "StoreDamaged",
        "StoreExists",
        "StoreMissing",
        "StoreOnNetwork",
        "StoreTooNew",
        "StoreUnwritable",
    ),
    "export": ("Exported", "Saved", "Withheld"),
    "forget": ("Forgotten",),
    "frame_view": ("FrameDetail", "FrameRow"),
    "frames": ("Closed",),
    "log": ("Refusal",),
    "log_copy": ("LogCopy",),
    "logged": ("LoggedEvent",),
    "quarantine": ("Kept",),
    "receipts": ("FrameSums", "StreamStatus", "Unapplied"),
    "replay": ("Difference", "Replayed"),
    "rebuild": ("Lost", "Step", "Told"),
    "recover": ("Recovered",),
    "sequencer": ("Drained",),
    "status": ("DocumentStatus", "OpenFrame", "Status"),
    "store": ("Store",),
    "verify": ("Fault",),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Absorbed",
    "Appended",
    "Closed",
    "Collected",
    "DeltaRejected",
    "Difference",
    "DocumentRefused",
    "DocumentStatus",
    "DocumentUnknown",
    "Drained",
    "DriverMissing",
    "Edit",
    "EditRefused",
    "Exported",
    "Fault",
    "Forgotten",
    "FrameDetail",
    "FrameNotShown",
    "FramePassed",
    "FrameRow",
    "FrameSums",
    "GoodneighborError",
    "Kept",
    "LockLost",
    "LogConflict",
    "LogCopy",
    "LoggedEvent",
    "Lost",
    "NotAStore",
    "NoteWaits",
    "OpenFrame",
    "Recovered",
    "Refusal",
    "Refused",
    "Replayed",
    "RulesInvalid",
    "Saved",
    "Status",
    "Step",
    "Store",
    "StoreAway",
    "StoreBusy",
    "StoreDamaged",
    "StoreExists",
    "StoreMissing",
    "StoreOnNetwork",
    "StoreTooNew",
    "StoreUnwritable",
    "StreamStatus",
    "TakenIn",
    "Told",
    "Unapplied",
    "Withheld",
]


def __getattr__(name: str) -> object:
    if name not in _MODULE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULE[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
