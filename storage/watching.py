"""Calls that no server will ever answer: found out by knocking, and ended."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg

PATIENCE_S = 6.0
"""A call that takes longer is looked into; what is at work is left alone however long it takes."""


class Watch:
    """Ends the calls under way on a server that does not even answer somebody new.

    A process that hangs, or a host behind something that goes on talking TCP for it, keeps its
    connections open and silent: no keepalive and no timeout of the network ends them.
    """

    def __init__(self, answered: Callable[[], bool]) -> None:
        self._answered = answered
        self._since: dict[psycopg.Connection[Any], float] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @contextmanager
    def on(self, raw: psycopg.Connection[Any]) -> Iterator[None]:
        """Watch over the calls on a connection; one that is ended fails like one whose connection broke."""
        with self._changed:
            self._since[raw] = time.monotonic()
            if self._thread is None:
                # A daemon: who ends must not wait for a server that hangs.
                self._thread = threading.Thread(target=self._look, name="desk-watch", daemon=True)
                self._thread.start()
            elif len(self._since) == 1:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._since.pop(raw, None)

    def _late(self) -> list[psycopg.Connection[Any]]:
        end = time.monotonic() - PATIENCE_S
        return [raw for raw, since in self._since.items() if since <= end]

    def _look(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._since)
            time.sleep(PATIENCE_S / 3)
            with self._changed:
                late = self._late()
            if not late or self._answered():
                continue
            with self._changed:
                for raw in self._late():
                    if raw in late:
                        _hang_up(raw)


def _hang_up(raw: psycopg.Connection[Any]) -> None:
    """Whoever waits for an answer on it is told that there will be none."""
    with suppress(OSError, psycopg.Error), socket.socket(fileno=socket.dup(raw.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)
