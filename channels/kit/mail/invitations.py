"""Calendar invitations (RFC 5545) as a few lines that a person can read.

A small reader of our own: what a mail has to say of a meeting are eight properties, and a
calendar from outside may be a megabyte of nonsense. Times are told in the zone they came in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from channels.kit.mail.headers import parameters

BYTES = 256 * 1024
LINES = 5_000
EVENTS = 5
_VALUE_CHARACTERS = 500

_FOLD = re.compile(r"\r?\n[ \t]")
_LINE = re.compile(r'([A-Za-z0-9-]{1,60})((?:;[^:";]{1,200}(?:"[^"]{0,500}"[^:";]{0,200})*){0,20}):(.*)')
_ESCAPE = re.compile(r"\\([\\;,nN])")
_MOMENT = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)\d{0,2}(Z?))?")
_TITLES = {
    "REQUEST": "Invitation",
    "CANCEL": "Cancelled meeting",
    "REPLY": "Answer to an invitation",
    "COUNTER": "Another time is proposed",
    "REFRESH": "Question about a meeting",
    "DECLINECOUNTER": "The proposed time is declined",
}
_ANSWERS = {"ACCEPTED": "accepts", "DECLINED": "declines", "TENTATIVE": "may come", "DELEGATED": "sends somebody else"}


@dataclass(slots=True)
class _Event:
    """One meeting: its properties by name, the first of each, and who takes part."""

    values: dict[str, tuple[dict[str, str], str]] = field(default_factory=dict)
    attendees: list[tuple[dict[str, str], str]] = field(default_factory=list)


def invitation(text: str) -> str:
    """What the calendar in `text` says; "" if there is no meeting in it."""
    method, events = _read(_FOLD.sub("", text[:BYTES]))
    return "\n\n".join("\n".join(_told(method, event)) for event in events[:EVENTS])


def _read(text: str) -> tuple[str, list[_Event]]:
    method, events = "", list[_Event]()
    inside: list[str] = []
    for line in text.splitlines()[:LINES]:
        found = _LINE.match(line)
        if not found:
            continue
        name, value = found[1].upper(), found[3].strip()
        if name == "BEGIN":
            inside.append(value.upper())
            if inside[-1] in ("VEVENT", "VTODO"):
                events.append(_Event())
        elif name == "END":
            del inside[-1:]
        elif name == "METHOD" and len(inside) < 2:
            method = value.upper()
        elif events and inside and inside[-1] in ("VEVENT", "VTODO"):
            pair = (parameters(found[2]), _ESCAPE.sub(_unescaped, value)[:_VALUE_CHARACTERS])
            if name == "ATTENDEE":
                events[-1].attendees.append(pair)
            events[-1].values.setdefault(name, pair)
    return method, events


def _unescaped(match: re.Match[str]) -> str:
    return "\n" if match[1] in "nN" else match[1]


def _told(method: str, event: _Event) -> Iterator[str]:
    """The lines that tell of one meeting."""
    values = event.values
    cancelled = values.get("STATUS", ({}, ""))[1].upper() == "CANCELLED"
    title = _TITLES.get("CANCEL" if cancelled else method, "Meeting")
    yield f"{title}: {_line(values, 'SUMMARY') or '(without a title)'}"
    if when := _when(values):
        yield f"When: {when}"
    if where := _line(values, "LOCATION"):
        yield f"Where: {where}"
    if "ORGANIZER" in values:
        yield f"Organiser: {_person(values['ORGANIZER'])}"
    if method == "REPLY":
        for attendee in event.attendees[:20]:
            answer = _ANSWERS.get(attendee[0].get("partstat", "").upper())
            if answer:
                yield f"{_person(attendee)} {answer}"


def _line(values: dict[str, tuple[dict[str, str], str]], name: str) -> str:
    return " ".join(values.get(name, ({}, ""))[1].split())


def _person(value: tuple[dict[str, str], str]) -> str:
    params, address = value
    address = re.sub(r"(?i)^mailto:", "", address).strip()
    name = params.get("cn", "").strip()
    return f"{name} <{address}>" if name and name != address else address


def _when(values: dict[str, tuple[dict[str, str], str]]) -> str:
    """From when to when, in the zone that was given; the day of the end only where it differs."""
    begin, zone = _moment(values.get("DTSTART") or values.get("DUE"))
    if not begin:
        return ""
    end, _ = _moment(values.get("DTEND"))
    whole_day = "T" not in (values.get("DTSTART") or ("", ""))[1]
    text = _day(begin) if whole_day else f"{_day(begin)}, {begin:%H:%M}"
    if end and not whole_day:
        text += f"–{end:%H:%M}" if end.date() == begin.date() else f" – {_day(end)}, {end:%H:%M}"
    text += f" ({zone})" if zone and not whole_day else ""
    return text + (", repeated" if "RRULE" in values else "")


def _moment(value: tuple[dict[str, str], str] | None) -> tuple[datetime | None, str]:
    found = _MOMENT.match(value[1]) if value else None
    if not value or not found:
        return None, ""
    try:
        parts = [int(part or 0) for part in found.groups()[:5]]
        moment = datetime(parts[0], parts[1], parts[2], parts[3], parts[4])  # noqa: DTZ001
    except ValueError:
        return None, ""
    return moment, "UTC" if found[6] else value[0].get("tzid", "")


def _day(moment: datetime) -> str:
    return f"{moment:%A} {moment.day} {moment:%B %Y}"
