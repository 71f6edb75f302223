"""An agent at a terminal, for tests: reads and acts until told to stop, then says how that went.

`python -m tests.journeys.client STORE NUMBER SECONDS` prints one JSON object: how many
reads and actions, the slowest of each in milliseconds, and every error.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections import Counter

from desk import lines, query
from desk.config import DeskConfig
from desk.errors import Conflict, DeskError
from desk.perform import Desk, Who, perform
from desk.store import Store
from desk.threads import Signer
from storage import open_store

QUERIES = ("is:open", "is:unassigned", "tunnel", "status:new", "from:ann@example.com")
ACTIONS = ("tag vpn", "untag vpn", "note Looked at it.", "priority high", "priority normal", "take --steal")


def _query(text: str) -> query.Node:
    return query.parse(text, query.Env(time.time_ns() // 1_000_000))


class Client:
    """One of many."""

    def __init__(self, url: str, number: int) -> None:
        self.store: Store = open_store(url, DeskConfig())
        self.desk = Desk(self.store, DeskConfig(), Signer(b"test" * 8))
        self.number = number
        self.dice = random.Random(number)
        self.done: Counter[str] = Counter()
        self.errors: list[str] = []
        self.slowest: dict[str, float] = {"read": 0.0, "act": 0.0}

    def work(self, seconds: float) -> None:
        """Read and act, with the pauses of somebody who thinks (and of a screen that looks for news)."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for kind in ("read", "read", "read", "act"):
                begun = time.monotonic()
                try:
                    (self.read if kind == "read" else self.act)()
                    self.done[kind] += 1
                except Conflict:
                    self.done["conflict"] += 1  # two agents at one ticket: that is the rule, not an error
                except (DeskError, OSError) as error:
                    self.errors.append(f"{type(error).__name__}: {error}")
                self.slowest[kind] = max(self.slowest[kind], (time.monotonic() - begun) * 1000)
                time.sleep(self.dice.uniform(0.0, 0.1))

    def read(self) -> None:
        """A list, and the first ticket on it."""
        found = self.store.ids(_query(self.dice.choice(QUERIES)), sort="newest", limit=50)
        if found:
            self.store.thread(self.dice.choice(found))

    def act(self) -> None:
        """Do something to one of the newest tickets."""
        found = self.store.ids(_query("id:1.."), sort="newest", limit=200)
        agent = next(iter(self.store.agents().values()))
        at = time.time_ns() // 1_000_000
        key = f"c{self.number}-{self.done.total()}-{at}"
        script = lines.script(self.dice.choice(ACTIONS))
        perform(self.desk, script, (self.dice.choice(found),), Who(agent, 0, "host"), at=at, batch_id=key)


if __name__ == "__main__":
    client = Client(sys.argv[1], int(sys.argv[2]))
    client.work(float(sys.argv[3]))
    print(json.dumps({"done": client.done, "errors": client.errors, "slowest": client.slowest}))
