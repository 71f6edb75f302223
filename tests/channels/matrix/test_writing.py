"""What the desk says, as it stands in rooms; against a real homeserver."""

from __future__ import annotations

import json
from typing import Any

import pytest

from channels.matrix import Matrix, Settings
from channels.matrix.writing import TEXT_LIMIT_BYTES
from desk.channel import AuthRequired, Permanent, RateLimited, Retry
from desk.model import Identity
from tests.channels.matrix.accounts import Desk, account, draft, picture
from tests.channels.matrix.test_reading import begun, together
from tests.servers.synapse import CLIENT, Synapse, segment

NOWHERE = Matrix("support", Settings(url="http://127.0.0.1:1", user="@help:desk.test", token="unused", timeout_s=1.0))


def contents(text: str, **more: Any) -> list[dict[str, Any]]:
    """What `text` becomes."""
    parts = NOWHERE.render(draft(NOWHERE, text, conversation=more.pop("conversation", "!room:desk.test"), **more))
    return [json.loads(part.data.partition(b"\n")[0])["content"] for part in parts]


def test_markdown_goes_as_html_with_the_text_beside_it() -> None:
    (content,) = contents("**Hello** <b>you</b>\n\n    code")
    assert content["msgtype"] == "m.text"
    assert content["body"] == "**Hello** <b>you</b>\n\n    code"
    assert content["format"] == "org.matrix.custom.html"
    assert "<strong>Hello</strong> &lt;b&gt;you&lt;/b&gt;" in content["formatted_body"]
    assert content["m.mentions"] == {}


def test_what_is_automatic_is_a_notice_that_nobody_answers() -> None:
    (content,) = contents("We have it.", automatic=True)
    assert content["msgtype"] == "m.notice"


def test_a_long_text_goes_as_several_events_and_only_the_first_answers() -> None:
    said = contents("\n\n".join(f"Paragraph {n}. " + "word " * 200 for n in range(40)), answers="$first")
    assert len(said) > 2
    assert all(len(c["body"].encode()) <= TEXT_LIMIT_BYTES for c in said)
    assert all(len(json.dumps(c).encode()) < 64_000 for c in said)
    assert [("m.relates_to" in c) for c in said] == [True] + [False] * (len(said) - 1)


def test_html_that_would_burst_the_event_is_left_out() -> None:
    (content,) = contents("&" * (TEXT_LIMIT_BYTES - 10))
    assert "formatted_body" not in content


def test_a_thread_is_answered_in_the_thread() -> None:
    (plain,) = contents("In it", conversation="!room:desk.test $root")
    (answer,) = contents("In it", conversation="!room:desk.test $root", answers="$other")
    fallen = {"rel_type": "m.thread", "event_id": "$root", "is_falling_back": True, "m.in_reply_to": {"event_id": "$root"}}  # fmt: skip
    assert plain["m.relates_to"] == fallen
    assert answer["m.relates_to"] == fallen | {"is_falling_back": False, "m.in_reply_to": {"event_id": "$other"}}


def test_in_a_busy_room_it_says_whom_it_is_for() -> None:
    (content,) = contents("Look here", conversation="!room:desk.test @ann:desk.test", to=["@ann:desk.test"])
    assert content["body"] == "ann: Look here"
    assert content["formatted_body"].startswith('<p><a href="https://matrix.to/#/@ann:desk.test">ann</a>: Look here')
    assert content["m.mentions"] == {"user_ids": ["@ann:desk.test"]}
    (reply,) = contents("Look here", conversation="!room:desk.test @ann:desk.test", answers="$question")
    assert reply["body"] == "Look here"
    assert reply["m.mentions"] == {"user_ids": ["@ann:desk.test"]}


def test_who_is_not_on_matrix_is_not_written_to() -> None:
    for to in ((Identity("email", "ann@example.com"),), ()):
        with pytest.raises(Permanent, match="nobody on Matrix"):
            NOWHERE.render(draft(NOWHERE, "Hello", to=()).__class__(1, "m", 0, NOWHERE.addresses[0], to, "Hello"))


def test_a_file_that_is_too_large_is_refused_before_anything_goes() -> None:
    small = Matrix("support", Settings(url="http://127.0.0.1:1", user="@help:desk.test", attachment_limit_bytes=99))
    with pytest.raises(Permanent, match="at most 99 go"):
        small.render(draft(small, "Look", conversation="!r", attachments=(picture(),)))


