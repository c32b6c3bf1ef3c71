"""`neighbor demo`, run once as a user runs it: real processes, real git, four accidents."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from goodneighbor.cli.demo_site import FRAMES, STREAMS

SECONDS_MAX = 60  # on two busy cores; alone it takes a tenth of it


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """What the demo printed, and the answer for programs."""
    at = tmp_path_factory.mktemp("demo") / "scratch"
    done = subprocess.run(
        [sys.executable, "-m", "goodneighbor.cli", "demo", "--at", str(at), "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr, json.loads(done.stdout)


def test_every_stream_of_every_frame_has_a_status(played: tuple[str, dict[str, Any]]) -> None:
    frames = played[1]["frames"]
    assert len(frames) == FRAMES
    fallbacks = {
        (row["frame"], stream) for row in frames for stream in STREAMS if row[stream] == "fallback"
    }
    assert fallbacks == {(3, "stream-3"), (4, "stream-4")}
    assert all(row[stream] in ("reported", "fallback") for row in frames for stream in STREAMS)


def test_the_sums_balance_and_the_delta_sent_twice_counts_once(
    played: tuple[str, dict[str, Any]],
) -> None:
    for row in played[1]["frames"]:
        assert row["in"] == row["applied"] + row["duplicate"] + row["skipped"]
    by_frame = {row["frame"]: row for row in played[1]["frames"]}
    assert by_frame[2]["in"] == by_frame[1]["in"]
    assert by_frame[2]["duplicate"] == 0
    assert "1 copy" in played[0]


def test_the_garbage_is_in_quarantine(played: tuple[str, dict[str, Any]]) -> None:
    tree = Path(played[1]["tree"])
    command = [sys.executable, "-m", "goodneighbor.cli", "quarantine", "list", "--json"]
    done = subprocess.run(command, cwd=tree, capture_output=True, check=True)
    kept = json.loads(done.stdout)["quarantine"]
    assert [each["reason"] for each in kept] == ["unexpected byte", "replaced by export"]


def test_the_wiped_document_is_put_right(played: tuple[str, dict[str, Any]]) -> None:
    agents = json.loads((Path(played[1]["tree"]) / "state" / "agents.json").read_bytes())
    assert len(agents["agents"]) == 4
    assert played[1]["restored"] is True
    assert "state/agents.json: differs" in played[0]


def test_it_says_where_the_scratch_repository_lies(played: tuple[str, dict[str, Any]]) -> None:
    assert f"cd {played[1]['tree']}" in played[0]


def test_an_existing_folder_is_left_alone(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "goodneighbor.cli", "demo", "--at", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert not any(tmp_path.iterdir())
