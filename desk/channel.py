"""The channel protocol: how a mailbox, a chat room or a telephone becomes part of the desk.

A channel is a module (or an installed package with an entry point in the group
`deskhand.channels`) that has:

- `Settings`: a dataclass, the schema of its `[channels.NAME]` table;
- `open(name, settings) -> Channel`: the account, not yet connected;
- `parse(raw) -> Inbound`: a pure function from bytes to a message, run in a worker
  process; only where the channel hands out `Raw` items.

A channel never touches the store. It hands out batches with an opaque cursor; the
relay commits both together and says so with `confirm`. Every half is optional: an
object is a `Poller` when it has `poll` and `confirm`, a `Stream` when it has `wait`,
a `Sender` when it has `render` and `send`, `Attentive` when it has `attend`.

What comes in is messages (`Inbound`, or `Raw` to be parsed) and signals about them: an
`Edit`, a `Removal`, a `Reaction`, a `Receipt`, a `Membership`, an `Activity`. All of them may come
twice, late, or in another order: the core takes each once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from msgspec import Struct, field

from desk.blobs import Blob
from desk.capabilities import Capabilities
from desk.model import Attachment, Identity, Millis, State

# -- what comes in ----------------------------------------------------------


class Raw(Struct, frozen=True):
    """One item as it came over the wire, to be parsed elsewhere.

    `external_id` is unique within the account and names the same item for ever
    (IMAP: folder/UIDVALIDITY/UID).
    """

    external_id: str
    data: bytes
    received_at: Millis


class Undelivered(Struct, frozen=True):
    """One recipient of a bounce: enhanced status code (RFC 3463) where known, and whether it is final."""

    address: str
    status: str
    permanent: bool


class Bounce(Struct, frozen=True):
    """A report that something we sent did not arrive."""

    recipients: tuple[Undelivered, ...]
    original_message_id: str | None = None


class Inbound(Struct, frozen=True):
    """A message from outside, understood as far as it could be.

    `at` is what the sender's clock said (None if it said nothing usable),
    `received_at` what ours did. Ids carry no angle brackets. `automatic` is None or
    one of "auto-reply", "bounce", "list", "feedback". `problems` are sentences for a
    person who debugs the channel. `protection` says what the sender did to the message
    ("signed", "encrypted", "signed, encrypted"), `authentication` what our own server says
    of the sender ("spf=pass dkim=pass dmarc=fail"), `spam` that it calls it spam. `blobs`
    holds the bytes that `raw` and `attachments` name. `unreadable` marks what is little more than kept bytes, to be
    tried again by a later version. `words` (search tokens) and `digest` (what a twin of this
    message has too) are filled in by `desk.intake.prepare`, beside the parser.
    """

    external_id: str
    received_at: Millis
    sender: Identity | None
    text: str
    visible: str = ""
    subject: str = ""
    at: Millis | None = None
    to: tuple[Identity, ...] = ()
    cc: tuple[Identity, ...] = ()
    reply_to: tuple[Identity, ...] = ()
    message_id: str | None = None
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    conversation: str | None = None
    html: bool = False
    attachments: tuple[Attachment, ...] = ()
    automatic: str | None = None
    bounce: Bounce | None = None
    problems: tuple[str, ...] = ()
    protection: str | None = None
    authentication: str = ""
    spam: bool = False
    unreadable: bool = False
    raw: str | None = None
    blobs: tuple[Blob, ...] = ()
    words: str | None = None
    digest: str | None = None
    answers: str | None = None
    link: str = ""
    public: bool = False
    reply_until: Millis | None = None
    ours: bool = False


class Edit(Struct, frozen=True):
    """A message of theirs says something else now. `target` is the external id it came under.

    `external_id` names this edit (or reaction, ...) for ever, as it does for a message.
    """

    external_id: str
    received_at: Millis
    target: str
    text: str
    visible: str = ""
    html: bool = False


class Removal(Struct, frozen=True):
    """A message was taken back where it was written; here it is kept, and marked."""

    external_id: str
    received_at: Millis
    target: str


class Reaction(Struct, frozen=True):
    """Somebody put a mark (an emoji, "like") on a message, ours or theirs, or took it away (`gone`)."""

    external_id: str
    received_at: Millis
    target: str
    sender: Identity
    mark: str
    gone: bool = False


class Receipt(Struct, frozen=True):
    """What became of a message of ours: `state` is sent (it is there after all), delivered, read, failed or bounced.

    `target` is the remote id that `Sent` gave, and only what is called that came so far; with `through`
    it holds for all before it in that conversation too. States only advance.
    """

    received_at: Millis
    target: str
    state: State
    through: bool = False
    detail: str = ""


class Membership(Struct, frozen=True):
    """Somebody joined a conversation, or left it."""

    external_id: str
    received_at: Millis
    conversation: str
    sender: Identity
    joined: bool


class Activity(Struct, frozen=True):
    """What a customer does now: "typing", "online", "away" or "" (nothing any more); not kept.

    Without a `conversation` it is about them wherever they write to this account.
    """

    received_at: Millis
    sender: Identity
    doing: str
    conversation: str | None = None


Signal = Edit | Removal | Reaction | Receipt | Membership | Activity
Told = Inbound | Signal
"""What needs no parsing any more."""

Item = Raw | Told


class Batch(Struct, frozen=True):
    """Items in the account's order and the cursor that stands behind them."""

    items: tuple[Item, ...]
    cursor: str


