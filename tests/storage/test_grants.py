"""Roles that the server enforces: what each may, and that nobody can act as somebody else."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
import pytest
from msgspec.structs import replace
from psycopg import errors as pg
from psycopg.sql import SQL, Identifier

from desk import next as deciding
from desk.actions import load
from desk.clocks import resettle
from desk.errors import DeskError, Forbidden
from desk.events import Changed
from desk.hosts import Lease
from desk.model import DAY, HOUR, MINUTE, Account, Agent, Draft, Presence, Role, State, Team
from desk.perform import Desk, Who
from desk.permissions import RULES
from desk.query import EVERYTHING
from desk.store import Batch, Store
from desk.threads import Signer
from storage import grants, open_store
from storage.postgres import PostgresStore
from storage.team import keep_agent
from tests.desks import ADDRESS, MAIL, NOW, Room, mail, receive
from tests.servers.postgres import Postgres, name

PEOPLE = {"kim": Role.ADMIN, "lee": Role.LEAD, "sam": Role.AGENT, "rob": Role.READ_ONLY}


def filled(url: str) -> None:
    """A desk with five tickets, made by whoever owns the tables."""
    store = open_store(url, create=True)
    for number, (person, role) in enumerate(PEOPLE.items()):
        store.save_agent(Agent(person, role=role, uid=1000 + number, teams=("network",)), Batch(person, NOW))
    store.save_team(Team("network"), Batch("team", NOW))
    store.save_account(Account("support", "email", ADDRESS, capabilities=MAIL, health="ok"))
    desk = Desk(store, store.config, Signer(b"x" * 32))
    receive(desk, [mail(i, at=NOW - (6 - i) * MINUTE) for i in range(6)], batch="filled")
    store.close()


class Turns(Room):
    """A desk at which somebody has a login of their own, and batches of their own."""

    def turn(self) -> str:
        """A minute later: the id of the next batch."""
        return f"{super().turn()}-{secrets.token_hex(4)}"


@dataclass
class Shop:
    """A database whose agents have logins of their own, and the store as each of them sees it."""

    server: Postgres
    url: str
    password: str = field(default_factory=lambda: secrets.token_hex(8))
    stores: dict[str, Store] = field(default_factory=dict)

    def login(self, person: str) -> str:
        """What a person's login is called: roles belong to the whole server."""
        return f"{person}_{name(self.url)}"

    def at(self, person: str) -> str:
        """Where the store is, with a person's login."""
        place = urlsplit(self.url)
        return place._replace(
            netloc=f"{quote(self.login(person))}:{self.password}@{place.netloc.rpartition('@')[2]}"
        ).geturl()

    @property
    def owner(self) -> PostgresStore:
        """The store as its owner has it."""
        if "owner" not in self.stores:
            self.stores["owner"] = open_store(self.url)
        store = self.stores["owner"]
        assert isinstance(store, PostgresStore)
        return store

    def store(self, person: str) -> Store:
        """The store as a person has it."""
        if person not in self.stores:
            self.stores[person] = open_store(self.at(person))
        return self.stores[person]

    def room(self, person: str) -> Room:
        """A person at work."""
        store = self.store(person)
        return Turns(store, Desk(store, store.config, Signer(b"x" * 32)), Who(store.me(0)))

    def grant(self, person: str) -> None:
        """Give a person of the desk, or the relay, their login."""
        agent = self.owner.agents().get(person)
        login, role = self.login(person), agent.role if agent else grants.RELAY
        batch = Batch(f"grant-{person}-{secrets.token_hex(4)}", NOW)
        grants.grant(
            self.owner, login, role, self.password,
            lambda tx: keep_agent(tx, replace(agent, login=login), batch) if agent else None,
        )  # fmt: skip

    def raw(self, person: str) -> psycopg.Connection[Any]:
        """A connection of a person who uses another program."""
        return psycopg.connect(self.at(person), autocommit=True)


@contextmanager
def opened(server: Postgres) -> Iterator[Shop]:
    """The desk, with a login for each of the people and for the relay."""
    made = Shop(server, server.copy_of(filled))
    try:
        for person in (*PEOPLE, "relay"):
            made.grant(person)
        yield made
    finally:
        closed(made)


