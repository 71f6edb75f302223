"""OpenPGP's armour inside text (RFC 9580, section 7): known and taken off, never checked."""

from __future__ import annotations

import re

MESSAGES = 20

_SIGNED, _SIGNATURE, _END = (
    "-----BEGIN PGP SIGNED MESSAGE-----",
    "-----BEGIN PGP SIGNATURE-----",
    "-----END PGP SIGNATURE-----",
)
_ENCRYPTED = re.compile(r"^-----BEGIN PGP MESSAGE-----", re.MULTILINE)
_FIELDS = re.compile(r"[ \t]*\n(?:[A-Za-z-]{1,40}: [^\n]{0,200}\n){0,10}\n?")
_DASHED = re.compile(r"^- ", re.MULTILINE)


def unarmoured(text: str) -> tuple[str, str]:
    """ "signed", "encrypted" or "", and the text that a person reads."""
    if _ENCRYPTED.search(text):
        return "encrypted", text
    out: list[str] = []
    at = 0
    for _ in range(MESSAGES):
        begin = _line(text, _SIGNED, at)
        signature = _line(text, _SIGNATURE, begin) if begin >= 0 else -1
        if signature < 0:
            break
        fields = _FIELDS.match(text, begin + len(_SIGNED))
        start = min(fields.end() if fields else begin + len(_SIGNED), signature)
        end = text.find(_END, signature)
        out += (text[at:begin], _DASHED.sub("", text[start:signature]))
        at = len(text) if end < 0 else end + len(_END)
    return ("signed", "".join([*out, text[at:].lstrip("\n")])) if out else ("", text)


def _line(text: str, mark: str, at: int) -> int:
    """Where `mark` stands at the beginning of a line; -1 if nowhere."""
    if text.startswith(mark, at) and (at == 0 or text[at - 1] == "\n"):
        return at
    found = text.find("\n" + mark, at)
    return found + 1 if found >= 0 else -1
