"""What is about to be said: to whom it goes, what it looks like, what is wrong with it, and what to ask first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct
from rich.cells import cell_len

from desk.lengths import length, split
from desk.model import HOUR, Account, Draft, Identity, Message, Millis
from desk.outgoing import FORWARD, NOTE, News, recipients
from desk.signatures import signed
from desk.threads import IN_PUBLIC, PRIVATE
from desk.when import brief
from tui.attaching import File, total
from tui.columns import channel
from tui.draw import flat, plural, size, wrap
from tui.thread import WIDEST
from tui.widgets.bars import Part
from tui.widgets.lines import Drawn

_LABEL = 10


def can(account: Account | None, what: str) -> bool:
    """Whether an account carries "copies" or a "subject"; one of which nobody knows does."""
    return account is None or account.capabilities is None or bool(getattr(account.capabilities, what))


def limit(account: Account | None, what: str) -> int:
    """A limit of the account ("text_limit", "attachment_limit_bytes"); 0 when it has none."""
    value = getattr(account.capabilities, what) if account and account.capabilities else None
    return value if isinstance(value, int) else 0


class Checked(Struct, frozen=True):
    """A text as it would go out now: the message, what its customer gets besides, and what there is to know of it."""

    draft: Draft
    message: Message
    status: str
    """The status that the ticket has then."""
    account: Account | None = None
    signature: str = ""
    files: Sequence[File] = ()
    returned: frozenset[str] = frozenset()
    """Addresses from which mail came back."""
    strangers: frozenset[str] = frozenset()
    """Addresses that the desk has never seen."""
    goes: str = ""
    """When it goes out, where that was chosen."""
    promises: str = ""
    """The word with which it speaks of an attachment that is not there; "" when all is well."""

    @property
    def text(self) -> str:
        """All that the customer reads."""
        return signed(self.message.text, self.signature)

    @property
    def wrong(self) -> list[str]:
        """Why it cannot be sent as it is."""
        found = [
            f"{flat(file.name)}: {file.why}; ^x in the text takes it off" for file in self.files if file.size is None
        ]
        most, whole = limit(self.account, "attachment_limit_bytes"), sum(file.size or 0 for file in self.files)
        if most and whole > most:
            found.append(f"the files are {size(whole)}, and {self._account} lets {size(most)} through; send a link")
        return found

    @property
    def _account(self) -> str:
        return flat(self.account.name) if self.account else "the account"


# -- above the text -------------------------------------------------------------------


def heading(kind: str, message: Message | None, room: int) -> tuple[Part, ...]:
    """What is being written, in words and colour, in `room` columns; without a message nobody knows yet to whom it goes."""
    if kind == NOTE:
        return (("NOTE", "note_word"), ("  internal · only colleagues see it", "note"))
    word, scope = ("FORWARD", "to others") if kind == FORWARD else ("REPLY", _scope(message))
    if message is None:
        return ((word, "reply_word"), (f"  {scope} · to whom is told before it is sent", "quiet"))
    long, short = (f"  {scope} · {channel(message.channel)} · ", f"  {scope} · ")
    whole = _people(message, 10_000)
    if cell_len(word + long + whole) <= room:
        return ((word, "reply_word"), (long + whole, "quiet"))
    return ((word, "reply_word"), (short + _people(message, room - cell_len(word + short)), "quiet"))


def _scope(message: Message | None) -> str:
    """Who reads it: the customer, or everybody."""
    flags = message.flags if message else ()
    return "everybody can read it" if IN_PUBLIC in flags else "in private" if PRIVATE in flags else "public"


def room_left(
    message: Message | None, account: Account | None, text: str, until: Millis | None, now: Millis
) -> tuple[Part, ...]:
    """How long the text is and may be, in the account's own unit, and how long it may still be answered; nothing where neither is limited."""
    can = account.capabilities if account else None
    if can is None or message is None:
        return ()
    told: list[Part] = []
    if until is not None:
        left = f"{brief(until - now)} left to answer" if until > now else "the time to answer is over"
        told.append((left, "quiet" if until - now > HOUR else "notice"))
    most, unit = can.limit(public=IN_PUBLIC in message.flags)
    if most is not None:
        long, count = length(text, unit), len(_pieces(account, message, text))
        words = f"{long:,}/{most:,} {unit}" + (f", {plural(count, 'message')}" if count > 1 else "")
        told.append((words, "trouble" if long > most and not can.splits else "quiet"))
    return tuple(told)


def _pieces(account: Account | None, message: Message, text: str) -> Sequence[str]:
    """The messages that a text becomes on its account: more than one where it is too long for one."""
    can = account.capabilities if account else None
    most, unit = can.limit(public=IN_PUBLIC in message.flags) if can else (None, "")
    if can is None or most is None or not can.splits or length(text, unit) <= most:
        return (text,)
    return split(text, most, unit)


def _people(message: Message, room: int) -> str:
    """Everybody it goes to; of too many the first ones, and how many more."""
    told, last = "", ""
    everybody = recipients(message)
    for place, (way, person) in enumerate(everybody):
        one = (", " if way == last else f"{' · ' if told else ''}{way} ") + flat(person.value)
        rest = len(everybody) - place - 1
        if told and cell_len(told + one + (f" and {rest} more" if rest else "")) > room:
            return f"{told} and {rest + 1} more"
        told, last = told + one, way
    return told


