"""Macros and canned texts: what they mean, what they refuse, and that they do on each ticket what was shown."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from desk import canned, macros, tables
from desk.config import DeskConfig, parse
from desk.errors import ConfigError, Conflict, DeskError, Forbidden, Invalid, NotFound
from desk.lines import Call
from desk.macros import Input, Macro, Prepared, answers, missing, prepare
from desk.model import Kind, Role, Status
from desk.perform import Outcome
from desk.placeholders import NAMES, data, first_name
from desk.store import Batch
from tests.desks import NOW, Room


def written(toml: str) -> DeskConfig:
    return parse(toml).desk


def prepared(room: Room, macro: Macro, *ids: int, by: str = "kim", **given: str) -> Prepared:
    return prepare(room.desk, "it", macro, ids, room.be(by), at=room.clock, given=given)


def run(room: Room, macro: Macro, *ids: int, by: str = "kim", dry_run: bool = False, **given: str) -> Outcome:
    ready = prepared(room, macro, *ids, by=by, **given)
    return macros.run(room.desk, ready, room.be(by), at=room.clock, batch_id=room.turn(), dry_run=dry_run)


# -- the table ------------------------------------------------------------------------


def test_a_macro_is_read_with_its_inputs() -> None:
    desk = written(
        """
        [macros.refund]
        title = "Refund"
        when = "tag:billing"
        do = ["reply We refund {{ input.amount }}.", "solve"]
        then = "next"
        [[macros.refund.inputs]]
        name = "amount"
        default = "10 EUR"
        """
    )
    assert macros.load(desk).errors == ()
    assert macros.load(desk).items["refund"] == Macro(
        title="Refund",
        when="tag:billing",
        do=("reply We refund {{ input.amount }}.", "solve"),
        then="next",
        inputs=(Input("amount", default="10 EUR"),),
    )


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        ("", 'line 1: the key "do" is missing'),
        ("do = []", "line 2: a macro does something"),
        ('do = ["asign me"]', r'line 2: "asign me": there is no verb "asign" \(did you mean "assign"\?\)'),
        ('do = ["priority urgnt"]', r'line 2: .*there is no priority "urgnt" \(did you mean "urgent"\?\)'),
        ('do = ["assign"]', "assign needs an agent"),
        ('do = ["solve now"]', 'solve does not take "now"'),
        ('do = ["reply --alll Hi"]', r'no option "--alll" \(did you mean "all"\?\)'),
        ('do = ["open --requester ann@example.com Another"]', "acts on those that are there"),
        ('do = ["{{ ticket.status }}"]', "a verb is written out"),
        ('do = ["note --attach {{ message.text }} See"]', "files are written out"),
        ('do = ["note {{ ticket.subjct }}"]', r'nothing is called ticket\.subjct \(did you mean "ticket\.subject"\?\)'),
        ('do = ["note {{ input.amount }}"]', "nothing is called input.amount"),
        ('do = ["note {{ ticket.subject"]', "this is not a template"),
        ("do = [\"note {% include 'x' %}\"]", "means nothing here"),
        ('do = ["solve"]\nwhen = "is:opn"', r'line 3: "is:opn" means nothing \(did you mean "open"\?\)'),
        ('do = ["solve"]\nthen = "stop"', 'line 3: then cannot be "stop"'),
        ('do = ["solve"]\nwhem = "is:open"', r'line 3: unknown key "whem" \(did you mean "when"\?\)'),
        ('do = "solve"', "line 2: do is a list"),
        ('do = ["solve"]\ninputs = [{name = "a", kind = "number"}]', 'kind cannot be "number"'),
        ('do = ["solve"]\ninputs = [{name = "a b"}]', 'line 3: "a b" is no name'),
        ('do = ["solve"]\ninputs = [{name = "a", kind = "choice"}]', "a: choices = "),
        ('do = ["solve"]\ninputs = [{name = "a", choices = ["x"]}]', "a: choices = "),
        ('do = ["solve"]\ninputs = [{name = "a", kind = "choice", choices = ["x"], default = "y"}]', "none of the choices"),
        ('do = ["solve"]\ninputs = [{name = "a"}, {name = "a"}]', 'line 3: there are two inputs "a"'),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line_and_the_others_go_on(lines: str, error: str) -> None:
    desk = written(f'[macros.bad]\n{lines}\n[macros.good]\ndo = ["solve"]\n')
    found = macros.load(desk)
    assert list(found.items) == ["good"]
    assert len(found.errors) == 1
    with pytest.raises(ConfigError, match=error):
        raise found.errors[0]
    assert found.errors[0] in tables.problems(desk)
    with pytest.raises(ConfigError, match=error):
        tables.named(desk, "macros", "bad", macros.load)


def test_a_macro_that_is_not_there_names_the_nearest() -> None:
    desk = written('[macros.refund]\ndo = ["solve"]\n')
    with pytest.raises(NotFound, match=r'no macro "refnd" \(did you mean "refund"\?\); deskhand macro list'):
        tables.named(desk, "macros", "refnd", macros.load)


# -- what it asks for -------------------------------------------------------------------


def given(room: Room, one: Input, text: str) -> str:
    kim = room.be("kim").agent
    assert kim is not None
    zone = ZoneInfo("Europe/Berlin")
    return answers([one], {one.name: text} if text else {}, store=room.store, agent=kim, at=NOW, zone=zone).get(
        one.name, "nothing"
    )


@pytest.mark.parametrize(
    ("one", "text", "value"),
    [
        (Input("a"), "some words", "some words"),
        (Input("a", default="x"), "", "x"),
        (Input("a", required=False), "", "nothing"),
        (Input("a", kind="choice", choices=("red", "blue")), "blue", "blue"),
        (Input("a", kind="agent"), "me", "kim"),
        (Input("a", kind="agent"), "Sam", "sam"),
        (Input("a", kind="date"), "tomorrow", "2026-02-03"),
        (Input("a", kind="date"), "2026-03-29", "2026-03-29"),
        (Input("a", kind="date"), "tomorrow 15:00", "2026-02-03T15:00:00+01:00"),
        (Input("a", kind="date"), "2h", "2026-02-02T05:40:00+01:00"),
    ],
)
def test_an_answer_is_what_its_kind_makes_of_it(room: Room, one: Input, text: str, value: str) -> None:
    assert given(room, one, text) == value


@pytest.mark.parametrize(
    ("one", "text", "error"),
    [
        (Input("a"), "", "it asks for a; add --set a="),
        (
            Input("a", kind="choice", choices=("red", "blue")),
            "bleu",
            r'a: "bleu" is none of the choices \(did you mean',
        ),
        (Input("a", kind="agent"), "simon", 'a: there is no agent "simon"'),
        (Input("a", kind="date"), "someday", 'a: "someday" is not a time'),
    ],
)
def test_an_answer_that_cannot_be_is_refused(room: Room, one: Input, text: str, error: str) -> None:
    with pytest.raises(Invalid, match=error):
        given(room, one, text)


def test_an_answer_to_what_nobody_asked_is_refused(room: Room) -> None:
    with pytest.raises(Invalid, match=r'it does not ask for "amont" \(did you mean "amount"\?\)'):
        prepared(room, Macro(do=("note {{ input.amount }}",), inputs=(Input("amount"),)), 1, amount="1", amont="2")


def test_what_is_missing_is_told() -> None:
    inputs = [Input("a"), Input("b", default="x"), Input("c", required=False), Input("d")]
    assert [one.name for one in missing(inputs, {"d": "given"})] == ["a"]


# -- what a template may name -----------------------------------------------------------


def test_every_name_has_a_value_when_everything_is_known(room: Room) -> None:
    room.do("type question; team network; assign kim; link 2", 1)
    ticket = replace_due(room)
    customer = replace_customer(room)
    kim = room.store.agents()["kim"]
    agent = type(kim)(**{**{f: getattr(kim, f) for f in kim.__struct_fields__}, "address": "kim@example.com", "signature": "Kim"})  # fmt: skip
    found = data(
        ticket, customer, room.store.thread(1)[0], agent=agent, config=DeskConfig(), at=NOW, zone=UTC, inputs={"a": "b"}
    )

    def names(value: Mapping[str, object], before: str = "") -> set[str]:
        return {
            name
            for key, inner in value.items()
            for name in (names(inner, f"{before}{key}.") if isinstance(inner, dict) else {f"{before}{key}"})
        }

    links = {f"links.{kind}" for kind in ("parent", "child", "duplicate_of", "duplicated_by", "follow_up")}
    assert names(found) == {*NAMES, "input.a", *links}
    assert found["links"]["related"] == [2]
    assert found["now"] == "2026-02-02T02:40:00+00:00"
    assert found["message"]["text"] == "Hello, this is mail 0.\nIt has two lines."


def replace_due(room: Room):  # type: ignore[no-untyped-def]
    from msgspec.structs import replace as with_

    return with_(room.store.ticket(1), due_at=NOW, waiting_since=NOW)


def replace_customer(room: Room):  # type: ignore[no-untyped-def]
    from msgspec.structs import replace as with_

    return with_(room.store.customer(room.store.ticket(1).requester), organisation="Acme", notes="Likes tea")


@pytest.mark.parametrize(
    ("name", "first"),
    [("Kim Arden", "Kim"), ("Arden, Kim", "Kim"), ("Dr. Kim Arden", "Kim"), ("Kim", "Kim"), ("Prof.", "Prof."), ("山田太郎", "山田太郎")],
)  # fmt: skip
def test_a_first_name_is_what_friends_say(name: str, first: str) -> None:
    assert first_name(name) == first


# -- running ----------------------------------------------------------------------------


def test_it_is_done_on_each_ticket_as_one_batch_with_one_undo(room: Room) -> None:
    macro = Macro(do=("tag vpn", 'reply "Hello {{ customer.first_name }},\n\nyour ticket {{ ticket.id }}."', "solve"))
    outcome = run(room, macro, 1, 2)
    assert outcome.done == [1, 2]
    assert room.store.ticket(2).tags == ("vpn",)
    assert room.store.ticket(1).status is Status.SOLVED
    assert room.store.thread(2)[-1].text == "Hello Customer,\n\nyour ticket 2."
    record = room.store.log(ticket=1, newest=True, limit=1)[0]
    assert (record.line, record.source, record.batch) == ("macro it", "macro:it", outcome.batch)
    assert sorted(room.undo().done) == [1, 2]
    assert room.store.ticket(2).tags == ()
    assert len(room.store.thread(2)) == 1


def test_what_a_customer_wrote_stays_words(room: Room) -> None:
    evil = 'x"; solve; reply --bcc evil@example.org {{ agent.name }} {% include "x" %}'
    room.receive(room.mail(7, subject="It breaks", text=evil, name="Eve, evil@example.org"))
    ready = prepared(room, Macro(do=('reply "You wrote: {{ message.text }}"',)), 6)
    assert ready.calls == {6: [Call("reply", {"body": f"You wrote: {evil}"})]}


def test_a_preview_changes_nothing(room: Room) -> None:
    before = room.store.last_seq()
    assert run(room, Macro(do=("tag vpn",)), 1, 2, dry_run=True).events
    assert room.store.last_seq() == before


def test_a_missing_value_is_an_error_before_anything_is_done(room: Room) -> None:
    macro = Macro(do=("tag vpn", "reply Your team is {{ ticket.team }}"))
    before = room.store.last_seq()
    with pytest.raises(Invalid, match=r"ticket\.team has no value here"):
        run(room, macro, 1)
    assert room.store.last_seq() == before
    room.do("team network", 2)
    outcome = run(room, macro, 1, 2)
    assert outcome.done == [2]
    assert "ticket.team has no value here" in outcome.skipped[1]
    assert run(room, replace(macro, do=('note {{ ticket.team|default("none") }}',)), 1).done == [1]


def test_it_runs_only_where_its_condition_holds(room: Room) -> None:
    room.do("tag vpn", 2)
    macro = Macro(when="tag:vpn", do=("solve",))
    with pytest.raises(Invalid, match="offered only where this holds: tag:vpn"):
        run(room, macro, 1)
    with pytest.raises(NotFound):
        run(room, macro, 99)
    outcome = run(room, macro, 1, 2, 99)
    assert outcome.done == [2]
    assert outcome.skipped == {1: "it is offered only where this holds: tag:vpn", 99: "there is no ticket #99"}


def test_a_ticket_that_changed_since_it_was_shown_is_left_alone(room: Room) -> None:
    ready = prepared(room, Macro(do=("solve",)), 1, 2)
    room.do("tag vpn", 1, by="sam")
    outcome = macros.run(room.desk, ready, room.be("kim"), at=room.clock, batch_id=room.turn())
    assert outcome.done == [2]
    assert "#1 was changed by somebody else meanwhile" in outcome.skipped[1]
    ready = prepared(room, Macro(do=("solve",)), 3)
    room.do("tag vpn", 3, by="sam")
    with pytest.raises(Conflict, match="#3 was changed"):
        macros.run(room.desk, ready, room.be("kim"), at=room.clock, batch_id=room.turn())


def test_one_that_is_left_of_several_and_fails_is_listed_too(room: Room) -> None:
    outcome = run(room, Macro(do=("reopen",)), 1, 99)
    assert outcome.done == []
    assert sorted(outcome.skipped) == [1, 99]


def test_a_ticket_gets_all_of_it_or_nothing(room: Room) -> None:
    outcome = run(room, Macro(do=("tag vpn", "reopen")), 1, 2)
    assert outcome.done == []
    assert room.store.ticket(1).tags == ()


def test_nobody_may_do_by_macro_what_they_may_not_do(room: Room) -> None:
    with pytest.raises(Forbidden, match="block"):
        run(room, Macro(do=("block",)), 1, by="sam")
    with pytest.raises(Forbidden, match="read-only"):
        run(room, Macro(do=("solve",)), 1, by="rob")


def test_a_teams_macro_is_for_its_agents_and_leads(room: Room) -> None:
    macro = Macro(team="network", do=("solve",))
    with pytest.raises(Forbidden, match="the macro it is for the team network"):
        run(room, macro, 1, by="sam")
    assert run(room, macro, 1, by="lee").done == [1]
    sam = room.store.agents()["sam"]
    from msgspec.structs import replace as with_

    room.store.save_agent(with_(sam, teams=("network",), role=Role.AGENT), Batch("sam", NOW))
    assert run(room, macro, 2, by="sam").done == [2]


def test_notes_stay_inside(room: Room) -> None:
    run(room, Macro(do=("note {{ ticket.subject|upper }}",)), 1)
    last = room.store.thread(1)[-1]
    assert (last.kind, last.text) == (Kind.NOTE, "VPN DROPS EVERY 20 MINUTES")


# -- canned texts -------------------------------------------------------------------------


CANNED = """
[snippets.hours]
title = "Opening hours"
text = "We are here from 9 to 5, {{ customer.first_name|default('dear customer') }}."
tags = ["office"]
[snippets.vpn-reset]
text = "Please reset the tunnel."
"""


@pytest.mark.parametrize(
    ("words", "found"),
    [("open", ["hours"]), ("office", ["hours"]), ("vpn", ["vpn-reset"]), ("reset tun", ["vpn-reset"]), ("from tunnel", []), ("", ["hours", "vpn-reset"])],
)  # fmt: skip
def test_canned_texts_are_found_by_their_words(words: str, found: list[str]) -> None:
    assert list(canned.search(canned.load(written(CANNED)).items, words)) == found


def test_a_canned_text_with_a_mistake_is_named_with_its_line() -> None:
    desk = written('[snippets.bad]\ntitle = "x"\ntext = "{{ customer.nam }}"\n[snippets.worse]\n')
    errors = [str(error) for error in canned.load(desk).errors]
    assert errors == [
        'config.toml, [snippets.bad] line 3: nothing is called customer.nam (did you mean "customer.name"?)',
        'config.toml, [snippets.worse] line 4: the key "text" is missing',
    ]
    with pytest.raises(DeskError, match=r"customer\.nam "):
        tables.named(desk, "snippets", "bad", canned.load)
