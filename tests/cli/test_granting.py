"""store grant and store revoke, with a server that lets nobody in without a password."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from msgspec.structs import replace

from desk.model import Agent, Role
from desk.store import Batch
from storage import open_store
from storage.pool import Hello, Server
from tests.cli.conftest import Deskhand
from tests.desks import NOW
from tests.servers.postgres import Postgres, name


def made(url: str) -> None:
    """A desk with an admin, whose uid runs the tests, and an agent."""
    store = open_store(url, create=True)
    store.set_setting("secret", (b"x" * 32).hex())
    store.save_agent(Agent("kim", role=Role.ADMIN, uid=os.getuid()), Batch("kim", NOW))
    store.save_agent(Agent("sam"), Batch("sam", NOW))
    store.close()


@pytest.fixture
def desk(postgres: Postgres, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where the desk is, for its owner; sam's login is called as `login` says."""
    url = postgres.copy_of(made)
    monkeypatch.setenv("DESKHAND_STORE", url)
    yield url
    postgres.drop(url)
    with postgres.admin() as admin:
        for (role,) in admin.execute(
            "SELECT quote_ident(rolname) FROM pg_roles WHERE rolname LIKE %s", (f"%{name(url)}%",)
        ):
            admin.execute(f"DROP ROLE {role}".encode())


def login(url: str, person: str = "sam") -> str:
    """What somebody's login is called: logins belong to the whole server."""
    return f"{person}.{name(url)}"


def at(url: str, user: str, password: str) -> str:
    """Where the store is, for somebody else."""
    place = urlsplit(url)
    return place._replace(netloc=f"{quote(user)}:{quote(password)}@{place.netloc.rpartition('@')[2]}").geturl()


def test_an_agent_with_a_password_is_themselves(deskhand: Deskhand, desk: str) -> None:
    ran = deskhand("store", "grant", "sam", "--login", login(desk), "--password")
    assert ran.code == 0, ran.err
    password, access = ran.out.splitlines()
    assert len(password) == 24
    assert access == f'hostssl  {name(desk)}  "{login(desk)}"  all  scram-sha-256'
    assert f"the login {login(desk)} may do what the role agent may, and no more" in ran.err
    sams = ("--store", at(desk, login(desk), password))
    # The uid is kim's, and the login is what counts.
    assert deskhand(*sams, "agent").out.splitlines() == [
        f"kim               admin      uid {os.getuid()}",
        f"sam               agent      no uid  login {login(desk)}  you",
    ]
    assert deskhand(*sams, "open", "Printer", "--requester", "a@b.example").code == 0
    told = deskhand(*sams, "agent", "set", "kim", "--role", "agent")
    assert (told.code, "you are sam with the role agent, this needs the role admin" in told.err) == (4, True)
    told = deskhand(*sams, "--as", "kim", "tag", "1", "vpn")
    assert (told.code, "--as is not allowed at this desk" in told.err) == (4, True)
    deskhand("agent", "allow-as", "yes")
    told = deskhand(*sams, "--as", "kim", "tag", "1", "vpn")
    assert (told.code, f"the login {login(desk)} is sam and cannot act as kim" in told.err) == (4, True)
    assert "Traceback" not in told.err
    assert "CONTEXT" not in told.err
    (record,) = (r for r in deskhand("log", "1", "--json").objects if r["kind"] == "Opened")
    assert record["agent"] == "sam"
    (granted,) = (r for r in deskhand("log", "--json").objects if r["data"].get("field") == "login")
    assert (granted["agent"], granted["line"]) == ("kim", "store grant sam")


def test_what_is_left_to_the_relay_is_a_sentence(deskhand: Deskhand, desk: str, home: Path) -> None:
    ran = deskhand("store", "grant", "sam", "--login", login(desk), "--password")
    (mail := home / "one.eml").write_bytes(b"From: a@b.example\nSubject: x\n\nHello\n")
    told = deskhand("--store", at(desk, login(desk), ran.out.split()[0]), "import", mail, "--workers", 1)
    assert (told.code, "permission denied for table external; that is the relay's" in told.err) == (4, True)
    relay = deskhand("store", "grant", "--relay", login(desk, "relay"), "--password")
    assert relay.code == 0, relay.err
    ran = deskhand("--store", at(desk, login(desk, "relay"), relay.out.split()[0]), "import", mail, "--workers", 1)
    assert (ran.code, "1 messages, 1 new tickets" in ran.out) == (0, True)


