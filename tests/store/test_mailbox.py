"""What `append` acknowledged is in the mailbox, whatever failed, and nothing else is."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from goodneighbor.store import step
from goodneighbor.store.append import append, append_many
from goodneighbor.store.clock import Clock
from goodneighbor.store.disk import DISK, Disk
from goodneighbor.store.errors import DeltaRejected, StoreUnwritable
from goodneighbor.store.mailbox import Damage, Mail, Torn, read, retire, sizes
from goodneighbor.store.segment import REJECTED, Note
from goodneighbor.store.writer import Writer

from .disks import RecordingDisk


def note(number: int) -> Note:
    return Note(b'{"n":%d}' % number, received_us=number, source="test")


def numbers(folder: Path) -> list[int]:
    """Return the numbers of all notes, and see that nothing else lies there."""
    found = [each for each in read(str(folder), {}) if not isinstance(each, Torn)]
    assert all(isinstance(each, Mail) for each in found)
    return [json.loads(each.note.body)["n"] for each in found if isinstance(each, Mail)]


def in_process(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run Python code in a real process of its own."""
    words = [sys.executable, "-c", code, *map(str, arguments)]
    root = Path(__file__).parents[2]
    return subprocess.run(words, capture_output=True, text=True, cwd=root, timeout=60, check=False)


def test_a_delta_is_kept_as_it_lies_with_what_is_known_of_its_coming(tmp_path: Path) -> None:
    raw = b'{ "x": 1 }'
    with Writer(str(tmp_path), clock=Clock(lambda: 77)) as writer:
        kept = append(writer, raw, source="collect", frame=405, stream="s1")
    (mail,) = read(str(tmp_path), {})
    assert isinstance(mail, Mail)
    assert (mail.note.body, mail.note.source) == (raw, "collect")
    assert (mail.note.frame, mail.note.stream, mail.note.received_us) == (405, "s1", 77)
    assert (len(kept.id), kept.frame, kept.stream) == (32, 405, "s1")


def test_a_refused_delta_is_kept_with_its_reason_before_the_refusal(tmp_path: Path) -> None:
    with Writer(str(tmp_path)) as writer, pytest.raises(DeltaRejected) as caught:
        append(writer, b"<<<<<<< HEAD")
    (mail,) = read(str(tmp_path), {})
    assert isinstance(mail, Mail)
    assert (mail.note.kind, mail.note.body) == (REJECTED, b"<<<<<<< HEAD")
    assert mail.note.reason == caught.value.reason


def test_of_many_deltas_the_good_are_kept_and_each_bad_one_is_named(tmp_path: Path) -> None:
    raws = [b'{"frame":1,"stream_id":"s"}', b"{", b'{"frame":2,"stream_id":"s"}']
    disk = RecordingDisk()
    with Writer(str(tmp_path), disk=disk) as writer:
        first, bad, second = append_many(writer, raws)
    assert isinstance(bad, DeltaRejected)
    assert not isinstance(first, DeltaRejected)
    assert not isinstance(second, DeltaRejected)
    assert (first.frame, second.frame) == (1, 2)
    assert [m.note.body for m in read(str(tmp_path), {}) if isinstance(m, Mail)] == raws
    assert disk.operations == ["create", "write", "flush", "flush folder"]


def test_an_append_is_one_write_and_one_flush_and_the_folder_comes_first(tmp_path: Path) -> None:
    disk = RecordingDisk()
    with Writer(str(tmp_path), disk=disk) as writer:
        assert disk.operations == []
        writer.append(note(1))
        assert disk.operations == ["create", "write", "flush", "flush folder"]
        disk.operations.clear()
        writer.append(note(2))
        writer.append_many([note(3), note(4), note(5)])
        assert disk.operations == ["write", "flush"] * 2
    assert numbers(tmp_path) == [1, 2, 3, 4, 5]


def test_reading_goes_on_where_it_ended(tmp_path: Path) -> None:
    offsets: dict[str, int] = {}
    with Writer(str(tmp_path)) as writer, Writer(str(tmp_path)) as other:
        for number in range(6):
            (writer if number % 2 else other).append(note(number))
            (mail,) = read(str(tmp_path), offsets)
            assert isinstance(mail, Mail)
            assert mail.note == note(number)
            offsets[mail.segment] = mail.end
    assert list(read(str(tmp_path), offsets)) == []
    assert offsets == sizes(str(tmp_path))


def test_nothing_is_made_before_the_first_append(tmp_path: Path) -> None:
    Writer(str(tmp_path)).close()
    assert list(tmp_path.iterdir()) == []
    assert sizes(str(tmp_path / "missing")) == {}
    assert list(read(str(tmp_path / "missing"), {})) == []


def test_a_full_segment_is_followed_by_another(tmp_path: Path) -> None:
    with Writer(str(tmp_path), segment_size_max=200) as writer:
        for number in range(20):
            writer.append(note(number))
    assert len(sizes(str(tmp_path))) > 3
    assert numbers(tmp_path) == list(range(20))


