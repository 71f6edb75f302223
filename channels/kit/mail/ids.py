"""Message ids and dates: the two things that put mails in their order."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_tz

from channels.kit.mail.headers import readable
from desk.model import Millis

ID_CHARACTERS = 500
IDS_EACH_END = 50

_ANGLE = re.compile(r"<([^<>]*)>")
_BREAK = re.compile(r"[\s<>,;\"()]+")
_SPACE = re.compile(r"\s+")
_FIRST_YEAR, _LAST_YEAR = 1970, 2100
_DATE_CHARACTERS = 200
_WIDEST_ZONE_S = 15 * 3600


def message_ids(value: str) -> tuple[str, ...]:
    """The ids in a header, brackets off, broken lines mended: at most the first and last 50."""
    return _bounded(_ANGLE.findall(value) or [word for word in _BREAK.split(value) if "@" in word])


def message_id(value: str) -> str | None:
    """The one id of a message, None when there is none that could be used."""
    found = message_ids(value)
    if found:
        return found[0]
    bare = _SPACE.sub("", value).strip("<>")
    return readable(bare) if 0 < len(bare) <= ID_CHARACTERS and value.count("<") <= 1 else None


def _bounded(found: list[str]) -> tuple[str, ...]:
    if len(found) > 2 * IDS_EACH_END:
        found = found[:IDS_EACH_END] + found[-IDS_EACH_END:]
    clean = (text if text.isprintable() and " " not in text else readable(_SPACE.sub("", text)) for text in found)
    return tuple(dict.fromkeys(text for text in clean if 0 < len(text) <= ID_CHARACTERS))


def moment(value: str) -> Millis | None:
    """The time that a Date header names, None when it names none between 1970 and 2100."""
    value = value[:_DATE_CHARACTERS]
    try:
        found = parsedate_tz(value)
        when = _iso(value) if found is None else datetime(*found[:5], min(found[5], 59), tzinfo=UTC)  # a leap second
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    zone = (found[9] or 0) if found else 0
    if abs(zone) > _WIDEST_ZONE_S:
        return None
    when -= timedelta(seconds=zone)
    return round(when.timestamp() * 1000) if _FIRST_YEAR <= when.year <= _LAST_YEAR else None


def _iso(value: str) -> datetime:
    when = datetime.fromisoformat(value.strip())
    return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
