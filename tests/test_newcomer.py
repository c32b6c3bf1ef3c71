"""Somebody new does what the README says, from an empty folder, and it works."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def test_what_the_readme_tells_somebody_new_works_from_an_empty_folder(tmp_path: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this tree is no clone: there is nothing to clone from")
    environment = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}
    done = subprocess.run(
        ["sh", ROOT / "tests" / "newcomer.sh", ROOT],
        cwd=tmp_path,
        env={**environment, "HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("== Done\n")