def arrived(news: Sequence[Message], when: str) -> str:
    """That somebody spoke meanwhile."""
    last = news[-1]
    return f"! {plural(len(news), 'new message')} since you began ({when}, {flat(last.author)}): “{_begin(last)}”"


def question(news: News) -> str:
    """What to ask when somebody spoke meanwhile."""
    last = news.messages[-1]
    return f"{plural(len(news.messages), 'new message')} since you began ({flat(last.author)}: “{_begin(last)}”)"


def _begin(message: Message) -> str:
    return flat(message.visible)[:60]


def attached(files: Sequence[File], most: int, width: int) -> list[Drawn]:
    """The files under the text, with their sizes."""
    drawn = [Drawn((_file(place, file),)) for place, file in enumerate(files, 1)]
    if whole := total(files, most) if files else "":
        over = most and sum(file.size or 0 for file in files) > most
        drawn.append(Drawn(((f"  {whole}", "trouble" if over else "quiet"),)))
    return drawn


def _file(place: int, file: File) -> Part:
    if file.size is None:
        return f"  [{place}] {flat(file.name)}  ! {file.why}", "trouble"
    return f"  [{place}] {flat(file.name)}  {size(file.size)}", "quiet"


# -- the review -----------------------------------------------------------------------


def review(found: Checked, width: int, news: str = "") -> list[Drawn]:
    """The whole message as it goes out, recipients one a line, and what there is to know before."""
    kind, message = found.draft.kind, found.message
    ground, style = ("note", "note") if kind == NOTE else ("text", "text")
    inner = min(width - 4, WIDEST)
    title = {
        NOTE: ((" ", "note"), ("NOTE", "note_word"), ("  internal · only colleagues see it", "note")),
        FORWARD: ((" ", "text"), ("FORWARD", "reply_word"), ("  as they get it", "quiet")),
    }.get(kind, ((" ", "text"), ("REPLY", "reply_word"), ("  as the customer gets it", "quiet")))
    drawn = [Drawn(title, ground), Drawn((), ground)]
    for told, how in _warnings(found, news):
        drawn += [Drawn(((f"  {part}", how),), ground) for part in wrap(told, inner)]
    if len(drawn) > 2:
        drawn.append(Drawn((), ground))
    if kind != NOTE:
        for name, value, mark in _fields(found):
            drawn += _field(name, value, mark, inner)
    drawn += [
        *_field("status", _statuses(found), "", inner, ground, "note" if kind == NOTE else "quiet"),
        Drawn((), ground),
    ]
    pieces = _pieces(found.account, message, found.text)
    for place, piece in enumerate(pieces, 1):
        drawn += [Drawn((("  " + line, style),), ground) for line in wrap(piece, inner)]
        if place < len(pieces):
            drawn.append(Drawn(((f"  ── {place} of {len(pieces)} messages", "quiet"),), ground))
    theirs = [File(a.name, a.size) for a in message.attachments]
    if files := [*theirs, *found.files]:
        drawn += [Drawn((), ground), *attached(files, limit(found.account, "attachment_limit_bytes"), width)]
    if counted := room_left(message, found.account, found.text, None, 0):
        drawn += [Drawn((), ground), *(Drawn((("  " + told, how),), ground) for told, how in counted)]
    return drawn


def _warnings(found: Checked, news: str) -> Iterator[Part]:
    yield from ((f"! {told}", "trouble") for told in found.wrong)
    if found.promises:
        yield f"! you speak of an attachment (“{flat(found.promises)}”) and there is none; a attaches one", "notice"
    if news:
        yield news, "notice"


def _fields(found: Checked) -> Iterator[tuple[str, str, str]]:
    message = found.message
    if message.sender:
        yield "from", f"{flat(message.sender.display)} <{flat(message.sender.value)}>", ""
    for way, person in recipients(message):
        back, new = person.value in found.returned, person.value in found.strangers
        yield way, _address(person), "! mail to it came back" if back else "new to this desk" if new else ""
    yield "by", _carrier(message), ""
    if can(found.account, "subject"):
        yield "subject", flat(message.subject), ""
    if found.goes:
        yield "goes out", found.goes, ""


def _carrier(message: Message) -> str:
    """The channel with the account, where that has another name, and who reads it where not the customer alone."""
    named = channel(message.channel) + (f" ({flat(message.account)})" if message.account != message.channel else "")
    scope = _scope(message)
    return named if scope == "public" else f"{named}, {scope}"


def _statuses(found: Checked) -> str:
    return f"{found.status}; solved with s, pending with p"


def _field(name: str, value: str, mark: str, width: int, ground: str = "text", label: str = "quiet") -> Iterator[Drawn]:
    style = "note" if ground == "note" else "text"
    for place, line in enumerate(wrap(value, width - _LABEL - 4)):
        head = f"  {'' if place else name:>{_LABEL - 2}}  "
        marked = ((f"   {mark}", "trouble" if mark.startswith("!") else "quiet"),) if mark and not place else ()
        yield Drawn(((head, label), (line, style), *marked), ground)


def _address(person: Identity) -> str:
    return f"{flat(person.display)} <{flat(person.value)}>" if person.display else flat(person.value)
