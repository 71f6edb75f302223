"""Attachments and links on their way out of the screen: into files, programs and the clipboard. Names come from strangers."""

from __future__ import annotations

import atexit
import base64
import os
import shutil
import signal
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from desk.errors import Invalid
from desk.text import one_line
from tui.editor import folder

_LONGEST_NAME = 120
_SAME_NAMES = 1_000
_OUTPUT_BYTES = 4_000_000
_RUNS_S = 120.0
_STARTS_S = 1.0
_LOOK_S = 0.02
_CLIPBOARD_BYTES = 74_994
"""What terminals take at once: 100,000 characters in base 64."""

# -- into files ---------------------------------------------------------------------


def safe_name(name: str) -> str:
    """A name for a file here: no part of a path, nothing that hides it or looks like an option, no controls."""
    last = one_line(name.replace("\\", "/").rstrip("/").rpartition("/")[2])
    bare = "".join("_" if character in '<>:"|?*' or not character.isprintable() else character for character in last)
    bare = bare.lstrip(".-~ ").rstrip(". ") or "unnamed"
    stem, dot, ending = bare.rpartition(".")
    if dot and len(ending.encode()) <= 16:
        return _fitted(stem, _LONGEST_NAME - len(ending.encode()) - 1) + dot + ending
    return _fitted(bare, _LONGEST_NAME)


def _fitted(text: str, size: int) -> str:
    return text.encode()[:size].decode("utf-8", "ignore")


def downloads(chosen: str, environ: Mapping[str, str]) -> Path:
    """The folder that files are saved to: the one chosen, else that of the desktop, else the user's own."""
    home = Path(environ.get("HOME") or "~").expanduser()
    if chosen:
        return Path(chosen).expanduser()
    told = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "user-dirs.dirs"
    try:
        for line in told.read_text("utf-8", "replace").splitlines():
            key, _, value = line.partition("=")
            if key.strip() == "XDG_DOWNLOAD_DIR":
                return Path(value.strip().strip('"').replace("$HOME", str(home)))
    except OSError:
        pass
    return home / "Downloads" if (home / "Downloads").is_dir() else home


def save(data: bytes, name: str, where: Path) -> Path:
    """Put `data` into a new file and say which: in the folder `where` under a safe `name`, or as `where` itself.

    Nothing is ever written over: a name that is taken gets a number.
    """
    try:
        path = where / safe_name(name) if where.is_dir() else where
        for number in range(1, _SAME_NAMES):
            free = path if number == 1 else path.with_name(f"{path.stem} ({number}){path.suffix}")
            try:
                # Readable to its owner alone: customers' files are nobody else's business on a shared host.
                handle = os.open(free, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                continue
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            return free
    except OSError as error:
        raise Invalid(f"{where}: {error.strerror}; name another place: save N PATH") from error
    raise Invalid(f"{path} is there {_SAME_NAMES} times; name another place: save N PATH")


def kept(data: bytes, name: str) -> Path:
    """`data` as a file for a program to read: in a folder of this user's own, gone when the screen is left."""
    made = tempfile.mkdtemp(prefix="deskhand-", dir=folder())
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return save(data, name, Path(made))


# -- to programs --------------------------------------------------------------------


class Output(Struct, frozen=True):
    """What a command said, and what it ended with."""

    data: bytes
    code: int
    cut: bool = False


def pipe(command: str, data: bytes, stopped: Callable[[], bool] = lambda: False) -> Output:
    """Give `data` to a shell command and take what it says; it ends with all its children when it is stopped or takes too long."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
        given.write(data)
        given.seek(0)
        try:
            run = subprocess.Popen(
                ["/bin/sh", "-c", command], stdin=given, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
            )
        except OSError as error:
            raise Invalid(f"{command}: {error.strerror}") from error
        end, why = time.monotonic() + _RUNS_S, ""
        while run.poll() is None and not why:
            if stopped():
                why = "stopped"
            elif time.monotonic() > end:
                why = f"ended, for it took more than {_RUNS_S:.0f} s"
            elif os.fstat(said.fileno()).st_size > _OUTPUT_BYTES:
                why = f"ended, for it said more than {_OUTPUT_BYTES // 1_000_000} MB"
            else:
                time.sleep(_LOOK_S)
        if why:
            _end(run)
            if why == "stopped" or not os.fstat(said.fileno()).st_size:
                raise Invalid(f"{command}: {why}")
        said.seek(0)
        found = said.read(_OUTPUT_BYTES)
        return Output(found, run.wait(), bool(why))


def _end(run: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(run.pid, signal.SIGTERM)
        run.wait(1)
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    except ProcessLookupError:
        run.wait()


def can_open(opener: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Whether there is a program to open things with. The desktop's needs a desktop: without one it would take the terminal."""
    if not opener or shutil.which(opener[0]) is None:
        return False
    return Path(opener[0]).name != "xdg-open" or bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def open_with(opener: Sequence[str], target: str) -> None:
    """Have a program open a link or a file, without waiting for it to end; Invalid when it fails at once."""
    nothing = subprocess.DEVNULL
    try:
        run = subprocess.Popen([*opener, target], stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True)
        code = run.wait(_STARTS_S)
    except subprocess.TimeoutExpired:
        return
    except OSError as error:
        raise Invalid(f"{opener[0]}: {error.strerror}; [screen] open in config.toml names another program") from error
    if code:
        raise Invalid(f"{opener[0]} ended with {code}; [screen] open in config.toml names another program")


# -- to the clipboard ---------------------------------------------------------------


def clipboard(text: str, environ: Mapping[str, str]) -> str:
    """The sequence by which a terminal puts `text` on its clipboard (OSC 52), on whatever machine that is."""
    data = text.encode("utf-8", "replace")
    if len(data) > _CLIPBOARD_BYTES:
        raise Invalid(
            f"that is {len(data):,} bytes, and terminals take {_CLIPBOARD_BYTES:,} at once; save it, or pipe it"
        )
    plain = f"\x1b]52;c;{base64.b64encode(data).decode()}\x07"
    if not environ.get("TMUX"):
        return plain
    # tmux takes it itself (set-clipboard on) or hands it on (allow-passthrough on): both lead to the same text.
    return plain + "\x1bPtmux;" + plain.replace("\x1b", "\x1b\x1b") + "\x1b\\"


# -- what is in a file --------------------------------------------------------------


def text_of(data: bytes, content_type: str) -> str | None:
    """`data` as text, if that is what it is."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    if b"\x00" in data[:8_000]:
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace") if content_type.startswith("text/") else None


def picture(data: bytes) -> str:
    """What a picture's first bytes say of it: "PNG picture, 640 x 480"; "" for what is none."""
    found: tuple[str, int, int] | None = None
    if data.startswith(b"\x89PNG\r\n\x1a\n") and len(data) >= 24:
        found = ("PNG", *struct.unpack(">II", data[16:24]))
    elif data[:6] in (b"GIF87a", b"GIF89a") and len(data) >= 10:
        found = ("GIF", *struct.unpack("<HH", data[6:10]))
    elif data.startswith(b"BM") and len(data) >= 26:
        wide, high = struct.unpack("<ii", data[18:26])
        found = ("BMP", abs(wide), abs(high))
    elif data.startswith(b"\xff\xd8"):
        found = _jpeg(data)
    elif data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WebP picture"
    return f"{found[0]} picture, {found[1]} x {found[2]}" if found else ""


def _jpeg(data: bytes) -> tuple[str, int, int] | None:
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        kind = data[at + 1]
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            high, wide = struct.unpack(">HH", data[at + 5 : at + 9])
            return ("JPEG", wide, high)
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return None
