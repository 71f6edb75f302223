"""The archive of one shared support mailbox, made up: customers write in, agents answer, threads grow."""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from bench.mail import Attachment, Message, base64_lines, damage, encoded_words, html_escape, rfc5322_date, text_part
from bench.words import (
    AGENTS,
    ATTACHMENTS,
    CHARSETS,
    CHINESE,
    CLOSING,
    ENGLISH,
    FRENCH,
    GERMAN,
    GREETING,
    HTML_HEAD,
    JAPANESE,
    LANGUAGE_WEIGHTS,
    NAMES,
    PROBES,
    RUSSIAN,
    WROTE,
)  # fmt: skip

SUPPORT_DOMAIN = "support.example"
SUPPORT_ADDRESS = "help@support.example"
DEFAULT_END = 1_767_225_600  # 2026-01-01T00:00:00Z, fixed so that output never depends on the clock
TWO_YEARS = 2 * 365 * 86_400

NEW_THREAD_RATE = 0.35
UNANSWERED_RATE = 0.63
ANSWERED_MEAN = 6.0
HTML_RATE = 0.55
ATTACHMENT_RATE = 0.10


@dataclass(slots=True)
class _Customer:
    name: str
    address: str
    language: str
    company: str


@dataclass(slots=True)
class _Thread:
    number: int
    customer: _Customer
    subject: str
    agent: int
    left: int  # replies still to come
    ids: list[str] = field(default_factory=list)
    last_text: str = ""
    last_name: str = ""
    last_stamp: int = 0
    last_direction: str = "in"


