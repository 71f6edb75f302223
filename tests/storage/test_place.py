"""Where a store may lie, and with which owner and modes."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from desk.config import DeskConfig
from desk.errors import StoreError
from storage import open_store
from storage.opening import open_sqlite
from storage.place import create, demand_fit, file_system, is_shared

pytestmark = pytest.mark.sqlite("modes, owners and file systems")

ROOT = "22 1 0:20 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"


def mounted(tmp_path: Path, *mounts: tuple[str, str]) -> Path:
    """A mountinfo with these (mount point, type) beside the root."""
    path = tmp_path / "mountinfo"
    lines = [
        f"{30 + n} 22 0:{n} / {point} rw shared:2 master:1 - {kind} dev rw\n" for n, (point, kind) in enumerate(mounts)
    ]
    path.write_text(ROOT + "".join(lines))
    return path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# -- file systems -----------------------------------------------------------


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p", "ceph"])
def test_a_network_file_system_is_refused_with_what_to_do(tmp_path: Path, kind: str) -> None:
    desk = tmp_path / "desk"
    with pytest.raises(StoreError) as caught:
        demand_fit(desk / "desk.db", mounted(tmp_path, (str(tmp_path), kind)))
    assert f"lies on a network file system ({kind})" in str(caught.value)
    assert "keep it on a disk of this host" in str(caught.value)
    assert not desk.exists()


def test_nothing_is_made_on_a_network_file_system(tmp_path: Path) -> None:
    mounts = mounted(tmp_path, (str(tmp_path), "nfs4"))
    path = tmp_path / "new" / "desk.db"
    with pytest.raises(StoreError, match="network file system"):
        open_sqlite(path, f"sqlite:///{path}", DeskConfig(), create=True, upgrade=False, mounts=mounts)
    assert not path.parent.exists()


@pytest.mark.parametrize(
    ("mounts", "folder", "kind"),
    [
        ([], "/srv/desk", "ext4"),
        ([("/srv", "nfs")], "/srv/desk", "nfs"),
        ([("/srv", "nfs")], "/srv", "nfs"),
        ([("/srv", "nfs")], "/srvx", "ext4"),
        ([("/srv", "nfs"), ("/srv/desk", "xfs")], "/srv/desk/x", "xfs"),
        ([("/srv/desk", "xfs"), ("/srv", "nfs")], "/srv/desk/x", "xfs"),
        ([("/srv", "autofs"), ("/srv", "nfs4")], "/srv/x", "nfs4"),
        ([("/srv/with\\040space", "nfs")], "/srv/with space/x", "nfs"),
        ([("/srv/büro", "nfs")], "/srv/büro/x", "nfs"),
        ([("/srv/a\\134b", "nfs")], "/srv/a\\b", "nfs"),
    ],
)
def test_the_innermost_and_newest_mount_counts(
    tmp_path: Path, mounts: list[tuple[str, str]], folder: str, kind: str
) -> None:
    assert file_system(Path(folder), mounted(tmp_path, *mounts)) == kind


def test_a_link_into_a_network_file_system_is_seen(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "near").symlink_to(tmp_path / "far")
    assert file_system(tmp_path / "near" / "deeper", mounted(tmp_path, (str(tmp_path / "far"), "nfs"))) == "nfs"


def test_where_the_kernel_tells_nothing_nothing_is_refused(tmp_path: Path) -> None:
    assert file_system(tmp_path, tmp_path / "none") == ""
    odd = tmp_path / "odd"
    odd.write_bytes(ROOT.encode() + b"31 22 0:1 / /srv/b\xfcro rw - nfs dev rw\n")
    assert file_system(Path("/srv/other"), odd) == "ext4"


# -- owner and modes --------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store that was made and closed."""
    folder = tmp_path / "desk"
    open_store(f"sqlite:///{folder}/desk.db", create=True).close()
    return folder / "desk.db"


def refused(path: Path) -> str:
    with pytest.raises(StoreError) as caught:
        open_store(f"sqlite:///{path}")
    return str(caught.value)


