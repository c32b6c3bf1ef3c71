"""The documents' files in a working tree, read only when the store asks for one.

A close hands them over in case the rules name a document for the first time; nearly always none is
read (law 6). A path that crosses a symlink could lead out of the tree and counts as no file.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from ..kernel import Rules
from ..kernel.errors import RulesInvalid


class DocumentFiles(Mapping[str, bytes]):
    """Document name -> bytes of its file, for the documents that a rules text gives a path."""

    def __init__(self, tree: Path, rules_text: str | None) -> None:
        self._files: dict[str, Path] = {}
        if rules_text is None:
            return
        try:
            documents = Rules.parse(rules_text).documents
        except RulesInvalid:
            return  # the close says so, and keeps the rules in force
        for document in documents:
            if document.path is not None and is_inside(tree, document.path):
                self._files[document.name] = tree / document.path

    def __getitem__(self, name: str) -> bytes:
        return self._files[name].read_bytes()

    def __contains__(self, name: object) -> bool:
        return name in self._files

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def is_inside(tree: Path, path: str) -> bool:
    """Tell whether a path is a regular file in the tree, with no symlink on its way."""
    place = tree
    for part in path.split("/"):
        place = place / part
        if place.is_symlink():
            return False
    return place.is_file()
