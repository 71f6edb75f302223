"""The numbers of a list in their order: small enough for a million, quick to ask what is in it."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Collection, Sequence


class Order:
    """Ticket numbers in the order of a list. Made in a thread, since sorting a million takes a moment."""

    def __init__(self, ids: Sequence[int] = (), *, begin: Sequence[int] = ()) -> None:
        """`ids`, behind those of `begin`, which are on the screen already and do not move."""
        shown = set(begin)
        same = not begin or list(ids[: len(begin)]) == list(begin)
        self.ids = array("q", ids if same else (*begin, *(i for i in ids if i not in shown)))
        self._sorted = array("q", sorted(self.ids))

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, number: int) -> bool:
        place = bisect_left(self._sorted, number)
        return place < len(self._sorted) and self._sorted[place] == number

    def place(self, number: int) -> int | None:
        """On which line the ticket is; None when it is not in the list."""
        return self.ids.index(number) if number in self else None

    def without(self, gone: Collection[int]) -> Order:
        """The same order with some taken out."""
        return Order([i for i in self.ids if i not in gone])

    @property
    def highest(self) -> int:
        """The highest number, 0 when there is none."""
        return self._sorted[-1] if self._sorted else 0
