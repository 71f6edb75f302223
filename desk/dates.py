"""Days and times as customers read them: "Montag, 2. Februar 2026". Moments come and go as ISO 8601 text."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from desk.errors import Invalid
from desk.model import Millis
from desk.query import suggest
from desk.when import zone_named

STYLES = ("short", "medium", "long", "time")
"""`2026-02-02`, `2 February 2026`, `Monday, 2 February 2026`, `14:05`."""

_LANGUAGES: dict[str, tuple[str, str, str, str]] = {
    "en": (
        "{day} {month} {year}", "{weekday}, {date}",
        "January February March April May June July August September October November December",
        "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    ),
    "de": (
        "{day}. {month} {year}", "{weekday}, {date}",
        "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
        "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag",
    ),
    "fr": (
        "{day} {month} {year}", "{weekday} {date}",
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        "lundi mardi mercredi jeudi vendredi samedi dimanche",
    ),
    "es": (
        "{day} de {month} de {year}", "{weekday}, {date}",
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
        "lunes martes miércoles jueves viernes sábado domingo",
    ),
    "it": (
        "{day} {month} {year}", "{weekday} {date}",
        "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
        "lunedì martedì mercoledì giovedì venerdì sabato domenica",
    ),
    "nl": (
        "{day} {month} {year}", "{weekday} {date}",
        "januari februari maart april mei juni juli augustus september oktober november december",
        "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag",
    ),
}  # fmt: skip
"""By language: how a date is put together, with the weekday before it, the months, the days."""

LANGUAGES = tuple(_LANGUAGES)


def iso(at: Millis | None, zone: tzinfo) -> str | None:
    """`at` as ISO 8601 with the offset that `zone` has then; None stays None."""
    return None if at is None else datetime.fromtimestamp(at // 1000, zone).isoformat()


def written(moment: str, style: str = "medium", language: str = "en", zone: str = "") -> str:
    """An ISO moment or day as `language` writes it, in the zone `zone` (default: its own)."""
    try:
        exact = datetime.fromisoformat(str(moment))
    except ValueError as error:
        raise Invalid(
            f'"{str(moment)[:40]}" is not a date; date is for now, today and the times of a ticket'
        ) from error
    if zone:
        exact = (exact if exact.tzinfo else exact.replace(tzinfo=UTC)).astimezone(zone_named(zone))
    if style not in STYLES:
        raise Invalid(f'there is no style "{style}" of a date{suggest(style, STYLES)}')
    if language not in _LANGUAGES:
        raise Invalid(f'dates are not written in "{language}"{suggest(language, LANGUAGES)}')
    if style == "short":
        return exact.date().isoformat()
    if style == "time":
        return exact.strftime("%H:%M")
    short, long, months, days = _LANGUAGES[language]
    day = "1er" if language == "fr" and exact.day == 1 else str(exact.day)
    date = short.format(day=day, month=months.split()[exact.month - 1], year=exact.year)
    return date if style == "medium" else long.format(weekday=days.split()[exact.weekday()], date=date)
