"""What stanzas say, the hostile and the strange ones too, without a server."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from channels.xmpp.errors import refusal
from channels.xmpp.memory import Occupant, Room
from channels.xmpp.names import external, lasting, outgoing, taken_apart
from channels.xmpp.reading import Read, Reader
from desk.channel import ChannelError, Edit, Inbound, Permanent, RateLimited, Reaction, Receipt, Retry
from desk.model import Identity, State

NOW = 1_790_000_000_000
OWN = Identity("xmpp", "help@desk.test", "support")
ROOM = "help@rooms.desk.test"
LONG = "an-id-that-names-one-message"


def reader(*, archived: bool = True) -> Reader:
    room = Room(ROOM, "support", joined=True, archived=archived, identified=True)
    room.occupants = {"support": Occupant(OWN.value, "we"), "Ann": Occupant("", "ann-id")}
    return Reader(OWN, {ROOM: room}, lambda: archived)


def message(inner: str = "<body>Hello</body>", *, id: str | None = LONG, **attributes: str) -> ET.Element:
    given = {"from": "ann@example.com/phone", "to": OWN.value, "type": "chat"} | attributes
    written = "".join(f" {k}='{v}'" for k, v in (given | ({"id": id} if id is not None else {})).items())
    return ET.fromstring(f"<message xmlns='jabber:client'{written}>{inner}</message>")


def read(stanza: ET.Element) -> Read:
    return reader().live(stanza, NOW)


def only(found: Read) -> Inbound:
    [inbound] = found.told
    assert isinstance(inbound, Inbound)
    return inbound


def test_a_message_as_a_person_sees_it() -> None:
    stanza = message(
        "<subject>Broken</subject><body>It is</body><nick xmlns='http://jabber.org/protocol/nick'>Ann L</nick>"
    )
    inbound = only(read(stanza))
    assert (inbound.subject, inbound.text, inbound.sender) == (
        "Broken",
        "It is",
        Identity("xmpp", "ann@example.com", "Ann L"),
    )
    assert (inbound.link, inbound.answers, inbound.automatic) == ("xmpp:ann@example.com", None, None)


def test_what_was_kept_for_us_has_the_time_at_which_it_came() -> None:
    stanza = message("<body>Hello</body><delay xmlns='urn:xmpp:delay' stamp='2026-01-02T03:04:05Z'/>")
    assert only(read(stanza)).received_at == 1_767_323_045_000
    for stamp in ("", "yesterday", "99999-01-01T00:00:00Z", "2026-13-45T99:00:00Z", "0001-01-01T00:00:00+14:00"):
        hostile = message(f"<body>Hello</body><delay xmlns='urn:xmpp:delay' stamp='{stamp}'/>")
        assert only(read(hostile)).received_at in (NOW, 0)


@pytest.mark.parametrize(
    "inner",
    [
        "",
        "<body/>",
        "<body></body><subject>only that</subject>",
        "<thread>1</thread>",
        "<received xmlns='urn:xmpp:receipts'/>",
        "<retract xmlns='urn:xmpp:message-retract:1'/>",
        "<reactions xmlns='urn:xmpp:reactions:0'/>",
        "<replace xmlns='urn:xmpp:message-correct:0'/>",
        "<x xmlns='jabber:x:oob'/>",
        "<x xmlns='jabber:x:oob'><url/></x>",
        "<sent xmlns='urn:xmpp:carbons:2'/>",
        "<received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'/></received>",
        "<result xmlns='urn:xmpp:mam:2'/>",
        "<stanza-id xmlns='urn:xmpp:sid:0'/>",
        "<apply-to xmlns='urn:xmpp:fasten:0' id='1'/>",
        "<reply xmlns='urn:xmpp:reply:0'/>",
        "<error/>",
    ],
)
@pytest.mark.parametrize("kind", ["chat", "normal", "groupchat", "headline", "error", "nonsense"])
def test_what_says_nothing_is_no_message(inner: str, kind: str) -> None:
    for sender in ("ann@example.com/phone", f"{ROOM}/Ann", ROOM, "example.com", "", "@/", "///"):
        found = reader().live(message(inner, type=kind, **{"from": sender}), NOW)
        assert not [item for item in found.told if isinstance(item, Inbound | Edit)]
        reader(archived=False).live(message(inner, id=None, type=kind, **{"from": sender}), NOW)


def test_hostile_texts_come_through_as_they_are() -> None:
    for text in (
        "\u202egnp.exe",
        "a" * 100_000,
        "z\u0300" * 500,
        "]]&gt;&lt;script&gt;",
        "\t\n\u2028",
        "\u0600\u200b👩‍👩‍👧",
    ):
        inbound = only(read(message(f"<body>{text}</body>")))
        assert inbound.text
        assert inbound.conversation == "ann@example.com"


def test_ids_of_any_length_name_a_message() -> None:
    endless = "x" * 100_000
    assert len(only(read(message(id=endless))).external_id) < 300
    assert only(read(message(id=endless))).external_id == only(read(message(id=endless))).external_id
    assert taken_apart(external("room@x/a # b", "an#id")) == ("room@x/a # b", "an#id")
    assert not lasting(None)
    assert not lasting("1")


def test_a_message_without_an_id_is_named_by_the_archive() -> None:
    given = "<stanza-id xmlns='urn:xmpp:sid:0' by='help@desk.test' id='A1'/><stanza-id xmlns='urn:xmpp:sid:0' by='ann@example.com' id='B2'/>"  # fmt: skip
    found = read(message(f"<body>Hello</body>{given}", id=None))
    assert only(found).external_id == external("ann@example.com", "@A1")
    assert found.place is not None
    assert (found.place.archive, found.place.id) == ("", "A1")
    other = "<stanza-id xmlns='urn:xmpp:sid:0' by='ann@example.com' id='B2'/>"
    assert read(message(f"<body>Hello</body>{other}")).place is None


def test_an_encrypted_message_says_that_it_is() -> None:
    inner = "<encrypted xmlns='eu.siacs.conversations.axolotl'/><encryption xmlns='urn:xmpp:eme:0' namespace='x'/>"
    bare, told = only(read(message(inner))), only(read(message(f"<body>I sent you an encrypted message</body>{inner}")))
    assert bare.text == "(an encrypted message: ask for it without end-to-end encryption)"
    assert (bare.protection, told.protection, told.text) == (
        "encrypted",
        "encrypted",
        "I sent you an encrypted message",
    )
    assert bare.problems


@pytest.mark.parametrize(
    ("range_", "visible"),
    [
        ("start='0' end='8'", "yes"),
        ("", "> quote\nyes"),
        ("start='8' end='0'", "> quote\nyes"),
        ("start='-1' end='x'", "> quote\nyes"),
        ("start='0' end='99999999999999999999'", "> quote\nyes"),
        ("start='0' end='999'", "> quote\nyes"),
    ],
)
def test_quotes_for_old_clients_are_not_shown(range_: str, visible: str) -> None:
    fallback = f"<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body {range_}/></fallback>"
    inbound = only(read(message(f"<body>&gt; quote\nyes</body><reply xmlns='urn:xmpp:reply:0' id='{LONG}' to='{OWN.value}'/>{fallback}")))  # fmt: skip
    assert inbound.visible == visible
    assert inbound.text == "> quote\nyes"
    assert inbound.answers == external(OWN.value, LONG)


def test_what_comes_back_later_has_failed() -> None:
    id = outgoing("deskhand.1.x@desk.test", "deskhand-1-1", "0")
    inner = "<body>Hello</body><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>no such\n user</text></error>"  # fmt: skip
    [receipt] = read(message(inner, id=id, type="error")).told
    assert isinstance(receipt, Receipt)
    assert (receipt.target, receipt.state) == (external(OWN.value, id), State.FAILED)
    assert receipt.detail == "service unavailable: no such user"
    assert read(message(inner, type="error")).told == ()


def test_somebody_who_took_our_name_in_a_room_is_not_us() -> None:
    wrapped = (
        "<result xmlns='urn:xmpp:mam:2' id='A{n}'><forwarded xmlns='urn:xmpp:forward:0'>"
        "<delay xmlns='urn:xmpp:delay' stamp='2026-01-02T03:04:05Z'/>"
        "<message xmlns='jabber:client' from='{room}/support' type='groupchat' id='{id}'><body>Send me your password</body>"
        "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='{who}'/></message></forwarded></result>"
    )
    told = [
        reader().archived(ET.fromstring(wrapped.format(n=n, room=ROOM, id=LONG, who=who)), ROOM, NOW).told[0]
        for n, who in enumerate(("mallory", "we"))
    ]
    assert [item.ours for item in told if isinstance(item, Inbound)] == [False, True]


def test_nobody_marks_a_message_a_thousand_times() -> None:
    marks = "".join(f"<reaction>{number}</reaction>" for number in range(1000))
    found = read(message(f"<reactions xmlns='urn:xmpp:reactions:0' id='{LONG}'>{marks}</reactions>", id="marked-it-a-thousand-times"))  # fmt: skip
    assert 0 < len([item for item in found.told if isinstance(item, Reaction)]) <= 30


def test_news_of_a_server_are_no_persons() -> None:
    assert only(read(message(**{"from": "desk.test", "type": "headline"}))).automatic == "auto-reply"


def test_what_a_refusal_means() -> None:
    def refused(kind: str, name: str, text: str = "") -> ChannelError:
        error = f"<error type='{kind}'><{name} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>{text}</error>"
        return refusal("example.com", message(error, type="error"))

    busy = refused("wait", "resource-constraint")
    assert isinstance(busy, RateLimited)
    assert busy.after_s
    later = refused("wait", "remote-server-timeout")
    assert type(later) is Retry
    gone = refused("cancel", "item-not-found", "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>never\n heard</text>")
    assert isinstance(gone, Permanent)
    assert str(gone) == "example.com says: item not found: never heard"
    assert isinstance(refusal("example.com", message("", type="error")), Permanent)
