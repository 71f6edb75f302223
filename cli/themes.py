"""The verb theme: which themes there are, what one looks like without opening the screen, and a new one of one's own."""

from __future__ import annotations

import os
import re
from pathlib import Path

import click

import themes
from cli import output, wiring
from cli.wiring import Session, session, user_config
from desk.errors import ConfigError, Conflict, Invalid, NotFound
from desk.query import suggest
from themes import ATTRIBUTES, Theme, ThemeError, Watched

_SAMPLE: tuple[tuple[tuple[str, str], ...], ...] = (
    (("deskhand", "strong"), ("  network desk", "bar"), ("  mail ", "quiet"), ("ok", "quiet"), ("   sms ", "quiet"), ("failing", "trouble")),
    (("/ ", "prompt"), ("is:open", "text")),
    (("─" * 78, "rule"),),
    (("       DUE    ST    PR      NO  SUBJECT                              WHO      AGE", "heading"),),
    (("▌ ", "cursor"), ("-2h 05m !", "overdue"), ("  open  ", "text"), ("urg   ", "urgent"), ("4812  ", "quiet"), ("VPN drops every 20 minutes           ", "unread"), ("me       ", "strong"), (" 3h", "quiet")),
    (("* ", "mark"), ("    14m ~", "soon"), ("  new   ", "strong"), ("high  ", "high"), ("4809  ", "quiet"), ("Cannot log in  ", "text"), ("“since the reset…”    ", "quiet"), ("-        ", "faint"), ("40m", "quiet")),
    (("   3h 10m  ", "text"), ("  open  ", "text"), ("norm  ", "quiet"), ("4807  ", "quiet"), ("Invoice shows a wrong id  ", "text"), ("! bounced", "trouble"), ("  kim      ", "quiet"), (" 5h", "quiet")),
    (("   paused  ", "quiet"), ("  pend  ", "quiet"), ("low   ", "faint"), ("4790  ", "quiet"), ("Question about the export            ", "text"), ("sam      ", "quiet"), (" 2d", "quiet")),
    (("   asleep    solv  norm  4711  Feature idea: dark PDF               -         9d", "gone"),),
    (),
    ((" Maria Petrova", "customer"), (" wrote · mail · today 09:41", "quiet")),
    (("  Since the update the ", "text"), ("tunnel", "found"), (" drops ", "text"), ("every", "emphasis"), (" 20 minutes:", "text")),
    (("    ike: phase 2 rekey failed", "code"),),
    (("  > Did the update change the MTU?", "quoted"),),
    ((" NOTE ", "note_word"), (" kim · internal · today 10:02      ", "note")),
    (("  Same firmware as 4777.                 ", "note"),),
    ((" kim", "agent"), (" → Maria Petrova · mail · today 10:03 · ", "quiet"), ("sent", "good")),
    (("  merged from #4799", "system"),),
    ((" REPLY ", "reply_word"), ("public · mail · to m.petrova@acme.example", "quiet")),
    (),
    (("there is no ticket here; / shows others", "error"), ("   the store is away, retrying", "notice")),
    (("  solve  take it as done  ", "chosen"),),
    (("r", "key"), (" reply   ", "quiet"), ("i", "key"), (" note   ", "quiet"), ("?", "key"), (" help", "quiet")),
)  # fmt: skip
"""A little of everything: lines of (text, style)."""

_WIDTH = 80


def folders(here: Session) -> list[Path]:
    """Where themes of one's own are looked for, the first one being where new ones go; then the system's."""
    path = here.config_path
    own = user_config() if path is None or path == wiring.SYSTEM_CONFIG else path
    return list(dict.fromkeys((own.parent / "themes", wiring.SYSTEM_CONFIG.parent / "themes")))


def colourless(here: Session) -> bool:
    """Whether no colours are wanted: --no-color, or NO_COLOR in the environment."""
    return bool(os.environ.get("NO_COLOR")) or here.options.get("color") is False


def watched(here: Session) -> Watched:
    """The theme in force; ConfigError when it cannot be used."""
    try:
        return Watched(here.config.screen.theme, folders(here), color=not colourless(here))
    except ThemeError as error:
        raise ConfigError(str(error)) from error


