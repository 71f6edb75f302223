"""Rules and hooks as tables: what is understood, what is refused and where; conditions and what they ask."""

from __future__ import annotations

import pytest

from desk import hooks, rules
from desk.conditions import Condition, case, terms
from desk.config import parse
from desk.errors import Invalid
from desk.model import Customer, Direction, Kind, Message, Status, Ticket
from desk.query import Env, needles
from desk.query import parse as parse_query

ANN = Customer(1, "Ann", "ann@acme.example", "acme.example")


def first(text: str) -> rules.Rule:
    """The one rule of a file."""
    found = rules.load(parse(text).desk)
    assert not found.errors, found.errors
    (rule,) = found.items.values()
    return rule


def test_one_occasion_and_one_line_need_no_list() -> None:
    rule = first('[rules.a]\non = "created"\ndo = "tag vip"')
    assert (rule.name, rule.on, rule.do, rule.source) == ("a", ("created",), ("tag vip",), "rule:a")


def test_rules_come_by_order_and_then_as_in_the_file() -> None:
    text = "\n".join(
        f'[rules.{name}]\non = "changed"\ndo = "tag x"\norder = {order}'
        for name, order in (("z", 0), ("y", 2), ("x", 0), ("w", -1))
    )
    assert list(rules.load(parse(text).desk).items) == ["w", "z", "x", "y"]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('on = "crated"\ndo = "tag x"', '[rules.a] line 2: on cannot be "crated" (did you mean "created"?)'),
        ('on = "created"\ndo = "tga x"', 'line 3: there is no verb "tga" (did you mean "tag"?)'),
        ('on = "created"\nwhen = "status:opne"\ndo = "tag x"', 'line 3: there is no status "opne" (did you mean "open"?)'),
        ('on = "created"\nwhen = "was:sttus:open"\ndo = "tag x"', 'there is no field "sttus:" to ask for what was (did you mean "status"?)'),
        ('on = "created"\ndo = "take"', "take is for people"),
        ('on = "created"\ndo = "assign me"', 'a rule is nobody that "me" could be'),
        ('on = "created"\ndo = "watch"', 'a rule is nobody that "me" could be'),
        ('on = "created"\ndo = "reply Dear {{ customer.nmae }}"', "nothing is called customer.nmae"),
        ('on = "created"\ndo = "reply {{ customer.name"', "template"),
        ('on = "created"\ndo = "reply --attach a.pdf Here"', "a rule attaches no files"),
        ('on = "idle"\ndo = "solve"', 'on = "idle" and the key idle = "3d" belong together'),
        ('on = "idle"\nidle = "soon"\ndo = "solve"', '"soon" is no length of time'),
        ('on = "at"\nat = "0 9"\ndo = "solve"', "five fields"),
        ('on = "at"\nat = "0 9 * * *"\nzone = "Europe/Berln"\ndo = "solve"', "there is no time zone"),
        ('on = "idle"\nidle = "3d"\nwhen = "was:status:open"\ndo = "solve"', "ask about something that happened"),
        ('on = []\ndo = "solve"', "a rule needs an occasion"),
        ('on = "created"\ndo = []', "a rule needs something to do"),
        ('on = "created"\ndo = "tag x"\nwhn = ""', 'unknown key "whn" (did you mean "when"?)'),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place_and_the_others_hold(lines: str, said: str) -> None:
    found = rules.load(parse(f'[rules.a]\n{lines}\n[rules.b]\non = "created"\ndo = "tag b"').desk)
    assert list(found.items) == ["b"]
    (error,) = found.errors
    assert said in str(error)
    assert str(error).startswith("config.toml, [rules.a] line ")
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('on = "message-in"', 'the key "program" is missing'),
        ('on = "idle"\nprogram = "x"', "on cannot be"),
        ('on = "created"\nprogram = "x"\ntimeout_s = 61', "at most 60 seconds"),
        ('on = "before-send"\nprogram = "x"\nwhen = "was:status:open"', "before anything does"),
    ],
)
def test_a_mistake_in_a_hook_is_told_with_its_place(lines: str, said: str) -> None:
    (error,) = hooks.load(parse(f"[hooks.a]\n{lines}").desk).errors
    assert said in str(error)
    assert "[hooks.a] line " in str(error)


def test_what_depends_on_the_time_is_read_for_each_moment_and_nothing_else_is() -> None:
    still = Condition("status:open created:>2026-01-31")
    assert still.node(1) is still.node(10**12)
    moving = Condition("created:>2h")
    assert moving.node(10**12) is moving.node(10**12)
    assert moving.node(10**12) != moving.node(2 * 10**12)


def test_was_and_message_ask_for_what_was_and_what_is_new() -> None:
    now, before = Ticket(1, "VPN", 1, 0, 0, status=Status.OPEN), Ticket(1, "VPN", 1, 0, 0, status=Status.SOLVED)
    said = [
        Message(n, 1, Kind.PUBLIC, Direction.IN, 0, "Ann", text, text)
        for n, text in ((1, "It is broken"), (2, "Thanks!"))
    ]
    whole = case(now, ANN, lambda: said, before=before, new=[2])

    def holds(text: str) -> bool:
        return Condition(text).holds(whole, 0)

    assert holds("was:status:solved status:open message:thank* broken")
    assert not holds("was:status:open")
    assert not holds("message:broken")
    assert holds("-was:tag:vip -was:assignee:kim was:assignee:none")
    assert not Condition("was:status:solved").holds(case(now, ANN, lambda: said), 0)


def test_the_conversation_is_read_only_when_somebody_asks_for_it() -> None:
    def never() -> list[Message]:
        raise AssertionError

    ticket = Ticket(1, "VPN", 1, 0, 0)
    for text in ("is:new subject:vpn org:acme", "was:status:open"):
        asked = Condition(text)
        asked.holds(case(ticket, ANN, never, asked.asks, before=ticket), 0)
    assert Condition("vpn or has:attachment").asks == {"text"}


def test_what_does_not_hold_is_named_as_it_is_written() -> None:
    ticket = Ticket(1, "VPN", 1, 0, 0, tags=("a",))
    asked = Condition('tag:a status:solved -tag:a (tag:b or tag:c) "no way"')
    fails = asked.fails(case(ticket, ANN, list), 0)
    assert fails == ["status:solved", "-tag:a", "(tag:b or tag:c)", '"no way"']
    assert terms("a or b c") == ["a or b c"]
    assert terms("not tag:a tag:b") == ["not tag:a", "tag:b"]
    merged = Ticket(1, "VPN", 1, 0, 0, merged_into=2)
    assert Condition("tag:none").fails(case(merged, ANN, list), 0) == ["(it is merged; only is:merged asks for it)"]


def test_outside_of_rules_was_is_a_word_as_any_other() -> None:
    assert needles(parse_query("was:status:pending", Env(0))) == [("was status pending", False)]
    with pytest.raises(Invalid, match="no status"):
        Condition("was:status:opne")
