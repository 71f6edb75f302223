"""What a message stanza says: a message of somebody, or a signal about one.

RFC 6121 (messages), XEP-0045 (rooms), 0085 (typing), 0184 (receipts), 0280 (carbons), 0297 (forwarding),
0308 (corrections), 0333 (markers), 0359 (ids), 0424 and 0425 (retraction), 0444 (reactions), 0461 (replies).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from xml.etree.ElementTree import Element

from msgspec import Struct
from msgspec.structs import replace

from channels.xmpp import names, xml
from channels.xmpp.errors import error_words
from channels.xmpp.memory import Author, Lately, Occupant, Room
from channels.xmpp.names import bare, external, resource
from desk.channel import Activity, Edit, Inbound, Reaction, Receipt, Removal, Told
from desk.model import Identity, Millis, State

MOST_MARKS = 30
"""Nobody means more reactions than this to one message."""

ENCRYPTED = ("{urn:xmpp:eme:0}encryption", "{eu.siacs.conversations.axolotl}encrypted", "{urn:xmpp:omemo:2}encrypted")

_STATES = {"received": State.DELIVERED, "displayed": State.READ, "acknowledged": State.READ}


class Place(Struct, frozen=True):
    """Where a message stands in an archive: whose ("" for our own), its id there, and when it came."""

    archive: str
    id: str
    at: Millis


class Read(Struct, frozen=True):
    """What became of a stanza: what it tells, where it stands, the files it names, who wants to hear that it arrived."""

    told: tuple[Told, ...] = ()
    place: Place | None = None
    files: tuple[str, ...] = ()
    receipt: tuple[str, str] | None = None


class Reader:
    """Reads for one account; remembers what later messages may refer to."""

    def __init__(self, own: Identity, rooms: Mapping[str, Room], archived: Callable[[], bool]) -> None:
        self._own, self._rooms, self._archived = own, rooms, archived
        self._weak: Lately[tuple[str, str], str] = Lately(1000)
        self._ids: Lately[str, str] = Lately(1000)
        self._marks: Lately[tuple[str, str], frozenset[str]] = Lately(2000)
        self._corrected: Lately[str, str] = Lately(1000)

    def live(self, stanza: Element, now: Millis) -> Read:
        """A stanza as it came over the stream; carbons are unpacked when they are our own server's."""
        for way in ("sent", "received"):
            if (carbon := xml.find(stanza, way, xml.CARBONS)) is not None:
                # Anybody can write such a wrapper: only the one of our own account is true (XEP-0280, 11).
                inner = _forwarded(carbon)
                if inner is None or bare(stanza.get("from") or self._own.value) != self._own.value:
                    return Read()
                return self._read(inner, now, live=True)
        return self._read(stanza, now, live=True)

    def archived(self, result: Element, archive: str, now: Millis) -> Read:
        """One result of an archive (XEP-0313)."""
        inner, forwarded = _forwarded(result), xml.find(result, "forwarded", xml.FORWARD)
        at = (_stamp(forwarded) if forwarded is not None else None) or now
        place = Place(archive, result.get("id") or "", at)
        if inner is None:
            return Read(place=place)
        read = self._read(inner, at, live=False, place=place)
        return Read(read.told, place, read.files)

    def recall(self, result: Element, room: Room) -> None:
        """Note who wrote a message of an archived room, and under what id."""
        stanza = _forwarded(result)
        if stanza is not None:
            self._note(stanza, room, result.get("id") or "")

    def _note(self, stanza: Element, room: Room, id: str) -> str:
        nick, name = resource(stanza.get("from") or ""), external(room.address, id)
        room.named[nick, stanza.get("id") or ""] = name
        room.authors[name] = Author(nick, _occupant_id(stanza, room))
        return name

    def client_id(self, name: str) -> str | None:
        """The id that the client of its author gave the message `name`; None where it is forgotten."""
        _, id = names.taken_apart(name)
        return self._ids.get(name) or (id if not id.startswith(("@", "~")) else None)

    def occupant(self, room: Room, nick: str, known: Occupant) -> Identity:
        """Who somebody in a room is: their account where the room shows it, else their id or name there."""
        if known.address:
            return self._own if known.address == self._own.value else Identity("xmpp", known.address, nick)
        return Identity("xmpp", f"{room.address}/{f'#{known.id}' if known.id else nick}", nick)

    # -- one message --------------------------------------------------------

    def _read(self, stanza: Element, at: Millis, *, live: bool, place: Place | None = None) -> Read:
        sender, to = stanza.get("from") or self._own.value, stanza.get("to") or self._own.value
        if stanza.get("type") == "error":
            return Read(self._failed(stanza, at))
        room = self._rooms.get(bare(sender))
        if stanza.get("type") == "groupchat":
            return self._in_room(stanza, room, resource(sender), at, live, place) if room is not None else Read()
        ours = bare(sender) == self._own.value
        peer = _peer(to if ours else sender, self._rooms)
        author = self._own.value if ours else peer
        if place is None and self._archived():
            place = _place(stanza, self._own.value, "", at)
        delayed = _stamp(stanza)
        at = delayed or at
        who = self._own if ours else self._identity(sender, room, stanza)
        name = self._name(stanza, author, place, at)
        told = self._signals(stanza, author, peer, who, name, at, ours, live and delayed is None)
        if told is not None:
            return Read(told, place)
        if not _says_something(stanza):
            return Read(place=place)
        asked = xml.find(stanza, "request", xml.RECEIPTS) is not None and not ours and stanza.get("id")
        found = self._message(stanza, name, who, at, peer, ours, public=False)
        if ours:
            found = _with(found, to=(self._identity(to, self._rooms.get(bare(to)), None),))
        receipt = (peer, stanza.get("id") or "") if asked and live else None
        return Read((found, *_echoed(found, stanza)), place, _files(stanza), receipt)

    def _in_room(self, stanza: Element, room: Room, nick: str, at: Millis, live: bool, place: Place | None) -> Read:
        if place is None and room.archived:
            place = _place(stanza, room.address, room.address, at)
        occupant_id = _occupant_id(stanza, room)
        at = _stamp(stanza) or at
        author = f"{room.address}/{nick}"
        if room.archived and place is not None:
            name = self._note(stanza, room, place.id)
        else:
            name = self._name(stanza, author, None, at)
        mine = room.occupants.get(room.nick, Occupant()).id
        # While we were away somebody else may have had our name.
        ours = occupant_id == mine if mine and occupant_id else nick == room.nick
        who = self._own if ours else self._identity(author, room, stanza, archived=not live)
        told = self._room_signals(stanza, room, Author(nick, occupant_id), who, name, at, ours, live)
        if told is not None:
            return Read(told, place)
        if not nick or not _says_something(stanza):
            return Read(place=place)
        found = self._message(stanza, name, who, at, room.address, ours, public=room.public)
        return Read((found, *_echoed(found, stanza)), place, _files(stanza))

    def _message(
        self, stanza: Element, name: str, who: Identity, at: Millis, conversation: str, ours: bool, *, public: bool
    ) -> Inbound:
        text = xml.words(stanza, "body")
        encrypted = any(stanza.find(tag) is not None for tag in ENCRYPTED)
        if encrypted and not text:
            text = "(an encrypted message: ask for it without end-to-end encryption)"
        if not text:
            text = next(iter(_files(stanza)), "")
        plain = "/" not in who.value and "@" in who.value
        return Inbound(
            external_id=name,
            received_at=at,
            at=_stamp(stanza),
            sender=who,
            text=text,
            visible=_without_quote(stanza, text),
            subject=xml.words(stanza, "subject"),
            message_id=names.message_id(stanza.get("id") or "") if ours else None,
            conversation=conversation,
            answers=self._answered(stanza, conversation),
            automatic="auto-reply" if stanza.get("type") == "headline" or "@" not in conversation else None,
            problems=("it is encrypted end to end, and only devices can read that",) if encrypted else (),
            protection="encrypted" if encrypted else None,
            link=f"xmpp:{conversation}?join" if conversation in self._rooms else f"xmpp:{who.value}" if plain else "",
            public=public,
            ours=ours,
        )

    # -- signals ------------------------------------------------------------

    def _signals(
        self, stanza: Element, author: str, peer: str, who: Identity, name: str, at: Millis, ours: bool, live: bool
    ) -> tuple[Told, ...] | None:
        """What it tells of other messages, None when it is a message itself."""
        if (edit := self._edit(stanza, name, at, lambda id: self._known(author, id))) is not None:
            return (edit,)
        if (gone := _retracted(stanza)) is not None:
            return (Removal(name, at, self._known(author, gone)),)
        if (reactions := xml.find(stanza, "reactions", xml.REACTIONS)) is not None:
            # In a chat there are two who can have written what is marked; ids of ours tell themselves.
            marked = reactions.get("id") or ""
            return self._reactions(reactions, who, name, at, self._either(marked, author, peer))
        for tag in _STATES:
            found = xml.find(stanza, tag, xml.RECEIPTS, xml.MARKERS)
            if found is not None and (id := found.get("id")) and not _says_something(stanza):
                through = found.tag.startswith(f"{{{xml.MARKERS}}}") and tag != "received"
                receipt = Receipt(at, external(self._own.value, id), _STATES[tag], through=through)
                return () if ours else (receipt,)
        if not _says_something(stanza):
            doing = _doing(stanza)
            return (Activity(at, who, doing, peer),) if doing is not None and live and not ours else ()
        return None

    def _room_signals(
        self, stanza: Element, room: Room, author: Author, who: Identity, name: str, at: Millis, ours: bool, live: bool
    ) -> tuple[Told, ...] | None:
        def known(id: str) -> str | None:
            target = room.named.get((author.nick, id)) if room.archived else None
            if target is None and not room.archived:
                return external(f"{room.address}/{author.nick}", id)
            return target if target is not None and _same(room.authors.get(target), author) else None

        if xml.find(stanza, "replace", xml.CORRECT) is not None:
            edit = self._edit(stanza, name, at, known)
            return (edit,) if edit is not None else ()
        if (gone := _retracted(stanza)) is not None:
            target = external(room.address, gone)
            # The room itself speaks for its moderators (XEP-0425); anybody else only of their own.
            if author.nick and not _same(room.authors.get(target), author):
                return ()
            return (Removal(name, at, target),)
        if (reactions := xml.find(stanza, "reactions", xml.REACTIONS)) is not None:
            return self._reactions(reactions, who, name, at, external(room.address, reactions.get("id") or ""))
        if not _says_something(stanza):
            typing = _doing(stanza)
            return (Activity(at, who, typing, room.address),) if typing is not None and live and not ours else ()
        return None

    def _edit(self, stanza: Element, name: str, at: Millis, known: Callable[[str], str | None]) -> Edit | None:
        replace = xml.find(stanza, "replace", xml.CORRECT)
        target = known(replace.get("id") or "") if replace is not None else None
        if target is None or not _says_something(stanza):
            return None
        # Some clients name the last correction, others always the first message.
        target = self._corrected.get(target) or target
        self._corrected[name] = target
        text = xml.words(stanza, "body")
        return Edit(name, at, target, text, _without_quote(stanza, text))

    def _reactions(self, reactions: Element, who: Identity, name: str, at: Millis, target: str) -> tuple[Reaction, ...]:
        """Each mark that came or went: a stanza names all that stand now (XEP-0444)."""
        found = [(e.text or "").strip() for e in reactions.iterfind(f"{{{xml.REACTIONS}}}reaction")]
        now = frozenset([mark for mark in found if mark][:MOST_MARKS])
        before = self._marks.get((who.value, target)) or frozenset()
        self._marks[who.value, target] = now
        came = [Reaction(f"{name}+{mark}", at, target, who, mark) for mark in sorted(now - before)]
        went = [Reaction(f"{name}-{mark}", at, target, who, mark, gone=True) for mark in sorted(before - now)]
        return (*came, *went)

    def _failed(self, stanza: Element, at: Millis) -> tuple[Told, ...]:
        """What we sent came back."""
        id = stanza.get("id") or ""
        if not id.startswith("deskhand"):
            return ()
        return (Receipt(at, external(self._own.value, id), State.FAILED, detail=error_words(stanza)),)

    # -- names --------------------------------------------------------------

    def _name(self, stanza: Element, author: str, place: Place | None, at: Millis) -> str:
        id: str = stanza.get("id") or _attribute(stanza, "origin-id", xml.SID, "id")
        if names.lasting(id):
            return external(author, id)
        if place is not None and place.id:
            name = external(author, f"@{place.id}")
        else:
            said = f"{id}\0{xml.words(stanza, 'body')}\0{at}"
            name = external(author, f"~{hashlib.sha256(said.encode('utf-8', 'replace')).hexdigest()[:32]}")
        if id:
            self._weak[author, id] = name
            self._ids[name] = id
        return name

    def _known(self, author: str, id: str) -> str:
        return self._weak.get((author, id)) or external(author, id)

    def _either(self, id: str, author: str, peer: str) -> str:
        if id.startswith("deskhand"):
            return external(self._own.value, id)
        other = peer if author == self._own.value else self._own.value
        found = self._weak.get((author, id)) or self._weak.get((other, id))
        # What is marked is, where nothing tells, what the other one wrote.
        return found or external(other, id)

    def _answered(self, stanza: Element, conversation: str) -> str | None:
        reply = xml.find(stanza, "reply", xml.REPLY)
        id = reply.get("id") if reply is not None else None
        if reply is None or not id:
            return None
        room = self._rooms.get(conversation)
        if room is not None and room.archived:
            return external(room.address, id)
        to = reply.get("to") or ""
        if bare(to) not in ("", bare(conversation), self._own.value):
            return None  # what others said is not theirs to answer here
        author = to if bare(to) in self._rooms else bare(to)
        return self._known(author or conversation, id)

    def _identity(self, address: str, room: Room | None, stanza: Element | None, *, archived: bool = False) -> Identity:
        """Who an address is; in a room the one behind the name, as far as the room lets us see."""
        if room is None:
            return Identity("xmpp", bare(address), xml.words(stanza, "nick", xml.NICK) if stanza is not None else "")
        nick = resource(address)
        shown = ""
        known = room.occupants.get(nick, Occupant())
        if stanza is not None:
            item = stanza.find(f"{{{xml.MUC_USER}}}x/{{{xml.MUC_USER}}}item")
            # Only an archive writes it there, and only where the room hides nobody.
            shown = bare(item.get("jid") or "") if item is not None and archived and room.shows_addresses else ""
            given = _occupant_id(stanza, room)
            # A name may have gone to somebody else since.
            if given and known.id and given != known.id:
                known = Occupant(id=given)
            known = Occupant(shown or known.address, given or known.id)
        return self.occupant(room, nick, known)


