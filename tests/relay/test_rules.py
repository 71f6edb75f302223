"""The rules at work: what they act on, once, in order, to an end, and what they send."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from pathlib import Path

import pytest

from desk.config import publishable
from desk.model import DAY, HOUR, MINUTE, State, Status
from desk.store import Batch
from relay import run
from relay.rules import CURSOR, Lost, Work, rules
from relay.trouble import RULES as TROUBLE
from tests.relays import running, until
from tests.ruled import Ruled, configured

VIP = """
[rules.vip]
on = "created"
when = "org:acme"
do = ["team network", "priority high", "tag vip"]
"""


def test_a_rule_acts_on_a_new_ticket_and_the_log_names_it(tmp_path: Path) -> None:
    here = Ruled(tmp_path, VIP)
    here.room.receive(here.room.mail(7))
    assert here.settle() == 1
    ticket = here.store.ticket(2)
    assert (ticket.team, str(ticket.priority), ticket.tags) == ("network", "high", ("vip",))
    record = here.store.log(ticket=2)[-1]
    assert (record.source, record.agent, record.line) == ("rule:vip", "rules", "team network; priority high; tag vip")
    opened = here.store.log(ticket=2)[0]
    assert record.caused_by == opened.batch
    assert here.store.causes(record.batch) == ["rule:vip", "support"]


def test_what_was_there_before_is_no_news(tmp_path: Path) -> None:
    here = Ruled(tmp_path, VIP, tickets=3)
    assert here.settle() == 0


def test_an_import_and_what_is_taken_back_wake_no_rule(tmp_path: Path) -> None:
    here = Ruled(tmp_path, '[rules.all]\non = ["created", "changed", "message-in"]\ndo = "tag seen"')
    mail = here.room.mail(9)
    room = here.room
    from desk import intake

    how = intake.Intake("archive", "email", room.desk.config, room.desk.signer, silent=True)
    room.store.write(
        lambda tx: intake.take_in(tx, how, [intake.prepare(mail)], Batch("i1", room.clock, source="import:archive"))
    )
    assert here.settle() == 0
    room.do("priority high", 1)
    assert here.settle() == 1
    room.do("untag seen", 1)
    here.settle()
    room.undo()
    assert here.settle() == 0


def test_was_asks_for_what_was_before_the_change(tmp_path: Path) -> None:
    text = """
    [rules.woken]
    on = "message-in"
    when = "was:status:pending status:open"
    do = "tag answered"

    [rules.lost]
    on = "changed"
    when = "was:tag:vip -tag:vip"
    do = "note they lost it"
    """
    here = Ruled(tmp_path, text, tickets=2)
    here.room.do("status pending", 1)
    here.room.answer(1)
    here.room.answer(2)
    here.settle()
    assert here.store.ticket(1).tags == ("answered",)
    assert here.store.ticket(2).tags == ()
    here.room.do("tag vip", 2)
    assert here.settle() == 0
    here.room.do("untag vip", 2)
    assert here.settle() == 1


def test_words_are_looked_for_in_the_conversation(tmp_path: Path) -> None:
    here = Ruled(tmp_path, '[rules.outage]\non = "message-in"\nwhen = \'("power cut" or outage*) has:attachment\'\ndo = "tag outage"\n'
                           '[rules.words]\non = "message-in"\nwhen = \'"power cut"\'\ndo = "tag power"')  # fmt: skip
    here.room.answer(1, "It began with the power cut.")
    here.settle()
    assert here.store.ticket(1).tags == ("power",)


def test_rules_act_in_order_each_on_what_the_one_before_left_and_stop_ends_it(tmp_path: Path) -> None:
    text = """
    [rules.third]
    on = "changed"
    order = 3
    do = "tag third"
    [rules.first]
    on = "changed"
    order = 1
    do = "tag first"
    [rules.second]
    on = "changed"
    when = "tag:first"
    order = 2
    stop = true
    do = "tag second"
    [rules.off]
    on = "changed"
    enabled = false
    do = "tag off"
    """
    here = Ruled(tmp_path, text)
    here.room.do("priority high", 1)
    here.work.step()
    assert [name for name, _ in here.acts()] == ["first", "second"]


def test_spam_and_trash_are_left_alone_unless_they_are_asked_for(tmp_path: Path) -> None:
    here = Ruled(
        tmp_path,
        '[rules.all]\non = "changed"\ndo = "tag seen"\n[rules.spam]\non = "changed"\nwhen = "is:spam"\ndo = "tag junk"',
    )
    here.room.do("spam", 1)
    here.settle()
    assert here.store.ticket(1).tags == ("junk",)


# -- rules end ------------------------------------------------------------------


def test_a_rule_never_acts_on_what_followed_from_itself(tmp_path: Path) -> None:
    text = """
    [rules.ping]
    on = "changed"
    when = "-tag:ball"
    do = "tag ball"
    [rules.pong]
    on = "changed"
    when = "tag:ball"
    do = "untag ball"
    """
    here = Ruled(tmp_path, text)
    here.room.do("priority high", 1)
    assert here.settle() <= 4
    assert here.store.setting(TROUBLE) is None


def test_a_chain_of_rules_ends_after_five_and_says_so(tmp_path: Path) -> None:
    chain = [
        f'[rules.r{n}]\non = "changed"\nwhen = "tag:t{n} -tag:t{n + 1}"\norder = {-n}\ndo = "tag t{n + 1}"\n'
        for n in range(8)
    ]
    here = Ruled(tmp_path, "".join(chain))
    here.room.do("tag t0", 1)
    assert here.settle() == 5
    assert here.store.ticket(1).tags == tuple(f"t{n}" for n in range(6))
    told = json.loads(here.store.setting(TROUBLE) or "")
    assert told["name"] == "r5"
    assert "r0" in told["why"]


# -- once ------------------------------------------------------------------------


def test_two_relays_act_once_between_them(tmp_path: Path) -> None:
    here = Ruled(tmp_path, '[rules.n]\non = "message-in"\ndo = "note once"')
    other = Work(here.relay("two"))
    here.room.answer(1)
    assert here.settle() == 1
    with pytest.raises(Lost):
        other.step()
    assert len(here.acts()) == 1
    here.room.answer(1)
    again = Work(here.relay("two"))
    again.step()
    assert again.acted == 1


def test_a_rule_that_fails_keeps_no_other_from_acting(tmp_path: Path) -> None:
    text = '[rules.a]\non = "changed"\ndo = ["tag half", "team nowhere"]\n[rules.b]\non = "changed"\ndo = "tag b"'
    here = Ruled(tmp_path, text)
    here.room.do("priority high", 1)
    assert here.settle() == 1
    assert here.store.ticket(1).tags == ("b",)
    told = json.loads(here.store.setting(TROUBLE) or "")
    assert (told["name"], told["ticket"]) == ("a", 1)
    assert "nowhere" in told["why"]


def test_how_far_the_log_is_read_is_kept_now_and_then(tmp_path: Path) -> None:
    here = Ruled(tmp_path, "")
    before = here.store.cursor(CURSOR)
    here.room.do("priority high", 1)
    here.later(MINUTE)
    assert here.store.cursor(CURSOR) == str(here.store.last_seq()) != before


# -- what rules send ----------------------------------------------------------------

REPLY = (
    '[rules.thanks]\non = "message-in"\ndo = "reply Dear {{ customer.name }}, we have it, as ticket {{ ticket.id }}."'
)


def test_a_reply_is_marked_as_automatic_and_answers_no_clock(tmp_path: Path) -> None:
    here = Ruled(tmp_path, REPLY)
    here.room.answer(1)
    waiting = here.store.ticket(1).waiting_since
    here.settle()
    message = here.store.thread(1)[-1]
    assert message.text == "Dear Customer 0, we have it, as ticket 1."
    assert (message.automatic, message.agent, message.author) == ("auto-reply", None, "deskhand")
    ticket = here.store.ticket(1)
    assert (ticket.waiting_since, ticket.first_reply_at, ticket.status) == (waiting, None, Status.NEW)
    here.room.send(state=State.SENT)
    assert here.store.ticket(1).waiting_since == waiting


def test_machines_get_nothing_and_people_twice_with_one_subject(tmp_path: Path) -> None:
    here = Ruled(tmp_path, REPLY.replace("reply Dear", 'tag seen", "reply Dear').replace('do = "', 'do = ["') + "]")
    for _ in range(4):
        here.room.answer(1)
        here.settle()
    assert sum(m.automatic == "auto-reply" for m in here.store.thread(1)) == 2
    here.room.receive(here.room.mail(50, automatic="auto-reply"))
    here.settle()
    here.room.answer(2, "I am out of office.", automatic="auto-reply")
    here.settle()
    assert here.store.ticket(2).tags == ("seen",)
    assert not any(
        m.deliveries if hasattr(m, "deliveries") else m.automatic == "auto-reply" and m.direction == "out"
        for m in here.store.thread(2)
    )


def test_a_rule_gives_tickets_to_who_can_take_them(tmp_path: Path) -> None:
    here = Ruled(tmp_path, '[rules.give]\non = "created"\ndo = "distribute --by least-loaded"')
    here.room.receive(here.room.mail(7), here.room.mail(8))
    assert here.settle() == 2
    given = [here.store.ticket(number).assignee for number in (2, 3)]
    assert None not in given
    assert "rules" not in given


# -- time ------------------------------------------------------------------------------

IDLE = """
[rules.remind]
on = "idle"
idle = "3d"
when = "status:pending"
do = "reply Did it help?"

