"""What a command prints is kept in bounded space: the beginning, the end, and the last lines."""

from pathlib import Path

import pytest
from goodneighbor.cli import stream_log
from goodneighbor.cli.stream_log import LINE_SIZE_MAX, LINES_MAX, LastLines, StreamLog
from hypothesis import given
from hypothesis import strategies as some

PARTS = some.lists(some.binary(max_size=60) | some.just(b"\n") | some.just(b"a line\n"))


def test_a_short_log_is_what_was_printed(tmp_path: Path) -> None:
    log = StreamLog(tmp_path / "log")
    for part in (b"one\n", b"", b"two\n"):
        log.write(part)
    log.close()
    assert (tmp_path / "log").read_bytes() == b"one\ntwo\n"


@given(PARTS)
def test_a_long_log_keeps_its_beginning_and_its_end(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes]
) -> None:
    file = tmp_path_factory.getbasetemp() / "long-log"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream_log, "HEAD_SIZE_MAX", 100)
        patch.setattr(stream_log, "TAIL_SIZE_MAX", 50)
        log = StreamLog(file)
        for part in parts:
            log.write(part)
        log.close()
    printed, kept = b"".join(parts), file.read_bytes()
    lost = max(0, len(printed) - 150)
    said = b"\n[neighbor: %d bytes are left out here]\n" % lost if lost else b""
    rest = printed[100:]
    assert kept == printed[:100] + said + rest[max(0, len(rest) - 50) :]


def test_a_log_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    log = StreamLog(tmp_path / "no such folder" / "log")
    log.write(b"printed all the same")
    log.close()


@given(PARTS)
def test_the_last_lines_are_those_of_the_whole_however_it_came(parts: list[bytes]) -> None:
    lines = LastLines()
    for part in parts:
        lines.write(part)
    whole = [line[:LINE_SIZE_MAX] for line in b"".join(parts).split(b"\n") if line.strip()]
    assert lines.texts() == [stream_log.printable(line) for line in whole[-LINES_MAX:]]


def test_empty_lines_do_not_push_others_out() -> None:
    lines = LastLines()
    lines.write(b"first\n" + b"\n" * 500 + b"last\n" + b" \n" * 500)
    assert lines.texts() == ["first", "last"]


def test_a_line_is_text_whatever_was_printed() -> None:
    lines = LastLines()
    lines.write(b"10%\r100%\n\xff\x1b[2J\n")
    assert lines.texts() == ["100%", "\ufffd\ufffd[2J"]
    assert lines.last() == "\ufffd\ufffd[2J"


def test_what_has_no_line_end_costs_a_line() -> None:
    lines = LastLines()
    for _ in range(1000):
        lines.write(b"x" * 2**16)
    assert lines.texts() == ["x" * LINE_SIZE_MAX]
