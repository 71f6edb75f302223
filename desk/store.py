"""The store protocol: what the desk asks of the place where everything is kept.

A store is synchronous and safe to use from several threads. Reads see the last
commit; every change goes through `write`, whose body runs inside one transaction and
may be run again from the beginning if the database asks for it, so it must not do
anything but read and write the transaction it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from msgspec import Struct

from desk.seats import Seats

if TYPE_CHECKING:
    from desk.alike import Alike
    from desk.blobs import Blob
    from desk.config import DeskConfig
    from desk.events import Event, Record
    from desk.hosts import Lease
    from desk.loops import Answered
    from desk.model import (
        Account,
        Agent,
        Contact,
        Customer,
        Delivery,
        Identity,
        Message,
        Millis,
        Pace,
        State,
        Team,
        Ticket,
        Volume,
    )
    from desk.query import Node
    from desk.sla import Promise
    from desk.snippets import Needle, Snippet

T = TypeVar("T")

SORTS = ("urgency", "newest", "oldest", "updated", "waiting", "priority")
"""The orders a list can have; `urgency` is due first, then what has no due time; equals in the order of their numbers."""


class Batch(Struct, frozen=True):
    """Who does something, and why: the header that a group of events shares.

    `line` is the command line as typed; `source` the channel, rule or macro; `undoes`
    the batch that this one takes back; `caused_by` the batch that a rule acted on.
    """

    id: str
    at: Millis
    agent: str | None = None
    uid: int | None = None
    host: str = ""
    line: str = ""
    source: str = ""
    undoes: str | None = None
    caused_by: str | None = None


class Deed(Struct, frozen=True):
    """What an agent did in one batch, on how many tickets, and the batch that took it back since, if one did."""

    batch: Batch
    seq: int
    tickets: int
    undone_by: str | None = None


class Row(Struct, frozen=True):
    """One line of a list: the ticket with what a list shows beside it."""

    ticket: Ticket
    customer: Customer
    snippet: str = ""
    unread: bool = False
    trouble: State | None = None


class Page(Struct, frozen=True):
    """Some rows of a list, and the key behind the last one (None at the end)."""

    rows: list[Row]
    next: tuple[Any, ...] | None = None


class Held(Struct, frozen=True):
    """A message of ours found by its outside id."""

    ticket: int
    message: int
    message_id: str
    flags: tuple[str, ...] = ()


class Outbound(Struct, frozen=True):
    """A claimed delivery with all that is needed to render and send it; `answers` is what the message it answers is called there."""

    delivery: Delivery
    message: Message
    ticket: Ticket
    references: tuple[str, ...] = ()
    answers: str | None = None


class Numbers(Struct, frozen=True):
    """How full the store is."""

    tickets: int
    live: int
    messages: int
    queued: int
    unknown: int
    last_seq: int


class Tx(Protocol):
    """One transaction: what may be read and written inside `Store.write`."""

    # reading under lock
    def tickets(self, ids: Iterable[int]) -> dict[int, Ticket]:
        """The tickets with these numbers, locked in the order of their numbers; missing ones are left out."""

    def thread(self, ticket: int) -> list[Message]:
        """The conversation in time order, withdrawn messages included."""

    def took_part(self, ticket: int, customer: int, address: str) -> bool:
        """Whether the conversation has a message of `customer`, or one to `address`."""

    def message(self, number: int) -> Message:
        """The message with this number; NotFound."""

    def deliveries(self, message: int) -> list[Delivery]:
        """The deliveries of one message."""

    def customer(self, number: int) -> Customer:
        """The customer with this number; NotFound."""

    def agents(self) -> dict[str, Agent]:
        """All agents by name."""

    def workload(self, at: Millis) -> Mapping[str, int]:
        """How many tickets keep each agent busy: live, awake, and not waiting for their requester.

        Until the commit nobody else is told, so that of two who distribute one sees what the other did.
        """

    def previous(self, ticket: Ticket) -> list[str]:
        """Who had this ticket, and then who had the customer's others, the latest first."""

    def teams(self) -> dict[str, Team]:
        """All teams by name."""

    def accounts(self) -> dict[str, Account]:
        """All accounts by name, as the relay described them."""

    def records(self, batch: str) -> list[Record]:
        """The log lines of one batch, oldest first."""

    def promises(self, ticket: Ticket) -> tuple[Promise, ...]:
        """The clocks of a ticket, by the policies in force."""

    # writing
    def resettle(self, batch: Batch, ids: Iterable[int]) -> int:
        """Set the clocks of these tickets anew, by policies that may be others now; how many changed."""

    def new_id(self, kind: str) -> int:
        """The next number for a "ticket", "message" or "delivery"."""

    def customer_for(self, identity: Identity, at: Millis) -> Customer:
        """Whoever this identity belongs to, created when nobody yet."""

    def append(self, batch: Batch, events: Sequence[Event]) -> None:
        """Write the events into the rows and the log."""

    def seen(self, agent: str, ticket: int, message: int) -> None:
        """`agent` has seen the ticket up to this message."""

    def put_blobs(self, blobs: Iterable[Blob]) -> None:
        """Keep bytes before a row refers to them."""

    # intake
    def known(self, account: str, external_ids: Sequence[str]) -> set[str]:
        """Which of these items came in before."""

    def remember(self, account: str, external_id: str, message: int | None) -> None:
        """An item of the account has been taken in (None: dropped on purpose)."""

    def expect(self, outside: Collection[str], digests: Collection[str], people: Collection[Identity]) -> None:
        """These will be asked about: outside ids and conversations, contents of messages without an id, and people."""

    def twin(self, message_id: str | None, digest: str) -> Held | None:
        """The message that came before with this outside id (if any) and content."""

    def held(self, message_ids: Sequence[str]) -> list[Held]:
        """Messages of ours with these outside ids, in the order given."""

    def set_digest(self, message: int, digest: str) -> None:
        """The content hash by which a twin of this message is found."""

    def taken(self, account: str, external_ids: Collection[str]) -> Mapping[str, int]:
        """The messages that these items of an account are: what came in, and what went out, by its name there."""

    def contacts(self, customer: int) -> list[Contact]:
        """Where a customer was heard beyond mail, the latest first."""

    def identities(self, customer: int) -> list[Identity]:
        """The addresses, numbers and handles by which a customer is known."""

    def tickets_of(self, customer: int) -> list[int]:
        """The numbers of a customer's tickets."""

    def separate(self, identity: Identity, at: Millis) -> Customer:
        """Somebody new, to whom the identity is to belong."""

    def contact(self, identity: Identity, account: str) -> list[Contact]:
        """Where somebody was heard by this account, the latest first."""

    def heard_from(self, contact: Contact) -> None:
        """Somebody was heard there, unless they were heard later already."""

    def answered(self, address: str, since: Millis) -> list[Answered]:
        """The automatic mails that an address got."""

    def note_answer(self, address: str, answer: Answered) -> None:
        """An automatic mail goes out to an address."""

    def undeliverable(self, address: str) -> bool:
        """Whether mail to an address came back for good, and nothing was heard of it since."""

    def arrived(self, delivery: int) -> None:
        """What is being sent was seen where it goes: it is `sent`, also when whoever sends it is lost."""

    def set_undeliverable(self, address: str, detail: str | None) -> None:
        """Mail to an address came back for good (None: it was heard of again)."""

    def set_cursor(self, account: str, cursor: str) -> None:
        """How far the account has been read."""

    def cursor(self, account: str) -> str | None:
        """How far the account has been read, as of this transaction."""

    # rules
    def first_rest(self, rule: str, ticket: int, since: Millis) -> bool:
        """`rule` acts on a ticket at rest `since` then; False when it did before."""


