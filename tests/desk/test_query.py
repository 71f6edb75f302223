"""The search language: what it reads, what it answers, and how it helps with mistakes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from desk.model import DAY, HOUR, Bin, Customer, Priority, Status, Ticket
from desk.query import FIELDS, VISIBLE, Case, Env, QueryError, matches, parse, suggest
from desk.text import words

NOW = 1_770_000_000_000
ENV = Env(NOW, me="kim", teams=("network", "mobile"))
TICKET = Ticket(12, "VPN drops every 20 minutes", 7, NOW - 3 * HOUR, NOW - HOUR, status=Status.OPEN)
ANN = Customer(7, "Ann Lee", "ann@acme.example", "Acme Ltd")


def holds(
    query: str, *texts: str, ticket: Ticket = TICKET, seen: int = 0, attached: bool = False, **fields: object
) -> bool:
    """Whether the query finds the ticket with these fields and texts."""
    case = Case(replace(ticket, **fields), ANN, [words(t) for t in (ticket.subject, *texts)], seen, attached)
    return matches(parse(query, ENV), case)


# -- fields -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "yes", "no"),
    [
        ("is:open", {}, {"status": Status.SOLVED}),
        ("is:open", {"status": Status.PENDING}, {"snoozed_until": NOW + 1}),
        ("is:open", {"snoozed_until": NOW - 1}, {"snoozed_for_reply": True}),
        ("is:snoozed", {"snoozed_until": NOW + 1}, {}),
        ("is:snoozed", {"snoozed_for_reply": True}, {"snoozed_until": NOW + 1, "status": Status.SOLVED}),
        ("is:unassigned", {}, {"assignee": "sam"}),
        ("is:mine", {"assignee": "kim"}, {"assignee": "sam"}),
        ("is:watched", {"watchers": ("kim", "sam")}, {"watchers": ("sam",)}),
        ("is:overdue", {"due_at": NOW - 1}, {"due_at": NOW + 1}),
        ("is:overdue", {"due_at": NOW - 1}, {"due_at": NOW - 1, "paused": True}),
        ("is:waiting", {"waiting_since": 1}, {}),
        ("is:new", {"status": Status.NEW}, {}),
        ("is:solved", {"status": Status.CLOSED}, {"status": Status.ON_HOLD}),
        ("is:closed,pending", {"status": Status.PENDING}, {"status": Status.SOLVED}),
        ("is:merged", {"merged_into": 3}, {}),
        ("is:spam", {"bin": Bin.SPAM}, {"bin": Bin.TRASH}),
        ("is:trash", {"bin": Bin.TRASH}, {}),
        ("status:on-hold,pending", {"status": Status.ON_HOLD}, {}),
        ("priority:urgent", {"priority": Priority.URGENT}, {}),
        ("priority:>normal", {"priority": Priority.HIGH}, {}),
        ("priority:>=high", {"priority": Priority.HIGH}, {"priority": Priority.NORMAL}),
        ("priority:<normal", {"priority": Priority.LOW}, {}),
        ("priority:<=low,", {"priority": Priority.LOW}, {}),
        ("assignee:me", {"assignee": "kim"}, {}),
        ("assignee:SAM,none", {"assignee": "sam"}, {"assignee": "kim"}),
        ("assignee:none", {}, {"assignee": "kim"}),
        ("team:mine", {"team": "mobile"}, {"team": "billing"}),
        ("team:none", {}, {"team": "billing"}),
        ("type:bug", {"type": "bug"}, {}),
        ("tag:vpn", {"tags": ("hot", "vpn")}, {"tags": ("vpn2",)}),
        ("tag:vpn,hot", {"tags": ("hot",)}, {"tags": ()}),
        ("tag:none", {}, {"tags": ("x",)}),
        ("channel:email", {"channel": "email"}, {"channel": "chat"}),
        ("channel:support", {"account": "support"}, {}),
        ("created:>2h", {}, {"created_at": NOW - HOUR}),
        ("updated:<2h", {}, {"updated_at": NOW - 3 * HOUR}),
        ("solved:today", {"solved_at": NOW}, {"solved_at": NOW - DAY}),
        ("waiting:>2h", {"waiting_since": NOW - 3 * HOUR}, {"waiting_since": NOW - HOUR}),
        ("due:<2h", {"due_at": NOW + HOUR}, {"due_at": NOW + 3 * HOUR}),
        ("due:none", {}, {"due_at": NOW}),
        ("id:12", {}, {"id": 13}),
        ("id:#12,40", {}, {"id": 13}),
        ("id:10..12", {}, {"id": 13}),
        ("id:10-12", {}, {"id": 9}),
        ("id:12..", {}, {"id": 11}),
        ("id:..12", {}, {"id": 13}),
        ("customer:7", {}, {"requester": 8}),
    ],
)  # fmt: skip
def test_a_field_tells_tickets_apart(query: str, yes: dict[str, object], no: dict[str, object]) -> None:
    assert holds(query.rstrip(","), **yes)
    assert not holds(query.rstrip(","), **no)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("from:ann", True),
        ("from:acme.example", True),
        ("from:an", False),
        ("from:an*", True),
        ("customer:lee", True),
        ("org:acme", True),
        ("org:ann", False),
        ("subject:drops", True),
        ("subject:mtu", False),
        ('subject:"every 20"', True),
        ("mtu", True),
        ('"clamp the mtu"', True),
        ('"the clamp mtu"', False),
        ("MT*", True),
        ('"clamp th"*', True),
        ("vpn mtu", True),
        ("vpn -mtu", False),
        ("-printer", True),
        ("printer or mtu", True),
        ("printer OR toner", False),
        ("(printer or mtu) vpn", True),
        ("-(printer or mtu)", False),
        ("vpn (printer or (toner or mtu))", True),
        ("not printer", True),
        ("Error: 20", False),
        ("!!!", True),
    ],
)
def test_words_are_looked_for_in_subject_and_messages(query: str, found: bool) -> None:
    assert holds(query, "Please clamp the MTU to 1400.") is found


def test_a_phrase_does_not_reach_from_one_message_into_the_next() -> None:
    assert not holds('"first second"', "the first", "second one")


def test_files_and_news_are_asked_for() -> None:
    assert holds("has:attachment", attached=True)
    assert not holds("has:attachment")
    assert holds("is:unread", heard=5, seen=4)
    assert not holds("is:unread", heard=5, seen=5)


def test_nobody_has_no_tickets_of_their_own() -> None:
    stranger = Env(NOW)
    for query in ("is:mine", "assignee:me", "team:mine", "is:watched", "is:unread"):
        case = Case(replace(TICKET, assignee=None, team=None, heard=9), ANN)
        assert not matches(parse(query, stranger), case), query


# -- what is out of sight ---------------------------------------------------


@pytest.mark.parametrize("hidden", [{"bin": Bin.SPAM}, {"bin": Bin.TRASH}, {"merged_into": 3}])
@pytest.mark.parametrize(
    "query", ["", "vpn", "is:open", "-tag:x", "-is:spam", "-is:trash,merged", "vpn -id:9", "not is:spam"]
)
def test_bins_and_merged_tickets_stay_out_unless_named(query: str, hidden: dict[str, object]) -> None:
    assert holds(query)
    assert not holds(query, **hidden)


@pytest.mark.parametrize(
    ("query", "hidden"),
    [
        ("is:spam", {"bin": Bin.SPAM}),
        ("is:trash vpn", {"bin": Bin.TRASH}),
        ("is:merged", {"merged_into": 3}),
        ("id:12", {"bin": Bin.SPAM}),
        ("is:open or is:trash", {"bin": Bin.TRASH}),
    ],
)
def test_a_query_that_names_them_finds_them(query: str, hidden: dict[str, object]) -> None:
    assert holds(query, **hidden)


def test_an_empty_query_is_everything_in_sight() -> None:
    assert parse("", ENV) == parse("   ", ENV)
    assert VISIBLE in parse("", ENV).parts  # type: ignore[union-attr]


# -- mistakes ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "place", "help"),
    [
        ("is:opne", 3, 'did you mean "open"?'),
        ("vpn status:opn", 11, 'there is no status "opn" (did you mean "open"?)'),
        ("statsu:open", 0, 'there is no field "statsu:" (did you mean "status"?)'),
        ("asignee:me", 0, "assignee"),
        ("priority:>hihg", 9, 'did you mean "high"?'),
        ("is:open due:soon", 12, '"soon" is not a time: write a span'),
        ("created:..", 8, "a range needs a beginning or an end"),
        ("id:abc", 3, "is not a ticket number; write 12, 12,15 or 12..20"),
        ("id:5..x", 3, "is not a ticket number"),
        ("has:beard", 4, "write has:attachment"),
        ("vpn (printer", 4, "this parenthesis is never closed"),
        ("vpn printer)", 11, "this parenthesis was never opened"),
        ("or vpn", 0, 'there is nothing before "or"'),
        ("vpn or", 4, 'there is nothing after "or"'),
        ("vpn or or x", 4, 'there is nothing after "or"'),
        ("vpn not", 6, "there is nothing to exclude here"),
        ("status:", 6, "status: needs a value: new, open"),
        ('status:""', 8, "status: needs a value"),
        ("(" * 200 + "x" + ")" * 200, 100, "nested too deeply"),
        ("-(" * 200 + "x" + ")" * 200, 100, "nested too deeply"),
    ],
)  # fmt: skip
def test_a_mistake_is_answered_with_its_place_and_what_was_meant(query: str, place: int, help: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(query, ENV)
    assert help.strip('"') in str(caught.value)
    assert caught.value.at == place
    assert str(caught.value).splitlines()[-1] == "  " + " " * place + "^"


def test_a_colon_in_ordinary_words_is_no_field() -> None:
    assert holds("error:20", "error 20")
    assert holds("http://a.example/x", "see http://a.example/x")


@pytest.mark.parametrize("query", ["customer:²", "id:" + "9" * 30, "customer:" + "9" * 30, "id:1.." + "9" * 30])
def test_numbers_no_ticket_can_have_break_nothing(query: str) -> None:
    if query.startswith("customer:"):
        assert not holds(query)
    else:
        with pytest.raises(QueryError, match="is not a ticket number"):
            holds(query)


@given(st.text(st.sampled_from('abisopenidtagduecreated:-()"*#<>.,0129 ²é東\n\t'), max_size=40))
def test_any_text_is_a_query_or_a_mistake_with_a_place(text: str) -> None:
    try:
        found = matches(parse(text, ENV), Case(TICKET, ANN))
    except QueryError as error:
        found = 0 <= error.at <= len(text)
        if not found:
            raise
    assert found in (True, False)


def test_every_field_says_what_may_stand_there() -> None:
    assert all(field.help for field in FIELDS.values())


@pytest.mark.parametrize(
    ("name", "names", "said"),
    [
        ("opne", ["open", "closed"], ' (did you mean "open"?)'),
        ("xyz", ["open", "closed"], "; there are open, closed"),
        ("xyz", [], ""),
        ("xyz", [f"name{i}" for i in range(30)], ""),
    ],
)
def test_a_suggestion_is_the_nearest_word_or_a_short_list(name: str, names: list[str], said: str) -> None:
    assert suggest(name, names) == said
