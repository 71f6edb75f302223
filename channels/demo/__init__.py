"""Scripted customers who write, wait and answer: a living desk with nothing to configure.

It is also the reference plugin: everything a channel needs, and nothing else.
"""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from channels.demo.stories import KNOWN, STORIES
from desk.capabilities import Capabilities
from desk.channel import Batch, Inbound, Outgoing, Part, Phase, Sent
from desk.model import Identity

_ANSWER = "answer."
"""How the ids of what customers say to us begin."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`[channels.NAME]` with kind = "demo"."""

    # The address the sample desk answers from.
    address: str = "help@desk.example"
    # The same seed tells the same stories in the same order.
    seed: int = 1
    # Seconds between two customers, on average.
    every_s: float = 20.0
    # Seconds until a customer says something to an answer, on average.
    answer_s: float = 12.0
    # Seconds between two looks; customers come no faster than this.
    poll_s: float = 1.0


class Demo:
    """One scripted account. Its cursor is the number of stories told so far."""

    capabilities = Capabilities(
        subject=True, copies=True, attachment_limit_bytes=10_000_000, markup="markdown", may_start=True
    )

    def __init__(self, name: str, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._clock = settings, clock
        self.addresses: Sequence[Identity] = (Identity("email", settings.address, "Sample desk"),)
        self._next = clock()
        self._answers: list[tuple[float, Inbound]] = []

    async def poll(self, cursor: str | None) -> AsyncIterator[Batch]:
        """The next customer when it is their time, and whoever answers what we sent."""
        told, now = int(cursor or 0), self._clock()
        answers = tuple(replace(answer, received_at=_now()) for due, answer in self._answers if due <= now)
        self._answers = [(due, answer) for due, answer in self._answers if due > now]
        if now >= self._next:
            dice = random.Random(f"{self._settings.seed}/{told}")
            self._next = now + dice.uniform(0.3, 1.7) * self._settings.every_s
            yield Batch((self._story(told, dice), *answers), str(told + 1))
        elif answers:
            yield Batch(answers, str(told))

    def _story(self, told: int, dice: random.Random) -> Inbound:
        turn, place = divmod(told, len(STORIES))
        order = random.Random(f"{self._settings.seed}/{turn}").sample(STORIES, len(STORIES))
        name, address, subject, text, _ = order[place]
        key = f"{self._settings.seed}.{told}.{dice.getrandbits(32):08x}@demo.example"
        subject += f" ({turn + 1})" if turn else ""
        return Inbound(key, _now(), Identity("email", address, name), text, text, subject, message_id=key)

    async def confirm(self, batch: Batch) -> None:
        """Nobody to tell."""

    def render(self, draft: Outgoing) -> Sequence[Part]:
        """What the customer needs to answer: to what, and how often they did before."""
        said = sum(reference.startswith(_ANSWER) for reference in draft.references)
        head = (draft.message_id, draft.to[0].value, str(said), draft.subject)
        return (Part("\n".join((*head, draft.text)).encode(), (), draft.automatic),)

    async def send(self, part: Part, key: str, phase: Phase) -> Sent:
        """Deliver it to the customer in their head; they answer a little later, until they are content."""
        await phase("data")
        ours, address, said, subject, _ = part.data.decode().split("\n", 4)
        customer = KNOWN.get(address)
        if customer and int(said) < len(customer.answers) and not part.automatic:
            text, answer = customer.answers[int(said)], f"{_ANSWER}{key}@demo.example"
            inbound = Inbound(
                answer,
                _now(),
                Identity("email", address, customer.name),
                text,
                text,
                subject,
                message_id=answer,
                in_reply_to=(ours,),
            )
            pause = random.Random(f"{self._settings.seed}/{key}").uniform(0.5, 1.5) * self._settings.answer_s
            self._answers.append((self._clock() + pause, inbound))
        return Sent(remote_id=key)

    async def archive(self, part: Part) -> None:
        """There is no Sent folder."""

    async def check(self) -> Sequence[str]:
        """There is nothing that could fail."""
        return (f"{len(STORIES)} customers are ready to write",)

    async def close(self) -> None:
        """Nothing is open."""


def _now() -> int:
    return time.time_ns() // 1_000_000


def open(name: str, settings: Settings) -> Demo:
    """The account `name`."""
    return Demo(name, settings)
