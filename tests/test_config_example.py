"""config.example.toml is the manual: it knows every key, its default is the true one, and it loads."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec import NODEFAULT
from msgspec.structs import replace

import channels
from channels.demo import Settings as Demo
from channels.email.settings import Imap, Smtp
from channels.email.settings import Settings as Email
from channels.kit.secrets import Password
from desk.canned import Canned
from desk.config import (
    Config,
    DeskConfig,
    KeysConfig,
    NotifyConfig,
    RelayConfig,
    ScreenConfig,
    Source,
    StoreConfig,
    build,
    keys,
    parse,
)
from desk.hooks import Hook
from desk.hours import Calendar
from desk.macros import Input, Macro
from desk.macros import load as load_macros
from desk.rules import Rule
from desk.sla import PolicyTable
from desk.tables import problems
from desk.views import View

EXAMPLE = (Path(__file__).resolve().parent.parent / "config.example.toml").read_text("utf-8")

TABLES: dict[str, type[Any]] = {
    "store": StoreConfig,
    "desk": DeskConfig,
    "screen": ScreenConfig,
    "keys": KeysConfig,
    "notify": NotifyConfig,
    "relay": RelayConfig,
    "calendars.office": Calendar,
    "policies.customers": PolicyTable,
    "views.late": View,
    "macros.refund": Macro,
    "macros.refund.inputs": Input,
    "snippets.hours": Canned,
    "channels.support": Email,
    "channels.support.imap": Imap,
    "channels.support.smtp": Smtp,
    "channels.sample": Demo,
    "channels.matrix.login": Password,
    "rules.sorted": Rule,
    "hooks.crm": Hook,
    **{f"channels.{kind}": channels.load(kind).Settings for kind in channels.BUILT_IN if kind not in ("email", "demo")},
}
"""Each table of the file and the dataclass that is its schema."""

FREE = {"keys": {"everywhere", "list", "ticket", "sheet"}}
"""Tables whose keys are the user's own."""

UNITS = {"_s": "seconds", "_minutes": "minutes", "_h": "hours", "_d": "days", "_mb": "MiB"}

COMPANIONS: dict[str, dict[str, Any]] = {
    "move_to": {"after": "move"},
    "token_cmd": {"auth": "xoauth2"},
    "choices": {"kind": "choice"},
    "idle": {"on": ["idle"]},
    "at": {"on": ["at"]},
}
"""Keys that make sense only beside others."""


@dataclass(frozen=True)
class Entry:
    """A key of the file: its table, its value, and the words above it."""

    table: str
    key: str
    value: Any
    words: str

    @property
    def required(self) -> bool:
        """Whether the words say that it must be given."""
        return "Required." in self.words

    @property
    def example(self) -> dict[str, Any] | None:
        """Another value, where the words show one."""
        found = re.search(r"^# Example: (.*)$", self.words, re.MULTILINE)
        return tomllib.loads(found[1]) if found else None


def entries() -> list[Entry]:
    """The keys in the order of the file."""
    found: list[Entry] = []
    table, words = "", ""
    for line in EXAMPLE.splitlines():
        if header := re.fullmatch(r"#?\[{1,2}([\w.-]+)\]{1,2}", line):
            table, words = header[1], ""
        elif table not in TABLES and table.startswith(("rules.", "hooks.")) and line.startswith("#"):
            continue  # to begin with, not to explain: tests/journeys/test_shipped_rules.py
        elif key := re.fullmatch(r"#(\w+) = (.*)", line):
            found.append(Entry(table, key[1], tomllib.loads(f"v = {key[2]}")["v"], words))
            words = ""
        elif line.startswith("# ") or line == "#":
            words += line + "\n"
        else:
            assert not line, f"neither a key, a table nor words: {line}"
            words = ""
    return found


def uncommented() -> str:
    """The file with every key and table in force."""
    return re.sub(r"^#(?=\[{1,2}[\w.-]+\]{1,2}$|\w+ = )", "", EXAMPLE, flags=re.MULTILINE)


