"""Conversations that go to and fro: who speaks, what became of it, and what the account lets one answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

import channels
from desk import intake
from desk.capabilities import Capabilities
from desk.channel import Edit, Inbound, Membership, Reaction, Removal, Told
from desk.model import MINUTE, SECOND, Account, Direction, Identity, Kind, Message, State
from desk.query import EVERYTHING
from desk.store import Batch
from tests.desks import NOW, Room
from tests.tui.shown import front, run, shown
from tui.columns import _SHORT, channel
from tui.front import Front
from tui.links import items
from tui.thread import Telling, goes_on, told

CHAT = Capabilities(
    kinds=("matrix",), markup="markdown", text_limit=200, splits=True, may_start=True, live=True, edits=True,
    deletes=True, reactions=True, typing=True, attachment_limit_bytes=1_000_000,
)  # fmt: skip
POSTS = Capabilities(
    kinds=("mastodon",), text_limit=500, public=True, private=True, splits=False, threads=True
)  # fmt: skip
ANN, BEN = Identity("matrix", "@ann:example.org", "Ann"), Identity("matrix", "@ben:example.org", "Ben")


class Chats:
    """A desk with a mailbox, a chat room and an account for posts."""

    def __init__(self, folder: Path) -> None:
        self.room = Room.open(folder, tickets=1)
        for name, kind, can in (("room", "matrix", CHAT), ("posts", "mastodon", POSTS)):
            self.room.store.save_account(
                Account(name, kind, f"@{name}:example.org", capabilities=can, health="ok", health_at=NOW)
            )

    def hear(self, *told: Told, account: str = "room", kind: str = "matrix") -> int:
        """Let this come in; the newest ticket."""
        batch, room = self.room.turn(), self.room
        how = intake.Intake(account, kind, room.desk.config, room.desk.signer, frozenset())
        ready = [intake.prepare(one) if isinstance(one, Inbound) else one for one in told]
        room.store.write(lambda tx: intake.take_in(tx, how, ready, Batch(batch, room.clock, source=account), None))
        return room.store.ids(EVERYTHING, sort="newest", limit=1)[0]

    def says(self, id: str, text: str, who: Identity = ANN, after: int = 0, **more: object) -> Inbound:
        """Somebody says something in the room, so many seconds after now."""
        return replace(
            Inbound(id, self.room.clock + after * SECOND, who, text, text, conversation="!room"),
            **more,  # type: ignore[arg-type]
        )

    @property
    def front(self) -> Front:
        """What the screen is given, at this desk's time."""
        return front(self.room.desk, self.room.who, now=lambda: self.room.clock)


@pytest.fixture
def chats(tmp_path: Path) -> Iterator[Chats]:
    found = Chats(tmp_path)
    yield found
    found.room.store.close()


def test_what_follows_at_once_from_the_same_speaker_shares_a_head(chats: Chats) -> None:
    number = chats.hear(
        chats.says("$1", "It is down", BEN),
        chats.says("$2", "for me too", ANN, 10),
        chats.says("$3", "since ten", ANN, 20),
        chats.says("$4", "still", ANN, 200),
    )

    async def body() -> None:
        async with shown(chats.front) as screen:
            await screen.run(f"show {number}")
            await screen.see("It is down", "for me too", "since ten", "still")
            lines = [line.strip() for line in screen.lines]
            assert sum(line.startswith("Ann wrote") for line in lines) == 2
            assert sum(line.startswith("Ben wrote") for line in lines) == 1
            place = lines.index("for me too")
            assert lines[place + 1] == "since ten", "no line between them"
            await screen.press("w")
            await screen.see("here because")
            assert sum(line.strip().startswith("Ann wrote") for line in screen.lines) == 3, "each says why it is here"

    run(body())


def _message(id: int, at: int, **more: object) -> Message:
    said = Message(id, 1, Kind.PUBLIC, Direction.IN, NOW + at, "Ann", "x", "x", "matrix", "room", conversation="room\x1f!a", sender=ANN)  # fmt: skip
    return replace(said, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "second",
    [
        _message(2, 2 * MINUTE + 1),
        _message(2, -1),
        _message(2, 1, sender=BEN),
        _message(2, 1, conversation="room\x1f!b"),
        _message(2, 1, conversation=None),
        _message(2, 1, flags=("edited",)),
        _message(2, 1, kind=Kind.NOTE),
        _message(2, 1, direction=Direction.OUT, sender=None, agent="kim", state=State.SENT),
    ],
)
def test_nothing_else_does(second: Message) -> None:
    first = _message(1, 0)
    assert goes_on(*items([first, _message(2, 2 * MINUTE)]))
    assert not goes_on(*items([first, second]))


