"""How much of the machine one item may take while it is parsed: seconds and bytes.

The limits hold for the item alone, not for the worker: what a worker has when an item
begins is its own. Code that never comes back to Python (a regular expression, a library
in another language) cannot be interrupted, so a watchdog ends the whole process then, and
whoever waits for it finds out which item it was.
"""

from __future__ import annotations

import faulthandler
import os
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ITEM_S = 5.0
"""How long one item may take."""

ITEM_BYTES = 256 * 1024 * 1024
"""How much memory one item may take."""

_PATIENCE_S = 3.0
_REARM_S = 1.0
_DATA_FIELD = 5
_PAGE_BYTES = resource.getpagesize()


class TimeLimit(BaseException):
    """An item takes too long. No Exception: nobody who catches everything may go on with it."""


class Limits:
    """The limits of one worker process; only its main thread may use them."""

    def __init__(self) -> None:
        self._armed_at = 0.0
        self._nowhere = os.open(os.devnull, os.O_WRONLY)
        self._memory = _open_memory()
        signal.signal(signal.SIGALRM, _too_long)

    @contextmanager
    def item(self) -> Iterator[None]:
        """Run one item: TimeLimit or MemoryError when it wants too much."""
        self._watch()
        self._cap_memory()
        signal.setitimer(signal.ITIMER_REAL, ITEM_S)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            _set_memory(resource.RLIM_INFINITY)

    def rest(self) -> None:
        """Nothing is under way: the watchdog sleeps."""
        faulthandler.cancel_dump_traceback_later()
        self._armed_at = 0.0

    def _watch(self) -> None:
        # Arming costs as much as a small mail, so it happens once a second.
        if (now := time.monotonic()) - self._armed_at > _REARM_S:
            faulthandler.dump_traceback_later(ITEM_S + _REARM_S + _PATIENCE_S, exit=True, file=self._nowhere)
            self._armed_at = now

    def _cap_memory(self) -> None:
        if self._memory is not None:
            pages = int(os.pread(self._memory, 200, 0).split()[_DATA_FIELD])
            _set_memory(pages * _PAGE_BYTES + ITEM_BYTES)


def _open_memory() -> int | None:
    """Where the kernel tells how much memory this process has; only Linux does."""
    try:
        return os.open("/proc/self/statm", os.O_RDONLY)
    except OSError:
        return None


def _set_memory(limit: int) -> None:
    # What is written to counts (RLIMIT_DATA): the address space also holds what libraries only reserve.
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    within = limit if hard == resource.RLIM_INFINITY else hard if limit == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (within, hard))


def _too_long(_signal: int, _frame: FrameType | None) -> None:
    raise TimeLimit
