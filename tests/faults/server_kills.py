"""Kills a PostgreSQL server in the midst of its commits, and looks whether a promise broke.

    writers append, a clerk drains and closes -> the server DIES -> it starts again -> judge

It dies as in a crash: every session at once, what it holds in memory gone. A note is
acknowledged when `append` returned, or said that it is kept here; a close when it returned. Most
kills cut commits off whose writers never hear of them: those notes lie on both sides, and count
once. `python -m tests.faults.server_kills --kills 40` prints the seed.
"""

import argparse
import os
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from functools import partial
from itertools import count
from pathlib import Path
from random import Random
from typing import NamedTuple

from goodneighbor.store import (
    FramePassed,
    NoteWaits,
    Store,
    StoreAway,
    server,
    server_mailbox,
)
from goodneighbor.store.server import psycopg
from goodneighbor.store.server_mailbox import Posted

from .. import fleet, postgres
from . import processes
from .breakage import swapped
from .journal import Journal, lines
from .starting_gate import Gate

WRITERS = 4
APPENDS = (20, 200)  # acknowledged in a round when the server dies: so many, or up to so many
_LOOK_S = 0.002
# Left to itself the server answers a commit long before it writes it; our sessions overrule that.
HASTY = ("synchronous_commit=off", "wal_writer_delay=10s")


class Tally(NamedTuple):
    """A run: what was acknowledged, and what the kills met."""

    met: Counter[str]
    problems: list[str]


def write(place: Path, gate: Gate, number: int, turn: int, journal: Journal) -> None:
    """Append until the server is gone."""
    try:
        with Store.open(place) as store:
            gate.wait()
            for sent in count():
                stream = f"w{number}-{turn}-{sent}"
                journal.say("sent", stream)
                try:
                    store.append(fleet.delta(turn, stream, fleet.post(_number(stream), "ada")))
                except NoteWaits:
                    journal.say("kept here", stream)
                    return
                journal.say("acknowledged", stream)
                gate.count(number)
    except StoreAway:
        return


def keep_books(place: Path, gate: Gate, turn: int, journal: Journal) -> None:
    """Drain, and close frames of its own, until the server is gone."""
    try:
        with Store.open(place) as store:
            gate.wait()
            while True:
                store.drain()
                frame = gate.next_frame() + turn * 10_000
                try:
                    store.close_frame(frame)
                except FramePassed:
                    continue
                journal.say("closed", frame)
                gate.count(WRITERS)
    except StoreAway:
        return


def run(seed: str, kills: int, hasty: postgres.Server, folder: Path, broken: str = "") -> Tally:
    """Kill the server so many times; stop at the first that shows a problem."""
    place = folder / "goodneighbor"
    Store.create(place, fleet.RULES, fleet.BASE, url=hasty.new_store()).close()
    with hasty.connect() as connection:
        connection.execute(b"CHECKPOINT")  # a control may lose what comes, and not the store
    tally = Tally(Counter(), [])
    for turn in range(kills):
        said = folder / f"said-{turn}"
        low, high = APPENDS
        wanted = Random(f"{seed} {turn}").randrange(low, high)
        with BROKEN[broken]() if broken else nullcontext():
            statuses = _start(place, said, turn, hasty, wanted)
        tally.problems.extend(f"a process ended with {each}" for each in statuses if each)
        tally.problems.extend(line.words[0] for line in lines(said, "raised"))
        hasty.start()
        tally.met["kills"] += 1
        tally.problems.extend(_judge(place, folder, said, tally.met))
        if tally.problems:
            break
    return tally


def _start(place: Path, said: Path, turn: int, hasty: postgres.Server, wanted: int) -> list[int]:
    """Play a round until enough is acknowledged, and kill the server; return how all ended."""
    gate = Gate(WRITERS + 1)
    with closing(Journal(said, "round")) as journal:
        roles: list[Callable[[], None]] = [
            partial(write, place, gate, number, turn, journal) for number in range(WRITERS)
        ]
        roles.append(partial(keep_books, place, gate, turn, journal))
        running = [processes.start(role, journal) for role in roles]
    gate.open()
    while sum(gate.counts[:WRITERS]) < wanted or not gate.counts[WRITERS]:
        if lines(said, "raised"):
            break
        time.sleep(_LOOK_S)
    hasty.stop()
    return [processes.end(process) for process in running]


