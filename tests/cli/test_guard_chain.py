"""What was in force before the guard runs as before, and comes back exactly when the guard goes."""

import shlex
import shutil
from pathlib import Path

import pytest
from goodneighbor.cli import guard, place
from goodneighbor.cli.git import GUARDED as EVENTS
from goodneighbor.cli.guard_config import HOOKS_PATH

from .conftest import Neighbor
from .guarded import export, git, read

AGENTS = "state/agents.json"
NOTE = """#!/bin/sh
echo "$(basename "$0") $*" >>"$(git rev-parse --git-common-dir)/ran"
cat >>"$(git rev-parse --git-common-dir)/ran"
"""


@pytest.fixture
def taken(site: Path, neighbor: Neighbor) -> Path:
    """The site, taken in and exported once; no guard yet."""
    neighbor("init", "--commit")
    export(site)
    return site


def hook(folder: Path, name: str, text: str = NOTE) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def ran(site: Path) -> str:
    file = site / ".git" / "ran"
    text = file.read_text() if file.exists() else ""
    file.write_text("")
    return text


def everything(site: Path) -> dict[str, bytes | None]:
    """All that the guard may set, as bytes."""
    files = ("config", "info/attributes", "config.worktree")
    found = {name: site / ".git" / name for name in files}
    return {name: file.read_bytes() if file.exists() else None for name, file in found.items()}


def play(site: Path) -> str:
    """Do what runs hooks of every kind; return what the site's own hooks noted."""
    (site / "local.md").write_text("local\n")
    git(site, "add", "-A")
    git(site, "commit", "-q", "-m", "local")
    git(site, "push", "-q", "origin", "HEAD:refs/heads/mine")
    git(site, "commit", "-q", "--amend", "-m", "again")
    git(site, "switch", "-q", "-c", "topic")
    git(site, "commit", "-q", "--allow-empty", "-m", "empty")
    git(site, "rebase", "-q", "--force-rebase", "main")
    return ran(site)


HOOKS = (
    "pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "pre-push", "pre-rebase",
    "post-rewrite", "post-checkout", "reference-transaction", "post-index-change", "post-merge",
)  # fmt: skip


@pytest.mark.parametrize("where", [".git/hooks", ".githooks", ".husky/_"])
def test_hooks_run_as_before_with_their_arguments_and_standard_input(
    where: str, taken: Path, neighbor: Neighbor, tmp_path: Path
) -> None:
    """The same work in two copies: with the guard, the hooks note what they note without it."""
    control = tmp_path / "control"
    shutil.copytree(taken, control, symlinks=True)
    for site in (control, taken):
        git(site, "init", "-q", "--bare", f"{site}.git")
        git(site, "remote", "add", "origin", f"{site}.git")
    noted = []
    for site in (control, taken):
        for name in HOOKS:
            hook(site / where, name)
        if where != ".git/hooks":
            git(site, "config", HOOKS_PATH, where)
        git(site, "config", "core.excludesFile", str(tmp_path / "excludes"))
        (tmp_path / "excludes").write_text(".githooks\n.husky\n")
        if site is taken:
            neighbor("guard", "install")
        ran(site)
        fixed = {"GIT_AUTHOR_DATE": "1774666800 +0000", "GIT_COMMITTER_DATE": "1774666800 +0000"}
        with pytest.MonkeyPatch.context() as patch:
            for name, value in fixed.items():
                patch.setenv(name, value)
            noted.append(play(site))
    for name in HOOKS[:-1]:
        assert f"{name} " in noted[0], f"the control never ran {name}"
        assert f"{name} " in noted[1], f"the guard left out {name}"
    assert untimed(noted[1]) == untimed(noted[0].replace(str(control), str(taken)))


def untimed(notes: str) -> str:
    """Leave out what depends on when files were written: how often git wrote its index again."""
    lines = notes.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("post-index-change "))


