"""Pages of a desk with regular tickets, each way of finding them chosen on purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from desk.events import Opened, Posted
from desk.model import Direction, Identity, Kind, Message, Status, Ticket
from desk.query import Env, parse
from desk.store import Batch, Store, Tx
from storage import find, fts5, open_store, search

pytestmark = pytest.mark.sqlite("plans over FTS5")

NOW = 1_770_000_000_000
TICKETS = range(1, 61)
"""Every ticket says all; every second even, every seventh seven, every twentieth rare; a third is solved."""


def text(number: int) -> str:
    """What the ticket says."""
    said = {1: "all", 2: "even", 7: "seven", 20: "rare order-4711"}
    return " ".join(word for every, word in said.items() if number % every == 0)


def status(number: int) -> Status:
    """A third is solved."""
    return Status.SOLVED if number % 3 == 0 else Status.OPEN


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The desk."""
    folder = Path(tmp_path_factory.mktemp("find"))
    folder.chmod(0o700)
    made = open_store(f"sqlite:///{folder}/desk.db", create=True)

    def body(tx: Tx) -> None:
        person = tx.customer_for(Identity("email", "ann@acme.example", "Ann"), NOW)
        for number in TICKETS:
            ticket = Ticket(
                tx.new_id("ticket"), f"case {number}", person.id, NOW, NOW + number, status=status(number),
                tags=("few",) if number in (4, 40, 51, 57) else (), waiting_since=NOW - number % 5,
            )  # fmt: skip
            mail = Message(tx.new_id("message"), number, Kind.PUBLIC, Direction.IN, NOW, "Ann", text(number), "")
            again = Message(tx.new_id("message"), number, Kind.PUBLIC, Direction.IN, NOW, "Ann", text(number), "")
            tx.append(Batch("filled", NOW), [Opened(ticket), Posted(mail), Posted(again)])

    made.write(body)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ("all", lambda n: True),
        ("even seven", lambda n: n % 14 == 0),
        ("all -even", lambda n: n % 2),
        ("-seven", lambda n: n % 7),
        ("seven or rare", lambda n: n % 7 == 0 or n % 20 == 0),
        ("seven (even or rare)", lambda n: n % 14 == 0),
        ('"rare order 4711"', lambda n: n % 20 == 0),
        ("ra*", lambda n: n % 20 == 0),
        ("*", lambda n: True),
        ("all tag:few", lambda n: n in (4, 40, 51, 57)),
        ("even tag:few", lambda n: n in (4, 40)),
        ("tag:few or rare", lambda n: n in (4, 40, 51, 57, 20, 60)),
        ("all -tag:few", lambda n: n not in (4, 40, 51, 57)),
        ("is:live even", lambda n: n % 3 and n % 2 == 0),
        ("is:live rare", lambda n: n % 3 and n % 20 == 0),
        ("is:live seven tag:few", lambda n: False),
        ("is:live all from:ann", lambda n: n % 3),
        ("even (seven or -rare)", lambda n: n % 2 == 0 and (n % 7 == 0 or n % 20)),
        ("is:live even (seven or -rare)", lambda n: n % 3 and n % 2 == 0 and (n % 7 == 0 or n % 20)),
        ("subject:case subject:7", lambda n: n == 7),
        ("subject:all", lambda n: False),
        ("nothing", lambda n: False),
        ("no*", lambda n: False),
    ],
)
@pytest.mark.parametrize("most", [find.FEW, 5, 3], ids="few are {}".format)
@pytest.mark.parametrize("sort", ["newest", "oldest", "urgency", "updated"])
def test_pages_follow_each_other_whatever_the_plan(
    store: Store, monkeypatch: pytest.MonkeyPatch, query: str, meant: Callable[[int], Any], most: int, sort: str
) -> None:
    if most < find.FEW:
        for name, value in {"PATIENCE": 3, "FEW": most, "_SAMPLE": 2, "_LARGEST": 8}.items():
            monkeypatch.setattr(find, name, value)
        monkeypatch.setattr(fts5, "_SAMPLE", 2)
        monkeypatch.setattr(fts5, "_SPELLINGS", 1)
        monkeypatch.setattr(search, "COMMON", 0)
        monkeypatch.setattr(search, "COMMON_TAG", 0)
    wanted = sorted((n for n in TICKETS if meant(n)), key=_order(sort))
    node = parse(query, Env(NOW, "kim"))
    found: list[int] = []
    after = None
    for _ in range(len(TICKETS)):
        page = store.page(node, sort=sort, after=after, limit=2)
        found += [row.ticket.id for row in page.rows]
        after = page.next
        if after is None:
            break
    assert found == wanted
    assert store.ids(node, sort=sort) == wanted
    assert store.count(node) == len(wanted)


def _order(sort: str) -> Callable[[int], Any]:
    def due(number: int) -> tuple[int, int]:
        return (NOW - number % 5 if status(number).live else NOW * 9, number)

    return due if sort == "urgency" else (lambda n: n) if sort == "oldest" else (lambda n: -n)
