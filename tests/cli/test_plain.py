"""The line mode from a pipe: the list, a ticket, what is said and done there, and what others do meanwhile."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from cli.main import main
from desk.blobs import Blob
from desk.model import HOUR, Attachment, Presence
from desk.store import Batch
from tests.cli.conftest import Ran
from tests.desks import Room
from tests.test_architecture import loaded_by, roots

Script = Callable[..., Ran]

EVIL = "\x1b]0;owned\x07\x9b31m\u202eevil"


class Typed(io.TextIOBase):
    """A pipe into which lines come; what can be called happens before the next one is read."""

    def __init__(self, lines: tuple[str | Callable[[], Any], ...]) -> None:
        self._lines = list(lines)

    def readline(self, size: int | None = -1) -> str:  # type: ignore[override]
        while self._lines:
            line = self._lines.pop(0)
            if isinstance(line, str):
                return f"{line}\n"
            line()
        return ""

    def isatty(self) -> bool:
        return False


@pytest.fixture
def plain(room: Room, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Script:
    """`deskhand --plain` with these lines as its standard input, at the time of the desk."""
    for module in ("plain", "plain_doing", "plain_writing", "wiring", "ids"):
        monkeypatch.setattr(f"cli.{module}.now", lambda: room.clock)

    def run(*lines: str | Callable[[], Any]) -> Ran:
        monkeypatch.setattr(sys, "stdin", Typed(lines))
        capsysbinary.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["--plain"])
        out, err = capsysbinary.readouterr()
        assert b"Traceback" not in err
        code = ended.value.code
        assert isinstance(code, int)
        return Ran(code, out.decode(), err.decode())

    return run


# -- the list -----------------------------------------------------------------


def test_it_begins_with_who_is_where_and_the_list(plain: Script) -> None:
    lines = plain().out.splitlines()
    assert lines[0] == (
        "deskhand; kim, admin; 5 tickets for is:open; no relay running: no mail comes or goes; help lists what can be typed"
    )
    assert lines[1] == "due in 23h, #1 VPN drops every 20 minutes, Customer 0, mail, unassigned, unread"
    assert len(lines) == 6


def test_a_filter_a_view_and_an_order_choose_what_is_listed(plain: Script, room: Room) -> None:
    room.do("take; priority urgent", 2)
    out = plain("/ VPN", "view mine", "sort newest", "/").out
    assert "1 ticket for VPN\ndue in 23h, #1 VPN" in out
    mine = "#2 Cannot log in after the reset, Customer 1, mail, yours, urgent, unread"
    assert re.search(rf"^1 ticket in Mine\ndue in [^,]+, {mine}$", out, re.MULTILINE)
    assert "1 ticket in Mine by newest" in out
    assert out.count("5 tickets for is:open") == 2


def test_views_are_named_with_how_much_is_in_them(plain: Script) -> None:
    assert "unassigned: Unassigned, 5 tickets\n" in plain("view").out


def test_a_long_list_goes_on_where_it_is_asked_to(plain: Script, room: Room) -> None:
    room.receive(*(room.mail(number) for number in range(20, 40)))
    begun, _, rest = plain("more", "more").out.partition("(5 more;")
    assert len(begun.splitlines()) == 1 + 20
    assert len(rest.splitlines()) == 1 + 5 + 1
    assert rest.endswith("that is all; help lists what can be typed\n")


def test_an_empty_list_says_so(plain: Script) -> None:
    assert "0 tickets for nowhere\nnothing here;" in plain("/ nowhere").out


# -- a ticket -----------------------------------------------------------------


def test_a_number_opens_a_ticket_with_its_conversation(plain: Script, room: Room) -> None:
    room.do('note "Same firmware."; tag vpn', 1, by="sam")
    out = plain("1").out.partition("#1 VPN drops every 20 minutes\n")[2]
    assert out.startswith(
        "from Customer 0 <c0@acme.example>, acme.example\nnew, normal priority, unassigned, by mail, tags vpn\n"
    )
    assert (
        "\nMessage 1 of 2. Customer 0 wrote, by mail, today 02:05\nHello, this is mail 0.\nIt has two lines.\n" in out
    )
    assert out.endswith("\nMessage 2 of 2. INTERNAL NOTE by Sam, today 02:41\nSame firmware.\n")
    assert not room.store.rows([1], agent="kim")[0].unread


def test_of_a_long_conversation_the_end_is_read_out(plain: Script, room: Room) -> None:
    for number in range(7):
        room.do(f'note "note {number}"', 1)
    short, _, whole = plain("1", "all").out.partition("(3 earlier messages; all reads everything)")
    assert "note 1" not in short
    assert whole.count("INTERNAL NOTE") == 5 + 7


def test_all_that_is_unread_is_read_out(plain: Script, room: Room) -> None:
    for number in range(7):
        room.answer(1, f"more {number}")
    out = plain("1").out
    assert "earlier" not in out
    assert "Message 8 of 8" in out


def test_quotes_are_folded_until_asked_for(plain: Script, room: Room) -> None:
    room.receive(room.mail(9, text="Yes.\n\n> Is it?\n> Is it on?", visible="Yes.", subject="Quoting"))
    folded, _, shown = plain("6", "quotes").out.partition("3 quoted lines folded; quotes shows them")
    assert "Is it on?" not in folded
    assert "> Is it on?" in shown


def test_links_are_numbered_and_whole(plain: Script, room: Room) -> None:
    long = f"https://example.com/{'a' * 200}"
    room.receive(room.mail(9, text=f"See {long} and (https://example.com/b).", subject="Links"))
    assert f"1. {long}\n2. https://example.com/b\n" in plain("6", "links").out


def test_an_attachment_is_saved_under_a_name_of_ours(
    plain: Script, room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = Blob.of(b"photo")
    file = Attachment("../../evil name.PNG", "image/png", 5, photo.key)
    room.receive(room.mail(9, attachments=(file,), blobs=(photo,)))
    folder = tmp_path / "saved"
    folder.mkdir()
    monkeypatch.chdir(folder)
    ran = plain("6", "save 1", "save 1 other.png")
    assert "attachment 1: ../../evil name.PNG, 5 bytes" in ran.out
    assert f"saved as {folder}/6-1.png, 5 bytes" in ran.out
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"6-1.png": b"photo", "other.png": b"photo"}
    again = plain("6", "save 1")
    assert (again.code, "is there already" in again.err) == (5, True)


def test_a_file_where_there_is_none_is_told(plain: Script) -> None:
    assert plain("1", "save 1").err == "deskhand: #1 has no attachments\n"


def test_why_explains_the_ticket(plain: Script) -> None:
    assert "it began the ticket" in plain("1", "why").out


def test_next_opens_what_is_unread(plain: Script, room: Room) -> None:
    for number in (1, 2, 3, 4, 5):
        room.store.seen("kim", number, number)
    room.answer(4)
    ran = plain("next", "next")
    assert "\n#4 Question about the export\n" in ran.out
    assert (ran.code, ran.err) == (3, "deskhand: nothing in this list is unread or due within two hours\n")


def test_who_else_is_there_is_told(plain: Script, room: Room) -> None:
    room.store.attend(Presence("s", "sam", "web", 1, "writes", room.clock + HOUR))
    assert "\nsam writes on this ticket now\n" in plain("1").out


# -- doing --------------------------------------------------------------------


def test_command_lines_act_on_the_open_ticket_and_can_be_undone(plain: Script, room: Room) -> None:
    out = plain("1", "take; tag vpn", "status pending", "undo", "redo", "undo").out
    assert "done: take; tag vpn; undo takes it back\n" in out
    assert "taken back: status pending, #1\n" in out
    assert "done again: status pending, #1\n" in out
    found = room.store.ticket(1)
    assert (found.assignee, found.tags, found.status.value) == ("kim", ("vpn",), "open")


def test_a_reply_is_reviewed_sent_and_taken_back(plain: Script, room: Room) -> None:
    ran = plain("1", "reply", "Thank you.", "It is on its way.", ".", "s")
    review = ran.out.partition("PUBLIC REPLY, as the customer gets it:\n")[2]
    assert review.startswith(
        "from Kim <help@desk.test>\nto Customer 0 <c0@acme.example>\nby mail\nsubject Re: VPN drops"
    )
    assert "\n\nThank you.\nIt is on its way.\n\nsend? y / s send and solve" in review
    assert "it goes to c0@acme.example in 10 seconds; until then undo takes it back\n#1 is solved now\n" in ran.out
    assert "no relay is running, so nothing goes out yet" in ran.out
    assert room.store.thread(1)[-1].text == "Thank you.\nIt is on its way."
    assert room.store.ticket(1).status.value == "solved"
    assert room.store.drafts(agent="kim") == []


def test_a_review_has_the_signature_and_misses_what_is_not_attached(plain: Script, room: Room) -> None:
    kim = room.store.agents()["kim"]
    room.store.save_agent(replace(kim, signature="Kim at {{ desk.name }}"), Batch("signs", room.clock))
    out = plain("1", "reply", "The receipt is attached.", ".", "n").out
    assert (
        "\nThe receipt is attached.\n\n--\nKim at deskhand\nattention: it says “attached”, and nothing is attached\n\nsend?"
        in out
    )


def test_what_is_forwarded_is_reviewed_with_all_that_goes_along(plain: Script, room: Room) -> None:
    out = plain("1", "forward --to bank@example.com", "Please look.", ".", "y", "show").out
    review = out.partition("FORWARDED, as a third party gets it:\n")[2]
    assert "\nto bank@example.com\n" in review
    assert "\nPlease look.\n\nCustomer 0:\n> Hello, this is mail 0.\n" in review
    assert "it goes to bank@example.com in 10 seconds" in review
    assert "INTERNAL NOTE by Kim, forwarded to bank@example.com" in review


@pytest.mark.parametrize("answer", ["n", "", "send", "yy", "x"])
def test_anything_but_a_yes_keeps_the_text(plain: Script, room: Room, answer: str) -> None:
    ran = plain("1", "reply", "Thank you.", ".", answer)
    assert ran.code == 0
    assert "the reply on #1 is kept, unsent; reply goes on with it\n" in ran.out
    assert len(room.store.thread(1)) == 1
    (draft,) = room.store.drafts(agent="kim")
    assert (draft.ticket, draft.kind, draft.text) == (1, "reply", "Thank you.")


def test_a_kept_text_is_gone_on_with_another_day(plain: Script, room: Room) -> None:
    plain("1", "reply --cc boss@example.com", "Thank you.", ".", "n")
    ran = plain("1", "reply", "Kim", ".", "y")
    assert "\nunsent reply: reply goes on with it\n" in ran.out
    assert "So far you have written:\nThank you.\n" in ran.out
    assert "\ncc boss@example.com\n" in ran.out
    assert room.store.thread(1)[-1].text == "Thank you.\nKim"
    assert "thrown away" not in ran.out


def test_a_kept_text_can_be_thrown_away(plain: Script, room: Room) -> None:
    assert "thrown away: note\n" in plain("1", "note", "never mind", ".", "n", "discard").out
    assert room.store.drafts(agent="kim") == []


def test_what_is_taken_back_in_time_can_be_gone_on_with(plain: Script, room: Room) -> None:
    out = plain("1", "reply", "Thnak you.", ".", "y", "undo", "reply", ".", "n").out
    assert 'taken back: reply "Thnak you.", #1\nthe reply on #1 is kept, unsent' in out
    assert "So far you have written:\nThnak you.\n" in out


def test_the_end_of_the_input_sends_nothing(plain: Script, room: Room) -> None:
    ran = plain("1", "reply", "Thank you.", ".")
    assert (ran.code, len(room.store.thread(1))) == (2, 1)
    assert "before the reply on #1 was sent" in ran.err
    assert room.store.drafts(agent="kim")[0].text == "Thank you."


def test_who_wrote_meanwhile_is_read_before_anything_is_sent(plain: Script, room: Room) -> None:
    ran = plain("1", "reply", "Thank you.", lambda: room.answer(1, "Never mind!"), ".", "y", "n")
    after = ran.out.partition("Nothing was sent: meanwhile somebody else wrote.\n")[2]
    assert "Message 2 of 2. Customer 0 wrote" in after
    assert after.index("Never mind!") < after.index("PUBLIC REPLY")
    assert [m.text for m in room.store.thread(1) if m.direction == "out"] == []
    assert "show reads it" not in after


def test_having_read_it_the_answer_can_go_over_it(plain: Script, room: Room) -> None:
    plain("1", "reply", "Thank you.", ".", lambda: room.answer(1, "Hello?"), "y", "y")
    assert room.store.thread(1)[-1].text == "Thank you."


def test_a_reply_in_one_line_does_not_cross_another_message_either(plain: Script, room: Room) -> None:
    ran = plain("1", "take", lambda: room.answer(1, "Never mind!"), "reply Thank you.")
    assert ran.code == 5
    assert "nothing was done: meanwhile Customer 0 wrote on #1" in ran.err
    assert room.store.thread(1)[-1].text == "Never mind!"


def test_doing_something_else_does_not_count_as_reading(plain: Script, room: Room) -> None:
    """The message came before `tag`, which reads the ticket again; it has still not been read out."""
    ran = plain("1", lambda: room.answer(1, "Never mind!"), "tag vpn", "reply Thank you.")
    assert ran.code == 5


def test_a_new_ticket_can_be_opened_without_one(plain: Script, room: Room) -> None:
    ran = plain('open --requester ada@example.com --note --body "She rang." A call', "6")
    assert "#6 is opened; 6 reads it, undo takes it back\n" in ran.out
    assert "INTERNAL NOTE by Kim" in ran.out


def test_macros_are_offered_run_and_asked_about(plain: Script, home: Path, room: Room) -> None:
    folder = home / "config" / "deskhand" / "macros"
    folder.mkdir(parents=True)
    (folder / "refund.toml").write_text(
        '[macros.refund]\ntitle = "Refund it"\ndo = ["tag refund", "reply {{ input.amount }} comes back."]\n'
        'then = "close"\n[[macros.refund.inputs]]\nname = "amount"\ntitle = "How much"\nrequired = true\n'
    )
    ran = plain("1", "macro", "macro refund amount=12 EUR", "n", "macro refund amount=12 EUR", "y")
    assert "refund: Refund it\n" in ran.out
    assert "PUBLIC MESSAGE to c0@acme.example:\n12 EUR comes back.\n" in ran.out
    assert ran.out.count("nothing is done") == 1
    assert ran.out.index("it goes to c0@acme.example") < ran.out.rindex("5 tickets for is:open")
    assert room.store.ticket(1).tags == ("refund",)
    missing = plain("1", "macro refund")
    assert (missing.code, "it asks for amount" in missing.err) == (2, True)


# -- what goes wrong ------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "code", "said"),
    [
        (("99",), 3, "there is no ticket #99; list shows those there are"),
        (("solve",), 2, "no ticket is open; a number opens one, next the one that needs you"),
        (("1", "slove"), 3, 'there is no "slove" (did you mean "solve"?)'),
        (("/ is:nonsense",), 2, "nonsense"),
        (("view nowhere",), 3, 'there is no view "nowhere"'),
        (("sort sideways",), 2, 'there is no order "sideways"'),
        (("1", "reply", "   ", ".", "99"), 3, "there is no ticket #99"),
    ],
)
def test_the_first_error_ends_a_script(plain: Script, room: Room, lines: tuple[str, ...], code: int, said: str) -> None:
    ran = plain(*lines, "2", "solve")
    assert ran.code == code
    assert said in ran.err
    assert room.store.ticket(2).status.value == "new"


def test_who_may_only_look_is_told_so(plain: Script, room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    rob = room.store.agents()["rob"]
    monkeypatch.setattr("os.getuid", lambda: rob.uid)
    ran = plain("1", "reply")
    assert "deskhand; rob, read-only;" in ran.out
    assert ran.code == 4
    assert "this needs the role agent" in ran.err


def test_nothing_hostile_comes_through(plain: Script, room: Room) -> None:
    file = Attachment(f"{EVIL}.png", "image/png", 5, "0" * 64)
    room.receive(
        room.mail(9, subject=f"S {EVIL}", name=f"N {EVIL}", text=f"T {EVIL} https://{EVIL}", attachments=(file,))
    )
    out = plain("6", "why", "all", "links", lambda: room.answer(6, EVIL), "list", "/ evil").out
    assert "owned" in out
    assert {c for c in out if not c.isprintable()} <= {"\n"}
    assert "\u202e" not in out


# -- what others do ---------------------------------------------------------------


def test_what_is_new_is_told_before_the_next_prompt(plain: Script, room: Room) -> None:
    def meanwhile() -> None:
        room.receive(room.mail(20), room.mail(21))
        room.do("assign sam; tag vpn", 1, by="lee")

    ran = plain("1", meanwhile, "discard", "discard")
    told = ran.out.rpartition("It has two lines.\n")[2]
    assert told == (
        "nothing is kept here\n#1: lee: assignee none → sam\n#1: lee: status new → open\n#1: lee: tags +vpn\n2 new tickets; list shows them\n"
        "nothing is kept here\n"
    )


def test_a_ticket_that_comes_into_the_view_is_new_there(plain: Script, room: Room) -> None:
    out = plain("view mine", lambda: room.do("assign kim", 3, by="lee"), "help q", "list").out
    assert "\n1 new ticket; list shows it\n" in out
    assert out.endswith(
        "1 ticket in Mine\ndue in 23h, #3 Invoice shows the wrong VAT id, Customer 2, mail, yours, unread\n"
    )


def test_what_one_does_oneself_is_no_news(plain: Script) -> None:
    assert "#1:" not in plain("1", "take", "note done", "undo", "list").out


# -- the rest ---------------------------------------------------------------------


def test_help_lists_everything_and_explains_one(plain: Script) -> None:
    out = plain("help", "help assign", "help view").out
    assert "save N [PATH]: save attachment N into a file\n" in out
    assert "snooze WHEN [--only]: Put the ticket to sleep until a time, or until the customer writes.\n" in out
    assert "\nassign AGENT\nGive the ticket to an agent.\n" in out
    assert out.endswith("view [NAME]: list a saved view; alone it names them all\n")


def test_a_desk_without_tickets_opens(
    plain: Script, room: Room, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "fresh").mkdir(mode=0o700)
    monkeypatch.setenv("DESKHAND_STORE", f"sqlite:///{tmp_path}/fresh/desk.db")
    assert "0 tickets for is:open" in plain("q").out


def test_it_loads_no_screen(room: Room) -> None:
    code = (
        "import io, sys\nfrom cli.main import main\nsys.stdin = io.StringIO('1\\nwhy\\nreply\\nHello\\n.\\nn\\nq\\n')\n"
        "try: main(['--plain'])\nexcept SystemExit as end: assert not end.code, end.code"
    )
    loaded = loaded_by(code)
    assert "cli.plain" in loaded
    assert roots(loaded) & {"textual", "rich", "tui", "relay", "sqlite_utils"} == set()
