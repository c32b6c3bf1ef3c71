"""Every step that the store's source names is in the list the harness works through."""

import ast
from collections.abc import Iterator
from pathlib import Path

from goodneighbor.store.step import SERVER_STEPS, STEPS

STORE = Path(__file__).resolve().parents[2] / "store"


def steps(source: Path) -> Iterator[str]:
    """Yield the steps that a file reaches; a transaction reaches two under its own name."""
    for node in ast.walk(ast.parse(source.read_bytes())):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = ast.unparse(node.func).rpartition(".")[2]
        first = node.args[0]
        if name == "reached" and isinstance(first, ast.Constant):
            yield str(first.value)
        elif name == "transaction":
            where = f"{source.name}:{node.lineno} hides its name"
            assert isinstance(first, ast.Constant), where
            assert isinstance(first.value, str), where
            yield from (f"{first.value}: rows inserted", f"{first.value}: committed")


def test_every_step_in_the_source_is_in_the_list() -> None:
    found = {name for path in sorted(STORE.rglob("*.py")) for name in steps(path)}
    assert found == {*STEPS, *SERVER_STEPS}


def test_a_step_is_listed_once() -> None:
    assert len(STEPS) + len(SERVER_STEPS) == len({*STEPS, *SERVER_STEPS})
