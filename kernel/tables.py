"""The shapes of neighbor.toml's tables, as written; what they mean is checked in `check.py`.

Every table refuses keys it does not know: a misspelt setting must not pass for its default.
Tables of commands (`worktree`, `runs`, `doctor`) are checked for their names here; the commands
read their values.
"""

import re
from typing import Any, Literal, TypeVar

import msgspec

from .malformed import Malformed, Place, within

Table = TypeVar("Table")
FIELD_RULES = ("last", "sum", "max", "min", "first", "set")  # in the program's order


class Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table that knows its keys."""


class FramesTable(Shape, frozen=True):
    wait: str = "120s"
    reopen: int = 8


class ExportTable(Shape, frozen=True):
    commit: bool = False
    branch: str = "main"
    max_loss: str = "10%"
    log: bool = True  # commits carry the log on the branch goodneighbor/log
    skip_ci: bool = True  # messages end in "[skip ci]"


class IngestTable(Shape, frozen=True):
    stream: str | None = None
    frame: str | None = None


class StoreTable(Shape, frozen=True):
    url: str | None = None


class DocumentTable(Shape, frozen=True):
    path: str | None = None
    root: str | None = None
    kind: Literal["map", "record"] = "map"
    create: Literal["explicit", "always"] | None = None
    fields: dict[str, Any] = {}
    derive: dict[str, Any] = {}


class ItemTable(Shape, frozen=True):
    each: str
    into: str | None = None
    key: list[str] = []
    when: str | None = None
    apply: list[str] = []


class OpsTable(Shape, frozen=True):
    allow: list[str] = []


class WorktreeTable(Shape, frozen=True):
    copy: tuple[str, ...] = ("state/**",)  # rule 4: what streams read and no commit holds
    max_files: int = 10_000
    max_bytes: int = 2**30
    path: str | None = None
    branch: str | None = None
    sparse: list[str] = []
    setup: str | None = None


class DoctorTable(Shape, frozen=True):
    scripts: list[str] = []


class RulesFile(Shape, frozen=True):
    """The whole file; `documents` and `runs` hold tables by name, `items` tables in order."""

    frames: FramesTable = FramesTable()
    export: ExportTable = ExportTable()
    ingest: IngestTable = IngestTable()
    store: StoreTable = StoreTable()
    ops: OpsTable = OpsTable()
    worktree: WorktreeTable = WorktreeTable()
    doctor: DoctorTable = DoctorTable()
    documents: dict[str, DocumentTable] = {}
    items: list[ItemTable] = []
    runs: dict[str, dict[str, Any]] = {}


def rules_file(table: dict[str, Any]) -> RulesFile:
    """Give the file's tables their shapes. Raises: Malformed, with the place."""
    documents = table.get("documents")
    if isinstance(documents, dict):
        # First one by one, because msgspec does not say under which name of a dict a fault lies.
        for name, document in documents.items():
            with within("documents", name):
                shaped(document, DocumentTable)
    return shaped(table, RulesFile)


def shaped(table: object, shape: type[Table]) -> Table:
    """Convert one table. Raises: Malformed, in the words of TOML."""
    try:
        return msgspec.convert(table, shape)
    except msgspec.ValidationError as error:
        raise _malformed(str(error), table) from error


def _malformed(said: str, table: Any) -> Malformed:
    reason, _, path = said.partition(" - at `$")
    steps = re.findall(r"\.([^.\[\]`]+)|\[(\d+)\]", path)
    place: Place = tuple(int(index) if index else name for name, index in steps)
    if unknown := re.search(r"unknown field `(.*)`", reason):
        for step in place:
            table = table[step]
        what = "table" if isinstance(table[unknown[1]], dict) else "key"
        return Malformed(f"unknown {what} `{unknown[1]}`", *place, unknown[1])
    if missing := re.search(r"missing required field `(.*)`", reason):
        return Malformed(f"missing key `{missing[1]}`", *place)
    reason = reason.replace("`object`", "a table").replace("`array`", "an array").replace("`", "")
    names = [step for step in place if isinstance(step, str)]
    name = f"`{names[-1]}`: " if names else ""
    return Malformed(f"{name}{reason[0].lower()}{reason[1:]}", *place)
