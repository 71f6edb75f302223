"""Beside the conversation: its clocks, who the customer is, files and links."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

from desk.blobs import Blob
from desk.config import ScreenConfig
from desk.model import DAY, HOUR, MINUTE, Attachment, Draft, Identity, Presence, Status, Ticket
from desk.perform import Desk, Who
from desk.sla import Promise
from desk.store import Store
from tests.desks import NOW, do, mail, make_desk, receive
from tests.tui.shown import Shown, front, run, shown
from tui.clock import clocks

LOG = Attachment("vpn.log", "text/plain", 18_234, "0" * 64)


def test_every_clock_is_told_and_seconds_only_near_the_end() -> None:
    ticket = Ticket(1, "x", 1, NOW, NOW, status=Status.PENDING)
    kept = Promise("first-reply", "p", "kept", NOW - HOUR, NOW, kept_at=NOW - 38 * MINUTE)
    running = Promise("next-reply", "p", "running", NOW, NOW + 9 * MINUTE + 5_000)
    paused = Promise("resolution", "p", "paused", NOW, left=30 * HOUR)
    told = clocks(ticket, (kept, running, paused), NOW, 200)
    assert [text for text, _ in told] == [
        "first reply done in 22m",
        "next reply in 9m 05s",
        "resolution paused in pending, 1d left",
    ]
    late = clocks(ticket, (kept, running, paused), NOW + 2 * HOUR, 60)
    assert [text for text, _ in late] == ["next reply -1h 50m overdue"]
    assert late[0][1] == "overdue"
    assert clocks(ticket, (), NOW, 80) == [("nothing is due", "quiet")]


def test_a_clock_kept_late_says_how_late() -> None:
    ticket = Ticket(1, "x", 1, NOW, NOW)
    late = Promise("first-reply", "p", "kept", NOW, NOW + HOUR, kept_at=NOW + 3 * HOUR)
    assert clocks(ticket, (late,), NOW, 80) == [("first reply done in 3h 00m, 2h 00m late", "quiet")]


# -- the card -----------------------------------------------------------------------


def test_the_card_tells_who_the_customer_is_and_what_is_around(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path, tickets=0)
    maria = Identity("email", "maria@acme.example", "Maria Petrova")
    for number, subject in enumerate(("MTU on firmware 3.2", "Invoice", "VPN drops")):
        receive(desk, [mail(number, sender=maria, subject=subject, at=NOW - (3 - number) * DAY)], batch=f"m{number}")
    do(desk, who, "solve", 1, batch="s")
    do(desk, who, "tag vpn; link 1; watch sam", 3, batch="t")
    store.write(lambda tx: tx.set_undeliverable("maria@acme.example", "550 no such user"))
    store.attend(Presence("s1", "sam", "h", 3, "writes", NOW + DAY), 20 * MINUTE)
    store.keep_draft(Draft(3, "sam", "reply", NOW - 5 * MINUTE, "Dear", {}))

    async def body() -> None:
        async with shown(front(desk, who), (160, 40)) as screen:
            screen.app.ticket.around = lambda number: [p for p in store.present(NOW) if p.ticket == number]
            await screen.press("3", "enter")
            await screen.see(
                "sam is writing here", "sam began a reply 5m ago", "Maria Petrova", "maria@acme.example",
                "! came back: 550 no such user", "3 tickets · 2 open", "#1 MTU on firmware 3.2  solved", "#2 Invoice",
                "related #1", "tags vpn", "watched by sam", "time spent sam 20m",
            )  # fmt: skip
            assert not screen.app.ticket.query_one("#person").display
            await screen.press("c")
            await screen.see(
                "Maria Petrova · maria@acme.example · acme.example · 3 tickets · 2 open · vpn · related #1"
            )
            assert "time spent" not in screen.text
            await screen.press("c")
            await screen.see("time spent sam 20m")

    run(body())


def test_a_long_name_leaves_room_for_the_address_behind_it(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path, tickets=0)
    receive(desk, [mail(0, name="Maximiliane Alexandra " * 5)], batch="m")

    async def body() -> None:
        async with shown(front(desk, who), (80, 24)) as screen:
            await screen.press("enter")
            await screen.see("Maximiliane Alexandra Maximiliane", "… · c0@acme.example · acme.example")

    run(body())


def test_where_it_has_no_room_the_card_is_a_sheet(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who), (80, 24)) as screen:
            await screen.press("1", "enter", "c")
            await screen.see("Who is behind #1", "customer since 02 Feb 2026", "1 ticket · 1 open")
            await screen.press("q")
            await screen.see("this is mail 0")

    run(body())


def test_a_review_has_the_whole_width(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who), (160, 40)) as screen:
            await screen.press("1", "enter", "r")
            await screen.type("Thank you.")
            await screen.press("ctrl+s")
            await screen.until(lambda: screen.app.place == "reviewing")
            await screen.until(lambda: not screen.app.ticket.card.display)
            await screen.press("e", "escape")
            await screen.until(lambda: screen.app.ticket.card.display)

    run(body())


# -- files and links ------------------------------------------------------------------


def with_files(tmp_path: Path) -> tuple[Store, Desk, Who]:
    """A desk with one ticket, with two files and a link."""
    store, desk, who = make_desk(tmp_path, tickets=0)
    blobs = [Blob.of(b"mtu 1420\n\x1b[31mmtu 1500\n"), Blob.of(b"\x89PNG\r\n\x1a\n" + bytes(8) + b"\0\0\0\4\0\0\0\3")]
    store.write(lambda tx: tx.put_blobs(blobs))
    files = (
        Attachment("../vpn.log", "text/plain", blobs[0].size, blobs[0].key),
        Attachment("photo.png", "image/png", blobs[1].size, blobs[1].key),
    )
    receive(desk, [mail(1, text="See https://status.example/x.", attachments=files)], batch="files")
    return store, desk, who


def test_attachments_are_shown_saved_and_piped(tmp_path: Path) -> None:
    _, desk, who = with_files(tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    given = front(desk, who, screen=ScreenConfig(downloads=str(out)))

    async def command(screen: Shown, line: str) -> None:
        await screen.press("colon")
        await screen.type(line)
        await screen.press("enter")

    async def body() -> None:
        async with shown(given) as screen:
            await screen.press("enter")
            await screen.see("[1] ../vpn.log", "[2] photo.png", "[a] https://status.example/x")
            await command(screen, "look 1")
            await screen.see("mtu 1420", "␛[31mmtu 1500")
            await screen.press("q")
            await command(screen, "look 2")
            await screen.see("PNG picture, 4 x 3", ":save 2 saves it")
            await screen.press("q")
            await command(screen, "save 1")
            assert f"saved: {out}/vpn.log" in screen.status
            await command(screen, "pipe 1 grep -c mtu; pwd >/dev/null")
            await screen.see("2")
            await screen.press("q")
            await command(screen, "pipe grep -o 'See.*'")
            await screen.see("See https://status.example/x.")
            await screen.press("q", "S")
            await screen.see(f"save-all {out}", "2 files; Enter saves into this folder")
            await screen.press("enter")
            assert "saved: 2 files" in screen.status
            await command(screen, "save 9")
            assert 'there is no attachment "9" here; they are numbered 1 to 2' in screen.status

    run(body())
    assert sorted(path.name for path in out.iterdir()) == ["photo.png", "vpn (2).log", "vpn.log"]


def test_without_a_browser_a_link_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, desk, who = with_files(tmp_path)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "TMUX"):
        monkeypatch.delenv(name, raising=False)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            written: list[str] = []
            assert screen.app._driver is not None
            monkeypatch.setattr(screen.app._driver, "write", written.append)
            await screen.press("enter", "o")
            await screen.see("https://status.example/x", "photo.png")
            await screen.type("status")
            await screen.press("enter")
            assert "no browser here, copied: https://status.example/x" in screen.status
            await screen.press("y")
            assert "copied: #1" in screen.status
            copied = [base64.b64decode(found) for found in re.findall(r"\x1b\]52;c;([^\x07]*)\x07", "".join(written))]
            assert copied == [b"https://status.example/x", b"#1"]

    run(body())


def test_a_ticket_whose_messages_are_all_elsewhere_can_be_read(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)
    do(desk, who, "merge 1", 2, batch="merge")

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("2", "enter")
            await screen.see("merged into #1")
            await screen.press("f")
            assert "nothing is folded in sight" in screen.status
            await screen.press("F", "w", "e", "}", "{", "G")
            assert screen.app.place == "ticket"

    run(body())
