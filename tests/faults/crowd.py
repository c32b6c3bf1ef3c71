"""Many processes on one store: each appends as fast as it can, while others drain and close.

    all are ready behind a gate -> it opens -> append, drain, close -> it shuts -> judge

Only what happens while the gate is open is compared: a process has made its way into the mailbox
before. It counts what `append` acknowledged, in memory that the parent reads.
`python -m tests.faults.crowd postgresql --seconds 180`
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import NamedTuple

from goodneighbor.store import FramePassed, Store, lock, log, server_mailbox
from goodneighbor.store.postgresql import PostgresqlSession

from .. import fleet, postgres
from . import processes
from .breakage import swapped
from .journal import Journal, lines
from .starting_gate import Gate

WRITERS, CLERKS = 24, 2
DRAINS_EACH_FRAME = 5
FEWEST = 100  # appends of each at least: with fewer their ratio is chance
RATIO_MAX = 3.0
POSTS_EACH = 10**9  # numbers that one process may give to its posts
LOCK_WAIT_S = HANG_S = 300.0
_LOOK_S = 0.05


class Crowd(NamedTuple):
    """A store, and the gate before it."""

    folder: Path
    gate: Gate
    seconds: float

    def open(self) -> Store:
        """Open the store in a process of its own, which is ended if it hangs."""
        signal.setitimer(signal.ITIMER_REAL, self.seconds + HANG_S)
        return Store.open(self.folder, wait_s=LOCK_WAIT_S)


def write(crowd: Crowd, number: int) -> None:
    """Append until the gate shuts; the first one, before it opens, is not counted."""
    gate = crowd.gate
    with crowd.open() as store:
        store.append(_delta(gate.frame, number, 0))
        gate.wait()
        for sent in range(1, POSTS_EACH):
            if gate.is_shut:
                return
            store.append(_delta(gate.frame, number, sent))
            gate.count(number)


def keep_books(crowd: Crowd) -> None:
    """Drain and close until the gate shuts, and see that a reader meets no hole."""
    gate = crowd.gate
    with crowd.open() as store:
        store.drain()
        gate.wait()
        while not gate.is_shut:
            for _ in range(DRAINS_EACH_FRAME):
                store.drain()
            try:
                store.close_frame(gate.next_frame())
            except FramePassed:
                continue  # the other clerk was faster
            events, last = _positions(store)
            assert events == last, f"a reader saw {events} events and position {last}"


def play(folder: Path, url: str | None, seconds: float, clerks: int) -> tuple[list[int], list[str]]:
    """Let the crowd in; return how much each process appended, and what broke."""
    place, said = folder / "goodneighbor", folder / "said"
    Store.create(place, fleet.RULES, fleet.BASE, url=url).close()
    crowd = Crowd(place, Gate(WRITERS + clerks), seconds)
    roles = [partial(write, crowd, number) for number in range(WRITERS)]
    roles += [partial(keep_books, crowd) for _ in range(clerks)]
    with closing(Journal(said, "crowd")) as journal:
        running = [processes.start(role, journal) for role in roles]
    crowd.gate.open()
    begin = time.monotonic()
    while not lines(said) and (
        time.monotonic() - begin < seconds or min(crowd.gate.counts[:WRITERS]) < FEWEST
    ):
        time.sleep(_LOOK_S)  # the window itself: it ends by the clock
    crowd.gate.shut()
    statuses = [processes.end(process) for process in running]
    counts = crowd.gate.counts[:WRITERS]
    problems = [line.words[0] for line in lines(said, "raised")]
    problems += [f"a process ended with {status}" for status in statuses if status]
    return counts, problems or judge(place, crowd.gate.frame, counts)


def judge(place: Path, frame: int, counts: list[int]) -> list[str]:
    """Say what is not as many appends leave it, each exactly once."""
    with Store.open(place, wait_s=LOCK_WAIT_S) as store:
        store.close_frame(frame + 1)
        status = store.status()
        events, last = _positions(store)
        with store._reading() as cursor:
            cursor.execute(
                "SELECT stream, count(*) FROM event WHERE kind = 'delta' GROUP BY stream"
            )
            found = Counter({stream: int(count) for stream, count in cursor})
        sent = Counter({f"w{number}": 1 + count for number, count in enumerate(counts)})
        stats = store.entity("stats", b"")
        folded = 0 if stats is None else json.loads(stats)["total_posts"]
        problems = [
            *(f"{each}: lost {count}" for each, count in (sent - found).items()),
            *(f"{each}: {count} too many" for each, count in (found - sent).items()),
            *([f"{status.copies} doubled"] if status.copies else []),
            *([f"{status.quarantined} in quarantine"] if status.quarantined else []),
            *([f"holes: {events} events, position {last}"] if events != last else []),
            *([] if folded == sent.total() else [f"{folded} of {sent.total()} folded"]),
            *(f"{fault.place}: {fault.what}" for fault in store.verify()),
        ]
    return problems + starved(counts)


def starved(counts: list[int]) -> list[str]:
    """Say so when one process appended far more than another."""
    if max(counts) <= RATIO_MAX * min(counts):
        return []
    return [f"starved: the fewest {min(counts)}, the most {max(counts)}"]


def _delta(frame: int, number: int, sent: int) -> bytes:
    return fleet.delta(frame, f"w{number}", fleet.post(number * POSTS_EACH + sent, "ada"))


def _positions(store: Store) -> tuple[int, int]:
    with store._reading() as cursor:
        row = cursor.execute("SELECT count(*), max(position) FROM event").fetchone()
    return int(row[0]), int(row[1])


def offsets_forgotten() -> AbstractContextManager[None]:
    """No drain notes how far it has read."""
    return swapped(log, "put_offsets", lambda cursor, taken: None)


def late_commits_dropped() -> AbstractContextManager[None]:
    """A drain takes all notes out, also those committed since it read."""
    return swapped(server_mailbox, "drop", lambda cursor, taken: cursor.execute("DELETE FROM note"))


class OwnName:
    """The name of a file that no other process has."""

    def __fspath__(self) -> str:
        return f"lock-{os.getpid()}"


def everyone_a_lock() -> AbstractContextManager[None]:
    """Each process locks a file of its own."""
    return swapped(lock, "LOCK_FILE", OwnName())


@contextmanager
def no_lock_on_the_server() -> Iterator[None]:
    """Each process locks a file of its own, and nobody the server."""

    def begin(session: PostgresqlSession) -> None:
        session.connection.execute(b"BEGIN")

    with (
        everyone_a_lock(),
        swapped(PostgresqlSession, "_take_lock", lambda session, lock: None),
        swapped(PostgresqlSession, "begin", begin),
        swapped(PostgresqlSession, "check", lambda session: None),
    ):
        yield


CONTROLS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "offsets": offsets_forgotten,
    "late-commits": late_commits_dropped,
    "lock": everyone_a_lock,
    "server-lock": no_lock_on_the_server,
}


def main() -> int:
    """Let a crowd at one engine, print the figures, and exit 1 when something broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.crowd")
    parser.add_argument("engine", choices=("sqlite", "postgresql"))
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--clerks", type=int, default=CLERKS)
    parser.add_argument("--broken", choices=sorted(CONTROLS), help="the control, to be caught")
    asked = parser.parse_args()
    broken = CONTROLS[asked.broken]() if asked.broken else nullcontext()
    server = postgres.Server(durable=True) if asked.engine == "postgresql" else nullcontext()
    with server as running, broken, tempfile.TemporaryDirectory() as folder:
        url = None if running is None else running.new_store()
        counts, problems = play(Path(folder), url, asked.seconds, asked.clerks)
    print(
        f"{asked.engine}: {WRITERS} processes appended {sum(counts)} in {asked.seconds:g} s,"
        f" the fewest {min(counts)}, the most {max(counts)},"
        f" 1:{max(counts) / max(1, min(counts)):.2f}"
    )
    print("\n".join(problems[:20]) or "no error, no hole, no duplicate; verify is clean")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
