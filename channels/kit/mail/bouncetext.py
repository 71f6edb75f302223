"""What mail servers say in words about a message that they could not deliver.

Hundreds of programs write such reports, in many languages and no form. What they have in
common: the address stands at the beginning of a line, or on one with a reply code, above a
copy of the message. So lines are weighed, and the strongest kind that occurs is believed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from desk.channel import Undelivered

CHARACTERS = 64 * 1024
LINES = 1_000
LINE_CHARACTERS = 1_000
MENTIONS = 500
_REASON_CHARACTERS = 800

_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_FAILURE = re.compile(r"(?<![\d.])[45]\.\d{1,3}\.\d{1,3}(?![\d.])")
_REPLY = re.compile(r"(?<![\d.:/-])([45])\d\d(?=[\s-])")

_COPY = re.compile(
    r"^[ \t>]{0,8}(?:[-=*_]{2,}+.{0,60}?(?:copy of|(?:original|returned|unsent|undelivered|bounced|rejected) (?:message|mail)|message (?:header|text|body)|header of"
    r"|ursprüngliche nachricht|originalnachricht|message d'origine|mensaje original|messaggio originale)"
    r"|(?:original )?message headers(?: follow|:)|below (?:this line )?is (?:a|the) copy|original (?:mail|message)(?: as)? follows?|original message:\s*$"
    r"|(?:received|return-path|dkim-signature|x-received|arc-seal): \S)",
    re.IGNORECASE | re.MULTILINE,
)
_DELAYED = re.compile(
    r"(?:will|continue to|keep|still be|is|being) (?:be )?(?:retr(?:y|ied)|trying|tried)|keep trying|attempts? (?:will continue|to deliver .{0,40} will be)|not yet been delivered"
    r"|delivery (?:\w+ ){0,3}delayed|message (?:\w+ ){0,3}delayed|delayed mail|warning message only|delivery status notification ?\(delay\)"
    r"|could not send message for|delivery warning|temporarily (?:undeliverable|unable)|wird weiter versucht|verzögert|retardé|será reintentad|опозда|задерж|遅延|延迟|延遲",
    re.IGNORECASE,
)
_FINAL = re.compile(
    r"permanent(?:ly)? (?:fail|error|fatal|undeliverable)|failed permanently|permanent(?:ly)? failure|giving up|given up|not going to try|will not be retried|no longer (?:be )?(?:try|retr)"
    r"|fatal errors?|undeliverable:|delivery failed|returned to sender|failure notice|\(failure\)",
    re.IGNORECASE,
)

_ADDRESS = re.compile(
    r"(?<![^\s<>()\[\]{}:;,\"'|=])([^\s<>()\[\]{}:;,\"'@|=][^\s<>()\[\]{}:;,\"@|]{0,80}@[^\W_][\w-]*(?:\.[\w-]+)*)"
)
_AHEAD = re.compile(
    r"[ \t>*•·=+-]*(?:\[?(?:status: error, )?(?:to|an|à|a|para|for|für|voor|recipients?|recipient address|address|addressee|failed recipient|empfänger(?:adresse)?|destinataire|destinatario|destinatário"
    r"|user|email|e-mail|to address|intended recipient|кому|получатель|宛先|收件人)\s*[:=]\s*(?:rfc822;\s*)?)?[\"'<(\[]*(?:mailto:)?\s*",
    re.IGNORECASE,
)
_CODE = re.compile(r"(?:^|[\s\[(<'\"#])[45]\d\d(?:[\s-]|$)|(?<![\d.])[45]\.\d{1,3}\.\d{1,3}(?![\d.])")
_BLAME = re.compile(
    r"rcpt to|(?:delivered|deliver|delivering|delivery|send|sent|mail(?:ed|ing)?|message|recipients?|errors?|failed|unable|address|user|mailbox|account|zustell\w*|zugestellt\w*|empfänger|destinataires?"
    r"|destinatarios?|consegna\w*|entreg\w*|доставл\w*|адрес\w*|届|配信|送信|投递|收件人)\b.{0,120}$|unknown|reject|not exist|no such|quota|full|disabled|unavailable|undeliver",
    re.IGNORECASE,
)
_ASIDE = re.compile(
    r"[ \t>]*(?:from|sender|reply-to|message-id|mail from|>>> mail from|return-path|in-reply-to|references|subject|date|cc|x-[\w-]+|by|received|dkim-[\w-]+|envelope-from|reporting-mta"
    r"|von|de|expéditeur|absender|remitente|mittente|от)\s*[:=]|.{0,40}mail from:",
    re.IGNORECASE,
)
# "To", "Subject" and "Sent" under each other sum up the message; nobody is blamed there.
_SUMMED = re.compile(r"[ \t>*]*(?:to|an|à|a|para)\s*:", re.IGNORECASE)
_SUMMARY = re.compile(
    r"[ \t>*]*(?:subject|sent|date|betreff|gesendet|datum|objet|envoyé|asunto|enviado|oggetto|inviato)\s*:",
    re.IGNORECASE,
)
_FROM = re.compile(r"(?:from|von|de)[\s:<\"'(]{1,5}$", re.IGNORECASE)
_HELP = re.compile(
    r"contact|questions?|assistance|help|support|please (?:send|write|mail|forward|e-?mail)|https?://", re.IGNORECASE
)
_STAFF = frozenset({"postmaster", "mailer-daemon", "abuse", "hostmaster", "webmaster", "support", "helpdesk"})


def status(text: str) -> str:
    """The enhanced status code (RFC 3463) in `text`; a plain reply code gives its class."""
    if found := _FAILURE.search(text) or _STATUS.search(text):
        return found[0]
    reply = _REPLY.search(text + " ")
    return f"{reply[1]}.0.0" if reply else ""


@dataclass(frozen=True, slots=True)
class _Mention:
    """One place where a report names an address, and how much that place weighs."""

    address: str
    at: int
    end: int
    weight: int


@dataclass(slots=True)
class Report:
    """The words of a report above the copy of the message."""

    text: str
    subject: str
    _mentions: list[_Mention] = field(default_factory=list)

    def __post_init__(self) -> None:
        copy = _COPY.search(self.text, min(1, len(self.text)))
        self.text = self.text[: copy.start()] if copy and copy.start() > 20 else self.text
        self._mentions = _mentions(self.text)[:MENTIONS]

    @property
    def final(self) -> bool:
        """False for a report that says that the server goes on trying."""
        words = self.subject + "\n" + self.text[:4_000]
        return _DELAYED.search(words) is None or (
            _FINAL.search(words) is not None and not _DELAYED.search(self.subject)
        )

    def recipients(self, own: frozenset[str]) -> list[Undelivered]:
        """Whom the report blames: addresses in front of their lines, else on lines that tell of an error."""
        return self._weighing(3, own) or self._weighing(2, own) or self._weighing(3, frozenset())

    def mentioned(self, own: frozenset[str]) -> list[Undelivered]:
        """The one address that the report names at all, if it is one."""
        found = self._weighing(1, own)
        return found if len(found) == 1 else []

    def judged(self, address: str) -> Undelivered:
        """What the report says of `address`."""
        reason = next((found for one in self._mentions if one.address == address and (found := self._reason(one))), "")
        return Undelivered(address, reason or self._only_reason(), self.final)

    def _weighing(self, weight: int, own: frozenset[str]) -> list[Undelivered]:
        named = dict.fromkeys(one.address for one in self._mentions if one.weight >= weight)
        blamed = [address for address in named if address not in own and address.partition("@")[0] not in _STAFF]
        return [self.judged(address) for address in blamed]

    def _reason(self, mention: _Mention) -> str:
        """The status on the line of a mention and below it, down to the next address."""
        others = (one.at for one in self._mentions if one.at > mention.at and one.address != mention.address)
        stop = min(next(others, len(self.text)), mention.end + _REASON_CHARACTERS)
        start = self.text.rfind("\n", 0, mention.at) + 1
        return status(self.text[start : mention.at] + self.text[mention.end : stop])

    def _only_reason(self) -> str:
        """The status of a report on one address, wherever it stands."""
        return status(self.text) if len({one.address for one in self._mentions if one.weight > 1}) < 2 else ""


def _mentions(text: str) -> list[_Mention]:
    found: list[_Mention] = []
    at = 0
    lines = text.split("\n")[:LINES]
    for number, line in enumerate(lines):
        if "@" in line and not _ASIDE.match(line):
            neighbours = lines[max(0, number - 1) : number + 2]
            summary = _SUMMED.match(line) is not None and any(_SUMMARY.match(other) for other in neighbours)
            found += _on_line(line[:LINE_CHARACTERS], at, summary)
        at += len(line) + 1
    return found


def _on_line(line: str, at: int, summary: bool) -> list[_Mention]:
    ahead = _AHEAD.match(line)
    begin = ahead.end() if ahead and not summary else -1
    blamed = not summary and (_CODE.search(line) or (_BLAME.search(line) and not _HELP.search(line)))
    return [
        _Mention(
            match[1].lower().strip(".'"),
            at + match.start(),
            at + match.end(),
            3 if match.start() <= begin else 2 if blamed else 1,
        )
        for match in list(_ADDRESS.finditer(line))[:20]
        if not _FROM.search(line[: match.start()][-10:])
    ]
