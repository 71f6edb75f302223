"""What every channel has to hold, as checks that anybody can run: `for name in CHECKS: await run(name, ground)`.

A channel is proven on a `Ground`: an account of it on something real, or on something that behaves
as the provider's documentation says. Each check raises `Broken` with a sentence, or `NotHere`
when it is about something that this kind has not. No test framework is needed.
"""

from __future__ import annotations

from channels.kit.conformance import opening, reading, secrets, sending
from channels.kit.conformance.ground import (
    CHECKS,
    Broken,
    Ground,
    NotHere,
    Phases,
    draft,
    hold,
    messages,
    opened,
    read,
    read_anew,
    run,
)

__all__ = [
    "CHECKS", "Broken", "Ground", "NotHere", "Phases", "draft", "hold", "messages", "opened", "opening", "read", "read_anew", "reading", "run",
    "secrets", "sending",
]  # fmt: skip
