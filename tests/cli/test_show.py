"""`show` prints the state now, and as a frame left it; `forget` says how far back that goes."""

from pathlib import Path

from .. import fleet
from .conftest import Neighbor


def test_an_entity_is_shown_as_a_frame_left_it(taken_in: Path, neighbor: Neighbor) -> None:
    for frame in range(1, 13):
        neighbor("append", stdin=fleet.delta(frame, "s1", fleet.post(frame, "ada")))
        neighbor("frame", "close", str(frame))
    count = "/agents/ada/post_count"
    assert neighbor("show", count).text == "12\n"
    assert neighbor("show", count, "--at", "7").text == "7\n"
    assert neighbor("show", count, "--at", "-1").text == "0\n"
    shown = neighbor("show", "/stats", "--at", "3", "--json").json
    assert shown["value"]["total_posts"] == 3
    assert "as of frame 2" in neighbor("show", "/posts/3", "--at", "2", code=1).err
    assert "neighbor frame close 13" in neighbor("show", count, "--at", "13", code=3).err
    assert "frame 4 is the oldest" in neighbor("forget", "--keep", "2").text
    assert neighbor("show", count, "--at", "4").text == "4\n"
    assert "neighbor replay" in neighbor("show", count, "--at", "3", code=3).err
    assert neighbor("forget", "--keep", "2", "--json").json == {"oldest": 4, "versions": 0}
