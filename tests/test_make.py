"""`make demo` and `make test` say what is missing, and the one line that brings it.

Nothing is really taken from the machine: the commands see a Python that looks for its headers in an
empty folder, or a PATH that lacks one tool.
"""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BRINGS_ALL = "apt-get install python3-dev python3-venv build-essential git"
TOOLS = ("sh", "make", "uname", "cc", "c++", "git")

HIDE_HEADERS = """\
import sysconfig
real = sysconfig.get_path
def get_path(name, *rest, **named):
    return "/nowhere/include" if name == "include" else real(name, *rest, **named)
sysconfig.get_path = get_path
"""
HIDE_ENSUREPIP = "import sys; sys.modules['ensurepip'] = None"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the line is Debian's")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with what `make` reads before there is a .venv."""
    folder = tmp_path / "goodneighbor"
    (folder / "kernel").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "kernel/toolchain.sh", "kernel/build_backend.py"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def python_that(tmp_path: Path, customization: str) -> str:
    """Return a Python that runs `customization` first."""
    (tmp_path / "sitecustomize.py").write_text(customization, encoding="utf-8")
    python = tmp_path / "python"
    path, real = shlex.quote(str(tmp_path)), shlex.quote(sys.executable)
    python.write_text(f'#!/bin/sh\nPYTHONPATH={path} exec {real} "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    return str(python)


def only(folder: Path, *tools: str) -> str:
    """Return a PATH on which there is nothing but `tools`, and this Python as python3.11."""
    folder.mkdir()
    for tool in tools:
        found = shutil.which(tool)
        assert found is not None, tool
        (folder / tool).symlink_to(found)
    (folder / "python3.11").symlink_to(Path(sys.executable).resolve())
    return str(folder)


def refusal(clone: Path, *words: str, path: str | None = None) -> str:
    """Run make, which must fail before it has made anything, and return what it said."""
    environment = {**os.environ, **({} if path is None else {"PATH": path})}
    make = shutil.which("make")
    assert make is not None
    done = subprocess.run(
        [make, *words], cwd=clone, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert not (clone / ".venv").exists()
    return done.stderr


@pytest.mark.parametrize("target", ["demo", "test"])
def test_with_the_headers_hidden_each_target_says_what_to_install(
    clone: Path, tmp_path: Path, target: str
) -> None:
    said = refusal(clone, target, f"PYTHON={python_that(tmp_path, HIDE_HEADERS)}")
    assert "Python.h" in said
    assert "/nowhere/include" in said
    assert BRINGS_ALL in said


def test_without_ensurepip_the_venv_module_is_asked_for(clone: Path, tmp_path: Path) -> None:
    said = refusal(clone, "test", f"PYTHON={python_that(tmp_path, HIDE_ENSUREPIP)}")
    assert "ensurepip" in said
    assert BRINGS_ALL in said


@pytest.mark.parametrize("missing", ["cc", "c++", "git"])
def test_a_missing_tool_is_named(clone: Path, tmp_path: Path, missing: str) -> None:
    path = only(tmp_path / "bin", *(tool for tool in TOOLS if tool != missing))
    said = refusal(clone, "demo", path=path)
    assert missing in said.splitlines()[0]
    assert BRINGS_ALL in said


def test_a_python_that_is_not_there_is_named(clone: Path) -> None:
    said = refusal(clone, "demo", "PYTHON=/nowhere/python3.11")
    assert "Python 3.11 or newer is missing" in said
    assert BRINGS_ALL in said


def test_a_git_that_is_too_old_is_named(clone: Path, tmp_path: Path) -> None:
    path = only(tmp_path / "bin", *(tool for tool in TOOLS if tool != "git"))
    git = tmp_path / "bin" / "git"
    git.write_text("#!/bin/sh\necho git version 2.38.5\n", encoding="utf-8")
    git.chmod(0o755)
    assert "this is git version 2.38.5" in refusal(clone, "test", path=path)


def test_with_everything_there_a_python_is_found() -> None:
    done = subprocess.run(
        ["sh", "kernel/toolchain.sh"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("python3")
