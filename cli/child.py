"""A relay of one's own, for as long as the screen is open: for who works alone and runs no service."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from cli.wiring import Session, home, now
from desk.errors import Invalid
from desk.model import State
from storage import belongs_to

if TYPE_CHECKING:
    from subprocess import Popen

    from desk.store import Store

CHOICES = ("on", "off", "never")

_STEADY_S = 60.0
_PATIENCE_S = 60.0
_DRAIN_S = 30.0
_ENDS_S = 20.0
_KEPT_BYTES = 1_000_000


class Child:
    """The relay beside a screen: offered once, begun when nobody else fetches, and gone with the screen.

    `choice` is what was said before: "on", "never", or "off" to be asked; `remember` keeps another.
    `waiting` counts the replies that go out within the next seconds: they are not left behind. It has
    `ends_s` seconds to end in good order.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        choice: str = "off",
        *,
        remember: Callable[[str], None] = lambda choice: None,
        waiting: Callable[[], int] = lambda: 0,
        ends_s: float = _ENDS_S,
    ) -> None:
        self._command, self._log, self._choice = command, log, choice
        self._remember, self._waiting, self._ends_s = remember, waiting, ends_s
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._process: Popen[bytes] | None = None
        self._trouble = ""
        self._again_at = 0.0

    # -- what the screen knows of it ------------------------------------------------

    def look(self, running: bool) -> None:
        """A relay was seen at this store, or none: begin one when there is none and one is wanted."""
        if running:
            self._trouble = ""
        elif self._choice == "on" and self._thread is None:
            self._begin()

    def told(self) -> str:
        """What to say while no relay is seen."""
        if self._trouble:
            left = max(0, round(self._again_at - time.monotonic()))
            return f"the relay ended: {self._trouble} · again in {left} s, :relay off leaves it"
        if self._choice == "off":
            return "no relay: nothing is fetched or sent · :relay on runs one here · :relay never"
        return "" if self._choice == "on" else "no relay is running: nothing is fetched or sent; :relay on runs one"

    def choose(self, word: str) -> str:
        """Do and remember what the agent says: on, off or never; gives the sentence to answer with."""
        if word not in CHOICES:
            running = "runs" if self._process else "does not run"
            raise Invalid(f"a relay of this screen's own {running}; write relay on, relay off or relay never")
        self._choice = word
        self._remember(word)
        if word == "on":
            if self._thread is None:
                self._begin()
            return "a relay starts; it ends with this screen, and comes with it from now on"
        threading.Thread(target=self._end, name="desk-relay-end", daemon=True).start()
        return "no relay from here, until :relay on" if word == "never" else "no relay from here; it is offered again"

    # -- the process ------------------------------------------------------------------

    def _begin(self) -> None:
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._keep, args=(self._ending,), name="desk-relay", daemon=True)
        self._thread.start()

    def _keep(self, ending: threading.Event) -> None:
        """Run it, and again when it ends by itself: later each time, unless it went well for a while."""
        attempt = 0
        while not ending.is_set():
            begun = time.monotonic()
            why = self._run(ending)
            if ending.is_set():
                return
            attempt = 1 if time.monotonic() - begun > _STEADY_S else attempt + 1
            pause = min(2.0**attempt, _PATIENCE_S)
            self._trouble, self._again_at = why, time.monotonic() + pause
            ending.wait(pause)

    def _run(self, ending: threading.Event) -> str:
        """Run it once; why it ended, in its own words."""
        from subprocess import PIPE, Popen

        try:
            with _opened(self._log) as log:
                at = log.tell()
                # A session of its own: Ctrl-C and a terminal that hangs up are the screen's business. It ends with the pipe.
                self._process = Popen(self._command, stdin=PIPE, stdout=log, stderr=log, start_new_session=True)
        except OSError as error:
            return f"{error.filename}: {error.strerror}"
        if ending.is_set():
            _close(self._process)
        code = self._process.wait()
        _close(self._process)
        self._process = None
        return f"killed (signal {-code})" if code < 0 else _last_words(self._log, at) or f"exit code {code}"

    def _end(self) -> None:
        """Let what it does end, and it then."""
        self._ending.set()
        thread, self._thread, self._trouble = self._thread, None, ""
        if process := self._process:
            _close(process)
        if thread:
            thread.join(self._ends_s)
            if thread.is_alive() and process:
                # With all that it has begun: its session is its own.
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                thread.join()

    def leave(self) -> None:
        """The screen is closed: wait for what is about to go out, then end it."""
        try:
            self._drain()
        except KeyboardInterrupt:
            click.echo("it goes out when a relay runs again", err=True)
        self._end()

    def _drain(self) -> None:
        end, said = time.monotonic() + _DRAIN_S, False
        while self._process and (left := self._waiting()) and time.monotonic() < end:
            if not said:
                click.echo(
                    f"sending {left} {'reply' if left == 1 else 'replies'}; Ctrl-C leaves that for later", err=True
                )
                said = True
            time.sleep(0.1)


