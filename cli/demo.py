"""demo: a sample desk with history, and customers who keep writing; gone when it is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from channels.demo.stories import STORIES
from cli.wiring import Session, now, session
from desk import lines
from desk.channel import Inbound
from desk.intake import Intake, prepare, take_in
from desk.model import DAY, HOUR, MINUTE, Account, Agent, Identity, Millis, Team
from desk.perform import Desk, Who, new_batch_id, perform
from desk.store import Batch

_CONFIG = """\
[store]
url = "sqlite:///{folder}/desk.db"

[desk]
name = "sample desk"

[policies.everybody]
first_reply = {{ normal = "4h", urgent = "1h" }}
next_reply = {{ normal = "4h", urgent = "1h" }}
resolution = {{ normal = "3d", urgent = "1d" }}

[channels.support]
kind = "demo"
seed = {seed}
every_s = {every}
"""


@click.command("demo")
@click.option("--seed", default=1, show_default=True, help="The same seed tells the same stories")
@click.option("--every", default=25.0, show_default=True, help="Seconds between two customers, on average")
@click.option("--keep", type=click.Path(file_okay=False), help="Keep the sample desk in this folder")
@click.option("--no-screen", is_flag=True, help="Only make the desk (with --keep), do not open it")
def demo_command(seed: int, every: float, keep: str | None, no_screen: bool) -> None:
    """Open a living sample desk: nothing to configure, nothing leaves this machine."""
    if keep:
        _show(Path(keep).resolve(), seed, every, no_screen)
        return
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    with tempfile.TemporaryDirectory(
        prefix="deskhand-demo-", dir=runtime if runtime and Path(runtime).is_dir() else None
    ) as folder:
        _show(Path(folder), seed, every, no_screen)


def _show(folder: Path, seed: int, every: float, no_screen: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    config = folder / "config.toml"
    config.write_text(_CONFIG.format(folder=folder, seed=seed, every=every), "utf-8")
    asked = session().options
    here = Session({"config": str(config), **{key: asked[key] for key in ("plain", "color") if key in asked}})
    desk = here.desk(create=True)
    if not desk.store.teams():
        furnish(here, desk)
    if no_screen:
        click.echo(f"deskhand --config {config} opens it; deskhand --config {config} relay brings it to life")
        return
    with (folder / "relay.log").open("w") as log:
        relay = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "--config", str(config), "relay", "--child"], stdin=subprocess.PIPE, stdout=log, stderr=log,
            start_new_session=True, cwd=Path(__file__).resolve().parent.parent,
        )  # fmt: skip
        # A terminal that is closed takes the sample desk with it.
        signal.signal(signal.SIGHUP, _leave)
        signal.signal(signal.SIGTERM, _leave)
        try:
            from cli.screen import open_screen

            open_screen(demo=True, here=here)
        finally:
            relay.terminate()
            try:
                relay.wait(20)
            except subprocess.TimeoutExpired:
                relay.kill()
            desk.store.close()


def _leave(number: int, _: object) -> None:
    raise SystemExit(128 + number)


# -- the furniture ----------------------------------------------------------


def furnish(here: Session, desk: Desk) -> None:
    """Agents, teams, and a fortnight of tickets in all states."""
    store, at = desk.store, now()
    me = here.agent()
    assert me is not None
    header = Batch(new_batch_id(at, b"furniture"), at, me.name, os.getuid(), line="demo")
    store.save_team(Team("network", "Network desk"), header)
    store.save_team(Team("billing", "Billing"), header)
    for name, display, teams in (("kim", "Kim Arden", ("network",)), ("sam", "Sam Okoye", ("billing",))):
        store.save_agent(Agent(name, display, teams=teams), header)
    store.save_account(
        Account(
            "support",
            "demo",
            "help@desk.example",
            "Sample desk",
            {"may_start": True, "subject": True, "copies": True},
            "ok",
            at,
        )
    )
    how = Intake("support", "demo", desk.config, desk.signer, frozenset({"help@desk.example"}))
    for place, (name, address, subject, text) in enumerate(STORIES[:12]):
        age = _AGES[place % len(_AGES)]
        _write(desk, how, at - age, f"past.{place}", name, address, subject, text)
    for ids, who, age, script in _PAST:
        agent = store.agents()[who] if who != "me" else me
        for number in ids:
            moment = at - age
            perform(
                desk, lines.script(script), [number], Who(agent, os.getuid()), at=moment,
                batch_id=new_batch_id(moment, f"{number}/{script}".encode()),
            )  # fmt: skip
    _settle_past(desk, at)


_AGES: tuple[Millis, ...] = (
    5 * HOUR, 40 * MINUTE, 3 * HOUR + 40 * MINUTE, 2 * DAY, 9 * DAY, 1 * DAY, 3 * HOUR, 12 * MINUTE, 3 * HOUR + 30 * MINUTE, 26 * HOUR, 90 * MINUTE, 3 * DAY,
)  # fmt: skip

_PAST: tuple[tuple[tuple[int, ...], str, Millis, str], ...] = (
    (
        (1,),
        "me",
        4 * HOUR,
        'take; priority urgent; team network; tag vpn; note "Same firmware as last week at Nord. Ask for the MTU before escalating."',
    ),
    ((3,), "sam", 3 * HOUR, "take; team billing; tag invoice"),
    (
        (4,),
        "kim",
        1 * DAY,
        'take; reply "Yes, archived projects are included if you tick **Archived** in the export dialogue."; status pending',
    ),
    (
        (5,),
        "me",
        8 * DAY,
        'take; priority low; tag idea; reply "Thank you, that is a lovely idea. I have put it on our list."; status on-hold',
    ),
    ((6,), "sam", 20 * HOUR, 'take; reply "Toutes nos excuses. Les deux câbles partent aujourd’hui."; solve'),
    ((8,), "kim", 10 * MINUTE, "priority urgent; tag outage"),
    ((9,), "me", 3 * HOUR, "take; team billing"),
    ((10,), "kim", 20 * HOUR, "take; snooze 30h"),
    (
        (12,),
        "kim",
        2 * DAY,
        'take; reply "I have reset the second factor. Please set it up anew under Account, Security."; solve',
    ),
)


def _write(desk: Desk, how: Intake, at: Millis, key: str, name: str, address: str, subject: str, text: str) -> None:
    item = prepare(
        Inbound(key, at, Identity("email", address, name), text, text, subject, message_id=f"{key}@demo.example")
    )
    header = Batch(new_batch_id(at, key.encode()), at, source="support")
    desk.store.write(lambda tx: take_in(tx, how, [item], header))


def _settle_past(desk: Desk, at: Millis) -> None:
    """What was said in the past has arrived long ago."""
    from desk.model import State

    while claimed := desk.store.claim("demo", at - MINUTE, at, 50):
        for one in claimed:
            desk.store.settle(one.delivery.id, "demo", State.SENT, one.message.at + 12_000)
