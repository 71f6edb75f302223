"""Where a reply or a note is written, below the conversation."""

from __future__ import annotations

from rich.color import Color, ColorType
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import TextArea

from desk.outgoing import NOTE
from desk.text import clean
from tui.draw import Look
from tui.widgets.bars import Line, Rule


class Composer(Vertical):
    """A heading that says who will read it, and the text."""

    def __init__(self, look: Look) -> None:
        super().__init__(id="composer")
        self.look = look

    def compose(self) -> ComposeResult:
        """The heading and the text."""
        yield Rule(self.look)
        yield Line(self.look, "composing")
        area = TextArea(
            "",
            soft_wrap=True,
            tab_behavior="focus",
            show_line_numbers=False,
            compact=True,
            id="body",
            highlight_cursor_line=False,
        )
        area.cursor_blink = False
        yield area

    @property
    def area(self) -> TextArea:
        """Where the text is typed."""
        return self.query_one("#body", TextArea)

    def open(self, kind: str, heading: tuple[tuple[str, str], ...], text: str) -> None:
        """Write a reply or a note, going on with `text`."""
        line = self.query_one("#composing", Line)
        line.ground = "note" if kind == NOTE else "text"
        line.say(heading)
        line.refresh()
        self.colour(kind)
        self.display = True
        self.text = text
        self.take_keys()

    def take_keys(self) -> None:
        """Let keys go to the text, at once: what is typed ahead must find it."""
        self.screen.set_focus(self.area, scroll_visible=False)

    def colour(self, kind: str) -> None:
        """Ink and ground of what is written."""
        style = self.look["note"] if kind == NOTE else self.look["text"]
        for target, color in (("color", style.color), ("background", style.bgcolor)):
            plain = color is None or color.is_default
            value = "ansi_default" if plain or color is None else _value(color)
            setattr(self.area.styles, target, value)

    @property
    def text(self) -> str:
        """What has been written."""
        return self.area.text

    @text.setter
    def text(self, text: str) -> None:
        self.area.load_text(clean(text).expandtabs(4))
        self.area.move_cursor(self.area.document.end)


def _value(color: Color) -> str:
    """A colour for Textual: one of the terminal's own stays as its user set it."""
    return f"ansi_{color.name}" if color.type is ColorType.STANDARD else color.get_truecolor().hex