class Corpus:
    """The state of one deterministic corpus; iterate `messages`."""

    def __init__(
        self,
        count: int,
        *,
        seed: int = 1,
        customers: int = 2_000,
        end: int = DEFAULT_END,
        span: int = TWO_YEARS,
        malformed: float = 0.0,
    ) -> None:
        if count < 0 or customers < 1 or span < 1 or not 0.0 <= malformed <= 1.0:
            raise ValueError("count, customers and span must be positive, malformed a fraction")
        self.count = count
        self.seed = seed
        self.end = end
        self.span = span
        self.malformed = malformed
        self._rng = random.Random(seed)
        self.sentences = {lang: self._sentence_pool(lang) for lang in LANGUAGE_WEIGHTS}
        self._customers = self._make_customers(customers)
        self._customer_cum = list(accumulate(1.0 / rank for rank in range(1, customers + 1)))
        hours = [
            (0.15 if day >= 5 else 1.0) * (1.0 if 8 <= hour < 18 else 0.15) for day in range(7) for hour in range(24)
        ]
        total = sum(hours)
        self._week_cum = [0.0, *accumulate(h / total for h in hours)]
        self._noise = self._rng.randbytes(1 << 17)  # attachments are slices of this

    # -- material ---------------------------------------------------------

    def _sentence_pool(self, lang: str) -> list[str]:
        rng = self._rng
        core = {"en": ENGLISH, "de": GERMAN, "fr": FRENCH, "ru": RUSSIAN, "ja": JAPANESE, "zh": CHINESE}[lang]
        words = list(dict.fromkeys(core))
        if lang in ("ja", "zh"):
            low, high = ("ァ", "ヶ") if lang == "ja" else ("一", "丿")
            tail = [
                "".join(chr(rng.randint(ord(low), ord(high))) for _ in range(rng.randint(2, 4))) for _ in range(800)
            ]
            size, joiner, stop, bounds = 2_500, "", "。", (5, 14)
        else:
            onset, nucleus = (
                (
                    [
                        "б",
                        "в",
                        "г",
                        "д",
                        "ж",
                        "з",
                        "к",
                        "л",
                        "м",
                        "н",
                        "п",
                        "р",
                        "с",
                        "т",
                        "ф",
                        "х",
                        "ц",
                        "ч",
                        "ш",
                        "пр",
                        "ст",
                        "кр",
                    ],
                    ["а", "е", "и", "о", "у", "ы", "я", "ю"],
                )
                if lang == "ru"
                else (
                    [
                        "b",
                        "c",
                        "d",
                        "f",
                        "g",
                        "h",
                        "j",
                        "k",
                        "l",
                        "m",
                        "n",
                        "p",
                        "r",
                        "s",
                        "t",
                        "v",
                        "w",
                        "br",
                        "ch",
                        "cl",
                        "dr",
                        "fl",
                        "gr",
                        "pl",
                        "pr",
                        "sh",
                        "st",
                        "th",
                        "tr",
                    ],
                    ["a", "e", "i", "o", "u", "ai", "ea", "ou"],
                )
            )
            size = 12_000 if lang == "en" else 3_000
            tail = [
                "".join(rng.choice(onset) + rng.choice(nucleus) for _ in range(rng.randint(2, 5)))
                for _ in range(size // 2)
            ]
            joiner, stop, bounds = " ", ".", (5, 18)
        words += [w for w in dict.fromkeys(tail) if w not in PROBES]
        cum = list(accumulate(1.0 / (rank + 2.0) ** 0.95 for rank in range(len(words))))
        pool: list[str] = []
        for _ in range(size):
            picked = rng.choices(words, cum_weights=cum, k=rng.randint(*bounds))
            sentence = joiner.join(picked)
            if lang == "en" and not sentence.isascii():
                raise AssertionError("English must stay ASCII")
            pool.append(sentence[0].upper() + sentence[1:] + (stop if rng.random() < 0.85 else "?"))
        return pool

    def _make_customers(self, number: int) -> list[_Customer]:
        rng = self._rng
        languages = rng.choices(list(LANGUAGE_WEIGHTS), weights=list(LANGUAGE_WEIGHTS.values()), k=number)
        people: list[_Customer] = []
        for i, lang in enumerate(languages):
            first, last = NAMES[lang]
            name = (
                f"{rng.choice(last)} {rng.choice(first)}"
                if lang in ("ja", "zh")
                else f"{rng.choice(first)} {rng.choice(last)}"
            )
            site = f"customer{i % 400}.example"
            people.append(_Customer(name, f"user{i}@{site}", lang, f"Company {i % 400} Ltd"))
        return people

    # -- random draws -----------------------------------------------------

    def _thread_size(self) -> int:
        """Messages in a new thread: 63 % singletons, the rest 2 and up, mean six."""
        rng = self._rng
        if rng.random() < UNANSWERED_RATE:
            return 1
        # log-normal with median 2.3 and mean 4.0 extra messages beyond the first two
        return min(120, 2 + int(rng.lognormvariate(0.93, 1.08) + 0.05))

    def _timestamp(self, index: int) -> int:
        """When message `index` arrives: even over the weeks, dense in office hours."""
        start = self.end - self.span
        position = self.span * (index + 0.5) / max(1, self.count)
        week, inside = divmod(position, 604_800)
        length = min(604_800.0, self.span - week * 604_800)
        if length < 604_800:  # the last, partial week stays linear
            return int(start + position)
        share = inside / 604_800
        slot = min(167, bisect(self._week_cum, share) - 1)
        low, high = self._week_cum[slot], self._week_cum[slot + 1]
        return int(start + week * 604_800 + (slot + (share - low) / (high - low)) * 3_600)

    # -- messages ---------------------------------------------------------

    def messages(self) -> Iterator[Message]:
        """Yield the `count` messages in chronological order."""
        rng = self._rng
        live: list[_Thread] = []
        threads = 0
        for index in range(self.count):
            stamp = self._timestamp(index)
            if live and rng.random() >= NEW_THREAD_RATE:
                # recent threads are likelier to be answered
                slot = len(live) - 1 - min(len(live) - 1, int(rng.expovariate(1 / 60)))
                thread = live[slot]
                thread.left -= 1
                if thread.left <= 0:
                    live.pop(slot)
            else:
                customer = self._customers[bisect(self._customer_cum, rng.random() * self._customer_cum[-1])]
                subject = self._subject(customer.language, index)
                thread = _Thread(threads, customer, subject, rng.randrange(len(AGENTS)), self._thread_size() - 1)
                threads += 1
                if thread.left > 0:
                    live.append(thread)
            yield self._message(index, stamp, thread)

    def _subject(self, lang: str, index: int) -> str:
        sentence = self._rng.choice(self.sentences[lang])[:-1]
        limit = 20 if lang in ("ja", "zh") else 60
        if len(sentence) > limit:
            sentence = sentence[:limit].rsplit(" ", 1)[0] if " " in sentence[:limit] else sentence[:limit]
        return sentence + (f" #{100_000 + index}" if self._rng.random() < 0.3 else "")

    def _message(self, index: int, stamp: int, thread: _Thread) -> Message:
        rng = self._rng
        person = thread.customer
        lang = person.language
        first = not thread.ids
        if first:
            direction = "in"
        else:
            other = "out" if thread.last_direction == "in" else "in"
            direction = other if rng.random() < 0.88 else thread.last_direction
        if direction == "in":
            name, address = person.name, person.address
            charset = rng.choices(CHARSETS[lang][0], weights=CHARSETS[lang][1])[0]
            to_name, to_address = "Support", SUPPORT_ADDRESS
            domain = address.partition("@")[2]
        else:
            name, address = f"{AGENTS[thread.agent]} (Support)", SUPPORT_ADDRESS
            charset = "utf-8"
            to_name, to_address = person.name, person.address
            domain = SUPPORT_DOMAIN
        message_id = f"{stamp:x}.{index:x}.{rng.getrandbits(40):010x}@{domain}"
        subject = thread.subject if first else f"Re: {thread.subject}"

        own = self._own_text(lang, name, direction, person, index)
        text = own
        if not first and rng.random() < 0.9:
            quoted = "\n".join(
                [f"> {line}" if line else ">" for line in thread.last_text.split("\n")[: rng.randint(8, 40)]]
            )
            attribution = WROTE[lang].format(d=rfc5322_date(thread.last_stamp)[5:22], n=thread.last_name)
            text = f"{own}\n\n{attribution}\n{quoted}" if rng.random() < 0.85 else f"{attribution}\n{quoted}\n\n{own}"
        text += "\n"

        attachments = [self._attachment(index)] if rng.random() < ATTACHMENT_RATE else []
        html = rng.random() < HTML_RATE
        cte = self._cte(text, charset, lang)
        entity = self._entity(text, charset, cte, lang, html, attachments, index)

        references = thread.ids if len(thread.ids) <= 12 else [thread.ids[0], *thread.ids[-11:]]
        parent = thread.ids[-1] if thread.ids else None
        method = (
            "Q" if charset in ("iso-8859-1", "utf-8") and lang in ("en", "de", "fr") and rng.random() < 0.7 else "B"
        )
        header_charset = charset if charset != "us-ascii" else "utf-8"
        head = [
            f"Return-Path: <{address}>",
            f"Received: from mx.{domain} (mx.{domain} [192.0.2.{index % 254 + 1}])",
            f"\tby mail.{SUPPORT_DOMAIN} with ESMTPS id {index:010x}; {rfc5322_date(stamp + 2)}",
            f"Date: {rfc5322_date(stamp)}",
            f"From: {self._mailbox(name, address, header_charset, method)}",
            f"To: {self._mailbox(to_name, to_address, header_charset, method)}",
            f"Subject: {encoded_words(subject, header_charset, method)}",
            f"Message-ID: <{message_id}>",
        ]
        if parent is not None:
            head.append(f"In-Reply-To: <{parent}>")
            head.append("References: " + "\n ".join([f"<{ref}>" for ref in references]))
        head.append("MIME-Version: 1.0")
        raw = ("\n".join(head) + "\n").encode("ascii") + entity
        message = Message(
            index, thread.number, stamp, message_id, parent, list(references), direction, name, address,
            to_name, to_address, subject, text, lang, charset, attachments, raw,
        )  # fmt: skip
        thread.ids.append(message_id)
        thread.last_text, thread.last_name, thread.last_stamp, thread.last_direction = (
            text.rstrip("\n"),
            name,
            stamp,
            direction,
        )
        if self.malformed and rng.random() < self.malformed:
            damage(message, rng)
        return message

    def _mailbox(self, name: str, address: str, charset: str, method: str) -> str:
        if name.isascii():
            return f'"{name}" <{address}>'
        return f"{encoded_words(name, charset, method)} <{address}>"

    def _own_text(self, lang: str, name: str, direction: str, person: _Customer, index: int) -> str:
        """The sender's new text, greeting to signature, without quotes."""
        rng = self._rng
        pool = self.sentences[lang]
        joiner = "\n" if rng.random() < 0.6 else ("" if lang in ("ja", "zh") else " ")
        lines = [GREETING[lang], ""]
        for _ in range(1 + min(7, int(rng.expovariate(0.45)))):
            sentences = rng.choices(pool, k=rng.randint(2, 5))
            lines += [joiner.join(sentences), ""]
        if rng.random() < 0.35:
            lines += [f"ref {rng.getrandbits(32):08x} order {rng.randrange(10**7):07d}", ""]
        for word, rate in PROBES.items():
            if rng.random() < rate:
                lines += [f"{word} {rng.randrange(10**4)}", ""]
        lines.append(CLOSING[lang])
        lines.append(name)
        if direction == "out":
            lines += [
                "-- ",
                f"{name}, {SUPPORT_DOMAIN}",
                "Tel. +44 20 7946 0000 | Mon-Fri 8-18 UTC",
                f"https://{SUPPORT_DOMAIN}/tickets",
            ]
        elif rng.random() < 0.6:
            lines += ["-- ", name, person.company, f"{person.address} | +44 20 7946 {index % 10_000:04d}"]
        return "\n".join(lines)

    def _cte(self, text: str, charset: str, lang: str) -> str:
        rng = self._rng
        if charset == "iso-2022-jp":
            return "7bit"
        if text.isascii() and charset != "utf-16":
            return "7bit" if rng.random() < 0.6 else "quoted-printable"
        draw = rng.random()
        if lang in ("en", "de", "fr"):
            return "quoted-printable" if draw < 0.7 else "8bit" if draw < 0.85 else "base64"
        return "base64" if draw < 0.6 else "8bit" if draw < 0.85 else "quoted-printable"

    def _attachment(self, index: int) -> Attachment:
        rng = self._rng
        pattern, content_type, magic = rng.choice(ATTACHMENTS)
        size = int(min(40_960, max(2_048, rng.lognormvariate(9.1, 0.8))))
        if magic:
            start = rng.randrange(len(self._noise) - 40_960)
            data = magic + self._noise[start : start + size - len(magic)]
        else:
            pool = self.sentences["en"]
            data = ("\n".join(rng.choices(pool, k=size // 60)) + "\n").encode()
        return Attachment(pattern.format(n=index), content_type, data)

    def _entity(
        self, text: str, charset: str, cte: str, lang: str, html: bool, attachments: Sequence[Attachment], index: int
    ) -> bytes:
        """The MIME entity from its `Content-Type` on (no message headers)."""
        body = text_part(text, charset, "plain", cte)
        if html:
            page = "".join(
                [
                    HTML_HEAD.format(charset=charset, lang=lang),
                    "\n".join(
                        [
                            f'<p class="MsoNormal">{line}</p>' if line else "<p>&nbsp;</p>"
                            for line in html_escape(text).split("\n")
                        ]
                    ),
                    "\n</body></html>\n",
                ]
            )
            page_cte = "quoted-printable" if cte in ("7bit", "8bit") and charset != "iso-2022-jp" else cte
            boundary = b"=_alt_%08x" % index
            body = b'Content-Type: multipart/alternative; boundary="%s"\n\n--%s\n%s\n--%s\n%s\n--%s--\n' % (
                boundary, boundary, body, boundary, text_part(page, charset, "html", page_cte), boundary,
            )  # fmt: skip
        for attachment in attachments:
            boundary = b"=_mix_%08x" % index
            name = attachment.name.encode()
            body = (
                b'Content-Type: multipart/mixed; boundary="%s"\n\n--%s\n%s\n--%s\n'
                b'Content-Type: %s; name="%s"\nContent-Disposition: attachment; filename="%s"\n'
                b"Content-Transfer-Encoding: base64\n\n%s\n--%s--\n"
            ) % (
                boundary,
                boundary,
                body,
                boundary,
                attachment.content_type.encode(),
                name,
                name,
                base64_lines(attachment.data),
                boundary,
            )
        return body


def generate(
    count: int, *, seed: int = 1, customers: int = 2_000, end: int = DEFAULT_END, malformed: float = 0.0
) -> Iterator[Message]:
    """Yield `count` messages; equal arguments give equal messages."""
    return Corpus(count, seed=seed, customers=customers, end=end, malformed=malformed).messages()