def test_a_chained_hook_can_refuse(taken: Path, neighbor: Neighbor) -> None:
    neighbor("guard", "install")
    for name in ("pre-commit", "commit-msg", "reference-transaction"):
        hook(taken / ".git" / "hooks", name, "#!/bin/sh\necho no >&2\nexit 7\n")
        git(taken, "commit", "--allow-empty", "-q", "-m", "x", code=1)
        (taken / ".git" / "hooks" / name).unlink()
    git(taken, "commit", "--allow-empty", "-q", "-m", "x")


def test_a_hook_that_formats_is_judged_by_what_it_leaves(taken: Path, neighbor: Neighbor) -> None:
    neighbor("guard", "install")
    spoil = f"#!/bin/sh\necho '{{}}' >{AGENTS}\ngit add {AGENTS}\n"
    hook(taken / ".git" / "hooks", "pre-commit", spoil)
    git(taken, "commit", "--allow-empty", "-q", "-m", "x", code=1)


def test_a_hook_that_is_added_later_runs_and_one_that_may_not_run_does_not(
    taken: Path, neighbor: Neighbor
) -> None:
    neighbor("guard", "install")
    hook(taken / ".git" / "hooks", "post-commit")
    hook(taken / ".git" / "hooks", "commit-msg", "#!/bin/sh\nexit 1\n")
    (taken / ".git" / "hooks" / "commit-msg").chmod(0o644)
    git(taken, "commit", "--allow-empty", "-q", "-m", "x")
    assert ran(taken) == "post-commit \n"


def test_an_autostash_survives_a_chained_hook_that_refuses(
    taken: Path, neighbor: Neighbor, tmp_path: Path
) -> None:
    """git would leave the changes in no file and in no ref."""
    tree = tmp_path / "tree"
    git(taken, "worktree", "add", "-q", "-b", "topic", str(tree))
    neighbor("guard", "install")
    hook(taken / ".git" / "hooks", "pre-rebase", "#!/bin/sh\nexit 1\n")
    (tree / "README.md").write_text("Half a thought.\n")
    git(tree, "rebase", "--autostash", "--force-rebase", "main", code=1)
    assert (tree / "README.md").read_text() == "Half a thought.\n"


SETTINGS: dict[str, list[tuple[str, ...]]] = {
    "nothing": [],
    "a hooks path": [(HOOKS_PATH, ".githooks")],
    "autostash": [("rebase.autoStash", "true"), ("merge.autoStash", "true")],
    "the guard's own wishes": [("rebase.autoStash", "false")],
    "a rebase section": [("rebase.autoSquash", "true"), ("merge.ff", "false")],
    "several values": [(HOOKS_PATH, "a"), (HOOKS_PATH, "b")],
}


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("attributes", [None, b"", b"*.png binary\n", b"*.png binary"])
def test_remove_puts_back_exactly_what_was_there(
    settings: str, attributes: bytes | None, taken: Path, neighbor: Neighbor
) -> None:
    for name, value in SETTINGS[settings]:
        git(taken, "config", "--add", name, value)
    if attributes is not None:
        (taken / ".git" / "info" / "attributes").write_bytes(attributes)
    before = everything(taken)
    neighbor("guard", "install")
    first = everything(taken)
    assert first != before
    neighbor("guard", "install")
    assert everything(taken) == first
    neighbor("guard", "remove")
    assert everything(taken) == before
    assert not (taken / ".git" / "goodneighbor" / "hooks").exists()
    (taken / AGENTS).write_text("{}")
    git(taken, "commit", "-q", "-a", "-m", "nobody refuses")


def test_remove_leaves_what_somebody_has_set_since(taken: Path, neighbor: Neighbor) -> None:
    neighbor("guard", "install")
    git(taken, "config", HOOKS_PATH, ".husky/_")
    git(taken, "config", "rebase.autoStash", "true")
    attributes = taken / ".git" / "info" / "attributes"
    attributes.write_bytes(attributes.read_bytes() + b"*.png binary\n")
    said = neighbor("guard", "remove").err
    assert HOOKS_PATH in said
    assert "rebase.autoStash" in said
    assert read(taken, "config", HOOKS_PATH) == ".husky/_"
    assert attributes.read_bytes() == b"*.png binary\n"