def _close(process: Popen[bytes]) -> None:
    if process.stdin:
        process.stdin.close()


def _opened(path: Path) -> IO[bytes]:
    """The log, to write on; one that has grown long begins anew."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    long = path.exists() and path.stat().st_size > _KEPT_BYTES
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if long else 0), 0o600)
    log = os.fdopen(handle, "wb")
    log.seek(0, os.SEEK_END)
    return log


def _last_words(path: Path, at: int) -> str:
    """The last line that was written behind `at`, without what is around the sentence."""
    with path.open("rb") as log:
        log.seek(max(at, log.seek(0, os.SEEK_END) - 8_192))
        lines = log.read().decode("utf-8", "replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    try:
        told = json.loads(last)
    except ValueError:
        return last.removeprefix("deskhand: ")
    # What it logs while all is well is no reason.
    return str(told.get("error") or "") if isinstance(told, dict) else last


# -- whether, and how -------------------------------------------------------------------


def beside(here: Session, store: Store) -> Child | None:
    """The relay that this screen may run; None where that is not this user's to decide, or there is nothing to fetch."""
    if not here.config.channels or not _allowed(here, store):
        return None
    state = home("STATE", ".local/state")
    choices = _Choices(state / "relay.json")

    def waiting() -> int:
        soon = now() + store.config.undo
        return sum(
            d.state is State.SENDING or d.not_before <= soon for d, _ in store.outbox((State.QUEUED, State.SENDING))
        )

    return Child(
        command(here),
        state / "relay.log",
        choices.of(store.url),
        remember=lambda choice: choices.keep(store.url, choice),
        waiting=waiting,
    )


def _allowed(here: Session, store: Store) -> bool:
    # The password of a mailbox and the mail in it are everybody's in a shared store: the team says who may.
    named = store.setting("config") is not None and os.getuid() in store.config.relay_uids
    return belongs_to(here.url, os.getuid()) or (store.shared and named)


def command(here: Session) -> list[str]:
    """The command line of a relay for the same desk."""
    named = [("--store", here.options.get("store")), ("--config", here.options.get("config"))]
    chosen = [word for option, value in named if value for word in (option, str(value))]
    # -P: what lies in the folder where one happens to stand is not run.
    return [sys.executable, "-P", "-m", "cli.main", *chosen, "relay", "--child", "--log", "-"]


class _Choices:
    """What was chosen for each store: state, and not configuration, for no program edits what a person writes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def _all(self) -> dict[str, str]:
        try:
            found = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def of(self, url: str) -> str:
        found = self._all().get(url)
        return found if found in CHOICES else "off"

    def keep(self, url: str, choice: str) -> None:
        every = {**self._all(), url: choice}
        if choice == "off":
            del every[url]
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(every, indent=1) + "\n", "utf-8")
        fresh.replace(self._path)
