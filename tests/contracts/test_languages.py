"""What people write in every language is found by what people type, whole and in part; in the text and in the store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from desk.channel import Inbound
from desk.config import DeskConfig
from desk.intake import Intake, prepare, take_in
from desk.model import Account, Identity
from desk.query import EVERYTHING, Env, Words, parse, word
from desk.store import Batch, Store
from desk.text import contains, storable, tokens, words
from desk.threads import Signer
from storage import open_store
from tests.contracts.conftest import ENGINES

NOW = 1_770_000_000_000

FOUND = [
    # written, and what is typed to find it
    ("Ёлка и край", ["ёлка", "елка", "ЁЛКА", "елк*", "край", "и"]),
    ("Мой заказ №4711", ["мой", "заказ", "4711", "№4711"]),
    ("п\u02bcять п'ять", ['"п ять"']),
    ("Müller, Straße, GRÖSSE", ["müller", "muller", "MÜLLER", "straße", "strasse", "STRASSE", "größe", "mul*"]),
    ("L’été à Orléans, cœur, naïve", ["été", "ete", "ÉTÉ", "l'été", "orleans", "cœur", "coeur", "naive"]),
    ("Καλημέρα, Οδός", ["καλημερα", "ΚΑΛΗΜΕΡΑ", "οδος", "ΟΔΌΣ", "καλ*"]),
    ("İstanbul ISPARTA ısı", ["istanbul", "İSTANBUL", "ısparta", "isparta", "ısı", "isi"]),
    ("Łódź, Søren, Đorđe", ["łódź", "lodz", "soren", "søren", "dorde"]),
    ("مُحَمَّد كتــاب أحمد رقم ٤٧١١", ["محمد", "كتاب", "احمد", "أحمد", "4711", "٤٧١١", "كت*"]),
    ("کتاب فارسی ۱۲", ["کتاب", "كتاب", "فارسي", "12"]),
    ("שָׁלוֹם בית־ספר", ["שלום", "שָׁלוֹם", "בית", "ספר", "בית־ספר"]),
    ("हिन्दी में किताब, नंबर ४७", ["हिन्दी", "हिन्*", "किताब", "47"]),
    ("தமிழ் মধ্যে తెలుగు", ["தமிழ்", "মধ্যে", "తెలుగు", "தமி*"]),
    ("ฉันต้องการคืนเงิน", ["คืนเงิน", "ต้องการ", "เงิน"]),
    ("ຂ້ອຍຕ້ອງການເງິນ ខ្ញុំត្រូវការប្រាក់", ["ເງິນ", "ប្រាក់"]),
    ("请问我的订单在哪里", ["订单", "我的订单", "单", "在哪里"]),
    ("カスタマーサポートに東京都から", ["サポート", "東京", "京都", "カスタマー", "都"]),
    ("ｶﾞｲﾄﾞ　ＡＢＣ１２３", ["ガイド", "ｶﾞｲﾄﾞ", "abc123", "ＡＢＣ１２３"]),
    ("환불 요청합니다", ["환불", "요청", "환불 요청합니다", "요청합니다"]),
    ("\u1112\u116a\u11ab\u1107\u116e\u11af", ["환불"]),
    ("ann.lee+vpn@mail.acme.example", ["ann.lee+vpn@mail.acme.example", "lee", "acme", "acme.example", "mail.ac*"]),
    ("host db-01.eu.acme.example is at 10.0.12.7", ["db-01", "eu.acme", "10.0.12.7", "0.12", "db-01.eu*"]),
    ("fe80::1ff:fe23:4567", ["fe80::1ff", "1ff:fe23"]),
    ("0x80070057 in ERR-4711", ["0x80070057", "0X80070057", "0x8007*", "ERR-4711", "err", "4711", "err-47*"]),
    ("upgrade 4.2.1 to 4.10.0-rc1", ["4.2.1", "2.1", "4.2*", "4.10.0-rc1", "rc1"]),
    ("order 000123 (ORD-00042)", ["000123", "00042", "ord-00042", "0001*"]),
    ("getUserName() in my_module", ["getUserName", "getusername", "my_module", "module", "getuser*"]),
    ("Rechnungs\u00adnummer ser\u200bver x\u2060y", ["rechnungsnummer", "server", "xy"]),
    ("5 m², ﬁle, Ⅳ, Windows™, 3㎾", ["m2", "file", "iv", "windows", "3kw"]),
]  # fmt: skip

APART = [
    ("край", "краи"),
    ("order 123", "0123"),
    ("order 000123", "123"),
    ("getUserName", "user"),
    ("किताब", "कतब"),
    ("หมา", "หมู"),
    ("ガラス", "カラス"),
    ("4.21", "4.2"),
    ("בית־ספר", "ביתספר"),
]
"""What must not be taken for each other: a text, and what does not find it."""

ENV = Env(NOW)
_PAIRS = [(text, typed) for text, typings in FOUND for typed in typings]


def holds(text: str, typed: str) -> bool:
    """Whether the words of `text` have what is typed."""
    node = word(typed.strip('"'))
    assert isinstance(node, Words), typed
    return contains(words(text), node.needle, node.prefix)


@pytest.mark.parametrize(("text", "typed"), _PAIRS)
def test_what_is_typed_finds_what_is_written(text: str, typed: str) -> None:
    assert holds(text, typed)


@pytest.mark.parametrize(("text", "typed"), APART)
def test_what_differs_is_kept_apart(text: str, typed: str) -> None:
    assert not holds(text, typed)


@pytest.fixture(scope="module", params=sorted(ENGINES))
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store for all texts."""
    made = open_store(ENGINES[request.param](request, Path(tmp_path_factory.mktemp("languages"))), create=True)
    made.save_account(Account("support", "email", "help@desk.test"))
    yield made
    made.close()