ENTRIES = entries()
NAMES = [f"{entry.table}.{entry.key}" for entry in ENTRIES]


def plain(value: Any) -> Any:
    """A value of a dataclass as TOML has it."""
    return list(value) if isinstance(value, tuple) else value


def account(config: Config, name: str) -> Any:
    """An account's table as its channel reads it."""
    table = dict(config.channels[name])
    module = channels.load(table.pop("kind"))
    assert config.source is not None
    return build(module.Settings, table, config.source, ("channels", name))


def test_it_loads_as_it_is_and_says_nothing() -> None:
    assert replace(parse(EXAMPLE), source=None) == Config()


def test_with_every_key_in_force_it_loads_down_to_the_accounts() -> None:
    config = parse(uncommented())
    assert isinstance(account(config, "support"), Email)
    assert account(config, "sample") == Demo()
    assert replace(config.desk, tables={}) == DeskConfig()
    assert problems(config.desk) == []
    for name in ("store", "screen", "relay"):
        assert getattr(config, name) == TABLES[name]()


def test_no_key_stands_twice() -> None:
    assert sorted(set(NAMES)) == sorted(NAMES)


@pytest.mark.parametrize("table", TABLES)
def test_every_key_of_a_table_is_in_it(table: str) -> None:
    told = {entry.key for entry in ENTRIES if entry.table == table}
    told -= {"kind"} if table.startswith("channels.") else set()
    fields = set(keys(TABLES[table]))
    tables = {name.rpartition(".")[2] for name in TABLES if name.startswith(f"{table}.")}
    assert told == fields - tables - FREE.get(table, set())


@pytest.mark.parametrize("entry", ENTRIES, ids=NAMES)
def test_a_key_tells_its_true_default_and_its_unit(entry: Entry) -> None:
    assert len(entry.words) > 10
    if entry.key == "kind" and entry.table.startswith("channels."):
        return
    default = keys(TABLES[entry.table])[entry.key]
    assert entry.required == (default is NODEFAULT)
    if not entry.required:
        assert entry.value == plain(default)
        assert type(entry.value) is type(plain(default))
    for ending, unit in UNITS.items():
        if entry.key.endswith(ending):
            assert unit.lower() in entry.words.lower()


@pytest.mark.parametrize(
    "entry", [e for e in ENTRIES if e.example], ids=[n for n, e in zip(NAMES, ENTRIES, strict=True) if e.example]
)
def test_an_example_loads(entry: Entry) -> None:
    assert entry.example is not None
    assert list(entry.example) == [entry.key]
    tables = tomllib.loads(uncommented())
    table = tables
    for part in entry.table.split("."):
        table = table[part]
        table = table[0] if isinstance(table, list) else table
    known = keys(TABLES[entry.table])
    beside = {key: value for key, value in COMPANIONS.get(entry.key, {}).items() if key in known}
    table |= entry.example | beside
    if not entry.table.startswith("channels."):
        build(TABLES[entry.table], table, Source("config.toml", ""), (entry.table,))
        return
    name = entry.table.split(".")[1]
    account(replace(parse(""), channels=tables["channels"]), name)


def test_the_macros_to_begin_with_are_right() -> None:
    shown = re.findall(r"^#   (\[macros\..*(?:\n#(?:   .*)?)*)", EXAMPLE, re.MULTILINE)
    config = parse(re.sub(r"^#(?:   )?", "", "\n".join(shown), flags=re.MULTILINE))
    found = load_macros(config.desk)
    assert found.errors == ()
    assert len(found.items) == 5


def test_the_keys_to_begin_with_are_right() -> None:
    from tui.bindings import problems as key_problems

    shown = re.findall(r"^#   (\[keys\..*(?:\n#(?:   .*)?)*)", EXAMPLE, re.MULTILINE)
    config = parse(re.sub(r"^#(?:   )?", "", "\n".join(shown), flags=re.MULTILINE))
    assert config.source is not None
    assert config.keys.everywhere["Z"] == "snooze tomorrow"
    assert config.keys.ticket
    assert key_problems(config.keys, config.source) == []
