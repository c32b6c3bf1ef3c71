"""A segment's bytes prove themselves: what reads as a note is what was written, at its place."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from goodneighbor.store import segment
from goodneighbor.store.clock import Clock
from goodneighbor.store.errors import StoreTooNew
from goodneighbor.store.mailbox import Damage, Found, Mail, Torn, read_segment, sizes
from goodneighbor.store.segment import (
    DELTA,
    FRAME_SIZE,
    HEADER_SIZE,
    OWN,
    REJECTED,
    Note,
    header,
    nonce_of,
    pack,
    segment_name,
    unpack,
)
from goodneighbor.store.writer import Writer
from hypothesis import given
from hypothesis import strategies as st

NOTES = [
    Note(b'{"frame":1,"stream_id":"s1"}', received_us=1, source="append"),
    Note(b'{"action":"heartbeat"}', received_us=2, source="collect", frame=9, stream="s2"),
    Note(b"<<<<<<< HEAD", received_us=3, source="append", kind=REJECTED, reason="unexpected byte"),
]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A segment of three notes whose writer is gone."""
    with Writer(str(tmp_path), clock=Clock(lambda: 1_774_699_200_000_000)) as writer:
        writer.append_many(NOTES)
    (name,) = sizes(str(tmp_path))
    return tmp_path / name


def found_in(path: Path) -> list[Found]:
    return list(read_segment(str(path.parent), path.name))


def notes_in(path: Path) -> list[Note]:
    return [found.note for found in found_in(path) if isinstance(found, Mail)]


words = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
names = st.text(words, max_size=70)


@given(
    st.binary(max_size=200),
    st.sampled_from([DELTA, OWN]),
    st.none() | st.integers(-(2**63) + 1, 2**63 - 1),
    st.none() | st.text(words, min_size=1, max_size=60),
    names,
)
def test_a_note_comes_back_as_it_went_in(
    body: bytes, kind: int, frame: int | None, stream: str | None, source: str
) -> None:
    note = Note(body, received_us=-5, source=source, kind=kind, frame=frame, stream=stream)
    back = unpack(pack(note))
    assert (back.body, back.kind, back.frame, back.stream) == (body, kind, frame, stream)
    assert (back.received_us, back.source, back.reason) == (-5, source, "")


def test_a_nul_beside_a_body_becomes_the_replacement_character() -> None:
    note = Note(b"\0", received_us=0, source="a\0b", kind=REJECTED, stream="\0", reason="c\0")
    back = unpack(pack(note))
    assert (back.stream, back.source, back.reason) == ("\ufffd", "a\ufffdb", "c\ufffd")
    assert back.body == b"\0"


def test_what_is_said_beside_a_rejected_note_cannot_stop_it() -> None:
    wild = Note(
        b"x",
        received_us=0,
        source="\udcff" + "é" * 40_000,
        kind=REJECTED,
        frame=2**200,
        stream="é" * 200,
        reason="r" * 70_000,
    )
    back = unpack(pack(wild))
    assert back.body == b"x"
    assert back.frame is None
    assert back.stream == "é" * 127
    assert (len(back.source.encode()), len(back.reason)) == (65535, 65535)


def test_the_notes_of_a_segment_come_in_the_order_they_were_written(written: Path) -> None:
    assert notes_in(written) == NOTES
    ends = [found.end for found in found_in(written)]
    assert ends[-1] == written.stat().st_size
    assert [found.offset for found in found_in(written)] == [HEADER_SIZE, *ends[:-1]]


def flips(path: Path) -> Iterator[int]:
    """Flip each byte of a file in turn: its lowest bit, its highest, then all; put it back."""
    whole = path.read_bytes()
    for index in range(len(whole)):
        for mask in (0x01, 0x80, 0xFF):
            flipped = bytearray(whole)
            flipped[index] ^= mask
            path.write_bytes(flipped)
            yield index
    path.write_bytes(whole)


def test_a_flipped_byte_never_gives_another_note_and_is_always_said(written: Path) -> None:
    sound = {found.offset: found for found in found_in(written)}
    for index in flips(written):
        found = found_in(written)
        mail = {each.offset: each for each in found if isinstance(each, Mail)}
        hit = {at for at, each in sound.items() if at <= index < each.end}
        assert set(mail) == set(sound) - hit, index
        for at, each in mail.items():
            before = sound[at]
            assert isinstance(before, Mail)
            assert each.note == before.note, index
        (damage,) = [each for each in found if not isinstance(each, Mail)]
        assert isinstance(damage, Damage), index
        assert damage.offset <= index < damage.end
        assert damage.raw == written.read_bytes()[damage.offset : damage.end]