def test_nor_what_stands_below_a_link_a_file_or_a_mark(chats: Chats) -> None:
    for more in ({"text": "see https://example.com/a"}, {"link": "https://example.com/a"}):
        assert not goes_on(*items([_message(1, 0, **more), _message(2, 1)])), more


def test_an_answer_that_did_not_arrive_keeps_its_head() -> None:
    ours = {"direction": Direction.OUT, "sender": None, "agent": "kim"}
    for state in (State.FAILED, State.UNKNOWN):
        assert not goes_on(*items([_message(1, 0, state=state, **ours), _message(2, 1, state=state, **ours)]))
    assert not goes_on(*items([_message(1, 0, state=State.SENT, **ours), _message(2, 1, state=State.QUEUED, **ours)]))


def test_edits_and_removals_stand_quietly_beside_the_time(chats: Chats) -> None:
    number = chats.hear(chats.says("$1", "It is dwon"), chats.says("$2", "my password is 1234", after=300))
    now = chats.room.clock
    chats.hear(
        Edit("$e", now, "$1", "It is down", "It is down"),
        Removal("$r", now, "$2"),
        Reaction("$m", now, "$1", BEN, "+1"),
    )

    async def body() -> None:
        async with shown(chats.front) as screen:
            await screen.run(f"show {number}")
            await screen.see("It is down", "+1 Ben")
            heads = [line for line in screen.lines if "Ann wrote" in line]
            assert heads[0].rstrip().endswith("· edited")
            assert heads[1].rstrip().endswith("· taken back")
            assert "!" not in "".join(heads)

    run(body())


def test_a_post_lists_where_it_stands_so_that_it_can_be_opened(chats: Chats) -> None:
    link = "https://social.example/@ann/12"
    number = chats.hear(
        chats.says("p1", "Your service is down!", Identity("mastodon", "ann@social.example", "Ann"), link=link, public=True),
        account="posts", kind="mastodon",
    )  # fmt: skip

    async def body() -> None:
        async with shown(chats.front) as screen:
            await screen.run(f"show {number}")
            await screen.see(f"[a] {link}", "in public")
            await screen.press("o")
            await screen.see(f"[a]  {link}")

    run(body())


def test_a_link_of_a_post_that_is_no_web_address_is_no_link() -> None:
    for link in ("javascript:alert(1)", "file:///etc/passwd", "https://a.example/\x1b]8;;", "https://a b"):
        [item] = items([_message(1, 0, link=link)])
        assert item.links == (), link
        assert "javascript" not in str(told(item, Telling(80, NOW)))


def test_channels_and_accounts_complete_in_queries_and_commands(chats: Chats) -> None:
    chats.hear(chats.says("$1", "It is down"))

    async def body() -> None:
        async with shown(chats.front) as screen:
            await screen.press("slash")
            await screen.type("channel:ma")
            assert [one.text for one in screen.app.prompting.prompt.found] == [  # type: ignore[union-attr]
                f"is:open channel:{name}" for name in ("ma", "mastodon", "matrix")
            ]
            await screen.press("backspace", "backspace")
            await screen.type("room")
            await screen.see("1 ticket")
            await screen.press("escape", "colon")
            await screen.type("reply --account p")
            assert "reply --account posts" in [one.text for one in screen.app.prompting.prompt.found]  # type: ignore[union-attr]

    run(body())


def test_the_word_for_a_channel_fits_its_column() -> None:

    for kind in channels.kinds():
        assert len(_SHORT.get(kind) or channel(kind)) <= 6, kind


def test_a_post_is_answered_in_private_by_the_line_of_recipients(chats: Chats) -> None:
    ann = Identity("mastodon", "ann@social.example", "Ann")
    number = chats.hear(chats.says("p1", "Down!", ann, public=True), account="posts", kind="mastodon")

    async def body() -> None:
        async with shown(chats.front) as screen:
            await screen.run(f"show {number}")
            await screen.press("r")
            await screen.see("REPLY  everybody can read it · mastodon · to ann@social.example", "0/500")
            await screen.type("Which city?")
            await screen.press("ctrl+y")
            await screen.see("to: Ann <mastodon:ann@social.example>  over: posts  private: no")
            await screen.press("enter")
            await screen.see("everybody can read it")
            await screen.press("ctrl+y", *["backspace"] * 3)
            await screen.type("perhaps")
            await screen.press("enter")
            await screen.see('private is yes or no, not "perhaps"')
            await screen.press(*["backspace"] * 7)
            await screen.type("yes")
            await screen.press("enter")
            await screen.see("REPLY  in private · mastodon · to ann@social.example")
            await screen.press("ctrl+s")
            await screen.see("mastodon (posts), in private")
            await screen.press("y")
            await screen.see("in 10 s")
        said = chats.room.store.thread(number)[-1]
        assert said.flags == ("private",)

    run(body())


