"""One stream of a run: its worktree, its command, its deltas, its one status.

    waiting -- launch --> running -- its tree has ended --> settling --> over
                  `--- it cannot start ------------------------^     (counted once, swept)

The fact not to miss: the order of the end. All its processes are gone before its deltas are
collected, its deltas are in the log before it is judged, it is judged before its worktree goes; so
a kill anywhere leaves something that the next sweep brings to the same end.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..kernel.errors import GoodneighborError
from ..store import Store, StoreBusy
from ..store.step import reached
from . import worktree_add, worktree_deltas, worktree_remove
from .errors import GitFailed, GuardRefused
from .gather import Gathered, Look, gather_changed
from .guard_hooks import program
from .keeper import KEEPER_DIED, Keeper, Order
from .lease import LEASE_VARIABLE, Lease
from .place import Place
from .process import NOT_FOUND, NOT_RUNNABLE
from .run_plan import StreamPlan
from .tree_life import Limits
from .worktree import Worktree
from .worktree_settings import Settings

WAITING, RUNNING, ENDING = "waiting", "running", "ending"
SETTLING, OVER = "settling", "over"
SETTLE_TRIES_MAX = 60  # each as long as the store's lock is waited for
# What would send a stream's git elsewhere than to its worktree (git rev-parse --local-env-vars).
GIT_PLACES = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_DIR", "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_NO_REPLACE_OBJECTS", "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX", "GIT_REPLACE_REF_BASE", "GIT_SHALLOW_FILE", "GIT_WORK_TREE",
)  # fmt: skip


@dataclass(frozen=True)
class Hands:
    """What the streams of a frame have in common."""

    where: Place
    store: Store
    settings: Settings
    lease: Lease
    frame: int
    start: str  # the commit that the worktrees begin at
    limits: Limits
    logs: Path
    lines: bool  # whether somebody looks at each last line
    gathered: Gathered = field(default_factory=Gathered)  # of all streams
    seen: set[Look] = field(default_factory=set)  # delta files of the main tree


@dataclass
class RunStream:
    """A stream, from before its start until after its end."""

    plan: StreamPlan
    state: str = WAITING
    reason: str = ""  # of its fallback; "" once it is over: it reported
    said: str = ""  # why it could not start, or what it said last
    started_s: float | None = None
    ended_s: float | None = None
    keeper: Keeper | None = None
    worktree: Worktree | None = None
    rescued: list[str] = field(default_factory=list)
    tries: int = 0  # to settle

    @property
    def name(self) -> str:
        return self.plan.name

    @property
    def code(self) -> int | None:
        """The exit code of its command, or minus a signal; None where there was none."""
        return None if self.keeper is None else self.keeper.told.code

    @property
    def has_failed_to_start(self) -> bool:
        return self.state == OVER and (
            self.keeper is None or self.code in (NOT_FOUND, NOT_RUNNABLE)
        )

    def launch(self, hands: Hands, now_s: float) -> None:
        """Make its worktree and start its command; what goes wrong is its fallback."""
        try:
            self._launch(hands)
        except (GoodneighborError, OSError) as error:
            self.said = str(error)
            self.ended_s = now_s
            self.state = SETTLING

    def _launch(self, hands: Hands) -> None:
        added = worktree_add.add(
            hands.where, self.name, hands.frame, hands.start, hands.settings, lease=hands.lease
        )
        self.worktree = added.worktree
        reached("run: worktree made")
        order = Order(
            self.name,
            self.plan.command,
            added.worktree.path,
            environment(os.environ, hands, added.worktree),
            hands.logs / f"{self.name}.log",
            hands.limits,
            hands.lines,
        )
        self.keeper = Keeper(order)
        self.state = RUNNING
        reached("run: keeper started")

    def hear(self, now_s: float) -> None:
        """Take in what the keeper tells; with its tree, the stream ends."""
        assert self.keeper is not None
        self.keeper.read()
        self.started_s = self.keeper.told.started_s
        if self.keeper.has_ended:
            self.keeper.close()
            self.said = (self.keeper.told.errors or [self.keeper.told.line])[-1]
            self.ended_s = now_s
            self.state = SETTLING
            reached("run: tree ended")

    def end(self, *, at_once: bool) -> None:
        """Ask a running stream to end; one that waits is over before it began."""
        if self.state == WAITING:
            self.state = SETTLING
        elif self.keeper is not None and self.state in (RUNNING, ENDING):
            self.state = ENDING
            if at_once:
                self.keeper.kill()
            else:
                self.keeper.end()

    def settle(self, hands: Hands) -> None:
        """Collect, judge and sweep a stream whose processes are gone.

        While another holds the store it stays as it is, to be settled again.

        Raises:
            StoreBusy: that took too long.
        """
        self.tries += 1
        try:
            self._judge(hands)
        except StoreBusy:
            if self.tries >= SETTLE_TRIES_MAX:
                raise
            return
        self.state = OVER
        if self.worktree is not None:
            self._remove(hands, self.worktree)
        reached("run: stream swept")

    def _judge(self, hands: Hands) -> None:
        """Take in all that it left, and give it its one status."""
        if self.worktree is not None:
            self._collect(hands, self.worktree)
        gather_changed(hands.where, hands.store, hands.seen, hands.gathered)
        reached("run: deltas collected")
        hands.gathered.add(hands.store.drain())
        if self.name.lower() in map(str.lower, hands.store.missing(hands.frame)):
            self.reason = self._reason()
            hands.store.fall_back(hands.frame, self.name, self.reason, self._known())
            hands.store.drain()
            reached("run: fallback kept")

    def _collect(self, hands: Hands, made: Worktree) -> None:
        """Take its delta files in; what cannot be read there stays, and is rescued."""
        try:
            collected = worktree_deltas.collect(hands.where, made)
        except (GitFailed, OSError) as error:
            self.said = str(error)
            return
        if collected is not None:
            hands.gathered.add(collected)

    def _reason(self) -> str:
        told = None if self.keeper is None else self.keeper.told
        if told is None:
            return "crashed" if self.said else "missing"
        if told.cause == "timeout":
            return "timeout"
        return "silent" if told.code == 0 and told.cause != KEEPER_DIED else "crashed"

    def _known(self) -> dict[str, object]:
        """Return what the fallback says beside its reason."""
        if self.keeper is None:
            return {"said": self.said.splitlines()} if self.said else {}
        told = self.keeper.told
        return {"exit_code": told.code, "ended_by": told.cause, "stderr": told.errors}

    def _remove(self, hands: Hands, made: Worktree) -> None:
        """Take its worktree away; one that must stay is named, and the run goes on."""
        try:
            self.rescued += worktree_remove.remove(hands.where, made, is_dead=True).rescued
        except (GoodneighborError, OSError) as error:
            self.said = str(error)


def environment(outer: Mapping[str, str], hands: Hands, made: Worktree) -> dict[str, str]:
    """Return what a stream's command finds in its environment, `neighbor` on its PATH included."""
    inner = {name: value for name, value in outer.items() if name not in GIT_PLACES}
    try:
        folder = os.path.dirname(program())
    except GuardRefused:  # it runs without being installed as a program
        folder = os.path.dirname(sys.executable)
    path = outer.get("PATH", os.defpath)
    if folder not in path.split(os.pathsep):
        inner["PATH"] = f"{path}{os.pathsep}{folder}"
    return inner | {
        "NEIGHBOR_FRAME": str(made.frame),
        "NEIGHBOR_STREAM": made.stream,
        "NEIGHBOR_WORKTREE": str(made.path),
        "NEIGHBOR_DELTAS": str(made.deltas),
        LEASE_VARIABLE: hands.lease.nonce,
    }
