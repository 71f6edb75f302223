"""The ways in which customers reach the desk, one folder each, loaded only when an account needs it."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from desk.channel import ChannelModule
from desk.errors import ConfigError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "deskhand.channels"
"""The entry point group in which an installed package names its channel's module."""

BUILT_IN = {
    "email": "channels.email",
    "demo": "channels.demo",
    "stackexchange": "channels.stackexchange",
    "feed": "channels.feed",
    "discourse": "channels.discourse",
    "mastodon": "channels.mastodon",
    "x": "channels.x",
    "facebook": "channels.meta.facebook",
    "instagram": "channels.meta.instagram",
    "telegram": "channels.telegram",
    "matrix": "channels.matrix",
    "irc": "channels.irc",
    "xmpp": "channels.xmpp",
    "nntp": "channels.nntp",
}


def kinds() -> tuple[str, ...]:
    """Every kind that a `[channels.NAME]` table can ask for: ours and those of installed plugins."""
    return tuple(sorted({*BUILT_IN, *(entry.name for entry in _entries())}))


def load(kind: str) -> ChannelModule:
    """The module of the channel `kind`; nothing else is imported."""
    if kind in BUILT_IN:
        return cast(ChannelModule, importlib.import_module(BUILT_IN[kind]))
    # Installed packages are only searched for what is not ours: the scan takes milliseconds,
    # and a plugin cannot put itself in the place of a built-in channel.
    for entry in _entries():
        if entry.name == kind:
            return _plugin(entry)
    raise ConfigError(f'there is no channel kind "{kind}"{_nearest(kind)}')


def _entries() -> Iterable[EntryPoint]:
    from importlib.metadata import entry_points  # costs more than all of this module

    return entry_points(group=GROUP)


def _plugin(entry: EntryPoint) -> ChannelModule:
    try:
        return cast(ChannelModule, entry.load())
    except Exception as exc:  # a stranger's module: whatever it raises, the desk goes on and names it
        raise ConfigError(
            f'the channel kind "{entry.name}" cannot be loaded: {entry.value}: {type(exc).__name__}: {exc}; '
            "mend or uninstall that package"
        ) from exc


def _nearest(kind: str) -> str:
    import difflib

    known = kinds()
    near = difflib.get_close_matches(kind, known, n=1)
    return f' (did you mean "{near[0]}"?)' if near else f"; there are {', '.join(known)}"


__all__ = ["BUILT_IN", "GROUP", "kinds", "load"]
