"""Unsent texts: kept in the store, shown to colleagues, and there again after whatever happened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from desk.errors import Away
from desk.model import MINUTE, Draft
from desk.perform import Desk
from desk.store import Store
from tests.desks import NOW, make_desk
from tests.tui.shown import Shown, front, run, shown
from tui import drafts


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change is saved almost at once."""
    monkeypatch.setattr(drafts, "EVERY_S", 0.01)


class Shut:
    """A store that can be away for drafts."""

    def __init__(self, store: Store) -> None:
        self._store, self.away = store, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def keep_draft(self, draft: Draft) -> None:
        """Keep it, or be away."""
        if self.away:
            raise Away("gone")
        self._store.keep_draft(draft)


def texts(store: Store) -> list[str]:
    """What kim has begun, as the store has it."""
    return [draft.text for draft in store.drafts(agent="kim")]


def test_what_is_typed_is_in_the_store_without_leaving(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("r")
            await screen.type("Half a tho")
            await screen.see("draft saved 02:40")
            await screen.until(lambda: texts(store) == ["Half a tho"])
            await screen.type("ught")
            await screen.until(lambda: texts(store) == ["Half a thought"])

    run(body())
    (kept,) = store.drafts(ticket=1)
    assert (kept.kind, kept.seen, kept.agent) == ("reply", store.thread(1)[-1].id, "kim")


def test_another_screen_goes_on_with_it_recipients_and_all(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)
    store.keep_draft(Draft(2, "kim", "reply", NOW, "Begun", {"to": "ann@example.com", "only": "yes"}, 2))

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            assert "1 unsent text" in screen.status
            await screen.press("j", "enter")
            await screen.see("unsent reply: r goes on")
            await screen.press("r")
            await screen.see("to ann@example.com", "Begun")

    run(body())


def test_sending_forgets_the_draft_and_taking_back_keeps_it_again(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("r")
            await screen.type("Done")
            await screen.until(lambda: texts(store))
            await screen.press("ctrl+s", "y")
            assert texts(store) == []
            await screen.press("u")
            assert texts(store) == ["Done"]

    run(body())


def test_what_is_sent_again_after_all_is_no_draft(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("enter", "i")
            await screen.type("Ask for the MTU.")
            await screen.press("ctrl+s", "y", "u")
            assert len(screen.app.writing.unsent(1)) == 1
            await screen.press("ctrl+r")
            await screen.see("done again")
            assert screen.app.writing.unsent(1) == []
            assert store.drafts(ticket=1) == []
            assert [m.text for m in store.thread(1)][-1] == "Ask for the MTU."

    run(body())


def test_an_emptied_text_is_no_draft(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("r")
            await screen.type("x")
            await screen.until(lambda: texts(store))
            await screen.press("backspace", "escape")
            assert texts(store) == []
            assert "kept" not in screen.status

    run(body())


def test_discarded_it_is_gone_from_the_store(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("r")
            await screen.type("Nonsense")
            await screen.press("ctrl+s", "q", "d")
            assert texts(store) == []

    run(body())


def test_while_the_store_is_away_the_heading_says_so_and_leaving_asks(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)
    shut = Shut(store)

    async def body() -> None:
        async with shown(front(Desk(shut, desk.config, desk.signer), who)) as screen:  # type: ignore[arg-type]
            await screen.press("r")
            shut.away = True
            await screen.type("Half")
            await screen.see("not saved: the store is away")
            await screen.press("escape", "q", "q")
            assert "an unsent text on #1 would be lost" in screen.status
            await screen.press("n")
            shut.away = False
            await screen.until(lambda: texts(store) == ["Half"])

    run(body())


def test_a_colleagues_text_is_seen_and_copied_never_taken(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)
    theirs = Draft(1, "sam", "reply", NOW - 4 * MINUTE, "Sam's words", {"to": "ann@example.com"}, 1)
    store.keep_draft(theirs)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("enter")
            await screen.see("sam has begun a reply, 4m ago")
            await screen.app.hands.run_line("draft sam")
            await screen.see("REPLY", "to ann@example.com", "Sam's words")
            assert "theirs is untouched" in screen.status
            await screen.type(" and mine")
            await screen.until(lambda: texts(store) == ["Sam's words and mine"])

    run(body())
    assert [d for d in store.drafts(ticket=1) if d.agent == "sam"] == [theirs]


def test_there_is_nothing_to_copy(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("enter")
            await screen.app.hands.run_line("draft")
            await screen.settle()
            assert "nobody else has begun anything on #1" in screen.status

    run(body())


def test_the_sheet_lists_ones_own_newest_first_and_leads_there(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)
    old = Draft(3, "kim", "note", NOW - MINUTE, "An older thought", {}, 1)
    for draft in (old, replace(old, ticket=2, kind="reply", at=NOW, text="Newer"), replace(old, agent="sam")):
        store.keep_draft(draft)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            assert "2 unsent texts" in screen.status
            await screen.app.hands.run_line("drafts")
            await screen.see("Unsent texts", "2 unsent texts", "“Newer”", "“An older thought”")
            assert screen.text.index("Newer") < screen.text.index("An older")
            await screen.press("j", "enter")
            await screen.see("NOTE", "An older thought", "Invoice shows")

    run(body())


async def typed(screen: Shown, text: str) -> None:
    """Begin a reply with this text."""
    await screen.press("r")
    await screen.type(text)


def test_the_text_of_a_note_and_of_a_reply_are_two(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await typed(screen, "Public")
            await screen.press("escape", "i")
            await screen.type("Internal")
            await screen.press("escape")
            await screen.see("unsent reply: r goes on", "unsent note: i goes on")

    run(body())
    assert {draft.kind: draft.text for draft in store.drafts(agent="kim")} == {"reply": "Public", "note": "Internal"}


def test_what_two_screens_write_on_one_text_is_both_kept(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("r")
            await screen.type("Hello from here.")
            screen.app.writing.save()
            await screen.settle()
            # The other one went on with other words, and kept them.
            store.keep_draft(replace(store.drafts(ticket=1)[0], text="Hello from the train."))
            await screen.type(" And more.")
            screen.app.writing.save()
            await screen.see("another screen of yours kept other words for the reply on #1")
            await screen.settle()
            both = "Hello from here. And more.\n\nHello from the train."
            assert screen.app.writing.body == both
            await screen.settle()
            assert store.drafts(ticket=1)[0].text == both
            # It is told once; the cursor stayed where it was.
            await screen.type("!")
            screen.app.writing.save()
            await screen.settle()
            assert store.drafts(ticket=1)[0].text == both.replace("more.", "more.!")

    run(body())


def test_words_of_another_screen_are_met_when_it_is_looked_who_writes(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("r")
            await screen.type("Hello.")
            screen.app.writing.save()
            await screen.settle()
            store.keep_draft(replace(store.drafts(ticket=1)[0], text="Hello.\n\nIt goes on."))
            await screen.app.writing.glance()
            await screen.settle()
            assert "It goes on." in screen.app.writing.body
            await screen.press("escape")
            await screen.settle()
            assert "It goes on." in store.drafts(ticket=1)[0].text

    run(body())
