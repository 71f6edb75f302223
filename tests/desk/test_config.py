"""config.toml: what it says, and what it says when it is wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from desk.config import Config, DeskConfig, Source, build, load, parse, publishable, published
from desk.errors import ConfigError
from desk.model import DAY, SECOND


@dataclass(frozen=True, slots=True)
class Server:
    host: str
    port: int = 993
    tls: Literal["tls", "starttls"] = "tls"
    wait_s: float = 1.5


@dataclass(frozen=True, slots=True)
class Channel:
    address: str
    imap: Server | None = None
    folders: tuple[str, ...] = ("INBOX",)
    on: bool = True
    extra: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if "@" not in self.address:
            raise ValueError("address needs an @")


def channel(text: str) -> Channel:
    """The table [channels.a] of `text` as a Channel."""
    config = parse(text)
    table = {k: v for k, v in config.channels["a"].items() if k != "kind"}
    assert config.source is not None
    return build(Channel, table, config.source, ("channels", "a"))


def test_an_empty_file_is_all_defaults() -> None:
    config = parse("")
    assert (config.desk, config.channels) == (DeskConfig(), {})


def test_times_are_given_in_the_units_of_their_names() -> None:
    desk = parse("[desk]\nundo_s = 5\nreopen_window_d = 3").desk
    assert (desk.undo, desk.reopen_window) == (5 * SECOND, 3 * DAY)


def test_a_channels_table_becomes_what_its_channel_asks_for() -> None:
    found = channel(
        '[channels.a]\nkind = "x"\naddress = "a@x.example"\nfolders = ["A", "B"]\n[channels.a.imap]\nhost = "h"\nwait_s = 2\n'
    )
    assert found == Channel("a@x.example", Server("h", wait_s=2.0), ("A", "B"))
    assert isinstance(found.imap, Server)
    assert isinstance(found.imap.wait_s, float)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[desk]\n\nundo = 5", 'config.toml, [desk] line 3: unknown key "undo" (did you mean "undo_s"?)'),
        ("[dsek]\nundo_s = 5", 'config.toml, line 1: unknown key "dsek" (did you mean "desk"?)'),
        ('[desk]\nundo_s = "5"', "config.toml, [desk] line 2: undo_s must be a whole number, not '5'"),
        ("[desk]\nundo_s = true", "config.toml, [desk] line 2: undo_s must be a whole number, not True"),
        ("[desk]\nundo_s = 1.5", "config.toml, [desk] line 2: undo_s must be a whole number, not 1.5"),
        ("desk = 3", "config.toml, line 1: desk is a table: [desk]"),
        ("channels = 3", "config.toml, line 1: channels are tables: [channels.support]"),
        ("[channels]\nsupport = 3", "channels are tables: [channels.support]"),
        ('[channels."A b"]\nkind = "x"', '"A b" is no name for an account: small letters, digits, - and _'),
        ("[channels.a]\naddress = 1", 'an account needs its kind, for example kind = "email"'),
        ("[desk\n", "config.toml: Expected ']'"),
    ],
)
def test_a_mistake_names_file_table_line_and_the_nearest_key(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert said in str(caught.value)


HEAD = '[channels.a]\nkind = "x"\naddress = "a@x.example"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + 'adress = "b"', '[channels.a] line 4: unknown key "adress" (did you mean "address"?)'),
        ('[channels.a]\nkind = "x"', '[channels.a] line 1: the key "address" is missing'),
        (HEAD + "[channels.a.imap]\nport = 1", '[channels.a.imap] line 4: the key "host" is missing'),
        (HEAD + '[channels.a.imap]\nhots = "h"', '[channels.a.imap] line 5: unknown key "hots" (did you mean "host"?)'),
        (HEAD + 'imap = { host = "h", prt = 1 }', '[channels.a.imap] line 4: unknown key "prt" (did you mean "port"?)'),
        (HEAD + '[channels.a.imap]\nhost = "h"\ntls = "startls"', 'tls cannot be "startls" (did you mean "starttls"?)'),
        (HEAD + 'folders = "INBOX"', '[channels.a] line 4: folders is a list: folders = ["..."]'),
        (HEAD + "folders = [1]", "folders must be text in quotes, not 1"),
        (HEAD + "on = 1", "[channels.a] line 4: on must be true or false, not 1"),
        (HEAD + "imap = 1", "[channels.a] line 4: imap is a table: [channels.a.imap]"),
        (HEAD + "extra = 1", "extra is a table"),
        ('[channels.a]\nkind = "x"\naddress = "a"', "[channels.a] line 1: address needs an @"),
    ],
)
def test_a_mistake_in_an_account_is_found_in_its_table(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        channel(text)
    assert said in str(caught.value)


def test_a_file_that_cannot_be_read_is_an_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "none.toml")
    bad = tmp_path / "latin1.toml"
    bad.write_bytes("# Grüße".encode("latin-1"))
    with pytest.raises(ConfigError, match="byte 4 is not UTF-8; save the file as UTF-8"):
        load(bad)


def test_the_file_is_named_in_its_errors(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text("[desk]\nnam = 'x'\n")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}, [desk] line 2: ")
    path.write_text("[desk]\nname = 'x'\n")
    assert load(path).desk.name == "x"


def test_a_configuration_from_the_store_has_no_lines() -> None:
    with pytest.raises(ConfigError) as caught:
        build(DeskConfig, {"x": 1}, Source("the published configuration", ""), ("desk",))
    assert str(caught.value).startswith('the published configuration, [desk] unknown key "x"')


def test_what_a_newer_version_published_is_read_as_far_as_it_is_known() -> None:
    whole = publishable(parse('[desk]\nundo_s = 3\n[policies.a]\nfirst_reply = "1h"\n').desk)
    whole["tables"]["gadgets"] = {"x": {"size": 3}}
    desk = published({**whole, "future_s": 5}, 7)
    assert (desk.undo_s, desk.version, list(desk.tables["policies"])) == (3, 7, ["a"])


def test_the_defaults_are_what_the_design_says() -> None:
    assert (Config().desk.undo_s, Config().desk.reopen_window_d) == (10, 0)
