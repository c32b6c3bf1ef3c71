"""The demo's scratch repository: a small site, and the program its four streams run."""

import json
import shlex
import sys
from pathlib import Path

from .git import Git

AGENTS = ("ada", "bob", "cyd", "dee")
STREAMS = ("stream-1", "stream-2", "stream-3", "stream-4")
FRAMES = 5
TWICE_FRAME, GARBAGE_FRAME, SILENT_FRAME = 2, 3, 4

# One stream's turn: plain sh, as rule 8 asks.
AGENT_SH = f"""\
#!/bin/sh
set -eu
frame=$NEIGHBOR_FRAME
stream=${{NEIGHBOR_STREAM#stream-}}
author=$(printf '%s\\n' {" ".join(AGENTS)} | sed -n "${{stream}}p")
number=$((frame * 10 + stream))
now=2026-03-28T03:0$frame:0${{stream}}Z

delta() {{
  cat <<END
{{"utc": "$now",
 "posts_created": [{{"number": $number, "author": "$author", "channel": "general",
                    "title": "Frame $frame, as $author saw it"}}],
 "comments_added": [{{"comment_id": "c$number", "post_number": $((number - 10)),
                     "author": "$author", "body": "I have read it."}}],
 "observations": ["quiet", "warm"]}}
END
}}

case $stream.$frame in
  2.{TWICE_FRAME}) delta | neighbor append; delta | neighbor append ;;  # a retry
  3.{GARBAGE_FRAME}) printf '<<<<<<< Updated\\n{{"posts_created": [\\n' | neighbor append ;;
  4.{SILENT_FRAME}) ;;  # says nothing at all
  *) delta | neighbor append ;;
esac
"""


def make_site(folder: Path) -> Path:
    """Make a git repository with three documents and the streams' program; return its tree."""
    tree = folder / "site"
    state = tree / "state"
    state.mkdir(parents=True)
    for name, value in _documents().items():
        (state / f"{name}.json").write_text(json.dumps(value, indent=4) + "\n", encoding="utf-8")
    (tree / "agent.sh").write_text(AGENT_SH, encoding="utf-8")
    (tree / "agent.sh").chmod(0o755)
    git = Git(tree)
    git.call("init", "--quiet", "--initial-branch=main")
    git.call("config", "user.name", "neighbor demo")
    git.call("config", "user.email", "demo@localhost")
    git.commit_only(["agent.sh", "state"], "A small site")
    return tree


def make_program(folder: Path) -> Path:
    """Write a `neighbor` for PATH that runs this very installation; return it."""
    program = folder / "neighbor"
    python = shlex.quote(sys.executable)
    program.write_text(f'#!/bin/sh\nexec {python} -m goodneighbor.cli "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return program


def _documents() -> dict[str, object]:
    joined = "2026-03-01T08:00:00Z"
    agents = {
        name: {
            "name": name.title(),
            "status": "active",
            "joined": joined,
            "heartbeat_last": joined,
            "post_count": 0,
            "comment_count": 0,
            "karma": 10,
        }
        for name in AGENTS
    }
    return {
        "agents": {"agents": agents, "_meta": {"version": 1}},
        "channels": {"channels": {"general": {"name": "General", "post_count": 0}}},
        "stats": {"total_posts": 0, "total_comments": 0, "last_updated": joined},
    }