@click.group("theme", invoke_without_command=True)
@click.pass_context
def theme_command(context: click.Context) -> None:
    """List the themes, look at one, or begin one of your own."""
    if context.invoked_subcommand is None:
        _list(as_json=False)


@theme_command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line")
def list_(as_json: bool) -> None:
    """List the themes there are; a star is at the one in force."""
    _list(as_json)


def _list(as_json: bool) -> None:
    here = session()
    chosen = "mono" if colourless(here) else here.config.screen.theme
    for name in themes.names(folders(here)):
        try:
            theme = themes.load(name, folders(here))
        except ThemeError as error:
            output.say(str(error))
            continue
        own = theme.files[0].parent != themes.SHIPPED
        if as_json:
            output.json_line(
                {"name": name, "about": theme.about, "dark": theme.dark, "own": own, "chosen": name == chosen}
            )
        else:
            click.echo(f"{'*' if name == chosen else ' '} {name:<16} {'own  ' if own else ''}{theme.about}".rstrip())


@theme_command.command("preview")
@click.argument("name", required=False)
def preview(name: str | None) -> None:
    """Print a piece of the queue and of a ticket as a theme draws them; without NAME, in the one in force."""
    here = session()
    theme = _load(here, name) if name else watched(here).theme
    if colourless(here) and theme.name != "mono":
        output.say("no colours are wanted (NO_COLOR, --no-color): the screen would use mono")
    for line in _SAMPLE:
        shown = "".join(_drawn(text, style, theme) for text, style in line)
        blank = " " * (_WIDTH - sum(len(text) for text, _ in line))
        click.echo(shown + _drawn(blank, "text", theme), color=False if colourless(here) else None)


def _load(here: Session, name: str) -> Theme:
    every = themes.names(folders(here))
    if name not in every:
        raise NotFound(f'there is no theme "{name}"{suggest(name, every)}; deskhand theme list shows them')
    try:
        return themes.load(name, folders(here))
    except ThemeError as error:
        raise ConfigError(str(error)) from error


def _drawn(text: str, style: str, theme: Theme) -> str:
    """`text` with the codes of a style, on the theme's ground."""
    inks = [_split(theme.styles[key]) for key in (style, "ground")]
    attributes, fore, back = inks[0]
    on = {word.replace("strike", "strikethrough"): True for word in attributes}
    return click.style(text, fg=_colour(fore or inks[1][1]), bg=_colour(back or inks[1][2]), **on)


def _split(style: str) -> tuple[list[str], str, str]:
    """The attributes, the ink and the ground of a style; "" is as the terminal has it."""
    before, _, ground = style.partition("on ") if style.startswith("on ") else style.partition(" on ")
    words = before.split()
    ink = next((word for word in words if word not in ATTRIBUTES and word != "default"), "")
    attributes = [word for word in (*words, *ground.split()) if word in ATTRIBUTES]
    under = next((word for word in ground.split() if word not in ATTRIBUTES and word != "default"), "")
    return attributes, ink, under


def _colour(word: str) -> str | tuple[int, int, int] | None:
    if word.startswith("#"):
        return int(word[1:3], 16), int(word[3:5], 16), int(word[5:7], 16)
    return word or None


@theme_command.command("new")
@click.argument("name")
@click.option("--extends", default="dark", show_default=True, help="The theme to begin with")
def new(name: str, extends: str) -> None:
    """Begin a theme of your own: a file with every colour and style, commented out."""
    here = session()
    if not re.fullmatch(r"[\w-]+", name):
        raise Invalid(f'"{name}" is no name for a theme: letters, digits, - and _')
    _load(here, extends)
    path = folders(here)[0] / f"{name}.toml"
    if extends == name:
        raise Invalid(f"a theme cannot extend itself; give it another name: deskhand theme new my-{name}")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with path.open("x", encoding="utf-8") as handle:
            handle.write(themes.sketch(name, extends, folders(here)))
    except FileExistsError:
        raise Conflict(f"{path} is there already; edit it, or give the new theme another name") from None
    click.echo(f"wrote {path}")
    click.echo(f'Next: theme = "{name}" in [screen] of config.toml; the screen follows the file as you save it.')