async def test_it_arrives_and_a_key_counts_once(synapse: Synapse) -> None:
    ann, ours, room = together(synapse)
    desk = await begun(synapse, ours)
    first = ann.says(room, "question")
    sent = await desk.say("**answer**", conversation=room, answers=first)
    again = await desk.say("**answer**", conversation=room, answers=first)
    # Another process with the same token, as after a crash.
    await desk.restart()
    later = await desk.say("**answer**", conversation=room, answers=first)
    assert sent == again == later
    said = ann.sees(room)[1:]
    assert [e["event_id"] for e in said] == [sent[0].remote_id]
    assert said[0]["content"]["m.relates_to"] == {"m.in_reply_to": {"event_id": first}}
    assert "<strong>answer</strong>" in said[0]["content"]["formatted_body"]
    assert desk.phases == ["data"] * 3


async def test_files_follow_the_text(synapse: Synapse) -> None:
    ann, ours, room = together(synapse)
    desk = await begun(synapse, ours)
    image, data = picture("pl\u202ean.png")
    await desk.say("See this.", conversation=room, attachments=((image, data), picture("log.txt", 50, "text/plain")))
    text, shown, log = (event["content"] for event in ann.sees(room))
    assert text["body"] == "See this."
    assert (shown["msgtype"], shown["info"], shown["body"]) == ("m.image", {"mimetype": "image/png", "size": 1000}, image.name)  # fmt: skip
    assert log["msgtype"] == "m.file"
    heard = [m.attachments[0].size for m in await desk.heard() if m.attachments]
    assert heard == [1000, 50]


async def test_a_file_the_server_does_not_take_is_said(synapse: Synapse) -> None:
    ann, ours, room = together(synapse)
    desk = await begun(synapse, ours)
    with pytest.raises(Permanent, match=r"larger than 127\.0\.0\.1:"):
        await desk.say("", conversation=room, attachments=(picture(size=3_000_000),))
    assert ann.sees(room) == []
    assert desk.phases == [], "nothing of the message was on the way"


async def test_an_answer_in_private_opens_a_room_once(synapse: Synapse) -> None:
    ann, ours, room = together(synapse, public=True)
    desk = await begun(synapse, ours)
    conversation = f"{room} {ann.id}"
    (sent,) = await desk.say("between us", conversation=conversation, private=True, to=[ann.id])
    assert sent.conversation not in (None, room)
    assert sent.conversation in ann.invited()
    await desk.restart()
    (again,) = await desk.say("and more", key="deskhand-2-2", private=True, to=[ann.id])
    assert again.conversation == sent.conversation
    ann.does(str(sent.conversation), "join")
    ann.says(str(sent.conversation), "thanks")
    assert [e["content"]["body"] for e in ann.sees(str(sent.conversation))] == ["between us", "and more", "thanks"]
    assert ann.sees(room) == []
    heard = [m for m in await desk.heard() if not m.ours]
    assert [(m.text, m.conversation, m.public) for m in heard] == [("thanks", sent.conversation, False)]


async def test_a_direct_room_that_was_left_is_not_used_again(synapse: Synapse) -> None:
    ann, ours = synapse.person("ann"), synapse.person("help")
    desk = await begun(synapse, ours)
    (sent,) = await desk.say("hello", to=[ann.id])
    ann.does(str(sent.conversation), "leave")
    (again,) = await desk.say("hello again", key="deskhand-2-2", to=[ann.id])
    assert again.conversation != sent.conversation


async def test_somebody_who_does_not_exist_is_refused_or_invited_in_vain_but_said(synapse: Synapse) -> None:
    desk = await begun(synapse, synapse.person("help"))
    with pytest.raises((Permanent, Retry)):
        await desk.say("hello", to=["@nobody:no-such-server.invalid"])


@pytest.mark.parametrize("deed", ["kick", "ban"])
async def test_who_was_put_out_of_a_room_is_told_why(synapse: Synapse, deed: str) -> None:
    ann, ours, room = together(synapse)
    desk = await begun(synapse, ours)
    ann.does(room, deed, {"user_id": ours.id, "reason": "too loud"})
    await desk.read()
    words = {"kick": "removed from the room", "ban": "banned from the room"}[deed]
    with pytest.raises(Permanent, match=rf'{words}.* \("too loud"\): ask'):
        await desk.say("hello", conversation=room)


