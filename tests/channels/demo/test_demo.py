"""The scripted customers: who writes when, and a conversation that comes to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from channels.demo import Demo, Settings
from channels.demo.stories import KNOWN, STORIES
from desk.channel import Inbound, Outgoing
from desk.model import Identity

STORY = STORIES[0]
QUARTER_MINUTE = 20.0


class Day:
    """A demo account whose clock is set by hand; `cursor` is where the store would have it."""

    def __init__(self, seed: int = 1) -> None:
        self.now, self.cursor = 100.0, "0"
        self.channel = Demo("support", Settings(seed=seed, every_s=1e9), lambda: self.now)

    def comes(self) -> list[Inbound]:
        """What is new."""

        async def poll() -> list[Inbound]:
            found: list[Inbound] = []
            async for batch in self.channel.poll(self.cursor):
                found += [item for item in batch.items if isinstance(item, Inbound)]
                self.cursor = batch.cursor
            return found

        return asyncio.run(poll())

    def say(self, key: str, *, after: Iterable[str] = (), automatic: bool = False) -> None:
        """Send something to the customer."""
        to, ours = Identity("email", STORY.address), Identity("email", "help@desk.example")
        draft = Outgoing(
            1, f"{key}@desk.example", 0, ours, (to,), "On it.", references=tuple(after), automatic=automatic
        )

        async def phase(_: str) -> None: ...

        async def send() -> None:
            for part in self.channel.render(draft):
                await self.channel.send(part, key, phase)

        asyncio.run(send())


def test_somebody_writes_as_soon_as_somebody_looks() -> None:
    assert len(Day().comes()) == 1


def test_a_customer_answers_within_half_a_minute_though_others_were_asked_for_meanwhile() -> None:
    day = Day()
    day.comes()
    day.say("one")
    assert day.comes() == []
    day.now += QUARTER_MINUTE
    (answer,) = day.comes()
    assert answer.text == STORY.answers[0]
    assert answer.in_reply_to == ("one@desk.example",)
    assert day.comes() == []


def test_a_conversation_ends_with_thanks_and_goes_on_where_it_was_when_the_relay_is_another() -> None:
    said: list[str] = []
    heard = []
    for turn in range(4):
        day = Day()
        day.comes()
        day.say(f"reply{turn}", after=said)
        day.now += QUARTER_MINUTE
        found = day.comes()
        heard += [answer.text for answer in found]
        said += [str(answer.message_id) for answer in found]
    assert heard == list(STORY.answers)


def test_nobody_answers_what_a_machine_said() -> None:
    day = Day()
    day.comes()
    day.say("received", automatic=True)
    day.now += QUARTER_MINUTE
    assert day.comes() == []


def test_the_same_seed_tells_the_same_stories_and_all_of_them_before_one_comes_again() -> None:
    def subjects(seed: int) -> list[str]:
        found = []
        for told in range(len(STORIES) + 1):
            day = Day(seed)
            day.cursor = str(told)
            found += [item.subject for item in day.comes()]
        return found

    first = subjects(1)
    assert first == subjects(1)
    assert first != subjects(2)
    assert set(first[:-1]) == {story.subject for story in STORIES}
    assert first[-1].endswith(" (2)")


def test_no_two_customers_have_one_address() -> None:
    from channels.demo.stories import BEFORE

    assert len(KNOWN) == len(BEFORE) + len(STORIES)
