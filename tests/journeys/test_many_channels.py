"""One customer on many channels: every word comes in once, every answer goes out once, with the relay killed on the way."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from email import message_from_bytes
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from desk.model import Direction, Message, State
from desk.query import EVERYTHING
from desk.store import Store
from storage import open_store
from tests.journeys.shift import Shift, soon
from tests.servers.dovecot import User
from tests.servers.exim import Exim
from tests.servers.holding import Holding
from tests.servers.inn import Inn, article
from tests.servers.ngircd import Ngircd, Voice
from tests.servers.prosody import Prosody
from tests.servers.synapse import CLIENT, Synapse, segment

pytestmark = pytest.mark.servers

ROUNDS = 12
"""How often Ann writes on each channel while the relay is killed."""

MAIL, CHAT, NEWS = "support", "chat", "news"


class Ann:
    """A customer with a mailbox, an account on Matrix and a newsreader."""

    def __init__(self, user: User, synapse: Synapse, inn: Inn) -> None:
        self._user, self._inn = user, inn
        self.phone, self.help = synapse.person("ann"), synapse.person("help")
        name = f"{CLIENT}/profile/{segment(self.phone.id)}/displayname"
        self.phone.ask("PUT", name, {"displayname": "Ann Lee"})
        self.room = self.phone.opens(self.help.id, direct=True)

    def mails(self, text: str, **headers: str) -> None:
        """Write a letter in the one thread of hers."""
        fields = {"Message-ID": f"<{text.replace(' ', '.')}@ann.example.com>", "From": "Ann Lee <ann@desk.test>"}
        fields |= {"To": "support@desk.test", "Subject": "The tunnel drops", "Date": "Fri, 20 Nov 2026 09:00:00 +0000"}
        if text != "mail 0":
            fields |= {"In-Reply-To": "<mail.0@ann.example.com>", "References": "<mail.0@ann.example.com>"}
        head = "".join(f"{name}: {value}\n" for name, value in (fields | headers).items())
        self._user.deliver(f"{head}\n{text}\n".encode())

    def chats(self, text: str) -> None:
        """Say something in her room with the desk."""
        self.phone.says(self.room, text)

    def posts(self, text: str) -> None:
        """Write to the newsgroup, in the one thread of hers."""
        more = {} if text == "post 0" else {"References": "<post.0@ann.example.com>"}
        name = f"{text.replace(' ', '.')}@ann.example.com"
        self._inn.post(article(name, text, subject="Tunnel", From="Ann Lee <ann@desk.test>", **more))

    def rounds(self, numbers: Iterable[int]) -> None:
        """One thing on each, again and again."""
        for number in numbers:
            self.mails(f"mail {number}")
            self.chats(f"chat {number}")
            self.posts(f"post {number}")


@pytest.fixture(scope="module")
def inn() -> Iterator[Inn]:
    """A news server."""
    server = Inn()
    yield server
    server.stop()


class Wires:
    """The ways to the servers, on which answers to the relay can be held back."""

    def __init__(self, exim: Exim, synapse: Synapse, inn: Inn) -> None:
        self.mail, self.chat, self.news = Holding(exim.port), Holding(synapse.port), Holding(inn.port)

    def __iter__(self) -> Iterator[Holding]:
        return iter((self.mail, self.chat, self.news))


@pytest.fixture
def wires(exim: Exim, synapse: Synapse, inn: Inn) -> Iterator[Wires]:
    """Between the relay and where it sends."""
    found = Wires(exim, synapse, inn)
    yield found
    for wire in found:
        wire.close()


@pytest.fixture
def ann(user: User, synapse: Synapse, inn: Inn) -> Ann:
    """The customer, and a room to which she has invited the desk."""
    return Ann(user, synapse, inn)


@pytest.fixture
def shift(tmp_path: Path, ann: Ann, user: User, wires: Wires) -> Iterator[Desk]:
    """A desk on a mailbox, a Matrix account and a newsgroup."""
    smtp = {"host": "localhost", "port": wires.mail.port, "tls": "none", "password": "secret", "timeout_s": 10.0}
    accounts = {
        MAIL: {"kind": "email", "address": "support@desk.test", "poll_s": 5, "imap": user.imap(), "smtp": smtp},
        CHAT: {"kind": "matrix", "url": f"http://127.0.0.1:{wires.chat.port}", "user": ann.help.id, "token": ann.help.token},
        NEWS: {"kind": "nntp", "host": "localhost", "port": wires.news.port, "tls": "none", "address": "help@desk.test", "name": "Help",
               "groups": ["test.help"], "first_d": 7, "poll_s": 0.5},
    }  # fmt: skip
    with Desk(tmp_path, accounts) as found:
        yield found


class Desk(Shift):
    """A desk with these accounts and an agent, ended with the block."""

    def __init__(self, folder: Path, accounts: Mapping[str, Any]) -> None:
        super().__init__(folder, accounts, undo_s=0)
        self.run("init", "--no-account")
        self.run("agent", "add", "kim", "--display", "Kim Arden")
        self.store: Store = open_store(f"sqlite:///{folder}/desk.db")

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()
        self.end()

    def heard(self) -> Counter[str]:
        """What customers said, by the words: each should be there once."""
        return Counter(m.text.strip() for m in self._messages() if m.direction is Direction.IN)

    def states(self) -> dict[str, State]:
        """What became of our answers, by their words."""
        return {m.text: m.state for m in self._messages() if m.state is not None}

    def _messages(self) -> list[Message]:
        return [message for number in self.store.ids(EVERYTHING) for message in self.store.thread(number)]

    def hears(self, text: str) -> None:
        """Wait until a customer's words are there."""
        soon(lambda: text in self.heard(), f'"{text}" to come in')

    def said(self, text: str, state: State = State.SENT) -> None:
        """Wait until this answer has come to a state."""
        soon(lambda: self.states().get(text) == state, f'"{text}" to be {state.value}')


