"""channels.email.settings: what a table of an account can say, and what it cannot."""

from __future__ import annotations

from typing import Any

import pytest

from channels.email.settings import Imap, Settings, Smtp
from desk.config import parse
from desk.errors import ConfigError
from tests.channels.email.accounts import account

TABLE = """
[channels.support]
kind = "email"
address = "support@example.com"
folders = ["INBOX", "Web"]

[channels.support.imap]
host = "imap.example.com"
password_cmd = ["pass", "show", "support"]

[channels.support.smtp]
host = "smtp.example.com"
tls = "starttls"
"""


def build(text: str) -> Settings:
    import desk.config

    config = parse(text)
    assert config.source is not None
    return desk.config.build(
        Settings, config.channels["support"], config.source, ("channels", "support"), skip=("kind",)
    )


def test_table_becomes_settings() -> None:
    settings = build(TABLE)
    assert settings.folders == ("INBOX", "Web")
    assert settings.imap.address == ("imap.example.com", 993)
    assert settings.smtp.address == ("smtp.example.com", 587)
    assert settings.imap.password_cmd == ("pass", "show", "support")
    assert settings.smtp_login == (settings.imap, "support@example.com")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ('hots = "x"', r'line \d+: unknown key "hots" \(did you mean "host"'),
        ('tls = "none"', "in clear to smtp.example.com"),
        ('auth = "xoauth2"', "needs token_cmd"),
        ('password = "a"\npassword_env = "B"', "contradict"),
    ],
)
def test_wrong_table_is_told_with_its_place(wrong: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(TABLE.replace('tls = "starttls"', wrong))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"address": "support"}, "not a mail address"),
        ({"folders": ()}, "folders is empty"),
        ({"after": "move"}, "go together"),
        ({"move_to": "Done"}, "go together"),
        ({"after": "move", "move_to": "INBOX"}, "one of the folders that are read"),
        ({"batch": 500}, "batch = 500 must lie between 50 and 200"),
        ({"idle_minutes": 29}, "idle_minutes"),
    ],
)
def test_contradictions_are_told(table: dict[str, Any], message: str) -> None:
    base = {"address": "support@example.com", "imap": Imap(host="h"), "smtp": Smtp(host="h")}
    with pytest.raises(ValueError, match=message):
        Settings(**(base | table))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_this_machine_may_be_talked_to_in_clear(host: str) -> None:
    assert Imap(host=host, tls="none").address == (host, 143)


def test_other_machines_only_with_open_eyes() -> None:
    with pytest.raises(ValueError, match=r"in clear to mail\.example\.com"):
        Imap(host="mail.example.com", tls="none")
    assert Imap(host="mail.example.com", tls="none", insecure=True)


def test_attachments_leave_room_for_their_encoding() -> None:
    assert account().attachment_limit_bytes == 18 * 2**20
