"""Where an account stands in each archive."""

from __future__ import annotations

import json

from msgspec import Struct, field

from desk.model import Millis


class Since(Struct, frozen=True):
    """Behind the message `id`, which came `at`; without an id, at that time."""

    id: str
    at: Millis


class Standing(Struct):
    """The cursor: our own archive is "", that of a room its address; batches are numbered so that each is known again."""

    number: int = 0
    at: dict[str, Since] = field(default_factory=dict)

    @classmethod
    def of(cls, cursor: str | None) -> Standing:
        """What `text` wrote; the beginning for anything else."""
        try:
            found = json.loads(cursor or "{}")
            at = {str(name): Since(str(id), int(at)) for name, (id, at) in found.get("at", {}).items()}
            return cls(int(found.get("n", 0)), at)
        except (ValueError, TypeError, AttributeError):
            return cls()

    def text(self) -> str:
        """The cursor as it is kept."""
        return json.dumps({"n": self.number, "at": {name: [s.id, s.at] for name, s in sorted(self.at.items())}})


__all__ = ["Since", "Standing"]
