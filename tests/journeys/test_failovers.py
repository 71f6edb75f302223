"""Agents who work an hour in fast forward while the servers of their desk die one after the other."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

from desk import macros
from desk import next as upcoming
from desk.errors import Away, Conflict, NotFound, Unsure
from desk.lines import script
from desk.macros import Macro
from desk.model import DAY, HOUR, MINUTE, Millis, State
from desk.perform import Who, perform, undo
from desk.query import EVERYTHING, Env, parse
from desk.store import Store
from tests.contracts.conftest import prepared
from tests.desks import NOW, Room, mail, receive
from tests.servers import eventually
from tests.servers.postgres import name
from tests.servers.replication import Pair
from tests.storage.crowd import Crowd, Work, furnished, notes, opened, told_to_stop

TICKETS = 40
LEASE: Millis = 10 * MINUTE
PAUSE_S = 0.02
MACRO = Macro(("tag sorted", "priority high", "note Sorted by {{ agent.name }}."))


class Shift:
    """One agent's hour: what they do is noted once it is acknowledged."""

    def __init__(self, number: int, url: str, speed: float, note: Callable[[str], None]) -> None:
        self.desk, _ = opened(url)
        self.store: Store = self.desk.store
        agent = self.store.agents()[f"agent{number}"]
        self.number, self.who, self.note = number, Who(agent, None, f"host{number}"), note
        self.began, self._speed = 0.0, speed
        self.dice, self.turn, self.told = Random(number), 0, Counter[str]()

    @property
    def at(self) -> Millis:
        """The time at the desk: the same for all."""
        return NOW + int((time.monotonic() - self.began) * self._speed * 1000)

    def surely(self, batch: str, act: Callable[[], Any]) -> Any:
        """Do it however often the store goes away, and once; None when it was refused, True when only the log knows."""
        while True:
            try:
                found = act()
            except Unsure:
                self.told["unsure"] += 1
                if self._stands(batch):
                    found = True
                else:
                    continue
            except Away:
                self.told["away"] += 1
                time.sleep(PAUSE_S)
                continue
            except (Conflict, NotFound):
                self.told["refused"] += 1
                return None
            return found

    def _stands(self, batch: str) -> bool:
        while True:
            try:
                return bool(self.store.done(batch))
            except Away:
                time.sleep(PAUSE_S)

    def step(self) -> None:
        """The next thing to do."""
        self.turn += 1
        works = (self.mail, self.mail, self.reply, self.reply, self.reply, self.answered, self.next, self.next, self.macro, self.bulk, self.rename, self.rename, self.undo, self.send, self.send, self.look)  # fmt: skip
        work = self.dice.choice(works)
        try:
            work(f"a{self.number}-{self.turn}")
        except Away:
            # What is only looked at is looked at again another time.
            self.told["away"] += 1
            time.sleep(PAUSE_S)
        self.told[work.__name__] += 1

    def _ticket(self) -> int:
        found = self.store.ids(parse("is:open", Env(self.at)), limit=60)
        return self.dice.choice(found)

    def _do(self, batch: str, line: str, *ids: int) -> Any:
        return self.surely(batch, lambda: perform(self.desk, script(line), ids, self.who, at=self.at, batch_id=batch))

    def mail(self, batch: str) -> None:
        one = mail(1_000_000 * (self.number + 1) + self.turn, at=self.at)
        taken = self.surely(batch, lambda: receive(self.desk, [one], batch=batch, at=self.at))
        self.note(f"mail {one.message_id} {batch if taken else ''}")

    def answered(self, batch: str) -> None:
        """A customer writes once more."""
        first = self.store.thread(self._ticket())[0]
        number = 1_000_000 * (self.number + 1) + self.turn
        again = mail(number, at=self.at, text=f"more {number}", sender=first.sender, in_reply_to=(first.message_id or "",))  # fmt: skip
        self.surely(batch, lambda: receive(self.desk, [again], batch=batch, at=self.at))
        self.note(f"mail {again.message_id} {batch}")

    def reply(self, batch: str) -> None:
        if self._do(batch, f'reply "text of {batch}"', self._ticket()):
            self.note(f"reply {batch}")

    def rename(self, batch: str) -> None:
        if self._do(batch, f"rename {batch}", self._ticket()):
            self.note(f"did {batch}")

    def bulk(self, batch: str) -> None:
        ids = self.store.ids(parse("is:open", Env(self.at)), limit=60)
        done = self._do(batch, f"tag {self.dice.choice('abcde')}; tag g{self.number}", *self.dice.sample(ids, min(20, len(ids))))  # fmt: skip
        if done is True or (done and done.changed):
            self.note(f"did {batch}")

    def macro(self, batch: str) -> None:
        ids = self.dice.sample(self.store.ids(parse("is:open", Env(self.at)), limit=60), 3)
        ready = macros.prepare(self.desk, "it", MACRO, ids, self.who, at=self.at, given={})
        done = self.surely(batch, lambda: macros.run(self.desk, ready, self.who, at=self.at, batch_id=batch))
        if done is True or (done and done.changed):
            self.note(f"did {batch}")

    def next(self, batch: str) -> None:
        tries = 0

        def another() -> str:
            nonlocal tries
            tries += 1
            return f"{batch}-{tries}"

        found = self.surely(batch, lambda: upcoming.take(self.desk, self.who, at=self.at, new_batch=another))
        if found and found is not True:
            self._do(f"{batch}-solve", "solve", found.row.ticket.id)
            self.note(f"took {found.row.ticket.id}")

    def undo(self, batch: str) -> None:
        target = self.store.last_batch(self.who.agent.name, undo=False) if self.who.agent else None
        if target is None:
            return
        done = self.surely(batch, lambda: undo(self.desk, self.who, at=self.at, batch_id=batch, batch=target))
        if done is True or (done and done.changed):
            self.note(f"undid {target}")

    def send(self, batch: str) -> None:
        """What a relay does; one that finds its claim lost to another sends nothing."""
        holder = f"relay{self.number}"
        self.store.reclaim(self.at)
        for one in self.store.claim(holder, self.at, self.at + LEASE, 4):
            delivery = one.delivery.id
            if not self.store.phase(delivery, holder, "data", self.at + LEASE):
                self.told["claim lost"] += 1
                continue
            self.note(f"sent {delivery}")
            while True:
                try:
                    self.told["settled"] += self.store.settle(delivery, holder, State.SENT, self.at)
                    break
                except Away:
                    time.sleep(PAUSE_S)

    def look(self, batch: str) -> None:
        """What a screen asks for."""
        page = self.store.page(parse("is:open", Env(self.at)), agent=f"agent{self.number}")
        for row in page.rows[:3]:
            self.store.thread(row.ticket.id)
            self.store.seen(f"agent{self.number}", row.ticket.id, row.ticket.heard)


