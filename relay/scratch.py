"""Large mails between the relay and its workers, by way of a file without a name.

Through the pipe of a pool they would be there four times at once: the bytes and their
pickle, on both sides. The file is of the relay's own, and gone with it however it ends.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO

from msgspec.structs import replace

from desk.blobs import Blob
from desk.channel import Inbound, Item, Raw, Told

LARGE_BYTES = 1024 * 1024
"""What holds more goes by way of a file; what holds less is faster in the pipe."""

_ELSEWHERE = Path("/proc/self/fd")
"""Where another process finds the files we have open; only Linux has it."""

_ON_DISK = "/var/tmp"  # noqa: S108 - the file never has a name there; /tmp is memory in many places

Place = tuple[int, int]
"""Where something begins in the file, and how long it is."""


def large(items: Sequence[Item]) -> bool:
    """Whether `items` are better handed over by a file, and this system can."""
    return _ELSEWHERE.is_dir() and sum(len(item.data) for item in items if isinstance(item, Raw)) > LARGE_BYTES


class Scratch:
    """A file without a name; sent to another process on this machine it is the same file there."""

    def __init__(self, file: IO[bytes] | None = None) -> None:
        where = _ON_DISK if os.access(_ON_DISK, os.W_OK) else None
        self._file = file or tempfile.TemporaryFile(dir=where)  # noqa: SIM115 - `close` closes it

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return _reopened, (f"/proc/{os.getpid()}/fd/{self._file.fileno()}",)

    def close(self) -> None:
        """Give the room back."""
        self._file.close()

    def raws(self, items: Iterable[Raw]) -> list[tuple[Raw, Place]]:
        """`items` without their bytes, which are here."""
        return [(replace(item, data=b""), self._put(item.data)) for item in items]

    def whole(self, hollow: Iterable[tuple[Raw, Place]]) -> list[Raw]:
        """The inverse of `raws`."""
        return [replace(item, data=self._get(place)) for item, place in hollow]

    def parsed(self, items: Iterable[Told]) -> list[tuple[Told, list[Place]]]:
        """`items` without the bytes of their blobs, which are here."""
        return [
            (_with_bytes(item, [b""] * len(item.blobs)), [self._put(b.packed) for b in item.blobs])
            if isinstance(item, Inbound)
            else (item, [])
            for item in items
        ]

    def complete(self, hollow: Sequence[tuple[Told, list[Place]]]) -> list[Told]:
        """The inverse of `parsed`."""
        return [
            _with_bytes(item, [self._get(place) for place in places]) if isinstance(item, Inbound) else item
            for item, places in hollow
        ]

    def _put(self, data: bytes) -> Place:
        at = self._file.seek(0, os.SEEK_END)
        self._file.write(data)
        self._file.flush()
        return at, len(data)

    def _get(self, place: Place) -> bytes:
        at, size = place
        self._file.seek(at)
        return self._file.read(size)


def _reopened(path: str) -> Scratch:
    return Scratch(Path(path).open("r+b"))


def _with_bytes(item: Inbound, packed: Sequence[bytes]) -> Inbound:
    blobs: tuple[Blob, ...] = tuple(replace(b, packed=p) for b, p in zip(item.blobs, packed, strict=True))
    return replace(item, blobs=blobs)
