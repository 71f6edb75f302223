"""To whom a text goes, and with which files."""

from __future__ import annotations

from pathlib import Path

import pytest

from desk.capabilities import Capabilities
from desk.completion import Choice
from desk.errors import Invalid
from desk.model import Account, Customer, Identity
from tests.desks import ADDRESS, do, mail, make_desk, receive
from tests.tui.shown import front, run, shown
from tui import attaching, recipients

ANN, BO = Identity("email", "ann@example.com", "Ann Doe"), Identity("email", "bo@example.com", "Sales, Bo")


# -- recipients -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("ann@example.com", {"to": "ann@example.com"}),
        ("to: Ann@Example.com, bo@example.com", {"to": "ann@example.com, bo@example.com"}),
        ("to: a@example.com  cc: B <b@example.com>", {"to": "a@example.com", "cc": "B <b@example.com>"}),
        ('TO: "cc: me" <a@example.com> bcc: c@example.com,', {"to": "cc: me <a@example.com>", "bcc": "c@example.com"}),
        ('to: "Doe, Ann" <a@example.com>, a@example.com', {"to": '"Doe, Ann" <a@example.com>, a@example.com'}),
    ],
)
def test_a_line_of_recipients_is_read(line: str, found: dict[str, str]) -> None:
    assert recipients.read(line, copies=True) == found


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("to: ann@", '"ann@" is not a mail address'),
        ("to: ann@example.com bo@example.com", "is not a mail address"),
        ("cc: ann@example.com", "nobody stands behind to"),
        ("", "nobody stands behind to"),
    ],
)
def test_a_wrong_line_says_why(line: str, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        recipients.read(line, copies=True)


def test_an_account_without_copies_takes_none() -> None:
    with pytest.raises(Invalid, match="carries no copies"):
        recipients.read("to: a@example.com cc: b@example.com", copies=False)


def test_whoever_took_part_completes_the_address_being_typed() -> None:
    assert recipients.choices("to: a", (ANN, BO)) == [
        Choice("to: Ann Doe <ann@example.com>", "Ann Doe <ann@example.com>", "on this ticket")
    ]
    (bo,) = recipients.choices("to: Ann Doe <ann@example.com>, ", (ANN, BO))
    assert bo.text == 'to: Ann Doe <ann@example.com>, "Sales, Bo" <bo@example.com>'
    assert recipients.choices('to: x@example.com cc:"Sal', (ANN, BO)) == []


def test_a_customers_name_cannot_end_the_line_early() -> None:
    evil = Customer(1, "x\x1b[2J\nbcc: all", "eve@example.com")
    (choice,) = recipients.more("to: eve", [evil])
    assert recipients.read(choice.text, copies=True) == {"to": recipients.read(choice.text, copies=True)["to"]}
    assert "\x1b" not in choice.text


def test_recipients_are_changed_and_shown_at_once(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)
    do(desk, who, "cc lead@example.com", 1, batch="cc")

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("r")
            await screen.see("public · mail · to c0@acme.example · cc lead@example.com")
            await screen.press("ctrl+y")
            await screen.see("to: Customer 0 <c0@acme.example>  cc: lead@example.com")
            await screen.press("ctrl+u")
            await screen.type("to: ann@")
            await screen.press("enter")
            await screen.see('"ann@" is not a mail address')
            await screen.type("example.com")
            await screen.press("enter")
            await screen.see("public · mail · to ann@example.com")
            assert "lead@example.com" not in screen.text
            await screen.type("Hello")
            await screen.press("ctrl+s")
            await screen.see("ann@example.com   new to this desk")
            await screen.press("y")

    run(body())
    sent = store.thread(1)[-1]
    assert ([p.value for p in sent.to], sent.cc) == (["ann@example.com"], ())


def test_customers_are_offered_by_what_is_typed(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("r", "ctrl+y")
            await screen.type(" Customer 3")
            await screen.see("Customer 3 <c3@acme.example>  customer")

    run(body())


def test_a_reply_to_all_goes_to_whom_the_customer_wrote(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path, tickets=0)
    receive(desk, [mail(0, cc=(ANN,))], batch="m")

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("R")
            await screen.see("to c0@acme.example · cc ann@example.com")

    run(body())
    assert store.ticket(1).cc == ()


def test_a_forward_asks_first_to_whom(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("enter", ">")
            await screen.see("To whom is the forward to go?")
            await screen.type("ann@example.com")
            await screen.press("enter")
            await screen.see("FORWARD", "to others · mail · to ann@example.com")
            await screen.type("Please look.")
            await screen.press("ctrl+s")
            await screen.see("as they get it", "Fwd: VPN drops", "> Hello, this is mail 0.")
            await screen.press("y")
            await screen.see("sent in 10 s")

    run(body())
    assert [p.value for p in store.thread(1)[-1].to] == ["ann@example.com"]


def test_an_account_without_copies_is_offered_none(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)
    store.save_account(
        Account("support", "email", ADDRESS, capabilities=Capabilities(may_start=True, subject=True), health="ok")
    )

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("r", "ctrl+y")
            await screen.see("To whom is the reply to go? to, commas between addresses")
            assert "cc:" not in screen.text

    run(body())


def test_a_note_has_no_recipients(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("i", "ctrl+y")
            assert "a note goes nowhere" in screen.status

    run(body())


# -- files ------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with files in it."""
    folder = tmp_path / "files"
    (folder / "more").mkdir(parents=True)
    for name, size in (("vpn.log", 18_000), ("vpn.old", 5), ("a b.txt", 7), (".hidden", 1)):
        (folder / name).write_bytes(b"x" * size)
    return folder


def test_paths_are_offered_folders_first_with_sizes(files: Path) -> None:
    found = attaching.offered(f"{files}/")
    assert [(c.label, c.hint) for c in found] == [
        ("more/", "folder"), ("a b.txt", "7 B"), ("vpn.log", "18 kB"), ("vpn.old", "5 B"),
    ]  # fmt: skip
    assert [c.text for c in attaching.offered(f"{files}/vp")] == [f"{files}/vpn.log", f"{files}/vpn.old"]
    assert attaching.offered(f"{files}/none/x") == []


def test_the_home_stays_as_it_is_typed(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(files))
    assert [c.text for c in attaching.offered("~/vpn.l")] == ["~/vpn.log"]
    assert attaching.chosen("~/vpn.log") == [str(files / "vpn.log")]


def test_a_star_takes_several_and_nothing_is_refused(files: Path) -> None:
    assert attaching.chosen(f"{files}/vpn.*") == [str(files / "vpn.log"), str(files / "vpn.old")]
    for typed, why in (
        (f"{files}/nothing", "there is no file"),
        (str(files), "is a folder"),
        (f"{files}/*.x", "no file"),
    ):
        with pytest.raises(Invalid, match=why):
            attaching.chosen(typed)


def test_files_go_with_the_text_and_can_be_taken_off(tmp_path: Path, files: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    def read(path: str) -> tuple[str, str, bytes]:
        return Path(path).name, "text/plain", Path(path).read_bytes()

    async def body() -> None:
        async with shown(front(desk, who, read_file=read)) as screen:
            await screen.press("r")
            await screen.type("Here")
            await screen.press("ctrl+o")
            await screen.type(f"{files}/vpn.l")
            await screen.press("tab", "enter")
            await screen.see("[1] vpn.log  18 kB")
            await screen.app.hands.run_line(f"attach {files}/a b.txt")
            await screen.see("[2] a b.txt  7 B", "2 files, 18 kB")
            await screen.app.hands.run_line("detach 1")
            await screen.see("[1] a b.txt", "Here")
            await screen.press("ctrl+s")
            await screen.see("[1] a b.txt  7 B")
            await screen.press("y")

    run(body())
    assert [(a.name, a.size) for a in store.thread(1)[-1].attachments] == [("a b.txt", 7)]


def test_a_file_that_is_gone_stops_the_sending(tmp_path: Path, files: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("r")
            await screen.type("Here")
            await screen.app.hands.run_line(f"attach {files}/vpn.log")
            await screen.press("ctrl+s")
            (files / "vpn.log").unlink()
            await screen.press("y")
            assert "nothing was sent: vpn.log: it is not there any more" in screen.status
            await screen.see("! vpn.log: it is not there any more")

    run(body())
    assert len(store.thread(1)) == 1


def test_too_much_for_the_account_is_told(tmp_path: Path, files: Path) -> None:
    store, desk, who = make_desk(tmp_path)
    limits = Capabilities(may_start=True, attachment_limit_bytes=10_000, text_limit=10)
    store.save_account(Account("support", "email", ADDRESS, capabilities=limits, health="ok"))

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("r")
            await screen.type("More than ten")
            await screen.app.hands.run_line(f"attach {files}/vpn.log")
            await screen.see("1 file, 18 kB of 10 kB at most")
            await screen.press("ctrl+s")
            await screen.see("13/10 characters", "it has 13 characters and support takes 10: shorten it by 3")
            await screen.press(*["backspace"] * 3)
            await screen.see("10/10 characters")
            await screen.press("ctrl+s")
            await screen.see("support lets 10 kB through")
            await screen.press("y")
            assert "nothing was sent" in screen.status

    run(body())
    assert len(store.thread(1)) == 1
