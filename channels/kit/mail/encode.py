"""Header values and addresses as they go over the wire; nothing in them can start a header of its own."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable
from urllib.parse import quote

from desk.model import Identity

LINE_CHARACTERS = 76
_WORD_BYTES = 39  # 52 characters of base64: one word and "Subject: " fit on a line

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_UNSAFE = re.compile(r"[\s\x00-\x20\x7f-\x9f<>(),;:\\\"\[\]]+")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
_TOKENS = re.compile(r"[A-Za-z0-9 !#$&+^_`{}~.@,()\[\]%'-]*")


def clean(text: str) -> str:
    """`text` on one line, without control characters and halves of surrogate pairs."""
    return _CONTROL.sub(" ", text).encode("utf-8", "replace").decode().strip()


def header(name: str, value: str) -> bytes:
    """One field, folded at its spaces, with its line end. `value` is encoded already."""
    lines = [f"{name}:"]
    for word in value.split(" "):
        if len(lines[-1]) + 1 + len(word) > LINE_CHARACTERS and word:
            lines.append("")
        lines[-1] += f" {word}"
    return "\r\n".join(lines).encode() + b"\r\n"


def words(text: str) -> str:
    """`text` as it may stand in a Subject: as it is, or as encoded words (RFC 2047)."""
    text = clean(text)
    plain = (
        text.isascii()
        and "=?" not in text
        and all(len(word) < LINE_CHARACTERS for word in text.split(" "))
        and "  " not in text
    )
    return text if plain else " ".join(_encoded(text))


def _encoded(text: str) -> Iterable[str]:
    """Encoded words that split no character."""
    piece = b""
    for character in text:
        data = character.encode()
        if len(piece) + len(data) > _WORD_BYTES:
            yield _word(piece)
            piece = b""
        piece += data
    yield _word(piece)


def _word(data: bytes) -> str:
    return f"=?utf-8?b?{binascii.b2a_base64(data, newline=False).decode()}?="


def mailbox(identity: Identity) -> str:
    """A name and an address as they stand in From, To and Cc."""
    where = _UNSAFE.sub("", address(identity.value))
    name = clean(identity.display)
    if not name:
        return where
    if not name.isascii() or "=?" in name or len(name) > LINE_CHARACTERS:
        return f"{words(name) if not name.isascii() else ' '.join(_encoded(name))} <{where}>"
    if _ATOMS.fullmatch(name) and "  " not in name:
        return f"{name} <{where}>"
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <{where}>'


def mailboxes(identities: Iterable[Identity]) -> str:
    """Several, separated by commas."""
    return ", ".join(mailbox(identity) for identity in identities)


def address(value: str) -> str:
    """The address as it goes on the envelope: its domain as a server looks it up.

    A local part beyond ASCII stays as it is, and so does its domain (SMTPUTF8). What is
    no address stays none: whoever sends refuses it by name instead of guessing.
    """
    value = _CONTROL.sub("", value).encode("utf-8", "replace").decode().strip()
    local, at, domain = value.rpartition("@")
    if value.isascii() or not local.isascii():
        return value
    try:
        return f"{local}{at}{domain.encode('idna').decode()}"
    except UnicodeError:
        return value


def parameter(name: str, value: str) -> str:
    """A parameter of Content-Type or Content-Disposition: quoted, or as RFC 2231 says."""
    value = clean(value)
    if _TOKENS.fullmatch(value) and len(value) < LINE_CHARACTERS - len(name):
        return f'; {name}="{value}"'
    text = quote(value, safe="")
    room = LINE_CHARACTERS - len(name) - 12
    if len(text) <= room:
        return f"; {name}*=utf-8''{text}"
    pieces = _percent_pieces(text, room)
    first = f"; {name}*0*=utf-8''{pieces[0]}"
    return first + "".join(f"; {name}*{number}*={piece}" for number, piece in enumerate(pieces[1:], 1))


def _percent_pieces(text: str, room: int) -> list[str]:
    """`text` in pieces of at most `room` characters that split no %XX."""
    pieces: list[str] = []
    while text:
        end = min(room, len(text))
        if end < len(text):
            end -= next((back for back in (1, 2) if text[end - back] == "%"), 0)
        pieces.append(text[:end])
        text = text[end:]
    return pieces
