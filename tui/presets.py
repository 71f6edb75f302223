"""The keys to begin with: a table for the list, one for an open ticket, one for sheets, one for all, and presets over them.

A key stands for a command line, as typed after `:`. A line that ends with a space opens the
command line with it, to be completed; "" takes a key away. Verbs of the desk bring keys of
their own besides (`@action(keys=...)`), which these tables cover.
"""

from __future__ import annotations

from collections.abc import Mapping

Tables = Mapping[str, Mapping[str, str]]
"""The tables "everywhere", "list", "ticket" and "sheet"."""

_MOVING = {
    "j": "down", "down": "down", "k": "up", "up": "up", "^d": "half-page-down", "pagedown": "half-page-down", "^u": "half-page-up",
    "pageup": "half-page-up", "gg": "top", "home": "top", "G": "bottom", "end": "bottom",
}  # fmt: skip

DEFAULT: Tables = {
    "everywhere": {
        "L": "log", **_MOVING,
        "D": "dashboard", "O": "outbox", "H": "history", "U": "changes", "gh": "health", "gc": "next-chat", "gn": "notices", "Q": "record",
        ":": "command", "/": "filter", "^p": "palette", "?": "help", "u": "undo", "^r": "redo", ".": "repeat", "^l": "refresh",
        "+": "raise", "-": "lower", "tab": "next", "r": "reply", "R": "reply-all", "i": "note",
        ">": "forward", "m": "macro",
        "g/": "goto", "!": "shell", "f1": "help",
    },
    "list": {
        "enter": "show", "l": "show", "right": "show", "q": "quit", "escape": "leave", "space": "mark", "*": "mark-all",
        "J": "next-view", "K": "previous-view", "gv": "view ", "g-": "last-view",
        "v": "mark-range", "V": "mark-customer", "~": "mark-others", "p": "peek", "P": "move-peek",
        **{f"alt+{place}": f"view {place}" for place in range(1, 10)},
    },
    "ticket": {
        "q": "back", "h": "back", "left": "back", "escape": "back", "J": "next-ticket", "K": "previous-ticket", "f": "unfold",
        "F": "unfold-all", "w": "why", "e": "events", "c": "card", "space": "half-page-down", "/": "search", "n": "search-next",
        "N": "search-previous", "}": "next-message", "{": "previous-message", "o": "launch", "S": "save-all", "|": "pipe ", "y": "copy",
        "Y": "copy text", "E": "look",
    },
    "sheet": {
        "enter": "show", "l": "show", "right": "show", "q": "back", "h": "back", "left": "back", "escape": "back",
        "space": "half-page-down", "/": "narrow", "tab": "across",
    },
}  # fmt: skip

_AERC: Tables = {
    "everywhere": {
        "^f": "half-page-down", "^b": "half-page-up", "r": "", "R": "", "rr": "reply-all", "rq": "quote", "Rr": "reply",
        "Rq": "quote", "d": "solve", "D": "solve",
        "\\": "filter", "c": "view ", "^n": "next-view", "^p": "previous-view", "^o": "palette",
    },
    "list": {"v": "mark", "V": "mark-all"},
    "ticket": {"c": "card", "^n": "next-ticket", "^p": "previous-ticket"},
}  # fmt: skip

_MUTT: Tables = {
    "everywhere": {
        "=": "top", "]": "half-page-down", "[": "half-page-up", "c": "view ", "d": "solve", "m": "open ", "Y": "tag ", ",": "macro",
        "$": "refresh",
    },
    "list": {"l": "filter", "t": "mark", "T": "mark-all", "*": "bottom", "x": "quit"},
    "ticket": {
        "j": "next-ticket", "k": "previous-ticket", "enter": "down", "backspace": "up", "-": "half-page-up", "T": "unfold",
        "x": "back", "*": "bottom", "c": "card",
    },
}  # fmt: skip

_EMACS: Tables = {
    "everywhere": {
        "^n": "down", "^p": "up", "n": "down", "p": "up", "^v": "half-page-down", "alt+v": "half-page-up", "<": "top", ">": "bottom",
        "^s": "filter", "alt+x": "command", "^x ^c": "quit", "^x u": "undo", "^_": "undo", "^x p": "palette", "^x b": "view ",
    },
    "list": {"^g": "leave", "^f": "show"},
    "ticket": {"^g": "back", "^b": "back", "^x k": "back", "n": "next-ticket", "p": "previous-ticket",
        "^s": "search", "alt+n": "search-next", "alt+p": "search-previous",
    },
}  # fmt: skip

PRESETS: Mapping[str, Tables] = {"default": {}, "aerc": _AERC, "mutt": _MUTT, "emacs": _EMACS}
"""What `preset` in `[keys]` may name: tables over DEFAULT."""
