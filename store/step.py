"""Named steps of every write path, for the harness that kills a process at each of them.

In production nobody watches, and a step costs one comparison. A harness in the same process
sets an observer with `watch`, and kills, fails or counts there.
"""

TYPE_CHECKING = False  # typing costs more than this module; type checkers take the name for true
if TYPE_CHECKING:
    from collections.abc import Callable

STEPS = (
    "create: rows inserted",
    "create: committed",
    "append: segment made",
    "append: note written",
    "append: note flushed",
    "append: folder flushed",
    "absorb: note kept",
    "open: rows inserted",
    "open: committed",
    "known: rows inserted",
    "known: committed",
    "drain: rows inserted",
    "drain: committed",
    "collect: rows inserted",
    "collect: committed",
    "forget: rows inserted",
    "forget: committed",
    "keep: rows inserted",
    "keep: committed",
    "retry: rows inserted",
    "retry: committed",
    "close: events written",
    "close: frame folded",
    "close: rows inserted",
    "close: committed",
    "export intents: rows inserted",
    "export intents: committed",
    "export: file written beside",
    "export: file renamed",
    "export: file replaced",
    "export results: rows inserted",
    "export results: committed",
    "recover: set aside",
    "recover: rows inserted",
    "recover: committed",
    "recover: about to be replaced",
    "retire: segments deleted",
    "retire: rows inserted",
    "retire: committed",
    "replay: rows inserted",
    "replay: committed",
    "checkpoint: done",
)

# Those of a store on a server alone.
SERVER_STEPS = (
    "append: note sent",
    "append: note committed",
    "append: note kept here",
    "send: segment committed",
)

_observer: "Callable[[str], None] | None" = None


def reached(name: str) -> None:
    """Say that a step of a write path is behind us."""
    if _observer is not None:
        _observer(name)


def watch(observer: "Callable[[str], None] | None") -> None:
    """Let `observer` see every step reached from now on; None ends it."""
    global _observer
    _observer = observer
