"""demo: a sample desk with history, and customers who keep writing; gone when it is left."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import click

from cli.wiring import Session, now, session
from desk import lines
from desk.capabilities import Capabilities
from desk.errors import ConfigError
from desk.lines import Call
from desk.model import DAY, HOUR, MINUTE, SECOND, Account, Agent, Millis, State, Team
from desk.perform import Desk, Who, new_batch_id, perform_in
from desk.store import Batch, Tx

_CONFIG = """\
[store]
url = "sqlite:///{folder}/desk.db"

[desk]
name = "sample desk"
undo_s = {undo_s}

[policies.everybody]
first_reply = {{ normal = "{four_hours}", urgent = "{one_hour}" }}
next_reply = {{ normal = "{four_hours}", urgent = "{one_hour}" }}
resolution = {{ normal = "{three_days}", urgent = "{one_day}" }}

[snippets.hi]
title = "A first answer"
text = "Hello {{{{ customer.name }}}},\\n\\nthank you for writing. I am looking into it, and tell you within the hour."

[channels.support]
kind = "demo"
seed = {seed}
every_s = {every_s}
answer_s = {answer_s}
poll_s = {poll_s}
"""


@click.command("demo")
@click.option("--seed", default=1, show_default=True, help="The same seed tells the same stories")
@click.option("--every", default=25.0, show_default=True, help="Seconds between two customers, on average")
@click.option(
    "--speed",
    type=click.IntRange(1, 1_000),
    default=1,
    show_default=True,
    help="So many times faster: customers, their answers, and what is promised to them",
)
@click.option("--keep", type=click.Path(file_okay=False), help="Keep the sample desk in this folder")
@click.option("--no-screen", is_flag=True, help="Only make the desk (with --keep), do not open it")
def demo_command(seed: int, every: float, speed: int, keep: str | None, no_screen: bool) -> None:
    """Open a living sample desk: nothing to configure, nothing leaves this machine."""
    # A terminal that is closed takes the sample desk with it.
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, _leave)
    if keep:
        _show(Path(keep).resolve(), seed, every, speed, kept=True, screen=not no_screen)
        return
    with tempfile.TemporaryDirectory(prefix="deskhand-demo-", dir=_memory()) as folder:
        _show(Path(folder), seed, every, speed, kept=False, screen=not no_screen)


def _leave(number: int, _: object) -> None:
    raise SystemExit(128 + number)


def _memory() -> str | None:
    """A folder that lies in memory, where there is one: no disk is waited for, and nothing stays on it."""
    places = (os.environ.get("XDG_RUNTIME_DIR", ""), "/dev/shm")  # noqa: S108 - mkdtemp makes a folder of one's own there
    return next((place for place in places if place and os.access(place, os.W_OK | os.X_OK)), None)


def _show(folder: Path, seed: int, every: float, speed: int, *, kept: bool, screen: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    config = folder / "config.toml"
    config.write_text(configured(folder, seed, every, speed), "utf-8")
    asked = session().options
    here = Session({"config": str(config), **{key: asked[key] for key in ("plain", "color") if key in asked}})
    desk = here.desk(create=True)
    if not desk.store.teams():
        furnish(here, desk, speed)
    if not screen:
        click.echo(f"deskhand --config {config} opens it; deskhand --config {config} relay brings it to life")
        return
    from cli.child import Child, command

    # Of a desk that is thrown away nothing has to be put in order: who leaves is not kept waiting.
    relay = Child(command(here), folder / "relay.log", "on", ends_s=20.0 if kept else 0.0)
    try:
        if here.options.get("plain"):
            from cli.plain import open_plain

            open_plain(here, relay=relay)
        else:
            from cli.screen import open_screen

            open_screen(demo=True, here=here, own=_own(here), relay=relay)
    finally:
        desk.store.close()


def configured(folder: Path, seed: int = 1, every: float = 25.0, speed: int = 1) -> str:
    """The configuration of a sample desk in this folder."""
    every_s = every / speed
    return _CONFIG.format(
        folder=folder, seed=seed, every_s=every_s, answer_s=12 / speed, poll_s=min(1.0, every_s / 2), undo_s=max(1, 10 // speed),
        one_hour=_span(HOUR / speed), four_hours=_span(4 * HOUR / speed), one_day=_span(DAY / speed), three_days=_span(3 * DAY / speed),
    )  # fmt: skip


def _own(here: Session) -> Session:
    """Whose theme and keys hold: the user's own, where they can be used."""
    own = session()
    try:
        own.config  # noqa: B018 - read here, so that a mistake in it is told and does not end the demo
    except ConfigError as error:
        click.echo(f"{error}; the demo goes on without it", err=True)
        return here
    return own


def _span(length: float) -> str:
    return f"{max(1, round(length / SECOND))}s"


# -- the furniture ----------------------------------------------------------


