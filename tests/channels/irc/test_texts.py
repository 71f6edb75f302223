"""Lines and texts: what is read, what is written, what fits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.irc import Irc, Settings
from channels.irc.lines import fold, plain, read, written
from channels.irc.texts import LINE_BYTES, lines, room
from desk.channel import Permanent
from desk.model import Attachment, Identity
from tests.channels.irc.places import account, body, draft


def test_a_line_with_everything() -> None:
    line = read(b"@msgid=a\\:b;+x;time= :ann!a@h PRIVMSG  #help :two  words: \xe2\x82\xac\r\n")
    assert line is not None
    assert dict(line.tags) == {"msgid": "a;b", "+x": "", "time": ""}
    assert (line.nick, line.command, line.params) == ("ann", "PRIVMSG", ("#help", "two  words: €"))


@given(st.binary(max_size=200))
def test_any_bytes_are_read(data: bytes) -> None:
    read(data)


@given(st.text(max_size=100))
def test_what_is_written_is_one_line_and_is_read_again(text: str) -> None:
    data = written("PRIVMSG", "#help", text, tags={"+draft/reply": text})
    assert data.count(b"\n") == 1
    line = read(data)
    assert line is not None
    assert line.command == "PRIVMSG"


def test_a_middle_parameter_cannot_smuggle_another_one() -> None:
    for bad in ("", "a b", ":a"):
        with pytest.raises(ValueError, match="cannot stand"):
            written("PRIVMSG", bad, "x")


def test_colours_and_formats_are_taken_off() -> None:
    assert plain("\x02bold\x02 \x0304,12red\x03 \x1ditalic\x0f \x04ff0000x 3,4") == "bold red italic x 3,4"


def test_names_are_compared_as_the_server_does() -> None:
    assert fold("Ann[1]\\^") == "ann{1}|~"
    assert fold("Ann[1]", "ascii") == "ann[1]"


@given(st.text(max_size=2000))
def test_every_line_fits_with_all_that_stands_before_it(text: str) -> None:
    limit = room("helpdesk", "#help")
    text = text.replace("`", "").replace("~", "")
    for line in lines(text, limit):
        assert len(line.encode()) <= limit
        assert "\n" not in line
        assert "\r" not in line
        assert "\x01" not in line
    worst = f":{'helpdesk___'}!{'u' * 11}@{'h' * 63} PRIVMSG #help :{'n' * 32}: " + "x" * limit + "\r\n"
    assert len(worst) == LINE_BYTES


def test_a_line_of_code_is_never_cut() -> None:
    code = "x" * 100
    assert lines(f"See:\n```sh\n  {code}\n\n```\nDone", 120) == ["See:", f"  {code}", "Done"]
    with pytest.raises(Permanent, match=r"a line of code has 100 bytes, and a line of IRC takes 80: shorten it"):
        lines(f"```\n{code}\n```", 80)


def test_markdown_as_people_write_it_there() -> None:
    text = "# Steps\n\n**First**, see [the page](https://example.com/a) and `reboot`.\n* then __wait__"
    assert lines(text, 300) == ["Steps", "*First*, see the page (https://example.com/a) and `reboot`.", "* then *wait*"]


def test_a_long_answer_is_several_parts_and_a_longer_one_none() -> None:
    channel = account(1)
    parts = channel.render(draft("\n".join(f"line {n}" for n in range(20))))
    assert [len(body(part)) for part in parts] == [8, 8, 4]
    with pytest.raises(Permanent, match="shorten it"):
        channel.render(draft("word " * 2000))
    with pytest.raises(Permanent, match="nothing to say"):
        channel.render(draft("```\n```"))


def test_what_cannot_go_there_is_refused_in_words() -> None:
    channel = account(1)
    file = (Attachment("a.txt", "text/plain", 1, "k"), b"x")
    with pytest.raises(Permanent, match="carries no files"):
        channel.render(draft(attachments=(file,)))
    with pytest.raises(Permanent, match="nobody in this message is on IRC"):
        channel.render(
            draft(conversation=None).__class__(
                7, "m", 1, channel.addresses[0], (Identity("email", "a@example.com"),), "x"
            )
        )
    with pytest.raises(Permanent, match="no conversation"):
        channel.render(draft(conversation="#a,#b ~ann@net"))


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"nick": "1st"}, "is no nick"),
        ({"rooms": ("help",)}, 'write "#room"'),
        ({"rooms": ("#a,#b",)}, 'write "#room"'),
        ({"host": "irc.example.net"}, "in clear"),
        ({"auth": "external"}, "needs cert_file"),
        ({"host": ""}, "host is missing"),
        ({"rooms": (), "queries": False}, "nothing to hear"),
        ({"burst": 0}, "between"),
        ({"user": "a b"}, "single words"),
        ({"password": "x", "password_env": "Y"}, "contradict"),
    ],
)
def test_settings_that_make_no_sense(other: dict[str, object], why: str) -> None:
    table: dict[str, object] = {"host": "localhost", "tls": "none", "nick": "desk", "rooms": ("#help",)}
    with pytest.raises(ValueError, match=why):
        Settings(**(table | other))  # type: ignore[arg-type]


def test_what_an_account_can_and_who_it_is() -> None:
    channel = account(1)
    assert isinstance(channel, Irc)
    can = channel.capabilities
    assert (can.public, can.private, can.may_start, can.attachment_limit_bytes) == (True, True, True, 0)
    assert channel.addresses == (Identity("irc", "desk@net", "desk"),)
