"""What a prompt of the screen asks, and how its list is searched."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

from msgspec import Struct

from desk.completion import Choice

SHOWN = 8


async def _nothing(text: str) -> None:
    return None


class Asking(Struct, frozen=True):
    """What a prompt is for: its sign, what its line may become, and what is done with it.

    `then` is given the line, or None when the prompt was left; `typed` each new text of it as it
    is typed. With `picks` Enter takes the chosen line of the list rather than what was typed. `more`
    finds what else fits, behind the `choices`; it runs in a thread and may ask the store.
    """

    sign: str
    choices: Callable[[str], Sequence[Choice]]
    then: Callable[[str | None], Awaitable[None]]
    history: Sequence[str] = ()
    picks: bool = False
    typed: Callable[[str], Awaitable[None]] = _nothing
    more: Callable[[str], Sequence[Choice]] | None = None


def search(words: str, choices: Iterable[Choice]) -> list[Choice]:
    """The choices that fit all the words typed, the best first; equals in their order.

    A word fits where it stands, best at the beginning of the name, and also where its letters follow
    each other in the name with others between: `rp` finds `reply`.
    """
    wanted = words.lower().split()
    if not wanted:
        return list(choices)
    ranked = ((_misfit(wanted, choice), choice) for choice in choices)
    return [choice for misfit, choice in sorted(((m, c) for m, c in ranked if m is not None), key=lambda pair: pair[0])]


def _misfit(wanted: Sequence[str], choice: Choice) -> int | None:
    """How badly all the words fit, 0 the best; None when one does not."""
    name, hint = choice.label.lower(), f"{choice.key} {choice.hint}".lower()
    worst = 0
    for word in wanted:
        if name.startswith(word):
            fit = 0
        elif f" {word}" in name.replace("-", " "):
            fit = 1
        elif word in name:
            fit = 2
        elif word in hint:
            fit = 3
        elif len(word) > 1 and _scattered(word, name):
            fit = 4
        else:
            return None
        worst = max(worst, fit)
    return worst


def _scattered(word: str, name: str) -> bool:
    letters = iter(name)
    return name[:1] == word[0] and all(letter in letters for letter in word)