def work(number: int, url: str, speed: float) -> Work:
    """An hour of one agent."""
    with notes(number) as note:
        shift = Shift(number, url, speed, lambda line: note(f"{shift.at} {line}"))
        yield
        shift.began = time.monotonic()
        while shift.at < NOW + HOUR and not told_to_stop():
            shift.step()
    return shift.told


@pytest.fixture
def pair() -> Iterator[Pair]:
    with Pair() as pair:
        yield pair


def an_hour(pair: Pair, agents: int, failovers: int, seconds: float) -> str:
    """Let so many work an hour that takes so many seconds; what was counted, in a sentence."""
    url = pair.url(name(pair.primary.copy_of(prepared)))
    room = furnished(url, TICKETS, agents)
    speed = HOUR / 1000 / seconds
    with Crowd(work, agents, url, speed) as crowd:
        began = time.monotonic()
        for number in range(failovers):
            due = began + seconds * (number + 1) / (failovers + 1)
            eventually(lambda due=due: not crowd.going() or time.monotonic() > due, "the time to come", 2 * seconds)  # type: ignore[misc]
            pair.kill_primary()
            pair.promote()
            if number + 1 < failovers:
                pair.rejoin()
        told = sum((Counter(one) for one in crowd.results()), Counter[str]())
        noted = [line.split(" ")[1:] for lines in crowd.noted().values() for line in lines]
    steps = sum(told[kind] for kind in ("mail", "reply", "answered", "next", "macro", "bulk", "rename", "undo", "send", "look"))  # fmt: skip
    said = f"{agents} agents, {failovers} failovers, {steps} steps {dict(sorted(told.items()))}"
    return _judged(room, noted, said)