def furnish(here: Session, desk: Desk, speed: int = 1, at: Millis | None = None) -> None:
    """Agents, teams, and a fortnight of tickets in all states; what is `speed` times faster is so many times shorter ago."""
    store, at = desk.store, now() if at is None else at
    me = here.agent()
    assert me is not None
    header = Batch(new_batch_id(at, b"furniture"), at, me.name, os.getuid(), line="demo")
    store.save_team(Team("network", "Network desk"), header)
    store.save_team(Team("billing", "Billing"), header)
    others = (Agent("kim", "Kim Arden", teams=("network",)), Agent("sam", "Sam Okoye", teams=("billing",)))
    for other in others:
        store.save_agent(other, header)
    can = Capabilities(may_start=True, subject=True, copies=True, markup="markdown", attachment_limit_bytes=10_000_000)
    store.save_account(Account("support", "demo", "help@desk.example", "Sample desk", can, "ok", at))
    agents = {"me": me} | {other.name: other for other in others}
    for write in _history(desk, agents, at, speed):
        # Whoever pulls the plug now makes a new one.
        store.write(write, bulk=True)


def _history(desk: Desk, agents: dict[str, Agent], at: Millis, speed: int) -> Iterator[Callable[[Tx], object]]:
    """What happened, each at its time: clocks go by what was known then."""
    from channels.demo.stories import BEFORE
    from desk.channel import Inbound
    from desk.intake import Intake, prepare, take_in
    from desk.model import Identity

    how = Intake("support", "demo", desk.config, desk.signer, frozenset({"help@desk.example"}))
    for place, (story, age) in enumerate(zip(BEFORE, _AGES, strict=True)):
        sender, moment, key = Identity("email", story.address, story.name), at - age // speed, f"past.{place}"
        mail = Inbound(key, moment, sender, story.text, story.text, story.subject, message_id=f"{key}@demo.example")
        header = Batch(new_batch_id(moment, key.encode()), moment, source="support")
        yield partial(take_in, how=how, told=[prepare(mail)], batch=header)
    for number, who, age, line in _PAST:
        agent, moment = agents[who], at - age // speed
        calls = lines.script(line.replace("30h", _span(30 * HOUR / speed)))
        identity = new_batch_id(moment, f"{number}/{line}".encode())
        header = Batch(identity, moment, agent.name, os.getuid(), line=lines.title(calls))
        yield partial(
            _act, desk=desk, calls=calls, number=number, who=Who(agent, os.getuid()), batch=header, speed=speed
        )


def _act(tx: Tx, desk: Desk, calls: list[Call], number: int, who: Who, batch: Batch, speed: int) -> None:
    """What was said has arrived since, except at a mailbox that is full."""
    from desk.events import Delivered

    at = batch.at + 12 * SECOND // speed
    for message in perform_in(tx, desk, calls, number, who, batch).posted:
        for delivery in tx.deliveries(message):
            sent = Batch(new_batch_id(at, f"sent.{delivery.id}".encode()), at, source="outbox")
            state, detail = (State.FAILED, "552 5.2.2 mailbox full") if number == _FULL else (State.SENT, "")
            tx.append(sent, [Delivered(number, message, delivery.id, state, detail)])


_FULL = 11
"""The ticket to which an answer did not arrive."""

_AGES: tuple[Millis, ...] = (
    5 * HOUR, 40 * MINUTE, 3 * HOUR + 58 * MINUTE + 30 * SECOND, 2 * DAY, 9 * DAY, 1 * DAY, 3 * HOUR, 12 * MINUTE, 3 * HOUR + 30 * MINUTE,
    26 * HOUR, 90 * MINUTE, 3 * DAY,
)  # fmt: skip
"""How long ago each of them wrote: one is overdue, one soon, so that it is seen to become so."""

_PAST: tuple[tuple[int, str, Millis, str], ...] = (
    (
        1, "me", 4 * HOUR,
        'take; priority urgent; team network; tag vpn; note "Same firmware as last week at Nord. Ask for the MTU before escalating."',
    ),
    (3, "me", 3 * HOUR, "take; team billing; tag invoice"),
    (
        4, "kim", 1 * DAY,
        'take; reply "Yes, archived projects are included if you tick **Archived** in the export dialogue."; status pending',
    ),
    (5, "me", 8 * DAY, 'take; priority low; tag idea; reply "Thank you, that is a lovely idea. I have put it on our list."; status on-hold'),
    (6, "sam", 20 * HOUR, 'take; reply "Toutes nos excuses. Les deux câbles partent aujourd’hui."; solve'),
    (8, "kim", 10 * MINUTE, "priority urgent; tag outage"),
    (9, "sam", 3 * HOUR, "take; team billing"),
    (10, "kim", 20 * HOUR, "take; snooze 30h"),
    (11, "kim", 80 * MINUTE, 'take; reply "Die Zugänge sind angelegt, die Mails mit den Kennwörtern sind unterwegs."'),
    (12, "kim", 2 * DAY, 'take; reply "I have reset the second factor. Please set it up anew under Account, Security."; solve'),
)  # fmt: skip
"""What was done since: ticket, agent, how long ago, and what."""
