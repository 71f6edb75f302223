"""The team's hooks, `[hooks.NAME]`: programs that the relay calls when something happens, or before something is sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal

from msgspec import Struct
from msgspec.structs import replace

from desk.conditions import Condition
from desk.errors import Invalid, KeyProblem
from desk.news import HAPPENINGS, News
from desk.tables import Checked, Entry, built, checked, once

if TYPE_CHECKING:
    from desk.config import DeskConfig

BEFORE_SEND = "before-send"
"""What a hook waits for that may hold a message back."""

LONGEST_S = 60.0
"""How long a hook may run at most."""

Occasion = Literal[
    "created", "message-in", "message-out", "changed", "sla-warned", "sla-breached", "before-send"
]  # fmt: skip


class Hook(Struct, frozen=True, kw_only=True, dict=True):
    """`[hooks.NAME]`: on one of these occasions, when the query holds, run `program`."""

    on: tuple[Occasion, ...]
    when: str = ""
    program: str
    timeout_s: float = 10.0
    enabled: bool = True
    name: str = ""

    NO_KEYS: ClassVar[tuple[str, ...]] = ("name",)

    def __post_init__(self) -> None:
        if not self.on:
            raise KeyProblem("on", 'a hook needs an occasion: on = "message-in"')
        if not self.program.strip():
            raise KeyProblem("program", "a hook needs a program: a path, or the name of a file in the folder hooks")
        if not 0 < self.timeout_s <= LONGEST_S:
            raise KeyProblem("timeout_s", f"a hook runs for more than 0 and at most {LONGEST_S:.0f} seconds")
        try:
            asks = self.condition.asks
        except Invalid as error:
            raise KeyProblem("when", str(error).partition("\n")[0]) from error
        if "was" in asks and BEFORE_SEND in self.on:
            raise KeyProblem(
                "when", "was: asks what was before something happened; before-send is before anything does"
            )

    @cached_property
    def condition(self) -> Condition:
        """The query, ready to be asked."""
        return Condition(self.when)

    def calls(self, news: News) -> Iterator[tuple[str, int | None]]:
        """What the hook is to be called for: each occasion, and each message where it is about one."""
        if not self.enabled or news.imported:
            return
        for occasion in HAPPENINGS:
            if occasion not in self.on or occasion not in news.on:
                continue
            if occasion.startswith("message-"):
                for message in news.messages(occasion.removeprefix("message-")):
                    yield occasion, message
            else:
                yield occasion, None


@once
def load(config: DeskConfig) -> Checked[Hook]:
    """All hooks by name."""
    return checked(config, "hooks", _hook)


def _hook(entry: Entry) -> Hook:
    on = entry.values.get("on")
    several = {"on": [on]} if isinstance(on, str) else {}
    return replace(built(replace(entry, values={**entry.values, **several}), Hook), name=entry.name)


def before_send(config: DeskConfig) -> Sequence[Hook]:
    """The hooks to be asked before a message goes out; Invalid while one of them cannot be understood."""
    found = load(config)
    for name, entry in config.tables.get("hooks", {}).items():
        if name not in found.items and BEFORE_SEND in str(entry.values.get("on")) and entry.values.get("enabled", True):
            # What it would have held back must not go out because of a slip of the pen.
            raise Invalid(f"[hooks.{name}] has a mistake, and nothing is sent unseen by it; look with: deskhand doctor")
    return [hook for hook in found.items.values() if hook.enabled and BEFORE_SEND in hook.on]
