"""A picture in half blocks: two pixels a cell, one above the other, as small as the screen wants it.

Customers' pictures are decoded by a child process that may take little memory and few seconds: a
picture that unpacks to gigabytes costs only itself. The decoder is Pillow, of the extra `pictures`.
"""

from __future__ import annotations

import subprocess
import sys

from msgspec import Struct

WIDEST, TALLEST = 120, 240
"""At most so many cells across, and so many lines."""

_SECONDS = 8
_BYTES = 512 * 1024 * 1024
_PIXELS = 50_000_000
_MISSING = 3


class Picture(Struct, frozen=True):
    """Rows of cells; each is the colours of its upper and lower half ("#rrggbb")."""

    rows: tuple[tuple[tuple[str, str], ...], ...]


def picture(data: bytes, width: int) -> Picture | str:
    """The picture `data` in at most `width` cells; a sentence when it cannot be shown. Takes its time: run it in a thread."""
    command = [sys.executable, "-I", __file__, str(max(1, min(width, WIDEST)))]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return "The picture takes too long to draw."
    except OSError as error:
        return f"The picture cannot be drawn: {error.strerror}."
    if done.returncode == _MISSING:
        return "Pictures are drawn with the extra: install deskhand[pictures]."
    head, _, pixels = done.stdout.partition(b"\n")
    try:
        across, down = (int(number) for number in head.split())
    except ValueError:
        return "The picture cannot be drawn: it is broken, or too large."
    if done.returncode or len(pixels) != across * down * 3:
        return "The picture cannot be drawn: it is broken, or too large."

    def colour(x: int, y: int) -> str:
        at = 3 * (across * min(y, down - 1) + x)
        return f"#{pixels[at : at + 3].hex()}"

    return Picture(
        tuple(tuple((colour(x, y), colour(x, y + 1)) for x in range(across)) for y in range(0, down, 2)),
    )


def _draw(width: int) -> int:
    """Read a picture from standard input, and write its size and its pixels; the child's half."""
    import io
    import resource
    import warnings

    resource.setrlimit(resource.RLIMIT_AS, (_BYTES, _BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    try:
        from PIL import Image
    except ImportError:
        return _MISSING
    warnings.simplefilter("error")
    Image.MAX_IMAGE_PIXELS = _PIXELS
    try:
        with Image.open(io.BytesIO(sys.stdin.buffer.read())) as found:
            found.draft("RGB", (2 * width, 2 * TALLEST))
            small = found.convert("RGBA")
            small.thumbnail((width, 2 * TALLEST))
            ground = Image.new("RGBA", small.size, (0, 0, 0, 255))
            ground.alpha_composite(small)
            pixels = ground.convert("RGB").tobytes()
    except Exception:  # a stranger's picture: whatever is wrong with it, there is none
        return 1
    sys.stdout.buffer.write(b"%d %d\n" % small.size + pixels)
    return 0


if __name__ == "__main__":
    sys.exit(_draw(int(sys.argv[1])))
