"""The relay beside a screen: whose it may be, when it begins, what is told of it, and how it ends."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.child import Child, beside, command
from cli.wiring import Session
from desk.errors import Invalid
from desk.model import Agent, Role

DEADLINE_S = 20.0
WAITING = 'import sys; print(\'{"event": "relay started"}\', file=sys.stderr, flush=True); sys.stdin.read()'
"""Stands for a relay: it says that it runs, and ends with its standard input."""

ACCOUNT = '[channels.support]\nkind = "demo"\nevery_s = 1e9\n'


def child(folder: Path, script: str = WAITING, choice: str = "off", **more: Callable[..., object]) -> Child:
    return Child((sys.executable, "-c", script), folder / "relay.log", choice, **more)  # type: ignore[arg-type]


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < end, "never came to be"
        time.sleep(0.01)


def says(folder: Path, words: str) -> bool:
    return (folder / "relay.log").exists() and words in (folder / "relay.log").read_text()


# -- the process ----------------------------------------------------------------


def test_none_begins_before_it_is_asked_for_and_it_ends_with_the_screen(tmp_path: Path) -> None:
    kept: list[str] = []
    relay = child(tmp_path, remember=kept.append)
    relay.look(running=False)
    assert ":relay on runs one here" in relay.told()
    assert not (tmp_path / "relay.log").exists()
    assert "ends with this screen" in relay.choose("on")
    until(lambda: says(tmp_path, "relay started"))
    assert relay.told() == ""
    process = relay._process
    assert process is not None
    relay.leave()
    assert process.returncode == 0
    assert kept == ["on"]


def test_one_that_was_asked_for_before_begins_by_itself_unless_another_runs(tmp_path: Path) -> None:
    relay = child(tmp_path, choice="on")
    relay.look(running=True)
    assert relay._thread is None
    relay.look(running=False)
    until(lambda: says(tmp_path, "relay started"))
    relay.leave()


def test_one_that_dies_says_why_and_comes_back(tmp_path: Path) -> None:
    script = (
        "import pathlib, sys; mark = pathlib.Path(sys.argv[0] or 'x'); "
        f"mark = pathlib.Path({str(tmp_path / 'mark')!r}); first = not mark.exists(); mark.touch(); "
        "first and sys.exit('deskhand: config.toml, line 3: unknown key \"hots\"'); "
        "print('second', file=sys.stderr, flush=True); sys.stdin.read()"
    )
    relay = child(tmp_path, script, "on")
    relay.look(running=False)
    until(relay.told)
    assert relay.told().startswith('the relay ended: config.toml, line 3: unknown key "hots" · again in')
    until(lambda: says(tmp_path, "second"))
    relay.look(running=True)
    assert relay.told() == ""
    relay.leave()


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("import os; os.kill(os.getpid(), 9)", "killed (signal 9)"),
        ('print(\'{"event": "taken in"}\'); raise SystemExit(7)', "exit code 7"),
        ('print(\'{"event": "x", "error": "disk full"}\'); raise SystemExit(7)', "disk full"),
    ],
)
def test_why_it_ended_is_told_in_its_own_words(tmp_path: Path, script: str, why: str) -> None:
    relay = child(tmp_path, script, "on")
    relay.look(running=False)
    until(relay.told)
    assert relay.told().startswith(f"the relay ended: {why} ·")
    relay.leave()


def test_a_program_that_cannot_be_run_is_told(tmp_path: Path) -> None:
    relay = Child((str(tmp_path / "nothing"),), tmp_path / "relay.log", "on")
    relay.look(running=False)
    until(relay.told)
    assert "nothing: No such file or directory" in relay.told()
    relay.leave()


def test_what_is_about_to_go_out_is_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left = [2, 1, 0]
    relay = child(tmp_path, choice="on", waiting=lambda: left.pop(0))
    relay.look(running=False)
    until(lambda: says(tmp_path, "relay started"))
    relay.leave()
    assert left == []
    assert "sending 2 replies" in capsys.readouterr().err


def test_one_that_does_not_end_is_ended(tmp_path: Path) -> None:
    deaf = "import sys, time; print('deaf', file=sys.stderr, flush=True); time.sleep(1e6)"
    relay = Child((sys.executable, "-c", deaf), tmp_path / "relay.log", "on", ends_s=0.0)
    relay.look(running=False)
    until(lambda: says(tmp_path, "deaf"))
    process = relay._process
    assert process is not None
    relay.leave()
    assert process.poll() == -9


def test_off_ends_it_and_never_does_not_offer_it_again(tmp_path: Path) -> None:
    kept: list[str] = []
    relay = child(tmp_path, choice="on", remember=kept.append)
    relay.look(running=False)
    until(lambda: says(tmp_path, "relay started"))
    relay.choose("off")
    until(lambda: relay._process is None)
    assert ":relay on runs one here" in relay.told()
    relay.choose("never")
    relay.look(running=False)
    assert relay._thread is None
    assert relay.told() == "no relay is running: nothing is fetched or sent; :relay on runs one"
    assert kept == ["off", "never"]
    with pytest.raises(Invalid, match="relay on, relay off or relay never"):
        relay.choose("perhaps")


# -- whose it may be ---------------------------------------------------------------


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A desk of one's own, with an account."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "config.toml").write_text(f'[store]\nurl = "sqlite:///{tmp_path}/desk.db"\n\n{ACCOUNT}')
    return Session({"config": str(tmp_path / "config.toml")})


def test_a_store_of_ones_own_may_have_one_and_what_was_chosen_is_remembered_for_it(
    here: Session, tmp_path: Path
) -> None:
    store = here.store(create=True)
    relay = beside(here, store)
    assert relay is not None
    relay.choose("never")
    again = beside(here, store)
    assert again is not None
    assert again.told() == "no relay is running: nothing is fetched or sent; :relay on runs one"
    again.choose("off")
    assert json.loads((tmp_path / "state" / "deskhand" / "relay.json").read_text()) == {}
    store.close()


def test_without_an_account_there_is_nothing_to_run(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(f'[store]\nurl = "sqlite:///{tmp_path}/desk.db"\n')
    here = Session({"config": str(tmp_path / "config.toml")})
    assert beside(here, here.store(create=True)) is None


@pytest.mark.sqlite("whose a file is, its mode says")
@pytest.mark.parametrize(
    ("published", "own", "may"),
    [("", "", False), ("", "relay_uids = [{uid}]", False), ("[{other}]", "", False), ("[{other}, {uid}]", "", True)],
)
def test_in_a_shared_store_the_team_says_whose_it_is(tmp_path: Path, published: str, own: str, may: bool) -> None:
    """What one's own file says of oneself does not count."""
    numbers = {"uid": os.getuid(), "other": os.getuid() + 1}
    (tmp_path / "config.toml").write_text(
        f'[store]\nurl = "sqlite:///{tmp_path}/desk/desk.db"\n\n[desk]\n{own.format(**numbers)}\n\n{ACCOUNT}'
    )
    (tmp_path / "desk").mkdir()
    (tmp_path / "desk").chmod(0o2770)
    here = Session({"config": str(tmp_path / "config.toml")})
    store = here.store(create=True)
    assert store.shared
    if published:
        uids = json.loads(published.format(**numbers))
        header = here.batch(1, None, "config apply")
        store.publish(json.dumps({"relay_uids": uids}), 1, {}, header)
        store.close()
        here = Session({"config": str(tmp_path / "config.toml")})
        store = here.store()
    assert (beside(here, store) is not None) is may
    store.close()


def test_another_users_store_is_not_this_ones(here: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    store = here.store(create=True)
    store.save_agent(Agent("other", role=Role.ADMIN, uid=os.getuid() + 1), here.batch(1, None, "agent add"))
    monkeypatch.setattr(os, "getuid", lambda: here.store().agents()["other"].uid)
    assert beside(here, store) is None
    store.close()


def test_it_serves_the_desk_of_the_screen(tmp_path: Path) -> None:
    line = command(Session({"config": "mine.toml", "store": "sqlite:///tmp/desk.db"}))
    assert line[-8:] == ["--store", "sqlite:///tmp/desk.db", "--config", "mine.toml", "relay", "--child", "--log", "-"]