def test_one_customer_by_mail_chat_and_news_is_answered_where_they_wrote(
    shift: Desk, ann: Ann, exim: Exim, inn: Inn, wires: Wires
) -> None:
    everything = {f"{word} {number}": 1 for word in ("mail", "chat", "post") for number in range(ROUNDS)}
    relay = shift.relay()
    writing = Thread(target=ann.rounds, args=(range(ROUNDS),))
    writing.start()
    soon(lambda: sum(shift.heard().values()) >= ROUNDS // 2, "some messages to come in")
    shift.kill(relay)
    writing.join()
    assert sum(shift.heard().values()) < len(everything), "killed while messages came in"
    relay = shift.relay()
    soon(lambda: len(shift.heard()) >= len(everything), "all messages to come in")
    assert shift.heard() == everything

    numbers = {ticket["account"]: ticket["id"] for ticket in shift.tickets()}
    assert len(shift.tickets()) == 3, "one on each channel"
    mail, chat, news = (numbers[name] for name in (MAIL, CHAT, NEWS))
    alike = {a.identity.kind: a.reason for a in shift.store.alike(shift.store.ticket(mail).requester)}
    assert alike == {"matrix": "the same name", "news": "the same address"}
    shift.run("join", str(mail), f"matrix:{ann.phone.id}")
    shift.run("join", str(mail), f"#{news}")
    shift.run("merge", f"{chat},{news}", str(mail))
    assert len({shift.store.ticket(number).requester for number in (mail, chat, news)}) == 1

    # Each time the answer goes where she wrote last.
    for name, write in ((MAIL, ann.mails), (CHAT, ann.chats), (NEWS, ann.posts)):
        write(f"again by {name}")
        shift.hears(f"again by {name}")
        shift.run("reply", str(mail), f"an answer by {name}")
        shift.said(f"an answer by {name}")
        assert shift.store.thread(mail)[-1].account == name
    assert message_from_bytes(*exim.delivered(b"an answer by support"))["To"] == "Ann Lee <ann@desk.test>"
    assert [e["content"]["body"] for e in ann.phone.sees(ann.room)].count("an answer by chat") == 1
    (posted,) = [m for m in shift.store.thread(mail) if m.text == "an answer by news"]
    read = inn.article(posted.message_id or "")
    assert b"an answer by news" in read
    assert b"<again.by.news@ann.example.com>" in read, "in the thread where she asked"

    # She asked where everybody reads; this is for her alone.
    assert "has no answer in private" in shift.refused("reply", str(mail), "--private", "secret")
    shift.run("reply", str(mail), "--account", MAIL, "for you alone, by mail")
    shift.run("reply", str(mail), "--account", "matrix", "for you alone, in the room")
    shift.said("for you alone, by mail")
    shift.said("for you alone, in the room")
    assert len(exim.delivered(b"for you alone, by mail")) == 1

    # All three servers have the answer, and the relay dies before it hears so.
    for wire, marker in zip(wires, (b"\r\n.\r\n", b"/send/m.room.message/", b"\r\n.\r\n"), strict=True):
        wire.arm(marker)
    for name in (MAIL, CHAT, NEWS):
        shift.run("reply", str(mail), "--account", name, f"in the middle of {name}")
    for wire in wires:
        assert wire.held.wait(20), "the relay to send"
    shift.kill(relay)
    for wire in wires:
        wire.heal()
    ann.rounds([ROUNDS])
    relay = shift.relay()
    shift.said(f"in the middle of {CHAT}")
    shift.said(f"in the middle of {NEWS}")
    # Mail has no key by which a server knows it again: a person decides.
    shift.said(f"in the middle of {MAIL}", State.UNKNOWN)
    assert len(exim.delivered(b"in the middle of support")) == 1
    bodies = Counter(event["content"]["body"] for event in ann.phone.sees(ann.room))
    assert bodies[f"in the middle of {CHAT}"] == 1
    (posted,) = [m for m in shift.store.thread(mail) if m.text == "in the middle of news"]
    assert b"in the middle of news" in inn.article(posted.message_id or "")

    everything |= {f"{word} {ROUNDS}": 1 for word in ("mail", "chat", "post")} | {
        f"again by {name}": 1 for name in numbers
    }
    soon(lambda: len(shift.heard()) >= len(everything), "what she wrote meanwhile")
    time.sleep(1)
    assert shift.heard() == everything, "nothing lost, nothing doubled, nothing of ours come back as hers"
    assert len([t for t in shift.tickets() if t["merged_into"] is None]) == 1
    assert shift.stop(relay) == 0
    assert "all is well" in shift.run("store", "check")


@pytest.fixture
def ngircd() -> Iterator[Ngircd]:
    """An IRC server."""
    server = Ngircd()
    yield server
    server.stop()


def test_in_a_room_in_private_and_on_another_network_it_is_one_ticket(
    tmp_path: Path, ngircd: Ngircd, prosody: Prosody
) -> None:
    ours, theirs = prosody.account(), prosody.account("ann")
    rooms, talks = Holding(ngircd.port), Holding(prosody.port)
    accounts = {
        "irc": {"kind": "irc", "host": "localhost", "port": rooms.port, "tls": "none", "nick": "desk", "rooms": ["#help"], "gather_s": 0.2},
        "xmpp": {"kind": "xmpp", "tls": "none"} | prosody.settings(ours, port=talks.port, ca_file=""),
    }  # fmt: skip
    with Desk(tmp_path, accounts) as shift:
        relay = shift.relay()
        ann, phone = Voice(ngircd, "ann"), prosody.client(theirs).online()
        ann.join("#help")
        soon(lambda: _is_there(ann, "desk"), "the desk to be in the room")
        ann.say("PRIVMSG #help :desk: my tunnel drops")
        shift.hears("my tunnel drops")
        phone.say(ours, "I am ann on IRC")
        shift.hears("I am ann on IRC")
        room, talk = (next(t["id"] for t in shift.tickets() if t["account"] == name) for name in ("irc", "xmpp"))
        shift.run("join", str(room), f"xmpp:{theirs}")
        shift.run("merge", str(talk), str(room))

        shift.run("reply", str(room), "--account", "irc", "which router")
        assert "#help :ann: which router" in ann.until("which router")
        shift.run("reply", str(room), "--account", "irc", "--private", "your password is new")
        assert "PRIVMSG ann :your password is new" in ann.until("your password")
        shift.run("reply", str(room), "--account", "xmpp", "and here")
        assert phone.message().findtext("{jabber:client}body") == "and here"
        ann.say("PRIVMSG desk :thank you")
        shift.hears("thank you")
        shift.run("reply", str(room), "where you wrote last")
        assert "PRIVMSG ann :where you wrote last" in ann.until("where you wrote last")

        rooms.arm(b"PRIVMSG ann :in the middle")
        talks.arm(b"in the middle of it")
        shift.run("reply", str(room), "--account", "irc", "--private", "in the middle")
        shift.run("reply", str(room), "--account", "xmpp", "in the middle of it")
        assert rooms.held.wait(20)
        assert talks.held.wait(20)
        shift.kill(relay)
        phone.say(ours, "while you were away")
        rooms.heal()
        talks.heal()
        relay = shift.relay()
        shift.hears("while you were away")
        # The archive shows that it went out; IRC keeps nothing, and a person decides.
        shift.said("in the middle of it")
        shift.said("in the middle", State.UNKNOWN)
        assert phone.message().findtext("{jabber:client}body") == "in the middle of it"
        ann.until("in the middle")
        ann.settle()
        assert len([line for line in ann.heard if "in the middle" in line]) == 1
        assert set(shift.heard().values()) == {1}
        assert shift.stop(relay) == 0
        assert "all is well" in shift.run("store", "check")
        phone.close()
        ann.vanish()
    rooms.close()
    talks.close()


def _is_there(voice: Voice, nick: str) -> bool:
    voice.say("NAMES #help")
    return nick in voice.until(" 353 ").rpartition(":")[2].split()
