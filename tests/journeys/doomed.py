"""The command line in a process that kills itself at a certain call: `python -m tests.journeys.doomed 42 relay`.

Calls on the store (statements) and on sockets (writes) are counted from the start; at
the given one SIGKILL strikes, before the call or, with a negative number, after it.
"""

from __future__ import annotations

import itertools
import os
import signal
import socket
import sqlite3
import sys
import threading
from collections.abc import Callable
from typing import Any

from tests.connections import watch

_LOCK = threading.Lock()


def arm(at: int) -> None:
    """From now on count calls, and die at number `at`."""
    counter = itertools.count(1)

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*args: Any, **kwargs: Any) -> Any:
            with _LOCK:
                number = next(counter)
            if number == at:
                os.kill(os.getpid(), signal.SIGKILL)
            result = call(*args, **kwargs)
            if number == -at:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return counting

    class Connection(sqlite3.Connection):
        def execute(self, *args: Any) -> sqlite3.Cursor:
            return counted(super().execute)(*args)

        def executemany(self, *args: Any) -> sqlite3.Cursor:
            return counted(super().executemany)(*args)

    watch(Connection)
    socket.socket.send = counted(socket.socket.send)  # type: ignore[method-assign]
    socket.socket.sendall = counted(socket.socket.sendall)  # type: ignore[method-assign]


if __name__ == "__main__":
    arm(int(sys.argv.pop(1)))
    from cli.main import main

    sys.exit(main())
