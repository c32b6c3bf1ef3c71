"""A store on a server: late commits, a server that is away, many hosts, a newer schema."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from goodneighbor.store import (
    NoteWaits,
    Store,
    StoreAway,
    StoreBusy,
    StoreTooNew,
    sequencer,
)
from goodneighbor.store.postgresql import PostgresqlCursor
from goodneighbor.store.segment import Note, header, nonce_of
from goodneighbor.store.server import connect
from goodneighbor.store.step import watch

from .. import fleet, postgres
from .host import APPENDS, FRAMES
from .raw import raw, url_of
from .turns import BATCH, BATCHES, TURN, Turns, fill, lengths

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def engine() -> str:
    return "postgresql"


class Killed(Exception):
    pass


@pytest.fixture
def joined(store: Store, tmp_path: Path) -> Iterator[Store]:
    """A second host's part of the store, with a folder of its own."""
    other = Store.join(tmp_path / "other" / "goodneighbor", url_of(store))
    yield other
    other.close()


def kept(store: Store) -> list[Path]:
    return list((store.folder / "mailbox").iterdir())


def test_a_server_that_is_away_keeps_notes_here_and_they_count_once(tmp_path: Path) -> None:
    with postgres.Server() as server:
        store = Store.create(
            tmp_path / "goodneighbor", fleet.RULES, fleet.BASE, url=server.new_store()
        )
        store.append(fleet.delta(1, "s1", fleet.post(1, "ada")))
        server.stop()
        for number in (2, 3):
            with pytest.raises(NoteWaits) as waits:
                store.append(fleet.delta(1, f"s{number}", fleet.post(number, "ada")))
            assert "Do not send it again" in str(waits.value)
        with pytest.raises(StoreAway):
            store.close_frame(1)
        assert len(kept(store)) == 2
        server.start()
        store.append(fleet.delta(1, "s4", fleet.post(4, "ada")))
        assert kept(store) == []
        drained = store.drain()
        assert (drained.events, drained.copies) == (4, 0)
        assert store.verify() == []
        store.close()


def test_rows_may_be_given_up_when_the_server_is_gone(store: Store) -> None:
    """The next statement says so; the rows are given up wherever the last name of them ends."""
    with closing(connect(url_of(store))) as opened, closing(connect(url_of(store))) as other:
        cursor = PostgresqlCursor(opened)
        cursor.execute("BEGIN")
        rows = cursor.scan("SELECT generate_series(1, 1000)")
        assert next(rows) == (1,)
        other.execute("SELECT pg_terminate_backend(%s, 10000)", [opened.info.backend_pid])
        del rows
        with pytest.raises(psycopg.OperationalError):
            cursor.execute("SELECT 1")


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("drained_between", [False, True])
def test_a_note_whose_commit_was_not_heard_of_counts_once(
    store: Store, killed: bool, drained_between: bool
) -> None:
    """The same segment lies on the server, or in the log already, and is sent again."""
    segment, offset = store.writer().append(_note(store))
    with raw(store) as cursor:
        row = cursor.execute("SELECT bytes FROM note").fetchone()
    if drained_between:
        store.drain()
    _keep_again(store, segment, offset, row[0])

    def die(reached: str) -> None:
        if killed and reached == "send: segment committed":
            raise Killed

    watch(die)
    try:
        if killed:
            with pytest.raises(Killed):
                store.drain()
    finally:
        watch(None)
    drained = store.drain()
    assert drained.copies == 0
    assert drained.events == (0 if drained_between else 1)
    assert kept(store) == []
    assert store.status().copies == 0


def _note(store: Store) -> Note:
    return Note(
        fleet.delta(1, "s1", fleet.post(1, "ada")), received_us=store.clock.tick(), source="test"
    )


def _keep_again(store: Store, segment: str, offset: int, data: bytes) -> None:
    nonce = nonce_of(segment)
    assert nonce is not None
    head = header(nonce)
    assert offset == len(head)
    (store.folder / "mailbox" / segment).write_bytes(head + data)


