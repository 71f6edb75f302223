"""Clocks: what one look at a ticket costs, and a new policy for every open ticket of a store."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from bench.process import DESKHAND, timed
from bench.stores import OUT, store_of
from desk.clocks import resettle
from desk.config import DeskConfig, parse
from desk.model import HOUR, MINUTE, Customer, Stage, Status, Ticket
from desk.sla import policy_of, promises, settle
from desk.store import Batch
from storage import open_store

POLICIES = """
[calendars.office]
zone = "Europe/Berlin"
hours = ["mon-fri 09:00-12:30 13:00-18:00", "sat 10:00-14:00"]
holidays = ["DE-BY"]

[policies.contract]
when = "org:acme.example or tag:vip"
calendar = "office"
first_reply = { normal = "2h", urgent = "30m" }
next_reply = "4h"
resolution = "16h"

[policies.everybody]
calendar = "office"
first_reply = "8h"
next_reply = "8h"
resolution = "40h"
"""

SINCE = 1_770_000_000_000


@dataclass(frozen=True)
class Resettled:
    """Every open ticket of a store by a new policy."""

    tickets: int
    changed: int
    seconds: float
    others_ms: float


def look_us(turns: int = 20_000) -> float:
    """Microseconds to work out one ticket's clocks: a policy with a calendar, holidays, a pause, three promises."""
    config = parse(POLICIES).desk
    ann = Customer(1, "Ann", "ann@other.example", "other.example")
    stages = (Stage(SINCE + HOUR, Status.PENDING), Stage(SINCE + 30 * HOUR, Status.OPEN))
    ticket = Ticket(1, "VPN", 1, SINCE, SINCE, status=Status.OPEN, waiting_since=SINCE, stages=stages)

    def look(config: DeskConfig) -> Ticket:
        return settle(ticket, promises(ticket, policy_of(ticket, config, lambda: ann)))

    look(config)
    begun = time.process_time()
    for _ in range(turns):
        look(config)
    return (time.process_time() - begun) / turns * 1e6


def apply(tickets: int) -> Resettled:
    """Policies change in a store of `tickets`, all of them open, while somebody else works in it."""
    source = store_of(tickets, 1.0)
    place = OUT / "clocks"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(source.parent, place)
    url = f"sqlite:///{place}/desk.db"
    store, other = open_store(url, parse(POLICIES).desk), open_store(url)
    waits: list[float] = []

    def between(done: int) -> None:
        begun = time.perf_counter()
        other.write(lambda tx: tx.seen("ash", 1, done))
        waits.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    changed = resettle(store, Batch("apply", SINCE + MINUTE, "ash"), between)
    seconds = time.perf_counter() - begun - sum(waits)
    store.close()
    other.close()
    return Resettled(tickets, changed, seconds, max(waits) * 1000)


def why_ms(tickets: int, turns: int) -> float:
    """`deskhand why` as a whole process, in milliseconds."""
    url = f"sqlite:///{store_of(tickets)}"
    command = (*DESKHAND, "--store", url, "why", str(tickets - 5))
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return statistics.median(timed(command) for _ in range(turns)) * 1000


def import_rates(mail: Path, messages: int, turns: int) -> tuple[float, float]:
    """Messages a second with the shipped policies, and with one that promises nothing; in turns."""
    found: dict[str, list[float]] = {"shipped": [], "none": []}
    for _ in range(turns):
        for name, text in (("shipped", ""), ("none", "[policies.none]\n")):
            place = OUT / "import"
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(mode=0o700)
            (place / "config.toml").write_text(text)
            command = (*DESKHAND, "--config", f"{place}/config.toml", "--store", f"sqlite:///{place}/desk.db")
            seconds = timed((*command, "import", "--own", "support@example.com", "--status", "open", str(mail)))
            found[name].append(messages / seconds)
    return statistics.median(found["shipped"]), statistics.median(found["none"])
