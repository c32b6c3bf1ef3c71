"""What each ratio has to be at least, and what it aims at: section 14 of the design."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Promise:
    """One ratio's bounds; most are better when larger."""

    least: float
    aim: float
    unit: str = "x"
    smaller_is_better: bool = False

    def is_kept(self, ratio: float) -> bool:
        """Say whether the ratio is as good as promised."""
        return ratio <= self.least if self.smaller_is_better else ratio >= self.least

    def verdict(self, ratio: float) -> str:
        """Return the ratio with its bounds, and whether it is below target."""
        how = "at most" if self.smaller_is_better else "at least"
        said = "kept" if self.is_kept(ratio) else "BELOW TARGET"
        unit = self.unit
        return f"{ratio:8.2f}{unit}  {how} {self.least:.3g}{unit}, aim {self.aim:.3g}{unit}: {said}"


PROMISES = {
    "fold_vs_orjson": Promise(4, 10),
    "fold_vs_python": Promise(12, 30),
    "emit_vs_orjson": Promise(2.5, 5),
    "emit_clean_vs_orjson": Promise(20, 40),
    "memory_vs_dicts": Promise(1 / 3, 1 / 6, smaller_is_better=True),
    "replay_vs_scan": Promise(0.4, 0.9),
    "append_vs_direct": Promise(2.5, 10),
    "append_vs_eventsourcing": Promise(4, 10),
    "close_growth": Promise(1.5, 1.1, smaller_is_better=True),
    "cli_append_vs_python": Promise(4, 2.5, smaller_is_better=True),
    "hook_ms": Promise(20, 8, unit=" ms", smaller_is_better=True),
}
