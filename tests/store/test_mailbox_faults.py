"""A write that fails, a kill and a power cut take nothing that was acknowledged."""

import errno
import os
import signal
from pathlib import Path

import pytest
from goodneighbor.store import Store
from goodneighbor.store.errors import StoreUnwritable
from goodneighbor.store.mailbox import Torn, read, sizes
from goodneighbor.store.step import STEPS
from goodneighbor.store.writer import Writer

from .. import fleet
from .disks import FailingDisk, ForgettingDisk, ShortDisk
from .test_mailbox import in_process, note, numbers


@pytest.mark.parametrize("share", [0.0, 0.05, 0.3, 0.5, 0.99, 1.0])
def test_a_kill_in_mid_write_loses_nothing_acknowledged(tmp_path: Path, share: float) -> None:
    code = """if True:
        import sys
        from tests.store.disks import KillingDisk
        from tests.store.test_mailbox import Writer, note
        writer = Writer(sys.argv[1], disk=KillingDisk(at=6, share=float(sys.argv[2])))
        for number in range(100):
            writer.append(note(number))
            print(number, flush=True)
    """
    done = in_process(code, tmp_path, share)
    assert done.returncode == -signal.SIGKILL
    acknowledged = [int(line) for line in done.stdout.split()]
    assert acknowledged == list(range(5))
    assert numbers(tmp_path) == acknowledged + ([5] if share == 1.0 else [])
    torn = [each for each in read(str(tmp_path), {}) if isinstance(each, Torn)]
    assert len(torn) == (0.0 < share < 1.0)


@pytest.mark.parametrize("name", [name for name in STEPS if name.startswith("append: ")])
@pytest.mark.parametrize("at", [1, 3])
def test_a_kill_at_any_step_loses_nothing_acknowledged(tmp_path: Path, name: str, at: int) -> None:
    code = """if True:
        import os, signal, sys
        from goodneighbor.store import step
        from tests.store.test_mailbox import Writer, note
        left = int(sys.argv[3])
        def kill(name):
            global left
            left -= name == sys.argv[2]
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        step.watch(kill)
        writer = Writer(sys.argv[1], segment_size_max=200)
        for number in range(100):
            writer.append(note(number))
            print(number, flush=True)
    """
    done = in_process(code, tmp_path, name, at)
    assert done.returncode == -signal.SIGKILL
    acknowledged = [int(line) for line in done.stdout.split()]
    there = numbers(tmp_path)
    assert there in (acknowledged, [*acknowledged, len(acknowledged)])
    with Writer(str(tmp_path)) as writer:
        writer.append(note(1000))
    assert sorted(numbers(tmp_path)) == [*there, 1000]


def power_cut(folder: Path, disk: ForgettingDisk) -> tuple[list[int], list[int]]:
    """Append, cut the power, read; return what was acknowledged and what is there."""
    acknowledged = []
    with Writer(str(folder), disk=disk, segment_size_max=300) as writer:
        for number in range(20):
            writer.append(note(number))
            acknowledged.append(number)
    disk.cut_power()
    return acknowledged, numbers(folder)


def test_a_power_cut_takes_nothing_acknowledged(tmp_path: Path) -> None:
    acknowledged, there = power_cut(tmp_path, ForgettingDisk())
    assert there == acknowledged


def test_without_the_flush_a_power_cut_would_take_it(tmp_path: Path) -> None:
    """The control: the harness above sees what the flush is for."""
    acknowledged, there = power_cut(tmp_path, ForgettingDisk(lies=True))
    assert len(there) < len(acknowledged)


def test_what_was_read_before_a_power_cut_took_it_stays_an_event(store: Store) -> None:
    """A writer died between write and flush: its note was read, and then the power went."""
    mailbox = str(store.folder / "mailbox")
    disk = ForgettingDisk(lies=True)
    with Store.open(store.folder, disk=disk) as other:
        other.append(fleet.delta(1, "s1", fleet.post(1, "ada")))
        assert store.drain().events == 1
    disk.cut_power()
    assert list(sizes(mailbox).values()) == [0]
    assert store.drain() == (0, 0, [])
    assert store.verify() == [], "the log holds it: nothing is wrong, and a drain puts it right"
    assert store.close_frame(1).folded[0].applied == 1


