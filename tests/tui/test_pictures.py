"""Pictures in half blocks: what is drawn, and what a broken or hostile one costs."""

from __future__ import annotations

import struct
import time
import zlib

import pytest

from desk.model import Attachment
from tui.outside import _shown
from tui.pictures import Picture, picture


def png(width: int, height: int, rows: bytes | None = None) -> bytes:
    """A picture whose upper half is red and whose lower half is blue."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    if rows is None:
        rows = b"".join(b"\0" + (b"\xff\0\0" if row < height // 2 else b"\0\0\xff") * width for row in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_two_pixels_make_a_cell() -> None:
    drawn = picture(png(4, 4), 40)
    assert isinstance(drawn, Picture)
    assert [len(row) for row in drawn.rows] == [4, 4]
    assert drawn.rows[0][0] == ("#ff0000", "#ff0000")
    assert drawn.rows[1][3] == ("#0000ff", "#0000ff")


def test_a_wide_one_is_made_to_fit_and_keeps_its_shape() -> None:
    drawn = picture(png(800, 400), 40)
    assert isinstance(drawn, Picture)
    assert (len(drawn.rows[0]), len(drawn.rows)) == (40, 10)


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n" + bytes(40), png(9, 9)[:40], b"\xff\xd8\xff" * 50])
def test_a_broken_one_is_told(data: bytes) -> None:
    assert picture(data, 40) == "The picture cannot be drawn: it is broken, or too large."


def test_one_that_unpacks_to_gigabytes_costs_only_itself() -> None:
    begun = time.monotonic()
    bomb = png(30_000, 30_000, bytes(1_000_000))
    assert picture(bomb, 40) == "The picture cannot be drawn: it is broken, or too large."
    assert time.monotonic() - begun < 10


def test_a_picture_is_shown_here_and_without_colours_told() -> None:
    data = png(8, 8)
    shown = _shown(Attachment("a.png", "image/png", len(data), "0" * 64), data, 1, True).read(40)
    assert shown.entries[0].parts[0] == ("▀", "#ff0000#ff0000")
    assert "PNG picture, 8 x 8" in shown.facts[0][0]
    told = _shown(Attachment("a.png", "image/png", len(data), "0" * 64), data, 1, False).read(60)
    assert told.entries[0].parts[0][0] == "A theme without colours draws no pictures."


def test_colours_of_a_picture_are_drawn_whatever_the_theme() -> None:
    from themes import load
    from tui.draw import look

    style = look(load("dark"))["#ff0000#0000ff"]
    assert style.color is not None
    assert style.bgcolor is not None
    assert (style.color.get_truecolor(), style.bgcolor.get_truecolor()) == ((255, 0, 0), (0, 0, 255))
