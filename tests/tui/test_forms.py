"""What a verb still needs is asked for, one thing after the other."""

from __future__ import annotations

from pathlib import Path

from desk.model import Status
from tests.desks import NOW, mail, make_desk, receive
from tests.tui.shown import front, run, shown


def test_a_few_letters_choose_one_of_what_there_is(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("s")
            await screen.see("status #1 ·", "pending", "on-hold")
            await screen.type("pe")
            await screen.press("enter")
            assert store.ticket(1).status is Status.PENDING
            await screen.press("s")
            await screen.type("xyz")
            await screen.see("nothing has these words in it")
            await screen.press("enter", "escape")
            assert store.ticket(1).status is Status.PENDING

    run(body())


def test_where_anything_may_stand_what_was_typed_counts(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("t")
            await screen.type("vpn slow")
            await screen.see("as typed")
            await screen.press("enter")
            assert store.ticket(1).tags == ("slow", "vpn")
            await screen.press("j", "t")
            await screen.type("v")
            await screen.press("enter")
            assert store.ticket(2).tags == ("v",)
            await screen.press("j", "z")
            await screen.type("3h")
            await screen.press("enter")
            assert store.ticket(3).snoozed_until == NOW + 3 * 3_600_000

    run(body())


def test_a_mistake_is_told_and_asked_again(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("z")
            await screen.type("nonsense")
            await screen.see('"nonsense" is not a time')
            await screen.press("enter")
            await screen.see('"nonsense" is not a time', "snooze #1 · nonsense")
            await screen.press("ctrl+u")
            await screen.type("1w")
            await screen.press("enter")
            assert store.ticket(1).snoozed_until == NOW + 7 * 86_400_000

            assert store.ticket(1).snoozed_until == NOW + 7 * 86_400_000
            await screen.press("j", "z")
            await screen.type("tom")
            await screen.press("enter")
            until = store.ticket(3).snoozed_until
            assert until is not None
            assert NOW < until <= NOW + 2 * 86_400_000

    run(body())


def test_merging_offers_the_other_tickets_of_the_customer(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)
    receive(desk, [mail(9, subject="VPN again", sender=mail(0).sender)], batch="again")

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("M")
            await screen.see("merge #1 ·", "#6  VPN again")
            assert "#2  Cannot log in" not in screen.lines[-3]
            await screen.press("enter")
            assert store.ticket(1).merged_into == 6
            await screen.press("j", "M")
            await screen.type("log in")
            await screen.see("#2  Cannot log in")
            await screen.press("escape")

    run(body())


def test_a_new_ticket_asks_who_calls_and_what_about(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("C")
            await screen.see("open ·", "Whose address?")
            await screen.type("customer 3")
            await screen.see("c3@acme.example")
            await screen.press("down", "enter")
            await screen.see("Subject?")
            await screen.type("Printer on fire; third floor")
            await screen.press("enter")
            await screen.see("opened #6")
            assert store.ticket(6).subject == "Printer on fire; third floor"
            assert store.customer(store.ticket(6).requester).address == "c3@acme.example"

    run(body())


def test_a_few_letters_lead_anywhere(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("g", "slash")
            await screen.type("una")
            await screen.see("Unassigned")
            await screen.press("enter")
            assert screen.app.queue.view == "unassigned"
            await screen.press("g", "slash")
            await screen.type("invoice")
            await screen.see("#3  Invoice shows")
            await screen.press("enter")
            await screen.see("mail 2")
            assert screen.app.trail == [3]
            await screen.press("g", "slash")
            await screen.type("customer 4")
            await screen.see("customer · c4@acme.example")
            await screen.press("up", "enter")
            assert screen.app.place == "queue"
            assert list(screen.app.queue.list.ids) == [5]

    run(body())


def test_who_waits_after_a_first_key_sees_what_may_follow(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who), (80, 24)) as screen:
            await screen.press("g")
            await screen.see("Waiting on us", "Go to the beginning")
            await screen.press("u")
            assert "Waiting on us" not in "\n".join(screen.lines[2:])
            assert screen.app.queue.view == "unassigned"

    run(body())


def test_a_form_opens_with_nothing_of_the_one_before(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who), size=(80, 24)) as screen:
            await screen.press("z")
            await screen.type("T")
            await screen.see('"T" is not a time')
            await screen.press("escape", "M")
            assert '"T"' not in screen.text
            await screen.see("Which ticket?")

    run(body())
