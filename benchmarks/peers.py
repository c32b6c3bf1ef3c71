"""Other libraries doing the workload's counters and registers, where they are installed.

Loro and pycrdt keep what a merge between replicas needs, which the kernel does not; jq is a process
that reads text. They are here to show the order of magnitude, on fewer deltas, since the whole
workload takes them minutes. None of them orders events, checks for duplicates or writes receipts.
"""

import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import orjson
from measure import Contender
from workload import Workload

CRDT_DELTAS = 2_000
JQ_DELTAS = 1_000
ROUNDS = 3
JQ_PROGRAM = """
reduce inputs as $d ({};
  reduce $d.posts_created[] as $p (.;
    .posts[$p.number | tostring] = $p
    | .stats.total_posts += 1
    | .channels[$p.channel].post_count += 1
    | .agents[$p.author].post_count += 1
    | (.agents[$p.author].heartbeat_last as $seen
      | .agents[$p.author].heartbeat_last = ([$seen, $p.created_at] | max)))
  | reduce $d.comments_added[] as $c (.;
    .stats.total_comments += 1
    | .agents[$c.author].comment_count += 1
    | (.agents[$c.author].heartbeat_last as $seen
      | .agents[$c.author].heartbeat_last = ([$seen, $c.created_at] | max)))
  | .stats.last_updated = ([.stats.last_updated, $d.utc] | max))
| .stats
"""

Writes = list[tuple[str, str, str, Any]]  # document, entity, field, value; a number is added


def contenders(workload: Workload) -> tuple[list[Contender], list[str]]:
    """Return the peers that are installed, and what to say of those that are not."""
    deltas = [orjson.loads(body) for body in workload.bodies()[:CRDT_DELTAS]]
    writes = [list(_writes(delta)) for delta in deltas]
    found: list[Contender] = []
    missing: list[str] = []
    for name, prepare, run in (("loro", _loro, _run_loro), ("pycrdt", _pycrdt, _run_pycrdt)):
        if find_spec(name) is None:
            missing.append(f"{name} is not installed: pip install 'goodneighbor[bench]'")
            continue
        scaled = f"{name} ({len(writes):,} deltas, parsed before)"
        found.append(Contender(scaled, _over(run, writes), len(writes), prepare, ROUNDS))
    if shutil.which("jq") is None:
        missing.append("jq is not installed: apt-get install jq")
    else:
        found.append(_jq(workload.bodies()[:JQ_DELTAS]))
    return found, missing


def _over(run: Callable[[Any, list[Writes]], None], writes: list[Writes]) -> Callable[[Any], None]:
    return lambda document: run(document, writes)


def _writes(delta: dict[str, Any]) -> Iterator[tuple[str, str, str, Any]]:
    for post in delta["posts_created"]:
        yield "stats", "", "total_posts", 1
        yield "channels", post["channel"], "post_count", 1
        yield "agents", post["author"], "post_count", 1
        yield "agents", post["author"], "heartbeat_last", post["created_at"]
    for comment in delta["comments_added"]:
        yield "stats", "", "total_comments", 1
        yield "agents", comment["author"], "comment_count", 1
        yield "agents", comment["author"], "heartbeat_last", comment["created_at"]
    yield "stats", "", "last_updated", delta["utc"]


def _loro() -> Any:
    return import_module("loro").LoroDoc()


def _run_loro(document: Any, writes: list[Writes]) -> None:
    counters: dict[str, Any] = {}
    registers = document.get_map("registers")
    for delta in writes:
        for *where, value in delta:
            name = ".".join(where)
            if isinstance(value, int):
                if name not in counters:
                    counters[name] = document.get_counter(name)
                counters[name].increment(value)
                continue
            seen = registers.get(name)
            if seen is None or value > seen.value:
                registers.insert(name, value)
        document.commit()


def _pycrdt() -> Any:
    pycrdt = import_module("pycrdt")
    document = pycrdt.Doc()
    document["fields"] = pycrdt.Map()
    return document


def _run_pycrdt(document: Any, writes: list[Writes]) -> None:
    fields = document["fields"]
    for delta in writes:
        with document.transaction():
            for *where, value in delta:
                name = "/".join(where)
                seen = fields.get(name)
                if isinstance(value, int):
                    fields[name] = (seen or 0) + value
                elif seen is None or value > seen:
                    fields[name] = value


def _jq(bodies: list[bytes]) -> Contender:
    lines = b"\n".join(bodies)

    def run(_: object) -> None:
        subprocess.run(
            ["jq", "-nc", JQ_PROGRAM], input=lines, stdout=subprocess.DEVNULL, check=True
        )

    name = f"jq ({len(bodies):,} deltas)"
    return Contender(name, run, len(bodies), rounds=ROUNDS, clock=_children_time)


def _children_time() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