def closed(made: Shop) -> None:
    """Leave nothing of a desk on the server, for roles outlive their database."""
    for store in made.stores.values():
        store.close()
    made.server.drop(made.url)
    with made.server.admin() as admin:
        for (role,) in admin.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE %s", (f"%{name(made.url)}%",)):
            admin.execute(SQL("DROP ROLE {}").format(Identifier(role)))


@pytest.fixture
def shop(postgres: Postgres) -> Iterator[Shop]:
    """A desk of one's own."""
    with opened(postgres) as made:
        yield made


@pytest.fixture(scope="module")
def shut(postgres: Postgres) -> Iterator[Shop]:
    """A desk for those who are refused, or leave it much as it is."""
    with opened(postgres) as made:
        yield made


# -- the table of rights ------------------------------------------------------------------


def test_every_table_and_sequence_has_its_line(shut: Shop) -> None:
    query = "SELECT relname FROM pg_class WHERE relnamespace = CAST('public' AS regnamespace) AND relkind = %s"
    with psycopg.connect(shut.url) as conn:
        tables = {table for (table,) in conn.execute(query, ("r",))}
        assert tables == set(grants.RIGHTS), "say in storage/grants.py who may do what with it"
        assert {number for (number,) in conn.execute(query, ("S",))} == set(grants.NUMBERS)


def test_nothing_in_the_schema_goes_round_row_level_security(shut: Shop) -> None:
    """Functions with the rights of their owner and views would."""
    with psycopg.connect(shut.url) as conn:
        definers = "SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = CAST('public' AS regnamespace)"
        views = (
            "SELECT relname FROM pg_class WHERE relkind IN ('v', 'm') AND relnamespace = CAST('public' AS regnamespace)"
        )
        assert conn.execute(definers).fetchall() + conn.execute(views).fetchall() == []


def test_granting_again_changes_nothing(shut: Shop) -> None:
    acls = (
        "SELECT relname, relacl, (SELECT array_agg(CAST(attacl AS TEXT) ORDER BY attnum) FROM pg_attribute "
        "WHERE attrelid = pg_class.oid) FROM pg_class ORDER BY pg_class.oid"
    )
    with psycopg.connect(shut.url, autocommit=True) as conn:
        before = [(row[0], sorted(row[1] or ()), str(row[2])) for row in conn.execute(acls)]
        assert not [
            s for s in grants.planned(shut.owner, shut.login("sam"), Role.AGENT) if "CREATE ROLE" in s or "TRIGGER" in s
        ]
        shut.grant("sam")
        assert [(row[0], sorted(row[1] or ()), str(row[2])) for row in conn.execute(acls)] == before


def test_names_of_groups_say_of_which_desk_they_are() -> None:
    assert grants.Place("prod", "public").group(Role.READ_ONLY) == "deskhand_prod_read_only"
    assert grants.Place("prod", "north").group("relay") == "deskhand_prod_north_relay"
    long = [grants.Place("x" * 60 + end, "public").group(Role.READ_ONLY) for end in "ab"]
    assert len({*long}) == 2
    assert all(len(group) <= 63 for group in long)


# -- every verb, by the least role that may use it -----------------------------------------

LINES: dict[str, tuple[str, tuple[int, ...]]] = {
    "open": ("open --requester new@c.example --body Hello Printer", ()),
    "reply": ("reply On it.", (1,)), "note": ("note Hm.", (1,)), "forward": ("forward --to boss@x.example see", (1,)),
    "status": ("status pending", (1,)), "solve": ("solve", (1,)), "reopen": ("reopen", (1,)), "snooze": ("snooze 2d", (1,)),
    "unsnooze": ("unsnooze", (1,)), "spam": ("spam", (1,)), "untrash": ("untrash", (1,)), "trash": ("trash", (2,)),
    "release": ("release", (6,)), "block": ("block", (4,)), "unblock": ("unblock", (4,)), "assign": ("assign lee", (1, 3, 4, 5, 6)),
    "unassign": ("unassign", (1,)), "take": ("take", (1,)), "team": ("team network", (1,)), "distribute": ("distribute network", (3,)),
    "requester": ("requester other@c.example", (1,)), "cc": ("cc third@c.example", (1,)), "watch": ("watch", (1,)),
    "unwatch": ("unwatch", (1,)), "priority": ("priority high", (1,)), "tag": ("tag vpn wlan", (1,)), "untag": ("untag vpn", (1,)),
    "type": ("type problem", (1,)), "rename": ("rename Other words", (1,)), "tier": ("tier gold", (1,)), "about": ("about Call early", (1,)), "link": ("link 3", (1,)), "merge": ("merge 3", (5,)),
    "split": ("split {last}", (7,)), "move": ("move 3 {last}", (7,)), "call": ("call --back 2h they ask again", (1,)),
    "join": ("join phone:+4930123456", (1,)), "part": ("part phone:+4930123456", (1,)),
}  # fmt: skip
"""A line for each verb, and the tickets it is for; the tickets change from line to line. The seventh is what `open` opens."""