def test_without_checksums_flipped_bytes_would_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the harness above sees what the checksums are for."""
    monkeypatch.setattr(segment, "crc32c", lambda data, crc=0: 0)
    with Writer(str(tmp_path)) as writer:
        writer.append_many(NOTES)
    (name,) = sizes(str(tmp_path))
    passed = 0
    for _ in flips(tmp_path / name):
        try:
            passed += any(note not in NOTES for note in notes_in(tmp_path / name))
        except (AssertionError, UnicodeDecodeError, StoreTooNew):
            continue  # the flip fell on sizes, names or the version
    assert passed > 100


def test_an_end_cut_anywhere_is_torn_and_the_notes_before_it_stay(written: Path) -> None:
    whole = written.read_bytes()
    ends = [found.end for found in found_in(written)]
    for size in range(len(whole)):
        written.write_bytes(whole[:size])
        found = found_in(written)
        complete = sum(end <= size for end in ends)
        assert [each.note for each in found if isinstance(each, Mail)] == NOTES[:complete]
        torn = [each for each in found if not isinstance(each, Mail)]
        if size in (0, HEADER_SIZE, *ends):
            assert torn == []
        else:
            (rest,) = torn
            assert isinstance(rest, Torn)
            assert rest.end == size


@pytest.mark.parametrize("zeros", [1, FRAME_SIZE, 5000])
def test_space_that_was_never_filled_is_torn(written: Path, zeros: int) -> None:
    whole = written.read_bytes()
    written.write_bytes(whole + bytes(zeros))
    *mail, rest = found_in(written)
    assert len(mail) == len(NOTES)
    assert isinstance(rest, Torn)
    written.write_bytes(bytes(HEADER_SIZE + zeros))
    (nothing,) = found_in(written)
    assert isinstance(nothing, Torn)


def test_a_note_torn_out_of_the_middle_is_damage_and_those_behind_it_come(written: Path) -> None:
    whole = written.read_bytes()
    first, second, third = found_in(written)
    for missing in ([second.offset], [first.offset, second.offset]):
        holed = bytearray(whole)
        for at in missing:
            end = next(each.end for each in (first, second) if each.offset == at)
            holed[at:end] = bytes(end - at)
        written.write_bytes(holed)
        found = found_in(written)
        (damage,) = [each for each in found if isinstance(each, Damage)]
        assert (damage.offset, damage.end) == (missing[0], third.offset)
        assert notes_in(written)[-1] == NOTES[-1]


def test_a_frame_counts_only_where_it_was_written(written: Path) -> None:
    """Not behind another note, and not in another segment: a stale block is not a note."""
    whole = written.read_bytes()
    first, second, _ = found_in(written)
    frame = whole[first.offset : first.end]
    written.write_bytes(whole + frame)
    *mail, stray = found_in(written)
    assert len(mail) == len(NOTES)
    assert isinstance(stray, Damage)

    nonce = bytes(12)
    other = written.with_name(segment_name(1, nonce))
    other.write_bytes(header(nonce) + whole[HEADER_SIZE : second.end])
    assert notes_in(other) == []


def test_a_segment_quoted_inside_a_note_is_only_text(tmp_path: Path, written: Path) -> None:
    """Also when the note around it is damaged, and the search for the next one runs through it."""
    quote = Note(written.read_bytes(), received_us=4, source="append", kind=REJECTED, reason="no")
    folder = tmp_path / "other"
    folder.mkdir()
    with Writer(str(folder)) as writer:
        places = writer.append_many([quote, NOTES[0]])
    path = folder / places[0][0]
    damaged = bytearray(path.read_bytes())
    damaged[HEADER_SIZE + 5] ^= 0x10
    path.write_bytes(damaged)
    assert notes_in(path) == [NOTES[0]]


def test_a_renamed_segment_says_so_and_gives_nothing(written: Path) -> None:
    renamed = written.rename(written.with_name(segment_name(7, bytes(range(12)))))
    first, rest = found_in(renamed)
    assert isinstance(first, Damage)
    assert "renamed or copied" in first.what
    assert isinstance(rest, Damage)
    assert rest.end == renamed.stat().st_size


@pytest.mark.parametrize("name", ["", "x.notes", "-.notes", "a-" + "0" * 23 + "g.notes", "a-b"])
def test_other_files_are_no_segments(name: str) -> None:
    assert nonce_of(name) is None
    assert nonce_of(segment_name(5, bytes(range(12)))) == bytes(range(12))
