"""`neighbor merge-file BASE OURS THEIRS PATH`: what git's merge driver asks for a document.

By the rules in the log, two edits of a document become one: counters add, sets unite, different
fields coexist. Exit code 0: OURS holds the result. Any other: OURS is as it was, and the script
that called (`cli/hooks/merge-file.sh`) leaves both versions in it between markers. Only git
calls it, so it goes without click.
"""

import sys
from pathlib import Path

from ..kernel import Rules, merge3
from . import place
from .errors import UsageInvalid
from .exits import DONE, FOUND

SHOWN_MAX = 10


def run_merge_file(words: list[str]) -> int:
    """Merge one document; refusals of the kernel (a side does not parse) come as its errors."""
    if len(words) != 4:
        raise UsageInvalid("`neighbor merge-file BASE OURS THEIRS PATH` is for git to call.")
    base, ours, theirs = (Path(word) for word in words[:3])
    rules = Rules.parse(place.here().open_store().rules_text())
    document = next((each.name for each in rules.documents if each.path == words[3]), None)
    if document is None:
        print(f"{words[3]}: not a document of the rules in force", file=sys.stderr)
        return FOUND
    merged = merge3(rules, document, base.read_bytes(), ours.read_bytes(), theirs.read_bytes())
    for conflict in merged.conflicts[:SHOWN_MAX]:
        print(f"{words[3]}: both sides changed {conflict.path}", file=sys.stderr)
    if merged.conflicts:
        return FOUND
    ours.write_bytes(merged.text)
    return DONE