@pytest.mark.parametrize("name", ["desk.db", "desk-blobs.db"])
@pytest.mark.parametrize("bits", [0o604, 0o602, 0o666, 0o601])
def test_what_everybody_may_read_or_write_is_refused(path: Path, name: str, bits: int) -> None:
    file = path.with_name(name)
    file.touch()
    file.chmod(bits)
    assert refused(path) == (f"{file}: everybody on this host may read or write it; close it with: chmod o-rwx {file}")
    file.chmod(0o600)
    open_store(f"sqlite:///{path}").close()


@pytest.mark.parametrize("name", ["desk.db", "desk-blobs.db"])
def test_a_symbolic_link_is_refused(path: Path, name: str) -> None:
    elsewhere = path.with_name("elsewhere")
    file = path.with_name(name)
    if file.exists():
        file.rename(elsewhere)
    file.symlink_to(elsewhere)
    assert refused(path) == f"{file}: is a symbolic link; name the file itself ({elsewhere})"


def test_a_folder_that_all_may_write_is_refused_unless_it_is_sticky(path: Path) -> None:
    path.parent.chmod(0o777)
    assert (
        refused(path)
        == f"{path.parent}: everybody on this host may write there; close it with: chmod o-w {path.parent}"
    )
    path.parent.chmod(0o1777)
    open_store(f"sqlite:///{path}").close()


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "desk.db").mkdir(0o700)
    assert "is not a regular file; name a file for the store" in refused(tmp_path / "desk.db")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_a_stranger_is_refused(path: Path) -> None:
    os.chown(path, 4242, -1)
    assert f"{path}: belongs to uid 4242, neither you nor the owner of its folder" in refused(path)
    os.chown(path.parent, 4242, -1)
    open_store(f"sqlite:///{path}").close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_we_may_not_read_is_refused(path: Path) -> None:
    path.chmod(0o000)
    assert "you may not read and write it" in refused(path)


def test_a_private_store_is_made_private(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = open_store(f"sqlite:///{tmp_path}/a/b/desk.db", create=True)
        store.set_setting("x", "1")
        store.write(lambda tx: tx.put_blobs([]))
        store._open_blobs()
        folder = tmp_path / "a" / "b"
        assert mode(folder) == 0o700
        assert {f.name: mode(f) for f in folder.iterdir() if "-shm" not in f.name and "-wal" not in f.name} == {
            "desk.db": 0o600,
            "desk-blobs.db": 0o600,
        }
        assert {mode(f) for f in folder.iterdir()} == {0o600}
        assert not store.shared
        store.close()
    finally:
        os.umask(before)


def test_a_store_in_the_groups_folder_is_the_groups(tmp_path: Path) -> None:
    folder = tmp_path / "team"
    folder.mkdir()
    folder.chmod(0o2770)
    before = os.umask(0o077)
    try:
        store = open_store(f"sqlite:///{folder}/desk.db", create=True)
        store._open_blobs()
        store.set_setting("x", "1")
        assert {mode(f) for f in folder.iterdir()} == {0o660}
        assert store.shared
        assert {f.stat().st_gid for f in folder.iterdir()} == {folder.stat().st_gid}
        store.close()
    finally:
        os.umask(before)


@pytest.mark.parametrize(
    ("folder_mode", "file_mode", "shared"),
    [(0o2770, None, True), (0o770, None, False), (0o700, None, False), (0o2770, 0o660, True), (0o700, 0o660, True), (0o2770, 0o600, False)],
)  # fmt: skip
def test_shared_is_what_the_group_may_write(
    tmp_path: Path, folder_mode: int, file_mode: int | None, shared: bool
) -> None:
    folder = tmp_path / "team"
    folder.mkdir()
    folder.chmod(folder_mode)
    path = folder / "desk.db"
    if file_mode is not None:
        path.touch()
        path.chmod(file_mode)
    assert is_shared(path) is shared


def test_a_file_that_is_there_is_never_made_anew(path: Path) -> None:
    with pytest.raises(FileExistsError):
        create(path)


def test_a_path_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be created"):
        open_store(f"sqlite:///{tmp_path}/file/desk.db", create=True)
