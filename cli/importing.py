"""Bulk import: files are found, parsed in worker processes, and committed in large silent batches."""

from __future__ import annotations

import gc
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from cli import output
from cli.wiring import Session, new_batch, now
from desk.channel import Raw, Told
from desk.errors import NotFound
from desk.intake import Intake, Taken, take_in
from desk.model import Account, Status
from desk.store import Batch, Store
from relay.limits import ITEM_S
from relay.workers import Workers

SHARE = 100
SHARE_BYTES = 4 * 1024 * 1024
"""Messages a worker parses at once, and how many bytes: a share ends at what it reaches first."""

COMMIT = 10
"""Shares in one transaction."""

RARELY = (100_000, 50, 100)
"""How often cycles are looked for: a thousand mails at a time are many objects and hardly a cycle (6% of the time)."""

_ENDINGS = (".eml", ".mail", ".msg", ".txt", "")
"""Names of files that are messages, in a folder that is no Maildir."""


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
    from channels.kit.mail.parser import parse

    for path in paths:
        if not path.exists():
            raise NotFound(f"{path}: there is no such file or folder")
    _describe_account(store, account, own)
    desk = here.desk()
    addresses = frozenset(a.address for a in store.accounts().values()) | {address.lower() for address in own}
    how = Intake(account, "email", desk.config, desk.signer, addresses, silent=True, status=status or Status.SOLVED)
    count = workers or os.cpu_count() or 1
    begun = time.monotonic()
    whole = Taken()
    pool = Workers(count)
    pool.submit(parse, [])  # the workers start while the files are found
    often = gc.get_threshold()
    gc.set_threshold(*RARELY)
    files = [file for path in paths for file in (_files(path) if path.is_dir() else [path])]
    mboxes = {path for path in paths if not path.is_dir() and _is_mbox(path)}
    source = _unknown(store, account, _items(files, mboxes), whole)
    # How many there are is only cheap to know where each is a file.
    progress = output.Progress("messages", None if mboxes else len(files))
    try:
        parsed = _parsed(pool, parse, source, COMMIT + count)
        while shares := list(islice(parsed, COMMIT)):
            _commit(store, how, [item for share in shares for item in share], whole)
            progress.show(whole.messages + whole.doubles)
    finally:
        gc.set_threshold(*often)
        pool.close()
        progress.end(whole.messages + whole.doubles)
    seconds = time.monotonic() - begun
    return {
        "messages": whole.messages,
        "tickets": whole.tickets,
        "doubles": whole.doubles,
        "seconds": round(seconds, 3),
        "per_second": round(whole.messages / seconds, 1) if seconds else 0.0,
    }


def _describe_account(store: Store, name: str, own: tuple[str, ...]) -> None:
    if name not in store.accounts() and own:
        store.save_account(Account(name, "email", own[0].lower(), health="an archive"))


def _commit(store: Store, how: Intake, items: list[Told], whole: Taken) -> None:
    at = now()
    header = Batch(new_batch(), at, source=f"import:{how.account}")
    taken = store.write(lambda tx: take_in(tx, how, items, header), bulk=True)
    whole.messages += taken.messages
    whole.tickets += taken.tickets
    whole.doubles += taken.doubles


def _parsed(pool: Workers, parse: Any, items: Iterator[list[Item]], ahead: int) -> Iterator[list[Told]]:
    """Shares parsed in order, with `ahead` of them under way: the workers go on during a commit."""
    under_way: deque[tuple[Future[list[Told]], list[Raw]]] = deque()
    for share in items:
        raws = [Raw(item.external_id, item.data, item.modified_ms) for item in share]
        under_way.append((pool.submit(parse, raws), raws))
        if len(under_way) > ahead:
            yield _result(pool, parse, *under_way.popleft())
    while under_way:
        yield _result(pool, parse, *under_way.popleft())


def _result(pool: Workers, parse: Any, future: Future[list[Told]], raws: list[Raw]) -> list[Told]:
    import asyncio

    try:
        return future.result(ITEM_S * len(raws))
    except (BrokenProcessPool, CancelledError, MemoryError, TimeoutError):
        pool.close()
        # One of these broke a worker: the slow way finds out which, and keeps it raw.
        return asyncio.run(pool.prepare(parse, raws))


def _unknown(store: Store, account: str, items: Iterable[Item], whole: Taken) -> Iterator[list[Item]]:
    """Shares of what has not been taken in before; the rest is counted as doubles."""
    for share in _shares(items):
        known = store.known(account, [item.external_id for item in share])
        whole.doubles += sum(item.external_id in known for item in share)
        yield [item for item in share if item.external_id not in known]


def _shares(items: Iterable[Item]) -> Iterator[list[Item]]:
    share: list[Item] = []
    size = 0
    for item in items:
        share.append(item)
        size += len(item.data)
        if len(share) == SHARE or size >= SHARE_BYTES:
            yield share
            share, size = [], 0
    if share:
        yield share


# -- finding messages -------------------------------------------------------


def _items(files: list[Path], mboxes: set[Path]) -> Iterator[Item]:
    for path in files:
        if path in mboxes:
            yield from _mbox(path)
        else:
            yield _file(path)


def _files(folder: Path) -> list[Path]:
    """The messages of a Maildir (its subfolders too), or the .eml files of a folder, in a fixed order."""
    # os.walk, because Path.rglob asks several times what every single file is.
    tree = [(Path(here), inside, names) for here, inside, names in os.walk(folder)]
    maildirs = [here for here, inside, _ in tree if "cur" in inside]
    if maildirs:
        folders = [here / sub for here in maildirs for sub in ("cur", "new") if (here / sub).is_dir()]
        found = [Path(entry) for sub in folders for entry in os.scandir(sub) if entry.is_file()]
    else:
        files = (here / name for here, _, names in tree for name in names)
        found = [f for f in files if f.suffix.lower() in _ENDINGS and f.is_file()]
    return sorted(found, key=lambda f: (f.name.partition(":")[0], str(f)))


def _file(path: Path) -> Item:
    from hashlib import sha256

    with path.open("rb") as handle:
        data = handle.read()
        modified = os.fstat(handle.fileno()).st_mtime
    return Item(sha256(data).hexdigest(), data, int(modified * 1000))


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
