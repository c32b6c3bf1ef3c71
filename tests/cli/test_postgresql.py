"""The commands where the store is on a server: made there, joined, away, back."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .. import fleet, postgres
from .conftest import Neighbor


@pytest.fixture
def url(neighbor: Neighbor, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database for a store, named in the environment (which `neighbor` has just cleared)."""
    made = postgres.server().new_store()
    monkeypatch.setenv("NEIGHBOR_STORE", made)
    yield made
    postgres.server().drop(made)


@pytest.fixture
def site(url: str, repository: Path, neighbor: Neighbor, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose store is on a server."""
    (repository / "state").mkdir()
    for name, body in fleet.BASE.items():
        (repository / "state" / f"{name}.json").write_bytes(body)
    monkeypatch.chdir(repository)
    (repository / "neighbor.toml").write_text(fleet.RULES)
    neighbor("init", "--commit")
    return repository


def test_a_delta_goes_from_append_to_the_commit(site: Path, neighbor: Neighbor) -> None:
    neighbor("append", stdin=fleet.delta(1, "s1", fleet.post(1, "ada")))
    neighbor("frame", "close", "1")
    neighbor("verify")
    assert not (site / ".git" / "goodneighbor" / "store.sqlite3").exists()
    assert neighbor("status", "--json").json["events"] >= 3


def test_the_url_is_remembered_and_need_not_be_said_again(
    site: Path, neighbor: Neighbor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NEIGHBOR_STORE")
    neighbor("append", stdin=fleet.delta(1, "s1", fleet.post(1, "ada")))
    assert neighbor("drain", "--json").json["events"] == 1


def test_another_clone_joins_and_both_write_one_log(
    site: Path, neighbor: Neighbor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    neighbor("append", stdin=fleet.delta(1, "s1", fleet.post(1, "ada")))
    other = tmp_path / "other"
    subprocess.run(["git", "clone", "--quiet", site, other], check=True)
    monkeypatch.chdir(other)
    joined = neighbor("init", "--json").json
    assert len(joined["joined"]) == 32
    neighbor("append", stdin=fleet.delta(1, "s2", fleet.post(2, "bob")))
    neighbor("frame", "close", "1")
    monkeypatch.chdir(site)
    shown = neighbor("frame", "show", "1", "--json").json
    assert {each["stream"] for each in shown["streams"]} == {"s1", "s2"}


def test_a_server_that_is_away_keeps_the_delta_here_and_the_next_command_sends_it_once(
    site: Path, neighbor: Neighbor, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = url.replace("host=", "host=%2Fnowhere")
    monkeypatch.setenv("NEIGHBOR_STORE", away)
    kept = neighbor("append", stdin=fleet.delta(1, "s1", fleet.post(1, "ada")), code=5)
    assert "Do not send it again" in kept.err
    neighbor("frame", "close", "1", code=5)
    mailbox = site / ".git" / "goodneighbor" / "mailbox"
    assert len(list(mailbox.iterdir())) == 1
    monkeypatch.setenv("NEIGHBOR_STORE", url)
    neighbor("append", stdin=fleet.delta(1, "s2", fleet.post(2, "bob")))
    assert list(mailbox.iterdir()) == []
    drained = neighbor("drain", "--json").json
    assert (drained["events"], drained["copies"]) == (2, 0)


def test_a_password_in_the_committed_rules_is_refused(
    repository: Path, neighbor: Neighbor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    monkeypatch.delenv("NEIGHBOR_STORE", raising=False)
    secret = '[store]\nurl = "postgresql+psycopg://ada:secret@host/fleet"\n'
    (repository / "neighbor.toml").write_text(fleet.RULES + secret)
    refused = neighbor("init", code=3)
    assert "secret" not in refused.err
    assert "pgpass" in refused.err


def test_another_store_behind_the_url_is_refused_and_nothing_is_kept(
    site: Path, neighbor: Neighbor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from goodneighbor.store import Store

    theirs = postgres.server().new_store()
    try:
        Store.create(tmp_path / "theirs", fleet.RULES, fleet.BASE, url=theirs).close()
        monkeypatch.setenv("NEIGHBOR_STORE", theirs)
        neighbor("append", stdin=fleet.delta(1, "s1", fleet.post(1, "ada")), code=3)
        assert list((site / ".git" / "goodneighbor" / "mailbox").iterdir()) == []
        neighbor("status", code=3)
    finally:
        postgres.server().drop(theirs)


def test_a_missing_driver_names_the_extra(site: Path, tmp_path: Path) -> None:
    (tmp_path / "psycopg.py").write_text("raise ImportError('No module named psycopg')")
    program = shutil.which("neighbor", path=str(Path(sys.executable).parent))
    assert program is not None
    done = subprocess.run(
        [program, "append"],
        input=fleet.delta(1, "s1", fleet.post(1, "ada")),
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert b"goodneighbor[postgresql]" in done.stderr
