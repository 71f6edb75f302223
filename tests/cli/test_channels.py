"""channel: accounts listed, tried, paused and resumed; kinds of one's own begun."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

import channels
from cli.channels import carried
from desk.capabilities import Capabilities
from desk.model import HOUR, Role
from desk.store import Batch
from tests.cli.conftest import Deskhand
from tests.desks import Room


@pytest.fixture
def own(home: Path) -> Path:
    """The user's configuration, with an account that works and one whose feed is nowhere."""
    path = home / "config" / "deskhand" / "config.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        '[channels.sample]\nkind = "demo"\n[channels.gone]\nkind = "feed"\nurl = "http://127.0.0.1:9/feed"\n'
    )
    return path


def test_list_tells_of_every_account_of_the_store_and_the_configuration(
    deskhand: Deskhand, room: Room, own: Path
) -> None:
    told = deskhand("channel", "list").out
    assert "support (email, help@desk.test): ok" in told
    assert "text with markdown; files up to 25 MB; may begin; subjects, copies" in told
    assert "sample (demo, help@desk.example): no relay has run it yet" in told
    found = {row["name"]: row for row in deskhand("channel", "list", "--json").objects}
    assert list(found) == ["support", "sample", "gone"]
    assert [row["configured"] for row in found.values()] == [False, True, True]
    assert found["support"]["carries"]["attachment_limit_bytes"] == 25_000_000
    assert (found["support"]["paused"], found["support"]["held"], found["gone"]["at"]) == (False, "", None)
    assert deskhand("channel").out == told, "alone it lists"


def test_an_account_that_cannot_be_opened_says_why_and_hides_no_other(
    deskhand: Deskhand, room: Room, own: Path
) -> None:
    own.write_text('[channels.odd]\nkind = "demo"\nevery_s = "often"\n')
    ran = deskhand("channel", "list", "--plain")
    assert ran.code == 0
    assert [line.split("\t")[0] for line in ran.out.splitlines()] == ["support", "odd"]
    assert "every_s" in ran.out


def test_kinds_are_those_that_a_table_can_ask_for(deskhand: Deskhand) -> None:
    rows = deskhand("channel", "list", "--kinds", "--json").objects
    assert [row["kind"] for row in rows] == list(channels.kinds())
    assert all(row["about"] for row in rows)
    assert "demo" in deskhand("channel", "list", "--kinds").out


@pytest.mark.parametrize(
    ("can", "words"),
    [
        (None, "what it carries is not known: no relay has told yet"),
        (Capabilities(sends=False, edits=True), "only listens; edits"),
        (
            Capabilities(text_limit=4096, unit="utf-16", splits=True, markup="html", reactions=True, deletes=True),
            "text with html; at most 4,096 utf-16, longer ones in several; no files; only answers; removals, reactions",
        ),
        (
            Capabilities(
                public=True, private=True, public_limit=280, public_unit="weighted", window_ms=24 * HOUR,
                after_window="templates", attachment_limit_bytes=512_000, attachment_types=("image/*",),
                attachment_count=4, cost="0.01 each",
            ),
            "text; in public at most 280 weighted; 4 files up to 512 kB (image/*); only answers; free answers for 24 hours "
            "after the customer wrote, then templates; in public; in private; 0.01 each",
        ),
    ],
)  # fmt: skip
def test_what_an_account_carries_is_a_line_for_people(can: Capabilities | None, words: str) -> None:
    assert carried(can) == words


def test_check_tries_what_is_named_or_all_and_says_what_was_found(deskhand: Deskhand, own: Path) -> None:
    ran = deskhand("channel", "check", "sample")
    assert ran.code == 0
    assert "ok" in ran.out
    assert "customers are ready to write" in ran.out
    ran = deskhand("channel", "check", "--json")
    assert ran.code == 1
    assert [(row["name"], row["well"]) for row in ran.objects] == [("sample", True), ("gone", False)]
    ran = deskhand("channel", "check", "sampel")
    assert (ran.code, ran.err) == (
        3,
        'deskhand: the configuration has no account "sampel" (did you mean "sample"?)\n',
    )


def test_check_without_accounts_names_the_next_step(deskhand: Deskhand) -> None:
    ran = deskhand("channel", "check")
    assert ran.code == 6
    assert "deskhand init" in ran.err


def test_a_paused_account_says_who_and_why_until_it_is_resumed(deskhand: Deskhand, room: Room, own: Path) -> None:
    ran = deskhand("channel", "pause", "support", "spam", "wave\x1b[31m")
    assert (ran.code, ran.out) == (0, "support is paused; go on with: deskhand channel resume support\n")
    why = room.store.accounts()["support"].held
    assert why.startswith("by kim: spam wave")
    assert "\x1b" not in why
    assert "support (email, help@desk.test): paused: by kim: spam wave" in deskhand("channel", "list").out
    health = deskhand("health", "--json")
    assert health.code == 1
    (account,) = health.object["accounts"]
    assert account["paused"] is True
    assert account["health"] == f"paused: {why}"
    assert account["held"] == why
    assert "paused: by kim" in deskhand("health").out
    assert "deskhand channel resume support" in deskhand("doctor", "--offline").out
    assert "paused (by kim" in deskhand("reply", "1", "On it.").err, "a reply over it is refused"
    assert deskhand("channel", "resume", "support").out == "support goes on\n"
    assert room.store.accounts()["support"].held == ""
    assert "support (email, help@desk.test): ok" in deskhand("channel", "list").out
    assert deskhand("channel", "resume", "support").err == "nobody has paused support\n"
    lines = [row["line"] for row in deskhand("log", "--json").objects if row["entity"] == "account"]
    assert [line.partition(" supp")[0] for line in lines] == ["channel pause", "channel resume"]
    assert "support" in deskhand("log").out


def test_pausing_needs_a_lead(deskhand: Deskhand, room: Room) -> None:
    kim = room.store.agents()["kim"]
    for role, code in ((Role.AGENT, 4), (Role.LEAD, 0)):
        room.store.save_agent(replace(kim, role=role), Batch(f"now-{role}", room.clock))
        assert deskhand("channel", "pause", "support").code == code
        assert deskhand("channel", "resume", "support").code == code
    assert room.store.accounts()["support"].held == ""


def test_what_is_not_there_cannot_be_paused(deskhand: Deskhand, room: Room, own: Path) -> None:
    ran = deskhand("channel", "pause", "suport")
    assert (ran.code, 'there is no account "suport" (did you mean "support"?)' in ran.err) == (3, True)
    ran = deskhand("channel", "pause", "sample")
    assert (ran.code, "no relay has run sample yet" in ran.err) == (3, True)
