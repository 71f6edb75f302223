"""Publishing: the team's configuration goes into the store as a new version, and due times follow it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from desk.config import DeskConfig, publishable

if TYPE_CHECKING:
    from cli.wiring import Session
    from desk.store import Store

Changes = dict[str, tuple[Any, Any]]

CLOCKS = ("policies", "calendars")
"""The tables on which due times depend."""

_SETTLED = "clocks_version"
"""The setting that names the configuration by which all clocks were set last."""


def differs(store: Store, config: DeskConfig) -> Changes:
    """What publishing `config` would change, by key or by KIND.NAME, with the values before and after."""
    before = store.setting("config")
    old = json.loads(before) if before else publishable(DeskConfig())
    new = json.loads(json.dumps(publishable(config)))
    return _changes(old, new)


def publish(
    here: Session, store: Store, changes: Changes, agent: str, progress: Callable[[int], object] | None = None
) -> tuple[int, int]:
    """Publish the configuration of `here`; returns its number, and how many tickets are due at another time now."""
    from cli.wiring import now

    clocks = behind(store) or any(name.partition(".")[0] in (*CLOCKS, "order") for name in changes)
    number = int(store.setting("config_version") or 0) + 1
    text = json.dumps(publishable(here.config.desk))
    store.publish(text, number, changes, here.batch(now(), agent, f"config apply {number}"))
    store.config = replace(here.config.desk, version=number)
    if clocks:
        return number, catch_up(here, store, agent, progress)
    store.set_setting(_SETTLED, str(number))
    return number, 0


def behind(store: Store) -> bool:
    """Whether clocks go by older policies yet: whoever published the newest was stopped before all were set."""
    return store.setting(_SETTLED) != store.setting("config_version")


def catch_up(here: Session, store: Store, agent: str, progress: Callable[[int], object] | None = None) -> int:
    """Set all clocks by what was published last; returns how many tickets are due at another time now."""
    from cli.wiring import now
    from desk.clocks import resettle

    number = store.setting("config_version") or "0"
    moved = resettle(store, here.batch(now(), agent, f"config apply {number}: due times"), progress)
    store.set_setting(_SETTLED, number)
    return moved


def _changes(old: dict[str, Any], new: dict[str, Any]) -> Changes:
    before, after = (
        {k: v for k, v in whole.items() if k != "tables"}
        | {f"{kind}.{name}": v for kind, named in whole.get("tables", {}).items() for name, v in named.items()}
        for whole in (old, new)
    )
    found = {k: (before.get(k), after.get(k)) for k in (*after, *before) if before.get(k) != after.get(k)}
    stayed = [[name for name in _order(whole) if name in before and name in after] for whole in (old, new)]
    return found | ({"order": (stayed[0], stayed[1])} if stayed[0] != stayed[1] else {})


def _order(whole: dict[str, Any]) -> list[str]:
    return [f"{kind}.{name}" for kind, named in sorted(whole.get("tables", {}).items()) for name in named]
