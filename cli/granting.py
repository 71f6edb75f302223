"""Logins of their own for agents, on the server of the store: store grant, store revoke."""

from __future__ import annotations

import pwd
import re
import secrets
import sys
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from cli import output
from cli.wiring import Session, now, session
from desk.errors import Invalid, NotFound
from desk.model import Agent, Role
from desk.permissions import demand
from desk.query import suggest

if TYPE_CHECKING:
    from storage.postgres import PostgresStore
    from storage.project import Transaction

_LONGEST = 63
_WAYS = {"password": ("hostssl", "all  scram-sha-256"), "peer": ("local", "peer"), "cert": ("hostssl", "all  cert")}
"""What pg_hba.conf calls each way to prove who one is: where the connection comes from, and the method."""


@click.command("grant")
@click.argument("name", metavar="AGENT")
@click.option(
    "--login", help="Their role on the server (default: what it was, or with --peer the user's name, or AGENT)"
)
@click.option(
    "--password", "way", flag_value="password", help="They bring a password: asked for, or made and shown once"
)
@click.option("--peer", "way", flag_value="peer", help="They come from the server's own host, as the user of that name")
@click.option("--cert", "way", flag_value="cert", help="They bring a certificate whose CN is the login")
@click.option("--relay", is_flag=True, help="AGENT is nobody, but the login of the relay")
@click.option("--dry-run", is_flag=True, help="Print the SQL, and do nothing")
def grant(name: str, login: str | None, way: str | None, relay: bool, dry_run: bool) -> None:
    """Give an agent a login of their own on the server, which lets it do what their role may.

    Do it again when their role has changed. What pg_hba.conf needs is printed: whoever runs the
    server puts it there.
    """
    here = session()
    store = _server(here)
    from storage import grants
    from storage.team import keep_agent

    admin = demand(here.agent(), "store grant", Role.ADMIN)
    agent = None if relay else _agent(store, name)
    if relay and any(name in (a.name, a.login) for a in store.agents().values()):
        raise Invalid(f"{name} is an agent; give the relay a login of its own")
    if agent and not agent.active:
        raise Invalid(f"{name} is inactive; first: deskhand agent set {name} --active")
    login = login or (_usual(agent, way) if agent else name)
    if not 0 < len(login.encode()) <= _LONGEST:
        raise Invalid(f'"{login}" is no login: up to {_LONGEST} bytes')
    if way is None and not grants.exists(store, login):
        raise Invalid(
            f"the server has no login {login} yet; say how they prove who they are: --password, --peer or --cert"
        )
    role = agent.role if agent else grants.RELAY
    if dry_run:
        for statement in grants.planned(store, login, role):
            click.echo(f"{statement};")
        if way == "password":
            click.echo(f"\\password {_quoted(login)}")
        return
    password = _asked(login) if way == "password" else None
    made = secrets.token_urlsafe(18) if password == "" else None
    batch = here.batch(now(), admin.name, f"store grant {name}")

    def keep(tx: Transaction) -> None:
        if agent:
            keep_agent(tx, replace(agent, login=login), batch)

    grants.grant(store, login, role, made or password, keep)
    output.say(f"the login {login} may do what {'the relay' if relay else f'the role {role}'} may, and no more")
    if agent and agent.login not in (None, login):
        output.say(f"the login {agent.login} is nobody's now, and keeps its rights: REVOKE them, or DROP ROLE")
    if made:
        output.say("its password, shown this once (they put it into ~/.pgpass, mode 0600):")
        click.echo(made)
    if way:
        output.say("whoever runs the server puts this into pg_hba.conf, before lines that fit as well, and reloads it:")
        where, how = _WAYS[way]
        click.echo(f"{where}  {_quoted(grants.database(store))}  {_quoted(login)}  {how}")


@click.command("revoke")
@click.argument("name", metavar="AGENT")
@click.option("--relay", is_flag=True, help="AGENT is nobody, but the login of the relay")
@click.option("--dry-run", is_flag=True, help="Print the SQL, and do nothing")
def revoke(name: str, relay: bool, dry_run: bool) -> None:
    """Take from an agent's login, at once, all that it may do; the login itself stays."""
    here = session()
    store = _server(here)
    from storage import grants
    from storage.team import keep_agent

    admin = demand(here.agent(), "store revoke", Role.ADMIN)
    agent = None if relay else _agent(store, name)
    login = agent.login if agent else name
    if login is None:
        raise Invalid(f"{name} has no login of their own; deskhand agent list shows who has")
    if dry_run:
        for statement in grants.planned(store, login, None):
            click.echo(f"{statement};")
        return
    batch = here.batch(now(), admin.name, f"store revoke {name}")

    def keep(tx: Transaction) -> None:
        if agent:
            keep_agent(tx, replace(agent, login=None), batch)

    grants.revoke(store, login, keep)
    output.say(f"the login {login} may do nothing here; if nothing else needs it: DROP ROLE {_quoted(login)}")


def _server(here: Session) -> PostgresStore:
    """The store, where it is one with logins."""
    store = here.store()
    if store.url.startswith("sqlite:"):
        raise Invalid(
            "a file knows no logins, who may open it may do all; roles are enforced by PostgreSQL: docs/roles.md"
        )
    from storage.postgres import PostgresStore

    assert isinstance(store, PostgresStore)
    return store


def _agent(store: PostgresStore, name: str) -> Agent:
    agents = store.agents()
    if name not in agents:
        raise NotFound(f'there is no agent "{name}"{suggest(name, tuple(agents))}; for the relay say --relay')
    return agents[name]


def _usual(agent: Agent, way: str | None) -> str:
    """What the login is called where nobody says so."""
    if agent.login is None and way == "peer" and agent.uid is not None:
        try:
            return pwd.getpwuid(agent.uid).pw_name
        except KeyError:
            pass
    return agent.login or agent.name


def _asked(login: str) -> str:
    """A password from the terminal; "" where one is to be made."""
    if not sys.stdin.isatty():
        return ""
    given: str = click.prompt(
        f"a password for {login} (Enter: one is made)", hide_input=True, default="", show_default=False, err=True
    )
    if given and given != click.prompt("once more", hide_input=True, err=True):
        raise Invalid("these were two different passwords; nothing was changed")
    return given


def _quoted(name: str) -> str:
    """A name as pg_hba.conf and psql take it."""
    doubled = name.replace('"', '""')
    return name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) and name not in ("all", "replication") else f'"{doubled}"'
