"""Nothing that a customer wrote acts on the terminal, on whatever screen it is shown: all is cleaned before it is laid out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec.structs import replace
from textual import events

from desk.model import Attachment, Identity, State
from desk.store import Batch
from tests.desks import NOW, Room, make_desk
from tests.tui.shown import Shown, front, run, shown

pytestmark = pytest.mark.sqlite("what is drawn does not depend on the engine")

TEXTS = {
    "escape": "\x1b]52;c;ZXZpbA==\x07\x1b[2J\x1b[31mred\x1b]0;title\x07",
    "c1": "\x9b31m\x9d0;t\x9c\x90q\x9c",
    "bidi": "\u202egnp.exe\u2066\u2067\u200f",
    "bytes": "\x08\x08\x7f\r\x00\x0b\x0c\x1a",
    "lines": "one\u2028two\u2029three\x85four",
    "wide": "家族👨‍👩‍👧‍👦é̂̃̄ﷺ",
    "markup": "[bold red]x[/] [@click=app.bell]y[/] {{ evil }} %s",
}
_HARMFUL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

WAYS: dict[str, tuple[str, ...]] = {
    "list": (),
    "marks": ("asterisk",),
    "preview": ("p",),
    "ticket": ("enter",),
    "events": ("enter", "e"),
    "why": ("enter", "w"),
    "unfolded": ("enter", "f"),
    "log": ("L",),
    "history": ("H",),
    "dashboard": ("D",),
    "outbox": ("O",),
    "health": ("g", "h"),
    "notices": ("g", "n"),
    "changes": ("U",),
    "reply": ("enter", "r"),
    "review": ("enter", "r", "x", "ctrl+s"),
    "note": ("enter", "i"),
    "merging": ("M",),
    "requester": ("C", "e", "v"),
    "goto": ("g", "slash", "s", "u", "b"),
    "tagging": ("t",),
    "assigning": ("a",),
    "filter": ("slash", *"tag:"),
    "solved": ("x",),
}
"""Every place where such a text may stand, by the keys that lead there."""


def hostile(tmp_path: Path, text: str) -> Room:
    """A desk where everything that comes from outside says `text`: two tickets, with an answer that failed."""
    room = Room.open(tmp_path, 0)
    file = Attachment(f"evil {text}.txt", "text/plain", 5, "0" * 64)
    sender = Identity("email", "evil@acme.example", f"evil name {text}")
    for number in (1, 2):
        room.receive(
            room.mail(
                number, sender=sender, subject=f"evil sub {text}", attachments=(file,),
                text=f"evil words {text}\n> quoted {text}\n\nhttps://evil.example/{text}\n```\ncode {text}\n```\n",
                cc=(Identity("email", "copy@acme.example", f"evil copy {text}"),),
            )
        )  # fmt: skip
    room.do("reply Hello.", 1)
    room.send(state=State.FAILED, error=f"550 evil {text}")
    room.do("take; priority urgent", 1)
    account = room.store.accounts()["support"]
    room.store.save_account(replace(account, health=f"evil health {text}"))
    room.store.save_agent(replace(room.store.agents()["sam"], display=f"Kim {text}"), Batch("renamed", NOW))
    room.answer(1, f"evil again {text}")
    return room


def harmless(screen: Shown, where: str) -> None:
    """No line holds what a terminal acts on, and each is as wide as the screen."""
    for strip in screen.app.screen._compositor.render_strips():
        for segment in strip:
            assert segment.control or not _HARMFUL.search(segment.text), (where, segment.text)
            if segment.style is not None:
                assert "click" not in str(segment.style.meta), where
        assert strip.cell_length == screen.app.size.width, (where, strip.text)


@pytest.mark.parametrize("kind", TEXTS)
def test_no_hostile_text_reaches_a_line_of_any_screen(kind: str, tmp_path: Path) -> None:
    room = hostile(tmp_path, TEXTS[kind])
    seen: set[str] = set()

    async def body() -> None:
        async with shown(front(room.desk, room.who, now=lambda: room.clock), (120, 40)) as screen:
            # Without the last filter: the cleaning before it has to do.
            screen.app.screen._compositor._filters = ()  # type: ignore[attr-defined]
            for where, keys in WAYS.items():
                for key in keys:
                    await screen.press(key)
                    harmless(screen, where)
                if where == "preview":
                    await screen.see("evil again")
                    harmless(screen, where)
                if "evil" in screen.text:
                    seen.add(where)
                await screen.back()

    run(body())
    # Where nothing of it is shown nothing is proved.
    assert seen >= {"list", "preview", "ticket", "history", "reply", "merging", "goto", "outbox", "health"}, seen


def test_what_is_pasted_into_the_prompt_is_as_wide_as_it_is_drawn(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("colon")
            assert screen.app.screen.focused is not None
            screen.app.screen.focused.post_message(events.Paste("help \x1b[2J\x1b]0;title\x07\nand more"))
            await screen.settle()
            harmless(screen, "a paste")
            assert "help ␛[2J␛]0;title␇" in screen.lines[-1]

    run(body())
