"""A hundred rules over a live stream of mail: how long from a message's arrival until its rule has acted.

A relay as it is run, whose own account is silent; beside it messages come in as from a mail
server that pushes them, a few at a time. Times are the clock's on the wall: from before a
message is taken in until another process sees what the rule did.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

from bench.process import DESKHAND, ROOT, environment
from bench.stores import OUT
from desk.channel import Inbound
from desk.config import DeskConfig
from desk.intake import Intake, prepare, take_in
from desk.model import Identity, Team
from desk.store import Batch, Store
from desk.threads import Signer
from storage import open_store

RULES = 100
TOGETHER = 10
"""Messages that come in at once."""

_KINDS = (
    'on = "created"\nwhen = "org:customer{n} priority:normal"\ndo = ["team support", "tag vip{n}"]',
    'on = "message-in"\nwhen = "is:open message:outage{n}"\ndo = ["tag outage{n}"]',
    'on = ["created", "message-in"]\nwhen = "subject:topic{n} -tag:topic{n}"\ndo = ["tag topic{n}", "priority high"]',
    'on = "changed"\nwhen = "was:status:pending status:open created:<{n}d tag:never"\ndo = ["note again"]',
    'on = "message-in"\nwhen = "word{n} or (assignee:none waiting:>{n}d)"\ndo = ["tag waiting"]',
)


def measure(rate: int, seconds: float) -> tuple[list[float], float]:
    """(seconds from arrival to acted of each message, how long after the last one the rules were done)."""
    folder = OUT / "rules"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    config = folder / "config.toml"
    config.write_text(_config(folder / "desk.db"))
    environ = environment() | {"DESKHAND_CONFIG": str(config)}
    subprocess.run((*DESKHAND, "init", "--no-account"), cwd=ROOT, env=environ, check=True, stdout=subprocess.DEVNULL)
    with (folder / "relay.log").open("w") as log:
        relay = subprocess.Popen((*DESKHAND, "relay"), cwd=ROOT, env=environ, stdout=log, stderr=log)
        try:
            time.sleep(4)
            return _stream(open_store(f"sqlite:///{folder}/desk.db", DeskConfig()), rate, seconds)
        finally:
            relay.send_signal(signal.SIGTERM)
            relay.wait(30)


def _config(path: Path) -> str:
    rules = [
        f"[rules.r{n}]\n" + _KINDS[n % len(_KINDS)].replace("{n}", str(n // len(_KINDS) + 1)) + "\n"
        for n in range(RULES)
    ]
    head = f'[store]\nurl = "sqlite:///{path}"\n\n[channels.sample]\nkind = "demo"\nevery_s = 1e9\n\n'
    return head + "\n".join(rules)


def _stream(store: Store, rate: int, seconds: float) -> tuple[list[float], float]:
    store.save_team(Team("support"), Batch("team", _now()))
    arrived: dict[str, float] = {}
    acted: dict[str, float] = {}
    stop = threading.Event()
    watcher = threading.Thread(target=_watch, args=(store.url, acted, stop))
    watcher.start()
    how = Intake("support", "email", DeskConfig(), Signer(b"bench" * 8))
    begun = time.perf_counter()
    for number in range(0, int(rate * seconds), TOGETHER):
        items = [prepare(_mail(one)) for one in range(number, number + TOGETHER)]
        time.sleep(max(0.0, begun + number / rate - time.perf_counter()))
        batch = Batch(f"s{number:08}", _now(), source="support")
        arrived[batch.id] = time.perf_counter()
        store.write(lambda tx, items=items, batch=batch: take_in(tx, how, items, batch))  # type: ignore[misc]
    end = time.perf_counter()
    while len(acted) < len(arrived) and time.perf_counter() < end + 30:
        time.sleep(0.02)
    behind = max(acted.values()) - end
    stop.set()
    watcher.join()
    missing = len(arrived) - len(acted)
    if missing:
        raise RuntimeError(f"no rule acted on {missing} of {len(arrived)} batches; see bench/out/rules/relay.log")
    store.close()
    return [acted[name] - at for name, at in arrived.items()], behind


def _watch(url: str, acted: dict[str, float], stop: threading.Event) -> None:
    """When the last thing that a rule did because of a batch is to be seen."""
    store = open_store(url, DeskConfig())
    seq = store.last_seq()
    while not stop.is_set():
        if store.wait(seq, 0.2) > seq:
            records = store.log(after=seq, limit=10_000)
            at = time.perf_counter()
            for record in records:
                if record.caused_by and record.caused_by.startswith("s"):
                    acted[record.caused_by] = at
            seq = records[-1].seq
    store.close()


def _mail(number: int) -> Inbound:
    """Each is from somebody of an organisation that a rule knows, about something that another knows."""
    group = number % (RULES // len(_KINDS)) + 1
    text = f"Hello, this is about order {number}.\n" + "It worked last week and does not work today. " * 10
    first = number - number % 3
    return Inbound(
        f"x/{number}", _now(), Identity("email", f"ann{first}@customer{group}.example"), text,
        subject=f"Topic{group} number {number}", message_id=f"{number}@example.com",
        in_reply_to=(f"{first}@example.com",) if number != first else (),
    )  # fmt: skip


def _now() -> int:
    return time.time_ns() // 1_000_000
