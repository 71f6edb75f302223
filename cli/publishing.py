"""Publishing: the team's configuration goes into the store as a new version, and due times follow it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from desk.config import DeskConfig, publishable

if TYPE_CHECKING:
    from cli.wiring import Session
    from desk.store import Store

Changes = dict[str, tuple[Any, Any]]

CLOCKS = ("policies", "calendars")
"""The tables on which due times depend."""


def differs(store: Store, config: DeskConfig) -> Changes:
    """What publishing `config` would change, by key or by KIND.NAME, with the values before and after."""
    before = store.setting("config")
    old = json.loads(before) if before else publishable(DeskConfig())
    new = json.loads(json.dumps(publishable(config)))
    return {} if old == new and _order(old) == _order(new) else _changes(old, new)


def publish(
    here: Session, store: Store, changes: Changes, agent: str, progress: Callable[[int], object] | None = None
) -> tuple[int, int]:
    """Publish the configuration of `here`; returns its number, and how many tickets are due at another time now."""
    from cli.wiring import now
    from desk.clocks import resettle

    number = int(store.setting("config_version") or 0) + 1
    text = json.dumps(publishable(here.config.desk))
    store.publish(text, number, changes, here.batch(now(), agent, f"config apply {number}"))
    store.config = here.desk_config(store)
    if not any(name.partition(".")[0] in (*CLOCKS, "order") for name in changes):
        return number, 0
    return number, resettle(store, here.batch(now(), agent, f"config apply {number}: due times"), progress)


def _changes(old: dict[str, Any], new: dict[str, Any]) -> Changes:
    before, after = (
        {k: v for k, v in whole.items() if k != "tables"}
        | {f"{kind}.{name}": v for kind, named in whole.get("tables", {}).items() for name, v in named.items()}
        for whole in (old, new)
    )
    found = {k: (before.get(k), after.get(k)) for k in (*after, *before) if before.get(k) != after.get(k)}
    return found or {"order": (_order(old), _order(new))}


def _order(whole: dict[str, Any]) -> list[str]:
    return [f"{kind}.{name}" for kind, named in sorted(whole.get("tables", {}).items()) for name in named]
