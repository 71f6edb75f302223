"""What a support desk is made of: plain frozen values, no behaviour that needs a store.

Times are whole milliseconds since 1970 in UTC (`Millis`). A ticket's number is its
`id`; people say it aloud. Collections are sorted tuples, so equal values compare equal.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum

from msgspec import Struct

from desk.capabilities import Capabilities

Millis = int
"""A moment (UTC, since 1970) or a span of time, in milliseconds."""

BY_MACHINE = frozenset({"auto-reply", "bounce", "feedback"})
"""What kinds of automatic message no person wrote. A mailing list carries people's words."""

SECOND: Millis = 1_000
MINUTE: Millis = 60 * SECOND
HOUR: Millis = 60 * MINUTE
DAY: Millis = 24 * HOUR


class Status(StrEnum):
    """Where a ticket stands; `pending` waits for the requester, `on-hold` for a third party."""

    NEW = "new"
    OPEN = "open"
    PENDING = "pending"
    ON_HOLD = "on-hold"
    SOLVED = "solved"
    CLOSED = "closed"

    @property
    def live(self) -> bool:
        """True while somebody still has to do something."""
        return self not in (Status.SOLVED, Status.CLOSED)


class Priority(IntEnum):
    """How much a ticket matters; higher is more."""

    LOW = 1
    NORMAL = 2
    HIGH = 3
    URGENT = 4

    def __str__(self) -> str:
        return self.name.lower()

    @classmethod
    def parse(cls, text: str) -> Priority:
        """The priority called `text`; ValueError for any other word."""
        try:
            return cls[text.upper()]
        except KeyError:
            raise ValueError(text) from None


class Bin(StrEnum):
    """Out of sight: where a ticket lies when it is not in the queue at all."""

    NONE = ""
    SPAM = "spam"
    TRASH = "trash"
    SUSPENDED = "suspended"


class Kind(StrEnum):
    """What a message is; only `public` ones are seen by the customer."""

    PUBLIC = "public"
    NOTE = "note"
    CALL = "call"
    SYSTEM = "system"


MISSED = "missed"
"""The flag of a call in which nobody was reached: it answers nothing."""


class Direction(StrEnum):
    """`in` came from outside, `out` was written at the desk."""

    IN = "in"
    OUT = "out"


