"""`neighbor append`: keep deltas, and return when they are durable.

The arguments are read by hand: a stream starts this process for every delta, and click alone
costs more than the append. `append_command.py` declares the same options to click, for `--help`
and completion. Of many pieces a bad one costs only itself: its bytes go to quarantine, the others
are kept, and the exit code is 3.
"""

import os
import sys

from ..kernel import canonical
from ..kernel.errors import DeltaRejected
from ..store.append import Appended, append_many
from ..store.clock import Clock
from ..store.delta import FRAME_MAX, check, complete
from ..store.errors import NotAStore, StoreMissing, StoreUnwritable
from ..store.members import members
from . import place
from .errors import FileUnreadable, NotARepository, UsageInvalid

TYPE_CHECKING = False  # typing costs more than this module
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..store.store import Store
    from .ingest import Ingest

INPUT_SIZE_MAX = 2**30  # of one call; a single delta is bounded at 16 MiB
LISTED_MAX = 20
TAKES_VALUE = {"--frame": True, "--stream": True, "--op": True, "--json": False}
HELP = "`neighbor append --help` shows how it is used."


class Arguments:
    """What the command line and the environment say about an append."""

    __slots__ = ("as_json", "file", "frame", "operations", "stream")

    def __init__(
        self,
        file: str | None = None,  # None and "-": standard input
        frame: int | None = None,
        stream: str | None = None,
        operations: tuple[str, ...] = (),
        as_json: bool = False,
    ) -> None:
        self.file = file
        self.frame = frame
        self.stream = stream
        self.operations = operations
        self.as_json = as_json


def run_append(words: list[str]) -> int:
    """Run one `neighbor append` and return its exit code."""
    return append(read_arguments(words, os.environ))


def read_arguments(words: list[str], environment: "Mapping[str, str]") -> Arguments:
    """Read the words after `append`; what they leave open comes from NEIGHBOR_*.

    Raises:
        UsageInvalid: an option is unknown, lacks its value, or does not go with another.
    """
    options, files = _cut(words)
    operations = tuple(options.get("--op", ()))
    if len(files) > 1:
        raise UsageInvalid(f"append takes one FILE; these are {len(files)}. {HELP}")
    if files and operations:
        raise UsageInvalid(f"append takes a FILE or --op, not both. {HELP}")
    return Arguments(
        file=files[0] if files else None,
        frame=_frame(options, environment),
        stream=options.get("--stream", [environment.get("NEIGHBOR_STREAM") or None])[-1],
        operations=operations,
        as_json="--json" in options,
    )


def append(arguments: Arguments) -> int:
    """Append what the arguments name; say what was kept, and on stderr what was not.

    Where the mailbox cannot be written and `run` gave the stream a folder of its own
    (NEIGHBOR_DELTAS), they are kept there as files.

    Raises:
        UsageInvalid, FileUnreadable, NotARepository, StoreMissing, StoreUnwritable: nothing of it
            was kept.
        NoteWaits: the store's server is away; all of it is kept here, and sent later.
    """
    folder = os.environ.get("NEIGHBOR_DELTAS")
    store, why = None, ""
    try:
        store = place.here().open_store()  # or it says what is there instead
    except (NotARepository, StoreMissing, NotAStore, PermissionError) as missing:
        if not folder:
            raise
        why = str(missing)
    pieces = _pieces(arguments)
    clock = Clock() if store is None else store.clock
    ready = [_completed(piece, arguments, clock.tick()) for piece in pieces]
    results = None
    if store is not None:
        try:
            results = _keep(store, ready, arguments)
        except StoreUnwritable as unwritable:
            if not folder:
                raise
            why = str(unwritable)
    if results is None:
        assert folder, "or it was raised"
        results = _leave(folder, ready, arguments, why)
    if arguments.as_json:
        _print_json(ready, results)
    else:
        _print(results)
    for error in results:
        if isinstance(error, DeltaRejected):
            print(_said(error), file=sys.stderr)
    return 3 if any(isinstance(each, DeltaRejected) for each in results) else 0


def _keep(
    store: "Store", ready: list[bytes], arguments: Arguments
) -> "list[Appended | DeltaRejected]":
    with store:
        return append_many(store.writer(), ready, frame=arguments.frame, stream=arguments.stream)


def _leave(
    folder: str, ready: list[bytes], arguments: Arguments, why: str
) -> "list[Appended | DeltaRejected]":
    """Keep deltas in the stream's own folder, and say so."""
    from .append_files import leave

    results = leave(folder, ready, frame=arguments.frame, stream=arguments.stream)
    print(
        f"{why.splitlines()[0]}\nSo they are kept as files in {folder}; `neighbor run` collects "
        "them when the stream ends. Do not send them again.",
        file=sys.stderr,
    )
    return results


