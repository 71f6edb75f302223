"""Values of the model as rows, and back. Collections are JSON text; all stores share these columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from msgspec.json import decode, encode

from desk.capabilities import Capabilities
from desk.model import (
    Account,
    Agent,
    Attachment,
    Bin,
    Contact,
    Customer,
    Delivery,
    Direction,
    Identity,
    Kind,
    Link,
    Mark,
    Message,
    Priority,
    Role,
    Skill,
    Stage,
    State,
    Status,
    Ticket,
)

if TYPE_CHECKING:
    from desk.events import Record

TICKET = Ticket.__struct_fields__
TICKET_COLUMNS = ", ".join(f"ticket.{name}" for name in TICKET)
_SETS = [TICKET.index(name) for name in ("cc", "tags", "watchers", "alarms")]
_LINKS, _STAGES, _STATUS, _PRIORITY, _BIN = (
    TICKET.index(name) for name in ("links", "stages", "status", "priority", "bin")
)
_YES_OR_NO = [TICKET.index(name) for name in ("paused", "breached", "snoozed_for_reply")]
_STATUSES = {s.value: s for s in Status}
_PRIORITIES = {int(p): p for p in Priority}
_BINS = {b.value: b for b in Bin}


def dump(value: Any) -> str:
    """Plain data as compact JSON."""
    return encode(value).decode()


def ticket(row: Sequence[Any]) -> Ticket:
    """A row of TICKET_COLUMNS as a ticket."""
    values = list(row)
    for place in _SETS:
        text = values[place]
        values[place] = tuple(decode(text)) if text and text != "[]" else ()
    links = values[_LINKS]
    values[_LINKS] = tuple(Link(*pair) for pair in decode(links)) if links and links != "[]" else ()
    stages = values[_STAGES]
    values[_STAGES] = tuple(Stage(at, _STATUSES[status]) for at, status in decode(stages)) if stages else ()
    values[_STATUS] = _STATUSES[values[_STATUS]]
    values[_PRIORITY] = _PRIORITIES[values[_PRIORITY]]
    values[_BIN] = _BINS[values[_BIN]]
    for place in _YES_OR_NO:
        values[place] = bool(values[place])
    return Ticket(*values)


def ticket_values(ticket: Ticket) -> list[Any]:
    """A ticket as values for the columns TICKET, and `live` behind them."""
    values = [getattr(ticket, name) for name in TICKET]
    for place in _SETS:
        values[place] = dump(values[place]) if values[place] else "[]"
    values[_LINKS] = dump([[link.kind, link.ticket] for link in ticket.links]) if ticket.links else "[]"
    values[_STAGES] = dump([[stage.at, stage.status.value] for stage in ticket.stages]) if ticket.stages else None
    values[_STATUS] = ticket.status.value
    values[_PRIORITY] = int(ticket.priority)
    values[_BIN] = ticket.bin.value
    values.append(int(ticket.status.live))
    return values


CUSTOMER = ("id", "name", "address", "organisation", "notes", "blocked", "created_at", "tier")
CUSTOMER_COLUMNS = ", ".join(f"customer.{name}" for name in CUSTOMER)


def customer(row: Sequence[Any]) -> Customer:
    """A row of CUSTOMER_COLUMNS as a customer."""
    number, name, address, organisation, notes, blocked, created_at, tier = row
    return Customer(number, name, address, organisation, notes or "", bool(blocked), created_at or 0, tier or "")


MESSAGE = (
    "id", "ticket", "kind", "direction", "at", "author", "text", "visible", "channel", "account", "agent", "customer", "subject",
    "message_id", "conversation", "people", "html", "attachments", "raw", "automatic", "threaded_by", "flags", "state", "withdrawn",
    "marks", "link",
)  # fmt: skip
MESSAGE_COLUMNS = ", ".join(f"message.{name}" for name in MESSAGE)


def _people(message: Message) -> str | None:
    groups = {
        "from": [message.sender] if message.sender else [],
        "to": message.to,
        "cc": message.cc,
        "bcc": message.bcc,
    }
    named = {name: [[i.kind, i.value, i.display] for i in group] for name, group in groups.items() if group}
    return dump(named) if named else None


def addressed(people: str | None) -> set[str]:
    """The addresses that a message went to, of its column `people`."""
    named = decode(people) if people else {}
    return {value for group in ("to", "cc") for _, value, _ in named.get(group, ())}


def said_by(people: str | None) -> tuple[str, str] | None:
    """Kind and value of the sender, of a message's column `people`."""
    named = decode(people).get("from") if people else None
    return (named[0][0], named[0][1]) if named else None


def message_values(message: Message) -> list[Any]:
    """A message as values for the columns MESSAGE. A visible text equal to the whole is not kept twice."""
    return [
        message.id, message.ticket, message.kind.value, message.direction.value, message.at, message.author, message.text,
        None if message.visible == message.text else message.visible, message.channel, message.account, message.agent,
        message.customer, message.subject, message.message_id, message.conversation, _people(message), int(message.html),
        attachments_text(message.attachments), message.raw, message.automatic, message.threaded_by,
        dump(message.flags) if message.flags else None, message.state.value if message.state else None, int(message.withdrawn),
        dump([[m.mark, m.by, m.who] for m in message.marks]) if message.marks else None, message.link or None,
    ]  # fmt: skip


def attachments_text(attachments: Iterable[Attachment]) -> str | None:
    """Attachments as JSON; None where there are none."""
    rows = [[a.name, a.content_type, a.size, a.sha256, a.inline, a.content_id] for a in attachments]
    return dump(rows) if rows else None


