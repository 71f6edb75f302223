"""Canned texts, the tables `[snippets.NAME]`: what an agent writes again and again, with placeholders."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from desk.config import DeskConfig
from desk.errors import DeskError, KeyProblem
from desk.placeholders import demand_known
from desk.tables import Checked, Entry, built, checked, once
from desk.text import contains, phrase, words


class Canned(Struct, frozen=True):
    """`[snippets.NAME]`: a text with placeholders."""

    text: str
    title: str = ""
    tags: tuple[str, ...] = ()


@once
def load(config: DeskConfig) -> Checked[Canned]:
    """The snippets that are right, and what is wrong with the others."""

    def make(entry: Entry) -> Canned:
        canned = built(entry, Canned)
        try:
            demand_known(canned.text)
        except DeskError as error:
            raise KeyProblem("text", str(error)) from error
        return canned

    return checked(config, "snippets", make)


def search(items: Mapping[str, Canned], text: str) -> dict[str, Canned]:
    """The snippets that have every word of `text` in their name, title, tags or text; the last may be a beginning."""
    wanted = [phrase(word, prefix=True) for word in text.split()]
    found = {}
    for name, canned in items.items():
        held = words(name.replace("-", " "), canned.title, *canned.tags, canned.text)
        if all(contains(held, needle, prefix) for needle, prefix in wanted if needle):
            found[name] = canned
    return found