class Store(Seats, Protocol):
    """The place where everything is kept: one of `storage.open_store(url)`."""

    url: str
    shared: bool
    """True when other users of the host can use it too."""
    config: DeskConfig
    """How the desk works: what due times are computed with."""

    # tickets and views
    def page(
        self,
        query: Node,
        *,
        sort: str = "urgency",
        after: tuple[Any, ...] | None = None,
        limit: int = 50,
        agent: str | None = None,
    ) -> Page:
        """The rows `query` asks for, in order, beginning behind the key `after`."""

    def ids(self, query: Node, *, sort: str = "urgency", limit: int | None = None) -> list[int]:
        """The numbers of all that `query` asks for, in order."""

    def natural_sort(self, query: Node) -> str:
        """The order people expect of `query`: what is open by urgency, an archive newest first."""

    def alarms(self, at: Millis, limit: int) -> list[int]:
        """Tickets of which something is to be told by now: a warning, or a promise that was not kept."""

    def count(self, query: Node) -> int:
        """How many tickets `query` asks for."""

    def rows(self, ids: Sequence[int], *, agent: str | None = None) -> list[Row]:
        """These tickets as list rows, in the order given; missing ones are left out."""

    def snippets(self, ids: Sequence[int], needles: Sequence[Needle], room: int) -> dict[int, Snippet]:
        """Of each of these tickets the newest piece of a message that shows one of `needles`, in `room` columns."""

    def ticket(self, number: int) -> Ticket:
        """The ticket with this number; NotFound."""

    def thread(self, ticket: int) -> list[Message]:
        """The conversation in time order, with delivery states, without what was withdrawn."""

    def log(
        self, *, ticket: int | None = None, after: int = 0, limit: int = 1000, newest: bool = False
    ) -> list[Record]:
        """The log behind `after`, oldest first (with `newest`, the last `limit` lines)."""

    def done(self, batch: str) -> list[Record]:
        """What the log has of one batch, when whoever may still be writing it has ended; oldest first."""

    def causes(self, batch: str) -> list[str]:
        """The sources of a batch and of those that led to it, the nearest first."""

    def resting(self, rule: str, query: Node, until: Millis, limit: int) -> list[int]:
        """Tickets that `query` asks for, where nobody did anything since before `until`, nor `rule` since then."""

    def originals(self, after: int, limit: int, *, unprocessable: bool = False) -> list[Message]:
        """Messages behind the id `after` whose bytes are kept (only those that could not be read), in order."""

    def customer(self, number: int) -> Customer:
        """The customer with this number; NotFound."""

    def customers(self, text: str, limit: int = 20) -> list[Customer]:
        """Customers whose name or address begins with, or holds, these words."""

    def identities(self, customer: int) -> list[Identity]:
        """The addresses, numbers and handles by which a customer is known."""

    def contacts(self, customer: int) -> list[Contact]:
        """Where a customer was heard beyond mail, the latest first."""

    def alike(self, customer: int, mentioned: Collection[str] = ()) -> list[Alike]:
        """Who may be this customer too: by an address written the same way, by name, or by an address they `mentioned`."""

    def returned(self, customer: int) -> Mapping[str, str]:
        """The addresses of a customer from which mail came back for good, with what was said of each."""

    def pace(self, begin: Millis, step: Millis, count: int, *, agent: str | None = None) -> Pace:
        """What came in and was done in each of `count` steps; replies and what was solved of `agent` alone, if given."""

    def volume(self, since: Millis, today: Millis) -> Mapping[str, Volume]:
        """How many messages each account took in and let out since that time, and of those since `today`."""

    def blob(self, key: str) -> bytes:
        """The bytes kept under `key`; NotFound."""

    def workload(self, at: Millis) -> Mapping[str, int]:
        """How many tickets keep each agent busy: live, awake, and not waiting for their requester."""

    # change
    def write(self, body: Callable[[Tx], T], *, bulk: bool = False) -> T:
        """Run `body` in one transaction and commit; durable on return (`bulk`: at the next checkpoint)."""

    def last_batch(self, agent: str, *, undo: bool) -> str | None:
        """The newest batch of the agent's that can be undone (or, with `undo`, redone)."""

    def deeds(self, agent: str, limit: int = 100) -> list[Deed]:
        """What the agent did last on tickets and customers, the newest first; what was taken back, and taking it back, too."""

    def seen(self, agent: str, ticket: int, message: int) -> None:
        """`agent` has seen the ticket up to this message."""

    def seen_to(self, agent: str, ticket: int) -> int:
        """The newest message of the ticket that `agent` has seen; 0 for none."""

    def wait(self, after: int, seconds: float) -> int:
        """Return the newest seq as soon as it is beyond `after`, or after `seconds`."""

    def last_seq(self) -> int:
        """The newest seq of the log."""

    # outbox
    def claim(
        self, holder: str, at: Millis, until: Millis, limit: int = 10, *, without: Collection[str] = ()
    ) -> list[Outbound]:
        """Take deliveries that are due, for `holder` until `until`, but none of the accounts in `without`."""

    def phase(self, delivery: int, holder: str, phase: str, until: Millis) -> bool:
        """Note how far the attempt got, and hold it until then; False when the claim was lost to somebody else."""

    def settle(self, delivery: int, holder: str, state: State, at: Millis, *, error: str = "", remote_id: str | None = None,
               conversation: str | None = None, next_at: Millis | None = None, again: Sequence[str] = ()) -> bool:  # fmt: skip
        """End an attempt; False (and nothing done) when the claim was lost to somebody else.

        Recipients in `again` were refused for now: they go on as a delivery of their own,
        tried at `next_at`. `conversation` is the one that the message began.
        """

    def sent_part(self, delivery: int, holder: str, part: int, remote_id: str | None) -> bool:
        """Part number `part` went out as `remote_id`; False when the claim was lost to somebody else."""

    def reclaim(self, at: Millis, *, without: Collection[int] = ()) -> list[int]:
        """Deliveries whose holder was lost: back to the queue before the data phase, `unknown` in or after it.

        Where the other side takes a key twice (`Capabilities.idempotent`), all of them go back; what
        has `arrived` is sent. Those in `without` are known not to be lost.
        """

    def outbox(self, states: Sequence[State] = (), limit: int = 100) -> list[tuple[Delivery, Millis | None]]:
        """Deliveries in these states (default: all not final) and when each is tried next."""

    def trouble(self, ticket: int) -> list[Delivery]:
        """Deliveries of a ticket that failed, came back or nobody knows of, in the order of their numbers."""

    def retry(self, delivery: int, batch: Batch) -> None:
        """A person asks for another attempt of a failed or unknown delivery."""

    # team
    def agents(self) -> dict[str, Agent]:
        """All agents by name."""

    def me(self, uid: int) -> Agent | None:
        """Who acts at this desk: whose login the session has, where that is somebody's, else the kernel's user `uid`."""

    def save_agent(self, agent: Agent, batch: Batch) -> None:
        """Add or change an agent."""

    def teams(self) -> dict[str, Team]:
        """All teams by name."""

    def save_team(self, team: Team, batch: Batch) -> None:
        """Add or change a team."""

    def accounts(self) -> dict[str, Account]:
        """All accounts by name, as the relay described them."""

    def save_account(self, account: Account) -> None:
        """Say what an account is and how it fares."""

    def hold_account(self, name: str, why: str, batch: Batch) -> None:
        """Have nothing fetched or sent for an account ("": again); NotFound."""

    def known(self, account: str, external_ids: Sequence[str]) -> set[str]:
        """Which of these items of the account came in before."""

    def cursor(self, account: str) -> str | None:
        """How far the account has been read."""

    def setting(self, name: str) -> str | None:
        """A value kept for the whole desk."""

    def set_setting(self, name: str, value: str) -> None:
        """Keep a value for the whole desk."""

    def first_setting(self, name: str, value: str) -> bool:
        """Keep a value unless there is one; True for whoever was first."""

    def publish(self, config: str, version: int, changes: Mapping[str, tuple[Any, Any]], batch: Batch) -> None:
        """Keep the team's configuration as a new version, and log what changed in it.

        Conflict when there is a version of this number already.
        """

    # upkeep
    def lease(self, name: str, holder: str, at: Millis, until: Millis) -> bool:
        """Take or renew a job; False while somebody else holds it."""

    def release(self, name: str, holder: str) -> None:
        """Give a job back."""

    def leases(self) -> list[Lease]:
        """All jobs and who holds them."""

    def numbers(self) -> Numbers:
        """How full the store is."""

    def check(self) -> list[str]:
        """Everything that should hold and does not, as sentences; empty when all is well."""

    def backup(self, path: str) -> None:
        """Write a complete copy to the folder `path` while others go on working."""

    def circumstances(self) -> list[tuple[bool, str]]:
        """What there is to know of where it is kept: whether it is well, and a sentence; first whose word counts there."""

    def skew(self) -> Millis:
        """How far this host's clock was ahead of that of the store's server, when it was last compared."""

    def close(self) -> None:
        """Let go of the store."""
