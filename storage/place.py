"""Whether a path is a fit place for a store that several users trust: file system, owner, modes."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from desk.errors import StoreError

NETWORK = {
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "glusterfs", "fuse.glusterfs", "fuse.sshfs", "fuse.rclone",
    "fuse.s3fs", "beegfs", "ocfs2", "gfs2", "ncpfs", "coda", "vboxsf", "fuse.vmhgfs-fuse",
}  # fmt: skip
"""File systems on which SQLite's locks or shared memory do not hold between hosts."""

MOUNTS = Path("/proc/self/mountinfo")

_OCTAL = re.compile(r"\\([0-7]{3})")
"""How the kernel writes a space, tab, newline or backslash in the name of a mount point."""


def demand_fit(path: Path, mounts: Path = MOUNTS) -> None:
    """Raise StoreError, with the command that mends it, when `path` must not be used."""
    folder = path.parent
    kind = file_system(folder, mounts)
    if kind in NETWORK:
        raise StoreError(
            f"{path}: lies on a network file system ({kind}), where SQLite cannot lock safely; "
            'keep it on a disk of this host, or use PostgreSQL: [store] url = "postgresql://..."'
        )
    if folder.exists():
        _demand_folder(folder)
    demand_file(path)


def file_system(folder: Path, mounts: Path = MOUNTS) -> str:
    """The type of the file system that holds `folder` (or will hold it)."""
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return ""
    real = str(folder.resolve())
    best, kind = "", ""
    for line in lines:
        before, _, after = line.partition(" - ")
        point = _OCTAL.sub(lambda code: chr(int(code[1], 8)), before.split(" ")[4])
        if len(point) >= len(best) and (real == point or real.startswith(point.rstrip("/") + "/")):
            best, kind = point, after.split()[0]
    return kind


def _demand_folder(folder: Path) -> None:
    found = folder.stat()
    if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
        raise StoreError(f"{folder}: everybody on this host may write there; close it with: chmod o-w {folder}")


def demand_file(path: Path) -> None:
    """Raise StoreError when a file of the store, if it is there, is open to others than it should be."""
    if path.is_symlink():
        raise StoreError(f"{path}: is a symbolic link; name the file itself ({path.resolve()})")
    if not path.exists():
        return
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise StoreError(f"{path}: is not a regular file; name a file for the store")
    if found.st_mode & 0o007:
        raise StoreError(f"{path}: everybody on this host may read or write it; close it with: chmod o-rwx {path}")
    trusted = {0, os.getuid(), path.parent.stat().st_uid}
    if found.st_uid not in trusted:
        raise StoreError(
            f"{path}: belongs to uid {found.st_uid}, neither you nor the owner of its folder; "
            f"give it to the folder's owner with: chown --reference={path.parent} {path}"
        )
    if not os.access(path, os.R_OK | os.W_OK):
        group = found.st_gid
        raise StoreError(
            f"{path}: you may not read and write it; an admin adds you to its group (gid {group}) or runs: chmod g+rw {path}"
        )


def is_shared(path: Path) -> bool:
    """Whether other users than the owner may use the store."""
    place = path if path.exists() else path.parent
    while not place.exists():
        place = place.parent
    mode = place.stat().st_mode
    return bool(mode & stat.S_IWGRP) and (place == path or bool(mode & stat.S_ISGID))


def create(path: Path) -> None:
    """Make the empty file, and its folder, with the modes that fit: for the group where the folder is the group's, else private."""
    if not path.parent.exists():
        path.parent.mkdir(parents=True, mode=0o700)
    mode = 0o660 if is_shared(path) else 0o600
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    os.fchmod(handle, mode)
    os.close(handle)
