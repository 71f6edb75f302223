"""init, config, doctor: what is written, what is refused, what is explained."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

from desk.errors import DeskError
from desk.model import HOUR
from desk.store import Batch, Tx
from storage import open_store
from tests.cli.conftest import Deskhand
from tests.desks import MAIL, Room


def test_init_makes_the_store_and_its_maker_admin(deskhand: Deskhand, home: Path) -> None:
    ran = deskhand("init", "--no-account")
    path = home / "data" / "deskhand" / "desk.db"
    assert (ran.code, ran.out) == (0, f"wrote the store sqlite:///{path}; you are its admin\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (agent,) = deskhand("agent", "--json").objects
    assert (agent["role"], agent["uid"]) == ("admin", os.getuid())
    assert deskhand("ls").err.startswith("No tickets yet. Add a mailbox with: deskhand init")


def test_init_remembers_a_store_that_was_named(deskhand: Deskhand, home: Path) -> None:
    url = f"sqlite:///{home}/else/where.db"
    deskhand("--store", url, "init", "--no-account")
    config = home / "config" / "deskhand" / "config.toml"
    assert tomllib.loads(config.read_text()) == {"store": {"url": url}}
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert deskhand("config").out.splitlines()[1] == f"store    {url}"


def test_init_saves_a_mailbox_without_its_password(deskhand: Deskhand, home: Path) -> None:
    args = (
        "--address", "Help@Desk.example", "--imap", "mail.desk.example:993", "--smtp", "mail.desk.example:465", "--tls", "tls",
        "--password-cmd", "pass show 'mail support'", "--no-test",
    )  # fmt: skip
    ran = deskhand("init", *args)
    assert ran.code == 0, ran.err
    config = home / "config" / "deskhand" / "config.toml"
    table = tomllib.loads(config.read_text())["channels"]["support"]
    assert (table["kind"], table["address"]) == ("email", "help@desk.example")
    assert table["imap"]["password_cmd"] == ["pass", "show", "mail support"]
    assert deskhand("config", "check").out == f"{config}: all is well, 1 accounts\n"
    before = config.read_text()
    again = deskhand("init", *args)
    assert (again.code, "has an account support already; edit it there" in again.err) == (5, True)
    assert deskhand("init", *args, "--account", "sales").code == 0
    assert config.read_text().startswith(before)
    assert set(tomllib.loads(config.read_text())["channels"]) == {"support", "sales"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[desk]\nundo = 5\n", '[desk] line 2: unknown key "undo" (did you mean "undo_s"?)'),
        ('[channels.support]\nkind = "emial"\n', 'there is no channel kind "emial" (did you mean "email"?)'),
        ('[channels.support]\nkind = "demo"\nevry_s = 3\n', 'line 3: unknown key "evry_s" (did you mean "every_s"?)'),
        ('[screen]\ntime_zone = "Europe/Berln"\n', 'there is no time zone "Europe/Berln"'),
        ("[desk\n", "Expected"),
    ],
)
def test_a_mistake_in_the_file_names_its_place(deskhand: Deskhand, home: Path, text: str, said: str) -> None:
    config = home / "my.toml"
    config.write_text(text)
    ran = deskhand("config", "check", config)
    assert (ran.code, ran.out) == (6, "")
    assert said in ran.err
    assert ran.err.startswith("deskhand: ")


def test_a_teams_configuration_is_published_once_a_change(deskhand: Deskhand, home: Path, room: Room) -> None:
    config = home / "my.toml"
    config.write_text("[desk]\nundo_s = 3\n")
    assert deskhand("--config", config, "config", "apply").out == "version 1: undo_s 10 → 3\n"
    assert deskhand("--config", config, "config", "apply").out == "nothing has changed\n"
    config.write_text("[desk]\nundo_s = 4\nreopen_window_d = 2\n")
    assert deskhand("--config", config, "config", "apply").out == "version 2: undo_s 3 → 4, reopen_window_d 0 → 2\n"
    assert deskhand("log", "--json", "--limit", 1).object["about"] == "config 2"


def test_what_was_published_holds_in_a_shared_store(deskhand: Deskhand, home: Path) -> None:
    folder = home / "team"
    folder.mkdir()
    folder.chmod(0o2770)
    url = f"sqlite:///{folder}/desk.db"
    config = home / "my.toml"
    config.write_text("[desk]\nundo_s = 3\n")
    assert deskhand("--store", url, "--config", config, "init", "--no-account").code == 0
    assert deskhand("--store", url, "--config", config, "config", "apply").code == 0
    config.write_text("[desk]\nundo_s = 99\n")
    store = open_store(url)
    assert store.shared
    store.set_setting("x", "y")
    from desk.model import Account

    store.save_account(Account("support", "email", "help@desk.test", capabilities=MAIL))
    ran = deskhand("--store", url, "--config", config, "new", "x", "--requester", "a@x.example", "--body", "hello")
    assert "in 3 s; deskhand undo takes it back" in ran.out


@pytest.mark.sqlite("modes of the file")
def test_doctor_says_the_exact_fix(deskhand: Deskhand, home: Path, room: Room) -> None:
    ran = deskhand("doctor", "--offline", "--json")
    assert all(set(finding) == {"area", "well", "text"} for finding in ran.objects)
    assert ran.code == 1
    wrong = [f["text"] for f in ran.objects if not f["well"]]
    assert wrong == ["not running, nothing is fetched or sent; start it with: deskhand relay"]
    path = home / "data" / "deskhand" / "desk.db"
    path.chmod(0o644)
    ran = deskhand("doctor", "--offline")
    assert ran.code == 1
    assert f"close it with: chmod o-rwx {path}" in ran.out


@pytest.mark.sqlite("modes of the file")
def test_a_store_in_a_bad_place_is_a_sentence_and_a_code(deskhand: Deskhand, home: Path, room: Room) -> None:
    path = home / "data" / "deskhand" / "desk.db"
    path.chmod(0o644)
    ran = deskhand("ls")
    assert (ran.code, ran.err.startswith(f"deskhand: {path}: everybody on this host may read")) == (7, True)


def test_the_relay_needs_an_account(deskhand: Deskhand, room: Room) -> None:
    ran = deskhand("relay")
    assert (ran.code, "names no account, so there is nothing to fetch; add one with: deskhand init" in ran.err) == (
        6,
        True,
    )


@pytest.mark.sqlite("a store in PostgreSQL is nobody's alone")
def test_whoever_has_the_store_alone_need_not_publish(deskhand: Deskhand, home: Path, room: Room) -> None:
    folder = home / "config" / "deskhand"
    (folder / "team").mkdir(parents=True)
    (folder / "config.toml").write_text("")
    policies = folder / "team" / "sla.toml"
    policies.write_text('[policies.all]\nfirst_reply = "1h"\n')
    begun = room.store.ticket(1).created_at
    deskhand("ls")
    assert room.store.ticket(1).due_at == begun + HOUR
    policies.write_text('[policies.all]\nfirst_reply = "2h"\n')
    deskhand("ls")
    assert room.store.ticket(1).due_at == begun + 2 * HOUR
    policies.write_text('[policies.all]\nfirst_reply = "3 hours"\n')
    ran = deskhand("ls")
    assert ran.code == 0
    assert 'line 2: "3 hours" is no span; write 30m, 4h or 1h30m; what held before still does' in ran.err
    deskhand("tag", 1, "x")
    assert room.store.ticket(1).due_at == begun + 2 * HOUR


@pytest.mark.parametrize(
    "way", ["config apply", pytest.param("ls", marks=pytest.mark.sqlite("a store in PostgreSQL is nobody's alone"))]
)
def test_who_was_stopped_while_setting_the_clocks_goes_on(
    deskhand: Deskhand, home: Path, room: Room, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    from desk import clocks

    (home / "config" / "deskhand").mkdir(parents=True)
    config = home / "config" / "deskhand" / "config.toml"
    config.write_text('[policies.all]\nfirst_reply = "1h"\n')
    named = ("--config", str(config)) if way == "config apply" else ()
    monkeypatch.setattr(clocks, "CHUNK", 2)
    once = clocks._resettle

    def stopped(batch: Batch, ids: Sequence[int], tx: Tx) -> int:
        if 3 in ids:
            raise DeskError("killed")
        return once(batch, ids, tx)

    monkeypatch.setattr(clocks, "_resettle", stopped)
    assert deskhand(*named, *way.split()).code != 0
    tickets = [room.store.ticket(number) for number in (1, 5)]
    assert [t.due_at == t.created_at + HOUR for t in tickets] == [True, False]
    doctor = deskhand("--config", config, "doctor", "--offline").out
    assert "the clocks of some tickets go by older policies yet; set them with: deskhand config apply" in doctor
    monkeypatch.setattr(clocks, "_resettle", once)
    ran = deskhand(*named, *way.split())
    assert ran.code == 0
    if named:
        assert ran.out == "nothing has changed; 3 tickets are due at another time\n"
    assert [room.store.ticket(n).due_at for n in (1, 5)] == [t.created_at + HOUR for t in tickets]
    assert "clocks" not in deskhand("--config", config, "doctor", "--offline").out
    assert deskhand(*named, "config", "apply").out == "nothing has changed\n"


def test_another_order_of_the_policies_sets_the_clocks_whatever_else_changes(
    deskhand: Deskhand, home: Path, room: Room
) -> None:
    config = home / "my.toml"
    one, two = '[policies.one]\nfirst_reply = "1h"\n', '[policies.two]\nfirst_reply = "2h"\n'
    config.write_text(one + two)
    assert deskhand("--config", config, "config", "apply").code == 0
    config.write_text(f"[desk]\nundo_s = 3\n{two}{one}")
    told = "version 2: undo_s 10 → 3, tables stand in another order; 5 tickets are due at another time\n"
    assert deskhand("--config", config, "config", "apply").out == told
    config.write_text(f'[desk]\nundo_s = 3\n[policies.zero]\nwhen = "tag:x"\n{two}{one}')
    assert deskhand("--config", config, "config", "apply").out == "version 3: policies.zero is new\n"


def test_config_check_finds_keys_that_cannot_be(deskhand: Deskhand, home: Path) -> None:
    config = home / "config.toml"
    config.write_text('[keys]\npreset = "mutt"\n\n[keys.list]\nZ = "solv"\n3 = "show"\n')
    ran = deskhand("config", "check", str(config))
    assert ran.code == 6
    assert '[keys.list] line 5: "Z": there is no command "solv" (did you mean "solve"?)' in ran.err
    assert "[keys.list] line 6:" in ran.err
    config.write_text('[keys.list]\nZ = "solve"\n')
    assert deskhand("config", "check", str(config)).code == 0
