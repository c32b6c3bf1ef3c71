"""Fixtures every test may use.

A test that writes a store takes it from here: when the test is over, the store's own `verify` must
find nothing wrong with it.
"""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from . import fleet, memory

if TYPE_CHECKING:
    from goodneighbor.store import Store

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"


TOLD = "told at the end"

memory.work_there()

# A run in the background (`&`, nohup) starts with INT or HUP ignored, and all that it starts would
# ignore them too: tests that send one would wait for ever.
for number, handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)

# A busy machine fails no test: how long an example takes is nobody's promise.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Say something at the end of the whole run, from whatever process the test is in."""
    return partial(record_property, TOLD)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests had to tell."""
    for report in terminalreporter.getreports("passed"):
        for name, text in report.user_properties:
            if name == TOLD:
                terminalreporter.section(report.nodeid)
                terminalreporter.write_line(str(text))


@pytest.fixture
def shared_data() -> Path:
    """The folder of real data beside the checkout; the test is skipped where it is missing."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the real data is not here: no folder {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    """The engine under a test's stores; tests/store asks for both."""
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture
def new_url(engine: str) -> Iterator[Callable[[], str | None]]:
    """Give a url for each new store: None on SQLite, else a database of its own on a server."""
    if engine == "sqlite":
        yield lambda: None
        return
    from . import postgres

    made: list[str] = []

    def new() -> str:
        made.append(postgres.server().new_store())
        return made[-1]

    yield new
    for url in made:
        postgres.server().drop(url)


def pytest_sessionfinish() -> None:
    """Stop the PostgreSQL server of this process, if a test started one."""
    if postgres := sys.modules.get(f"{__package__}.postgres"):
        postgres.stop()


@pytest.fixture
def make_store(
    tmp_path: Path, new_url: Callable[[], str | None]
) -> "Iterator[Callable[..., Store]]":
    """Make stores from rules and base state; each is verified when the test is over."""
    from goodneighbor.store import Store  # here: the kernel's tests need no store

    made: list[Store] = []

    def make(rules: str = fleet.RULES, base: dict[str, bytes] | None = None) -> "Store":
        folder = tmp_path / f"store-{len(made)}" / "goodneighbor"
        folder.parent.mkdir()
        given = fleet.BASE if base is None else base
        made.append(Store.create(folder, rules, given, url=new_url()))
        return made[-1]

    yield make
    for store in made:
        assert store.verify() == []
        store.close()


@pytest.fixture
def store(make_store: "Callable[..., Store]") -> "Store":
    """A store with the small fleet's rules and base state, verified when the test is over."""
    return make_store()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty git repository with an identity, cut off from the user's own git configuration."""
    for name, value in {
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_AUTHOR_EMAIL": "ada@example.org",
        "GIT_COMMITTER_NAME": "Ada",
        "GIT_COMMITTER_EMAIL": "ada@example.org",
    }.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "site"
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", folder], check=True)
    return folder