def test_a_living_writers_segment_is_not_put_right(store: Store) -> None:
    with store:
        store.append(fleet.delta(1, "s1"))
        store.drain()
        (segment,) = (store.folder / "mailbox").iterdir()
        whole = segment.read_bytes()
        os.truncate(segment, 10)
        store.drain()
        assert [fault.place for fault in store.verify()] == [f"mailbox/{segment.name}"]
        segment.write_bytes(whole)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize("taken", [0, 1, 16, 40])
def test_a_refused_write_keeps_nothing_and_the_writer_goes_on(
    tmp_path: Path, error: int, taken: int
) -> None:
    disk = FailingDisk("write", at=3, error=error, taken=taken)
    with Writer(str(tmp_path), disk=disk) as writer:
        writer.append(note(1))
        writer.append(note(2))
        with pytest.raises(StoreUnwritable) as caught:
            writer.append(note(3))
        assert (caught.value.outcome, caught.value.errno) == ("not kept", error)
        writer.append(note(4))
    assert sorted(numbers(tmp_path)) == [1, 2, 4]
    assert list(read(str(tmp_path), sizes(str(tmp_path)))) == []


def test_after_a_refused_write_the_segment_is_never_written_again(tmp_path: Path) -> None:
    """A reader may have passed the place: what were written there then, nobody would read."""
    disk = FailingDisk("write", at=2, taken=1000)
    with Writer(str(tmp_path), disk=disk) as writer:
        segment, _ = writer.append(note(1))
        size = (tmp_path / segment).stat().st_size
        with pytest.raises(StoreUnwritable) as caught:
            writer.append_many([note(number) for number in range(100, 130)])
        assert caught.value.outcome == "unknown"
        assert (tmp_path / segment).stat().st_size == size
        other, _ = writer.append(note(2))
    assert other != segment
    assert numbers(tmp_path) == [1, 2]


def test_half_a_note_that_cannot_be_cut_off_is_never_taken_for_one(tmp_path: Path) -> None:
    class StuckDisk(FailingDisk):
        __slots__ = ()

        def truncate(self, descriptor: int, size: int) -> None:
            raise OSError(errno.EIO, "stuck")

    with Writer(str(tmp_path), disk=StuckDisk("write", at=2, taken=30)) as writer:
        writer.append(note(1))
        with pytest.raises(StoreUnwritable):
            writer.append(note(2))
        writer.append(note(3))
    assert numbers(tmp_path) == [1, 3]
    (torn,) = [each for each in read(str(tmp_path), {}) if isinstance(each, Torn)]
    assert torn.end - torn.offset == 30


@pytest.mark.parametrize("operation", ["flush", "flush_folder"])
def test_a_failed_flush_poisons_the_writer(tmp_path: Path, operation: str) -> None:
    """The system may have thrown the pages away, and a second flush would report success."""
    disk = FailingDisk(operation, at=1, error=errno.EIO)
    with Writer(str(tmp_path), disk=disk) as writer:
        with pytest.raises(StoreUnwritable) as caught:
            writer.append(note(1))
        assert caught.value.outcome == "unknown"
        for _ in range(2):
            with pytest.raises(StoreUnwritable) as again:
                writer.append(note(2))
            assert again.value.outcome == "not kept"
    assert numbers(tmp_path) == []
    with Writer(str(tmp_path)) as fresh:
        fresh.append(note(3))
    assert numbers(tmp_path) == [3]


def test_a_short_write_is_gone_on_with(tmp_path: Path) -> None:
    with Writer(str(tmp_path), disk=ShortDisk(7)) as writer:
        writer.append_many([note(number) for number in range(5)])
    assert numbers(tmp_path) == list(range(5))


def test_a_file_size_limit_is_said_and_what_was_kept_stays(tmp_path: Path) -> None:
    """The system's own refusal, in a real process: no write past 400 bytes of a file."""
    code = """if True:
        import resource, sys
        from goodneighbor.store.errors import StoreUnwritable
        from tests.store.test_mailbox import Writer, note
        resource.setrlimit(resource.RLIMIT_FSIZE, (400, 400))
        writer = Writer(sys.argv[1])
        for number in range(50):
            try:
                writer.append(note(number))
                print(number)
            except StoreUnwritable as error:
                print(error.outcome, file=sys.stderr)
    """
    done = in_process(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert set(done.stderr.split("\n")) == {"not kept", ""}
    assert numbers(tmp_path) == [int(line) for line in done.stdout.split()]
    assert max(sizes(str(tmp_path)).values()) <= 400
