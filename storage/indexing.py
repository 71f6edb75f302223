"""What the word index says of a desk, made anew from its tickets by several processes."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

from desk.text import words
from storage import rows
from storage.project import message_words
from storage.search import SHIFT
from storage.sql import Connection

Lines = list[tuple[int, str]]
"""Rows of the word index, in its order: a number, and words in the way of an engine."""

TICKETS = 500
"""So many tickets, with their messages, are read and written at once."""

WORTH = 5_000
"""From so many tickets on other processes are started for it."""


class Part(NamedTuple):
    """The words of some tickets: the last of them, how many they are, and the rows."""

    last: int
    tickets: int
    lines: Lines


def parts(conn: Connection, after: int, shape: Callable[[Lines], Lines]) -> Iterator[Part]:
    """The words of all tickets behind `after`, part by part in their order, as `shape` makes them fit the index."""
    left = int(conn.execute("SELECT count(*) FROM ticket WHERE id > ?", (after,)).fetchone()[0])
    with ExitStack() as stack:
        begin = _elsewhere(stack) if left >= WORTH else _here
        under_way: deque[tuple[int, int, Callable[[], Lines]]] = deque()
        for subjects, messages in _read(conn, after):
            under_way.append((subjects[-1][0], len(subjects), begin(_made, shape, subjects, messages)))
            if len(under_way) > 2 * _processes():
                last, count, result = under_way.popleft()
                yield Part(last, count, result())
        for last, count, result in under_way:
            yield Part(last, count, result())


def _read(conn: Connection, after: int) -> Iterator[tuple[list[Any], list[Any]]]:
    """Tickets with their subjects, and the messages that stand on them."""
    held = f"SELECT {rows.MESSAGE_COLUMNS} FROM message WHERE ticket > ? AND ticket <= ? AND withdrawn = 0"
    some = f"SELECT id, subject FROM ticket WHERE id > ? ORDER BY id LIMIT {TICKETS}"
    while subjects := conn.execute(some, (after,)).fetchall():
        last = subjects[-1][0]
        yield subjects, conn.execute(held, (after, last)).fetchall()
        after = last


def _made(shape: Callable[[Lines], Lines], subjects: list[Any], messages: list[Any]) -> Lines:
    lines = [(number << SHIFT, words(subject)) for number, subject in subjects]
    for message in map(rows.message, messages):
        lines.append((message.ticket << SHIFT | message.id, message_words(message)))
    return shape(sorted(lines))


# -- who does it ------------------------------------------------------------

Begin = Callable[..., Callable[[], Lines]]
"""Begins a call, and returns what waits for its result."""


def _processes() -> int:
    return max(1, (os.cpu_count() or 1) - 1)


def _here(body: Callable[..., Lines], *args: Any) -> Callable[[], Lines]:
    """When the result is asked for, in this process."""
    return lambda: body(*args)


def _elsewhere(stack: ExitStack) -> Begin:
    """At once, in processes that end with this one; what becomes of none of them is done here."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    pool = ProcessPoolExecutor(_processes(), context, _obey)
    stack.callback(pool.shutdown, cancel_futures=True)

    def begin(body: Callable[..., Lines], *args: Any) -> Callable[[], Lines]:
        def result() -> Lines:
            try:
                return future.result()
            except BrokenProcessPool:
                return body(*args)

        try:
            future = pool.submit(body, *args)
        except BrokenProcessPool:
            return _here(body, *args)
        return result

    return begin


def _obey() -> None:
    """In a new process: leave Ctrl-C to the one that began it, and end when that one does."""
    import multiprocessing
    import signal
    import threading
    from multiprocessing.connection import wait

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
