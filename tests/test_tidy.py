"""The house rules that a program can check, so that the README's one test command is all there is.

Each test names one rule and says where it is broken. A rule that makes some code worse is broken
there, with the reason beside it; the exceptions are listed here by file.
"""

import ast
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import command_help

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("kernel", "store", "cli")  # each may import those before it
FOLDERS = (*PACKAGES, "tests", "benchmarks")

FILE_LINES_MAX = 700  # a typical file has 60 to 200; past 300 look for the second idea
FUNCTION_LINES_MAX = 60  # a typical function has under 25; a screen is the end
VAGUE_NAMES = {"utils", "util", "helpers", "common", "base", "manager", "misc"}
MARKERS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
READ_LINES_MAX = 10_000  # of C by a compiler; all instructions of a machine are 36,000
READS_ALL_INSTRUCTIONS = {"wide.c"}  # it needs those that not every machine of a kind has
C_COMMENT_CODE = re.compile(r"^\s*(//|/\*)\s*[\w>\-.\[\]]+\s*(=|\().*;\s*(\*/)?$")

# Who may do what. Everything else takes values and returns values.
STARTS_PROCESSES = {
    "cli/git.py",
    "cli/process.py",
    "cli/setup.py",
    "cli/trash.py",
}
# text.py is what `append` needs of it
TOUCHES_FFI = {"kernel/fold.py", "kernel/meaning.py", "kernel/text.py"}