def test_a_hook_manager_that_takes_over_is_told_and_chained_again(
    taken: Path, neighbor: Neighbor
) -> None:
    """husky sets core.hooksPath at each `npm install`."""
    neighbor("guard", "install")
    hook(taken / ".husky" / "_", "post-commit")
    git(taken, "config", HOOKS_PATH, ".husky/_")
    assert "core.hooksPath: somebody has set .husky/_" in neighbor("guard", "status", code=1).text
    neighbor("guard", "install")
    neighbor("guard", "status")
    git(taken, "commit", "--allow-empty", "-q", "-m", "x")
    assert ran(taken) == "post-commit \n"
    (taken / AGENTS).write_text("{}")
    git(taken, "commit", "-q", "-a", "-m", "x", code=1)
    neighbor("guard", "remove")
    assert read(taken, "config", HOOKS_PATH) == ".husky/_"


def test_the_user_s_own_hooks_path_is_chained(
    taken: Path, neighbor: Neighbor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook(tmp_path / "my hooks", "post-commit")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    git(taken, "config", "--global", HOOKS_PATH, str(tmp_path / "my hooks"))
    neighbor("guard", "install")
    git(taken, "commit", "--allow-empty", "-q", "-m", "x")
    assert ran(taken) == "post-commit \n"
    neighbor("guard", "remove")
    assert read(taken, "config", HOOKS_PATH) == str(tmp_path / "my hooks")


def test_status_looks_at_every_worktree(taken: Path, neighbor: Neighbor, tmp_path: Path) -> None:
    neighbor("guard", "status", code=1)
    neighbor("guard", "install")
    assert neighbor("guard", "status", "--json").json["findings"] == []
    tree = tmp_path / "tree"
    git(taken, "worktree", "add", "-q", "-b", "topic", str(tree))
    git(taken, "config", "extensions.worktreeConfig", "true")
    git(tree, "config", "--worktree", HOOKS_PATH, "elsewhere")
    (finding,) = neighbor("guard", "status", "--json", code=1).json["findings"]
    assert str(tree) in finding
    git(tree, "config", "--worktree", "--unset", HOOKS_PATH)
    (taken / ".git" / "goodneighbor" / "hooks" / "pre-push").write_text("#!/bin/sh\n")
    assert "pre-push: not as installed" in neighbor("guard", "status", code=1).text
    neighbor("guard", "install")
    neighbor("guard", "status")


def test_from_git_2_54_on_the_configuration_names_the_hooks(
    taken: Path, neighbor: Neighbor
) -> None:
    """The git of this machine may be older: the commands are run here as that git runs them."""
    before = everything(taken)
    where = place.find(str(taken))
    guard.install(where, (2, 54, 0))
    assert git(taken, "config", HOOKS_PATH, code=1).text == ""
    for event in EVENTS:
        assert read(taken, "config", f"hook.goodneighbor-{event}.event") == event
    command = read(taken, "config", "hook.goodneighbor-pre-commit.command")
    (taken / AGENTS).write_text("{}")
    git(taken, "add", "-A")
    alias = f"alias.judge=!{command}"
    assert "Refused by goodneighbor" in git(taken, "-c", alias, "judge", code=1).text
    assert shlex.split(command) == [str(taken / ".git/goodneighbor/hooks/pre-commit")]
    guard.install(where, (2, 39, 5))  # an older git again
    assert git(taken, "config", "hook.goodneighbor-pre-commit.event", code=1).text == ""
    git(taken, "commit", "-q", "-m", "x", code=1)
    guard.install(where, (2, 55, 0))
    neighbor("guard", "remove")
    assert everything(taken) == before
