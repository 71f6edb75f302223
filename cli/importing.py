"""Bulk import: files are found, parsed in worker processes, and committed in large silent batches."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.wiring import Session, new_batch, now
from desk.channel import Inbound, Raw
from desk.errors import NotFound
from desk.intake import Intake, Taken, take_in
from desk.model import Account, Status
from desk.store import Batch, Store
from desk.when import brief
from relay.workers import Workers

SHARE = 100
"""Messages a worker parses at once."""

COMMIT = 1_000
"""Messages in one transaction."""


@dataclass(frozen=True)
class Item:
    """One message found in an archive: its id there (the same at every import), bytes, and place in the whole."""

    external_id: str
    data: bytes
    modified_ms: int


def run(
    here: Session,
    store: Store,
    paths: list[Path],
    own: tuple[str, ...],
    account: str,
    status: Status | None,
    workers: int,
) -> dict[str, Any]:
    """Import everything under `paths`; returns what was done."""
    from channels.email.parser import parse

    for path in paths:
        if not path.exists():
            raise NotFound(f"{path}: there is no such file or folder")
    _describe_account(store, account, own)
    desk = here.desk()
    addresses = frozenset(a.address for a in store.accounts().values()) | {address.lower() for address in own}
    how = Intake(account, "email", desk.config, desk.signer, addresses, silent=True, status=status or Status.SOLVED)
    source = _unknown(store, account, _items(paths))
    count = workers or os.cpu_count() or 1
    begun = time.monotonic()
    whole = Taken()
    progress = Progress(_total(paths))
    pool = Workers(count)
    try:
        pending: list[Inbound] = []
        for parsed in _parsed(pool, parse, source, count, progress):
            pending += parsed
            if len(pending) >= COMMIT:
                _commit(store, how, pending, whole)
                progress.show(whole)
                pending = []
        if pending:
            _commit(store, how, pending, whole)
    finally:
        pool.close()
        progress.end(whole)
    seconds = time.monotonic() - begun
    return {
        "messages": whole.messages,
        "tickets": whole.tickets,
        "doubles": whole.doubles + progress.known,
        "seconds": round(seconds, 3),
        "per_second": round(whole.messages / seconds, 1) if seconds else 0.0,
    }


def _describe_account(store: Store, name: str, own: tuple[str, ...]) -> None:
    if name not in store.accounts() and own:
        store.save_account(Account(name, "email", own[0].lower(), health="an archive"))


def _commit(store: Store, how: Intake, items: list[Inbound], whole: Taken) -> None:
    at = now()
    header = Batch(new_batch(), at, source=f"import:{how.account}")
    taken = store.write(lambda tx: take_in(tx, how, items, header), bulk=True)
    whole.messages += taken.messages
    whole.tickets += taken.tickets
    whole.doubles += taken.doubles


def _parsed(
    pool: Workers, parse: Any, items: Iterator[list[Item]], count: int, progress: Progress
) -> Iterator[list[Inbound]]:
    """Shares parsed in order, with a few always under way."""
    under_way: deque[tuple[Future[list[Inbound]], list[Raw]]] = deque()
    for share in items:
        progress.known += share.known if isinstance(share, Share) else 0
        raws = [Raw(item.external_id, item.data, item.modified_ms) for item in share]
        under_way.append((pool.submit(parse, raws), raws))
        if len(under_way) > 2 * count + 1:
            yield _result(pool, parse, *under_way.popleft())
    while under_way:
        yield _result(pool, parse, *under_way.popleft())


def _result(pool: Workers, parse: Any, future: Future[list[Inbound]], raws: list[Raw]) -> list[Inbound]:
    import asyncio

    try:
        return future.result()
    except (BrokenProcessPool, MemoryError):
        pool.close()
        # One of these broke a worker: the slow way finds out which, and keeps it raw.
        return asyncio.run(pool.prepare(parse, raws))


class Share(list[Item]):
    """Some items, and how many between them were known already."""

    known: int = 0


def _unknown(store: Store, account: str, items: Iterable[Item]) -> Iterator[Share]:
    """Shares of what has not been taken in before."""
    share: list[Item] = []
    for item in items:
        share.append(item)
        if len(share) == SHARE:
            yield _fresh(store, account, share)
            share = []
    if share:
        yield _fresh(store, account, share)


def _fresh(store: Store, account: str, items: list[Item]) -> Share:
    known = store.known(account, [item.external_id for item in items])
    fresh = Share(item for item in items if item.external_id not in known)
    fresh.known = len(items) - len(fresh)
    return fresh


# -- finding messages -------------------------------------------------------


def _items(paths: list[Path]) -> Iterator[Item]:
    for path in paths:
        if path.is_dir():
            for file in _files(path):
                yield _file(file)
        elif _is_mbox(path):
            yield from _mbox(path)
        else:
            yield _file(path)


def _files(folder: Path) -> list[Path]:
    """The messages of a Maildir (its subfolders too), or the .eml files of a folder, in a fixed order."""
    maildirs = [d for d in [folder, *folder.rglob("*")] if d.is_dir() and (d / "cur").is_dir()]
    if maildirs:
        found = [
            f
            for d in maildirs
            for sub in ("cur", "new")
            if (d / sub).is_dir()
            for f in (d / sub).iterdir()
            if f.is_file()
        ]
    else:
        found = [
            f for f in folder.rglob("*") if f.is_file() and f.suffix.lower() in (".eml", ".mail", ".msg", ".txt", "")
        ]
    return sorted(found, key=lambda f: (f.name.partition(":")[0], str(f)))


def _file(path: Path) -> Item:
    from hashlib import sha256

    data = path.read_bytes()
    return Item(sha256(data).hexdigest(), data, int(path.stat().st_mtime * 1000))


def _is_mbox(path: Path) -> bool:
    with path.open("rb") as handle:
        return handle.read(5) == b"From "


def _mbox(path: Path) -> Iterator[Item]:
    """The messages of an mbox, unquoted as mboxrd; read in pieces, so that its size does not matter."""
    from hashlib import sha256

    modified = int(path.stat().st_mtime * 1000)
    lines: list[bytes] = []
    with path.open("rb") as handle:
        blank = True
        for line in handle:
            if blank and line.startswith(b"From ") and lines:
                data = _unquoted(lines)
                yield Item(sha256(data).hexdigest(), data, modified)
                lines = []
            elif not line.startswith(b"From ") or not blank or lines:
                lines.append(line)
            blank = line in (b"\n", b"\r\n")
    if lines:
        data = _unquoted(lines)
        yield Item(sha256(data).hexdigest(), data, modified)


def _unquoted(lines: list[bytes]) -> bytes:
    if lines and lines[-1] in (b"\n", b"\r\n"):
        lines = lines[:-1]
    return b"".join(
        line[1:] if line.startswith(b">") and line.lstrip(b">").startswith(b"From ") else line for line in lines
    )


def _total(paths: list[Path]) -> int | None:
    """How many messages there are, where that is cheap to know."""
    if all(path.is_dir() or not _is_mbox(path) for path in paths):
        return sum(len(_files(path)) if path.is_dir() else 1 for path in paths)
    return None


class Progress:
    """A line on the terminal: how many, how fast, how long still."""

    def __init__(self, total: int | None) -> None:
        self.total, self.known = total, 0
        self._begun = time.monotonic()
        self._shown = sys.stderr.isatty()

    def show(self, whole: Taken) -> None:
        """Draw the line anew."""
        if not self._shown:
            return
        done = whole.messages + whole.doubles + self.known
        rate = done / max(time.monotonic() - self._begun, 0.001)
        left = f", {brief(int((self.total - done) / rate * 1000))} left" if self.total and rate else ""
        of = f" of {self.total:,}" if self.total else ""
        sys.stderr.write(f"\r{done:,}{of} messages, {rate:,.0f} a second{left}   ")
        sys.stderr.flush()

    def end(self, whole: Taken) -> None:
        """Leave the line."""
        self.show(whole)
        if self._shown:
            sys.stderr.write("\n")
