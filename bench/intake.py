"""Mail into the store: our import, and programs that index the same Maildir."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.corpus import SUPPORT_ADDRESS, generate
from bench.mailfiles import write_maildir
from bench.process import DESKHAND, environment, timed
from bench.stores import OUT, store_of
from desk.model import Agent, Role
from desk.store import Batch
from storage import open_store


@dataclass
class Found:
    """Messages a second by program, who is not installed, and how large everything is."""

    rates: dict[str, list[float]] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    store_bytes: int = 0
    mail_bytes: int = 0


def maildir(messages: int) -> Path:
    """A Maildir of so many generated mails, made now if it is not there."""
    path = OUT / f"mail-{messages}"
    whole = path / "complete"
    if not whole.exists():
        shutil.rmtree(path, ignore_errors=True)
        write_maildir(generate(messages), path / "mail", messages)
        whole.touch()
    for file in (path / "mail").glob("*/*"):
        file.read_bytes()  # so that the first who takes it in does not wait for the disk
    return path / "mail"


def measure(messages: int, turns: int) -> Found:
    """Everything `turns` times, in turns."""
    mail = maildir(messages)
    found = Found()
    programs: dict[str, Callable[[Path, Path], float]] = {"deskhand": _deskhand}
    for name, program, index in (("notmuch new", "notmuch", _notmuch), ("mu index", "mu", _mu)):
        if shutil.which(program):
            programs[name] = index
        else:
            found.absent.append(name)
    for _ in range(turns):
        for name, run in programs.items():
            place = OUT / "import"
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(mode=0o700)
            found.rates.setdefault(name, []).append(messages / run(mail, place))
            if name == "deskhand":
                found.store_bytes = sum(file.stat().st_size for file in place.glob("*.db"))
    found.mail_bytes = sum(file.stat().st_size for file in mail.rglob("*") if file.is_file())
    return found


def growth(messages: int, tickets: tuple[int, ...], turns: int) -> dict[int, list[float]]:
    """Messages a second into an empty store (0) and into stores that hold so many tickets already, in turns."""
    mail = maildir(messages)
    rates: dict[int, list[float]] = {}
    for _ in range(turns):
        for size in (0, *tickets):
            place = OUT / "import"
            shutil.rmtree(place, ignore_errors=True)
            if size:
                shutil.copytree(store_of(size).parent, place)
                store = open_store(f"sqlite:///{place}/desk.db")
                store.save_agent(Agent("bench", role=Role.ADMIN, uid=os.getuid()), Batch("bench", 0))
                store.close()
            else:
                place.mkdir(mode=0o700)
            rates.setdefault(size, []).append(messages / _deskhand(mail, place))
    return rates


def _deskhand(mail: Path, place: Path) -> float:
    return timed((*DESKHAND, "--store", f"sqlite:///{place}/desk.db", "import", "--own", SUPPORT_ADDRESS, str(mail)))


def _notmuch(mail: Path, place: Path) -> float:
    config = place / "config"
    config.write_text(f"[database]\npath={place}\nmail_root={mail}\n[user]\nname=A\nprimary_email={SUPPORT_ADDRESS}\n")
    return timed(("notmuch", f"--config={config}", "new", "--quiet"))


def _mu(mail: Path, place: Path) -> float:
    home = f"--muhome={place}"
    subprocess.run(("mu", "init", home, f"--maildir={mail}"), check=True, stdout=subprocess.DEVNULL, env=environment())
    return timed(("mu", "index", home, "--quiet"))