def test_a_password_of_ones_own_is_asked_for(deskhand: Deskhand, desk: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = secrets.token_hex(8)
    monkeypatch.setattr("cli.granting._asked", lambda login: chosen)
    ran = deskhand("store", "grant", "sam", "--login", login(desk), "--password")
    assert chosen not in ran.out + ran.err
    open_store(at(desk, login(desk), chosen)).close()


def test_the_server_never_sees_a_password(deskhand: Deskhand, desk: str, postgres: Postgres) -> None:
    postgres.own()
    with postgres.admin() as admin:
        admin.execute("ALTER SYSTEM SET log_statement = 'all'")
        admin.execute("SELECT pg_reload_conf()")
    try:
        password = deskhand("store", "grant", "sam", "--login", login(desk), "--password").out.split()[0]
    finally:
        with postgres.admin() as admin:
            admin.execute("ALTER SYSTEM RESET log_statement")
            admin.execute("SELECT pg_reload_conf()")
    log = postgres.log.read_text(errors="replace")
    assert login(desk) in log
    assert password not in log


@pytest.mark.parametrize(
    ("way", "line"),
    [("--peer", 'local  {base}  "{login}"  peer'), ("--cert", 'hostssl  {base}  "{login}"  all  cert')],
)
def test_each_way_in_has_its_line(deskhand: Deskhand, desk: str, postgres: Postgres, way: str, line: str) -> None:
    postgres.own()
    ran = deskhand("store", "grant", "sam", "--login", login(desk), way)
    assert (ran.code, ran.out) == (0, line.format(base=name(desk), login=login(desk)) + "\n")
    access = postgres.data / "pg_hba.conf"
    before = access.read_text()
    try:
        # Behind what lets everybody in: it is read, and changes nothing.
        access.write_text(before + ran.out)
        with postgres.admin() as admin:
            query = "SELECT user_name, error FROM pg_hba_file_rules ORDER BY line_number DESC LIMIT 1"
            who, error = admin.execute(query).fetchone() or ("", "")
        assert who == [login(desk)]
        # The server of the tests has no certificate.
        assert error in (None, "hostssl record cannot match because SSL is disabled")
    finally:
        access.write_text(before)


def test_a_dry_run_prints_what_another_can_run(deskhand: Deskhand, desk: str, postgres: Postgres) -> None:
    plan = deskhand("store", "grant", "sam", "--login", login(desk), "--password", "--dry-run")
    *statements, password = plan.out.strip().splitlines()
    assert password == f'\\password "{login(desk)}"'
    assert "GRANT INSERT, UPDATE ON" in plan.out.replace('"public"."ticket"', "ticket")
    assert open_store(desk).agents()["sam"].login is None
    with postgres.admin(name(desk)) as admin:
        assert not admin.execute("SELECT FROM pg_roles WHERE rolname = %s", (login(desk),)).fetchone()
        admin.execute("\n".join(statements).encode())
    assert deskhand("store", "grant", "sam", "--login", login(desk)).code == 0
    assert open_store(desk).agents()["sam"].login == login(desk)


def test_what_was_given_is_taken(deskhand: Deskhand, desk: str) -> None:
    password = deskhand("store", "grant", "sam", "--login", login(desk), "--password").out.split()[0]
    assert deskhand("store", "revoke", "sam", "--dry-run").out.startswith("REVOKE ")
    ran = deskhand("store", "revoke", "sam")
    assert (ran.code, f'DROP ROLE "{login(desk)}"' in ran.err) == (0, True)
    told = deskhand("--store", at(desk, login(desk), password), "ls")
    assert (told.code, "permission denied for database" in told.err) == (4, True)
    told = deskhand("store", "revoke", "sam")
    assert (told.code, "sam has no login of their own" in told.err) == (2, True)


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["grant", "sma", "--peer"], 3, 'there is no agent "sma" (did you mean "sam"?)'),
        (["grant", "sam"], 2, "the server has no login sam yet; say how they prove who they are"),
        (["grant", "--relay", "sam", "--peer"], 2, "sam is an agent; give the relay a login of its own"),
        (["grant", "sam", "--peer", "--login", "x" * 64], 2, "63 bytes"),
        (["grant", "sam", "--peer", "--login", "pg_sam"], 7, "reserved"),
    ],
)
def test_what_cannot_be_granted_is_a_sentence(
    deskhand: Deskhand, desk: str, args: list[str], code: int, said: str
) -> None:
    ran = deskhand("store", *args)
    assert (ran.code, said in ran.err) == (code, True), ran.err


