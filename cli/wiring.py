"""The composition root: finds configuration and store, knows who acts, and hands each part what it needs."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec.structs import replace

from desk.config import Config, DeskConfig, Source, build, load, published
from desk.errors import ConfigError, Forbidden, Invalid, NotFound
from desk.model import Agent, Millis, Role
from desk.tables import cover
from storage import open_store

if TYPE_CHECKING:
    from datetime import tzinfo

    from desk.perform import Desk, Who
    from desk.store import Batch, Store
    from relay.engine import Station

SYSTEM_CONFIG = Path("/etc/deskhand/config.toml")


def now() -> Millis:
    """The time, in Unix milliseconds."""
    return time.time_ns() // 1_000_000


def new_batch() -> str:
    """A fresh batch id."""
    from desk.perform import new_batch_id

    return new_batch_id(now(), os.urandom(8))


def home(kind: str, fallback: str) -> Path:
    """The user's folder of a kind (XDG): `home("CONFIG", ".config")`."""
    base = os.environ.get(f"XDG_{kind}_HOME")
    return (Path(base) if base and base.startswith("/") else Path.home() / fallback) / "deskhand"


def user_config() -> Path:
    """Where the user's own configuration lies."""
    return home("CONFIG", ".config") / "config.toml"


@dataclass
class Session:
    """One run of the command line: what was asked for globally, and everything that follows from it."""

    options: dict[str, Any]

    @cached_property
    def config_path(self) -> Path | None:
        """The configuration file in force, if there is one: --config, DESKHAND_CONFIG, the user's, the system's."""
        named = self.options.get("config") or os.environ.get("DESKHAND_CONFIG")
        if named:
            return Path(named).expanduser()
        return next((path for path in (user_config(), SYSTEM_CONFIG) if path.exists()), None)

    @cached_property
    def config(self) -> Config:
        """The configuration: the file in force over the system's own."""
        path = self.config_path
        if path is None:
            return Config()
        if not path.exists():
            raise ConfigError(f"{path}: there is no such file; deskhand init makes one")
        config = load(path)
        if path != SYSTEM_CONFIG and SYSTEM_CONFIG.exists() and not self.options.get("config"):
            system = load(SYSTEM_CONFIG)
            config = replace(config, store=config.store if config.store.url else system.store)
        return config

    @property
    def url(self) -> str:
        """Where the desk is kept."""
        found = self.options.get("store") or os.environ.get("DESKHAND_STORE") or self.config.store.url
        return found or f"sqlite:///{home('DATA', '.local/share') / 'desk.db'}"

    def store(self, *, create: bool = False, upgrade: bool = False) -> Store:
        """The store, opened once; `create` makes it where there is none, with whoever asks as its admin."""
        if self._store is None:
            found = self._store = open_store(self.url, self.config.desk, create=create, upgrade=upgrade)
            try:
                self._first_use(found)
                found.config = self.desk_config(found)
            except BaseException:
                # Whoever asks again, when the store is back, is not to get a half.
                self._store = None
                found.close()
                raise
        return self._store

    _store: Store | None = None

    def _first_use(self, store: Store) -> None:
        if store.setting("secret") is not None:
            return
        at = now()
        if store.first_setting("secret", os.urandom(32).hex()) and not store.agents():
            store.save_agent(
                Agent(_login(), role=Role.ADMIN, uid=os.getuid()), self.batch(at, None, "the store was made")
            )

    def batch(self, at: Millis, agent: str | None, line: str) -> Batch:
        """The header of a change that is not a verb on tickets."""
        from desk.store import Batch

        return Batch(new_batch(), at, agent, os.getuid(), _host(), line)

    def desk_config(self, store: Store) -> DeskConfig:
        """How the desk works: what was published into a shared store, the file's where the store is the user's alone."""
        text = store.setting("config") if store.shared or self.config_path is None else None
        if text is None:
            return self._own(store)
        team = published(json.loads(text), int(store.setting("config_version") or 0))
        return replace(team, tables=cover(team.tables, self.config.desk.tables))

    def _own(self, store: Store) -> DeskConfig:
        """The configuration of one who shares the store with nobody: it is published as it changes.

        Other processes of theirs take it up so. A file that was named for one run is not for all of them.
        """
        own = self.config.desk
        named = self.options.get("config") or os.environ.get("DESKHAND_CONFIG")
        if store.shared or named or self.config_path is None:
            return own
        from cli import publishing
        from desk.tables import problems

        if changes := publishing.differs(store, own):
            text, version = store.setting("config"), int(store.setting("config_version") or 0)
            if text is not None and (wrong := problems(own)):
                # Half a policy is none: nothing that was promised changes by a slip of the hand.
                more = f" (and {len(wrong) - 1} more: deskhand config check)" if len(wrong) > 1 else ""
                click.echo(f"{wrong[0]}{more}; what held before still does", err=True)
                return published(json.loads(text), version)
            agent = store.me(os.getuid())
            if agent is not None and agent.role is Role.ADMIN:
                publishing.publish(self, store, changes, agent.name)
        elif publishing.behind(store) and (agent := store.me(os.getuid())) and agent.role is Role.ADMIN:
            publishing.catch_up(self, store, agent.name)
        return replace(own, version=int(store.setting("config_version") or 0))

    def desk(self, *, create: bool = False) -> Desk:
        """The desk with its store, ready for changes."""
        from desk.perform import Desk
        from desk.threads import Signer

        store = self.store(create=create)
        secret = store.setting("secret")
        assert secret is not None
        return Desk(store, store.config, Signer(bytes.fromhex(secret)))

    def agent(self) -> Agent | None:
        """Who acts: whose login on the server this is, or the kernel's user, or the agent named with --as."""
        store = self.store()
        named = self.options.get("as_agent")
        me = store.me(os.getuid())
        if named is None or (me is not None and me.name == named):
            return me
        agents = store.agents()
        if named not in agents:
            from desk.query import suggest

            raise NotFound(f'there is no agent "{named}"{suggest(named, tuple(agents))}')
        if store.setting("allow_as") != "yes":
            raise Forbidden("--as is not allowed at this desk; an admin allows it with: deskhand agent allow-as yes")
        return agents[named]

    def who(self) -> Who:
        """Who acts, and from where."""
        from desk.perform import Who

        return Who(self.agent(), os.getuid(), _host(), self.zone)

    @property
    def source(self) -> str:
        """What the log says beside the agent: that somebody declared themselves to be them."""
        return "self-declared" if self.options.get("as_agent") else ""

    @cached_property
    def zone(self) -> tzinfo:
        """The user's time zone."""
        name = self.config.screen.time_zone
        if not name:
            from datetime import UTC, datetime

            return datetime.now(UTC).astimezone().tzinfo or UTC
        from desk.when import zone_named

        try:
            return zone_named(name)
        except Invalid as error:
            raise ConfigError(f"config.toml, [screen]: {error}") from error

    def stations(self) -> list[Station]:
        """The accounts of the configuration, opened but not connected."""
        return [station(self.config, name) for name in self.config.channels]