def test_two_writers_at_once_share_nothing(tmp_path: Path) -> None:
    code = """if True:
        import sys
        from tests.store.test_mailbox import Writer, note
        with Writer(sys.argv[1], segment_size_max=5000) as writer:
            for number in range(int(sys.argv[2]), int(sys.argv[3])):
                writer.append(note(number))
    """
    words = [sys.executable, "-c", code, str(tmp_path)]
    root = Path(__file__).parents[2]
    running = [
        subprocess.Popen([*words, str(first), str(first + 300)], cwd=root) for first in (0, 300)
    ]
    seen: dict[str, int] = {}
    read_so_far = []
    while any(process.poll() is None for process in running):
        for mail in read(str(tmp_path), seen):  # reading on while they write
            assert isinstance(mail, Mail)
            seen[mail.segment] = mail.end
            read_so_far.append(json.loads(mail.note.body)["n"])
    assert [process.returncode for process in running] == [0, 0]
    rest = [json.loads(m.note.body)["n"] for m in read(str(tmp_path), seen) if isinstance(m, Mail)]
    assert sorted(read_so_far + rest) == list(range(600))


def test_threads_may_share_a_writer(tmp_path: Path) -> None:
    with Writer(str(tmp_path), segment_size_max=2000) as writer, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: writer.append(note(number)), range(200)))
    assert sorted(numbers(tmp_path)) == list(range(200))


def test_what_a_living_writer_has_not_finished_is_left_alone(tmp_path: Path) -> None:
    """Half a note is nothing yet: reading past it would miss it once it is whole."""
    with Writer(str(tmp_path)) as writer:
        segment, _ = writer.append(note(1))
        path = tmp_path / segment
        end = path.stat().st_size
        with path.open("ab") as file:
            for part in (b"\xf6GN", b"\x1a" + bytes(9), b"x" * 50):
                file.write(part)
                file.flush()
                assert list(read(str(tmp_path), {segment: end})) == []
        os.truncate(path, end)
        writer.append(note(2))
    assert numbers(tmp_path) == [1, 2]


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreUnwritable) as caught:
        Writer(str(tmp_path / "missing")).append(note(1))
    assert caught.value.outcome == "not kept"
    assert str(tmp_path) in str(caught.value)


def test_a_forked_child_writes_a_segment_of_its_own(tmp_path: Path) -> None:
    code = """if True:
        import os, sys
        from tests.store.test_mailbox import Writer, note
        writer = Writer(sys.argv[1])
        writer.append(note(1))
        child = os.fork()
        writer.append(note(2 if child else 3))
        if child:
            os.waitpid(child, 0)
            writer.append(note(4))
    """
    assert in_process(code, tmp_path).returncode == 0
    assert len(sizes(str(tmp_path))) == 2
    assert sorted(numbers(tmp_path)) == [1, 2, 3, 4]


def test_a_segment_is_retired_only_when_read_to_its_end_and_its_writer_is_gone(
    tmp_path: Path,
) -> None:
    folder = str(tmp_path)
    writer = Writer(folder)
    segment, _ = writer.append(note(1))
    size = sizes(folder)[segment]
    assert not retire(folder, segment, size)
    writer.close()
    assert not retire(folder, segment, size - 1)
    assert numbers(tmp_path) == [1]
    disk = RecordingDisk()
    assert retire(folder, segment, size, disk)
    assert disk.operations == ["flush folder"]
    assert sizes(folder) == {}


def test_a_writer_does_not_fill_a_segment_that_was_deleted_before_it_was_locked(
    tmp_path: Path,
) -> None:
    class RacingDisk(Disk):
        """Retires the first new segment between its making and its locking."""

        __slots__ = ("raced",)

        def __init__(self) -> None:
            self.raced = 0

        def create(self, path: str, mode: int = 0o600) -> int:
            descriptor = super().create(path, mode)
            if not self.raced:
                self.raced += retire(os.path.dirname(path), os.path.basename(path), 0)
            return descriptor

    disk = RacingDisk()
    with Writer(str(tmp_path), disk=disk) as writer:
        writer.append(note(1))
    assert disk.raced == 1
    assert numbers(tmp_path) == [1]


def test_damage_in_the_middle_does_not_hide_what_a_living_writer_adds(tmp_path: Path) -> None:
    with Writer(str(tmp_path)) as writer:
        writer.append_many([note(1), note(2), note(3)])
        segment, offset = writer.append(note(4))
        path = tmp_path / segment
        damaged = bytearray(path.read_bytes())
        damaged[offset - 3] ^= 1
        path.write_bytes(damaged)
        found = list(read(str(tmp_path), {}))
        kinds = [type(each) for each in found]
        assert kinds == [Mail, Mail, Damage, Mail]
        writer.append(note(5))
        (mail,) = read(str(tmp_path), {segment: found[-1].end})
        assert isinstance(mail, Mail)
        assert mail.note == note(5)


def test_the_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    with Writer(str(tmp_path)) as writer:
        segment, _ = writer.append(note(1))
    assert (tmp_path / segment).stat().st_mode & 0o777 == 0o600


def test_each_step_of_an_append_is_named(tmp_path: Path) -> None:
    seen: list[str] = []
    step.watch(seen.append)
    try:
        with Writer(str(tmp_path), disk=DISK) as writer:
            writer.append(note(1))
    finally:
        step.watch(None)
    assert seen == [name for name in step.STEPS if name.startswith("append: ")]
