"""Where a reply or a note is written, below the conversation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.color import Color, ColorType
from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import TextArea
from textual.widgets.text_area import TextAreaTheme

from desk.outgoing import NOTE
from desk.text import clean
from tui.draw import Look, size
from tui.widgets.bars import Line, Part, Rule
from tui.widgets.lines import Drawn, Lines

_LARGEST_PASTE = 100_000
"""Characters: more is no message, and would hold up every key behind it."""

_FEWEST, _MOST = 3, 20
"""Lines of text in sight."""


class Body(TextArea):
    """The text; what is pasted into it is cleaned first."""

    def __init__(self, refused: Callable[[str], None]) -> None:
        super().__init__(
            "",
            soft_wrap=True,
            tab_behavior="focus",
            show_line_numbers=False,
            compact=True,
            id="body",
            highlight_cursor_line=False,
        )
        self.cursor_blink = False
        # The reverse of whatever it stands on: of a note's ground too.
        self.register_theme(TextAreaTheme("desk", cursor_style=Style(reverse=True, underline=True)))
        self.theme = "desk"
        self._refused = refused

    def restyled(self) -> None:
        """Draw all of it: its colours are others, and what it remembers of its lines has those before."""
        self.notify_style_update()
        self.refresh()

    async def _on_paste(self, event: events.Paste) -> None:
        # In place of what the base class would do.
        event.stop()
        event.prevent_default()
        if len(event.text) > _LARGEST_PASTE:
            self._refused(
                f"{size(len(event.text))} were pasted: too much for a message; save it and attach the file, ^o"
            )
            return
        # A terminal ends the lines of a paste as its return key would.
        self.put(event.text.replace("\r\n", "\n").replace("\r", "\n"))

    def put(self, text: str, begin: int = 0) -> None:
        """Put a text in place of what is selected, and of `begin` characters before the cursor."""
        start, end = sorted((self.selection.start, self.selection.end))
        made = self.replace(clean(text).expandtabs(4), (start[0], max(0, start[1] - begin)), end)
        self.move_cursor(made.end_location)


class Composer(Vertical):
    """A heading that says who will read it, what came meanwhile, the text, and the files that go with it.

    `changed` hears of every change of the text, `refused` why something was not pasted.
    """

    def __init__(self, look: Look, changed: Callable[[], None], refused: Callable[[str], None]) -> None:
        super().__init__(id="composer")
        self.look, self._changed = look, changed
        self.head, self.news = Line(look, "composing"), Line(look, "arrived")
        self.area, self._files = Body(refused), Lines(look, "attached")

    def compose(self) -> ComposeResult:
        """The heading and the text."""
        yield Rule(self.look)
        yield self.head
        yield self.news
        yield self.area
        yield self._files

    def open(self, kind: str, text: str) -> None:
        """Write a reply or a note, going on with `text`."""
        self.colour(kind)
        self.display = True
        self.text = text
        self.fit()
        self.take_keys()

    def tell(self, left: Sequence[Part], right: Sequence[Part], news: str, files: Sequence[Drawn]) -> None:
        """Say to whom it goes, whether it is safe, what came, and which files go with it."""
        self.head.say(left, right)
        self.news.display = bool(news)
        self.news.say(((news, "notice"),) if news else (), (("^g", "key"), (" reads it", "quiet")) if news else ())
        if files or self._files.lines:
            self._files.display = bool(files)
            self._files.styles.height = len(files)
            self._files.put(files)
        self.fit()

    def fit(self) -> None:
        """Take no more than half of the room: what is answered stays in sight."""
        pane = self.parent
        if isinstance(pane, Widget) and pane.size.height:
            others = 2 + bool(self.news.left) + len(self._files.lines)
            most = max(_FEWEST, min(_MOST, pane.size.height // 2 - others))
            if self.area.styles.max_height is None or self.area.styles.max_height.value != most:
                self.area.styles.max_height = most

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        """Something was typed."""
        event.stop()
        self._changed()

    def take_keys(self) -> None:
        """Let keys go to the text, at once: what is typed ahead must find it."""
        self.screen.set_focus(self.area, scroll_visible=False)

    def colour(self, kind: str) -> None:
        """Ink and ground of what is written."""
        ground = "note" if kind == NOTE else "text"
        self.head.ground = ground
        self.head.refresh()
        style = self.look[ground]
        for target, color in (("color", style.color), ("background", style.bgcolor)):
            plain = color is None or color.is_default
            value = "ansi_default" if plain or color is None else _value(color)
            setattr(self.area.styles, target, value)
        # Without a ground of its own a note has a line beside it: what is internal can be told from afar.
        aside = kind == NOTE and (style.bgcolor is None or style.bgcolor.is_default)
        self.area.styles.border_left = ("heavy", "ansi_default") if aside else ("none", "ansi_default")
        self.area.styles.padding = (0, 2, 0, 1 if aside else 2)
        self.area.restyled()

    @property
    def text(self) -> str:
        """What has been written."""
        return self.area.text

    @text.setter
    def text(self, text: str) -> None:
        self.area.load_text(clean(text).expandtabs(4))
        self.area.move_cursor(self.area.document.end)

    def join(self, text: str) -> None:
        """Put a text below all there is."""
        spot = self.area.selection
        self.area.insert(f"\n\n{clean(text).expandtabs(4)}", self.area.document.end)
        self.area.selection = spot

    @property
    def before(self) -> str:
        """What stands before the cursor in its line."""
        row, column = self.area.cursor_location
        return self.area.document.get_line(row)[:column]


def _value(color: Color) -> str:
    """A colour for Textual: one of the terminal's own stays as its user set it."""
    return f"ansi_{color.name}" if color.type is ColorType.STANDARD else color.get_truecolor().hex