def _peer(address: str, rooms: Mapping[str, Room]) -> str:
    """The other one of a chat: an account, or somebody in a room by their name there."""
    return f"{bare(address)}/{resource(address)}" if bare(address) in rooms and resource(address) else bare(address)


def _forwarded(wrapper: Element) -> Element | None:
    forwarded = xml.find(wrapper, "forwarded", xml.FORWARD)
    return xml.find(forwarded, "message") if forwarded is not None else None


def _attribute(stanza: Element, tag: str, namespace: str, attribute: str) -> str:
    found = xml.find(stanza, tag, namespace)
    return (found.get(attribute) or "") if found is not None else ""


def _echoed(found: Inbound, stanza: Element) -> tuple[Receipt, ...]:
    """A message of the desk that is seen where it should be went out, whatever was known of it before.

    Of a text in several parts this would be said of all of them.
    """
    if found.message_id is None or not names.whole(stanza.get("id") or ""):
        return ()
    return (Receipt(found.received_at, found.external_id, State.SENT),)


def _occupant_id(stanza: Element, room: Room) -> str:
    return _attribute(stanza, "occupant-id", xml.OCCUPANT, "id") if room.identified else ""


def _place(stanza: Element, by: str, archive: str, at: Millis) -> Place | None:
    """The id that `by` gave it; those of others are theirs to invent."""
    for found in stanza.iterfind(f"{{{xml.SID}}}stanza-id"):
        if bare(found.get("by") or "") == by and (id := found.get("id")):
            return Place(archive, id, at)
    return None


