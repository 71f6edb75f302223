"""The hosts that share a store: whether their clocks agree, and whether one of them runs a relay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from desk.model import Millis

if TYPE_CHECKING:
    from desk.store import Store


class Lease(Struct, frozen=True):
    """Who holds one of the jobs that only one process at a time may do."""

    name: str
    holder: str
    until: Millis


MAY_DIFFER_MS, MUST_NOT_DIFFER_MS = 2_000, 10_000
"""From here on the clocks of a host and of the store's server are worth a word; with more, no relay goes by them."""


def astray(skew: Millis, most: Millis) -> str:
    """What to do about a clock that is off by more than `most`; "" when it is not."""
    if abs(skew) <= most:
        return ""
    way = "ahead of" if skew > 0 else "behind"
    return (
        f"this host's clock is {abs(skew) / 1_000:.0f} s {way} the database server's; set it: timedatectl set-ntp true"
    )


RELAY = "relay:"
"""Every relay holds a lease of its own by this name and its holder's, so that front ends see it run."""


def relay_runs(store: Store, at: Millis) -> bool:
    """Whether somebody fetches and sends for this store."""
    return any(lease.name.startswith(RELAY) and lease.until > at for lease in store.leases())
