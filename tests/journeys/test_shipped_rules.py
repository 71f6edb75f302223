"""Each rule of config.example.toml, switched on as the file says, is seen to act."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from desk.events import Clock
from desk.model import DAY, HOUR, Bin, Direction, Status, Team
from desk.store import Batch
from relay import hooks
from relay.rules import begin
from tests.relay.test_hooks import NOTED, Hooked
from tests.ruled import Ruled

EXAMPLE = (Path(__file__).resolve().parents[2] / "config.example.toml").read_text("utf-8")

SHIPPED = dict(re.findall(r"^#\[((?:rules|hooks)\.[\w-]+)\]\n((?:#\w+ = .*\n)+)", EXAMPLE, re.MULTILINE))
"""The tables of the file that are ready to use, by name."""


def switched_on(*names: str) -> str:
    """Their tables without the "#"."""
    return "\n".join(f"[{name}]\n" + re.sub("^#", "", SHIPPED[name], flags=re.MULTILINE) for name in names)


def sent(here: Ruled, ticket: int) -> list[str]:
    """The automatic messages to the customer."""
    return [m.text for m in here.store.thread(ticket) if m.direction is Direction.OUT and m.automatic]


def desk(folder: Path, *names: str) -> Ruled:
    """A desk where these rules are on."""
    here = Ruled(folder, switched_on(*(f"rules.{name}" for name in names)))
    for team in ("vip", "escalation"):
        here.store.save_team(Team(team), Batch(f"team-{team}", here.room.clock))
    return here


def test_all_of_them_are_tried_here() -> None:
    here = Path(__file__).read_text("utf-8")
    assert len(SHIPPED) == 11
    for name in SHIPPED:
        assert f'"{name.partition(".")[2]}"' in here, name


def test_who_opens_a_ticket_hears_at_once_and_programs_do_not(tmp_path: Path) -> None:
    here = desk(tmp_path, "acknowledge")
    here.room.receive(here.room.mail(7), here.room.mail(8, automatic="list"))
    here.settle()
    assert sent(here, 2) == ["Thank you, we have your message, as ticket 2. You will hear from us."]
    assert sent(here, 3) == []
    assert here.store.ticket(2).status is Status.NEW
    here.room.do("open --requester ann@example.com --body Hello A call")
    here.settle()
    assert sent(here, 4) == []


def test_a_silent_customer_is_reminded_and_then_given_up(tmp_path: Path) -> None:
    here = desk(tmp_path, "remind", "give-up")
    here.room.do("status pending", 1)
    here.later(3 * DAY + HOUR)
    assert len(sent(here, 1)) == 1
    here.later(3 * DAY)
    assert (len(sent(here, 1)), here.store.ticket(1).status) == (1, Status.PENDING)
    here.later(DAY)
    assert (here.store.ticket(1).status, here.store.ticket(1).tags) == (Status.SOLVED, ("unanswered",))


def test_what_is_solved_is_closed_after_four_days(tmp_path: Path) -> None:
    here = desk(tmp_path, "close")
    here.room.do("solve", 1)
    here.later(4 * DAY - HOUR)
    assert here.store.ticket(1).status is Status.SOLVED
    here.later(2 * HOUR)
    assert here.store.ticket(1).status is Status.CLOSED


def test_an_organisation_has_a_team_of_its_own(tmp_path: Path) -> None:
    here = desk(tmp_path, "vip")
    here.room.receive(here.room.mail(7))
    here.settle()
    ticket = here.store.ticket(2)
    assert (ticket.team, str(ticket.priority), ticket.tags) == ("vip", "high", ("vip",))


@pytest.mark.parametrize(
    ("text", "tagged"), [("The site is down again", True), ("An outage?", True), ("My invoice", False)]
)
def test_who_writes_of_an_outage_is_found_under_one_tag(tmp_path: Path, text: str, tagged: bool) -> None:
    here = desk(tmp_path, "outage")
    here.room.answer(1, text)
    here.settle()
    assert here.store.ticket(1).tags == (("outage",) if tagged else ())


def test_spam_goes_to_the_trash_after_a_month(tmp_path: Path) -> None:
    here = desk(tmp_path, "spam")
    here.room.do("spam", 1)
    here.later(29 * DAY)
    assert here.store.ticket(1).bin is Bin.SPAM
    here.later(2 * DAY)
    assert here.store.ticket(1).bin is Bin.TRASH


def breach(here: Ruled) -> None:
    """A promised answer is overdue."""
    batch = Batch(here.room.turn(), here.room.clock, source="clock")
    here.store.write(
        lambda tx: tx.append(batch, [Clock(1, "first-reply", "breach", here.room.clock, at=here.room.clock)])
    )


def test_what_is_overdue_goes_to_another_team(tmp_path: Path) -> None:
    here = desk(tmp_path, "escalate")
    breach(here)
    here.settle()
    ticket = here.store.ticket(1)
    assert (ticket.team, str(ticket.priority)) == ("escalation", "urgent")
    assert "Overdue since" in here.store.thread(1)[-1].text


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("Thanks a lot!", Status.SOLVED),
        ("Thank you, but it is still broken", Status.OPEN),
        ("It does not work", Status.OPEN),
    ],
)
def test_a_thank_you_does_not_reopen(tmp_path: Path, text: str, status: Status) -> None:
    here = desk(tmp_path, "thanks")
    here.room.do("solve", 1)
    here.settle()
    here.room.answer(1, text)
    assert here.store.ticket(1).status is Status.OPEN
    here.settle()
    assert here.store.ticket(1).status is status


def test_the_customer_hears_when_it_is_solved_but_not_after_a_thank_you(tmp_path: Path) -> None:
    here = desk(tmp_path, "thanks", "solved")
    here.room.do("solve", 1)
    here.settle()
    assert sent(here, 1) == ["Your ticket 1 is solved. Write again if anything is left."]
    here.room.answer(1, "Thanks!")
    here.settle()
    assert here.store.ticket(1).status is Status.SOLVED
    assert len(sent(here, 1)) == 1


async def test_a_program_calls_whoever_is_on_duty(tmp_path: Path) -> None:
    here = Hooked(tmp_path, switched_on("hooks.page"))
    begin(here.engine, hooks.CURSOR)
    here.write("page", NOTED)
    breach(here)
    await here.call()
    assert here.seen() == []
    here.room.do("priority urgent", 1)
    breach(here)
    await here.call()
    (told,) = here.seen()
    assert (told["event"], told["ticket"]["id"]) == ("sla-breached", 1)
