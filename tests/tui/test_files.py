"""Files and text on their way out: names come from strangers, and nothing is written over."""

from __future__ import annotations

import base64
import stat
import struct
import time
import zlib
from pathlib import Path

import pytest

from desk.errors import Invalid
from tui import files


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("vpn.log", "vpn.log"), ("../../etc/passwd", "passwd"), ("/etc/", "etc"), ("..\\..\\win.ini", "win.ini"), (".bashrc", "bashrc"),
        ("--rf", "rf"), ("-", "unnamed"), ("", "unnamed"), ("a\x1b[31m\x00b.txt", "a\u241b[31m\u2400b.txt"), ("x\u202egpj.exe", "x⟨rlo⟩gpj.exe"),
        ("a\nb", "a b"), ('q"<>|?*:.txt', "q_______.txt"), ("résumé 漢字.pdf", "résumé 漢字.pdf"), ("..", "unnamed"),
        ("x" * 300 + ".tar", "x" * 116 + ".tar"), ("~/x", "x"),
    ],
)  # fmt: skip
def test_names_lose_all_that_could_do_harm(name: str, safe: str) -> None:
    found = files.safe_name(name)
    assert found == safe
    assert len(found.encode()) <= 255


def test_saving_never_writes_over_and_is_readable_to_oneself_alone(tmp_path: Path) -> None:
    first = files.save(b"one", "../vpn.log", tmp_path)
    second = files.save(b"two", "vpn.log", tmp_path)
    third = files.save(b"three", "x", tmp_path / "vpn.log")
    assert [path.name for path in (first, second, third)] == ["vpn.log", "vpn (2).log", "vpn (3).log"]
    assert [path.read_bytes() for path in (first, second, third)] == [b"one", b"two", b"three"]
    assert stat.S_IMODE(first.stat().st_mode) == 0o600


def test_a_link_that_lies_there_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "vpn.log").symlink_to(tmp_path / "elsewhere")
    assert files.save(b"x", "vpn.log", tmp_path).name == "vpn (2).log"
    assert not (tmp_path / "elsewhere").exists()


def test_a_place_that_is_none_says_so(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="No such file or directory; name another place"):
        files.save(b"x", "a", tmp_path / "none" / "a")


def test_the_folder_is_the_chosen_one_then_that_of_the_desktop_then_ones_own(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    assert files.downloads("", environ) == tmp_path
    (tmp_path / "Downloads").mkdir()
    assert files.downloads("", environ) == tmp_path / "Downloads"
    (tmp_path / ".config").mkdir()
    (tmp_path / ".config" / "user-dirs.dirs").write_text('# x\nXDG_DOWNLOAD_DIR="$HOME/In"\n')
    assert files.downloads("", environ) == tmp_path / "In"
    assert files.downloads("/srv/in", environ) == Path("/srv/in")


def test_a_command_gets_the_data_and_says_something() -> None:
    said = files.pipe("grep -c mtu; echo bad >&2; exit 3", b"mtu\nno\nmtu\n")
    assert (said.data, said.code, said.cut) == (b"2\nbad\n", 3, False)


def test_a_command_that_reads_nothing_holds_up_nobody() -> None:
    assert files.pipe("true", b"x" * 5_000_000).code == 0


def test_a_command_is_stopped_with_its_children() -> None:
    begun = time.monotonic()
    with pytest.raises(Invalid, match="stopped"):
        files.pipe("sleep 60 & sleep 60", b"", lambda: time.monotonic() > begun + 0.1)
    assert time.monotonic() - begun < 10


def test_a_command_that_never_stops_talking_is_cut() -> None:
    said = files.pipe("yes", b"")
    assert said.cut
    assert len(said.data) == 4_000_000


def test_opening_hands_the_target_over_as_one_argument(tmp_path: Path) -> None:
    out = tmp_path / "out"
    program = tmp_path / "open"
    program.write_text(f'#!/bin/sh\nprintf "%s|" "$@" > {out}\n')
    program.chmod(0o700)
    files.open_with((str(program), "--new"), "https://a.example/x;touch y&z $(q)")
    assert out.read_text() == "--new|https://a.example/x;touch y&z $(q)|"
    with pytest.raises(Invalid, match="ended with 1"):
        files.open_with(("false",), "x")


def test_the_desktops_opener_needs_a_desktop(tmp_path: Path) -> None:
    assert not files.can_open((), {})
    assert not files.can_open(("no-such-program-here",), {"DISPLAY": ":0"})
    assert files.can_open(("true",), {})
    program = tmp_path / "xdg-open"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    assert not files.can_open((str(program),), {})
    assert files.can_open((str(program),), {"WAYLAND_DISPLAY": "wayland-0"})


def test_text_goes_to_the_clipboard_of_the_terminal_through_tmux_too() -> None:
    plain = f"\x1b]52;c;{base64.b64encode('é'.encode()).decode()}\x07"
    assert files.clipboard("é", {}) == plain
    assert files.clipboard("é", {"TMUX": "/tmp/x"}) == plain + f"\x1bPtmux;\x1b{plain}\x1b\\"
    with pytest.raises(Invalid, match="terminals take"):
        files.clipboard("x" * 80_000, {})


def test_text_is_known_from_what_is_none() -> None:
    assert files.text_of("é".encode(), "application/octet-stream") == "é"
    assert files.text_of("é".encode("latin-1"), "text/plain") == "é"
    assert files.text_of("é".encode("latin-1"), "application/x") is None
    assert files.text_of("é".encode("utf-16"), "text/plain") == "é"
    assert files.text_of(b"a\x00b", "text/plain") is None


def test_a_picture_says_its_size() -> None:
    png = (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I4sIIBBBBB", 13, b"IHDR", 640, 480, 8, 2, 0, 0, 0)
        + struct.pack(">I", zlib.crc32(b""))
    )
    assert files.picture(png) == "PNG picture, 640 x 480"
    assert files.picture(b"GIF89a" + struct.pack("<HH", 3, 4)) == "GIF picture, 3 x 4"
    jpeg = b"\xff\xd8\xff\xe0\x00\x10" + bytes(14) + b"\xff\xc0\x00\x11\x08" + struct.pack(">HH", 480, 640) + bytes(9)
    assert files.picture(jpeg) == "JPEG picture, 640 x 480"
    for broken in (b"\xff\xd8" + b"\xff\xe0\x00\x00" * 5, b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b""):
        assert files.picture(broken) == ""