def python_files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def c_files() -> list[Path]:
    return sorted(path for end in ("c", "cpp", "h") for path in (ROOT / "kernel").glob(f"*.{end}"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def run(*command: str) -> str:
    """Run a tool in the root and return what it printed; the test fails with that if it failed."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_ruff_finds_nothing() -> None:
    run(sys.executable, "-m", "ruff", "check", ".")


def test_python_is_formatted() -> None:
    run(sys.executable, "-m", "ruff", "format", "--check", ".")


def test_mypy_strict_finds_nothing() -> None:
    """mypy cannot follow an editable install's import hook: links show it the packages' names."""
    links = ROOT / "build" / "typing" / "goodneighbor"
    links.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        link = links / package
        if not link.is_symlink():
            link.symlink_to(ROOT / package, target_is_directory=True)
    run(sys.executable, "-m", "mypy", "build/typing/goodneighbor", "tests")


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, module) for each import, relative ones as `goodneighbor.package...`."""
    package = ["goodneighbor", *path.relative_to(ROOT).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield node.lineno, module
            if node.module is None:
                yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def test_imports_go_from_cli_to_store_to_kernel() -> None:
    wrong = []
    for index, package in enumerate(PACKAGES):
        above = tuple(f"goodneighbor.{name}" for name in PACKAGES[index + 1 :])
        for path in python_files(package):
            wrong += [
                f"{name_of(path)}:{line} imports {module}"
                for line, module in imports(path)
                if module.startswith(above)
            ]
    assert wrong == []


def test_effects_stay_in_the_files_named_for_them() -> None:
    wrong = []
    for path in python_files(*PACKAGES):
        name = name_of(path)
        for line, module in imports(path):
            processes = module.split(".")[0] == "subprocess" and name not in STARTS_PROCESSES
            ffi = module.startswith("goodneighbor.kernel._kernel") and name not in TOUCHES_FFI
            if processes or ffi:
                wrong.append(f"{name}:{line} imports {module}")
    assert wrong == []


def test_the_kernel_is_pure() -> None:
    """No SQL, no files, no git, no clock, no randomness, no environment."""
    impure = {
        "os",
        "io",
        "pathlib",
        "time",
        "datetime",
        "random",
        "secrets",
        "sqlite3",
        "sqlalchemy",
    }
    wrong = [
        f"{name_of(path)}:{line} imports {module}"
        for path in python_files("kernel")
        if path.name != "build_backend.py"  # a build reads files
        for line, module in imports(path)
        if module.split(".")[0] in impure
    ]
    assert wrong == []


def test_memory_is_taken_in_arena_c_alone() -> None:
    taking = re.compile(r"\b(malloc|calloc|realloc|alloca|free|strdup)\s*\(")
    takers = {path.name for path in c_files() if taking.search(path.read_text("utf-8"))}
    assert takers <= {"arena.c"}


def test_one_broad_catch_stands_in_the_outermost_function() -> None:
    """Others may clean up on the way, and must raise again."""
    broad = [
        name_of(path)
        for path in python_files(*PACKAGES)
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in ("Exception", "BaseException"))
        and not isinstance(node.body[-1], ast.Raise)
    ]
    assert broad == ["cli/__main__.py"]


def test_no_file_has_a_name_that_says_nothing() -> None:
    files = [*python_files(*FOLDERS), *c_files()]
    assert [name_of(path) for path in files if path.stem in VAGUE_NAMES] == []


def test_files_end_before_the_second_idea() -> None:
    lengths = {
        name_of(path): len(path.read_bytes().splitlines())
        for path in [*python_files(*FOLDERS), *c_files()]
    }
    assert {name: size for name, size in lengths.items() if size > FILE_LINES_MAX} == {}


def test_functions_fit_a_screen() -> None:
    long = [
        f"{name_of(path)}:{node.lineno} {node.name}"
        for path in python_files(*FOLDERS)
        if path.parent.name != "versions"  # a migration is a table
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.FunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno >= FUNCTION_LINES_MAX
    ]
    long += [f"{name_of(path)}:{line}" for path in c_files() for line in long_c_functions(path)]
    assert long == []


def long_c_functions(path: Path) -> Iterator[int]:
    """Yield the first line of each body, from `{` to `}` in the first column, that is too long."""
    start = 0
    for line, text in enumerate(path.read_text("utf-8").splitlines(), start=1):
        if text == "{":
            start = line
        elif text == "}" and start:
            if line - start > FUNCTION_LINES_MAX:
                yield start
            start = 0


def test_nothing_is_left_to_do_in_comments() -> None:
    here = Path(__file__)
    files = [path for path in [*python_files(*FOLDERS), *c_files()] if path != here]
    wrong = [
        f"{name_of(path)}:{line}"
        for path in files
        for line, text in enumerate(path.read_text("utf-8").splitlines(), start=1)
        if MARKERS.search(text) or (path.suffix != ".py" and C_COMMENT_CODE.match(text))
    ]
    assert wrong == []


def test_every_module_says_what_it_is() -> None:
    missing = [
        name_of(path)
        for path in python_files(*PACKAGES)
        if ast.get_docstring(ast.parse(path.read_bytes())) is None
    ]
    missing += [
        name_of(path) for path in c_files() if not path.read_text("utf-8").startswith(("/*", "//"))
    ]
    assert missing == []


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_c_compiles_without_a_warning(compiler: str) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    flags = runpy.run_path(str(ROOT / "kernel" / "build_backend.py"))["FLAGS"]
    more = ["-Werror", "-Wshadow", "-Wvla", "-fsyntax-only", "-Ikernel"]
    for source in c_files():
        if source.suffix == ".c":
            strict = [*flags[".c"], "-Wstrict-prototypes", "-Wmissing-prototypes"]
            run(compiler, *strict, *more, name_of(source))
        elif source.suffix == ".cpp":
            run(compiler, *flags[".cpp"], *more, name_of(source))


def test_a_c_file_is_soon_read() -> None:
    """The kernel is built nine times in a run of these tests, and by whoever installs it."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    lengths = {
        path.name: len(run("gcc", "-E", "-P", "-Ikernel", name_of(path)).splitlines())
        for path in c_files()
        if path.suffix == ".c" and path.name not in READS_ALL_INSTRUCTIONS
    }
    assert {name: lines for name, lines in lengths.items() if lines > READ_LINES_MAX} == {}


def test_assertions_are_on_in_the_kernel_that_is_built() -> None:
    """Python's own flags carry -DNDEBUG; an invariant that is broken must stop the process."""
    built = (ROOT / "kernel" / "_kernel.abi3.so").read_bytes()
    assert b"__assert_fail" in built or b"__assert_rtn" in built


def test_docs_match_help() -> None:
    """`python -m tests.command_help` writes the page again."""
    assert (ROOT / "docs" / "commands.md").read_text("utf-8") == command_help.page()
