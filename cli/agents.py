"""Who works at this desk: list, show, add, set, allow-as, and teams."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Callable
from typing import Any

import click
from msgspec import structs, to_builtins

from cli import output
from cli.wiring import Session, now, session
from desk.assign import learnt
from desk.errors import Invalid, NotFound
from desk.model import Agent, Millis, Role, Team
from desk.permissions import RULES, demand, role_to_change
from desk.query import suggest
from desk.when import iso, moment

_ROLES = click.Choice([r.value for r in Role])
_LAST_UID = 2**32 - 2


_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object a line")


@click.group("agent", invoke_without_command=True)
@_JSON
@click.pass_context
def agent_command(context: click.Context, as_json: bool) -> None:
    """List the agents of this desk; add and change them."""
    if context.invoked_subcommand is None:
        _list(as_json)


@agent_command.command("list")
@_JSON
def list_(as_json: bool) -> None:
    """List the agents."""
    _list(as_json)


def _list(as_json: bool) -> None:
    here = session()
    at = now()
    me = here.store().me(os.getuid())
    for agent in here.store().agents().values():
        if as_json:
            output.json_line(_json(agent))
            continue
        facts = (
            f"{agent.name:<16}",
            f"{agent.role.value:<9}",
            f"uid {agent.uid}" if agent.uid is not None else "no uid",
            f"login {agent.login}" if agent.login is not None else "",
            agent.display,
            " ".join(agent.teams),
            _skills(agent),
            f"away until {iso(agent.away_until)}" if agent.away_until and agent.away_until > at else "",
            "" if agent.active else "inactive",
            "you" if me is not None and agent.name == me.name else "",
        )
        click.echo("  ".join(filter(None, facts)))


@agent_command.command("show")
@click.argument("name")
@_JSON
def show(name: str, as_json: bool) -> None:
    """Show all that is known of an agent."""
    agent = _found(session(), name)
    if as_json:
        output.json_line(_json(agent))
        return
    told = {
        **_json(agent),
        "teams": " ".join(agent.teams),
        "skills": _skills(agent),
        "active": "yes" if agent.active else "no",
        "capacity": agent.capacity or "no limit",
    }
    for key, value in told.items():
        click.echo(f"{key:<10} {'-' if value in (None, '') else value}")


def _json(agent: Agent) -> dict[str, Any]:
    return {**to_builtins(agent), "away_until": iso(agent.away_until)}


def _skills(agent: Agent) -> str:
    return " ".join(f"{skill.topic}:{skill.level}:{skill.interest}" for skill in agent.skills)


def _found(here: Session, name: str) -> Agent:
    agents = here.store().agents()
    if name not in agents:
        raise NotFound(f'there is no agent "{name}"{suggest(name, tuple(agents))}')
    return agents[name]


def _options(command: click.decorators.FC) -> click.decorators.FC:
    for option in (
        click.option("--uid", help="The kernel's user: a number, a login name, or none"),
        click.option("--role", type=_ROLES, help="What they may do"),
        click.option("--display", help="The name customers see"),
        click.option("--address", help="Their own mail address"),
        click.option("--team", "teams", multiple=True, help="A team of theirs (may be given several times)"),
        click.option("--signature", help="What stands under their replies"),
        click.option(
            "--skill", "skills", multiple=True, metavar="TOPIC[:LEVEL[:INTEREST]]",
            help="A tag, channel or account they know, 1 to 5: vpn:4:2; vpn::2 changes the interest alone (several times)",
        ),
        click.option("--no-skill", "lost", multiple=True, metavar="TOPIC", help="A skill to take away (several times)"),
        click.option("--capacity", type=click.IntRange(0, 10_000), help="How many tickets they have at once; 0: no limit"),
        click.option("--hours", metavar="CALENDAR", help="When they work: a calendar of the configuration, or none"),
        click.option("--away", metavar="WHEN", help="Until when they get no tickets: 2026-12-01, 2d, or none"),
    ):  # fmt: skip
        command = option(command)
    return command


@agent_command.command("add")
@click.argument("name")
@_options
def add(name: str, **given: Any) -> None:
    """Add an agent. With --uid, the kernel knows them from then on."""
    here = session()
    store = here.store(create=True)
    admin = demand(here.agent(), "agent add", Role.ADMIN)
    if not re.fullmatch(r"[a-z0-9][a-z0-9._@+-]{0,31}", name) or name in ("me", "none", RULES.name):
        raise Invalid(
            f'"{name}" is no name for an agent: small letters, digits and . _ - (32 at most), not me, none or {RULES.name}'
        )
    if name in store.agents():
        raise Invalid(f"there is an agent {name} already; change them with: deskhand agent set {name}")
    agent = _changed(here, Agent(name), given)
    store.save_agent(agent, here.batch(now(), admin.name, f"agent add {name}"))
    click.echo(
        f"{name} is {_article(agent.role)} now"
        + (f" (uid {agent.uid})" if agent.uid is not None else "; give them a --uid so that they are known")
    )


@agent_command.command("set")
@click.argument("name")
@_options
@click.option("--active/--inactive", default=None, help="Whether they work here")
def set_(name: str, **given: Any) -> None:
    """Change an agent.

    Everybody may change their own --display, --signature and --away, and with --skill
    TOPIC::INTEREST what they like to do.
    """
    here = session()
    store = here.store()
    before = _found(here, name)
    after = _changed(here, before, given)
    me = here.agent()
    actor = demand(me, "agent set", role_to_change(before, after, own=me is not None and me.name == name))
    others = any(_rules(a) for a in store.agents().values() if a.name != name)
    if _rules(before) and not _rules(after) and not others:
        raise Invalid(f"{name} is the only admin; make somebody else one first")
    store.save_agent(after, here.batch(now(), actor.name, f"agent set {name}"))
    click.echo(f"{name} is {_article(after.role)}" + ("" if after.active else ", inactive"))
    if after.login and (after.role, after.active) != (before.role, before.active):
        output.say(f"the server learns of it with: deskhand store {'grant' if after.active else 'revoke'} {name}")


def _changed(here: Session, agent: Agent, given: dict[str, Any]) -> Agent:
    """The agent with what the options say."""
    said = {key: value for key, value in given.items() if value not in (None, ())}
    meant: dict[str, Callable[[Any], Any]] = {
        "uid": _uid,
        "role": Role,
        "address": lambda address: address or None,
        "teams": lambda names: _teams(here, names),
        "hours": lambda name: _hours(here, name),
        "away": lambda when: _away(here, when),
    }
    skills = agent.skills
    for text in said.pop("skills", ()):
        skills = learnt(skills, text)
    for topic in said.pop("lost", ()):
        if topic not in {skill.topic for skill in skills}:
            raise NotFound(f'{agent.name} has no skill "{topic}"{suggest(topic, [s.topic for s in skills])}')
        skills = tuple(skill for skill in skills if skill.topic != topic)
    values = {key: meant[key](value) if key in meant else value for key, value in said.items()}
    if "away" in values:
        values["away_until"] = values.pop("away")
    return structs.replace(agent, skills=skills, **values)


def _hours(here: Session, name: str) -> str:
    known = tuple(here.store().config.tables.get("calendars", ()))
    if name == "none":
        return ""
    if name not in known:
        raise NotFound(f'there is no calendar "{name}"{suggest(name, known)}; write [calendars.{name}] first')
    return name


def _away(here: Session, text: str) -> Millis | None:
    if text == "none":
        return None
    until = moment(text, now(), here.zone)
    if until <= now():
        raise Invalid("that time has passed; name one that is still to come, or none")
    return until


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
    return agent.role is Role.ADMIN and agent.active and (agent.uid is not None or agent.login is not None)


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
