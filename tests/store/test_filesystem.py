"""A store on a network file system is refused before anything is made."""

from pathlib import Path

import pytest
from goodneighbor.store import Store, StoreOnNetwork, filesystem

from .. import fleet

TABLE = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
35 22 0:30 / /home rw,relatime - nfs4 server:/home rw
36 35 8:2 / /home/ada/my\\040disk rw - xfs /dev/sdb1 rw
37 22 8:3 / /data rw - ext4 /dev/sdc1 rw
38 22 0:31 / /data rw - fuse.sshfs ada@host:/data rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/", "ext4"),
        ("/homely/x", "ext4"),
        ("/home/ada/site/.git/goodneighbor", "nfs4"),
        ("/home/ada/my disk/site", "xfs"),
        ("/data/site", "fuse.sshfs"),
    ],
)
def test_the_innermost_and_latest_mount_counts(folder: str, kind: str) -> None:
    assert filesystem.kind_of(Path(folder), TABLE) == kind


def test_a_store_on_a_network_file_system_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"1 0 0:1 / / rw - ext4 x rw\n2 1 0:2 / {tmp_path} rw - nfs x rw\n")
    monkeypatch.setattr(filesystem, "MOUNTS", mounts)
    with pytest.raises(StoreOnNetwork) as refused:
        Store.create(tmp_path / "goodneighbor", fleet.RULES)
    assert refused.value.kind == "nfs"
    assert not (tmp_path / "goodneighbor").exists()


def test_without_a_mount_table_nothing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filesystem, "MOUNTS", tmp_path / "none")
    assert filesystem.network_kind(tmp_path) == ""