def test_the_verbs_below_are_all_there_are() -> None:
    assert set(LINES) == set(load())


def test_every_verb_works_with_the_rights_of_its_role(shop: Shop) -> None:
    with shop.server.admin(name(shop.url)) as admin:
        admin.execute("UPDATE ticket SET bin = 'suspended' WHERE id = 6")
    sam, lee = shop.room("sam"), shop.room("lee")
    for verb, (line, ids) in LINES.items():
        last = sam.do("note And this.", *ids, by="sam").posted[0] if "{last}" in line else 0
        room, person = (lee, "lee") if load()[verb].role is Role.LEAD else (sam, "sam")
        done = room.do(line.format(last=last), *ids, by=person)
        assert (done.changed, done.skipped) == (True, {}), verb
    assert sam.undo(by="sam").changed
    assert sam.redo(by="sam").changed
    assert lee.undo(batch=sam.do("tag last", 3, by="sam").batch, by="lee").changed
    assert deciding.take(sam.desk, sam.be("sam"), at=NOW + DAY, new_batch=sam.turn)
    assert shop.owner.check() == []


def test_what_failed_can_be_sent_again_by_an_agent(shut: Shop) -> None:
    sam = shut.room("sam")
    number = sam.do("reply 'On it.'", 1, by="sam").queued[0]
    relay = shut.store("relay")
    (out,) = relay.claim("r", NOW + HOUR, NOW + 2 * HOUR)
    assert relay.phase(out.delivery.id, "r", "data", NOW + 2 * HOUR)
    assert relay.settle(number, "r", State.FAILED, NOW + HOUR, error="no")
    sam.store.retry(number, Batch("again", NOW + HOUR, "sam"))
    assert [d.state for d, _ in sam.store.outbox()] == [State.QUEUED]


def test_an_agent_joins_customers_with_all_that_is_known_of_them(shop: Shop) -> None:
    kept, gone = (shop.owner.ticket(number).requester for number in (1, 2))
    with shop.server.admin(name(shop.url)) as admin:
        admin.execute("UPDATE customer SET organisation = NULL WHERE id = %s", (kept,))
        admin.execute("UPDATE customer SET notes = 'prefers calls' WHERE id = %s", (gone,))
    sam = shop.room("sam")
    sam.do("join #2", 1, by="sam")
    found = shop.owner.customer(kept)
    assert (found.organisation, found.notes, len(shop.owner.identities(kept))) == ("acme.example", "prefers calls", 2)
    sam.undo(by="sam")
    assert shop.owner.customer(kept).organisation is None
    assert len(shop.owner.identities(gone)) == 1


def test_a_reader_reads(shut: Shop) -> None:
    rob = shut.store("rob")
    assert rob.me(0) == shut.owner.agents()["rob"]
    assert len(rob.page(EVERYTHING).rows) == 6
    assert rob.thread(1)[0].text
    assert rob.log(ticket=1)
    assert rob.accounts()["support"].health == "ok"
    assert (rob.last_seq(), rob.leases(), rob.outbox()) == (shut.owner.last_seq(), [], shut.owner.outbox())
    rob.seen("rob", 1, 1)
    room = shut.room("rob")
    # Were the program to let him, the server would not.
    for line in ("note hm", "solve", "tag vpn"):
        with pytest.raises(Forbidden, match=r"permission denied for .*; it takes the role agent"):
            room.do(line, 1, by="kim")


# -- the relay ------------------------------------------------------------------------------


