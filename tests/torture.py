"""How hard tests try: `make torture` sets `DESKHAND_TEST_LONG`, and examples are drawn ten times as often."""

from __future__ import annotations

import os

LONG = bool(os.environ.get("DESKHAND_TEST_LONG"))


def often(examples: int) -> int:
    """How many examples to draw: so many, and in the long run ten times as many."""
    return examples * 10 if LONG else examples
