"""Random keys at a desk at work: the screen stays up and whole, and nothing goes out that nobody said yes to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.desks import Room
from tests.tui.monkey import Monkey
from tests.tui.shown import front, run, shown

SEED = os.environ.get("DESKHAND_TEST_SEED", "")
"""One seed of the long run, to see it again."""


def pressed(tmp_path: Path, seed: str, bursts: int) -> None:
    """Let a monkey at a desk; when it breaks something, say what it did last."""
    room = Room.open(tmp_path, 8)
    monkey = Monkey(room, seed)

    async def body() -> None:
        async with shown(front(monkey.desk, room.who, now=lambda: room.clock)) as screen:
            monkey.sit(screen)
            for _ in range(bursts):
                await monkey.burst()
            await monkey.end()

    try:
        run(body())
    except BaseException:
        print(f"seed {seed}; last: {' '.join(monkey.said[-60:])}")
        raise


def test_random_keys_break_nothing(tmp_path: Path) -> None:
    pressed(tmp_path, "short", 25)


@pytest.mark.torture
@pytest.mark.parametrize("seed", [SEED] if SEED else [str(seed) for seed in range(100)])
def test_many_random_keys_break_nothing(seed: str, tmp_path: Path) -> None:
    pressed(tmp_path, seed, 60)