def test_the_relay_takes_in_and_sends_and_acts_as_the_rules(shop: Shop) -> None:
    room = shop.room("relay")
    taken = room.receive(mail(50, text="new"), mail(51))
    assert taken.tickets == 2
    relay = room.store
    relay.write(lambda tx: tx.set_cursor("support", "7"))
    assert relay.cursor("support") == "7"
    assert relay.known("support", ["INBOX/1/50"]) == {"INBOX/1/50"}
    relay.save_account(Account("support", "email", ADDRESS, health="paused"))
    assert relay.lease("pump:support", "r", NOW, NOW + HOUR)
    assert relay.leases() == [Lease("pump:support", "r", NOW + HOUR)]
    relay.release("pump:support", "r")
    relay.set_setting("rules_trouble", "{}")
    assert relay.write(lambda tx: tx.first_rest("idle", 1, NOW))
    relay.write(lambda tx: tx.set_undeliverable("c1@acme.example", "gone"))
    rules = Batch("by-a-rule", NOW, RULES.name, source="rule:vpn")
    relay.write(lambda tx: tx.append(rules, [Changed(1, "tags", (), ("vpn",))]))
    assert resettle(relay, Batch("clock", NOW, source="clock")) == 0
    relay.reclaim(NOW)


@pytest.mark.parametrize("person", ["rob", "sam", "lee", "kim"])
@pytest.mark.parametrize("table", ["cursor", "external", "answered", "rest"])
def test_nobody_but_the_relay_sees_how_accounts_are_read(shut: Shop, person: str, table: str) -> None:
    with shut.raw(person) as conn, pytest.raises(pg.InsufficientPrivilege):
        conn.execute(f"SELECT * FROM {table}")


def test_the_relay_can_copy_it_all(shut: Shop, tmp_path: Path) -> None:
    shut.store("relay").backup(str(tmp_path / "copy"))
    assert shut.store("relay").check() == []
    for person in ("sam", "kim"):
        for attempt in (
            shut.store(person).check,
            lambda person=person: shut.store(person).backup(str(tmp_path / person)),
        ):
            with pytest.raises(Forbidden, match=r"that is the relay's .* and the owner's"):
                attempt()


def test_an_archive_is_taken_in_by_the_relay(shut: Shop) -> None:
    for person in ("sam", "kim"):
        with pytest.raises(
            Forbidden, match=r"permission denied for table external; that is the relay's \(deskhand store grant --relay"
        ):
            shut.store(person).known("support", ["INBOX/1/50"])
        with pytest.raises(Forbidden, match="permission denied for table account; that is the relay's"):
            shut.store(person).save_account(Account("import", "email", "a@b.example"))


# -- what nobody can do ---------------------------------------------------------------------


def test_nobody_acts_as_somebody_else(shut: Shop) -> None:
    for person in ("sam", "lee", "kim"):
        room, other = shut.room(person), "lee" if person != "lee" else "sam"
        login = shut.login(person)
        with pytest.raises(Forbidden, match=rf"the login {login} is {person} and cannot act as {other}; come with"):
            room.do("note forged", 1, by=other)
        with pytest.raises(Forbidden, match="cannot act as nobody"):
            happens(room.store, Batch(secrets.token_hex(4), NOW))
        room.do("note mine", 1, by=person)
    assert {r.agent for r in shut.owner.log(ticket=1) if r.kind == "Posted"} == {None, "sam", "lee", "kim"}


def happens(store: Store, batch: Batch) -> None:
    """Something happens under a header."""
    store.write(lambda tx: tx.append(batch, [Changed(1, "tags", (), ("vpn",))]))


