"""How a frame is put together: only who stands on a line that changed is asked for it."""

from __future__ import annotations

from collections.abc import Iterable

from textual._compositor import Compositor
from textual.geometry import Region
from textual.strip import Strip


class Frames(Compositor):
    """Textual asks all that is on the screen for all of its lines, whichever few of them it draws."""

    def _get_renders(self, crop: Region | None = None) -> Iterable[tuple[Region, Region, list[Strip]]]:
        crop = crop or self.size.region
        band = Region(0, crop.y, self.size.width, crop.height)
        for widget, (region, clip) in self.visible_widgets.items():
            if seen := region.intersection(clip).intersection(band):
                yield region, seen, widget.render_lines(seen - region.offset)
