"""Building the fuzz targets in `fuzz/`, by clang as libFuzzer programs, or by cc to replay inputs.

Built are the kernel's own sources, with AddressSanitizer and UBSan, in `build/fuzz`. The program
that the fold target runs is compiled from `fuzz/rules.toml` anew, so it cannot fall behind.
"""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from filelock import FileLock
from goodneighbor.kernel import Rules

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build" / "fuzz"
CORPUS = HERE / "corpus"
TARGETS = ("reader", "program", "fold")
FLAGS = ["-O1", "-g", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all", "-UNDEBUG", "-w"]
LANGUAGES = {".c": "-std=c11", ".cpp": "-std=c++17"}
SANITIZERS = "address,undefined"
# An absent value is {NULL, 0}, and clang 14 reports NULL + 0, which C2y (N3322) and C++ define.
FUZZER_FLAGS = ["-fno-sanitize=pointer-overflow"]


def build(target: str, fuzzer: bool) -> Path:
    """Return the program of a target, built if a source is newer."""
    folder = BUILD / ("fuzzer" if fuzzer else "replay")
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        header = write_program(folder)
        newest = max(path.stat().st_mtime_ns for path in [header, *headers()])
        sources = [*kernel_sources(), HERE / "fuzz" / f"{target}.c"]
        sources += [] if fuzzer else [HERE / "fuzz" / "replay.c"]
        with ThreadPoolExecutor(max_workers=2) as pool:
            objects = list(
                pool.map(lambda path: compile_one(path, folder, fuzzer, newest), sources)
            )
        program = folder / target
        link = ["clang++" if fuzzer else "c++", *objects, "-o", program]
        run([*link, f"-fsanitize={SANITIZERS}{',fuzzer' if fuzzer else ''}"])
    return program


def kernel_sources() -> list[Path]:
    """Return the kernel's C and C++ files."""
    return sorted([*(ROOT / "kernel").glob("*.c"), *(ROOT / "kernel").glob("*.cpp")])


def headers() -> list[Path]:
    """Return what every source may include."""
    return [*(ROOT / "kernel").glob("*.h"), *(HERE / "fuzz").glob("*.h")]


def compile_one(source: Path, folder: Path, fuzzer: bool, newest: int) -> Path:
    """Compile one source unless its object is newer."""
    made = folder / f"{source.parent.name}-{source.stem}.o"
    if made.exists() and made.stat().st_mtime_ns > max(newest, source.stat().st_mtime_ns):
        return made
    compilers = {".c": "clang", ".cpp": "clang++"} if fuzzer else {".c": "cc", ".cpp": "c++"}
    sanitize = f"-fsanitize={SANITIZERS}{',fuzzer-no-link' if fuzzer else ''}"
    where = [f"-I{ROOT / 'kernel'}", f"-I{HERE / 'fuzz'}", f"-I{folder}"]
    language = LANGUAGES[source.suffix]
    flags = [language, *FLAGS, sanitize, *(FUZZER_FLAGS if fuzzer else [])]
    run([compilers[source.suffix], *flags, *where, "-c", source, "-o", made])
    return made


def write_program(folder: Path) -> Path:
    """Write program.h: the rules' program as the fold target includes it."""
    rules = Rules.parse((HERE / "fuzz" / "rules.toml").read_text("utf-8"))
    numbers = ",".join(str(byte) for byte in rules.program)
    counts = f"PROGRAM_DOCUMENTS = {len(rules.documents)}, PROGRAM_TERMS = {len(rules.terms)}"
    text = f"enum {{ {counts} }};\nstatic const uint8_t program[] = {{{numbers}}};\n"
    header = folder / "program.h"
    if not header.exists() or header.read_text("ascii") != text:
        header.write_text(text, encoding="ascii")
    return header


def inputs(target: str, folder: Path) -> list[Path]:
    """Return a target's corpus; rules become programs in `folder`."""
    found = []
    more = [HERE / "fuzz" / "rules.toml", HERE / "example.toml"] if target == "program" else []
    for path in [*sorted((CORPUS / target).iterdir()), *more]:
        if path.suffix == ".toml":
            program = folder / path.stem
            program.write_bytes(Rules.parse(path.read_text("utf-8")).program)
            path = program
        found.append(path)
    return found


def run(command: list[str | Path]) -> None:
    """Run a compiler; what it said becomes the failure."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