def test_another_account_is_chosen_and_reaches_the_customer_its_own_way(chats: Chats) -> None:
    number = chats.hear(chats.says("$1", "Hello?"))
    chats.room.do("join matrix:@ann:example.org", 1)

    async def body() -> None:
        async with shown(chats.front) as screen:
            await screen.run("show 1")
            await screen.press("r")
            await screen.see("REPLY  public · mail")
            await screen.press("ctrl+y")
            await screen.see("over: support")
            await screen.press(*["backspace"] * 8)
            await screen.type("ro")
            assert [one.label for one in screen.app.prompting.prompt.found] == ["room"]  # type: ignore[union-attr]
            await screen.type("om")
            await screen.press("enter")
            await screen.see("REPLY  public · matrix · to @ann:example.org", "0/200")
            await screen.type("word " * 100)
            await screen.see("500/200 characters, 3 messages")
            await screen.press("ctrl+s")
            await screen.see("── 1 of 3 messages", "── 2 of 3 messages", "500/200 characters, 3 messages")
            await screen.press("y")
            await screen.see("sent in 3 s")
        assert chats.room.store.thread(1)[-1].account == "room"

    run(body())
    assert number == 2


def test_an_account_that_is_not_there_is_asked_for_again(chats: Chats) -> None:
    chats.hear(chats.says("$1", "Hello?"))

    async def body() -> None:
        async with shown(chats.front) as screen:
            await screen.run("show 2")
            await screen.press("r", "ctrl+y", "backspace", "backspace")
            await screen.type("f")
            await screen.press("enter")
            await screen.see("there is no account", "over: roof")
            await screen.press("escape")
            await screen.see("REPLY  public · matrix")

    run(body())


def test_an_answer_too_long_for_a_post_says_by_how_much(chats: Chats) -> None:
    ann = Identity("mastodon", "ann@social.example", "Ann")
    number = chats.hear(chats.says("p1", "Down!", ann, public=True), account="posts", kind="mastodon")

    async def body() -> None:
        async with shown(chats.front) as screen:
            await screen.run(f"show {number}")
            await screen.press("r")
            screen.app.writing.body = "word " * 101
            await screen.press("x", "ctrl+s")
            await screen.see("506/500 characters", "posts takes 500: shorten it by 6")

    run(body())


def test_who_comes_and_goes_is_told_in_one_quiet_line(chats: Chats) -> None:
    number = chats.hear(chats.says("$1", "Hello?"), chats.says("$2", "Me too", BEN))
    chats.hear(Membership("$j", chats.room.clock, "!room", BEN, False))

    async def body() -> None:
        async with shown(chats.front) as screen:
            await screen.run(f"show {number}")
            await screen.see("  Ben left")
            assert "auto-reply" not in screen.text

    run(body())


def test_many_accounts_are_counted_and_only_those_in_trouble_named(chats: Chats) -> None:
    for number in range(7):
        chats.room.store.save_account(Account(f"chat{number}", "irc", "desk", health="ok", health_at=NOW))
    chats.room.store.save_account(Account("page", "messenger", "1", health="paused: no token", paused=True))

    async def body() -> None:
        async with shown(chats.front, (80, 24)) as screen:
            await screen.see("10 accounts ok   page paused   kim")
            for number in range(4):
                chats.room.store.save_account(Account(f"chat{number}", "irc", "desk", health="retrying: no"))
            await screen.see("chat0 failing", "2 more not ok")
            assert screen.lines[0].rstrip().endswith("02:40")

    run(body())


def test_why_two_may_be_one_person_is_told_whole(chats: Chats) -> None:
    number = chats.hear(
        chats.says("$1", "I am c0@acme.example by mail", Identity("matrix", "@c:example.org", "Customer 0"))
    )

    async def body() -> None:
        async with shown(chats.front, (160, 40)) as screen:
            await screen.run(f"show {number}")
            await screen.see("perhaps also Customer 0", ":join c0@acme.example")
            assert "…" not in "".join(line[120:] for line in screen.lines)

    run(body())
