"""What the account costs in a month, and what is done about it: X asks for money by what is read and sent.

Source: docs.x.com, "Pricing": a price for each post, message and person in an answer, and for each that is
sent; the same one read twice in a day (UTC) is paid once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from channels.x.settings import Settings
from desk.channel import Permanent, RateLimited

FOR_ANSWERS = 0.1
"""The part of the budget with which nothing is read any more: customers who wrote are to be answered."""

_MICRO = 1_000_000


class Spending:
    """What was spent this month, in millionths of the unit of the prices."""

    def __init__(self, settings: Settings, clock: Callable[[], int]) -> None:
        self._settings, self._clock = settings, clock
        self._month, self._spent, self._day = "", 0, ""
        self._paid: set[str] = set()

    @property
    def month(self) -> str:
        """The month that is counted: "2026-11"."""
        self._turn()
        return self._month

    @property
    def spent(self) -> int:
        """What it cost so far."""
        self._turn()
        return self._spent

    def remember(self, month: str, spent: int) -> None:
        """What a cursor says; what was spent since it was written is known here."""
        if month == self.month:
            self._spent = max(self._spent, spent)

    def read(self, what: str, name: str) -> None:
        """A post, message or person came in an answer."""
        self._turn()
        prices = {"post": self._settings.cost_post_read, "message": self._settings.cost_message_read}
        if (key := f"{what}/{name}") not in self._paid:
            self._paid.add(key)
            self._spent += round(prices.get(what, self._settings.cost_user_read) * _MICRO)

    def pay(self, price: float) -> None:
        """Something was sent."""
        self._turn()
        self._spent += round(price * _MICRO)

    @property
    def pace(self) -> float:
        """How many times longer the pauses are: from half of the budget on each further tenth doubles them."""
        budget = self._settings.budget_month
        share = self.spent / _MICRO / budget if budget else 0.0
        return 1.0 if share <= 0.5 else min(32.0, 2.0 ** ((share - 0.5) * 10.0))

    def may_read(self) -> None:
        """Raises `RateLimited` when reading has used up its part."""
        budget = self._settings.budget_month
        if budget and self.spent >= budget * (1 - FOR_ANSWERS) * _MICRO:
            raise RateLimited(
                f"nothing more is read this month: {self.told()}, and the rest is for answers; raise budget_month, "
                "or look on X yourself",
                self._left_s(),
            )

    def may_send(self, price: float) -> None:
        """Raises `Permanent` when the budget does not reach for this."""
        budget = self._settings.budget_month
        if budget and self.spent + price * _MICRO > budget * _MICRO:
            raise Permanent(f"the budget does not reach for it: {self.told()}; raise budget_month, or answer on X")

    def told(self) -> str:
        """What was spent, in words."""
        if not self._settings.budget_month:
            return f"{self.spent / _MICRO:.2f} spent this month, without a limit"
        return f"{self.spent / _MICRO:.2f} of {self._settings.budget_month:.2f} spent this month"

    def _turn(self) -> None:
        now = datetime.fromtimestamp(self._clock() / 1000, UTC)
        if now.strftime("%Y-%m-%d") != self._day:
            self._day = now.strftime("%Y-%m-%d")
            self._paid.clear()
        if now.strftime("%Y-%m") != self._month:
            self._month, self._spent = now.strftime("%Y-%m"), 0

    def _left_s(self) -> float:
        now = datetime.fromtimestamp(self._clock() / 1000, UTC)
        after = datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)
        return (after - now).total_seconds()


__all__ = ["Spending"]