FORGED = {
    "into a batch of others": "INSERT INTO event SELECT seq + 1000, at, batch, entity, about, kind, payload FROM event WHERE batch = 'filled'",
    "into none": "INSERT INTO event (seq, at, batch) VALUES (9000, 1, 'none')",
    "as a table of one's own": "CREATE TEMP TABLE agent (name TEXT, login TEXT, active INT); INSERT INTO agent VALUES ('kim', session_user, 1); INSERT INTO batch (id, agent) VALUES ('x', 'kim')",
    "erased": "DELETE FROM event",
    "rewritten": "UPDATE event SET payload = '{}'",
    "of a batch": "UPDATE batch SET agent = 'kim'",
    "without a trigger": "ALTER TABLE batch DISABLE TRIGGER ALL",
    "as a replica": "SET session_replication_role = replica",
    "as the group": "SET ROLE {relay}",
    "an agent": "UPDATE agent SET role = 'admin' WHERE name = 'sam'",
    "a login": "UPDATE agent SET login = session_user WHERE name = 'kim'",
    "a colleague's signature": "UPDATE agent SET signature = 'Yours' WHERE name = 'kim'",
    "a colleague's time": "UPDATE agent SET away_until = 1 WHERE name = 'kim'",
    "what a customer wrote": "UPDATE message SET text = 'Thanks!'",
    "a ticket": "DELETE FROM ticket",
    "a conversation": "DELETE FROM message",
    "the configuration": "UPDATE setting SET value = '{}'",
    "the bytes": "UPDATE blob SET packed = ''",
    "all of it": "TRUNCATE ticket",
    "a colleague's presence": "INSERT INTO presence VALUES ('kim:2', 'kim', 'h', 1, 'views', 1)",
    "a colleague's terminal": "UPDATE presence SET agent = 'sam' WHERE session = 'kim:1'",
    "a colleague's leaving": "DELETE FROM presence WHERE session = 'kim:1'",
    "one's own as a colleague's": "INSERT INTO presence VALUES ('sam:1', 'sam', 'h', 1, 'views', 1); UPDATE presence SET agent = 'kim' WHERE session = 'sam:1'",
    "a colleague's draft": "INSERT INTO draft VALUES (2, 'kim', 'reply', 1, 'Sincerely', '{}', 0)",
    "words in a colleague's draft": "UPDATE draft SET text = 'Sincerely' WHERE agent = 'kim'",
    "a draft thrown away": "DELETE FROM draft WHERE agent = 'kim'",
    "a draft handed on": "UPDATE draft SET agent = 'sam' WHERE agent = 'kim'",
    "a colleague's work": "INSERT INTO effort VALUES (2, 'kim', 'writes', 1)",
    "more work of a colleague": "UPDATE effort SET spent = 99 WHERE agent = 'kim'",
    "work undone": "DELETE FROM effort",
    "the door": "GRANT ALL ON cursor TO PUBLIC",
}


@pytest.mark.parametrize("what", FORGED)
def test_nothing_is_forged_with_another_program(shut: Shop, what: str) -> None:
    kim = shut.store("kim")
    kim.keep_draft(Draft(1, "kim", "reply", NOW, "Dear Ann", {}))
    # Later than it is on the server, whatever the time of the tests.
    kim.attend(Presence("kim:1", "kim", "h", 1, "views", 2 * NOW), MINUTE)
    with shut.raw("sam") as conn:
        statement = FORGED[what].replace("{relay}", f'"{grants.place(conn).group("relay")}"')
        with pytest.raises(pg.InsufficientPrivilege):
            conn.execute(statement.encode())


def test_who_is_no_agent_does_not_come_in(shut: Shop) -> None:
    with shut.server.admin() as admin:
        admin.execute(SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(Identifier(shut.login("eve")), shut.password))
    with pytest.raises(
        Forbidden, match=r"permission denied for database .*; an admin lets a login in with: deskhand store grant"
    ):
        shut.store("eve")


def test_everybody_says_where_they_are_and_keeps_their_own_drafts(shop: Shop) -> None:
    """Who only reads is seen reading, and writes nothing."""
    for person in PEOPLE:
        store = shop.store(person)
        here = Presence(f"{person}:1", person, "h", 1, "views", NOW)
        store.attend(here, MINUTE)
        store.attend(replace(here, until=NOW + MINUTE), MINUTE)
        draft = Draft(1, person, "reply", NOW, "Dear Ann", {})
        if person == "rob":
            with pytest.raises(Forbidden, match="permission denied for table draft; it takes the role agent"):
                store.keep_draft(draft)
            continue
        store.keep_draft(draft)
        store.keep_draft(replace(draft, text="Dear Ann,"))
        with pytest.raises(Forbidden, match=f"is {person} and cannot act as rob; come with the login of whom"):
            store.keep_draft(replace(draft, agent="rob"))
        with pytest.raises(Forbidden, match="cannot act as rob"):
            store.attend(replace(here, session="new", agent="rob"), MINUTE)
    rob = shop.store("rob")
    assert [presence.agent for presence in rob.present(NOW)] == sorted(PEOPLE)
    assert [(one.agent, one.spent) for one in rob.effort(1)] == [(person, 2 * MINUTE) for person in sorted(PEOPLE)]
    assert {draft.agent: draft.text for draft in rob.drafts()} == dict.fromkeys(("kim", "lee", "sam"), "Dear Ann,")
    shop.store("sam").drop_draft(1, "sam", "reply")
    rob.depart("rob:1")
    assert [presence.agent for presence in rob.present(NOW)] == ["kim", "lee", "sam"]
    assert len(rob.drafts()) == 2


