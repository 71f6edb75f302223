"""channels.kit.conformance: every check lets a good channel pass and finds the flaw that it is about."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import pytest

import channels
from channels.kit import conformance
from channels.kit.conformance import CHECKS, Broken, Ground, NotHere, run
from tests.channels import flawed
from tests.channels.flawed import ANN, FLAWS, TOKEN, Server, Settings
from tests.channels.test_load import plugin

FOUND = {
    "nobody": "opening_is_quick_and_says_what_it_is",
    "close": "closing_twice_is_fine",
    **dict.fromkeys(FLAWS, "capabilities_agree_with_each_other"),
    "check": "check_tells_what_was_found_in_sentences",
    "unsaid": "what_comes_in_is_as_the_capabilities_say",
    "nobody wrote": "what_comes_in_is_as_the_capabilities_say",
    "stranger": "what_comes_in_is_as_the_capabilities_say",
    "seconds": "what_comes_in_is_as_the_capabilities_say",
    "again": "nothing_is_handed_out_twice_after_its_cursor",
    "twins": "nothing_is_handed_out_twice_after_its_cursor",
    "names": "replay_gives_the_same_items_by_the_same_names",
    "outage": "what_comes_while_nobody_looks_comes_later",
    "eager": "a_poll_that_ends_in_the_middle_loses_nothing",
    "confirm": "confirming_again_is_fine",
    "wait": "waiting_ends_in_time",
    "bytes": "the_same_draft_gives_the_same_bytes",
    "long": "a_long_text_is_split_or_refused",
    "left out": "files_that_it_does_not_carry_are_refused",
    "halves": "a_long_text_is_split_or_refused",
    "no phase": "sending_says_when_it_can_no_longer_be_taken_back",
    "phases": "sending_says_when_it_can_no_longer_be_taken_back",
    "key": "what_is_sent_again_by_its_key_is_there_once",
    "unnamed": "what_is_sent_again_by_its_key_is_there_once",
    "echo": "what_we_sent_comes_back_as_ours",
    "renamed": "what_we_sent_comes_back_as_ours",
    "cut in silence": "nothing_cut_in_the_middle_is_lost_in_silence",
    "cut for ever": "nothing_cut_in_the_middle_is_lost_in_silence",
    "cut again": "nothing_cut_in_the_middle_is_lost_in_silence",
    "late": "a_closed_window_is_told_as_one",
    "repr": "the_secret_turns_up_nowhere",
    "token": "the_secret_turns_up_nowhere",
    "cause": "the_secret_turns_up_nowhere",
    "log": "the_secret_turns_up_nowhere",
    "all well": "the_secret_turns_up_nowhere",
    "refused": "the_secret_turns_up_nowhere",
}
"""Every flaw, and the check that is there to find it."""

ELSEWHERE = {"no_library_is_loaded_before_it_is_needed", "what_was_not_confirmed_comes_again"}


@pytest.fixture(autouse=True)
def kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kind "flawed", in this process."""
    monkeypatch.setitem(channels.BUILT_IN, "flawed", flawed.__name__)
    monkeypatch.setitem(sys.modules, flawed.__name__, flawed)
    monkeypatch.setattr(conformance.reading, "WAITING_S", 1.0)


def ground(flaw: str = "", **more: object) -> Ground:
    """An account with this flaw."""
    server, numbers = Server(), itertools.count(1)

    def mood(word: str) -> None:
        server.mood = word

    return Ground(
        "flawed",
        Settings(server, flaw),
        lambda: server.said.extend(f"question {next(numbers)}" for _ in range(3)),
        ANN,
        secret=TOKEN,
        cut=lambda: mood("cut"),
        revoke=lambda: mood("refuses"),
        expire=lambda: mood("late"),
    )


@pytest.mark.parametrize("check", sorted(CHECKS.keys() - ELSEWHERE))
async def test_a_good_channel_passes(check: str) -> None:
    await run(check, ground())


@pytest.mark.parametrize("flaw", FOUND)
async def test_each_flaw_is_found_by_its_check(flaw: str) -> None:
    with pytest.raises(Broken) as told:
        await run(FOUND[flaw], ground(flaw))
    assert " " in str(told.value), "a sentence"
    assert TOKEN not in str(told.value)


def test_every_check_has_a_flaw_to_find() -> None:
    assert set(FOUND.values()) | ELSEWHERE == set(CHECKS)


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("cut", "nothing_cut_in_the_middle_is_lost_in_silence"),
        ("expire", "a_closed_window_is_told_as_one"),
        ("secret", "the_secret_turns_up_nowhere"),
    ],
)
async def test_what_a_ground_cannot_do_is_not_asked(name: str, check: str) -> None:
    poor = ground()
    setattr(poor, name, "" if name == "secret" else None)
    with pytest.raises(NotHere):
        await run(check, poor)


async def test_a_library_that_is_loaded_too_early_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin(tmp_path, "owl", '"""Owls."""\nimport click\nfrom desk.channel import Batch\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    owl = ground()
    owl.kind = "owl"
    with pytest.raises(Broken, match="loads click"):
        await run("no_library_is_loaded_before_it_is_needed", owl)


async def test_what_was_fetched_and_not_confirmed_must_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    good = ground()
    await run("what_was_not_confirmed_comes_again", good)
    poll = flawed.Flawed.poll

    async def greedy(self: flawed.Flawed, cursor: str | None):  # type: ignore[no-untyped-def]
        async for batch in poll(self, cursor):
            self._server.said.clear()
            yield batch
            return

    monkeypatch.setattr(flawed.Flawed, "poll", greedy)
    with pytest.raises(Broken, match="lost"):
        await run("what_was_not_confirmed_comes_again", good)
