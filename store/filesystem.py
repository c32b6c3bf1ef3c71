"""Which file system a folder lies on: flock and SQLite's WAL do not hold on a network one.

The kernel's mount table is read where there is one (Linux); elsewhere nothing is known, and nothing
is refused.
"""

from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
NETWORK = frozenset(
    [
        "9p",
        "afs",
        "ceph",
        "cifs",
        "fuse.glusterfs",
        "fuse.sshfs",
        "gfs2",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "smb3",
        "smbfs",
    ]
)


def network_kind(folder: Path) -> str:
    """Return the kind of network file system a folder lies on; "" when it is none we know."""
    try:
        table = MOUNTS.read_text("utf-8", "surrogateescape")
    except OSError:
        return ""
    kind = kind_of(folder.resolve(), table)
    return kind if kind in NETWORK else ""


def kind_of(folder: Path, table: str) -> str:
    """Return the file system of the innermost mount that holds a folder, by a mount table.

    A line is `ID PARENT DEVICE ROOT MOUNT OPTIONS [FIELDS] - KIND SOURCE OPTIONS`; of two mounts on
    one place the later hides the earlier.
    """
    found, depth = "", -1
    for line in table.splitlines():
        left, dash, right = line.partition(" - ")
        if not dash:
            continue
        mount = Path(_unescaped(left.split(" ")[4]))
        if folder.is_relative_to(mount) and len(mount.parts) >= depth:
            found, depth = right.split(" ")[0], len(mount.parts)
    return found


def _unescaped(path: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(code, character)
    return path