def _judged(room: Room, noted: list[list[str]], said: str) -> str:
    store = room.store
    store.reclaim(NOW + 2 * DAY)
    sent = Counter(what[1] for what in noted if what[0] == "sent")
    while claimed := store.claim("last", NOW + 3 * DAY, NOW + 4 * DAY, 100):
        for one in claimed:
            sent[str(one.delivery.id)] += 1
            assert store.settle(one.delivery.id, "last", State.SENT, NOW + 3 * DAY)
    log = store.log(limit=1 << 30)
    tickets = store.ids(EVERYTHING)
    messages = [m for ticket in tickets for m in store.thread(ticket)]
    counted = {
        "mails": _once((what[1] for what in noted if what[0] == "mail"), Counter(m.message_id for m in messages if not m.agent)),
        "changes": _once((what[1] for what in noted if what[0] in ("did", "reply")), Counter({r.batch: 1 for r in log})),
        "replies": _once(_standing(noted), Counter(m.text.strip().removeprefix("text of ") for m in messages if m.agent)),
    }  # fmt: skip
    doubled_replies = [b for b, n in Counter((r.batch, r.about) for r in log if r.kind == "Posted").items() if n > 1]
    states = Counter(d.state.value for d, _ in store.outbox([*State], 1 << 30))
    delivered = [d for d, _ in store.outbox((State.SENT,), 1 << 30) if sent[str(d.id)] != 1]
    twice = sum(n > 1 for n in sent.values())
    jumps = _jumps(room, log)
    broken = store.check()
    store.close()
    said += f"; missing and doubled {counted}, sent {len(sent)}, twice {twice}, not by us {len(delivered)}; deliveries {dict(states)}; {len(log)} lines, jumps {len(jumps)}"  # fmt: skip
    assert all(missing == doubled == 0 for missing, doubled in counted.values()), said
    assert not doubled_replies, f"{said}: {doubled_replies[:5]}"
    assert twice == 0, said
    assert not delivered, said
    assert states.keys() <= {"sent", "unknown", "withdrawn"}, said
    assert not jumps, f"{said}: {jumps[:5]}"
    assert [r.seq for r in log] == list(range(1, len(log) + 1)), said
    assert broken == [], f"{said}: {broken}"
    return said


def _standing(noted: list[list[str]]) -> Iterator[str]:
    """Replies that were not taken back."""
    undone = {what[1] for what in noted if what[0] == "undid"}
    return (what[1] for what in noted if what[0] == "reply" and what[1] not in undone)


def _once(acknowledged: Iterator[str] | Any, found: Counter[Any]) -> tuple[int, int]:
    """How many of what was acknowledged are missing, and how many are there more than once."""
    wanted = set(acknowledged)
    return len(wanted - found.keys()), sum(found[one] > 1 for one in wanted)


def _jumps(room: Room, log: list[Any]) -> list[str]:
    """Changes that do not go on from where the one before them ended."""
    now: dict[tuple[Any, str], Any] = {}
    wrong = []
    for record in log:
        field = record.data.get("field")
        if record.kind != "Changed" or field not in ("assignee", "subject", "priority", "tags"):
            continue
        key = (record.about, field)
        if field == "tags":
            came, went, had = set(record.data["added"] or ()), set(record.data["removed"] or ()), now.get(key, set())
            wrong += [f"{record.batch}: {had} -{went} +{came}"] * bool(came & had or went - had)
            now[key] = had - went | came
        else:
            if key in now and now[key] != record.data["removed"]:
                wrong.append(
                    f"{record.batch}: {field} of #{record.about} from {record.data['removed']}, it was {now[key]}"
                )
            now[key] = record.data["added"]
    for (about, field), value in now.items():
        found = getattr(room.store.ticket(int(about)), field)
        is_now = set(found) if field == "tags" else getattr(found, "value", found)
        wrong += [f"#{about} {field} is {is_now}, by the log {value}"] * (is_now != value)
    return wrong


def test_an_hour_of_three_agents_and_a_failover(pair: Pair) -> None:
    print(f"an hour: {an_hour(pair, 3, 1, 6)}")


@pytest.mark.torture
def test_an_hour_of_ten_agents_and_two_failovers(pair: Pair) -> None:
    print(f"an hour: {an_hour(pair, 10, 2, 180)}")
