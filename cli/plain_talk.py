"""Lines to and from a person at a terminal, or a pipe: one thing a line, nothing drawn twice.

A person is prompted, has a history and completion (the standard library's readline), and gets
what is long a page at a time. A pipe gets all of it, no prompts, and lines as long as they are.
"""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType

from cli.plain_words import several, wrap
from desk.completion import Choice
from desk.errors import DeskError

Complete = Callable[[str], Sequence[Choice]]
"""What a line that has been begun may become."""

_OFFERED = 20
_FEWEST = 5


class Talk:
    """The two ends of a dialogue."""

    def __init__(self) -> None:
        for stream in (sys.stdin, sys.stdout):
            if isinstance(stream, io.TextIOWrapper):
                # A character that the terminal has not is no reason to end.
                stream.reconfigure(errors="replace")
        self.person = sys.stdin.isatty()
        """Whether somebody types; else it is a script."""
        self._terminal = sys.stdout.isatty()
        self._left: list[str] = []
        self._readline = _readline() if self.person and self._terminal else None
        if self._readline:
            self._readline.set_completer(self._completed)
            self._readline.set_completion_display_matches_hook(self._offer)
        self._complete: Complete | None = None
        self._found: list[Choice] = []
        self._prompt = ""

    # -- saying -----------------------------------------------------------------

    @property
    def width(self) -> int:
        """The columns of a line; 0 where nobody looks."""
        return shutil.get_terminal_size().columns if self._terminal else 0

    @property
    def height(self) -> int:
        """The lines of a page, with some left for how it goes on and the prompt; 0 where nobody looks."""
        return max(_FEWEST, shutil.get_terminal_size().lines - 3) if self.person and self._terminal else 0

    def fitted(self, text: str, hang: str = "") -> list[str]:
        """`text` as lines of this terminal, safe to be shown; what goes on in another line begins there with `hang`."""
        return list(wrap(text, self.width, hang))

    def say(self, text: str, hang: str = "") -> int:
        """Say it at once; how many lines it took."""
        lines = self.fitted(text, hang)
        print("\n".join(lines))
        return len(lines)

    def show(self, texts: Iterable[str]) -> None:
        """Say these; of what is longer than a page the rest is for `more`."""
        self._left = [line for text in texts for line in self.fitted(text)]
        self.more()

    def more(self) -> bool:
        """Go on with what was too long for a page; False when there was nothing left."""
        if not self._left:
            return False
        count = self.height if self.height and len(self._left) > self.height + 2 else len(self._left)
        page, self._left = self._left[:count], self._left[count:]
        print("\n".join(page))
        if self._left:
            self.say(f"({several(len(self._left), 'more line')}; Enter goes on)")
        return True

    def leave_rest(self) -> None:
        """Forget what was too long for a page."""
        self._left = []

    # -- asking -----------------------------------------------------------------

    def command(self, prompt: str, complete: Complete) -> str:
        """A line that is a command; EOFError at the end of the input."""
        self._complete = complete
        try:
            line = self._line(prompt)
        finally:
            self._complete = None
        if self._readline and line.strip() and "\n" not in line:
            self._readline.add_history(line)
        return line

    def text(self) -> list[str]:
        """A line of a text; what was pasted may be several. EOFError at the end of the input."""
        if self._readline:
            self._readline.parse_and_bind("tab: self-insert")
        try:
            return self._line("").split("\n")
        finally:
            if self._readline:
                _bind_tab(self._readline)

    def answer(self, question: str, letters: str) -> str:
        """Which of the letters answers the question; "" for anything else, which is no."""
        self.say(question)
        if self.person:
            _forget_typed()
        said = self._line("answer: ").strip().lower()
        said = {"yes": "y", "no": "n"}.get(said, said)
        return said if len(said) == 1 and said in letters else ""

    def value(self, question: str) -> str:
        """What is typed after a question."""
        self.say(question)
        return self._line("answer: ").strip()

    def _line(self, prompt: str) -> str:
        sys.stdout.flush()
        if not self.person:
            line = sys.stdin.readline()
            if not line:
                raise EOFError
            return line.rstrip("\r\n")
        self._prompt = prompt
        try:
            return input(prompt)
        except (EOFError, KeyboardInterrupt):
            print()
            raise

    # -- completion -------------------------------------------------------------

    def _completed(self, line: str, turn: int) -> str | None:
        # Readline asks for one after the other.
        if turn == 0:
            try:
                self._found = [c for c in self._complete(line) if c.text != line] if self._complete else []
            except DeskError:
                self._found = []
        return self._found[turn].text if turn < len(self._found) else None

    def _offer(self, line: str, texts: Sequence[str], longest: int) -> None:
        print()
        for choice in self._found[:_OFFERED]:
            self.say(f"{choice.label}: {choice.hint}" if choice.hint else choice.label)
        if (more := len(self._found) - _OFFERED) > 0:
            print(f"and {more} more; type another letter")
        print(f"{self._prompt}{line}", end="", flush=True)


def _readline() -> ModuleType | None:
    try:
        import readline
    except ImportError:
        return None
    # What is written to customers is no history.
    readline.set_auto_history(False)
    # The whole line is completed, not a word of it.
    readline.set_completer_delims("")
    _bind_tab(readline)
    return readline


def _bind_tab(readline: ModuleType) -> None:
    libedit = "libedit" in (readline.__doc__ or "")
    readline.parse_and_bind("bind ^I rl_complete" if libedit else "tab: complete")


def _forget_typed() -> None:
    """What was typed before a question is no answer to it: the end of a paste must not send anything."""
    import termios

    try:
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
    except (termios.error, OSError, ValueError):
        return