def message(row: Sequence[Any]) -> Message:
    """A row of MESSAGE_COLUMNS as a message."""
    values = dict(zip(MESSAGE, row, strict=True))
    people = decode(values.pop("people") or "{}")
    groups = {name: tuple(Identity(*i) for i in people.get(name, ())) for name in ("from", "to", "cc", "bcc")}
    values["visible"] = values["text"] if values["visible"] is None else values["visible"]
    values["kind"] = Kind(values["kind"])
    values["direction"] = Direction(values["direction"])
    values["html"] = bool(values["html"])
    values["attachments"] = tuple(Attachment(*a) for a in decode(values["attachments"] or "[]"))
    values["flags"] = tuple(decode(values["flags"] or "[]"))
    values["state"] = State(values["state"]) if values["state"] else None
    values["withdrawn"] = bool(values["withdrawn"])
    values["marks"] = tuple(Mark(*m) for m in decode(values["marks"])) if values["marks"] else ()
    values["link"] = values["link"] or ""
    sender = groups["from"][0] if groups["from"] else None
    return Message(**values, sender=sender, to=groups["to"], cc=groups["cc"], bcc=groups["bcc"])


DELIVERY = (
    "id", "message", "ticket", "account", "recipients", "not_before", "part", "state", "phase", "attempts", "remote_id", "error",
)  # fmt: skip
ARRIVED = "arrived"
"""The phase of what is being sent and was seen where it goes already."""
DELIVERY_COLUMNS = ", ".join(f"delivery.{name}" for name in DELIVERY)


def delivery(row: Sequence[Any]) -> Delivery:
    """A row of DELIVERY_COLUMNS as a delivery."""
    values = dict(zip(DELIVERY, row, strict=True))
    values["recipients"] = tuple(decode(values["recipients"]))
    values["state"] = State(values["state"])
    values["phase"] = values["phase"] or ""
    return Delivery(**values)


def delivery_values(delivery: Delivery) -> list[Any]:
    """A delivery as values for the columns DELIVERY."""
    values = [getattr(delivery, name) for name in DELIVERY]
    values[DELIVERY.index("recipients")] = dump(delivery.recipients)
    values[DELIVERY.index("state")] = delivery.state.value
    return values


CONTACT = ("kind", "value", "account", "public", "conversation", "at", "external_id", "reply_until")
CONTACT_COLUMNS = ", ".join(f"contact.{name}" for name in CONTACT)


def contact(row: Sequence[Any], display: str = "") -> Contact:
    """A row of CONTACT_COLUMNS as a contact."""
    kind, value, account, public, conversation, at, external_id, reply_until = row
    return Contact(Identity(kind, value, display), account, bool(public), conversation, at, external_id, reply_until)


AGENT = (
    "name", "display", "role", "uid", "address", "teams", "signature", "active", "skills", "capacity", "hours", "away_until", "turn",
    "login",
)  # fmt: skip


def agent(row: Sequence[Any]) -> Agent:
    """A row of the columns AGENT as an agent."""
    name, display, role, uid, address, teams, signature, active, skills, capacity, hours, away_until, turn, login = row
    return Agent(
        name,
        display or "",
        Role(role),
        uid,
        address,
        tuple(decode(teams or "[]")),
        signature or "",
        bool(active),
        tuple(Skill(*skill) for skill in decode(skills or "[]")),
        capacity or 0,
        hours or "",
        away_until,
        turn or 0,
        login,
    )


def agent_values(agent: Agent) -> list[Any]:
    """An agent as values for the columns AGENT."""
    skills = dump([[skill.topic, skill.level, skill.interest] for skill in agent.skills])
    return [
        agent.name, agent.display, agent.role.value, agent.uid, agent.address, dump(agent.teams), agent.signature, int(agent.active),
        skills, agent.capacity, agent.hours, agent.away_until, agent.turn, agent.login,
    ]  # fmt: skip


ACCOUNT = ("name", "channel", "address", "display", "capabilities", "health", "health_at", "paused")
"""What the relay says of an account; whether somebody holds it is said by others."""

ACCOUNT_COLUMNS = ", ".join((*ACCOUNT, "held"))


def account(row: Sequence[Any]) -> Account:
    """A row of ACCOUNT_COLUMNS as an account."""
    name, channel, address, display, capabilities, health, health_at, paused, held = row
    return Account(
        name,
        channel,
        address,
        display or "",
        decode(capabilities, type=Capabilities) if capabilities and capabilities != "{}" else None,
        health or "",
        health_at or 0,
        bool(paused),
        held or "",
    )


def account_values(account: Account) -> list[Any]:
    """An account as values for the columns ACCOUNT."""
    return [
        account.name, account.channel, account.address, account.display, dump(account.capabilities or {}), account.health,
        account.health_at, int(account.paused),
    ]  # fmt: skip


RECORD_COLUMNS = (
    "event.seq, event.at, event.batch, event.entity, event.about, event.kind, event.payload, "
    "batch.agent, batch.uid, batch.host, batch.line, batch.source, batch.undoes, batch.caused_by"
)


def record(row: Sequence[Any]) -> Record:
    """A row of RECORD_COLUMNS as a line of the log."""
    from desk.events import Record

    seq, at, batch, entity, about, kind, payload, agent_, uid, host, line, source, undoes, caused_by = row
    number: int | str = int(about) if entity in ("ticket", "customer") else about
    return Record(
        seq,
        at,
        batch,
        entity,
        number,
        kind,
        decode(payload),
        agent_,
        uid,
        host or "",
        line or "",
        source or "",
        undoes,
        caused_by,
    )
