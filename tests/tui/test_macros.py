"""Macros on the screen: chosen, asked for what they need, shown before anything is sent, taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from desk import macros
from desk.errors import Conflict, NotFound
from desk.macros import Input, Macro, Prepared
from desk.model import Status
from desk.perform import Desk, Who
from tests.desks import NOW, do, make_desk
from tests.tui.shown import front, run, shown

MACROS = {
    "sort": Macro(title="Sort it", do=("tag sorted",)),
    "greet": Macro(
        title="Say hello", do=("reply Hello {{ customer.first_name }}, {{ input.what }}", "solve"), inputs=(Input("what"),), then="close"
    ),
    "later": Macro(
        title="Later", do=("note On {{ input.day }}, {{ input.why }}",),
        inputs=(Input("why", "Because of what?", "choice", ("rain", "snow")), Input("day", kind="date", default="2026-03-01")),
    ),
}  # fmt: skip


@dataclass
class Shelf:
    """What the command line hands the screen, with two macros on it."""

    desk: Desk
    who: Who
    kept: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def keys(self) -> Mapping[str, str]:
        return {"S": "sort", "x": "greet"}

    def offered(self, ticket: int) -> Sequence[tuple[str, str, str]]:
        return [(name, macro.title, "") for name, macro in MACROS.items()]

    def inputs(self, name: str) -> Sequence[Input]:
        return MACROS[name].inputs

    def prepare(self, name: str, ids: Sequence[int], given: Mapping[str, str]) -> tuple[Prepared, str]:
        return macros.prepare(self.desk, name, MACROS[name], ids, self.who, at=NOW, given=given), ""

    def keep(self, name: str, table: Mapping[str, Any], *, over: bool = False) -> str:
        if name in self.kept and not over:
            raise Conflict(f"{name}.toml is there already")
        self.kept[name] = table
        return f"{name}.toml"

    def then(self, name: str) -> str:
        return MACROS[name].then

    def snippets(self) -> list[tuple[str, str]]:
        return [("hello", "Hello, this is about"), ("help", "See the manual"), ("bye", "Bye")]

    def snippet(self, name: str, ticket: int) -> str:
        if name != "hello":
            raise NotFound(f'there is no snippet "{name}" (did you mean "hello"?)')
        return f"Hello,\n\nthis is about #{ticket}."


def test_m_offers_the_macros_and_runs_the_one_chosen(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who, macros=Shelf(desk, who))) as screen:
            await screen.press("m")
            await screen.see("sort", "Sort it", "Say hello")
            await screen.type("sor")
            await screen.press("enter")
            await screen.until(lambda: store.ticket(1).tags == ("sorted",))
            await screen.settle()
            assert "macro sort · #1 · u takes it back" in screen.status
            await screen.press("u")
            assert store.ticket(1).tags == ()

    run(body())


def test_a_macro_has_its_key_where_nothing_else_has_it(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who, macros=Shelf(desk, who))) as screen:
            await screen.press("S")
            await screen.until(lambda: store.ticket(1).tags == ("sorted",))
            await screen.settle()
            await screen.press("x")
            await screen.until(lambda: store.ticket(1).status is Status.SOLVED)
            await screen.settle()
            assert len(store.thread(1)) == 1

    run(body())


def test_it_asks_for_what_is_missing_and_before_a_message_goes_out(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who, macros=Shelf(desk, who))) as screen:
            await screen.press("enter")
            await screen.press(":")
            await screen.type("macro greet")
            await screen.press("enter")
            await screen.see("macro greet what=", "what has spaces stands in quotes")
            await screen.type('"how are you?"')
            await screen.press("enter")
            await screen.see("greet on 1 ticket, a message to c0@acme.example?")
            await screen.press("enter")
            assert store.ticket(1).status is Status.NEW
            await screen.press(":")
            await screen.type("macro greet what=hi")
            await screen.press("enter")
            await screen.see("greet on 1 ticket")
            await screen.press("v")
            await screen.see(
                "Preview of the macro greet", "| Hello Customer, hi", "+ reply to c0@acme.example · status new → open"
            )
            assert store.ticket(1).status is Status.NEW
            await screen.press("y")
            await screen.until(lambda: store.ticket(1).status is Status.SOLVED)
            await screen.settle()
            assert store.thread(1)[-1].text == "Hello Customer, hi"
            assert not screen.app.reading

    run(body())


def test_what_has_a_default_is_shown_to_be_changed(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who, macros=Shelf(desk, who))) as screen:
            await screen.press("m")
            await screen.type("later")
            await screen.press("enter")
            await screen.see("macro later day=2026-03-01 why=", "Because of what? (rain, snow)")
            await screen.type("snow")
            await screen.press("enter")
            await screen.until(lambda: len(store.thread(1)) == 2)
            await screen.settle()
            assert store.thread(1)[-1].text == "On 2026-03-01, snow"

    run(body())


def test_it_runs_on_the_marked_tickets_after_they_were_shown(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who, macros=Shelf(desk, who))) as screen:
            await screen.press("space", "space", ":")
            await screen.type("macro sort")
            await screen.press("enter")
            await screen.see("Preview of the macro sort", "2 tickets", "tags +sorted")
            assert store.ticket(1).tags == ()
            await screen.press("y")
            await screen.until(lambda: store.ticket(2).tags == ("sorted",))
            await screen.settle()
            assert "macro sort · 2 tickets" in screen.status

    run(body())


def test_a_line_that_cannot_be_understood_says_so(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who, macros=Shelf(desk, who))) as screen:
            await screen.press(":")
            await screen.type("macro sort tag")
            await screen.press("enter")
            await screen.see('"tag" sets nothing; write tag=VALUE')

    run(body())


@pytest.mark.parametrize(
    ("line", "given"),
    [
        ("refund amount=12 EUR", {"amount": "12 EUR"}),
        ("refund amount=12 EUR why=it's broken", {"amount": "12 EUR", "why": "it's broken"}),
        ('refund amount="12  EUR" why=x', {"amount": "12  EUR", "why": "x"}),
        ("refund", {}),
    ],
)
def test_a_value_goes_on_to_the_next_one(line: str, given: dict[str, str]) -> None:
    from desk.macros import typed

    assert typed(line) == ("refund", given)


def test_a_snippet_takes_the_place_of_its_name(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who, macros=Shelf(desk, who))) as screen:
            await screen.press("enter", "r")
            await screen.type("So: hello")
            await screen.press("ctrl+t")
            await screen.type(" Bye.")
            assert screen.app.writing.body == "So: Hello,\n\nthis is about #1. Bye."
            await screen.type(" helo")
            await screen.press("ctrl+t")
            await screen.see('there is no snippet "helo" (did you mean "hello"?)')
            assert screen.app.writing.body.endswith("Bye. helo")

    run(body())


# -- recording ------------------------------------------------------------------------------


def test_what_is_done_between_two_keys_becomes_a_macro(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)
    shelf = Shelf(desk, who)
    do(desk, who, "tag before", 1, batch="before")

    async def body() -> None:
        async with shown(front(desk, who, macros=shelf)) as screen:
            await screen.press("Q")
            assert "recording" in screen.status
            await screen.run("tag vpn")
            await screen.run("tag wrong")
            await screen.press("u")
            await screen.run("assign sam")
            await screen.run("note He gets 12 EUR back.")
            do(desk, who, "tag elsewhere", 2, batch="another terminal")
            await screen.press("Q")
            await screen.see("A new macro", "tag vpn", "assign {{ input.agent }}", "He gets {{ input.amount }} back.")
            await screen.see("asked   assign whom?  “sam”", "asked   what amount?  “12 EUR”")
            assert "recording" not in screen.status
            assert "before" not in screen.text
            assert "wrong" not in screen.text
            assert "elsewhere" not in screen.text
            await screen.press("G", "k", "space")
            await screen.see("always  assign whom?", "assign sam")
            await screen.press("y")
            await screen.type("back-money")
            await screen.press("enter")
            await screen.until(lambda: shelf.kept)
            await screen.settle()
            assert shelf.kept["back-money"]["do"] == [
                "tag vpn",
                "assign sam",
                'note "He gets {{ input.amount }} back."',
            ]
            assert [one["name"] for one in shelf.kept["back-money"]["inputs"]] == ["amount"]
            assert "the macro back-money is there, m offers it" in screen.status
            assert screen.app.place == "queue"

    run(body())


def test_a_recorded_macro_is_not_written_over_another_unasked(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)
    shelf = Shelf(desk, who)
    shelf.kept["mine"] = {"do": ["solve"]}

    async def body() -> None:
        async with shown(front(desk, who, macros=shelf)) as screen:
            await screen.press("Q", "x", "Q", "y")
            await screen.type("Mine!")
            await screen.press("enter")
            await screen.see('"Mine!" is no name for a macro')
            await screen.press("y")
            await screen.type("mine")
            await screen.press("enter")
            await screen.see("mine.toml is there already; write over it?")
            await screen.press("n")
            assert shelf.kept["mine"] == {"do": ["solve"]}
            await screen.press("y")
            await screen.type("mine")
            await screen.press("enter", "y")
            await screen.until(lambda: shelf.kept["mine"].get("title") == "mine")

    run(body())


def test_recording_nothing_says_so(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who, macros=Shelf(desk, who))) as screen:
            await screen.press("Q", "j", "Q")
            await screen.see("nothing was done that a macro could do again")
            assert "recording" not in screen.app.edges.status.text

    run(body())
