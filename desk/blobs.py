"""Bytes worth keeping, named by what they hold."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes under their SHA-256 (hex), compressed for keeping.

    Made where the bytes are first seen (a parser's worker process), so that the
    writer of the store neither hashes nor compresses.
    """

    key: str
    size: int
    packed: bytes

    @classmethod
    def of(cls, data: bytes) -> Blob:
        """Name and compress `data`."""
        return cls(hashlib.sha256(data).hexdigest(), len(data), _pack(data))

    def unpack(self) -> bytes:
        """The bytes again."""
        return zlib.decompress(self.packed)


def _pack(data: bytes) -> bytes:
    # Setting up zlib's usual 256 KiB of tables takes longer than compressing a mail: 105 us against 170.
    small = zlib.compressobj(1, zlib.DEFLATED, 13, 7) if len(data) < 65_536 else zlib.compressobj(1)
    return small.compress(data) + small.flush()
