"""Who works at this desk: agent list, add, set, allow-as, and teams."""

from __future__ import annotations

import os
import pwd
import re

import click
from msgspec import structs

from cli import output
from cli.wiring import Session, now, session
from desk.errors import Invalid, NotFound
from desk.model import Agent, Role, Team
from desk.permissions import demand
from desk.query import suggest

_ROLES = click.Choice([r.value for r in Role])
_LAST_UID = 2**32 - 2


@click.group("agent", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line")
@click.pass_context
def agent_command(context: click.Context, as_json: bool) -> None:
    """List the agents of this desk; add and change them."""
    if context.invoked_subcommand is not None:
        return
    here = session()
    for agent in here.store().agents().values():
        if as_json:
            output.json_line({**structs.asdict(agent), "role": agent.role.value, "teams": list(agent.teams)})
            continue
        me = "you" if agent.uid == os.getuid() else ""
        uid = f"uid {agent.uid}" if agent.uid is not None else "no uid"
        state = "" if agent.active else "inactive"
        click.echo(
            "  ".join(
                filter(
                    None,
                    (
                        f"{agent.name:<16}",
                        f"{agent.role.value:<9}",
                        uid,
                        agent.display,
                        " ".join(agent.teams),
                        state,
                        me,
                    ),
                )
            )
        )


def _options(command: click.decorators.FC) -> click.decorators.FC:
    for option in (
        click.option("--uid", help="The kernel's user: a number, a login name, or none"),
        click.option("--role", type=_ROLES, help="What they may do"),
        click.option("--display", help="The name customers see"),
        click.option("--address", help="Their own mail address"),
        click.option("--team", "teams", multiple=True, help="A team of theirs (may be given several times)"),
        click.option("--signature", help="What stands under their replies"),
    ):
        command = option(command)
    return command


@agent_command.command("add")
@click.argument("name")
@_options
def add(
    name: str,
    uid: str | None,
    role: str | None,
    display: str | None,
    address: str | None,
    teams: tuple[str, ...],
    signature: str | None,
) -> None:
    """Add an agent. With --uid, the kernel knows them from then on."""
    here = session()
    store = here.store(create=True)
    admin = demand(here.agent(), "agent add", Role.ADMIN)
    if not re.fullmatch(r"[a-z0-9][a-z0-9._@+-]{0,31}", name) or name in ("me", "none"):
        raise Invalid(f'"{name}" is no name for an agent: small letters, digits and . _ - (32 at most), not me or none')
    if name in store.agents():
        raise Invalid(f"there is an agent {name} already; change them with: deskhand agent set {name}")
    agent = Agent(name, display or "", Role(role or "agent"), _uid(uid), address, _teams(here, teams), signature or "")
    store.save_agent(agent, here.batch(now(), admin.name, f"agent add {name}"))
    click.echo(
        f"{name} is {_article(agent.role)} now"
        + (f" (uid {agent.uid})" if agent.uid is not None else "; give them a --uid so that they are known")
    )


@agent_command.command("set")
@click.argument("name")
@_options
@click.option("--active/--inactive", default=None, help="Whether they work here")
def set_(
    name: str, uid: str | None, role: str | None, display: str | None, address: str | None, teams: tuple[str, ...], signature: str | None,
    active: bool | None,
) -> None:  # fmt: skip
    """Change an agent; an agent may change their own --display and --signature."""
    here = session()
    store = here.store()
    before = store.agents().get(name)
    if before is None:
        raise NotFound(f'there is no agent "{name}"{suggest(name, tuple(store.agents()))}')
    own = here.agent() == before and all(value is None for value in (uid, role, address, active)) and not teams
    actor = demand(here.agent(), "agent set", Role.READ_ONLY if own else Role.ADMIN)
    after = structs.replace(
        before,
        display=before.display if display is None else display,
        role=before.role if role is None else Role(role),
        uid=before.uid if uid is None else _uid(uid),
        address=before.address if address is None else address or None,
        teams=_teams(here, teams) if teams else before.teams,
        signature=before.signature if signature is None else signature,
        active=before.active if active is None else active,
    )
    others = any(_rules(a) for a in store.agents().values() if a.name != name)
    if _rules(before) and not _rules(after) and not others:
        raise Invalid(f"{name} is the only admin; make somebody else one first")
    store.save_agent(after, here.batch(now(), actor.name, f"agent set {name}"))
    click.echo(f"{name} is {_article(after.role)}" + ("" if after.active else ", inactive"))


@agent_command.command("team")
@click.argument("name", required=False)
@click.option("--title", default="", help="The team's name in words")
def team(name: str | None, title: str) -> None:
    """List the teams, or add one."""
    here = session()
    store = here.store()
    if name is None:
        members = store.agents().values()
        for found in store.teams().values():
            click.echo(
                f"{found.name:<16} {found.title:<24} {' '.join(a.name for a in members if found.name in a.teams)}".rstrip()
            )
        return
    lead = demand(here.agent(), "agent team", Role.LEAD)
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,31}", name) or name in ("none", "mine"):
        raise Invalid(f'"{name}" is no name for a team: small letters, digits and . _ - (32 at most)')
    store.save_team(Team(name, title), here.batch(now(), lead.name, f"agent team {name}"))
    click.echo(f"{name} is a team now")


@agent_command.command("allow-as")
@click.argument("answer", type=click.Choice(["yes", "no"]))
def allow_as(answer: str) -> None:
    """Let people on this host act as any agent with --as (shared accounts); the log says they declared it themselves."""
    here = session()
    demand(here.agent(), "agent allow-as", Role.ADMIN)
    here.store().set_setting("allow_as", answer)
    click.echo(f"--as is {'allowed' if answer == 'yes' else 'not allowed'}")


def _rules(agent: Agent) -> bool:
    """Whether somebody can act as this admin."""
    return agent.role is Role.ADMIN and agent.active and agent.uid is not None


def _uid(text: str | None) -> int | None:
    if text is None or text == "none":
        return None
    if re.fullmatch(r"[0-9]+", text):
        if int(text[:11]) > _LAST_UID:
            raise Invalid(f"{text} is no uid: the kernel's end at {_LAST_UID}")
        return int(text)
    try:
        return pwd.getpwnam(text).pw_uid
    except KeyError:
        raise NotFound(f'this host has no user "{text}"; give the number, or a login name') from None


def _teams(here: Session, names: tuple[str, ...]) -> tuple[str, ...]:
    known = here.store().teams()
    for name in names:
        if name not in known:
            raise NotFound(
                f'there is no team "{name}"{suggest(name, tuple(known))}; add it with: deskhand agent team {name}'
            )
    return tuple(sorted(set(names)))


def _article(role: Role) -> str:
    return f"{'an' if role.value[0] == 'a' else 'a'} {role.value}" if role is not Role.READ_ONLY else "read-only"
