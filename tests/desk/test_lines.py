"""Command lines: what is written is what is meant, and what is meant can be written."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk import lines
from desk.actions import Argument, find, load
from desk.assign import WAYS
from desk.errors import DeskError, Invalid, NotFound
from desk.lines import Call, parse, script
from desk.model import Priority, Status
from desk.params import LINKS, OUTCOMES
from desk.templates import expand

# -- a strategy for every kind of argument ----------------------------------

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
_TRICKY = st.text(st.sampled_from("ab ;\"'\\-#\n\té東"), max_size=12)
_BODY = (_TEXT | _TRICKY).map(lambda t: t.replace("\r\n", "\n"))
_FOLDED = _BODY.map(lambda t: " ".join(t.split())).filter(bool)
_NAME = st.text(st.sampled_from("abc.0_-"), min_size=1, max_size=8)
_DISPLAY = st.text(st.sampled_from("Änn Lee,;.'-()"), max_size=12).map(lambda t: " ".join(t.split()))
_ADDRESS = st.builds(
    lambda local, display: f'"{display}" <{local}@a.example>' if display else f"{local}@a.example",
    st.text(st.sampled_from("abc.0_+"), min_size=1, max_size=6),
    _DISPLAY,
)
_TAG = st.from_regex(r"[a-z0-9é東][a-z0-9:./_-]{0,8}", fullmatch=True)


def _plain(argument: Argument) -> st.SearchStrategy[Any]:
    """Plain values of an argument, as `parse` gives them."""
    param = argument.param
    texts: dict[str, st.SearchStrategy[str]] = {
        "agent": _NAME,
        "team": _FOLDED,
        "ticket": st.integers(1, 10**15 - 1).map(str),
        "messages": st.lists(st.integers(1, 999), min_size=1, max_size=4).map(lambda n: ",".join(map(str, n))),
        "tags": st.lists(_TAG, min_size=1, max_size=4).map(" ".join),
        "status": st.sampled_from([s.value for s in Status]),
        "priority": st.sampled_from([str(p) for p in Priority]),
        "kind": st.sampled_from(sorted(LINKS)),
        "way": st.sampled_from(WAYS),
        "outcome": st.sampled_from(OUTCOMES),
        "length": st.sampled_from(["90s", "4m", "1h10m"]),
        "person": st.one_of(_ADDRESS, st.integers(1, 10**9).map(str)),
        "word": _FOLDED,
        "when": st.sampled_from(["2h", "reply", "tomorrow 9:00", "2026-01-31", "fri 8:15", "2026-01-31 09:00"]),
        "address": _ADDRESS,
        "addresses": st.lists(_ADDRESS, min_size=1, max_size=3).map(", ".join),
        "files": st.lists(_FOLDED, max_size=3).map(shlex.join),
        "flag": st.just("yes"),
        "text": _FOLDED,
        "body": _BODY,
    }
    return texts[param.word].map(param.parse)


@st.composite
def calls(draw: st.DrawFn) -> Call:
    """A call of any verb, with some of its optional arguments."""
    action = find(draw(st.sampled_from(sorted(load()))))
    given: dict[str, Any] = {}
    for argument in action.arguments:
        if argument.required or draw(st.booleans()):
            given[argument.name] = draw(_plain(argument))
    return Call(action.name, given)


@given(calls())
@settings(max_examples=400)
def test_what_is_written_reads_as_what_was_meant(call: Call) -> None:
    assert parse(lines.format(call)) == call


@given(st.lists(calls(), min_size=1, max_size=4))
def test_several_calls_stay_apart_in_one_script(several: list[Call]) -> None:
    assert script("; ".join(map(lines.format, several))) == several


@given(st.sampled_from(sorted(load())), _TRICKY)
def test_any_line_is_a_call_or_a_sentence(verb: str, rest: str) -> None:
    try:
        call = parse(f"{verb} {rest}")
    except DeskError:
        return
    assert parse(lines.format(call)) == call


# -- reading ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "args"),
    [
        ("assign me", {"to": "me"}),
        ("assign SAM", {"to": "sam"}),
        ("tag vpn, +urgent vpn", {"tags": ("vpn", "urgent")}),
        ("reply It's done; I think", {"body": "It's done; I think"}),
        ('reply "It is done."', {"body": "It is done."}),
        ('reply She said "yes" twice', {"body": 'She said "yes" twice'}),
        ('reply "a" and "b"', {"body": '"a" and "b"'}),
        (r'reply "a \"quoted\" \\ word"', {"body": r'a "quoted" \ word'}),
        ("reply --all Thank you.", {"all": True, "body": "Thank you."}),
        ("reply --to a@x.example,b@x.example Hi", {"to": ("a@x.example", "b@x.example"), "body": "Hi"}),
        ('reply --to="Ann Lee <a@x.example>" Hi', {"to": ("Ann Lee <a@x.example>",), "body": "Hi"}),
        ("reply -- --all is a word here", {"body": "--all is a word here"}),
        ("reply --attach 'a file.pdf' Hi", {"attach": ("a", "file.pdf"), "body": "Hi"}),
        ("snooze tomorrow  9:00", {"until": "tomorrow 9:00"}),
        ("snooze --only 2h", {"only": True, "until": "2h"}),
        ("merge #12", {"into": 12}),
        ("link 3 parent", {"to": 3, "kind": "parent"}),
        ("split 4, 5 6", {"messages": (4, 5, 6)}),
        ("rename  VPN   again ", {"to": "VPN again"}),
        ("take", {}),
    ],
)
def test_a_line_is_read_as_plain_english_where_it_can_be(line: str, args: dict[str, Any]) -> None:
    assert parse(line).args == args


@pytest.mark.parametrize(
    ("line", "kind", "said"),
    [
        ("", Invalid, "the line is empty; write a verb, for example: assign me"),
        ("asign me", NotFound, 'there is no verb "asign" (did you mean "assign"?)'),
        ("assign", Invalid, "assign needs an agent; it is written: assign AGENT"),
        ("assign k!m", Invalid, '"k!m" is not the name of an agent'),
        ("take me home", Invalid, 'take does not take "me home"; it is written: take [--steal]'),
        ("reply --al hi", Invalid, 'reply has no option "--al" (did you mean "all"?)'),
        ("priority hgih", Invalid, 'there is no priority "hgih" (did you mean "high"?)'),
        ("status opne", Invalid, 'there is no status "opne" (did you mean "open"?)'),
        ("merge x", Invalid, '"x" is not a ticket number; write 12 or #12'),
        ("tag !", Invalid, '"!" is not a tag'),
        ("split x", Invalid, '"x" are not message numbers'),
        ("snooze soonish", Invalid, '"soonish" is not a time'),
        ("requester nobody", Invalid, '"nobody" is not a mail address'),
        ("rename", Invalid, "rename needs a text"),
        ("reply", Invalid, "reply needs a body; it is written: reply"),
        ("open Hello", Invalid, "open needs an address"),
        ("forward hello", Invalid, "forward needs addresses"),
    ],
)
def test_a_mistake_is_answered_with_how_it_is_written(line: str, kind: type[DeskError], said: str) -> None:
    with pytest.raises(kind) as caught:
        parse(line)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("take; tag vpn", ["take", "tag vpn"]),
        ('note "one; two"; solve', ['note "one; two"', "solve"]),
        ("note 'one; two'; solve", ['note "one; two"', "solve"]),
        ("note It's ok; solve", ['note "It\'s ok"', "solve"]),
        ("note 'tis ok; solve", ['note "\'tis ok"', "solve"]),
        ('note say "a; b" now; solve', ['note "say \\"a; b\\" now"', "solve"]),
        (";; take ;", ["take"]),
        ("", []),
    ],
)
def test_a_script_is_split_where_no_quote_is_open(text: str, found: list[str]) -> None:
    assert [lines.format(call) for call in script(text)] == found


def test_the_title_of_a_batch_is_one_short_line() -> None:
    title = lines.title([parse("take"), parse('note "' + "long\ntext " * 50 + '"')])
    first, _, second = title.partition("; ")
    assert first == "take"
    assert len(second) == 120
    assert second.endswith("…")
    assert "\n" not in title


def test_a_form_gives_texts_by_name() -> None:
    assert lines.bind(find("assign"), {"to": "SAM"}) == Call("assign", {"to": "sam"})
    assert lines.bind(find("take"), {"steal": True}) == Call("take", {"steal": True})
    with pytest.raises(Invalid, match="assign needs an agent"):
        lines.bind(find("assign"), {})


# -- lines with placeholders ----------------------------------------------------


def fill(line: str, **values: str) -> Call:
    return lines.draft(line).filled(lambda text: expand(text, values))


@pytest.mark.parametrize(
    ("line", "args"),
    [
        ("assign {{ who }}", {"to": "kim"}),
        ("assign {{who}}", {"to": "kim"}),
        ('assign {{ nobody|default("me") }}', {"to": "me"}),
        ("tag vpn {{ who }}", {"tags": ("vpn", "kim")}),
        ("reply Hello {{ who }}; and thanks", {"body": "Hello kim; and thanks"}),
        ('reply "Hello {{ who }}"', {"body": "Hello kim"}),
        ('reply "Hello {{ "a; b" }} \\"{{ who }}\\""', {"body": 'Hello a; b "kim"'}),
        ("reply --all {% if who == 'kim' %}Hi{% else %}Hello --to{% endif %}", {"all": True, "body": "Hi"}),
        ("reply --to {{ who }}@example.com Hi", {"to": ("kim@example.com",), "body": "Hi"}),
    ],
)
def test_a_placeholder_is_filled_where_it_stands(line: str, args: dict[str, Any]) -> None:
    assert fill(line, who="kim").args == args


@given(calls())
def test_a_line_without_placeholders_is_the_same_draft_or_not(call: Call) -> None:
    line = lines.format(call)
    if "{" not in line and "\0" not in line:
        assert lines.draft(line).filled(lambda text: text) == parse(line)


EVIL = (
    '"; solve; reply "gone',
    "x --to evil@example.org y",
    "--bcc evil@example.org",
    "{{ who }} {% include 'x' %}",
    "\0000\0",
    "'\"\\;\n\nsolve",
)


@pytest.mark.parametrize("said", EVIL)
def test_what_is_put_in_becomes_neither_a_verb_nor_another_argument(said: str) -> None:
    assert fill("reply --cc ann@example.com {{ said }}", said=said).args == {"cc": ("ann@example.com",), "body": said}
    assert fill('reply "{{ said }}"', said=said).args == {"body": said}
    with pytest.raises(Invalid):
        fill("assign {{ said }}", said=said)


@pytest.mark.parametrize("name", ["evil@example.org, Ann", '"x" <evil@example.org>, Ann', "a@example.org"])
def test_what_somebody_calls_themselves_adds_no_recipient(name: str) -> None:
    line = "forward --to '{{ name }} <ann@example.com>, sam@example.com' See below"
    try:
        found = fill(line, name=name).args["to"]
    except Invalid:
        return
    assert [address.rpartition(" ")[2].strip("<>") for address in found] == ["ann@example.com", "sam@example.com"]


def test_no_placeholder_names_a_file() -> None:
    with pytest.raises(Invalid, match="files are written out"):
        fill("note --attach {{ said }} See", said="/etc/passwd")


@pytest.mark.parametrize("line", ["{{ who }} me", "sol{{ who }}", "", "  "])
def test_a_verb_is_written_out(line: str) -> None:
    with pytest.raises(Invalid, match="verb"):
        lines.draft(line)


def test_a_draft_that_lacks_something_says_so() -> None:
    with pytest.raises(Invalid, match="assign needs an agent"):
        lines.draft("assign")
    with pytest.raises(NotFound, match='no verb "asign"'):
        lines.draft("asign {{ who }}")


def test_a_listing_has_one_line_each_and_quotes_may_run_over_several() -> None:
    text = 'tag vpn\n\nreply "Hello,\n\nit\'s done; really.\nsolve"\n  solve\n'
    assert [call.verb for call in lines.listing(text)] == ["tag", "reply", "solve"]
    assert lines.listing(text)[1].args["body"] == "Hello,\n\nit's done; really.\nsolve"
    assert lines.listing("note it's; fine\nsolve")[0].args["body"] == "it's; fine"
    assert lines.listing(" \n\n") == []


def test_options_may_stand_behind_a_single_word_but_not_behind_a_text() -> None:
    (first,), (second,) = script("distribute network --by skill --keep"), script("distribute --by skill --keep network")
    assert first == second
    (called,) = script("note it says --keep")
    assert called.args == {"body": "it says --keep"}
