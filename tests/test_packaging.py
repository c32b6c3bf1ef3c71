"""What is published works: sdist, wheel, then the program, outside the tree that made it."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = (
    "goodneighbor/kernel/_kernel.abi3.so",
    "goodneighbor/store/migrations/env.py",
    "goodneighbor/cli/__main__.py",
)


ignored = shutil.ignore_patterns("*.so", "__pycache__")


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel made from the unpacked sdist, so that nothing comes from the tree itself."""
    folder = tmp_path_factory.mktemp("packaging")
    checkout = folder / "checkout"
    for package in ("kernel", "store", "cli"):
        shutil.copytree(ROOT / package, checkout / package, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, checkout / name)
    make_sdist = f"import build_backend; print(build_backend.build_sdist({str(folder)!r}))"
    source = run(sys.executable, "-c", make_sdist, cwd=checkout, PYTHONPATH="kernel")
    with tarfile.open(folder / source.splitlines()[-1]) as archive:
        if hasattr(tarfile, "data_filter"):  # since 3.11.4
            archive.extraction_filter = tarfile.data_filter
        archive.extractall(folder)
    (tree,) = folder.glob("goodneighbor-*/")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, tree, cwd=folder)
    (made,) = folder.glob("*.whl")
    return made


def test_a_file_that_another_holds_is_a_reason_to_build_it_again(tmp_path: Path) -> None:
    for name in ("kernel", "pyproject.toml"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    build = (sys.executable, "kernel/build_backend.py")
    run(*build, cwd=tmp_path)
    holder, held = tmp_path / "kernel" / "wide.c", tmp_path / "kernel" / "delta.c"
    assert f'#include "{held.name}"' in holder.read_text("utf-8")
    objects = {path.name: path for path in (tmp_path / "build").rglob("*.o")}
    before = {name: path.stat().st_mtime_ns for name, path in objects.items()}
    os.utime(held)
    run(*build, cwd=tmp_path)
    built = {name for name, path in objects.items() if path.stat().st_mtime_ns > before[name]}
    assert built == {"wide.o", "delta.o"}


def test_one_wheel_serves_every_python_from_3_11(wheel: Path) -> None:
    assert "-cp311-abi3-" in wheel.name


def test_the_wheel_holds_the_kernel_every_migration_and_every_hook(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    migrations = (ROOT / "store").glob("migrations/versions/*.py")
    hooks = (ROOT / "cli").glob("hooks/*.sh")
    found = (path.relative_to(ROOT).as_posix() for path in [*migrations, *hooks])
    expected = {*SHIPPED, *(f"goodneighbor/{name}" for name in found)}
    assert expected <= names
    assert not [name for name in names if name.endswith((".c", ".cpp", ".h"))]


def test_the_program_is_a_script_that_loads_nothing_but_ours(wheel: Path) -> None:
    """An entry point would be written by the installer, with imports of the installer's own."""
    archive = zipfile.ZipFile(wheel)
    (name,) = [each for each in archive.namelist() if each.endswith(".data/scripts/neighbor")]
    first, *rest = archive.read(name).decode().splitlines()
    assert first == "#!python", "an installer puts the environment's own Python there"
    imported = [line for line in rest if line.startswith(("import", "from"))]
    assert imported == ["import sys", "from goodneighbor.cli.__main__ import main"]


def test_the_program_runs_from_the_wheel_alone(
    wheel: Path, repository: Path, tmp_path: Path
) -> None:
    site = tmp_path / "site-packages"
    zipfile.ZipFile(wheel).extractall(site)
    state = repository / "state"
    state.mkdir()
    (state / "stats.json").write_text('{"total_posts": 1}', encoding="utf-8")
    neighbor = (sys.executable, "-m", "goodneighbor.cli")
    where = run(
        sys.executable, "-c", "import goodneighbor.kernel as k; print(k.__file__)",
        cwd=repository, PYTHONPATH=str(site),
    )  # fmt: skip
    assert where.startswith(str(site))
    run(*neighbor, "init", cwd=repository, PYTHONPATH=str(site))
    assert "total_posts" in run(*neighbor, "show", "/stats", cwd=repository, PYTHONPATH=str(site))
