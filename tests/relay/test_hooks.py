"""Hooks: real programs, called with what happened, and asked before a message goes out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import channels.email as email
from cli import output
from desk.channel import Permanent, Retry
from desk.model import State
from desk.store import Outbound
from relay import hooks, trouble
from relay.engine import Engine, Station
from relay.outbox import outbox
from relay.rules import begin
from tests.channels.email.accounts import account
from tests.relays import running, until
from tests.ruled import Ruled

Write = Callable[[str, str], Path]

NOTED = "#!/bin/sh\ncat > seen.$$\n"


class Hooked(Ruled):
    """A room whose relay calls programs in a folder of its own."""

    def __init__(self, folder: Path, text: str, tickets: int = 1) -> None:
        self.folder = folder / "hooks"
        self.folder.mkdir(mode=0o700)
        super().__init__(folder, text, tickets)
        begin(self.engine, hooks.CURSOR)

    def relay(self, holder: str) -> Engine:
        """One that knows its folder, and how tickets are shown."""
        engine = super().relay(holder)
        engine.folder = self.folder.parent
        engine.shown = self.shown
        return engine

    def shown(self, number: int) -> dict[str, Any]:
        """As `show --json` does."""
        (row,) = self.store.rows([number])
        thread = [output.message_json(m) for m in self.store.thread(number)]
        return output.row_json(row, self.room.clock) | {"messages": thread}

    def write(self, name: str, text: str) -> Path:
        """A program in the folder."""
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o700)
        return path

    def seen(self) -> list[Any]:
        """What the programs wrote down of what they were told."""
        return [json.loads(path.read_text()) for path in sorted(self.folder.glob("seen.*"))]

    async def call(self) -> hooks.Work:
        """Let the hooks be called until nothing waits."""
        work = hooks.Work(self.engine, int(self.store.cursor(hooks.CURSOR) or 0))
        while await work.read_on() or work.waiting or work.under_way:
            work.start()
            await work.rest()
        await work.keep(0.0)
        return work

    def state(self) -> State:
        """How far the newest message got."""
        return max(self.store.outbox(tuple(State)), key=lambda pair: pair[0].id)[0].state

    def claimed(self) -> Outbound:
        """The next message that is to go out."""
        self.room.clock += 60_000
        (one,) = self.store.claim("one", self.room.clock, self.room.clock + 60_000, 1)
        return one


async def test_a_hook_is_told_what_happened_with_the_ticket_and_the_message(tmp_path: Path) -> None:
    here = Hooked(
        tmp_path, '[hooks.crm]\non = ["created", "message-in", "changed"]\nwhen = "org:acme"\nprogram = "note"'
    )
    here.write("note", NOTED)
    here.room.receive(here.room.mail(7, text="It is broken."))
    here.room.do("tag vpn", 2)
    await here.call()
    told = here.seen()
    assert sorted(one["event"] for one in told) == ["changed", "created", "message-in"]
    came = next(one for one in told if one["event"] == "message-in")
    assert came["ticket"]["id"] == 2
    assert came["message"]["text"] == "It is broken."
    changed = next(one for one in told if one["event"] == "changed")
    assert changed["changes"] == [{"field": "tags", "removed": [], "added": ["vpn"]}]


async def test_what_was_called_is_not_called_again_and_what_had_not_ended_is(tmp_path: Path) -> None:
    here = Hooked(tmp_path, '[hooks.log]\non = "message-in"\nprogram = "note"')
    here.write("note", NOTED)
    here.room.answer(1)
    broken = hooks.Work(here.engine, int(here.store.cursor(hooks.CURSOR) or 0))
    await broken.read_on()
    await broken.keep()
    await here.call()
    assert len(here.seen()) == 1
    await here.call()
    assert len(here.seen()) == 1


async def test_four_run_at_once_and_the_oldest_are_given_up_when_too_many_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "LONGEST", 5)
    here = Hooked(tmp_path, '[hooks.slow]\non = "message-in"\nprogram = "note"')
    here.write("note", NOTED)
    for _ in range(8):
        here.room.answer(1)
    work = hooks.Work(here.engine, int(here.store.cursor(hooks.CURSOR) or 0))
    await work.read_on()
    assert (len(work.waiting), work.dropped) == (5, 3)
    work.start()
    assert len(work.under_way) == hooks.AT_ONCE
    while work.waiting or work.under_way:
        work.start()
        await work.rest()
    assert len(here.seen()) == 5


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("#!/bin/sh\necho no money >&2; exit 3\n", "ended with 3"),
        ("#!/bin/sh\nsleep 60\n", "longer than"),
        ("#!/bin/sh\nyes\n", "more than"),
        ("", "is not run"),
    ],
)
async def test_a_hook_that_fails_is_told_of_and_blocks_nothing(tmp_path: Path, text: str, told: str) -> None:
    here = Hooked(tmp_path, '[hooks.bad]\non = "message-in"\nprogram = "bad"\ntimeout_s = 0.3')
    here.write("bad", text or "#!/bin/sh\n")
    if not text:
        (here.folder / "bad").chmod(0o777)
        told = "can be written by other users"
    here.room.answer(1)
    async with asyncio.timeout(10):
        work = await here.call()
    assert told in json.loads(here.store.setting(trouble.HOOKS) or "")["why"]
    assert here.store.cursor(hooks.CURSOR) == str(work.read)


CARDS = """#!/usr/bin/env python3
import json, sys
if "4111 1111" in json.load(sys.stdin)["message"]["text"]:
    sys.exit("a card number")
