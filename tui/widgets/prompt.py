"""The line at the bottom to type into: commands, filters, and the searchable lists of verbs and keys."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Static

from desk.completion import Choice
from desk.text import clean
from tui.completion import SHOWN, Asking
from tui.draw import Look, cut, pad, wrap
from tui.widgets.lines import Drawn, Lines


class _Field(Input):
    """The line; what is pasted into it is cleaned first."""

    def _on_paste(self, event: events.Paste) -> None:
        # In place of what the base class would do.
        event.stop()
        event.prevent_default()
        first, *_ = event.text.splitlines() or [""]
        self.replace(clean(first).replace("\t", " "), *self.selection)


class Prompt(Vertical):
    """One line of input with what it may become above it."""

    class Changed(Message):
        """The text is another one."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, look: Look) -> None:
        super().__init__(id="prompt")
        self.look = look
        self.asking: Asking
        self.found: list[Choice] = []
        self.chosen = -1
        self.said: tuple[str, str] | None = None
        self.answer: str | None = None
        """The line that was typed, once the prompt is closed; None when it was left."""
        self._back = 0
        self._quiet = False

    def compose(self) -> ComposeResult:
        """The possibilities, and below them the line."""
        yield Lines(self.look, "choices")
        with Horizontal(id="typing"):
            yield Static(id="sign", markup=False)
            field = _Field(compact=True, id="field", select_on_focus=False)
            field.cursor_blink = False
            yield field

    def stay(self) -> None:
        """The screen has another size; lie at its bottom again."""
        self._draw()

    @property
    def field(self) -> Input:
        """Where the text is typed."""
        return self.query_one("#field", Input)

    def open(self, asking: Asking, text: str = "") -> None:
        """Ask, beginning with `text`."""
        self.asking, self._back, self.said = asking, 0, None
        self.query_one("#sign", Static).update(asking.sign)
        self.display = True
        self._set(text)
        # At once, not with the next idle moment: what is typed ahead must find it.
        self.screen.set_focus(self.field, scroll_visible=False)
        self._look_up()

    def close(self, text: str | None) -> None:
        """End, with or without a line."""
        self.answer = text
        self.display = False

    def complain(self, text: str | None, style: str = "error") -> None:
        """Show a sentence above the line (None: no longer)."""
        said = (text, style) if text else None
        if said != self.said:
            self.said = said
            self._draw()

    def offer(self, more: Sequence[Choice]) -> None:
        """Show these too, behind those there are."""
        known = {choice.text for choice in self.found}
        self.found += [choice for choice in more if choice.text not in known]
        if self.asking.picks and self.chosen < 0 and self.found:
            self.chosen = 0
        self._draw()

    def key(self, name: str) -> bool:
        """Take a key that is not text; False when it is none of ours."""
        match name:
            case "escape" | "^c":
                self.close(None)
            case "enter":
                self._enter()
            case "tab":
                self._choose(1, complete=not self.asking.picks)
            case "shift+tab":
                self._choose(-1, complete=not self.asking.picks)
            case "up" | "^k" if self.asking.picks:
                self._choose(-1)
            case "down" | "^n" if self.asking.picks:
                self._choose(1)
            case "up" | "down":
                self._recall(1 if name == "up" else -1)
            case _:
                return False
        return True

    def _enter(self) -> None:
        if not self.asking.picks:
            self.close(self.field.value)
        elif self.found:
            self.close(self.found[max(0, self.chosen)].text)
        elif self.said:
            # Nothing that could be taken: why not is told louder.
            self.complain(self.said[0])

    def _recall(self, step: int) -> None:
        history = self.asking.history
        self._back = max(0, min(len(history), self._back + step))
        self._set(history[-self._back] if self._back else "")
        self._look_up()

    def _choose(self, step: int, *, complete: bool = False) -> None:
        usable = [i for i, c in enumerate(self.found) if not complete or c.text != self.field.value]
        if not usable:
            return
        later = [i for i in usable if (i > self.chosen if step > 0 else i < self.chosen)]
        self.chosen = (later[0] if step > 0 else later[-1]) if later else usable[0 if step > 0 else -1]
        if complete:
            self._set(self.found[self.chosen].text)
            self.post_message(self.Changed(self.field.value))
        self._draw()

    def _set(self, text: str) -> None:
        self._quiet = self.field.value != text
        self.field.value = text
        self.field.cursor_position = len(text)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Look up again what the line may become."""
        event.stop()
        if self._quiet:
            self._quiet = False
            return
        self._look_up()
        self.post_message(self.Changed(event.value))

    def _look_up(self) -> None:
        self.found = list(self.asking.choices(self.field.value))
        self.chosen = 0 if self.asking.picks and self.found else -1
        self._draw()

    def _draw(self) -> None:
        most = max(SHOWN, self.app.size.height * 2 // 3) if self.asking.picks else SHOWN
        first = max(0, min(self.chosen - most // 2, len(self.found) - most))
        shown = self.found[first : first + most]
        keys = max((cell_len(c.key) for c in shown), default=0)
        hints = max((cell_len(c.hint) for c in shown), default=0)
        free = self.app.size.width - (keys + 3 if keys else 1) - 4
        names = min(max((cell_len(c.label) for c in shown), default=0), max(12, free // 2, free - hints))
        lines = [self._line(c, i + first == self.chosen, keys, names) for i, c in enumerate(shown)]
        lines += self._whole(free - names)
        if self.said:
            sentence, _, pointer = self.said[0].partition("\n")
            lines += [Drawn(((f" {part}", self.said[1]),)) for part in wrap(sentence, self.app.size.width - 2)]
            lines += [Drawn(((f" {part}", self.said[1]),)) for part in clean(pointer).split("\n") if part]
        if not lines and self.asking.picks:
            lines = [Drawn(((" nothing has these words in it; shorten them, or Escape", "quiet"),))]
        if lines:
            # One thin rule sets what is offered apart from the list it lies on.
            lines.insert(0, Drawn((("─" * self.app.size.width, "rule"),)))
        choices = self.query_one("#choices", Lines)
        choices.styles.height = len(lines)
        choices.put(lines)
        self.styles.height = len(lines) + 1
        self.styles.offset = (0, self.app.size.height - len(lines) - 1)

    def _whole(self, room: int) -> list[Drawn]:
        """What the chosen line says, whole, where lines are cut; the room for it stays while one goes through them."""
        if self.chosen < 0:
            return []
        wraps = [
            list(wrap(choice.hint, self.app.size.width - 2)) for choice in self.found if cell_len(choice.hint) > room
        ]
        hint = self.found[self.chosen].hint
        told = list(wrap(hint, self.app.size.width - 2)) if cell_len(hint) > room else []
        blank = [""] * (max(map(len, wraps), default=0) - len(told))
        return [Drawn(((f" {line}", "text"),)) for line in (*told, *blank)]

    def _line(self, choice: Choice, chosen: bool, keys: int, names: int) -> Drawn:
        lead = f" {pad(choice.key, keys)}  " if keys else " "
        ground = "chosen" if chosen else "text"
        parts = (
            (lead, "chosen" if chosen else "key"),
            (pad(cut(choice.label, names), names), ground),
            (
                f"  {cut(choice.hint, max(0, self.app.size.width - len(lead) - names - 4))}",
                "chosen" if chosen else "quiet",
            ),
        )
        return Drawn(parts, ground)
