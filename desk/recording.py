"""Recording: what an agent did last, as the lines of a macro.

The log keeps the line of each batch with long texts shortened; the texts themselves stand
in the messages that were posted. From both comes what was done, word for word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from msgspec.structs import replace

from desk import lines
from desk.actions import find
from desk.errors import Invalid
from desk.events import Record
from desk.lines import Call
from desk.macros import Input
from desk.store import Store
from desk.threads import FORWARD

_CUT = 120
"""How long a call is in the log at most, its ellipsis included; see `lines.title`."""

_AMOUNT = re.compile(r"(?:[€$£]\s?\d[\d.,]*\d|[€$£]\s?\d|\b\d(?:[\d.,]*\d)?\s?(?:€|\$|£|%|EUR\b|USD\b|GBP\b|CHF\b))")


@dataclass(frozen=True)
class Done:
    """One batch of an agent's: its line, and the texts it posted on its first ticket, in order."""

    batch: str
    line: str
    texts: tuple[str, ...]


def done(store: Store, agent: str, *, last: int = 1, since: str | None = None) -> list[Done]:
    """The agent's last batches, or all from the batch `since` on, oldest first; not what was taken back."""
    for depth in (2_000, 100_000):
        records = store.log(limit=depth, newest=True)
        found = _standing(records, agent)
        if since in found or (since is None and len(found) >= last) or len(records) < depth:
            break
    names = list(found)
    if since is not None:
        if since not in found:
            raise Invalid(f"you have no batch {since} that stands; deskhand log shows them in parentheses")
        names = names[names.index(since) :]
    else:
        names = names[-last:]
    if not names:
        raise Invalid("there is nothing of yours to record yet; do it once by hand, then record it")
    return [_told(store, name, found[name]) for name in names]


def meanwhile(store: Store, agent: str, after: int, among: Collection[str]) -> list[Done]:
    """What of the batches `among` the agent did behind the line `after` of the log, oldest first; not what was taken back."""
    found = _standing(store.log(after=after, limit=100_000), agent)
    return [_told(store, name, rows) for name, rows in found.items() if name in among]


def _standing(records: Sequence[Record], agent: str) -> dict[str, list[Record]]:
    of_batch: dict[str, list[Record]] = {}
    undone_by: dict[str, list[str]] = {}
    for record in records:
        if record.undoes and record.batch not in of_batch:
            undone_by.setdefault(record.undoes, []).append(record.batch)
        of_batch.setdefault(record.batch, []).append(record)

    def stands(batch: str) -> bool:
        return not any(stands(one) for one in undone_by.get(batch, ()))

    return {
        batch: rows
        for batch, rows in of_batch.items()
        if rows[0].agent == agent
        and rows[0].line
        and not rows[0].undoes
        and rows[0].entity == "ticket"
        and stands(batch)
    }


def _told(store: Store, batch: str, records: Sequence[Record]) -> Done:
    posted = [r for r in records if r.kind == "Posted"]
    messages = {m.id: m for m in store.thread(int(posted[0].about))} if posted else {}
    texts = []
    for record in posted:
        message = messages.get(record.data["message"])
        if message is not None:
            texts.append(message.visible if FORWARD in message.flags else message.text)
    return Done(batch, records[0].line, tuple(texts))


def calls(one: Done) -> list[Call]:
    """What the batch did; Invalid where that cannot be a macro's step."""
    texts, at, found = list(one.texts), 0, []
    while at < len(one.line):
        piece, cut, at = _piece(one.line, at)
        if piece.strip():
            found.append(_call(piece.strip(), cut, texts))
    return found


def _piece(line: str, at: int) -> tuple[str, bool, int]:
    end = at + _CUT
    if line[end - 1 : end] == "…" and line[end : end + 2] in ("", "; "):
        return line[at : end - 1], True, end + 2
    piece = next(iter(lines.statements(line[at:])), line[at:])
    return piece, False, at + len(piece) + 1


def _call(piece: str, cut: bool, texts: list[str]) -> Call:
    action = find(piece.partition(" ")[0])
    if action.creates:
        raise Invalid(f"{action.name} makes a new ticket, a macro acts on those that are there")
    body = next((a.name for a in action.arguments if a.param.word == "body"), None)
    if body is None or not texts:
        if cut:
            raise Invalid(f'the log has only the beginning of "{piece[:40]}…"')
        return lines.parse(piece)
    text = texts.pop(0)
    if not cut:
        call = lines.parse(piece)
        return replace(call, args={**call.args, body: text}) if body in call.args else call
    # The options stand before the body, whole; it begins where the text does.
    shown = " ".join(lines.quote(text).split())
    start = next((at for at in range(len(piece)) if piece[at - 1] == " " and shown.startswith(piece[at:])), None)
    if start is None:
        raise Invalid(f'the text of "{piece[:40]}…" is not on the ticket any more')
    call = lines.parse(f"{piece[:start]} x")
    return replace(call, args={**call.args, body: text})


# -- what may differ the next time ------------------------------------------------------


def table(done: Iterable[Call], title: str, wanted: Callable[[Input], bool]) -> dict[str, Any]:
    """The calls as a table `[macros.NAME]`; values for which `wanted` says so are asked for, the recorded one as default."""
    inputs: list[Input] = []

    def ask(name: str, kind: Literal["text", "date", "agent"], label: str, value: str) -> str | None:
        taken = sum(one.name.rstrip("0123456789_") == name for one in inputs)
        one = Input(f"{name}_{taken + 1}" if taken else name, label, kind, default=value)
        if not wanted(one):
            return None
        inputs.append(one)
        return f"{{{{ input.{one.name} }}}}"

    do = [_line(call, ask) for call in done]
    whole: dict[str, Any] = {"title": title, "do": do}
    if inputs:
        whole["inputs"] = [
            {"name": one.name, "title": one.title, "kind": one.kind, "default": one.default} for one in inputs
        ]
    return whole


_ASKED = {"agent": ("agent", "agent", "whom"), "when": ("until", "date", "until when")}


def _line(call: Call, ask: Callable[..., str | None]) -> str:
    """The call as a line of a template, in which what is literal stays so."""
    held: list[str] = []

    def hold(placeholder: str) -> str:
        held.append(placeholder)
        # A word of its own kind until the line is put together; no text holds such a character.
        return f"\0{len(held) - 1}\0"

    args = dict(call.args)
    for argument in find(call.verb).arguments:
        value = args.get(argument.name)
        word = argument.param.word
        if not isinstance(value, str):
            continue
        if word in _ASKED and value not in ("me", "none", "reply"):
            name, kind, question = _ASKED[word]
            if put := ask(name, kind, f"{call.verb} {question}?", value):
                args[argument.name] = hold(put)
        elif word == "body":
            args[argument.name] = _body(call.verb, value, ask, hold)
    line = re.sub(r"\{(?=[{%#])", '{{ "{" }}', lines.format(Call(call.verb, args)))
    return re.sub("\0(\\d+)\0", lambda found: held[int(found[1])], line)


def _body(verb: str, text: str, ask: Callable[..., str | None], hold: Callable[[str], str]) -> str:
    amounts = list(_AMOUNT.finditer(text))
    if not amounts:
        put = ask("text", "text", f"the text of the {verb}?", text)
        return hold(put) if put else text
    return _AMOUNT.sub(
        lambda found: hold(p) if (p := ask("amount", "text", "what amount?", found[0])) else found[0], text
    )


def demand_name(name: str) -> str:
    """`name` if a macro can be called so, else Invalid."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,31}", name):
        raise Invalid(f'"{name}" is no name for a macro: small letters, digits, - and _ (32 at most)')
    return name
