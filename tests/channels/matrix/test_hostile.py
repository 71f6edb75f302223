"""Whatever anybody puts into an event: it is read, or it is as if it were not there."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.matrix.events import Eye, link, read
from channels.matrix.homeserver import Url, media
from channels.matrix.rooms import Place, Room
from desk.channel import Edit, Inbound, Reaction, Removal
from tests.channels.matrix.accounts import Desk, account, only
from tests.channels.matrix.test_reading import begun, together
from tests.servers.synapse import Refused, Synapse

ROOM, EYE = Room("!room:desk.test", "!room:desk.test"), Eye("@help:desk.test", {"@ann:desk.test": "Ann"}, 1_790_000_000_000)  # fmt: skip

HEAD = {"event_id": "$e", "sender": "@ann:desk.test", "origin_server_ts": 1, "type": "m.room.message"}

junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)

names = st.sampled_from(
    ["body", "msgtype", "url", "file", "info", "filename", "format", "formatted_body", "m.relates_to", "m.new_content",
     "membership", "displayname", "geo_uri", "redacts", "m.mentions"]
)  # fmt: skip

relations = st.fixed_dictionaries(
    {},
    optional={
        "rel_type": st.sampled_from(["m.replace", "m.thread", "m.annotation"]) | junk,
        "event_id": junk,
        "key": junk,
        "is_falling_back": junk,
        "m.in_reply_to": junk,
    },
)

events = st.fixed_dictionaries(
    {"type": st.sampled_from(["m.room.message", "m.sticker", "m.room.encrypted", "m.reaction", "m.room.redaction", "m.room.member"])},
    optional={
        "event_id": st.just("$e") | junk,
        "sender": st.just("@ann:desk.test") | junk,
        "state_key": junk,
        "origin_server_ts": junk,
        "redacts": junk,
        "unsigned": junk,
        "content": st.dictionaries(names, junk | relations, max_size=6) | junk,
    },
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(events, st.booleans())
def test_no_event_breaks_the_reading(event: dict[str, Any], by_person: bool) -> None:
    seen = read(event, Room("!r", "!r", by_person=by_person), EYE)
    if seen is not None:
        told = seen.told
        assert isinstance(told.external_id, str)
        assert told.external_id
        if isinstance(told, (Inbound, Edit)):
            assert isinstance(told.text, str)
            assert told.text
        if isinstance(told, Inbound):
            assert told.at is None or type(told.at) is int
            assert isinstance(told.conversation, str)


@pytest.mark.parametrize(
    "content",
    [{}, {"msgtype": "m.text"}, {"msgtype": "m.text", "body": ""}, {"msgtype": "m.text", "body": {"a": 1}}, {"body": None}],
)  # fmt: skip
def test_a_message_without_words_says_that_it_has_none(content: dict[str, Any]) -> None:
    seen = read(HEAD | {"content": content}, ROOM, EYE)
    if not content:
        assert seen is None, "one that was taken back before we came"
    else:
        assert seen is not None
        assert isinstance(seen.told, Inbound)
        assert "without words" in seen.told.text


def text(content: dict[str, Any], **more: Any) -> str:
    seen = read(HEAD | {"content": content} | more, ROOM, EYE)
    assert seen is not None
    assert isinstance(seen.told, Inbound)
    return seen.told.text


def test_every_kind_of_message_is_told_in_words() -> None:
    assert text({"msgtype": "m.emote", "body": "waves"}) == "* Ann waves"
    assert text({"msgtype": "m.location", "body": "Here", "geo_uri": "geo:1,2"}) == "Here\ngeo:1,2"
    assert text({"msgtype": "org.example.poll", "body": "Yes or no?"}) == "Yes or no?"
    assert text({"msgtype": "m.text", "formatted_body": "<p>only <b>this</b></p>"}) == "only **this**"
    assert "\u202e" in text({"msgtype": "m.text", "body": "a\u202eb"}), "the core cleans what is drawn"
    assert text({"body": "sticker"}, type="m.sticker") == "sticker"


def test_a_program_is_not_answered_by_a_program() -> None:
    seen = read(HEAD | {"content": {"msgtype": "m.notice", "body": "beep"}}, ROOM, EYE)
    assert seen is not None
    assert isinstance(seen.told, Inbound)
    assert seen.told.automatic == "auto-reply"


def test_a_quotation_by_hand_stays() -> None:
    answer = {"m.relates_to": {"m.in_reply_to": {"event_id": "$q"}}}
    assert text({"msgtype": "m.text", "body": "> you said\nno"} | answer) == "> you said\nno"
    assert text({"msgtype": "m.text", "body": "> <@a:b> x\n\nyes"} | answer) == "yes"
    assert text({"msgtype": "m.text", "body": "> <@a:b> nothing else"} | answer) == "> <@a:b> nothing else"


@pytest.mark.parametrize(
    "uri", ["", None, 7, "mxc://", "mxc://a", "mxc:///b", "http://a/b", "mxc://a/../b", "mxc://a/b?c", "mxc://a?x/b", "mxc://../b%2f", "mxc://a/" + "b" * 2000],
)  # fmt: skip
def test_no_address_of_a_file_leads_elsewhere(uri: object) -> None:
    assert media(uri) is None


def test_an_address_of_a_file_is_taken_apart() -> None:
    assert media("mxc://desk.test:8448/Ab-c_9") == Url("desk.test:8448", "Ab-c_9")


def test_a_conversation_is_found_again_by_its_key() -> None:
    for place in (Place("!r:s"), Place("!r:s", person="@a b:s"), Place("!r:s", thread="$e")):
        assert Place.of(place.key) == place


def test_a_link_holds_whatever_a_name_holds() -> None:
    assert link("!a/b:s", "$x/?") == "https://matrix.to/#/!a%2Fb:s/$x%2F%3F?via=s"


async def test_what_a_real_server_lets_through_holds_up_nobody(synapse: Synapse) -> None:
    ann, ours, room = together(synapse)
    desk = await begun(synapse, ours)
    hostile: list[dict[str, Any]] = [
        {"body": ["no", "text"], "msgtype": 5},
        {"msgtype": "m.text", "body": "\x1b[31mred\u0000\u202e" + "x" * 30_000},
        {"msgtype": "m.image", "body": {"a": "b"}, "url": {"not": "a url"}, "info": "none"},
        {"msgtype": "m.file", "body": "../../etc/passwd", "url": "mxc://a/../../b", "info": {"size": "huge"}},
        {"msgtype": "m.text", "body": "x", "m.relates_to": "nothing"},
        {"msgtype": "m.text", "body": "x", "m.relates_to": {"rel_type": "m.replace", "event_id": 5}},
        {"m.relates_to": {"rel_type": "m.replace", "event_id": "$nowhere"}, "m.new_content": {"body": []}},
    ]
    let_through = 0
    for content in hostile:
        try:
            ann.sends(room, "m.room.message", content)
            let_through += 1
        except Refused:
            continue
    ann.sets(room, "m.room.tombstone", {"replacement_room": ["nonsense"]})
    ann.says(room, "I am well")
    heard = await desk.heard()
    assert let_through >= 3
    assert heard[-1].text == "I am well"


async def test_no_secret_is_shown(synapse: Synapse, capfd: pytest.CaptureFixture[str]) -> None:
    ann, ours, room = together(synapse)
    canary = ours.token
    desk = Desk(account(synapse, ours))
    await desk.read()
    await desk.say("hello", conversation=room)
    shown = repr(desk.settings) + repr(vars(desk.channel)) + repr(vars(desk.channel._server))
    out, err = capfd.readouterr()
    assert canary not in shown + out + err
    assert ann.id


async def test_what_is_named_from_another_room_is_left_alone(synapse: Synapse) -> None:
    ann, ours, room = together(synapse)
    desk = await begun(synapse, ours)
    question = ann.says(room, "my account number is 4711")
    (asked,) = await desk.heard()
    assert asked.external_id == question
    mallory = synapse.person("mallory")
    own = mallory.opens(ours.id)
    ours.does(own, "join")
    mallory.says(own, "and mine?", **{"m.relates_to": {"m.in_reply_to": {"event_id": question}}})
    edit = {"m.relates_to": {"rel_type": "m.replace", "event_id": question}}
    hostile: list[tuple[str, dict[str, Any]]] = [
        ("m.reaction", {"m.relates_to": {"rel_type": "m.annotation", "event_id": question, "key": "-1"}}),
        ("m.room.message", {"msgtype": "m.text", "body": "* x", "m.new_content": {"body": "x"}, **edit}),
        ("m.room.redaction", {"redacts": question}),
    ]
    for kind, content in hostile:
        # This server knows better; another one may not.
        with suppress(Refused):
            mallory.sends(own, kind, content)
    told = await desk.read()
    (said,) = only(Inbound, told)
    assert (said.text, said.conversation, said.answers) == ("and mine?", own, None)
    assert not [item for item in told if isinstance(item, Edit | Reaction | Removal)]
    await desk.channel.close()


async def test_nobody_takes_back_what_others_said(synapse: Synapse) -> None:
    mallory = synapse.person("mallory")
    ann, ours, room = together(synapse, mallory)
    desk = await begun(synapse, ours)
    question = ann.says(room, "hello")
    with suppress(Refused):
        # Not the way that the server watches over.
        mallory.sends(room, "m.room.redaction", {"redacts": question})
    told = await desk.read()
    assert [item.text for item in only(Inbound, told)] == ["hello"]
    assert not only(Removal, told)
    ann.redacts(room, question)
    (gone,) = only(Removal, await desk.read())
    assert gone.target == question
    await desk.channel.close()