# -- what goes out ----------------------------------------------------------


class Outgoing(Struct, frozen=True):
    """A message of the desk, complete and ready to be rendered.

    `text` is Markdown as the agent wrote it, signature included. `at` is when it was
    posted, so that rendering twice gives the same bytes.

    `conversation` is where it goes, None where there is none yet (it starts one with `to`);
    `answers` the external id of the message it answers. `public` says that everybody may read it,
    `private` that it answers something public so that only `to` can.
    """

    ticket: int
    message_id: str
    at: Millis
    sender: Identity
    to: tuple[Identity, ...]
    text: str
    subject: str = ""
    cc: tuple[Identity, ...] = ()
    bcc: tuple[Identity, ...] = ()
    reply_to: Identity | None = None
    references: tuple[str, ...] = ()
    attachments: tuple[tuple[Attachment, bytes], ...] = ()
    automatic: bool = False
    conversation: str | None = None
    answers: str | None = None
    public: bool = False
    private: bool = False


class Part(Struct, frozen=True):
    """Rendered bytes for the addresses in `recipients`; what `send` puts on the wire.

    A text that is too long for one message is several parts, sent in order.

    What answers an `automatic` part must come back to nobody, or two machines write to
    each other for ever.
    """

    data: bytes
    recipients: tuple[str, ...]
    automatic: bool = False


class Refusal(Struct, frozen=True):
    """The other side's answer for one recipient: its code, its words, and whether it is final."""

    code: int
    text: str
    permanent: bool


class Sent(Struct, frozen=True):
    """A part was accepted, for all recipients but the refused ones.

    `remote_id` is what it is called there: the external id under which its echo, an answer to it
    and its receipts come in. `conversation` is where it went, when it began one.
    """

    remote_id: str | None = None
    refused: Mapping[str, Refusal] = field(default_factory=dict)
    conversation: str | None = None


Phase = Callable[[str], Awaitable[None]]
"""Awaited by a sender with "data" immediately before a loss could mean that the message went out."""


class ChannelError(Exception):
    """Something went wrong between us and the other side; the message is for the agent."""


class Retry(ChannelError):
    """Try again, not before `after_s` seconds when the other side named a time. Nothing was accepted."""

    def __init__(self, message: str, after_s: float | None = None) -> None:
        super().__init__(message)
        self.after_s = after_s


class RateLimited(Retry):
    """The other side asks for patience."""


class Permanent(ChannelError):
    """It will never work as it is."""


class AuthRequired(ChannelError):
    """The credentials were refused: the account pauses until somebody mends them."""


class WindowClosed(Permanent):
    """The provider no longer lets us answer freely on this conversation."""


class Unknown(ChannelError):
    """It may or may not have gone out; only a person decides to send it again."""


# -- the halves -------------------------------------------------------------


class Channel(Protocol):
    """One account. Opening it does nothing on the network."""

    @property
    def capabilities(self) -> Capabilities:
        """What this account can carry."""

    @property
    def addresses(self) -> Sequence[Identity]:
        """Our own identities on it; the first is the one we write as."""

    async def check(self) -> Sequence[str]:
        """Try everything (connect, log in, folders, sending) and say what was found; raises ChannelError."""

    async def close(self) -> None:
        """Let go of every connection; never raises."""


@runtime_checkable
class Poller(Protocol):
    """A channel that can be asked what is new."""

    def poll(self, cursor: str | None) -> AsyncIterator[Batch]:
        """Everything after `cursor` (None: the account as it stands), in batches, then end.

        The next batches are asked for while earlier ones are still being committed: where
        asking acknowledges what came before, wait for its `confirm`.
        """

    async def confirm(self, batch: Batch) -> None:
        """`batch` (or several in a row, as one) is committed here: tell the other side (flag, move, acknowledge)."""


@runtime_checkable
class Stream(Protocol):
    """A channel that says when there is news."""

    async def wait(self, seconds: float) -> None:
        """Return when something may be new, or after `seconds`."""


@runtime_checkable
class Sender(Protocol):
    """A channel that can answer."""

    def render(self, draft: Outgoing) -> Sequence[Part]:
        """The bytes to send; the same draft gives the same bytes."""

    async def send(self, part: Part, key: str, phase: Phase) -> Sent:
        """Put `part` on the wire; `key` names this delivery for ever. Raises ChannelError."""

    async def archive(self, part: Part) -> None:
        """Keep a copy on the other side (a Sent folder). A failure never sends again."""


@runtime_checkable
class Attentive(Protocol):
    """A channel that can show customers that somebody is there."""

    async def attend(self, conversation: str, *, seen: str | None = None, typing: bool = False) -> None:
        """An agent has read up to the message `seen`, or is writing (again every few seconds); a failure is nobody's loss."""


class ChannelModule(Protocol):
    """What a channel's module exports."""

    Settings: type[Any]

    def open(self, name: str, settings: Any) -> Channel:
        """The account `name` with these settings."""
