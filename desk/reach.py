"""How a customer is reached: over which account, in what conversation, and why not.

A ticket is one matter with a customer, not a channel: an answer goes where they wrote last, over
another account if one asks for it, or in private where they spoke in public. What an account cannot
carry is refused in a sentence before anything is sent; the composer shows the same beforehand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from desk.capabilities import Capabilities
from desk.errors import Invalid
from desk.lengths import length
from desk.model import Account, Attachment, Contact, Direction, Identity, Kind, Message, Millis, Ticket
from desk.threads import IN_PUBLIC, PRIVATE, conversation_key, conversation_named

MAIL = "email"


class Way(Struct, frozen=True):
    """Over which account a message goes, to whom, and in what conversation (None: one that it begins, or mail).

    `public` is what everybody can read, `private` an answer in private to such a thing; `reply_until`
    is when the other side stops to let us answer.
    """

    account: Account
    to: tuple[Identity, ...]
    conversation: str | None = None
    public: bool = False
    private: bool = False
    reply_until: Millis | None = None

    @property
    def can(self) -> Capabilities:
        """What the account carries; one of which nobody has told yet is taken for a mailbox."""
        return self.account.capabilities or _MAILBOX

    @property
    def key(self) -> str | None:
        """The conversation as the store knows it."""
        return conversation_key(self.account.name, self.conversation) if self.conversation is not None else None

    @property
    def flags(self) -> tuple[str, ...]:
        """What the message is marked with."""
        return (IN_PUBLIC,) if self.public else (PRIVATE,) if self.private else ()


_MAILBOX = Capabilities(subject=True, copies=True, markup="markdown", attachment_limit_bytes=1 << 40, may_start=True)


def last_heard(thread: Sequence[Message], account: str | None = None) -> Message | None:
    """The newest message that came from outside (to this account) and can be answered."""
    return next(
        (
            m
            for m in reversed(thread)
            if m.direction is Direction.IN and m.kind is Kind.PUBLIC and m.sender and account in (None, m.account)
        ),
        None,
    )


def account_for(
    ticket: Ticket, asked: str | None, answers: Message | None, accounts: Mapping[str, Account], default: str = ""
) -> Account:
    """The account that an answer goes over: the one asked for (its name, or its channel's), that of what it answers, the ticket's, any."""
    for name in (asked, answers.account if answers else None, ticket.account, default):
        if name and name in accounts:
            return accounts[name]
        if name and name == asked:
            same = [a for a in accounts.values() if a.channel == name]
            if len(same) == 1:
                return same[0]
            if same:
                named = ", ".join(a.name for a in same)
                raise Invalid(f'"{name}" is the channel of several accounts; name one of them: {named}')
            raise Invalid(f'there is no account "{name}"; there are: {", ".join(accounts) or "none yet"}')
    able = [a for a in accounts.values() if a.capabilities and a.capabilities.may_start]
    if not able:
        raise Invalid("no account can send yet; add one with: deskhand init, then start: deskhand relay")
    return able[0]


def way(
    ticket: Ticket,
    account: Account,
    thread: Sequence[Message],
    contacts: Sequence[Contact],
    *,
    to: tuple[Identity, ...] = (),
    private: bool = False,
) -> Way:
    """How `account` reaches the ticket's customer (or `to`); Invalid says why it cannot.

    `contacts` are where the customer was heard, the latest first. For mail the recipients are
    the caller's affair.
    """
    can = account.capabilities or _MAILBOX
    if not can.sends:
        raise Invalid(f"{account.name} only listens; open the message's link and answer there, or use --account")
    if private and not can.private:
        raise Invalid(f"{account.name} ({account.channel}) has no answer in private; leave --private out")
    if MAIL in can.kinds:
        return Way(account, to)
    last = last_heard(thread, account.name)
    here = [c for c in contacts if c.account == account.name]
    if last is not None and last.sender is not None and not to and not private:
        public = IN_PUBLIC in last.flags
        heard = next((c for c in here if c.public == public and c.identity.value == last.sender.value), None)
        named = conversation_named(account.name, last.conversation)
        return Way(account, (last.sender,), named, public, False, heard.reply_until if heard else None)
    people = to or _known(account, can, last, here, contacts)
    found = next((c for c in here if not c.public and c.identity.value in {p.value for p in people}), None)
    if found is not None:
        return Way(account, people, found.conversation, False, private, found.reply_until)
    if not can.may_start and not private:
        raise Invalid(
            f"{people[0].label} has not written to {account.name} yet, and {account.channel} lets nobody begin; "
            "answer where they wrote"
        )
    return Way(account, people, None, False, private)


def _known(
    account: Account, can: Capabilities, last: Message | None, here: Sequence[Contact], contacts: Sequence[Contact]
) -> tuple[Identity, ...]:
    """Who the customer is to this account."""
    if last is not None and last.sender is not None:
        return (last.sender,)
    for contact in (*here, *contacts):
        if contact.identity.kind in can.kinds:
            return (contact.identity,)
    raise Invalid(
        f"nobody knows where {account.name} ({account.channel}) would reach this customer; "
        f"name them: --to {can.kinds[0]}:NAME"
    )


def refusal(
    found: Way,
    *,
    text: str,
    at: Millis,
    attach: Sequence[Attachment] = (),
    copies: Iterable[Identity] = (),
) -> str:
    """Why the account would not carry this; "" when it does."""
    can, name = found.can, found.account.name
    if found.account.held:
        return f"{name} is paused ({found.account.held}); resume it with: deskhand channel resume {name}"
    if found.reply_until is not None and at > found.reply_until and not can.after_window:
        ago = (at - found.reply_until) // 60_000
        when = f"{ago} minutes" if ago < 120 else f"{ago // 60} hours"
        return f"{name} let us answer until {when} ago; wait for the customer to write, or answer over another account"
    if any(copies) and not can.copies:
        return f"{name} ({found.account.channel}) has no copies; leave --cc and --bcc out"
    if attach and not can.attachment_limit_bytes:
        return f"{name} ({found.account.channel}) carries no files; send a link, or answer by mail"
    if can.attachment_count is not None and len(attach) > can.attachment_count:
        return f"{len(attach)} files, and {name} carries {can.attachment_count} with one message"
    for file in attach:
        if file.size > can.attachment_limit_bytes:
            return f"{file.name} has {file.size:,} bytes, and {name} carries {can.attachment_limit_bytes:,}"
        if not can.takes(file.content_type):
            return f"{file.name} is {file.content_type}, and {name} carries {', '.join(can.attachment_types)}"
    limit, unit = can.limit(public=found.public)
    if limit is not None and not can.splits and (long := length(text, unit)) > limit:
        return f"it has {long:,} {unit} and {name} takes {limit:,}: shorten it by {long - limit:,}"
    return ""


__all__ = ["MAIL", "Way", "account_for", "last_heard", "refusal", "way"]
