"""The contract of every channel: the suite finds all kinds by itself, and asks each the same.

A kind needs a `tests/channels/KIND/ground.py`: how an account of it is opened against
something real. A kind without one fails here, so that no channel joins the desk unproven.
What needs no store is `channels.kit.conformance`, which third parties run for theirs.
"""

from __future__ import annotations

import importlib
import inspect
import random
from collections import Counter
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest
from msgspec.structs import replace

import channels
from channels.kit import conformance
from channels.kit.conformance import CHECKS, Broken, Ground, NotHere, messages, read_anew
from desk.channel import Batch, Inbound, Item, Told
from desk.intake import Intake, prepare, take_in
from desk.model import Identity
from desk.store import Batch as Header
from desk.store import Store
from desk.threads import Signer
from storage import open_store

KINDS = channels.kinds()
NOW = 1_790_000_000_000
HOSTILE = "\x1b]0;gone\x07 \x00 \ud800 \u202egnp.exe\u2066 \x9b31m \r\x08\x08" + "a" * 70_000


@pytest.fixture(params=KINDS)
def ground(request: pytest.FixtureRequest) -> Ground:
    """Every kind there is, built in or installed."""
    place = f"tests.channels.{request.param}.ground"
    assert find_spec(place), f"the channel {request.param} has no ground to be proven on: write {place}"
    found = importlib.import_module(place).ground(request)
    assert isinstance(found, Ground)
    return found


@pytest.mark.parametrize("check", CHECKS)
async def test_contract(ground: Ground, check: str) -> None:
    try:
        await conformance.run(check, ground)
    except NotHere as why:
        pytest.skip(str(why))


class Desk:
    """A store that takes in what an account hands out."""

    def __init__(self, folder: Path, ground: Ground) -> None:
        folder.mkdir(exist_ok=True)
        self.store: Store = open_store(f"sqlite:///{folder}/desk.db", create=True)
        self._how = Intake("support", ground.kind, self.store.config, Signer(b"x" * 32))
        module = channels.load(ground.kind)
        self._parse = getattr(ground.open(), "parser", None) or getattr(module, "parse", None)
        self._turn = 0

    def prepared(self, items: Sequence[Item]) -> list[Told]:
        """Items as the relay's workers hand them on."""
        return [prepare(item, self._parse) for item in items]

    def take(self, told: Sequence[Told]) -> int:
        """Take in one batch; signals that came too early are told again. How many messages were new."""
        new = 0
        for _ in range(3):
            self._turn += 1
            header = Header(f"turn-{self._turn}", NOW, source="support")
            taken = self.store.write(partial(take_in, how=self._how, told=told, batch=header, cursor=str(self._turn)))
            new, told = new + taken.messages, taken.strays
        return new

    def state(self) -> Counter[object]:
        """What is there: who said what, and what became of it; wherever it is."""
        there = [m for number in range(1, 1000) if self._there(number) for m in self.store.thread(number)]
        return Counter(
            # Who of two asks and who joins them is whoever comes first.
            (m.kind, m.sender and m.sender.value, m.text, m.marks, frozenset(m.flags) - {"new-participant"}, m.state)
            for m in there
        )

    def _there(self, number: int) -> bool:
        return number <= self.store.numbers().tickets


def items(batches: Sequence[Batch]) -> list[Item]:
    """All that was handed out, signals too."""
    return [item for batch in batches for item in batch.items]


async def test_everything_handed_out_twice_is_in_the_store_once(ground: Ground, tmp_path: Path) -> None:
    ground.news()
    desk = Desk(tmp_path, ground)
    first = desk.prepared(items(await read_anew(ground, None)))
    assert all(item.sender is not None and item.text for item in first if isinstance(item, Inbound))
    assert desk.take(first) > 0
    before = desk.state()
    assert desk.take(first) == 0, "the same items"
    assert desk.take(desk.prepared(items(await read_anew(ground, None)))) == 0, "another process that begins anew"
    assert desk.state() == before
    assert desk.store.check() == []
    desk.store.close()


async def test_any_order_ends_in_the_same_state(ground: Ground, tmp_path: Path) -> None:
    ground.news()
    ground.news()
    batches = await read_anew(ground, None)
    assert messages(batches)
    desk = Desk(tmp_path / "0", ground)
    told = desk.prepared(items(batches))
    desk.take(told)
    wanted = desk.state()
    desk.store.close()
    for seed in range(1, 4):
        shuffled = random.Random(seed).sample(told, len(told))
        if seed == 1:
            shuffled.sort(key=lambda item: isinstance(item, Inbound))  # what is about messages, before them
        desk = Desk(tmp_path / str(seed), ground)
        for item in shuffled if seed == 2 else ():
            desk.take([item])
        desk.take(shuffled)
        assert desk.state() == wanted
        assert desk.store.check() == []
        desk.store.close()


async def test_hostile_texts_come_out_clean_and_hold_up_nothing(ground: Ground, tmp_path: Path) -> None:
    ground.news()
    desk = Desk(tmp_path, ground)
    first = [item for item in desk.prepared(items(await read_anew(ground, None))) if isinstance(item, Inbound)]
    bad = [_hostile(item, number) for number, item in enumerate(first)]
    assert desk.take([*bad, *first]) == 2 * len(first)
    for number in range(1, desk.store.numbers().tickets + 1):
        for message in desk.store.thread(number):
            for text in (message.text, message.subject or "", message.author):
                text.encode()
                assert "\x00" not in text
    assert desk.store.check() == []
    desk.store.close()


def _hostile(item: Inbound, number: int) -> Inbound:
    """`item` as somebody would send it who wants us ill."""
    sender = item.sender or Identity("email", "x@example.com")
    evil = replace(sender, value=f"{number}{sender.value}", display=HOSTILE)
    changed = replace(
        item, external_id=f"evil-{number}", sender=evil, text=HOSTILE, visible=HOSTILE, subject=HOSTILE, message_id=None,
        conversation=None, answers=None, words=None, digest=None, raw=None, link="javascript:alert(1)",
    )  # fmt: skip
    return prepare(changed)


def test_the_demo_channel_shows_how_small_a_plugin_is() -> None:
    source = Path(inspect.getsourcefile(channels.load("demo")) or "").read_text("utf-8")  # type: ignore[arg-type]
    code = [line for line in source.splitlines() if line.strip() and not line.strip().startswith(("#", '"""'))]
    assert len(code) <= 80


def test_what_breaks_the_contract_is_told_in_a_sentence() -> None:
    with pytest.raises(Broken, match="the reason"):
        conformance.hold(0, "the reason")
