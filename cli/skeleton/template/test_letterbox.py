"""The channel holds what every channel has to, and what this one promises besides."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

import pytest

import channels
from channels.kit import conformance
from channels.kit.conformance import CHECKS, Ground, NotHere
from desk.channel import Inbound, Permanent
from desk.model import Identity

KIND = "letterbox"
ANN = Identity(KIND, "ann", "ann")


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    """An account on a folder of its own, where Ann writes three things at a time."""
    folder, numbers = tmp_path / "letterbox", itertools.count(1)
    (folder / "ann").mkdir(parents=True)

    def news() -> None:
        for _ in range(3):
            number = next(numbers)
            (folder / "ann" / f"{number}.txt").write_text(f"question {number}")

    settings = channels.load(KIND).Settings(folder=str(folder))
    return Ground(KIND, settings, news, ANN, "ann")


def folder_of(ground: Ground) -> Path:
    """Where its files lie."""
    return Path(ground.settings.folder)


def comes(ground: Ground, cursor: str | None = None) -> list[Inbound]:
    """What a poll hands out."""
    batches = asyncio.run(conformance.read_anew(ground, cursor))
    return [item for item in conformance.messages(batches) if isinstance(item, Inbound)]


@pytest.mark.parametrize("check", CHECKS)
def test_it_is_a_channel(ground: Ground, check: str) -> None:
    try:
        asyncio.run(conformance.run(check, ground))
    except NotHere as why:
        pytest.skip(str(why))


def test_a_file_is_a_message_of_whose_folder_it_is_in(ground: Ground) -> None:
    ground.news()
    first = comes(ground)[0]
    assert (first.sender, first.text, first.conversation) == (ANN, "question 1", "ann")
    assert first.external_id == "ann/1.txt"


def test_files_that_came_within_one_tick_of_the_clock_all_come(ground: Ground) -> None:
    for number in range(120):
        (folder_of(ground) / "ann" / f"{number:03}.txt").write_text("?")
    batches = asyncio.run(conformance.read_anew(ground, None))
    assert [len(batch.items) for batch in batches] == [50, 50, 20]
    (folder_of(ground) / "ann" / "000a.txt").write_text("in the same moment, with an earlier name")
    assert [item.external_id for item in comes(ground, batches[-1].cursor)] == ["ann/000a.txt"]


def test_what_is_odd_holds_up_nothing(ground: Ground) -> None:
    box = folder_of(ground)
    (box / "ann" / "1.txt").write_bytes(b"\xff\x00\x1b[31m")
    (box / "ann" / "2.txt").write_bytes(b"")
    (box / "ann" / "3.txt").symlink_to("/etc/hostname")
    (box / "ann" / "4.txt").mkdir()
    (box / "ann" / "5.txt").write_bytes(b"x" * 1_000_001)
    (box / "ann" / "6.txt").write_text("Hello")
    (box / "ann" / ".7.txt").write_text("half")
    found = comes(ground)
    assert [item.external_id for item in found] == ["ann/1.txt", "ann/2.txt", "ann/5.txt", "ann/6.txt"]
    assert found[2].text.endswith("(the rest is too long)")


def test_an_answer_lies_beside_what_it_answers(ground: Ground) -> None:
    async def answer() -> None:
        channel = ground.open()
        (part,) = channel.render(conformance.draft(channel, ground, "On it."))  # type: ignore[attr-defined]
        for _ in range(2):  # again, as after a lost line
            await channel.send(part, "deskhand-1-7", conformance.Phases())  # type: ignore[attr-defined]

    asyncio.run(answer())
    (written,) = (folder_of(ground) / "ann").iterdir()
    assert (written.name, written.read_text()) == ("deskhand-1-7.answer", "On it.\n")


@pytest.mark.parametrize("name", ["..", "../ann", "/etc", ".hidden", ""])
def test_no_name_leads_out_of_the_folder(ground: Ground, name: str) -> None:
    ground.conversation, ground.customer = None, Identity(KIND, name, "Ann")
    channel = ground.open()
    with pytest.raises(Permanent, match="no name of a customer"):
        channel.render(conformance.draft(channel, ground))  # type: ignore[attr-defined]


def test_check_names_what_is_missing(ground: Ground) -> None:
    (folder_of(ground) / "ann").rmdir()
    folder_of(ground).rmdir()
    with pytest.raises(Permanent, match="make it"):
        asyncio.run(ground.open().check())
