"""Hearing of commits as they happen: LISTEN on a connection of its own, or asking where that cannot be had."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

import psycopg
from psycopg import sql

from desk.errors import Away, DeskError
from storage.pool import Server, one_line

_SLICE_S = 5.0
_ASK_S = 0.25
_PAUSE_S = (0.2, 0.5, 1.0, 2.0)


class Listener:
    """The newest seq of the log, as its thread hears of it.

    A pooler in transaction mode passes no LISTEN on: behind one the log is asked, four
    times a second.
    """

    def __init__(self, server: Server, ask: Callable[[], int]) -> None:
        self._server, self._ask = server, ask
        self._news = threading.Condition()
        self._newest = -1
        self._error: str | None = None
        self._stopped = False
        # A daemon: who ends must not wait for news.
        threading.Thread(target=self._follow, name="desk-listen", daemon=True).start()

    def wait(self, after: int, seconds: float) -> int:
        """The newest seq as soon as it is beyond `after`, or `after` when the time is up; Away while nobody answers."""
        with self._news:
            self._news.wait_for(lambda: self._newest > after or self._stopped, seconds)
            if self._newest > after:
                return self._newest
            if self._error is not None:
                raise Away(self._error)
            return after

    def stop(self) -> None:
        """Let go of the connection, soon."""
        with self._news:
            self._stopped = True
            self._news.notify_all()

    def _follow(self) -> None:
        failed = 0
        while not self._stopped:
            try:
                self._listen()
            except (DeskError, psycopg.Error, OSError) as error:
                with self._news:
                    self._error = (
                        str(error) if isinstance(error, DeskError) else f"{self._server.name}: {one_line(error)}"
                    )
                time.sleep(_PAUSE_S[min(failed, len(_PAUSE_S) - 1)])
                failed += 1
            else:
                failed = 0

    def _listen(self) -> None:
        """Hear until the connection breaks."""
        with self._server.connect() as raw:
            pooled = self._server.hello is not None and self._server.hello.pooled
            if pooled:
                raw.close()
                self._poll()
                return
            raw.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._server.channel)))
            # What was committed before we listened.
            self._heard(self._ask())
            while not self._stopped:
                for notice in raw.notifies(timeout=_SLICE_S):
                    with suppress(ValueError):
                        self._heard(int(notice.payload))
                    if self._stopped:
                        return
                # Silence may be that of a server that is gone.
                with self._server.watch.on(raw):
                    raw.execute("")

    def _poll(self) -> None:
        while not self._stopped:
            self._heard(self._ask())
            time.sleep(_ASK_S)

    def _heard(self, seq: int) -> None:
        with self._news:
            self._error = None
            if seq > self._newest:
                self._newest = seq
                self._news.notify_all()
