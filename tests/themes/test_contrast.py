"""Whether it can be read, by everybody: contrast as WCAG 2 reckons it, and clocks for those who see fewer colours."""

from __future__ import annotations

import itertools

import pytest
from rich.color import Color
from rich.style import Style

from desk.model import DAY, HOUR, MINUTE, Millis, Ticket
from themes import STYLES, load, names
from tui.clock import due, due_words
from tui.draw import look

RGB = tuple[float, float, float]

GROUNDS = {True: ("#000000", "#0c0c0c", "#1e1e1e"), False: ("#ffffff", "#f5f5f5")}
"""The grounds of terminals, dark and light, for which the themes are made that have none of their own."""
INKS = {True: "#cccccc", False: "#333333"}

OWN = ("mono", "terminal")
"""They leave all colours to the terminal: nothing can be reckoned, only that they stay so."""

SHOWN = [name for name in names() if name not in OWN]
TEXTS = [style for style in STYLES if style not in ("rule", "ground")]
CLOCKS = ("overdue", "soon", "text", "quiet")
"""Late, soon, fine, paused."""


def linear(rgb: str) -> RGB:
    """A colour as light (https://www.w3.org/TR/WCAG22/#dfn-relative-luminance)."""
    red, green, blue = (int(rgb[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return _light(red), _light(green), _light(blue)


def _light(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def luminance(rgb: RGB) -> float:
    """How light it is, from 0 to 1."""
    return 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2]


def contrast(one: str, other: str) -> float:
    """From 1 (the same) to 21 (black and white)."""
    dark, light = sorted((luminance(linear(one)), luminance(linear(other))))
    return (light + 0.05) / (dark + 0.05)


def pairs(theme: str, style: Style) -> list[tuple[str, str]]:
    """(ink, ground) of a style on each ground that the theme may be drawn on."""
    ground, dark = look(load(theme))["ground"], load(theme).dark
    ink = _hex(style.color) or _hex(ground.color) or INKS[dark]
    own = _hex(style.bgcolor) or _hex(ground.bgcolor)
    return [(ink, one) for one in ((own,) if own else GROUNDS[dark])]


def _hex(color: Color | None) -> str | None:
    return None if color is None or color.is_default else color.get_truecolor().hex


def test_black_on_white_is_21_and_grey_as_the_definition_has_it() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("style", TEXTS)
@pytest.mark.parametrize("theme", SHOWN)
def test_every_text_stands_out_from_its_ground(theme: str, style: str) -> None:
    wanted = 7.0 if theme == "high-contrast" else 4.5
    drawn = look(load(theme))[style]
    assert not drawn.dim, "how weak a terminal draws dim is not known"
    for ink, ground in pairs(theme, drawn):
        assert contrast(ink, ground) >= wanted, f"{ink} on {ground}"


@pytest.mark.parametrize("theme", ["high-contrast", "colour-blind"])
def test_what_is_promised_hangs_on_no_terminal(theme: str) -> None:
    ground = look(load(theme))["ground"]
    assert ground.color is not None
    assert ground.bgcolor is not None


def test_the_terminals_own_palette_is_all_that_terminal_uses() -> None:
    for style in look(load("terminal")).values():
        for color in (style.color, style.bgcolor):
            assert color is None or color.is_default or (color.number is not None and color.number < 8)
        assert style.bgcolor is None or style.color is not None, "ink and ground are named together or not at all"


# -- clocks -----------------------------------------------------------------------

#: What is left of a colour, in linear light, for those who lack one kind of cone (Machado, Oliveira
#: and Fernandes 2009, severity 1).
SEEN = {
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
    "all cones": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
}


def lightness(rgb: str, seen: tuple[RGB, ...]) -> float:
    """L* of CIELAB, 0 to 100, of the colour as it is seen."""
    red, green, blue = (sum(m * c for m, c in zip(row, linear(rgb), strict=True)) for row in seen)
    light = max(0.0, luminance((red, green, blue)))
    return 116 * light ** (1 / 3) - 16 if light > 0.008856 else 903.3 * light


@pytest.mark.parametrize("eye", SEEN)
def test_colour_blind_tells_clocks_apart_by_lightness(eye: str) -> None:
    styles = look(load("colour-blind"))
    seen = [lightness(pairs("colour-blind", styles[name])[0][0], SEEN[eye]) for name in CLOCKS]
    assert all(abs(a - b) >= 10 for a, b in itertools.combinations(seen, 2)), seen


@pytest.mark.parametrize("theme", names())
def test_late_and_soon_look_different_in_every_theme(theme: str) -> None:
    styles = look(load(theme))
    assert len({str(styles[name]) for name in ("overdue", "soon", "text")}) == 3


@pytest.mark.parametrize(
    ("left", "paused", "sign"),
    [
        (-2 * HOUR, False, "!"),
        (-1, False, "!"),
        (5 * MINUTE, False, "~"),
        (40 * MINUTE, False, "~"),
        (DAY, True, "paused"),
    ],
)
def test_a_clock_says_in_signs_what_its_colour_says(left: Millis, paused: bool, sign: str) -> None:
    now = 1_770_000_000_000
    ticket = Ticket(1, "", 1, 0, 0, due_at=now + left, due_kind="next-reply", paused=paused)
    text, _ = due(ticket, now)
    assert text.endswith(sign)
    fine, _ = due(Ticket(1, "", 1, 0, 0, due_at=now + DAY), now)
    assert fine[-1] not in "!~"
    words, style = due_words(ticket, now)
    assert ("overdue" in words or "is due now" in words) == (style == "overdue")
