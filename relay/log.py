"""The relay's log: one JSON object a line, written by a thread of its own."""

from __future__ import annotations

import json
import logging
import logging.handlers
import queue
import sys
from datetime import UTC, datetime

log = logging.getLogger("deskhand.relay")

_PLAIN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """A record as one line: at, level, event, and whatever came as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _PLAIN}
        if record.exc_info and record.exc_info[1]:
            # The kind and place of an error, never its variables: they may hold secrets.
            line["error"] = f"{type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
        return json.dumps(line, ensure_ascii=False, default=str)


def start(target: str, level: str) -> logging.handlers.QueueListener:
    """Begin logging to the file `target` (`-`: standard error); stop the listener at the end."""
    handler: logging.Handler = logging.StreamHandler(sys.stderr) if target == "-" else logging.FileHandler(target)
    handler.setFormatter(JsonLines())
    waiting: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    log.handlers[:] = [_Quick(waiting)]
    log.setLevel(level.upper())
    log.propagate = False
    listener = logging.handlers.QueueListener(waiting, handler)
    listener.start()
    return listener


class _Quick(logging.handlers.QueueHandler):
    """Hands records over as they are; the other end is a thread of this process."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record
