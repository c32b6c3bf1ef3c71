"""Every command's `--help` has an example, and every example runs."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from goodneighbor.cli.command import Command
from goodneighbor.cli.commands import MODULES, neighbor
from goodneighbor.cli.demo_site import make_program
from goodneighbor.cli.git import Git

from .. import fleet
from .conftest import Neighbor


def commands(group: click.Group, *above: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command that does something, with its full name."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        if isinstance(found, click.Group):
            yield from commands(found, *above, name)
        else:
            yield (*above, name), found


ALL = {" ".join(name): found for name, found in commands(neighbor)}
EXAMPLES = [
    (name, example)
    for name, found in ALL.items()
    if isinstance(found, Command)
    for example in found.examples
]


FLEET = """
[runs.fleet]
streams = 2
stagger = "0s"
command = "./agent.sh"
"""


@pytest.mark.parametrize("name", ALL)
def test_help_says_what_a_command_does_and_shows_an_example(name: str, neighbor: Neighbor) -> None:
    text = neighbor(*name.split(), "--help").text
    found = ALL[name]
    assert isinstance(found, Command)
    assert text.startswith(f"Usage: neighbor {name} ")
    assert "--json" in text
    for example in found.examples:
        assert f"\n  {example}\n" in text
        assert f"neighbor {name}" in example


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PATH that holds `neighbor`."""
    return make_program(tmp_path_factory.mktemp("program")).parent


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_every_example_runs(
    name: str, example: str, site: Path, neighbor: Neighbor, program: Path, tmp_path: Path
) -> None:
    if name == "init":
        (site / "state" / "stream_deltas").mkdir()
    else:
        _play(site, neighbor)
    if name == "worktree remove":
        neighbor("worktree", "add", "stream-1")
    if name.startswith("rescue "):
        ref = "refs/goodneighbor/rescue/stream-1/20260328T030000Z-1a2b"
        subprocess.run(["git", "update-ref", ref, "HEAD"], cwd=site, check=True)
    environment = {
        **os.environ,
        "PATH": f"{program}{os.pathsep}{os.environ['PATH']}",
        "TMPDIR": str(tmp_path),
        "NEIGHBOR_FRAME": "",
    }
    done = subprocess.run(
        example, shell=True, cwd=site, env=environment, capture_output=True, text=True, check=False
    )
    good = (0, 1) if name == "doctor" else (0,)  # it finds what a site in use has to mend
    assert done.returncode in good, f"$ {example}\n{done.stdout}{done.stderr}"
    assert done.stdout


def _play(site: Path, neighbor: Neighbor) -> None:
    """Bring the site where the examples are typed: frame 404 closed, a delta file, frame 405 open,
    in quarantine a delta file that was rewritten after it was collected, and a fleet to run."""
    (site / "neighbor.toml").write_text(fleet.RULES + FLEET)
    (site / "agent.sh").write_text("#!/bin/sh\necho '{}' | neighbor append\n")
    (site / "agent.sh").chmod(0o755)
    Git(site).commit_only(["agent.sh"], "An agent")
    neighbor("init")
    collected = site / "state" / "stream_deltas" / "frame-404-stream-1.json"
    collected.parent.mkdir()
    collected.write_bytes(fleet.delta(404, "stream-1", fleet.post(1, "ada")))
    neighbor("frame", "close", "403")
    collected.write_bytes(fleet.delta(404, "stream-1", fleet.post(2, "ada")))
    neighbor("frame", "close", "404")
    (site / "delta.json").write_bytes(b'{"posts_created": []}')
    neighbor("frame", "open", "405", "--stream", "stream-1")
    neighbor("append", stdin=fleet.delta(405, "stream-1"))


def test_the_list_of_commands_imports_no_store() -> None:
    """`neighbor --help` and a wrong word answer at once."""
    assert list(neighbor.list_commands(click.Context(neighbor))) == list(MODULES)


def test_no_arguments_show_the_help(neighbor: Neighbor) -> None:
    result = neighbor(code=2)
    assert "Usage: neighbor" in result.text + result.err


def test_the_version_is_told(neighbor: Neighbor) -> None:
    assert neighbor("--version").text.startswith("neighbor, version ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_can_be_sourced(shell: str, program: Path) -> None:
    """click writes it; a shell that is here reads it."""
    environment = {
        **os.environ,
        "PATH": f"{program}{os.pathsep}{os.environ['PATH']}",
        "_NEIGHBOR_COMPLETE": f"{shell}_source",
    }
    command = [sys.executable, "-m", "goodneighbor.cli"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "neighbor" in done.stdout
    if shutil.which(shell):
        subprocess.run([shell, "-n", "-c", done.stdout], check=True, capture_output=True)


def test_completion_knows_commands_and_options() -> None:
    environment = {
        **os.environ,
        "_NEIGHBOR_COMPLETE": "bash_complete",
        "COMP_WORDS": "neighbor frame ",
        "COMP_CWORD": "2",
    }
    command = [sys.executable, "-m", "goodneighbor.cli"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["plain,open", "plain,close", "plain,list", "plain,show"]