def test_terminals_that_ended_without_a_word_are_taken_off_by_whoever_comes_by(shop: Shop) -> None:
    shop.store("sam").attend(Presence("sam:1", "sam", "h", 1, "views", 1), MINUTE)
    shop.store("rob").attend(Presence("rob:1", "rob", "h", 1, "views", NOW))
    assert [presence.agent for presence in shop.owner.present(0)] == ["rob"]


# -- the team -------------------------------------------------------------------------------


def test_everybody_says_their_own_and_leads_say_more(shop: Shop) -> None:
    sam, lee, kim = (shop.store(person) for person in ("sam", "lee", "kim"))

    def save(store: Store, by: str, person: str, **changed: Any) -> None:
        after = replace(store.agents()[person], **changed)
        store.save_agent(after, Batch(secrets.token_hex(8), NOW, by))

    save(sam, "sam", "sam", display="Sam", signature="-- Sam", away_until=NOW + DAY)
    save(lee, "lee", "sam", capacity=3, away_until=None)
    lee.save_team(Team("billing"), Batch("billing", NOW, "lee"))
    lee.hold_account("support", "by lee: spam wave", Batch("pause", NOW, "lee"))
    assert shop.store("rob").accounts()["support"].held == "by lee: spam wave"
    save(kim, "kim", "sam", role=Role.LEAD, uid=77, teams=("billing",))
    kim.save_agent(Agent("new"), Batch("new", NOW, "kim"))
    kim.set_setting("allow_as", "yes")
    kim.publish("{}", 1, {"undo_s": (10, 5)}, Batch("config", NOW, "kim"))
    assert shop.owner.agents()["sam"].away_until is None
    refused: list[Callable[[], object]] = [
        lambda: save(sam, "sam", "lee", display="Me"),
        lambda: save(sam, "sam", "sam", capacity=9),
        lambda: save(lee, "lee", "sam", display="Sammy"),
        lambda: save(lee, "lee", "lee", role=Role.ADMIN),
        lambda: sam.save_team(Team("mine"), Batch("mine", NOW, "sam")),
        lambda: sam.hold_account("support", "", Batch("resume", NOW, "sam")),
        lambda: lee.set_setting("allow_as", "no"),
    ]
    for attempt in refused:
        with pytest.raises(Forbidden):
            attempt()


def test_a_changed_role_is_told_until_it_is_granted(shop: Shop) -> None:
    owner = shop.owner
    assert owner.circumstances()[0][1].startswith(
        "the login desk is no agent's: roles are advisory for who uses it, and enforced for 4"
    )
    assert shop.store("sam").circumstances()[0] == (True, "roles are enforced by the server, which knows you as sam")
    relays = shop.store("relay").circumstances()[0][1]
    assert relays.startswith(f"the login {shop.login('relay')} is no agent's: roles are advisory for who uses it")
    owner.save_agent(replace(owner.agents()["sam"], role=Role.LEAD), Batch("up", NOW))
    sentence = (
        f"sam is lead here, and the server lets the login {shop.login('sam')} do other things; deskhand store grant sam"
    )
    assert (False, sentence) in owner.circumstances()
    with pytest.raises(Forbidden):
        shop.store("sam").save_team(Team("mine"), Batch("mine", NOW, "sam"))
    shop.grant("sam")
    shop.store("sam").save_team(Team("mine"), Batch("mine", NOW, "sam"))
    assert all(well for well, _ in owner.circumstances())


