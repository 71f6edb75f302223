"""What a query means is decided twice, by `matches` and by the store; both must say the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from desk.events import Opened, Posted, Withdrawn
from desk.model import DAY, HOUR, Attachment, Bin, Direction, Identity, Kind, Link, Message, Priority, Status, Ticket
from desk.query import FIELDS, Case, Env, QueryError, matches, parse
from desk.store import Batch, Store, Tx
from desk.text import words
from storage import open_store, search
from tests.contracts.conftest import ENGINES
from tests.torture import often

NOW = 1_770_000_000_000
ENV = Env(NOW, "kim", ("network",))

# -- desks ------------------------------------------------------------------

_VOCABULARY = (
    "error", "errors", "ERR-4711", "0x80070005", "ёлка", "Елка", "край", "краи", "東京都", "京都", "東", "都庁", "カフェ", "ガラス",
    "한국어", "สวัสดี", "Café", "cafe", "Müller", "MUELLER", "naïve", "ﬁle", "ＡＢＣ", "a_b", "ann@acme.example", "1400", "refund", "vpn",
    "e\u0301te\u0301", "ß", "İstanbul", "x" * 70,
)  # fmt: skip
_TEXTS = st.lists(st.sampled_from(_VOCABULARY), max_size=5).flatmap(
    lambda found: st.sampled_from([" ", ", ", "-", "\n", ""]).map(lambda gap: gap.join(found))
)
_NAMES = st.sampled_from(["ann", "bob", "ёж", "東京", "zoë"])
_MOMENTS = st.sampled_from(
    [NOW, NOW - 1, NOW + 1, NOW - HOUR, NOW - 2 * HOUR, NOW - 2 * HOUR - 1, NOW - DAY, NOW + HOUR, NOW + 3 * HOUR]
)
_TIMES = st.none() | _MOMENTS
_SETS = st.sets(st.sampled_from(["vpn", "hot", "ёж", "kim"]), max_size=3).map(lambda found: tuple(sorted(found)))

_TICKETS = st.fixed_dictionaries(
    {
        "subject": _TEXTS,
        "created_at": _MOMENTS,
        "updated_at": _MOMENTS,
        "status": st.sampled_from(Status),
        "priority": st.sampled_from(Priority),
        "type": st.sampled_from([None, "bug"]),
        "team": st.sampled_from([None, "network", "billing"]),
        "assignee": st.sampled_from([None, "kim", "sam"]),
        "tags": _SETS,
        "watchers": _SETS,
        "links": st.sampled_from([(), (Link("related", 3),)]),
        "channel": st.sampled_from(["", "email", "chat"]),
        "account": st.sampled_from(["", "support"]),
        "bin": st.sampled_from([Bin.NONE] * 4 + [Bin.SPAM, Bin.TRASH]),
        "merged_into": st.sampled_from([None] * 4 + [1]),
        "snoozed_until": _TIMES,
        "snoozed_for_reply": st.booleans(),
        "waiting_since": _TIMES,
        "solved_at": _TIMES,
        "paused": st.booleans(),
    }
)
_MESSAGES = st.lists(st.tuples(_TEXTS, _TEXTS, st.booleans(), st.booleans(), st.booleans()), max_size=3)
_DESKS = st.lists(st.tuples(_TICKETS, _NAMES, _MESSAGES, st.integers(0, 12)), min_size=1, max_size=6)


def fill(
    store: Store, desk: list[tuple[dict[str, Any], str, list[tuple[str, str, bool, bool, bool]], int]], turn: int
) -> list[int]:
    """Add the tickets of `desk`; returns their numbers."""
    batch = Batch(f"batch-{turn}", NOW)

    def body(tx: Tx) -> list[int]:
        numbers = []
        for fields, name, messages, _ in desk:
            person = tx.customer_for(Identity("email", f"{name}@{name}.example", name.title()), NOW)
            number = tx.new_id("ticket")
            numbers.append(number)
            tx.append(batch, [Opened(Ticket(id=number, requester=person.id, **fields))])
            for text, subject, inward, file, withdrawn in messages:
                one = tx.new_id("message")
                files = (Attachment("отчёт.pdf", "application/pdf", 1, "0" * 64),) if file else ()
                message = Message(
                    one, number, Kind.PUBLIC if inward else Kind.NOTE, Direction.IN if inward else Direction.OUT, NOW, "x", text, text,
                    subject=subject, attachments=files,
                )  # fmt: skip
                tx.append(batch, [Posted(message), *([Withdrawn(number, one)] if withdrawn else [])])
        return numbers

    numbers = store.write(body)
    for number, (*_, seen) in zip(numbers, desk, strict=True):
        if seen:
            store.seen("kim", number, max(0, store.ticket(number).heard - seen % 3))
    return numbers


def cases(store: Store, numbers: list[int], agent: str | None) -> Iterator[Case]:
    """What `matches` is asked about, from what the store gives back."""
    unread = {row.ticket.id: row.unread for row in store.rows(numbers, agent=agent)}
    for number in numbers:
        ticket, thread = store.ticket(number), store.thread(number)
        texts = [words(ticket.subject)]
        texts += [words(m.subject, m.text, *(a.name for a in m.attachments)) for m in thread]
        seen = ticket.heard - 1 if unread[number] else ticket.heard
        yield Case(ticket, store.customer(ticket.requester), texts, seen, any(m.attachments for m in thread))


# -- queries ----------------------------------------------------------------

_WORD = st.sampled_from(_VOCABULARY).map(lambda w: w.replace("\n", " "))
_PREFIX = _WORD.flatmap(lambda w: st.integers(1, len(w)).map(lambda n: f"{w[:n]}*"))
_PHRASE = st.lists(_WORD, min_size=1, max_size=3).map(lambda found: f'"{" ".join(found)}"')
_PART = _WORD.flatmap(lambda w: st.integers(0, len(w) - 1).map(lambda n: w[n:]))
_SPANS = ["1h", "2h", "1d", "0m", "today", "yesterday", "2026-02-02", "2026-02-01 02:40", "monday"]
_RANGE = st.tuples(st.sampled_from(["", "<", ">", "<=", ">=", "..", "x.."]), st.sampled_from(_SPANS)).map(
    lambda pair: f"{pair[1]}.." if pair[0] == "x.." else "".join(pair)
)


def _choices(*values: str) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True).map(",".join)


_VALUES: dict[str, st.SearchStrategy[str]] = {
    "is": _choices(*FIELDS["is"].choices),
    "status": _choices(*FIELDS["status"].choices),
    "priority": _choices(*FIELDS["priority"].choices)
    | st.tuples(st.sampled_from(["<", ">", "<=", ">="]), st.sampled_from(FIELDS["priority"].choices)).map("".join),
    "assignee": _choices("me", "none", "kim", "SAM", "nobody"),
    "team": _choices("mine", "none", "network", "billing"),
    "tag": _choices("vpn", "hot", "Ёж", "gone") | st.just("none"),
    "type": _choices("bug", "none"),
    "channel": _choices("email", "support", "chat"),
    "from": st.sampled_from(["ann", "an*", "example", "еж", "東", "ann.example", "zoe", "-"]),
    "customer": st.sampled_from(["1", "#2", "99", "bob", "b*"]),
    "org": st.sampled_from(["ann", "ann.exa*", "東京", "none"]),
    "subject": _WORD | _PREFIX | _PHRASE | _PART,
    "has": st.just("attachment"),
    "created": _RANGE,
    "updated": _RANGE,
    "solved": _RANGE | st.just("none"),
    "waiting": _RANGE | st.just("none"),
    "due": _RANGE | st.just("none"),
    "id": st.sampled_from(["1", "1,3", "2..4", "3..", "..2", "#1-#2", "999999999999999"]),
}
assert set(_VALUES) == set(FIELDS)

_FIELD = st.sampled_from(sorted(_VALUES)).flatmap(
    lambda name: _VALUES[name].map(lambda v: f'{name}:"{v}"' if " " in v and '"' not in v else f"{name}:{v}")
)
_TERM = st.one_of(_FIELD, _FIELD, _WORD, _PREFIX, _PHRASE, _PART)
_QUERIES = st.recursive(
    _TERM,
    lambda inner: st.one_of(
        inner.map(lambda q: f"-({q})"),
        _TERM.map(lambda q: f"-{q}"),
        st.lists(inner, min_size=2, max_size=3).map(" ".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"({' or '.join(parts)})"),
    ),
    max_leaves=5,
)


@pytest.fixture(scope="module", params=sorted(ENGINES))
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store for all examples, each with tickets of its own in it."""
    made = open_store(ENGINES[request.param](request, Path(tmp_path_factory.mktemp("agreement"))), create=True)
    yield made
    made.close()


_TURNS = iter(range(10**9))


@pytest.mark.parametrize("common", [2_000, 0], ids=["words looked up at once", "words looked up ticket by ticket"])
@given(desk=_DESKS, queries=st.lists(_QUERIES, min_size=8, max_size=8), agent=st.sampled_from(["kim", None]))
@settings(max_examples=often(30), deadline=None, suppress_health_check=list(HealthCheck))
def test_the_store_finds_what_the_query_means(
    store: Store, common: int, desk: list[Any], queries: list[str], agent: str | None
) -> None:
    numbers = fill(store, desk, next(_TURNS))
    env = Env(NOW, agent, ("network",) if agent else ())
    asked = list(cases(store, numbers, agent))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "COMMON", common)
        for query in queries:
            try:
                node = parse(query, env)
            except QueryError:
                continue
            meant = [case.ticket.id for case in asked if matches(node, case)]
            within = parse(f"id:{numbers[0]}..{numbers[-1]}", env)
            found = [n for n in store.ids(node, sort="oldest") if n in numbers]
            assert found == meant, query
            assert store.count(node) >= len(meant)
            assert store.ids(within, sort="oldest") == numbers