def station(config: Config, name: str) -> Station:
    """The account `name` as the relay runs it; ConfigError names what is wrong in its table."""
    from channels import load as load_channel
    from relay.engine import Station

    table = dict(config.channels[name])
    source = config.source or Source("config.toml", "")
    kind = table.pop("kind")
    try:
        module = load_channel(kind)
    except ConfigError as error:
        raise source.error(("channels", name, "kind"), str(error)) from error
    settings = build(module.Settings, table, source, ("channels", name))
    channel = module.open(name, settings)
    parse = getattr(channel, "parser", None) or getattr(module, "parse", None)
    return Station(name, kind, channel, parse, float(getattr(settings, "poll_s", 60)))


def session() -> Session:
    """This run's session."""
    options = click.get_current_context().ensure_object(dict)
    if "session" not in options:
        options["session"] = Session(options)
    found = options["session"]
    assert isinstance(found, Session)
    return found


def read_file(path: str) -> tuple[str, str, bytes]:
    """(name, content type, bytes) of a file to attach."""
    import mimetypes

    file = Path(path).expanduser()
    try:
        data = file.read_bytes()
    except OSError as error:
        raise NotFound(f"{path}: cannot be read ({error.strerror})") from error
    return file.name, mimetypes.guess_type(file.name)[0] or "application/octet-stream", data


def _login() -> str:
    import pwd
    import re

    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"uid{os.getuid()}"
    return re.sub(r"[^\w.@+-]", "-", name.lower())


def _host() -> str:
    return os.uname().nodename
