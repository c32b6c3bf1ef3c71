"""What the tests of worktrees share: a site taken in and committed, and what must never be left."""

from pathlib import Path

from goodneighbor.cli import trash, worktree
from goodneighbor.cli.worktree import Worktree

from .commit_site import git
from .conftest import Neighbor


def store_folder(site: Path) -> Path:
    return site / ".git" / "goodneighbor"


def worktrees(site: Path) -> list[Worktree]:
    return worktree.all_of(store_folder(site))


def path_of(site: Path, stream: str) -> Path:
    """Return where a stream's worktree lies by default."""
    return site.parent / f"{site.name}.worktrees" / stream


def rescued(site: Path) -> list[str]:
    """Return the names of what was saved."""
    listed = git(site, "for-each-ref", "--format=%(refname)", "refs/goodneighbor/rescue")
    return listed.split()


def left_over(site: Path) -> list[str]:
    """Return all that worktrees, living ones' or dead ones', have in a repository."""
    store = store_folder(site)
    common = site / ".git"
    found = [str(each.path) for each in worktrees(site)]
    found += [str(each) for each in (store / "leases").glob("*")]
    found += [str(each) for each in (store / "intents").glob("worktree-*")]
    found += [str(each) for each in trash.look(store)]
    found += [str(each) for each in (common / "worktrees").glob("*")]
    found += git(site, "branch", "--list", "dc/*", "--format=%(refname)").split()
    found += [str(each) for each in common.rglob("*.lock") if each.parent != store]
    found += [str(each) for each in (site.parent / f"{site.name}.worktrees").glob("*")]
    return found


def settled(site: Path) -> list[str]:
    """Return what is left over once the trash was emptied, which goes on in the background."""
    trash.empty(store_folder(site))
    return left_over(site)


def take_in(site: Path, neighbor: Neighbor, rules: str) -> None:
    """Take the site in and commit the rules, so that worktrees have them too."""
    (site / "neighbor.toml").write_text(rules)
    neighbor("init")
    git(site, "add", "--all")
    git(site, "commit", "--quiet", "--message", "Rules")