def _stamp(parent: Element) -> Millis | None:
    """When a server kept it until now (XEP-0203); None for what came straight, and for a date that is none."""
    stamp = _attribute(parent, "delay", xml.DELAY, "stamp")
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return max(0, int(moment.timestamp() * 1000))
    except (OverflowError, ValueError):
        return None


def _says_something(stanza: Element) -> bool:
    return bool(xml.words(stanza, "body") or _files(stanza)) or any(stanza.find(tag) is not None for tag in ENCRYPTED)


def _files(stanza: Element) -> tuple[str, ...]:
    """Addresses of files that came with it (XEP-0066)."""
    found = (xml.words(x, "url", xml.OOB).strip() for x in stanza.iterfind(f"{{{xml.OOB}}}x"))
    return tuple(url for url in found if url)[:10]


def _without_quote(stanza: Element, text: str) -> str:
    """The text without what its client put there for those that do not know of answers (XEP-0428)."""
    for fallback in stanza.iterfind(f"{{{xml.FALLBACK}}}fallback"):
        body = xml.find(fallback, "body", xml.FALLBACK)
        if fallback.get("for") != xml.REPLY or body is None:
            continue
        start, end = body.get("start") or "0", body.get("end") or "0"
        if start.isdecimal() and end.isdecimal() and len(start) < 9 and len(end) < 9 and int(start) <= int(end):
            return (text[: int(start)] + text[int(end) :]).strip() or text
    return text


def _retracted(stanza: Element) -> str | None:
    """The id of what is taken back, in either version of XEP-0424."""
    for namespace in xml.RETRACT:
        if (found := xml.find(stanza, "retract", namespace)) is not None and found.get("id"):
            return found.get("id")
    fasten = xml.find(stanza, "apply-to", "urn:xmpp:fasten:0")
    if fasten is not None and fasten.get("id") and any(
        xml.find(inner, "retract", *xml.RETRACT) is not None for inner in (fasten, *fasten)
    ):  # fmt: skip
        return fasten.get("id")
    return None


def _doing(stanza: Element) -> str | None:
    for tag, doing in (("composing", "typing"), ("active", ""), ("paused", ""), ("inactive", ""), ("gone", "")):
        if xml.find(stanza, tag, xml.CHAT_STATES) is not None:
            return doing
    return None


def _same(wrote: Author | None, now: Author) -> bool:
    """Whether a message is by whoever speaks now: a name can be taken by somebody else, an id cannot."""
    if wrote is None:
        return False
    return wrote.id == now.id if wrote.id or now.id else wrote.nick == now.nick


def _with(found: Inbound, **changes: object) -> Inbound:
    return replace(found, **changes)


__all__ = ["Place", "Read", "Reader"]
