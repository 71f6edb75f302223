"""The words of the protocol: namespaces, and elements made and asked in one line each."""

from __future__ import annotations

from xml.etree.ElementTree import Element

CLIENT = "jabber:client"
CHAT_STATES = "http://jabber.org/protocol/chatstates"
CARBONS = "urn:xmpp:carbons:2"
CORRECT = "urn:xmpp:message-correct:0"
DATA = "jabber:x:data"
DELAY = "urn:xmpp:delay"
DISCO_INFO = "http://jabber.org/protocol/disco#info"
DISCO_ITEMS = "http://jabber.org/protocol/disco#items"
FORWARD = "urn:xmpp:forward:0"
HINTS = "urn:xmpp:hints"
MAM = "urn:xmpp:mam:2"
MARKERS = "urn:xmpp:chat-markers:0"
MODERATE = ("urn:xmpp:message-moderate:1", "urn:xmpp:message-moderate:0")
MUC = "http://jabber.org/protocol/muc"
MUC_USER = "http://jabber.org/protocol/muc#user"
NICK = "http://jabber.org/protocol/nick"
OCCUPANT = "urn:xmpp:occupant-id:0"
OOB = "jabber:x:oob"
PING = "urn:xmpp:ping"
REACTIONS = "urn:xmpp:reactions:0"
RECEIPTS = "urn:xmpp:receipts"
REPLY = "urn:xmpp:reply:0"
FALLBACK = "urn:xmpp:fallback:0"
RETRACT = ("urn:xmpp:message-retract:1", "urn:xmpp:message-retract:0")
RSM = "http://jabber.org/protocol/rsm"
SID = "urn:xmpp:sid:0"
STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"
UPLOAD = "urn:xmpp:http:upload:0"


def element(
    tag: str, namespace: str = CLIENT, *children: Element, text: str | None = None, **attributes: str | None
) -> Element:
    """An element; attributes that are None are left out, `from_` is written "from"."""
    made = Element(f"{{{namespace}}}{tag}", {k.rstrip("_"): v for k, v in attributes.items() if v is not None})
    made.text = text
    made.extend(children)
    return made


def find(parent: Element, tag: str, *namespaces: str) -> Element | None:
    """The first child `tag` in one of the namespaces."""
    for namespace in namespaces or (CLIENT,):
        if (found := parent.find(f"{{{namespace}}}{tag}")) is not None:
            return found
    return None


def words(parent: Element, tag: str, namespace: str = CLIENT) -> str:
    """The text of a child, "" without one."""
    found = find(parent, tag, namespace)
    return (found.text or "") if found is not None else ""


def form(kind: str, **fields: str) -> Element:
    """A filled-in form (XEP-0004) of this type."""
    filled = [element("field", DATA, element("value", DATA, text=value), var=name) for name, value in fields.items()]
    head = element("field", DATA, element("value", DATA, text=kind), var="FORM_TYPE", type="hidden")
    return element("x", DATA, head, *filled, type="submit")


__all__ = [
    "CARBONS", "CHAT_STATES", "CLIENT", "CORRECT", "DATA", "DELAY", "DISCO_INFO", "DISCO_ITEMS", "FALLBACK", "FORWARD", "HINTS", "MAM",
    "MARKERS", "MODERATE", "MUC", "MUC_USER", "NICK", "OCCUPANT", "OOB", "PING", "REACTIONS", "RECEIPTS", "REPLY", "RETRACT", "RSM", "SID",
    "STANZAS", "UPLOAD", "element", "find", "form", "words",
]  # fmt: skip