def test_what_is_revoked_ends_at_once(shop: Shop) -> None:
    sam = shop.store("sam")
    sam.seen("sam", 1, 1)
    agent = shop.owner.agents()["sam"]
    grants.revoke(
        shop.owner, shop.login("sam"), lambda tx: keep_agent(tx, replace(agent, login=None), Batch("gone", NOW))
    )
    for attempt in (lambda: sam.seen("sam", 2, 2), lambda: sam.page(EVERYTHING), lambda: sam.me(0)):
        with pytest.raises(Forbidden):
            attempt()
    with pytest.raises(DeskError):
        open_store(shop.at("sam"))
    shop.grant("sam")
    assert sam.me(0) == shop.owner.agents()["sam"]


def test_rights_are_renewed_with_the_schema(shop: Shop) -> None:
    with psycopg.connect(shop.url, autocommit=True) as conn:
        conn.execute(f'REVOKE ALL ON ticket FROM "{grants.place(conn).group("read-only")}"')
    sam = shop.store("sam")
    with pytest.raises(Forbidden):
        sam.ticket(1)
    shop.owner.change(lambda tx: grants.renew(tx.conn))
    assert sam.ticket(1).id == 1


def test_only_the_owner_gives_rights(shut: Shop) -> None:
    kim = shut.store("kim")
    assert isinstance(kim, PostgresStore)
    with pytest.raises(
        Forbidden, match="the tables are desk's, who alone gives rights on them: --store postgresql://desk@"
    ):
        grants.grant(kim, shut.login("sam"), Role.ADMIN, None, lambda tx: None)
    with pytest.raises(Forbidden, match="the tables are desk's"):
        grants.revoke(kim, shut.login("sam"), lambda tx: None)


def test_an_owner_who_may_not_make_logins_is_told(postgres: Postgres) -> None:
    url = postgres.empty()
    shop = Shop(postgres, url)
    with postgres.admin() as admin:
        owner, base = Identifier(shop.login("owner")), Identifier(name(url))
        admin.execute(SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(owner, shop.password))
        admin.execute(SQL("ALTER DATABASE {} OWNER TO {}").format(base, owner))
    try:
        store = shop.stores["owner"] = open_store(shop.at("owner"), create=True)
        assert isinstance(store, PostgresStore)
        with pytest.raises(
            Forbidden, match=r"permission denied to create role; whoever runs the server lets you \(ALTER ROLE"
        ):
            grants.grant(store, shop.login("sam"), Role.AGENT, "x", lambda tx: None)
        planned = "; ".join(grants.planned(store, shop.login("sam"), Role.AGENT))
        with postgres.admin(name(url)) as admin:
            admin.execute(planned.encode())
        # What the server's own admin has made, the owner keeps up.
        store.save_agent(Agent("sam"), Batch("sam", NOW))
        keep = lambda tx: keep_agent(tx, Agent("sam", login=shop.login("sam")), Batch("login", NOW))  # noqa: E731
        grants.grant(store, shop.login("sam"), Role.AGENT, None, keep)
        assert store.circumstances()[0][1].startswith("the login owner_")
    finally:
        closed(shop)


# -- rows, later ----------------------------------------------------------------------------


def test_a_policy_by_team_does_what_the_manual_says(shop: Shop) -> None:
    """docs/roles.md shows one; nothing of it is switched on by deskhand."""
    page = (Path(__file__).parents[2] / "docs" / "roles.md").read_text("utf-8")
    policy = page.partition("    ALTER TABLE ticket ENABLE")[2].partition("\n\n")[0]
    with shop.server.admin(name(shop.url)) as admin:
        policy = f"ALTER TABLE ticket ENABLE{policy}".replace("deskhand_prod", f"deskhand_{name(shop.url)}")
        admin.execute(policy.encode())
        admin.execute("UPDATE ticket SET team = 'secret' WHERE id = 2")
        admin.execute("UPDATE ticket SET team = 'network' WHERE id = 3")
    assert shop.store("sam").ids(EVERYTHING, sort="oldest") == [1, 3, 4, 5, 6]
    assert len(shop.store("relay").ids(EVERYTHING)) == 6
    assert len(shop.owner.ids(EVERYTHING)) == 6
