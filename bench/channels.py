"""Channels on real servers: how soon a message is in the store, what many accounts cost, and how much comes through.

One relay as it is run; the customers write from this process, on the servers that the tests start.
A message counts from before its customer sends it until another process than the relay has been
woken by the store and has read it there.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import tomli_w

from bench.process import DESKHAND, ROOT, environment
from bench.stores import OUT
from bench.terminal import tree_cpu, tree_memory
from desk.config import DeskConfig
from storage import open_store
from tests.servers.dovecot import Dovecot, User
from tests.servers.inn import UNPACKED, Inn, article
from tests.servers.ngircd import Ngircd, Voice
from tests.servers.prosody import Client, Prosody
from tests.servers.synapse import PYTHON, Person, Synapse
from tests.servers.telegram import TOKEN, TelegramServer

PATIENCE_S = 60.0

KINDS = ("email", "matrix", "xmpp", "irc", "nntp", "telegram")

SHARES = {"email": 60, "telegram": 60, "xmpp": 40, "irc": 30, "nntp": 5, "matrix": 5}
"""Of 200 messages how many come over which; Synapse and INN take few a second."""

_LIBRARIES = ("httpx2", "slixmpp", "aioimaplib", "aiosmtplib", "markdown_it", "html_to_markdown", "selectolax", "psycopg", "nh3")  # fmt: skip
"""What channels are built on, and who has none of them should never load."""


def absent() -> str:
    """What this machine lacks for it; "" for nothing."""
    wanted = {
        "root": os.geteuid() == 0, "Dovecot": Path("/usr/sbin/dovecot").exists(), "Prosody": shutil.which("prosody"),
        "ngIRCd": Path("/usr/sbin/ngircd").exists(), "Synapse": PYTHON.exists(), "INN": UNPACKED.exists(),
    }  # fmt: skip
    return ", ".join(name for name, there in wanted.items() if not there)


class Line(Protocol):
    """A customer's way to one account."""

    def __call__(self, text: str) -> None:
        """Send a message."""


@dataclass
class Account:
    """One account's table, and how somebody writes to it once the relay is there."""

    table: dict[str, Any]
    line: Callable[[], Line]


