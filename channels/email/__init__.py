"""Mail: a mailbox that is read over IMAP and answered over SMTP.

Importing this costs next to nothing; the mail libraries are loaded by the first
connection, the parser by the first message.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from channels.email.mailbox import Mailbox
from channels.email.settings import Settings
from channels.email.smtp import Submission
from desk.capabilities import Capabilities
from desk.channel import Batch, Inbound, Outgoing, Part, Phase, Sent
from desk.model import Identity

if TYPE_CHECKING:
    from channels.kit.mail.trust import Trust
    from desk.channel import Raw


class Email:
    """One mailbox of the desk: poller, stream and sender."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self._settings = settings
        self._mailbox = Mailbox(settings)
        self._submission = Submission(settings)

    @property
    def capabilities(self) -> Capabilities:
        """What mail can carry."""
        return Capabilities(
            subject=True,
            copies=True,
            attachment_limit_bytes=self._settings.attachment_limit_bytes,
            markup="markdown",
            may_start=True,
            plus_address=self._settings.plus_address,
        )

    @property
    def addresses(self) -> Sequence[Identity]:
        """Our own addresses; the first is the one we write as."""
        own = (self._settings.address, *self._settings.aliases)
        return [Identity("email", address.lower(), self._settings.name) for address in own]

    @property
    def parser(self) -> Callable[[Raw], Inbound]:
        """What reads this account's mail, anywhere: it can be sent to another process."""
        return partial(parse, trust=self._settings.trust)

    def poll(self, cursor: str | None) -> AsyncIterator[Batch]:
        """Everything after `cursor`, in batches."""
        return self._mailbox.poll(cursor)

    async def confirm(self, batch: Batch) -> None:
        """`batch` is safe here: flag or move it there."""
        await self._mailbox.confirm(batch)

    async def wait(self, seconds: float) -> None:
        """Return when there may be mail, or after `seconds`."""
        await self._mailbox.wait(seconds)

    def render(self, draft: Outgoing) -> Sequence[Part]:
        """The bytes of `draft`."""
        from channels.kit.mail.render import render

        return [render(draft)]

    async def send(self, part: Part, key: str, phase: Phase) -> Sent:
        """Hand `part` in. `key` only names it in delivery reports: what was lost in the data phase stays unknown."""
        return await self._submission.send(part, phase, key)

    async def archive(self, part: Part) -> None:
        """Put a copy into the Sent folder, where the settings name one."""
        if self._settings.sent_folder:
            await self._mailbox.append(self._settings.sent_folder, part.data)

    async def check(self) -> Sequence[str]:
        """Log in everywhere, look at every folder, and say what was found."""
        return [*await self._mailbox.check(), *await self._submission.check()]

    async def close(self) -> None:
        """Hang up."""
        await self._mailbox.close()


def open(name: str, settings: Settings) -> Email:
    """The mailbox `name`, not yet connected."""
    return Email(name, settings)


def parse(raw: Raw, trust: Trust | None = None) -> Inbound:
    """Read a message as it came over the wire; `trust` says whose word on it counts."""
    from channels.kit.mail.parser import NOBODY, parse

    return parse(raw, trust or NOBODY)


__all__ = ["Email", "Settings", "open", "parse"]
