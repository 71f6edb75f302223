"""What the other side's refusals mean."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from channels.xmpp import xml
from desk.channel import ChannelError, Permanent, RateLimited, Retry

PATIENCE_S = 60.0


class Refused(Permanent):
    """A refusal for good, with the name of its reason."""

    def __init__(self, message: str, condition: str) -> None:
        super().__init__(message)
        self.condition = condition


def condition(stanza: Element) -> str:
    """The name of the error in a stanza (RFC 6120, 8.3.3)."""
    error = xml.find(stanza, "error")
    found = [e.tag.rpartition("}") for e in error] if error is not None else []
    return next((name for namespace, _, name in found if namespace == f"{{{xml.STANZAS}" and name != "text"), "")


def error_words(stanza: Element) -> str:
    """What the other side says of a failure, for a person."""
    error = xml.find(stanza, "error")
    text = " ".join(xml.words(error, "text", xml.STANZAS).split())[:300] if error is not None else ""
    said = condition(stanza).replace("-", " ") or "it was refused without a reason"
    return f"{said}: {text}" if text else said


def refusal(who: str, stanza: Element) -> ChannelError:
    """What an error stanza means for whoever asked (RFC 6120, 8.3.2)."""
    error = xml.find(stanza, "error")
    kind = error.get("type") if error is not None else "cancel"
    said = f"{who} says: {error_words(stanza)}"
    if kind != "wait":
        return Refused(said, condition(stanza))
    return RateLimited(said, PATIENCE_S) if condition(stanza) == "resource-constraint" else Retry(said)


__all__ = ["Refused", "condition", "error_words", "refusal"]