class Ground:
    """All servers; each gives as many accounts as one likes."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._numbers = itertools.count(1)
        self._dovecot, self._prosody, self._ngircd, self._synapse, self._inn = (
            Dovecot(),
            Prosody(),
            Ngircd(),
            Synapse(),
            Inn(),
        )
        for end in (self._dovecot.stop, self._prosody.end, self._ngircd.stop, self._synapse.stop, self._inn.stop):
            stack.callback(end)

    def account(self, kind: str, soon: bool) -> Account:
        """A new account; where it is asked at intervals, and `soon`, they are short."""
        return getattr(self, f"_{kind}")(soon)  # type: ignore[no-any-return]

    def mailbox(self) -> User:
        """A mailbox that no account reads."""
        return self._dovecot.user()

    def _email(self, soon: bool) -> Account:
        user = self._dovecot.user()
        table = {
            "address": user.name,
            "imap": user.imap(),
            "smtp": {"host": "localhost", "port": 1, "tls": "none", "login": False},
        }
        return Account(table, lambda: _Letters(user))

    def _matrix(self, soon: bool) -> Account:
        ann, help = self._synapse.person("ann"), self._synapse.person("help")
        room = ann.opens(help.id, direct=True)
        table = {"url": self._synapse.url, "user": help.id, "token": help.token}
        return Account(table, lambda: _Talk(ann, room, help))

    def _xmpp(self, soon: bool) -> Account:
        ours, theirs = self._prosody.account(), self._prosody.account("ann")
        return Account(self._prosody.settings(ours), lambda: _Chat(self._kept(self._prosody.client(theirs)), ours))

    def _irc(self, soon: bool) -> Account:
        nick = f"desk{next(self._numbers)}"
        table = {"host": "localhost", "port": self._ngircd.port, "tls": "none", "nick": nick}
        table |= {"gather_s": 0.0} if soon else {}
        return Account(table, lambda: _Query(Voice(self._ngircd, f"ann{next(self._numbers)}"), nick))

    def _nntp(self, soon: bool) -> Account:
        table = {
            "host": "localhost",
            "port": self._inn.port,
            "tls": "none",
            "address": "help@desk.test",
            "groups": ["test.help"],
        }
        return Account(table | ({"poll_s": 0.5} if soon else {}), lambda: _Posts(self._inn, self._numbers))

    def _telegram(self, soon: bool) -> Account:
        server = self._stack.enter_context(TelegramServer())
        return Account(
            {"username": "desk_bot", "url": server.url, "token": TOKEN}, lambda: lambda text: _said(server, text)
        )

    def _kept(self, client: Client) -> Client:
        self._stack.callback(client.close)
        return client.online()


def _said(server: TelegramServer, text: str) -> None:
    server.say(text)


class _Letters:
    def __init__(self, user: User) -> None:
        self._user = user

    def __call__(self, text: str) -> None:
        name = text.replace(" ", "-")
        head = f"From: Ann <{name}@example.com>\nTo: {self._user.name}\nSubject: {text}\nMessage-ID: <{name}@example.com>\n"
        self._user.deliver(f"{head}\n{text}\n".encode())


class _Talk:
    def __init__(self, ann: Person, room: str, help: Person) -> None:
        self._ann, self._room = ann, room

    def __call__(self, text: str) -> None:
        self._ann.says(self._room, text)


class _Chat:
    def __init__(self, client: Client, to: str) -> None:
        self._client, self._to = client, to
        self._numbers = itertools.count(1)

    def __call__(self, text: str) -> None:
        id = f"message-number-{next(self._numbers):06}-of-{self._client.bare}"
        self._client.send(f"<message to='{self._to}' type='chat' id='{id}'><body>{text}</body></message>")


class _Query:
    def __init__(self, voice: Voice, nick: str) -> None:
        self._voice, self._nick = voice, nick

    def __call__(self, text: str) -> None:
        self._voice.say(f"PRIVMSG {self._nick} :{text}")


class _Posts:
    def __init__(self, inn: Inn, numbers: Iterator[int]) -> None:
        self._inn, self._numbers = inn, numbers

    def __call__(self, text: str) -> None:
        name = f"{next(self._numbers)}.{os.getpid()}@ann.example.com"
        self._inn.post(article(name, text, subject=text))


class Relay:
    """A relay as it is run, on a new desk."""

    def __init__(self, tables: Mapping[str, Mapping[str, Any]]) -> None:
        self.folder = OUT / "channels"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700)
        self.url = f"sqlite:///{self.folder}/desk.db"
        self._config = self.folder / "config.toml"
        self._config.write_text(tomli_w.dumps({"store": {"url": self.url}, "channels": dict(tables)}))
        self._config.chmod(0o600)
        self._command("init", "--no-account")
        self._names = set(tables)
        self.started_s = 0.0

    def _command(self, *words: str) -> None:
        command = (*DESKHAND, "--config", str(self._config), *words)
        subprocess.run(command, cwd=ROOT, env=environment(), check=True, stdout=subprocess.DEVNULL)

    def __enter__(self) -> Relay:
        begun = time.perf_counter()
        with (self.folder / "relay.log").open("w") as log:
            command = (*DESKHAND, "--config", str(self._config), "relay")
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=log, stderr=log)
        with closing(open_store(self.url, DeskConfig())) as store:
            while True:
                health = {a.name: a.health for a in store.accounts().values()}
                if all(health.get(name, "").startswith("ok") for name in self._names):
                    break
                if time.perf_counter() - begun > PATIENCE_S or self.process.poll() is not None:
                    self.__exit__()
                    raise RuntimeError(f"not every account was read: {health}; see {self.folder}/relay.log")
                time.sleep(0.01)
        self.started_s = time.perf_counter() - begun
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)

    def idle(self, seconds: float) -> tuple[float, float]:
        """(share of a core, MiB) while nothing comes."""
        before = tree_cpu(self.process.pid)
        time.sleep(seconds)
        return (tree_cpu(self.process.pid) - before) / seconds, tree_memory(self.process.pid)[0] / 1024


class Watch:
    """What another process sees: when each message was read in the store, by its first line."""

    def __init__(self, relay: Relay) -> None:
        self.seen: dict[str, float] = {}
        self._relay = relay
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        store = open_store(self._relay.url, DeskConfig())
        reading = sqlite3.connect(self._relay.folder / "desk.db")
        seq, last = store.last_seq(), 0
        while not self._stop.is_set():
            now = store.wait(seq, 0.2)
            if now <= seq:
                continue
            seq = now
            for number, text in reading.execute("SELECT id, text FROM message WHERE id > ? ORDER BY id", (last,)):
                last = number
                self.seen.setdefault(text.strip().partition("\n")[0], time.perf_counter())
        reading.close()
        store.close()

    def all_of(self, texts: Sequence[str]) -> bool:
        """Wait until all of these are there."""
        end = time.perf_counter() + PATIENCE_S
        while not all(text in self.seen for text in texts):
            if time.perf_counter() > end:
                return False
            time.sleep(0.02)
        return True


@dataclass
class Found:
    """All figures: seconds, shares of a core, MiB."""

    start_s: float = 0.0
    delays: dict[str, list[float]] = field(default_factory=dict)
    idle_alone: list[float] = field(default_factory=list)
    sent_per_s: float = 0.0
    stream: list[float] = field(default_factory=list)
    behind_s: float = 0.0
    many_start_s: float = 0.0
    many_cpu: float = 0.0
    many_mib: float = 0.0
    many: int = 0


def measure(messages: int, seconds: float, many: int) -> Found:
    """All of it, once: so many messages over each kind one by one, 200 a second, and then `many` idle accounts."""
    found = Found(many=many)
    with ExitStack() as stack:
        ground = Ground(stack)
        accounts = {kind: ground.account(kind, True) for kind in KINDS}
        with Relay({kind: {"kind": kind} | account.table for kind, account in accounts.items()}) as relay:
            found.start_s = relay.started_s
            with Watch(relay) as watch:
                lines = {kind: account.line() for kind, account in accounts.items()}
                for kind, line in lines.items():
                    line(f"the first of {kind}")
                if not watch.all_of([f"the first of {kind}" for kind in lines]):
                    raise RuntimeError(f"only these came in: {sorted(watch.seen)}; see {relay.folder}/relay.log")
                for kind, line in lines.items():
                    found.delays[kind] = _one_by_one(kind, line, watch, messages)
                _stream(found, lines, watch, seconds)
        found.idle_alone = _idle_alone(ground.mailbox(), messages // 2)
        spread = ("email", "matrix", "xmpp", "irc", "nntp")
        crowd = {
            f"{kind}{n}": ground.account(kind, False).table | {"kind": kind}
            for kind in spread
            for n in range(many // len(spread))
        }
        with Relay(crowd) as relay:
            found.many_start_s = relay.started_s
            time.sleep(5)
            found.many_cpu, found.many_mib = relay.idle(30.0)
    return found


def _one_by_one(kind: str, line: Line, watch: Watch, count: int) -> list[float]:
    dice = random.Random(kind)
    sent: dict[str, float] = {}
    for number in range(count):
        text = f"{kind} {number}"
        sent[text] = time.perf_counter()
        line(text)
        time.sleep(dice.uniform(0.05, 0.35))
    if not watch.all_of(list(sent)):
        raise RuntimeError(f"{kind}: {sum(text not in watch.seen for text in sent)} of {count} never came")
    return [watch.seen[text] - at for text, at in sent.items()]


def _stream(found: Found, lines: Mapping[str, Line], watch: Watch, seconds: float) -> None:
    """Every channel at its own pace, 200 a second together."""
    sent: dict[str, float] = {}

    def write(kind: str, line: Line) -> None:
        rate = SHARES[kind]
        begun = time.perf_counter()
        for number in range(int(rate * seconds)):
            time.sleep(max(0.0, begun + number / rate - time.perf_counter()))
            text = f"stream {kind} {number}"
            sent[text] = time.perf_counter()
            line(text)

    writers = [threading.Thread(target=write, args=item) for item in lines.items()]
    begun = time.perf_counter()
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    end = time.perf_counter()
    if not watch.all_of(list(sent)):
        missing = [text for text in sent if text not in watch.seen]
        raise RuntimeError(f"{len(missing)} of {len(sent)} never came, such as {missing[:3]}")
    found.sent_per_s = len(sent) / (end - begun)
    found.behind_s = max(watch.seen[text] for text in sent) - end
    found.stream = [watch.seen[text] - at for text, at in sent.items()]


def _idle_alone(user: User, count: int) -> list[float]:
    """How soon the mail server itself tells a program that only waits: some wait for more mail before they do."""
    dice, found = random.Random("idle"), []
    letters, client = _Letters(user), user.look()
    client.send(b"x IDLE\r\n")
    client.readline()
    for number in range(count):
        time.sleep(dice.uniform(0.6, 1.2))
        begun = time.perf_counter()
        letters(f"idle {number}")
        while b"EXISTS" not in client.readline():
            pass
        found.append(time.perf_counter() - begun)
    client.shutdown()
    return found


def loaded() -> dict[str, list[str]]:
    """Which of the channels' libraries a relay's modules load, and which each channel does that is only opened."""
    found = {}
    code = "import sys, json; {}; print(json.dumps([m for m in {!r} if m in sys.modules]))"
    for name, what in {
        "relay": "import cli.main, relay.run, channels",
        **{kind: f"import channels; channels.load({kind!r})" for kind in KINDS},
    }.items():
        told = subprocess.run(
            [sys.executable, "-c", code.format(what, _LIBRARIES)], cwd=ROOT, capture_output=True, check=True
        )
        found[name] = json.loads(told.stdout)
    return found


__all__ = ["KINDS", "Found", "absent", "loaded", "measure"]
