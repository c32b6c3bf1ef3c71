"""neighbor.toml -> checked rules and the program that the fold runs.

A rules file is taken whole or refused whole, with the line and the reason; nothing in it is
ignored and nothing is guessed, because the same text must fold the same way for ever. This is the
one door to the modules that import msgspec: `append` never comes here.
"""

import hashlib
import re
import tomllib
from typing import Any

import msgspec

from .document import Document, derived, documents, field_rules
from .errors import RulesInvalid
from .expression import Term
from .item import Known, items, patterns
from .lines import line_of
from .malformed import Malformed, within
from .program import Checked, encode
from .settings import branch, seconds, share, url
from .tables import ExportTable, FramesTable, IngestTable, RulesFile, rules_file
from .template import Own, Reference, template

TEXT_BYTES_MAX = 256 * 1024  # keeps every count of the program within its two bytes
REOPEN_MAX = 2**31 - 1
_TOML_SAID = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)


class Frames(msgspec.Struct, frozen=True):
    """How long a close waits for missing streams, and over how many closes late events may come."""

    wait_s: float
    reopen: int


class Export(msgspec.Struct, frozen=True):
    """What an export does in git; `max_loss` is a share of a document's entities."""

    commit: bool
    branch: str
    max_loss: float
    log: bool
    skip_ci: bool


class Ingest(msgspec.Struct, frozen=True):
    """Templates over a delta that lacks its stream or frame; None: it must have them."""

    stream: str | None
    frame: str | None


class Rules(msgspec.Struct, frozen=True):
    """A rules file that passed every check."""

    text: str
    digest: bytes  # SHA-256 of the text's UTF-8
    program: bytes  # see program.py
    documents: tuple[Document, ...]  # in the file's order
    frames: Frames
    export: Export
    ingest: Ingest
    store_url: str | None
    terms: tuple[Term, ...]  # distinct, of all derived fields
    sources: tuple[str, ...]  # what each of the [[items]] names in `each`
    worktree: dict[str, Any]
    runs: dict[str, dict[str, Any]]
    doctor: dict[str, Any]

    @staticmethod
    def parse(text: str) -> "Rules":
        """Read a rules file. Raises: RulesInvalid, with the line where one can be named."""
        try:
            return _rules(text, rules_file(_toml(text)))
        except Malformed as malformed:
            raise RulesInvalid(line_of(text, malformed.place), malformed.reason) from malformed


def _toml(text: str) -> dict[str, Any]:
    _refuse_text(text)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax(text, str(error)) from error
    except (RecursionError, ValueError) as error:
        # Arrays a thousand deep; integers of more digits than Python reads, years beyond 9999.
        raise RulesInvalid(None, f"not TOML that can be read ({error})") from error


def _refuse_text(text: str) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise RulesInvalid(line, "not UTF-8") from error
    if size > TEXT_BYTES_MAX:
        raise RulesInvalid(None, f"{size} bytes, more than {TEXT_BYTES_MAX}")


def _syntax(text: str, said: str) -> RulesInvalid:
    found = _TOML_SAID.fullmatch(said)
    if found is None:
        return RulesInvalid(None, f"not TOML: {said}")
    if found[2] is None:
        return RulesInvalid(text.rstrip("\n").count("\n") + 1, f"not TOML: {found[1]} at the end")
    return RulesInvalid(int(found[2]), f"not TOML: {found[1]} at column {found[3]}")


def _rules(text: str, file: RulesFile) -> Rules:
    found = documents(file.documents)
    totals = {name: derived(document, found) for name, document in found.items()}
    known = Known(found, totals)
    rules = items(file.items, known)
    checked = Checked(
        documents=found,
        fields={name: field_rules(document) for name, document in found.items()},
        derived=totals,
        items=rules,
        allow=patterns(file.ops.allow, known),
    )
    return Rules(
        text=text,
        digest=hashlib.sha256(text.encode()).digest(),
        program=encode(checked),
        documents=tuple(found.values()),
        frames=_frames(file.frames),
        export=_export(file.export),
        ingest=_ingest(file.ingest),
        store_url=_store_url(file),
        terms=checked.terms(),
        sources=tuple(rule.each for rule in rules),
        worktree=msgspec.structs.asdict(file.worktree),
        runs=file.runs,
        doctor=msgspec.structs.asdict(file.doctor),
    )


def _frames(table: FramesTable) -> Frames:
    with within("frames", "wait"):
        wait_s = seconds(table.wait)
    if not 0 <= table.reopen <= REOPEN_MAX:
        raise Malformed(f"`reopen` is from 0 to {REOPEN_MAX}", "frames", "reopen")
    return Frames(wait_s, table.reopen)


def _export(table: ExportTable) -> Export:
    with within("export", "branch"):
        name = branch(table.branch)
    with within("export", "max_loss"):
        max_loss = share(table.max_loss)
    return Export(table.commit, name, max_loss, table.log, table.skip_ci)


def _ingest(table: IngestTable) -> Ingest:
    for name, text in (("stream", table.stream), ("frame", table.frame)):
        with within("ingest", name):
            _refuse_own_names(text)
    return Ingest(table.stream, table.frame)


def _refuse_own_names(text: str | None) -> None:
    if text is None:
        return
    references = [part for part in template(text).parts if isinstance(part, Reference)]
    for own in (name for reference in references for name in reference.alternatives):
        if isinstance(own, Own):
            raise Malformed(f"`{text}`: what lacks its stream or frame has no `@{own.name}`")


def _store_url(file: RulesFile) -> str | None:
    with within("store", "url"):
        return None if file.store.url is None else url(file.store.url)