def _cut(words: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Tell options (with their values, in order) from files."""
    options: dict[str, list[str]] = {}
    files: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            files += rest
        elif word == "-" or not word.startswith("-"):
            files.append(word)
        else:
            name, equals, value = word.partition("=")
            if name not in TAKES_VALUE:
                raise UsageInvalid(f"append has no option {name}. {HELP}")
            if equals and not TAKES_VALUE[name]:
                raise UsageInvalid(f"{name} takes no value. {HELP}")
            if TAKES_VALUE[name] and not equals:
                value = next(rest, "")
                if not value:
                    raise UsageInvalid(f"{name} needs a value. {HELP}")
            options.setdefault(name, []).append(value)
    return options, files


def _frame(options: dict[str, list[str]], environment: "Mapping[str, str]") -> int | None:
    name, text = "--frame", options.get("--frame", [""])[-1]
    if "--frame" not in options:
        name, text = "NEIGHBOR_FRAME", environment.get("NEIGHBOR_FRAME", "")
        if not text:
            return None
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= FRAME_MAX):
        raise UsageInvalid(f"{name} is {text!r}; it must be an integer from 0 to {FRAME_MAX}.")
    return int(text)


def _pieces(arguments: Arguments) -> list[bytes]:
    """Read the deltas as they came, not yet checked."""
    if arguments.operations:
        import json

        from .operation import read_operation

        operations = [read_operation(text) for text in arguments.operations]
        return [json.dumps({"ops": operations}).encode(errors="surrogatepass")]
    data = _read(arguments.file)
    if data.lstrip()[:1] == b"{" and data.count(b"\n", 0, len(data.rstrip())) == 0:
        return [data]  # one object on one line, as nearly all are
    from .split import split

    pieces = split(data)
    if not pieces and not data.strip():
        raise UsageInvalid(f"{arguments.file or 'standard input'} is empty: nothing was appended.")
    return pieces


def _read(file: str | None) -> bytes:
    if file is None or file == "-":
        if sys.stdin.isatty():
            print("Reading a delta from the terminal; Ctrl-D ends it.", file=sys.stderr)
        data = sys.stdin.buffer.read(INPUT_SIZE_MAX + 1)
    else:
        data = _read_file(file)
    if len(data) > INPUT_SIZE_MAX:
        raise UsageInvalid(f"More than {INPUT_SIZE_MAX >> 20} MiB in one call; send it in parts.")
    return data


def _read_file(file: str) -> bytes:
    try:
        with open(file, "rb") as opened:
            return opened.read(INPUT_SIZE_MAX + 1)
    except OSError as error:
        raise FileUnreadable(file, error.strerror or type(error).__name__) from error


def _completed(piece: bytes, arguments: Arguments, utc_us: int) -> bytes:
    """Complete a delta; one that cannot become an event stays as it came, for quarantine."""
    frame, stream = arguments.frame, arguments.stream
    try:
        if frame is None or stream is None:
            there = members(canonical(piece, "compact"))
            if frame is None and b"frame" not in there:
                frame = _ingest().frame(piece)
            if stream is None and b"stream_id" not in there:
                stream = _ingest().stream(piece)
        completed = complete(piece, frame=frame, stream=stream, utc_us=utc_us)
        return check(completed).body
    except DeltaRejected:
        return piece


def _ingest() -> "Ingest":
    """Return the `[ingest]` templates of the rules in force; read only when a delta lacks both."""
    from .ingest import ingest_in_force

    return ingest_in_force(place.here())


def _print(results: list[Appended | DeltaRejected]) -> None:
    kept = [each for each in results if isinstance(each, Appended)]
    for each in kept[:LISTED_MAX]:
        print(f"{each.id}  frame {each.frame}  {each.stream}")
    if len(kept) > LISTED_MAX:
        print(f"and {len(kept) - LISTED_MAX:,} more")
    if not results:
        print("The array is empty: no delta.")


def _said(error: DeltaRejected) -> str:
    return f"Refused ({error.reason}): {error}\nIts bytes are kept: `neighbor quarantine list`."


def _print_json(ready: list[bytes], results: list[Appended | DeltaRejected]) -> None:
    import orjson

    from .answer import print_json

    appended = []
    rejected = []
    for delta, each in zip(ready, results, strict=True):
        if isinstance(each, DeltaRejected):
            rejected.append({"reason": each.reason, "position": each.position, "text": str(each)})
        else:
            body = orjson.Fragment(delta)
            appended.append(
                {"id": each.id, "frame": each.frame, "stream": each.stream, "delta": body}
            )
    print_json({"appended": appended, "rejected": rejected})
