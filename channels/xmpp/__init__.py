"""XMPP (Jabber): chats with customers and rooms full of them, over one account.

Importing this costs next to nothing; the library is loaded by the first connection.
"""

from __future__ import annotations

from channels.xmpp.settings import Settings
from desk.channel import Channel


def open(name: str, settings: Settings) -> Channel:
    """The account `name`, not yet connected."""
    from channels.xmpp.account import Account

    return Account(name, settings)


__all__ = ["Settings", "open"]