_KEYS = iter(range(10**9))


def take(store: Store, texts: list[str]) -> list[int]:
    """Each text as a mail of its own; the numbers of their tickets."""
    how = Intake("support", "email", DeskConfig(), Signer(b"x" * 32))
    items = [
        prepare(Inbound(f"{key}", NOW, Identity("email", "ann@acme.example"), text, text, "", message_id=f"{key}@x"))
        for text, key in zip(texts, _KEYS, strict=False)
    ]
    before = store.last_seq()
    store.write(lambda tx: take_in(tx, how, items, Batch(f"b{items[0].external_id}", NOW)))
    return [int(r.about) for r in store.log(after=before, limit=10**6) if r.kind == "Opened"]


def test_the_store_finds_it_too(store: Store) -> None:
    texts = [text for text, _ in FOUND]
    numbers = take(store, texts)
    for number, (_, typings) in zip(numbers, FOUND, strict=True):
        for typed in typings:
            quoted = typed if typed.endswith("*") or '"' in typed else f'"{typed}"'
            for sort in ("newest", "urgency"):
                assert number in store.ids(parse(quoted, ENV), sort=sort, limit=1_000), (typed, sort)


_STRANGE = st.text(
    st.one_of(
        st.characters(codec=None),
        st.sampled_from(
            "aéßИ\u0306ёİıﬁ東京ｶﾞ한ᄒ\u1161ा\u0e33ส\u0e34\u05bc\u064b٤४\u200b\u00ad\ud800\x00_-.@*\"'™№K\u0345ͅᾳ"
        ),
    ),
    max_size=30,
)


@given(st.lists(_STRANGE, min_size=4, max_size=4))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_word_of_any_text_is_found(store: Store, texts: list[str]) -> None:
    numbers = take(store, texts)
    for number, text in zip(numbers, texts, strict=True):
        assert store.thread(number)[0].text == storable(text)
        for token in dict.fromkeys(tokens(text)):
            asked = Words("text", token, False)
            assert contains(words(text), token, False)
            assert number in store.ids(asked, sort="newest")
        whole = word(text)
        if whole != EVERYTHING:
            assert number in store.ids(whole, sort="newest"), text


@given(_STRANGE)
def test_words_of_words_are_the_same_words(text: str) -> None:
    for token in tokens(text):
        assert tokens(token)[0] == token
