"""What the README shows is what happens.

Its transcript is typed, line by line, into a shell in the state it tells of, and what is printed
must be what it shows: a line `...` stands for any lines, one that starts so for any path. The
commands it tells a user to type are those that `newcomer.sh` types.
"""

import os
import re
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import pytest

from . import fleet

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def shell(folder: Path, command: str) -> str:
    """Run one line with this environment's `neighbor`; return both its outputs, as they come."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


@pytest.fixture
def stashed(repository: Path) -> Path:
    """A repository whose state moved on while somebody's edit of it lay in a stash."""
    state = repository / "state"
    state.mkdir()
    for name, body in fleet.BASE.items():
        (state / f"{name}.json").write_bytes(body)
    (repository / "neighbor.toml").write_text(fleet.RULES, encoding="utf-8")
    shell(repository, "git add state neighbor.toml && git commit --message 'Before'")
    shell(repository, "neighbor init --commit")
    agents = state / "agents.json"
    agents.write_bytes(agents.read_bytes().replace(b'"post_count": 0', b'"post_count": 7', 1))
    shell(repository, "git stash")
    (repository / "delta").write_bytes(fleet.delta(1, "stream-1", fleet.post(1, "ada")))
    shell(repository, "neighbor append delta && neighbor frame close 1 && neighbor export")
    shell(repository, "rm delta && git add state && git commit --message 'Frame 1'")
    return repository


def transcript(number: int) -> list[tuple[str, list[str]]]:
    """Return one of the README's terminal transcripts as (command, lines shown)."""
    found = re.findall(r"^```console\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    typed: list[tuple[str, list[str]]] = []
    for line in found[number].splitlines():
        if line.startswith("$ "):
            typed.append((line[2:], []))
        else:
            typed[-1][1].append(line)
    return typed


def pattern(shown: list[str]) -> str:
    """Return the expression that matches what a command printed."""
    escaped = ("(.*\n)*" if line == "..." else re.escape(line + "\n") for line in shown)
    return "".join(re.sub(r"^\\\.\\\.\\\.", ".*", each) for each in escaped)


def test_the_transcript_is_what_happens(stashed: Path) -> None:
    for command, shown in transcript(0):
        printed = shell(stashed, command)
        assert re.fullmatch(pattern(shown), printed), f"$ {command}\n{printed}"


# Ten posts a stream, of which one is another's; stream-4 crashes.
AGENT = """\
#!/bin/sh
[ "$NEIGHBOR_STREAM" != stream-4 ] || exit 1
first=${NEIGHBOR_STREAM#stream-}0
posts=$(for n in 0 1 2 3 4 5 6 7 8 9; do
    number=$((first + n))
    [ $number != 30 ] || number=10
    printf '{"number": %s, "author": "ada", "channel": "general"},' $number
done)
seen=; [ "$first" != 20 ] || seen='"quiet"'
echo "{\\"posts_created\\": [${posts%,}], \\"observations\\": [$seen]}" | neighbor append
"""


def test_the_fleets_transcript_is_what_happens(repository: Path) -> None:
    """But for what is told of it meanwhile on stderr, and the commit's name."""
    (repository / "state").mkdir()
    for name, body in fleet.BASE.items():
        (repository / "state" / f"{name}.json").write_bytes(body)
    rules = f"{fleet.RULES}\n[export]\ncommit = true\n"
    (repository / "neighbor.toml").write_text(rules, encoding="utf-8")
    (repository / "agent.sh").write_text(AGENT, encoding="utf-8")
    (repository / "agent.sh").chmod(0o755)
    shell(repository, "git add . && git commit --quiet --message 'Before'")
    shell(repository, "neighbor init --commit && neighbor frame close 404")
    ((command, shown),) = transcript(1)
    printed = shell(repository, f"{command} 2>told")
    lines = [re.sub(r"[0-9a-f]{10}$", "9f3c1e2b07", line) for line in printed.splitlines()]
    assert lines == shown, (repository / "told").read_text("utf-8")


def indented_commands(heading: str) -> list[str]:
    """Return the command lines of a section's first indented block, comments and options apart."""
    section = README.split(f"## {heading}\n", 1)[1]
    indented = next(block for is_code, block in by_indentation(section) if is_code)
    return [line.split("  #")[0].strip() for line in indented]


def by_indentation(text: str) -> list[tuple[bool, list[str]]]:
    lines = [line for line in text.splitlines() if line]
    return [(key, list(group)) for key, group in groupby(lines, lambda line: line[:4] == "    ")]


def test_a_user_types_what_the_newcomer_types() -> None:
    typed = [
        line.strip() for line in (ROOT / "tests" / "newcomer.sh").read_text("utf-8").splitlines()
    ]
    told = [line for line in indented_commands("In your own repository") if line[:3] != "cd "]
    assert [line for line in told if line not in typed] == []
    assert 'pipx install "git+file://$PWD"' in README
    assert any("pipx install" in line and '"git+file://$PWD"' in line for line in typed)


def test_every_file_that_the_readme_names_is_there() -> None:
    named = re.findall(r"[`(]((?:kernel|store|cli|tests|docs)/[\w./]+\.\w+)[`)]", README)
    assert len(named) > 5
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_eight_rules_stand_in_the_readme_as_in_their_tests() -> None:
    rules = re.findall(r"^(\d)\. (.*)\.$", README, re.MULTILINE)
    tests = (ROOT / "tests" / "test_good_neighbor.py").read_text("utf-8")
    names = re.findall(r"^def test_(\d)_(\w+)", tests, re.MULTILINE)
    words = [(number, re.sub(r"\W+", "_", rule.lower())) for number, rule in rules]
    assert [number for number, _ in rules] == list("12345678")
    assert names == words
