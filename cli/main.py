"""The console script: finds the verb, loads only what that verb needs, and says errors as sentences.

`deskhand VERB IDS [ARGS]`; alone it opens the terminal screen. stdout is data, stderr
is narration, the exit code tells scripts what happened (`EXIT_CODES`).
"""

from __future__ import annotations

import sys
from typing import Any

import click

from desk.errors import Busy, ConfigError, Conflict, DeskError, Forbidden, Invalid, NotFound, StoreError

EXIT_CODES: dict[type[DeskError], int] = {
    Invalid: 2,
    NotFound: 3,
    Forbidden: 4,
    Conflict: 5,
    ConfigError: 6,
    Busy: 7,
    StoreError: 7,
}
"""What a script learns from a failure; 1 is everything else, 130 an interrupt."""

VERBS: dict[str, tuple[str, str]] = {
    "ls": ("cli.reading", "list tickets that a query asks for"),
    "show": ("cli.reading", "show tickets with their conversation"),
    "next": ("cli.next", "find the next ticket for you, and why"),
    "view": ("cli.views", "list saved views, for ls -v NAME"),
    "why": ("cli.why", "explain a ticket: its policy, clocks, messages, and what rules did"),
    "log": ("cli.reading", "show what happened, to a ticket or to the desk"),
    "follow": ("cli.reading", "print what happens as it happens"),
    "do": ("cli.changing", "run command lines on tickets: do 'take; tag vpn' 12"),
    "new": ("cli.changing", "open a new ticket (the verb open)"),
    "macro": ("cli.macros", "run macros on tickets; list, check and record them"),
    "snippet": ("cli.snippets", "canned texts: list, show, search"),
    "undo": ("cli.changing", "take back your last change, or a batch"),
    "redo": ("cli.changing", "do again what was taken back last"),
    "import": ("cli.moving", "take in an mbox, a Maildir or .eml files"),
    "export": ("cli.moving", "write tickets as JSON lines or their mail as mbox"),
    "unprocessable": ("cli.rereading", "list mail that could not be read"),
    "reparse": ("cli.rereading", "read kept mail again, after an upgrade"),
    "parse": ("cli.moving", "show how deskhand reads mail files"),
    "backup": ("cli.storing", "copy the store while others go on working"),
    "rules": ("cli.rules", "the team's rules and hooks: list, check, test, replay"),
    "relay": ("cli.running", "fetch and send until stopped"),
    "health": ("cli.running", "how the relay, the accounts and the outbox fare"),
    "outbox": ("cli.running", "what is on its way out, and what failed"),
    "channel": ("cli.channels", "the accounts customers write to: list, check, pause, resume; new kinds"),
    "init": ("cli.setup", "set up a desk and a mailbox, tested before it is saved"),
    "doctor": ("cli.doctor", "check terminal, configuration, store and accounts"),
    "config": ("cli.setup", "check the configuration, or publish the team's part"),
    "agent": ("cli.agents", "list, add and change agents and teams"),
    "theme": ("cli.themes", "list themes, look at one, begin one of your own"),
    "store": ("cli.storing", "make, upgrade, check, copy, back up or restore the store"),
    "demo": ("cli.demo", "a living sample desk, nothing to configure"),
}
"""Every verb that is not an action, with the module that has it and its help in one line."""

_GLOBAL = ("store", "config", "as_agent", "plain", "color", "limit")


class Verbs(click.Group):
    """All verbs; those of the registry are built from their signatures when asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from desk.actions import load

        return sorted({*VERBS, *load()})

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name in VERBS:
            import importlib

            command = getattr(importlib.import_module(VERBS[name][0]), f"{name}_command")
            assert isinstance(command, click.Command)
            return _with_globals(command)
        from desk.actions import load

        if name not in load():
            return None
        from cli.changing import action_command

        return _with_globals(action_command(load()[name]))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        name = click.utils.make_str(args[0])
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            from desk.query import suggest

            raise Invalid(
                f'there is no verb "{name}"{suggest(name, self.list_commands(ctx))}; deskhand --help lists them'
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from desk.actions import load

        with formatter.section("Look and set up"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])
        with formatter.section("Act on tickets (IDS: 12, 1-3,5, - for standard input, or -q QUERY)"):
            formatter.write_dl([(a.name, a.summary.rstrip(".")) for a in load().values()])


def _global_options() -> list[click.Option]:
    return [
        click.Option(["--store"], metavar="URL", help="Where the desk is kept: sqlite:///path"),
        click.Option(["--config"], metavar="FILE", help="Read this configuration file"),
        click.Option(["--as", "as_agent"], metavar="AGENT", help="Act as this agent (where an admin allows it)"),
        click.Option(
            ["--plain"],
            is_flag=True,
            default=None,
            help="One line a thing, no decoration; without a verb: no screen, a dialogue line by line",
        ),
        click.Option(
            ["--limit"], type=click.IntRange(0, 1_000_000_000), default=None, help="At most so many lines; 0 for all"
        ),
        click.Option(["--no-color", "color"], flag_value=False, default=None, type=bool, help="No colours"),
    ]


def _with_globals(command: click.Command) -> click.Command:
    """Let the options that hold everywhere stand behind the verb as well as before it."""
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            found = command.get_command(click.Context(command), name)
            if found is not None:
                _with_globals(found)
        return command
    known = {option.name for option in command.params}
    command.params += [option for option in _global_options() if option.name not in known]
    callback = command.callback
    if callback is not None and not hasattr(callback, "deskhand_globals"):

        def wrapped(**params: Any) -> Any:
            context = click.get_current_context()
            given = context.ensure_object(dict)
            for name in _GLOBAL:
                if name in known:
                    # The verb has an option of this name: what stood before the verb is its default.
                    if name in given and context.get_parameter_source(name) is click.core.ParameterSource.DEFAULT:
                        params[name] = given[name]
                    continue
                value = params.pop(name, None)
                if value is not None:
                    given[name] = value
            return callback(**params)

        wrapped.deskhand_globals = True  # type: ignore[attr-defined]
        command.callback = wrapped
    return command


def _start(**params: Any) -> None:
    context = click.get_current_context()
    context.ensure_object(dict).update({name: params[name] for name in _GLOBAL if params.get(name) is not None})
    if context.invoked_subcommand is None:
        if params.get("plain"):
            from cli.plain import open_plain

            open_plain()
        else:
            from cli.screen import open_screen

            open_screen()


def _version(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        from importlib.metadata import version

        click.echo(f"deskhand {version('deskhand')}")
        context.exit()


def group() -> click.Group:
    """The whole command line."""
    version = click.Option(
        ["--version"], is_flag=True, expose_value=False, is_eager=True, callback=_version, help="The version, then end"
    )
    return Verbs(
        "deskhand",
        callback=_start,
        invoke_without_command=True,
        params=[*_global_options(), version],
        help="The support desk in the terminal. Without a verb it opens the screen.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )


def main(args: list[str] | None = None) -> None:
    """Run the command line; never returns."""
    try:
        code = group().main(args, "deskhand", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("stopped", err=True)
        sys.exit(130)
    except KeyboardInterrupt:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        sys.stderr.close()
        sys.exit(0)
    except DeskError as error:
        click.echo(f"deskhand: {error}", err=True)
        sys.exit(exit_code(error))
    sys.exit(code if isinstance(code, int) else 0)


def exit_code(error: DeskError) -> int:
    """The exit code for an error."""
    return next((code for kind, code in EXIT_CODES.items() if isinstance(error, kind)), 1)


if __name__ == "__main__":
    main()
