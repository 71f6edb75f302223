"""What is out of the ordinary about a message, and why it is where it is, in words an agent reads at a glance."""

from __future__ import annotations

from collections.abc import Iterable

from desk.events import MERGED

EDITED, TAKEN_BACK = "edited", "taken-back"
"""The flags of a message that says something else now, and of one that was removed, where it was written."""

WORDS = {
    "new-participant": "not on this ticket before",
    "claims-ticket": "names a ticket it has no part in",
    "aside": "answers what was forwarded",
    "forward": "forwarded to somebody else",
    "unprocessable": "could not be read, the original is kept",
    "from-our-address": "sent under our own address, by somebody else perhaps",
    "loop": "may be a loop: no more automatic answers today",
    "spam": "spam, says the mail server",
    "signed": "signed, not checked",
    "encrypted": "encrypted",
    "missed": "nobody was reached",
    "suspended:ourselves": "suspended: it says it is from us",
    "suspended:bounce": "suspended: a report about nothing we sent",
    "suspended:feedback": "suspended: a complaint report",
    "suspended:loop": "suspended: it may be a loop",
}
"""The flags that are worth a second look, and what is said of them."""

QUIET = {"in-public": "in public", "private": "in private", EDITED: "edited", TAKEN_BACK: "taken back"}
"""The flags that only tell where a message stands and what became of it, in a word or two beside its time."""

THREADED = {
    "token": "it carries this ticket's signed reply token",
    "conversation": "its channel says it goes on this conversation",
    "references": "it answers a message on this ticket",
    "subject": "its subject names the ticket, and the sender was on it",
    "bounce": "it reports about a message on this ticket",
    "new": "it began the ticket",
}
"""The rules by which a message finds its ticket (`Message.threaded_by`), in words."""


def told(flags: Iterable[str]) -> list[str]:
    """What of the flags of a message is worth a second look, in words; verdicts of the mail server come as they are."""
    return [_words(flag) for flag in flags if flag not in QUIET]


def aside(flags: Iterable[str]) -> list[str]:
    """The rest of them: whether all could read it, and whether it was changed or taken back."""
    return [QUIET[flag] for flag in flags if flag in QUIET]


def _words(flag: str) -> str:
    if flag.startswith(MERGED):
        return "came by a merge, no clock here counts it"
    return flag.removeprefix("auth:").replace(",", " ") if flag.startswith("auth:") else WORDS.get(flag, flag)