"""

BEFORE = '[hooks.dlp]\non = "before-send"\nwhen = "-tag:checked"\nprogram = "dlp"\ntimeout_s = 2'


async def test_before_a_message_goes_out_a_hook_may_hold_it_back_with_its_words(tmp_path: Path) -> None:
    here = Hooked(tmp_path, BEFORE)
    here.write("dlp", CARDS)
    here.room.do("reply Your card is 4111 1111.", 1)
    with pytest.raises(Permanent, match="held back by hook dlp: a card number"):
        await hooks.ask(here.engine, here.claimed())
    here.room.do("reply All is well.", 1)
    await hooks.ask(here.engine, here.claimed())


@pytest.mark.parametrize("text", ["#!/bin/sh\nsleep 60\n", "#!/nowhere/at/all\n", None])
async def test_a_message_that_no_hook_could_look_at_is_held_until_one_can(tmp_path: Path, text: str | None) -> None:
    here = Hooked(tmp_path, BEFORE)
    if text:
        here.write("dlp", text)
    here.room.do("reply Hello.", 1)
    one = here.claimed()
    with pytest.raises(Retry, match="dlp could not be asked"):
        await hooks.ask(here.engine, one)
    here.room.do("tag checked", 1)
    here.room.do("reply Hello.", 1)
    await hooks.ask(here.engine, here.claimed())


async def test_a_mistake_in_a_hook_before_sending_lets_nothing_pass(tmp_path: Path) -> None:
    here = Hooked(tmp_path, "")
    from desk.config import parse

    here.engine.config = parse('[hooks.dlp]\non = "before-send"\nwhen = "status:opne"\nprogram = "dlp"').desk
    here.room.do("reply Hello.", 1)
    with pytest.raises(Retry, match=r"\[hooks.dlp\] has a mistake"):
        await hooks.ask(here.engine, here.claimed())


async def test_the_outbox_fails_what_a_hook_holds_back_and_keeps_what_none_could_look_at(tmp_path: Path) -> None:
    here = Hooked(tmp_path, BEFORE, tickets=2)
    here.write("dlp", CARDS)
    here.engine.stations = [Station("support", "email", email.open("support", account()))]
    here.room.do("reply Your card is 4111 1111.", 1)
    async with running(outbox(here.engine)):
        await until(lambda: here.state() is State.FAILED, "the message to be held back")
    ((delivery, _),) = here.store.outbox((State.FAILED,))
    assert delivery.error == "held back by hook dlp: a card number"
    (here.folder / "dlp").unlink()
    here.room.do("reply Hello.", 2)
    async with running(outbox(here.engine)):
        await until(lambda: here.state() is State.DEFERRED, "the message to wait")
    ((delivery, again_at),) = here.store.outbox((State.DEFERRED,))
    assert "hook dlp could not be asked" in (delivery.error or "")
    assert again_at is not None
    assert again_at - here.room.clock >= 60_000
