"""The names of files in mails, as nothing but names."""

from __future__ import annotations

import re

from channels.kit.mail.charsets import storable

NAME_CHARACTERS = 200

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_ENDINGS = {
    "text/plain": ".txt",
    "text/html": ".html",
    "text/csv": ".csv",
    "text/calendar": ".ics",
    "text/vcard": ".vcf",
    "text/x-vcard": ".vcf",
    "text/rfc822-headers": ".txt",
    "message/delivery-status": ".txt",
    "message/feedback-report": ".txt",
    "message/disposition-notification": ".txt",
    "message/rfc822": ".eml",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/svg+xml": ".svg",
    "application/pdf": ".pdf",
    "application/zip": ".zip",
    "application/json": ".json",
    "application/xml": ".xml",
    "application/ics": ".ics",
    "application/ms-tnef": ".dat",
    "application/pgp-signature": ".asc",
    "application/pgp-encrypted": ".asc",
    "application/pkcs7-signature": ".p7s",
    "application/pkcs7-mime": ".p7m",
    "audio/mpeg": ".mp3",
    "video/mp4": ".mp4",
}


def file_name(name: str, number: int, kind: str) -> str:
    """A name that is only a file's name; a made-up one where there is none."""
    name = storable(_UNPRINTABLE.sub("", name)).replace("\\", "/").rpartition("/")[2].strip(" \t")
    if not name.strip(". "):
        return f"part-{number}{_ENDINGS.get(kind, '.bin')}"
    if len(name) <= NAME_CHARACTERS:
        return name
    stem, dot, ending = name.rpartition(".")
    return (
        stem[: NAME_CHARACTERS - 1 - len(ending)] + dot + ending
        if stem and len(ending) <= 20
        else name[:NAME_CHARACTERS]
    )


def guessed_type(name: str) -> str:
    """The content type that the ending of a name stands for."""
    ending = "." + name.rpartition(".")[2].lower()
    return next((kind for kind, known in _ENDINGS.items() if known == ending), "application/octet-stream")
