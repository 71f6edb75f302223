"""deskhand rules: list, check, test, replay; and what health and doctor say of rules."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Deskhand
from tests.desks import Room

RULES = """
[rules.vip]
on = "created"
when = "org:acme -tag:vip"
do = ["tag vip", "reply Dear {{ customer.name }}"]

[rules.lost]
on = "changed"
when = "was:status:solved status:open tag:lost"
do = "team nowhere"
stop = true

[rules.off]
on = "idle"
idle = "3d"
do = "solve"
enabled = false

[hooks.crm]
on = "created"
program = "crm"
"""


@pytest.fixture
def ruled(home: Path, room: Room) -> Room:
    """A desk of the user's own, with rules."""
    folder = home / "config" / "deskhand"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(RULES)
    return room


def test_list_shows_rules_in_their_order_and_hooks(deskhand: Deskhand, ruled: Room) -> None:
    lines = deskhand("rules", "list").out.splitlines()
    assert " ".join(lines[0].split()) == "vip created, org:acme -tag:vip: tag vip; reply Dear {{ customer.name }}"
    assert "(then stop)" in lines[1]
    assert "(off)" in lines[2]
    assert lines[3].split() == ["crm", "created:", "runs", "crm"]
    objects = deskhand("rules", "list", "--json").objects
    assert [o.get("rule") or o["hook"] for o in objects] == ["vip", "lost", "off", "crm"]
    assert objects[0]["do"] == ["tag vip", "reply Dear {{ customer.name }}"]


def test_check_names_file_and_line_and_who_is_not_there(deskhand: Deskhand, ruled: Room, home: Path) -> None:
    ran = deskhand("rules", "check")
    assert ran.code == 1
    assert '[rules.lost] line 10: "team nowhere": there is no team "nowhere"' in ran.out
    config = home / "config" / "deskhand" / "config.toml"
    config.write_text('[rules.bad]\non = "created"\ndo = "tga x"\n')
    ran = deskhand("rules", "check")
    assert (ran.code, ran.out) == (1, f'{config}, [rules.bad] line 3: there is no verb "tga" (did you mean "tag"?)\n')
    assert "line 3" in deskhand("doctor", "--offline").out
    config.write_text('[rules.good]\non = "created"\ndo = "tag x"\n')
    assert deskhand("rules", "check").out == "1 rules and 0 hooks, all is well\n"


def test_test_says_what_each_rule_would_do_or_which_part_does_not_hold(deskhand: Deskhand, ruled: Room) -> None:
    deskhand("ls")
    seq = ruled.store.last_seq()
    out = deskhand("rules", "test", 1).out
    assert "vip: would act\n  tags +vip\n  public to c0@acme.example: Dear Customer 0" in out
    assert (
        "lost: would not act\n  was:status:solved does not hold\n  status:open does not hold\n  tag:lost does not hold"
        in out
    )
    assert "off: would not act\n  it is switched off" in out
    objects = deskhand("rules", "test", 1, "--on", "changed", "--json").objects
    assert objects[0]["why_not"] == ["it waits for created, not for changed"]
    assert ruled.store.last_seq() == seq


def test_test_takes_what_was_from_the_last_time_it_happened(deskhand: Deskhand, ruled: Room) -> None:
    ruled.do("solve; tag lost", 1)
    ruled.do("reopen", 1)
    found = {o["rule"]: o for o in deskhand("rules", "test", 1, "--json").objects}
    (why,) = found["lost"]["why_not"]
    assert why.startswith('there is no team "nowhere"')


def test_replay_tells_what_would_have_happened_with_tickets_as_they_were(
    deskhand: Deskhand, ruled: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.rules.now", lambda: ruled.clock + 60_000)
    ruled.receive(ruled.mail(7))
    ruled.do("tag vip", 6)
    deskhand("ls")
    seq = ruled.store.last_seq()
    found = deskhand("rules", "replay", "--since", "1d", "--dry-run", "--json").objects
    assert {(o["rule"], o["ticket"]) for o in found} == {("vip", number) for number in range(1, 7)}
    assert found[-1]["line"] == 'tag vip; reply "Dear Customer 7"'
    told = deskhand("rules", "replay", "--since", "1d")
    assert "in the last 1d: vip 6 times" in told.err
    assert ruled.store.last_seq() == seq
    assert deskhand("rules", "replay", "--since", "soon").code == 2


def test_health_and_doctor_tell_what_went_wrong(deskhand: Deskhand, ruled: Room) -> None:
    from cli.wiring import now

    ruled.store.set_setting(
        "rules_trouble", json.dumps({"at": now(), "name": "vip", "ticket": 3, "why": "no account can send"})
    )
    assert "rules    vip on #3, 0m ago: no account can send" in deskhand("health").out
    assert deskhand("health", "--json").object["rules"] == [
        {"part": "rules", "text": "vip on #3, 0m ago: no account can send"}
    ]
    assert "vip on #3" in deskhand("doctor", "--offline").out


def test_the_log_names_the_rule(deskhand: Deskhand, ruled: Room) -> None:
    from desk.events import change
    from desk.store import Batch

    batch = Batch("r1", ruled.clock, "rules", line="tag x", source="rule:vip", caused_by="filled")
    ruled.store.write(lambda tx: tx.append(batch, change(tx.tickets((1,))[1], tags=("x",))))
    assert "rule:vip" in deskhand("log", 1).out
    assert deskhand("log", 1, "--json").objects[-1]["caused_by"] == "filled"
