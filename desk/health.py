"""How the desk fares: whether mail comes and goes, rules and clocks keep up, and what to do where they do not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import tzinfo

from msgspec import Struct

from desk.hosts import MAY_DIFFER_MS, astray, relay_runs
from desk.model import DAY, MINUTE, Account, Millis, State, Volume
from desk.store import Store
from desk.text import one_line
from desk.when import brief, day

_READERS = (("rules", "rules:"), ("hooks", "hooks:"))
"""What reads the log, and the cursor that tells how far."""

_LATE: Millis = 2 * MINUTE
_COUNTED = 100
_BEHIND = 1_000
"""So many lines of the log may be unread before that is worth a word."""


class Finding(Struct, frozen=True):
    """One part of the desk: whether it is well, how it fares, and what to do when it is not."""

    part: str
    well: bool
    words: str
    remedy: str = ""


def findings(store: Store, at: Millis) -> list[Finding]:
    """All there is to say, by what a person would look at first."""
    running = relay_runs(store, at)
    return [
        *_relays(store, at),
        *(of_account(account, at, running=running) for account in store.accounts().values()),
        *_sending(store),
        *_readers(store, at, running),
        *(Finding(part, False, words, "deskhand rules check") for part, words in trouble(store, at)),
        *_kept(store),
    ]


def fares(account: Account) -> str:
    """How an account fares, in words: that somebody has paused it goes before what the relay last found."""
    return f"paused: {account.held}" if account.held else account.health


def volumes(store: Store, at: Millis, zone: tzinfo) -> Mapping[str, Volume]:
    """How many messages came and went over each account, today and in the last 7 days; none is left out."""
    today = day("today", at, zone)
    assert today is not None
    counted = store.volume(at - 7 * DAY, today[0])
    return {name: counted.get(name, Volume()) for name in store.accounts()}


def of_account(account: Account, at: Millis, *, running: bool) -> Finding:
    """How a mailbox or its like fares."""
    part = f"account {account.name}"
    since = f", for {brief(at - account.health_at)}" if account.health_at else ""
    words = one_line(fares(account))
    if account.held:
        return Finding(part, False, words, f"deskhand channel resume {account.name}")
    if account.paused:
        return Finding(
            part, False, f"{words or 'paused'}{since}", "mend that in config.toml; the relay tries again by itself"
        )
    if words.startswith(("retrying", "waiting")):
        return Finding(part, False, f"{words}{since}", "the relay tries again by itself; deskhand doctor looks closer")
    if not words:
        return Finding(part, False, "never read", "" if running else "it is read as soon as a relay runs")
    return Finding(part, True, f"{words}{since}" if running else f"{words} when a relay last ran")


def trouble(store: Store, at: Millis) -> Iterator[tuple[str, str]]:
    """What lately went wrong with rules and hooks: which of the two, and a sentence."""
    for kind in ("rules", "hooks"):
        text = store.setting(f"{kind}_trouble")
        if text is None:
            continue
        last = json.loads(text)
        if at - last["at"] < DAY:
            name = f"{last['name']} " if last["name"] else ""
            yield kind, f"{name}on #{last['ticket']}, {brief(at - last['at'])} ago: {one_line(last['why'])}"


def _relays(store: Store, at: Millis) -> Iterator[Finding]:
    holders = [lease.holder for lease in store.leases() if lease.name.startswith("relay:") and lease.until > at]
    if not holders:
        yield Finding("relay", False, "none is running: nothing is fetched or sent", "start one: deskhand relay")
    for holder in holders:
        host, _, rest = holder.partition(":")
        yield Finding("relay", True, f"runs on {host}, process {rest.partition(':')[0]}")


def _sending(store: Store) -> Iterator[Finding]:
    unknown = len(store.outbox((State.UNKNOWN,), limit=1_000))
    failed = len(store.outbox((State.FAILED, State.BOUNCED), limit=1_000))
    waiting = len(store.outbox((State.QUEUED, State.DEFERRED, State.SENDING), limit=1_000))
    words = f"{waiting:,} waiting, {failed:,} failed, {unknown:,} unknown"
    remedy = "the outbox tells why, and sends again" if failed or unknown else ""
    yield Finding("outbox", not (failed or unknown), words, remedy)


def _readers(store: Store, at: Millis, running: bool) -> Iterator[Finding]:
    newest = store.last_seq()
    for part, cursor in _READERS:
        place = store.cursor(cursor)
        if place is not None and (behind := newest - int(place.partition("+")[0])) > _BEHIND:
            yield Finding(part, False, f"{behind:,} lines of the log behind", _keep_up(running))
    late = len(store.alarms(at - _LATE, _COUNTED))
    if late:
        words = "a warning is due and not given" if late == 1 else f"{_many(late)} warnings are due and not given"
        yield Finding("clock", False, words, _keep_up(running))
    elif running:
        yield Finding("clock", True, "keeps up")


def _keep_up(running: bool) -> str:
    return "the relay catches up; look at its log if this lasts" if running else "start a relay: deskhand relay"


def _many(count: int) -> str:
    return f"{count}" if count < _COUNTED else f"{count} or more"


def _kept(store: Store) -> Iterator[Finding]:
    if unread := len(store.originals(0, _COUNTED, unprocessable=True)):
        words = "a message could not be read" if unread == 1 else f"{_many(unread)} messages could not be read"
        yield Finding("mail", False, words, "look with: deskhand unprocessable")
    skew = astray(store.skew(), MAY_DIFFER_MS)
    for well, words in store.circumstances():
        if words != skew:
            yield Finding("store", well, words, "" if well else "deskhand doctor tells more")
    if skew:
        yield Finding("time", False, skew)
