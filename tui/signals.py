"""What a terminal is told besides what it draws: a bell, its title, a notice on the desktop.

Everything that goes out so goes through here: it is cleaned, short, and ends where we say.
Terminals differ in how they take a notice; none of them answers, so that it is chosen by what
the environment tells, or by hand.
"""

from __future__ import annotations

from collections.abc import Mapping

from desk.text import one_line

BELL = "\a"
SAVE_TITLE, RESTORE_TITLE = "\x1b[22;2t", "\x1b[23;2t"
"""The terminal puts its title aside, and takes it back."""

WAYS_TO_A_DESKTOP = ("9", "777", "99")
"""The sequences (OSC) by which terminals take a notice."""

_LENGTH = 120
_END = "\x1b\\"


def safe(text: str, length: int = _LENGTH) -> str:
    """`text` as it may stand in a sequence: one line without any control, `length` characters at most."""
    text = "".join(sign for sign in one_line(text) if " " <= sign <= "~" or sign > "\xa0")
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def title(text: str) -> str:
    """Call the terminal so; inside tmux, its pane."""
    return f"\x1b]2;{safe(text, 60)}{_END}"


def desktop(text: str, way: str, *, tmux: bool = False) -> str:
    """Show a notice on the desktop by one of WAYS_TO_A_DESKTOP; `tmux` lets it through, where it allows that."""
    # A semicolon parts the fields of some of them.
    text = safe(text).replace(";", ",")
    match way:
        case "99":
            sequence = f"\x1b]99;i=deskhand:d=1;{text}{_END}"
        case "777":
            sequence = f"\x1b]777;notify;deskhand;{text}{_END}"
        case _:
            # A number first would be a command of its own to some.
            sequence = f"\x1b]9;deskhand: {text}{_END}"
    return through_tmux(sequence) if tmux else sequence


def through_tmux(sequence: str) -> str:
    """The sequence, wrapped so that tmux hands it on (`set -g allow-passthrough on`)."""
    return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + _END


def way_to_a_desktop(environment: Mapping[str, str]) -> str:
    """Which of WAYS_TO_A_DESKTOP the terminal takes, as far as its environment tells."""
    term, program = environment.get("TERM", ""), environment.get("TERM_PROGRAM", "")
    if "kitty" in term or environment.get("KITTY_WINDOW_ID"):
        return "99"
    if term.startswith(("rxvt", "foot")) or program == "ghostty" or environment.get("VTE_VERSION"):
        return "777"
    return "9"
