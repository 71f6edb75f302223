"""What last went wrong with a rule or a hook, kept where `deskhand health` and `doctor` find it."""

from __future__ import annotations

import json

from desk.model import MINUTE, Millis
from desk.store import Store

RULES = "rules_trouble"
HOOKS = "hooks_trouble"


class Trouble:
    """One of these settings; the same words are written once a minute at most."""

    def __init__(self, store: Store, setting: str) -> None:
        self._store, self._setting = store, setting
        self._said: tuple[str, Millis] = ("", 0)

    def note(self, at: Millis, name: str, ticket: int, words: str) -> None:
        """`name` could not do what it is there for, on a ticket."""
        if self._said[0] == words and at - self._said[1] < MINUTE:
            return
        self._said = words, at
        told = {"at": at, "name": name, "ticket": ticket, "why": words}
        self._store.set_setting(self._setting, json.dumps(told, ensure_ascii=False))
