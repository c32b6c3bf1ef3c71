"""A real store, played by the conformance runner."""

from collections.abc import Mapping
from pathlib import Path

from goodneighbor.kernel import Rules, canonical
from goodneighbor.store import DeltaRejected, Edit, EditRefused, Store


class Player:
    """One case against a store in a folder of its own; see `tests/kernel/conformance.py`."""

    def __init__(
        self,
        folder: Path,
        rules_text: str,
        base: Mapping[str, str] | None,
        url: str | None = None,
    ) -> None:
        files = {name: text.encode() for name, text in (base or {}).items()}
        self.store = Store.create(folder / "goodneighbor", rules_text, files, url=url)
        self.root = folder / "tree"
        self.root.mkdir()

    def append(self, raw: bytes) -> None:
        try:
            self.store.append(raw)
        except DeltaRejected:
            return  # it is in the mailbox all the same, on its way to quarantine

    def close(self, frame: int, expect: list[str], rules_text: str | None = None) -> None:
        self.store.close_frame(frame, expect=expect, rules_text=rules_text)

    def absorb(self, document: str, body: bytes) -> None:
        try:
            self.store.absorb(Edit(document, body))
        except EditRefused:
            return  # an edit that is refused changes nothing

    @property
    def quarantined(self) -> int:
        self.store.drain()
        return self.store.status().quarantined

    @property
    def copies(self) -> int:
        self.store.drain()
        return self.store.status().copies

    def documents(self) -> dict[str, str]:
        """Give what an export writes; of documents without a path, what the store holds."""
        ruled = Rules.parse(self.store.rules_text()).documents
        exported = self.store.export(self.root, allow_loss={each.name for each in ruled})
        assert not exported.refused
        assert not exported.saved
        texts = {}
        for each in ruled:
            held = self.store.document(each.name)
            if each.path is None:
                texts[each.name] = canonical(held, "compact", depth_max=0, size_max=0).decode()
            else:
                file = self.root / each.path
                texts[each.name] = file.read_text("utf-8") if file.exists() else held.decode()
                assert texts[each.name].encode() == held
        return texts

    def state_digest(self) -> str:
        return self.store.state_digest()

    def frames(self) -> dict[int, dict[str, int]]:
        return {
            row.frame: {
                "in": row.sums.units_in,
                "applied": row.sums.applied,
                "duplicate": row.sums.duplicate,
                "skipped": row.sums.skipped,
            }
            for row in self.store.frames()
            if row.sums.units_in
        }