def _judge(place: Path, folder: Path, said: Path, met: Counter[str]) -> list[str]:
    """Say what is not as it was promised, over all rounds so far."""
    every = [line for path in sorted(folder.glob("said-*")) for line in lines(path)]
    told = {line.words[0] for line in every if line.kind in ("acknowledged", "kept here")}
    sent = {line.words[0] for line in every if line.kind == "sent"}
    with Store.open(place) as store:
        met["acknowledged"] += len(lines(said, "acknowledged"))
        met["kept here"] += len(lines(said, "kept here"))
        met["closes"] += len(lines(said, "closed"))
        met["kept here and committed there"] += _on_both_sides(place, store)
        store.drain()
        with store._reading() as cursor:
            cursor.execute(
                "SELECT stream, count(*) FROM event WHERE kind = 'delta' GROUP BY stream"
            )
            found = Counter({stream: int(times) for stream, times in cursor})
        closed = {str(row.frame) for row in store.frames() if row.state == "closed"}
        status = store.status()
        return [
            *(f"{each}: lost" for each in sorted(told - found.keys())),
            *(f"{each}: {times} times" for each, times in found.items() if times > 1),
            *(f"{each}: nobody sent it" for each in found.keys() - sent),
            *(
                f"frame {line.words[0]}: its close is lost"
                for line in every
                if line.kind == "closed" and line.words[0] not in closed
            ),
            *([f"{status.copies} doubled"] if status.copies else []),
            *([f"{status.quarantined} in quarantine"] if status.quarantined else []),
            *(f"{each} was not sent" for each in os.listdir(place / "mailbox")),
            *(f"{fault.place}: {fault.what}" for fault in store.verify()),
        ]


def _on_both_sides(place: Path, store: Store) -> int:
    """Count the segments that lie here, and whose commit the server has."""
    with store._reading() as cursor:
        cursor.execute("SELECT segment FROM note UNION SELECT name FROM segment")
        return len({row[0] for row in cursor} & set(os.listdir(place / "mailbox")))


def _number(stream: str) -> int:
    number, turn, sent = (int(each) for each in stream.removeprefix("w").split("-"))
    return (number * 10_000 + turn) * 1_000_000 + sent


def acknowledged_before_the_commit() -> AbstractContextManager[None]:
    """A note is inserted, and its transaction committed when the next one comes."""

    def put(connection: psycopg.Connection, posted: list[Posted]) -> None:
        if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            connection.execute(b"COMMIT")
        connection.execute(b"BEGIN")
        with connection.cursor() as cursor:
            cursor.executemany(
                b'INSERT INTO note (segment, "offset", size, bytes) VALUES (%s, %s, %s, %s)', posted
            )

    return swapped(server_mailbox, "put", put)


def hasty_server_believed() -> AbstractContextManager[None]:
    """Sessions leave `synchronous_commit` as the server has it."""
    return swapped(server, "_SETTINGS", "SELECT 1")


BROKEN: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "hasty server believed": hasty_server_believed,
    "acknowledged before the commit": acknowledged_before_the_commit,
}


def main() -> int:
    """Run the harness as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.server_kills")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", default="", help="wants the same numbers again; random without")
    parser.add_argument("--broken", choices=sorted(BROKEN), help="a control, to be caught")
    asked = parser.parse_args()
    seed = asked.seed or secrets.token_hex(4)
    print(f"seed {seed}", flush=True)
    hasty = postgres.Server(durable=True, settings=HASTY)
    with hasty as running, tempfile.TemporaryDirectory() as folder:
        tally = run(seed, asked.kills, running, Path(folder), asked.broken or "")
    print(", ".join(f"{times} {what}" for what, times in tally.met.items()))
    print("\n".join(tally.problems[:20]) or "nothing acknowledged is lost, nothing doubled")
    return 1 if tally.problems else 0


if __name__ == "__main__":
    sys.exit(main())