def test_who_is_no_admin_grants_nothing(deskhand: Deskhand, desk: str) -> None:
    store = open_store(desk)
    store.save_agent(replace(store.agents()["kim"], role=Role.LEAD), Batch("down", NOW))
    for verb in ("grant", "revoke"):
        told = deskhand("store", verb, "sam")
        assert (told.code, "this needs the role admin" in told.err) == (4, True)


@pytest.mark.sqlite("is about a file")
def test_a_file_knows_no_logins(deskhand: Deskhand, room: object) -> None:
    told = deskhand("store", "grant", "sam", "--peer")
    assert (told.code, "roles are enforced by PostgreSQL: docs/roles.md" in told.err) == (2, True)


def test_a_change_of_role_reminds_of_the_server(deskhand: Deskhand, desk: str) -> None:
    deskhand("store", "grant", "sam", "--login", login(desk), "--peer")
    ran = deskhand("agent", "set", "sam", "--role", "lead")
    assert "the server learns of it with: deskhand store grant sam" in ran.err
    assert "deskhand store grant sam" in deskhand("doctor", "--offline").out
    assert deskhand("store", "grant", "sam").code == 0
    assert "deskhand store grant sam" not in deskhand("doctor", "--offline").out
    ran = deskhand("agent", "set", "sam", "--inactive")
    assert "the server learns of it with: deskhand store revoke sam" in ran.err
    assert (told := deskhand("store", "grant", "sam")).code == 2, told.err
    assert deskhand("store", "revoke", "sam").code == 0
    assert "deskhand store revoke sam" not in deskhand("doctor", "--offline").out


def test_doctor_says_whose_word_counts(deskhand: Deskhand, desk: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [o["text"] for o in deskhand("doctor", "--offline", "--json").objects if o["area"] == "store"]
    assert lines[0].endswith(
        "0 tickets, one login for all, desk: a trusted team, roles are advisory; "
        "over a network, each host says itself who its users are"
    )
    assert urlsplit(desk).password not in "".join(lines)
    assert lines[1].startswith("PostgreSQL 1")
    assert lines[1].endswith(", reached directly; no standby follows")
    assert lines[2].startswith("this host's clock and the server's are ")


@pytest.fixture
def early(monkeypatch: pytest.MonkeyPatch) -> None:
    """This host's clock is 42 s ahead."""
    connect = Server.connect

    def connected(self: Server) -> object:
        made = connect(self)
        self.hello = Hello(False, "public", 42_000)
        return made

    monkeypatch.setattr(Server, "connect", connected)


def test_a_clock_that_is_wrong_is_told(deskhand: Deskhand, desk: str, early: None) -> None:
    sentence = "this host's clock is 42 s ahead of the database server's; set it: timedatectl set-ntp true"
    found = deskhand("doctor", "--offline", "--json").objects
    assert [o["well"] for o in found if o["text"] == sentence] == [False]


def test_no_relay_goes_by_a_clock_that_is_wrong(deskhand: Deskhand, desk: str, home: Path, early: None) -> None:
    (home / "config" / "deskhand").mkdir()
    (home / "config" / "deskhand" / "config.toml").write_text('[channels.demo]\nkind = "demo"\n')
    told = deskhand("relay", "--log", home / "log")
    assert (told.code, "this host's clock is 42 s ahead of the database server's" in told.err) == (7, True)
