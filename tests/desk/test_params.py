"""Kinds of argument: text to value and back, and what a value means here and now."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from desk import params
from desk.errors import DeskError, Invalid
from desk.model import Identity, Priority, Status
from desk.params import LINKS, Param, address, written


def param(kind: Any) -> Param:
    return next(a for a in get_args(kind)[1:] if isinstance(a, Param))


@pytest.mark.parametrize(
    ("text", "identity"),
    [
        ("ann@x.example", Identity("email", "ann@x.example")),
        (" Ann@X.Example ", Identity("email", "ann@x.example")),
        ("Ann Lee <ann@x.example>", Identity("email", "ann@x.example", "Ann Lee")),
        ('"Lee, Ann" <ann@x.example>', Identity("email", "ann@x.example", "Lee, Ann")),
        ("<ann@x.example>", Identity("email", "ann@x.example")),
        ("Ännchen  Öl <a+b@x.example>", Identity("email", "a+b@x.example", "Ännchen Öl")),
    ],
)
def test_an_address_is_read_with_and_without_a_name(text: str, identity: Identity) -> None:
    assert address(text) == identity


@pytest.mark.parametrize(
    "text",
    ["", "ann", "ann@", "@x.example", "a b@x.example", "a@x..example", "a@.example", "a@x.example\r\nBcc: b@x.example", "a@x>,b@y"],
)  # fmt: skip
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Invalid, match=r"is not a mail address; write ann@example\.com"):
        address(text)


@given(
    st.builds(
        Identity,
        st.just("email"),
        st.from_regex(r"[a-z0-9.+_-]{1,8}@[a-z]{1,5}\.example", fullmatch=True),
        st.text(st.sampled_from("aÄ ,;.'()[]:"), max_size=10).map(lambda t: " ".join(t.split())),
    )
)
def test_a_written_address_reads_as_the_same(identity: Identity) -> None:
    assert address(written(identity)) == identity
    assume(identity.value != "z@z.example")
    several = param(params.Addresses)
    assert several.parse(several.format((written(identity), "z@z.example"))) == (written(identity), "z@z.example")


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (params.AgentRef, "Kim", "kim"),
        (params.TicketRef, "#12", 12),
        (params.MessageRefs, "4,5 6", (4, 5, 6)),
        (params.Tags, "VPN +hot, vpn", ("vpn", "hot")),
        (params.Tags, "größe a:b/c", ("größe", "a:b/c")),
        (params.StatusName, "ON-HOLD", "on-hold"),
        (params.PriorityName, "Urgent", "urgent"),
        (params.LinkKind, "parent", "parent"),
        (params.When, "tomorrow   9:00", "tomorrow 9:00"),
        (params.When, "reply", "reply"),
        (params.Address, "Ann <A@x.example>", "Ann <a@x.example>"),
        (params.Addresses, "a@x.example; b@x.example, a@x.example", ("a@x.example", "b@x.example")),
        (params.Files, "a 'b c'", ("a", "b c")),
        (params.Flag, "", True),
        (params.Flag, "no", False),
        (params.Text, " two  words ", "two words"),
        (params.Body, "a\r\nb ", "a\nb "),
    ],
)
def test_text_becomes_a_plain_value(kind: Any, text: str, value: Any) -> None:
    assert param(kind).parse(text) == value


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        (params.AgentRef, "k im", "is not the name of an agent; write a name, me or none"),
        (params.TicketRef, "9" * 16, "is not a ticket number"),
        (params.TicketRef, "-1", "is not a ticket number"),
        (params.MessageRefs, "", "are not message numbers"),
        (params.Tags, "a b!c", '"b!c" is not a tag'),
        (params.Tags, "x" * 51, "is not a tag"),
        (params.Tags, " ,", "is not a tag"),
        (params.StatusName, "slved", 'there is no status "slved" (did you mean "solved"?)'),
        (params.PriorityName, "x", 'there is no priority "x"; there are low, normal, high, urgent'),
        (params.LinkKind, "parrent", 'did you mean "parent"?'),
        (params.When, "later", "is not a time"),
        (params.Text, "  ", "the text is empty"),
        (params.Files, "'a.pdf", "'a.pdf are not files: no closing quotation"),
    ],
)
def test_a_mistake_says_what_is_expected(kind: Any, text: str, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        param(kind).parse(text)
    assert said in str(caught.value)


class Meaning:
    """A resolver that says what it was asked."""

    at = 100

    def __getattr__(self, name: str) -> Any:
        return lambda value: (name, value)


@pytest.mark.parametrize(
    ("kind", "value", "meaning"),
    [
        (params.AgentRef, "kim", ("agent", "kim")),
        (params.AgentRef, "none", None),
        (params.TeamRef, "network", ("team", "network")),
        (params.TeamRef, "none", None),
        (params.TicketRef, 12, ("ticket", 12)),
        (params.MessageRefs, (4, 5), (("message", 4), ("message", 5))),
        (params.StatusName, "open", Status.OPEN),
        (params.PriorityName, "high", Priority.HIGH),
        (params.When, "2h", ("moment", "2h")),
        (params.When, "reply", None),
        (params.Address, "Ann <a@x.example>", Identity("email", "a@x.example", "Ann")),
        (params.Addresses, ("a@x.example",), (Identity("email", "a@x.example"),)),
        (params.Files, ("a",), (("file", "a"),)),
        (params.Body, "text", "text"),
    ],
)
def test_a_value_gets_its_meaning_only_when_the_verb_runs(kind: Any, value: Any, meaning: Any) -> None:
    assert param(kind).resolve(value, Meaning()) == meaning


def test_every_link_has_one_that_answers_it() -> None:
    assert all(LINKS[LINKS[kind]] == kind for kind in LINKS)


@given(
    st.sampled_from(sorted(n for n in dir(params) if hasattr(getattr(params, n), "__metadata__"))), st.text(max_size=20)
)
def test_no_text_breaks_an_argument(name: str, text: str) -> None:
    kind = param(getattr(params, name))
    try:
        value = kind.parse(text)
    except DeskError:
        return
    assert isinstance(kind.format(value), str)