[rules.give-up]
on = "idle"
idle = "7d"
when = "status:pending"
do = "solve"
"""


def test_an_idle_rule_acts_once_until_somebody_does_something(tmp_path: Path) -> None:
    here = Ruled(tmp_path, IDLE, tickets=2)
    here.room.do("status pending", 1, 2)
    here.room.do("note waiting", 2)
    assert here.later(2 * DAY) == 0
    assert here.later(DAY + MINUTE) == 2
    assert here.later(HOUR) == 0
    here.room.do("note still waiting", 1)
    assert here.later(2 * DAY) == 0
    assert here.later(DAY + HOUR) == 1
    assert [name for name, _ in here.acts(1)] == ["remind", "remind"]
    assert here.later(DAY) == 1
    assert here.store.ticket(2).status is Status.SOLVED
    assert here.store.ticket(1).status is Status.PENDING
    assert here.later(4 * DAY) == 1
    assert here.store.ticket(1).status is Status.SOLVED


AT = '[rules.morning]\non = "at"\nat = "0 9 * * mon-fri"\nzone = "Europe/Berlin"\nwhen = "is:live"\ndo = "note Good morning."'


def test_a_rule_by_the_clock_acts_once_a_moment_on_all_that_is_asked_for(tmp_path: Path) -> None:
    here = Ruled(tmp_path, AT, tickets=70)
    here.room.do("solve", 3)
    assert here.later(0) == 0
    assert here.later(6 * HOUR) == 69
    assert here.later(HOUR) == 0
    assert here.acts(3) == []


def test_after_an_outage_only_the_last_moment_is_made_up_for(tmp_path: Path) -> None:
    here = Ruled(tmp_path, AT, tickets=2)
    here.settle()
    assert here.later(5 * DAY) == 2
    assert here.later(DAY) <= 2
    assert len(here.acts(1)) <= 2


def test_other_rules_hold_as_soon_as_they_are_published(tmp_path: Path) -> None:
    here = Ruled(tmp_path, VIP)
    here.publish('[rules.other]\non = "created"\ndo = "tag other"')
    here.room.receive(here.room.mail(7))
    here.settle()
    assert here.store.ticket(2).tags == ("other",)


async def test_a_relay_takes_up_what_is_published_while_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "SETTINGS_S", 0.01)
    here = Ruled(tmp_path, VIP)
    here.engine.config = here.store.config
    other = json.dumps(publishable(configured('[rules.other]\non = "created"\ndo = "tag other"')))
    async with running(run._settings(here.engine)):
        await asyncio.sleep(0.05)
        here.store.publish(other, 7, {"rules": (None, None)}, Batch("published", here.room.clock))
        await until(lambda: here.engine.config.version == 7, "the configuration to be taken up")
    here.room.receive(here.room.mail(7))
    here.settle()
    assert here.store.ticket(2).tags == ("other",)


async def test_the_part_runs_under_its_lease_and_acts_soon_after_the_commit(tmp_path: Path) -> None:
    here = Ruled(tmp_path, VIP)
    async with running(here.engine.supervise("rules", partial(rules, here.engine))):
        await until(lambda: any(lease.name == "rules" for lease in here.store.leases()), "the lease")
        here.room.receive(here.room.mail(7))
        await until(lambda: here.store.ticket(2).tags == ("vip",), "the rule to act", 5)
    assert here.engine.health["rules"] == "ok"
