"""How long to wait before trying again."""

from __future__ import annotations

import random

SHORTEST_S = 1.0
LONGEST_S = 300.0
SLOWEST_S = 1_800.0
"""A reply that is refused again and again is tried at least this often."""
LATER_S = 60.0
"""A recipient refused for now is tried no earlier: most greylists let in who comes back after a minute or five."""
GIVE_UP_MS = 3 * 24 * 3_600_000
"""A reply that could not be delivered for three days has failed (RFC 5321, 4.5.4.1 asks for four to five; people ask sooner)."""


def backoff(attempt: int, *, longest_s: float = LONGEST_S) -> float:
    """Seconds until attempt number `attempt` + 1: doubling, at most `longest_s`, with full jitter."""
    ceiling = min(longest_s, SHORTEST_S * 2 ** min(attempt, 20))
    return random.uniform(SHORTEST_S, max(ceiling, SHORTEST_S + 0.5))
