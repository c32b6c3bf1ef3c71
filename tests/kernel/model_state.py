"""A state of the reference model, and what is read off it: derived fields, documents, the digest.

{document: {key: value}}; a record's key is "", that of the members beside a root is "@", a removed
entity is REMOVED.
"""

import hashlib
from typing import Any

from .model_json import ABSENT, REMOVED, compact, in_range, is_integer, pretty
from .model_rules import Document, Rules, Term
from .model_template import look_up

State = dict[str, dict[str, Any]]
BESIDE_ROOT = "@"


def derive(state: State, rules: Rules) -> None:
    for document in rules.documents.values():
        rows = state.setdefault(document.name, {})
        key = "" if document.is_record else BESIDE_ROOT
        for path, terms in document.derive.items():
            total = sum(value_of(state, rules, term) for term in terms)
            rows[key] = with_value(rows.get(key, {}), path, total if in_range(total) else None)


def value_of(state: State, rules: Rules, term: Term) -> int:
    if not term.document:
        return term.constant
    total = 0
    for entity in entities(state, rules.documents[term.document]).values():
        if term.path:
            value = look_up(entity, term.path)
            total += value if is_integer(value) else 0
        elif term.where is None:
            total += 1
        else:
            value = look_up(entity, term.where.path)
            total += value is not ABSENT and compact(value) == compact(term.where.literal)
    return total


def with_value(value: Any, path: tuple[str, ...], new: Any) -> Any:
    if not path:
        return new
    members = value if isinstance(value, dict) else {}
    return {**members, path[0]: with_value(members.get(path[0]), path[1:], new)}


def entities(state: State, document: Document) -> dict[str, Any]:
    """Give the living entities of a document, without the members beside its root."""
    return {
        key: value
        for key, value in state.get(document.name, {}).items()
        if value is not REMOVED and not (document.root is not None and key == BESIDE_ROOT)
    }


def whole(state: State, document: Document) -> dict[str, Any]:
    """Give a document as its file holds it."""
    rows = state.get(document.name, {})
    if document.is_record:
        record: dict[str, Any] = rows.get("", {})
        return record
    members = entities(state, document)
    if document.root is None:
        return members
    return {**rows.get(BESIDE_ROOT, {}), document.root: members}


def documents(state: State, rules: Rules) -> dict[str, str]:
    """Write every document: an exported one pretty, one without a path compact."""
    return {
        name: (compact if each.path is None else pretty)(whole(state, each)).decode()
        for name, each in rules.documents.items()
    }


def state_digest(state: State) -> str:
    total = 0
    for document, rows in state.items():
        for key, value in rows.items():
            if value is not REMOVED:
                names = b"".join(
                    len(part).to_bytes(4, "big") + part
                    for part in (document.encode(), key.encode())
                )
                total += int.from_bytes(hashlib.sha256(names + compact(value)).digest(), "big")
    return f"{total % 2**256:064x}"
