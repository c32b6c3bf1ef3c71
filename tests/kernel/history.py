"""The versions of a file in a real fleet's history, for diff and merge3."""

import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from goodneighbor.kernel import JsonRejected, Rules, canonical

FLEET = Rules.parse("""
[documents.agents]
path = "state/agents.json"
root = "agents"
[documents.agents.fields]
post_count = "sum"
comment_count = "sum"
karma = "sum"
heartbeat_last = "max"
joined = "first"
subscribed_channels = "set"
"traits/*" = "max"
[documents.channels]
path = "state/channels.json"
root = "channels"
[documents.channels.fields]
post_count = "sum"
[documents.stats]
path = "state/stats.json"
kind = "record"
[documents.stats.fields]
total_posts = "sum"
last_updated = "max"
""")


def history(bundle: Path, tree: Path, path: str) -> list[bytes]:
    """Read all versions of a file, oldest first; those that conflict markers broke are left out.

    `tree` is where the bundle is cloned to, unless it has been.
    """
    git = ["git", "-C", str(tree)]
    if not tree.is_dir():
        subprocess.run(["git", "clone", "--quiet", str(bundle), str(tree)], check=True)
    log = [*git, "log", "--reverse", "--format=%H", "--", path]
    commits = subprocess.run(log, capture_output=True, check=True).stdout.decode().split()
    asked = "".join(f"{commit}:{path}\n" for commit in commits).encode()
    batch = [*git, "cat-file", "--batch"]
    answer = subprocess.run(batch, input=asked, capture_output=True, check=True).stdout
    return list(parsed(blobs(answer)))


def blobs(answer: bytes) -> Iterator[bytes]:
    while answer:
        head, _, rest = answer.partition(b"\n")
        size = int(head.split()[2])
        yield rest[:size]
        answer = rest[size + 1 :]


def parsed(texts: Iterable[bytes]) -> Iterator[bytes]:
    for text in texts:
        try:
            yield canonical(text)
        except JsonRejected:
            assert b"<<<<<<<" in text
