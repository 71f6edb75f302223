"""Messages that were handed to the desk and of which the mail server does not know yet that they are safe."""

from __future__ import annotations

from collections.abc import Iterable

from channels.email import cursor as cursors

AT_ONCE = 500
"""Messages confirmed by one command: servers limit the length of a line."""


class Owed:
    """Names of messages in the order they were handed out, each with whether the desk has it."""

    def __init__(self) -> None:
        self._safe: dict[str, bool] = {}
        self._resumed = False

    def resume(self, tail: str) -> None:
        """Begin to read behind a cursor with this `tail`: what it names is in the desk, nothing else handed out is.

        The first time the process that stored the cursor may have ended before it
        confirmed; later we know ourselves what we confirmed.
        """
        kept = dict.fromkeys(cursors.untail(tail), True)
        known = {name: True for name, safe in self._safe.items() if safe or name in kept}
        self._safe = known if self._resumed else kept | known
        self._resumed = True

    def hand_out(self, names: Iterable[str]) -> str:
        """Remember `names` as handed out; the tail of a cursor that covers them and all before."""
        self._safe.update(dict.fromkeys(names, False))
        return cursors.tail(self._safe)

    def keep(self, names: Iterable[str]) -> None:
        """The desk has `names`."""
        self._safe.update(dict.fromkeys(names, True))

    def due(self) -> list[tuple[str, str, list[int]]]:
        """What can be confirmed now: folder, what its UIDs belong to, and UIDs, in pieces of one command."""
        found = cursors.by_folder(name for name, safe in self._safe.items() if safe)
        return [
            (folder, version, uids[at : at + AT_ONCE])
            for folder, version, uids in found
            for at in range(0, len(uids), AT_ONCE)
        ]

    def done(self, folder: str, version: str, uids: Iterable[int]) -> None:
        """These were confirmed, or will never be."""
        for uid in uids:
            self._safe.pop(cursors.name(folder, version, uid), None)
