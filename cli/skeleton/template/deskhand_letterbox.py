"""letterbox: customers' messages are files in a folder, and answers are written beside them.

It works as it is, and stands here to be changed: README.md says what each part is for.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from channels.kit.texts import check_files, pieces
from desk.capabilities import Capabilities
from desk.channel import AuthRequired, Batch, Inbound, Outgoing, Part, Permanent, Phase, Retry, Sent, Unknown
from desk.model import Identity

KIND = "letterbox"
TOGETHER = 50
"""Messages in one batch: what is committed together."""

OVERLAP_NS = 2_000_000_000
"""Behind the newest file that was read so much is looked at again: clocks of file systems are coarse."""

LARGEST = 1_000_000
"""Of a file so many bytes are read."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`[channels.NAME]` with kind = "letterbox"."""

    # The folder with a folder for each customer.
    folder: str
    # What customers see as the sender of answers.
    address: str = "support"
    # Seconds between two looks.
    poll_s: float = 10.0


class Letterbox:
    """One folder. Its cursor holds when it read the newest files: {name: time}."""

    def __init__(self, name: str, settings: Settings) -> None:
        self._folder = Path(settings.folder)
        self.addresses: Sequence[Identity] = (Identity(KIND, settings.address, settings.address),)
        self.capabilities = Capabilities(
            kinds=(KIND,), text_limit=10_000, splits=True, may_start=True, idempotent=True, live=True
        )

    # -- what comes in ------------------------------------------------------------

    async def poll(self, cursor: str | None) -> AsyncIterator[Batch]:
        """The files that came after `cursor`, oldest first."""
        seen: dict[str, int] = json.loads(cursor) if cursor else {}
        fresh = iter(await asyncio.to_thread(self._fresh, seen))
        while some := list(islice(fresh, TOGETHER)):
            items = await asyncio.to_thread(self._read_all, some)
            seen |= {self._name(path): at for at, path in some}
            newest = max(seen.values())
            seen = {name: at for name, at in seen.items() if at >= newest - OVERLAP_NS}
            yield Batch(items, json.dumps(seen))

    async def confirm(self, batch: Batch) -> None:
        """The desk has it now. Where reading takes a message away, that is done here and nowhere before."""

    def _fresh(self, seen: dict[str, int]) -> list[tuple[int, Path]]:
        """(when it was put there, path) of what the cursor does not know."""
        since = max(seen.values(), default=0) - OVERLAP_NS
        try:
            found = [(path.lstat().st_ctime_ns, path) for path in self._folder.glob("[!.]*/[!.]*.txt")]
        except OSError as error:
            raise Retry(f"{self._folder} cannot be read ({error.strerror}); it is tried again") from error
        if not found and not self._folder.is_dir():
            raise Retry(f"there is no folder {self._folder}; make it, or name another one in config.toml")
        return sorted((at, path) for at, path in found if at >= since and self._name(path) not in seen)

    def _read_all(self, some: list[tuple[int, Path]]) -> tuple[Inbound, ...]:
        return tuple(item for at, path in some if (item := self._read(path, at)))

    def _read(self, path: Path, at: int) -> Inbound | None:
        """One message; None when it was taken away meanwhile. What is odd about one never holds up the next."""
        try:
            if path.is_symlink() or not path.is_file():
                return None
            with path.open("rb") as file:
                data = file.read(LARGEST + 1)
        except OSError:
            return None
        text = data[:LARGEST].decode("utf-8", "replace").strip()
        person = path.parent.name
        return Inbound(
            external_id=self._name(path),
            received_at=at // 1_000_000,
            sender=Identity(KIND, person, person),
            text=(text or "(an empty message)") + ("\n\n(the rest is too long)" if len(data) > LARGEST else ""),
            conversation=person,
        )

    def _name(self, path: Path) -> str:
        """What a message is called for ever: who wrote it, and the file's name."""
        return f"{path.parent.name}/{path.name}"

    # -- what goes out --------------------------------------------------------------

    def render(self, draft: Outgoing) -> Sequence[Part]:
        """The answer, in as many files as it takes."""
        check_files(draft, self.capabilities)
        person = draft.conversation or draft.to[0].value
        # Agents can name whom they write to: no name leads out of the folder.
        if not person or person.startswith(".") or Path(person).name != person or "\0" in person:
            raise Permanent(f'"{person}" is no name of a customer: it has a / in it, or begins with a dot')
        return [
            Part(json.dumps({"to": person, "text": text}).encode(), (person,), draft.automatic)
            for text in pieces(draft, self.capabilities)
        ]

    async def send(self, part: Part, key: str, phase: Phase) -> Sent:
        """Write the answer. The file is called by `key`, so that what is sent twice is there once."""
        answer = json.loads(part.data)
        path = self._folder / answer["to"] / f"{key}.answer"
        # From here on a lost line could mean that it went out.
        await phase("data")
        try:
            await asyncio.to_thread(_write, path, f"{answer['text']}\n")
        except PermissionError as error:
            raise AuthRequired(f"{path.parent} may not be written to; give this user the right to") from error
        except OSError as error:
            raise Unknown(f"{path} may not have been written ({error.strerror})") from error
        return Sent(remote_id=f"{answer['to']}/{path.name}", conversation=answer["to"])

    async def archive(self, part: Part) -> None:
        """There is no folder of sent messages."""

    # -- the account ------------------------------------------------------------------

    async def check(self) -> Sequence[str]:
        """Try the folder, and say what was found."""
        if not self._folder.is_dir():
            raise Permanent(f"there is no folder {self._folder}; make it, or name another one in config.toml")
        if not os.access(self._folder, os.R_OK | os.W_OK | os.X_OK):
            raise AuthRequired(f"{self._folder} may not be read and written; give this user the right to")
        people = sum(1 for path in self._folder.iterdir() if path.is_dir() and not path.name.startswith("."))
        return (f"{self._folder} can be read and written", f"{people} customers have written")

    async def close(self) -> None:
        """Nothing is open."""


def _write(path: Path, text: str) -> None:
    """A whole file or none: readers never see half of an answer."""
    path.parent.mkdir(exist_ok=True)
    half = path.with_name(f".{path.name}.half")
    half.write_text(text, "utf-8", errors="replace")
    half.replace(path)


def open(name: str, settings: Settings) -> Letterbox:
    """The account `name`."""
    return Letterbox(name, settings)