def test_two_hosts_write_close_and_export_at_once(
    store: Store, joined: Store, tmp_path: Path
) -> None:
    """All frames fold, both trees hold the same bytes, no number is lost or given twice."""
    trees = [tmp_path / "tree-a", tmp_path / "tree-b"]
    for tree in trees:
        tree.mkdir()
    with _host(store, trees[0], "a") as one, _host(joined, trees[1], "b") as other:
        for process in (one, other):
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in (one, other):
            assert process.stdin is not None
            process.stdin.close()
    assert (one.returncode, other.returncode) == (0, 0)
    store.close_frame(FRAMES + 1)
    for host, tree in zip((store, joined), trees, strict=True):
        host.export(tree)
    files = [
        {str(p.relative_to(tree)): p.read_bytes() for p in tree.rglob("*.json")} for tree in trees
    ]
    assert files[0] == files[1] != {}
    status = store.status()
    assert status.quarantined == 0
    with raw(store) as cursor:
        cursor.execute("SELECT position FROM event ORDER BY position")
        assert [row[0] for row in cursor] == list(range(1, status.events + 1))
        row = cursor.execute("SELECT count(*) FROM event WHERE kind = 'delta'").fetchone()
    assert row[0] == len(trees) * FRAMES * APPENDS
    assert joined.verify() == []


def test_a_note_that_waits_on_the_server_is_counted_and_damage_to_it_placed(
    store: Store,
) -> None:
    assert store.status().waiting == 0
    for stream in ("s1", "s2"):
        store.append(fleet.delta(1, stream))
    with raw(store) as cursor:
        size, bytes_ = cursor.execute("SELECT sum(size), max(bytes) FROM note").fetchone()
        assert store.status().waiting == size > 0
        assert store.verify() == []
        spoilt = bytes_[:-1] + bytes([bytes_[-1] ^ 1])
        cursor.execute("UPDATE note SET bytes = ? WHERE bytes = ?", (spoilt, bytes_))
    (fault,) = store.verify()
    assert fault.next == "neighbor drain"
    assert fault.place.startswith("mailbox/")
    drained = store.drain()
    assert (drained.events, [each.reason for each in drained.quarantined]) == (1, ["damaged note"])
    assert store.verify() == []
    assert store.status().waiting == 0


def _host(store: Store, tree: Path, name: str) -> "subprocess.Popen[str]":
    words = [sys.executable, "-m", "tests.store.host", str(store.folder), str(tree), name]
    pipe = subprocess.PIPE
    return subprocess.Popen(words, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)


def test_another_hosts_writer_is_waited_for_and_named(store: Store, joined: Store) -> None:
    patient = Store.open(joined.folder, wait_s=0.1)
    with store._writing("frame close"), pytest.raises(StoreBusy) as busy:
        patient.drain()
    assert "frame close" in str(busy.value)
    patient.close()


def test_two_hosts_that_close_over_a_large_backlog_take_turns(
    store: Store, joined: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequencer, "BATCH_NOTES", BATCH)
    monkeypatch.setattr(sequencer, "TURN_BATCHES", TURN)
    fill(store)
    with raw(store) as cursor:

        def is_awaited() -> bool:
            row = cursor.execute(
                "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            ).fetchone()
            return row is not None

        turns = Turns(store, joined, is_awaited=is_awaited)
        turns.play(lambda one: one.close_frame(1), lambda other: other.close_frame(1))
    assert lengths(turns.batches) == [TURN] * (BATCHES // TURN)
    assert joined.verify() == []


def test_a_late_commit_is_met_by_the_next_drain(store: Store) -> None:
    """A number given early and committed late: the sequencer passes it by, and comes back."""
    store.writer().append(_note(store))
    with connect(url_of(store)) as slow:
        slow.execute(b"BEGIN")
        moved = slow.execute(
            b'DELETE FROM note RETURNING segment, "offset", size, bytes'
        ).fetchone()
        assert moved is not None
        slow.execute(b"COMMIT")
        slow.execute(b"BEGIN")
        slow.execute(
            b'INSERT INTO note (segment, "offset", size, bytes) VALUES (%s, %s, %s, %s)', moved
        )
        store.append(fleet.delta(1, "s2", fleet.post(2, "bob")))
        assert store.drain().events == 1
        slow.execute(b"COMMIT")
    assert store.drain().events == 1


def test_a_newer_store_is_refused_and_an_older_one_is_migrated(
    make_store: Callable[..., Store],
) -> None:
    store = make_store()
    store.append(fleet.delta(1, "s1", fleet.post(1, "ada")))
    store.close_frame(1)
    digest = store.state_digest()
    store.close()
    with raw(store) as cursor:
        row = cursor.execute("SELECT version_num FROM alembic_version").fetchone()
        cursor.execute("UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(StoreTooNew) as refused:
            store.status()
        assert "9999" in str(refused.value)
        cursor.execute("UPDATE alembic_version SET version_num = ?", (row[0],))
    for revision in [f"{number:04d}" for number in range(int(row[0]) - 1, 0, -1)]:
        postgres.migrate(url_of(store), revision)
        assert store.state_digest() == digest  # forth again, by the first call that reads
        assert store.verify() == []