class State(StrEnum):
    """How far a message got on its way out; states only advance."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    DEFERRED = "failed for now"
    FAILED = "failed"
    BOUNCED = "bounced"
    WITHDRAWN = "withdrawn"
    UNKNOWN = "unknown"


class Role(StrEnum):
    """What an agent may do; each role may do all that the ones before it may."""

    READ_ONLY = "read-only"
    AGENT = "agent"
    LEAD = "lead"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """0 for read-only up to 3 for admin."""
        return list(Role).index(self)


class Identity(Struct, frozen=True):
    """One address, number or handle by which a person reaches the desk.

    `value` is normalised (a mail address in lower case); `display` is the name
    that came with it, as written.
    """

    kind: str
    value: str
    display: str = ""

    @property
    def label(self) -> str:
        """The name if there is one, else the address."""
        return self.display or self.value


class Contact(Struct, frozen=True):
    """Where an account heard a customer last, in public or not: what an answer over that account needs to know.

    `conversation` is where it goes on (as the channel names it), `external_id` the message that was heard,
    `reply_until` when the other side stops to let us answer.
    """

    identity: Identity
    account: str
    public: bool
    conversation: str | None
    at: Millis
    external_id: str
    reply_until: Millis | None = None


class Mark(Struct, frozen=True):
    """A reaction to a message: an emoji or a word, by the identity `by`, whom people know as `who`."""

    mark: str
    by: str
    who: str


class Customer(Struct, frozen=True):
    """A person who writes to the desk, by whatever channel."""

    id: int
    name: str
    address: str
    organisation: str | None = None
    notes: str = ""
    blocked: bool = False
    created_at: Millis = 0
    tier: str = ""


class Skill(Struct, frozen=True):
    """What an agent knows about: a tag, a channel or an account; level and interest from 1 to 5."""

    topic: str
    level: int = 3
    interest: int = 3


class Agent(Struct, frozen=True):
    """Somebody who works at the desk. `uid` is the kernel's number of that user on the shared host,
    `login` their own role on the server of the store, where it has some.

    `capacity` is how many tickets they have at once (0: as many as come), `hours` the name
    of a calendar; `turn` is the number of the distribution that gave them a ticket last.
    """

    name: str
    display: str = ""
    role: Role = Role.AGENT
    uid: int | None = None
    address: str | None = None
    teams: tuple[str, ...] = ()
    signature: str = ""
    active: bool = True
    skills: tuple[Skill, ...] = ()
    capacity: int = 0
    hours: str = ""
    away_until: Millis | None = None
    turn: int = 0
    login: str | None = None

    @property
    def label(self) -> str:
        """The name customers and colleagues see."""
        return self.display or self.name


class Team(Struct, frozen=True):
    """A group of agents that tickets can be given to."""

    name: str
    title: str = ""


class Attachment(Struct, frozen=True):
    """A file that came with a message; its bytes are the blob with the key `sha256`."""

    name: str
    content_type: str
    size: int
    sha256: str
    inline: bool = False
    content_id: str | None = None


class Link(Struct, frozen=True):
    """A relation of one ticket to another: `related`, `parent`, `child`, `duplicate-of`, `follow-up`, ..."""

    kind: str
    ticket: int


class Stage(Struct, frozen=True):
    """A status that a ticket came into, and when."""

    at: Millis
    status: Status


class Ticket(Struct, frozen=True):
    """One matter of one customer, from the first message to its solution.

    `waiting_since` is the time of the oldest customer message that nobody answered,
    `first_reply_at` and `replied_at` those of the first and the newest reply that went out;
    `stages` are the statuses it went through after its first; `idle_since` is when a person
    last did anything on it. `due_at` and `due_kind` are the promise that is due first,
    `paused` says that all of them stand still, `breached` that one was not kept; `alarms` are
    the warnings that were given and `alarm_at` when the next one is. `heard` is the id of the
    newest message that is news (what "unread" compares with); `version` grows by one with
    every change. `callback_at` is when somebody promised to call back.
    """

    id: int
    subject: str
    requester: int
    created_at: Millis
    updated_at: Millis
    status: Status = Status.NEW
    priority: Priority = Priority.NORMAL
    type: str | None = None
    team: str | None = None
    assignee: str | None = None
    cc: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    watchers: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    channel: str = ""
    account: str = ""
    bin: Bin = Bin.NONE
    merged_into: int | None = None
    snoozed_until: Millis | None = None
    snoozed_for_reply: bool = False
    waiting_since: Millis | None = None
    first_reply_at: Millis | None = None
    replied_at: Millis | None = None
    solved_at: Millis | None = None
    stages: tuple[Stage, ...] = ()
    idle_since: Millis = 0
    due_at: Millis | None = None
    due_kind: str | None = None
    paused: bool = False
    breached: bool = False
    alarms: tuple[str, ...] = ()
    alarm_at: Millis | None = None
    message_count: int = 0
    heard: int = 0
    version: int = 0
    callback_at: Millis | None = None

    @property
    def visible(self) -> bool:
        """False for spam, trash and what was merged into another ticket."""
        return self.bin is Bin.NONE and self.merged_into is None

    def snoozed(self, at: Millis) -> bool:
        """True while the ticket sleeps: until a time, until a reply, or until either."""
        if self.snoozed_until is None:
            return self.snoozed_for_reply
        return self.snoozed_until > at


class Message(Struct, frozen=True):
    """One entry of a conversation.

    `text` is all that is readable of it, `visible` the same without quotes and
    signature. `message_id` is the id the outside world knows it by (no angle
    brackets); `raw` the blob with the bytes as they came or went. `threaded_by`
    names the rule that put it on its ticket.
    """

    id: int
    ticket: int
    kind: Kind
    direction: Direction
    at: Millis
    author: str
    text: str
    visible: str = ""
    channel: str = ""
    account: str = ""
    agent: str | None = None
    customer: int | None = None
    subject: str = ""
    message_id: str | None = None
    conversation: str | None = None
    sender: Identity | None = None
    to: tuple[Identity, ...] = ()
    cc: tuple[Identity, ...] = ()
    bcc: tuple[Identity, ...] = ()
    html: bool = False
    attachments: tuple[Attachment, ...] = ()
    raw: str | None = None
    automatic: str | None = None
    threaded_by: str | None = None
    flags: tuple[str, ...] = ()
    state: State | None = None
    withdrawn: bool = False
    marks: tuple[Mark, ...] = ()
    link: str = ""


class Delivery(Struct, frozen=True):
    """One part of a message on its way to one group of recipients.

    `part` is the part that goes next: those before it went out. `not_before` is the end of the undo window or the time asked for; `phase` how far the
    last attempt got: "" (not begun), "connect", "data" (from here on a loss is `unknown`), "done".
    """

    id: int
    message: int
    ticket: int
    account: str
    recipients: tuple[str, ...]
    not_before: Millis
    part: int = 0
    state: State = State.QUEUED
    phase: str = ""
    attempts: int = 0
    remote_id: str | None = None
    error: str | None = None


class Draft(Struct, frozen=True):
    """What an agent has begun to write on a ticket and not sent: a "reply", a "note" or a "forward".

    `options` are the other arguments of the verb as one would type them ("to", "cc", "at", ...; "attach" has
    one path a line); `seen` is the newest message that the writer had read, `at` when it last changed.
    """

    ticket: int
    agent: str
    kind: str
    at: Millis
    text: str
    options: dict[str, str]
    seen: int = 0


class Volume(Struct, frozen=True):
    """How many messages went over an account, in and out: on the day in question, and in all the time asked for."""

    came: int = 0
    went: int = 0
    came_today: int = 0
    went_today: int = 0


class Presence(Struct, frozen=True):
    """Somebody has a ticket before them, until they say so again: who "views" it, or who "writes".

    `session` is one terminal; an agent may have several.
    """

    session: str
    agent: str
    host: str
    ticket: int
    doing: str
    until: Millis

    @property
    def customer(self) -> bool:
        """True for a customer: who types, or is online where they write from."""
        return self.session.startswith("customer:")


class Effort(Struct, frozen=True):
    """How long an agent had a ticket before them, by what they did there."""

    agent: str
    doing: str
    spent: Millis


class Pace(Struct, frozen=True):
    """How many tickets came and were solved, and how many replies were written: a number for each `step` from `begin` on."""

    begin: Millis
    step: Millis
    opened: tuple[int, ...]
    replied: tuple[int, ...]
    solved: tuple[int, ...]


class Account(Struct, frozen=True):
    """One mailbox, number or page of the desk, as the relay last described it for everybody.

    `capabilities` is None where no relay has told yet; `held` is why somebody has paused it ("": they have not).
    """

    name: str
    channel: str
    address: str
    display: str = ""
    capabilities: Capabilities | None = None
    health: str = ""
    health_at: Millis = 0
    paused: bool = False
    held: str = ""


__all__ = [
    "BY_MACHINE",
    "DAY",
    "HOUR",
    "MINUTE",
    "MISSED",
    "SECOND",
    "Account",
    "Agent",
    "Attachment",
    "Bin",
    "Contact",
    "Customer",
    "Delivery",
    "Direction",
    "Draft",
    "Effort",
    "Identity",
    "Kind",
    "Link",
    "Mark",
    "Message",
    "Millis",
    "Pace",
    "Presence",
    "Priority",
    "Role",
    "Skill",
    "State",
    "Status",
    "Team",
    "Ticket",
]
