"""How many tickets are in each saved view, counted on the side."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from desk.errors import DeskError

if TYPE_CHECKING:
    from tui.screens.queue import QueuePane

_SELDOM_S = 2.0
_SHARE = 20
"""Of this many seconds one may go into counting."""


class Counting:
    """Counts the views anew when asked, but not all the time: asked again too soon, it waits."""

    def __init__(self, pane: QueuePane, told: Callable[[], None]) -> None:
        self._pane, self._told = pane, told
        self.counts: dict[str, int] = {}
        self._asked = self._counts = False
        self._not_before = 0.0

    def ask(self) -> None:
        """Something may have come or gone."""
        self._asked = True
        if not self._counts:
            self._counts = True
            wait = self._not_before - time.monotonic()
            if wait > 0:
                self._pane.set_timer(wait, self._begin)
            else:
                self._begin()

    def _begin(self) -> None:
        self._pane.run_worker(self.count())

    async def count(self) -> None:
        """Count them now."""
        pane, begun = self._pane, time.monotonic()
        self._asked, self._counts = False, True
        found: dict[str, int] = {}
        try:
            for name, view in pane.views.items():
                node = pane.node(view.query)
                # One at a time, so that a list that is asked for meanwhile waits for one and not for all.
                found[name] = await pane.runner.read(lambda node=node: pane.front.desk.store.count(node))  # type: ignore[misc]
            self.counts = found
            self._told()
        except DeskError:
            # Without the store the old figures stay; they are counted again when it is back.
            pass
        finally:
            took = time.monotonic() - begun
            self._not_before = begun + took + max(_SELDOM_S, took * _SHARE)
            self._counts = False
        if self._asked:
            self.ask()