async def test_a_process_that_did_not_see_us_banned_says_what_the_server_says(synapse: Synapse) -> None:
    ann, ours, room = together(synapse)
    ann.does(room, "ban", {"user_id": ours.id})
    with pytest.raises(Permanent, match=r"kept out of the room \(.*not in room.*\): ask its moderators"):
        await Desk(account(synapse, ours)).say("hello", conversation=room)


async def test_who_may_not_speak_is_told_so(synapse: Synapse) -> None:
    ann, ours, room = together(synapse, public=True)
    desk = await begun(synapse, ours)
    path = f"{CLIENT}/rooms/{segment(room)}/state/m.room.power_levels/"
    ann.ask("PUT", path, {**ann.ask("GET", path), "events_default": 50})
    with pytest.raises(Permanent, match="may not write in the room: ask its moderators"):
        await desk.say("hello", conversation=room)


async def test_an_upgraded_room_we_are_not_let_into_is_said(synapse: Synapse) -> None:
    ann, ours, room = together(synapse)
    desk = await begun(synapse, ours)
    new = ann.opens()
    ann.sets(room, "m.room.tombstone", {"body": "over", "replacement_room": new})
    batches = [batch async for batch in desk.channel.poll(desk.cursor)]
    with pytest.raises(Permanent, match="upgraded, and we are not let into the new one"):
        await desk.channel.confirm(batches[-1])
    with pytest.raises(Permanent, match=r"upgraded, and in the new one .* kept out"):
        await desk.say("hello", conversation=room)


async def test_the_servers_limits_are_kept_once_told(synapse: Synapse) -> None:
    ann, ours, room = together(synapse)
    desk = await begun(synapse, ours)
    synapse.slow(ours, 1, 2)
    more = "\n\n".join("word " * 3000 for _ in range(6))
    with pytest.raises(RateLimited, match="asks for patience") as told:
        await desk.say(more, conversation=room)
    assert told.value.after_s is not None
    assert 0 < told.value.after_s < 10
    assert desk.channel._server._http.buckets.wait_s("messages") > 0, "the next one waits here"
    assert len(ann.sees(room)) < 6


async def test_a_revoked_token_pauses_the_account(synapse: Synapse) -> None:
    _, ours, room = together(synapse)
    desk = await begun(synapse, ours)
    ours.ask("POST", f"{CLIENT}/logout", {})
    for deed in (desk.say("hello", conversation=room), desk.read(), desk.channel.check(), desk.channel.wait(1)):
        with pytest.raises(AuthRequired, match="give this account a new one") as told:
            await deed
        assert ours.token not in str(told.value)


async def test_reading_and_typing_are_shown(synapse: Synapse) -> None:
    ann, ours, room = together(synapse)
    desk = await begun(synapse, ours)
    event = ann.says(room, "question")
    since = ann.ask("GET", f"{CLIENT}/sync", timeout="0")["next_batch"]
    await desk.channel.attend(room, seen=event, typing=True)
    told = ann.ask("GET", f"{CLIENT}/sync", timeout="0", since=since)["rooms"]["join"][room]["ephemeral"]["events"]
    shown = {event["type"]: event["content"] for event in told}
    assert shown["m.typing"] == {"user_ids": [ours.id]}
    assert ours.id in shown["m.receipt"][event]["m.read"]
    await desk.channel.attend(room, typing=False)
    await desk.channel.attend("!nowhere:desk.test", seen="$x", typing=True)


async def test_with_a_password_a_lost_session_is_begun_anew(synapse: Synapse) -> None:
    ann, ours, room = together(synapse)
    desk = Desk(account(synapse, ours, token="", login=_password("secret")))
    assert (await desk.channel.check())[1].startswith(ours.id)
    sent = await desk.say("hello", conversation=room)
    ours.ask("POST", f"{CLIENT}/logout/all", {})
    assert await desk.say("hello", conversation=room) == sent, "it is the same session still"
    ann.says(room, "heard?")
    assert "heard?" in [m.text for m in await desk.heard()]
    wrong = Desk(account(synapse, ours, token="", login=_password("wrong")))
    with pytest.raises(AuthRequired, match=r"does not let .* in with that password"):
        await wrong.read()


def _password(password: str) -> Any:
    from channels.kit.secrets import Password

    return Password(password=password)
