"""What happened, as a person would put it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from desk.events import SETS, Record, _plain
from desk.model import Direction, Kind, Message, Millis, Priority

# -- telling it -------------------------------------------------------------

_NOUNS = {
    "bin": "place",
    "cc": "copies",
    "merged_into": "merged into",
    "snoozed_until": "snoozed until",
    "snoozed_for_reply": "snoozed until a reply",
    "turn": "turn in distributing",
}


def noun(name: str) -> str:
    """The word people use for a field."""
    return _NOUNS.get(name, name.replace("_", " "))


def utc(at: Millis) -> str:
    """A moment as everybody understands it, wherever they are."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def show(name: str, value: Any, moment: Callable[[Millis], str] = utc) -> str:
    """A value of the field `name` in words."""
    if value is None or value == "" or value == () or value == []:
        return "queue" if name == "bin" else "none"
    if name == "priority":
        return str(Priority(value))
    if name.endswith(("_until", "_at")) and isinstance(value, int):
        return moment(value)
    if name == "links":
        return ", ".join(f"{kind} #{ticket}" for kind, ticket in (_plain(v) for v in value))
    if name == "identities":
        return ", ".join(known if kind == "email" else f"{kind}:{known}" for kind, known in value)
    if isinstance(value, (tuple, list)):
        return ", ".join(str(v) for v in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _amended(data: dict[str, Any]) -> str:
    if data["field"] == "marks":
        came = [f"+{mark} {who}" for mark, _, who in data["added"] if [mark, _, who] not in data["removed"]]
        went = [f"-{mark} {who}" for mark, _, who in data["removed"] if [mark, _, who] not in data["added"]]
        return ", ".join(came + went)
    back = data["field"] == "flags" and "taken-back" in data["added"]
    return "taken back by its sender" if back else "edited by its sender"


_TURNS = {
    "activate": "promised",
    "move": "promised anew",
    "pause": "paused",
    "resume": "goes on",
    "fulfil": "kept",
    "cancel": "no longer promised",
    "warn": "nearly due,",
    "breach": "overdue, was promised",
}


def called(message: Message) -> str:
    """What a person calls a message: "the reply on #5"."""
    inward = message.direction is Direction.IN
    word = ("message" if inward else "reply") if message.kind is Kind.PUBLIC else message.kind.value
    return f"the {word} on #{message.ticket}"


def describe(record: Record, moment: Callable[[Millis], str] = utc) -> str:
    """`record` as a short phrase: "status open → solved", "tag +vpn", "note 81"; `moment` says a time."""
    data = record.data
    match record.kind:
        case "Opened":
            return "opened"
        case "Changed":
            name, removed, added = data["field"], data["removed"], data["added"]
            if name in SETS:
                signs = [f"-{show(name, [v])}" for v in removed or ()] + [f"+{show(name, [v])}" for v in added or ()]
                return f"{noun(name)} {' '.join(signs)}"
            return f"{noun(name)} {show(name, removed, moment)} → {show(name, added, moment)}"
        case "Posted":
            if data["kind"] == "public":
                word = "message in" if data["direction"] == "in" else "reply"
            else:
                word = data["kind"]
            return f"{word} {data['message']}"
        case "Reread":
            return f"message {data['message']} read again"
        case "Amended":
            return f"message {data['message']} {_amended(data)}"
        case "Withdrawn":
            return f"message {data['message']} taken back"
        case "Restored":
            return f"message {data['message']} stands again"
        case "Moved":
            return f"{len(data['messages'])} messages to #{data['to']}"
        case "Delivered":
            return f"message {data['message']} {data['state']}" + (f": {data['detail']}" if data.get("detail") else "")
        case "Clock":
            open_ended = data["due"] is None or data["what"] in ("fulfil", "cancel")
            until = "" if open_ended else f" until {moment(data['due'])}"
            return f"{data['clock'].replace('-', ' ')} {_TURNS[data['what']]}{until}"
    return record.kind
