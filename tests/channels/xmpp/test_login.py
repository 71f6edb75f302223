"""Getting in: encryption, certificates, passwords, and the sentence where it does not work."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from channels.xmpp import Settings
from channels.xmpp.account import MISSING, Account
from desk.channel import AuthRequired, Permanent, Retry
from tests.channels.xmpp.seats import Seat, answer, nothing
from tests.servers import certificates
from tests.servers.prosody import PASSWORD, Prosody

CANARY = "canary-in-the-mine"


async def test_check_says_what_was_found(prosody: Prosody, desk: str) -> None:
    seat = Seat(prosody, desk)
    said = await seat.account.check()
    assert said[0] == f"127.0.0.1 lets {desk} in (TLSv1.3)"
    assert any("files.localhost, up to 200,000 bytes" in sentence for sentence in said)
    await seat.close()


@pytest.mark.parametrize("how", ["tls", "none"])
async def test_other_ways_in(prosody: Prosody, desk: str, how: Any) -> None:
    port = prosody.tls_port if how == "tls" else prosody.port
    seat = Seat(prosody, desk, tls=how, port=port)
    assert (await seat.account.check())[0].endswith("(TLSv1.3)" if how == "tls" else "(not encrypted)")
    await seat.close()


@pytest.mark.parametrize("how", ["starttls", "tls"])
async def test_a_certificate_of_a_strange_authority_is_not_taken(prosody: Prosody, desk: str, how: Any) -> None:
    port = prosody.tls_port if how == "tls" else prosody.port
    seat = Seat(prosody, desk, tls=how, port=port, ca_file="")
    with pytest.raises(Retry, match=r"the certificate of 127\.0\.0\.1 is not good for localhost: .*set ca_file"):
        await seat.read()
    await seat.close()


@pytest.mark.parametrize("how", ["starttls", "tls"])
async def test_a_certificate_has_to_bear_the_domain_of_the_address(prosody: Prosody, how: Any) -> None:
    port = prosody.tls_port if how == "tls" else prosody.port
    seat = Seat(prosody, prosody.account("support", "desk.test"), tls=how, port=port)
    with pytest.raises(Retry, match=r"not good for desk\.test: Hostname mismatch"):
        await seat.read()
    await seat.close()


async def test_a_server_that_offers_no_encryption_gets_no_password(tmp_path: Path) -> None:
    import asyncio

    heard = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.read(4096))
        writer.write(
            b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='1' version='1.0'>"
            b"<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism>"
            b"<mechanism>SCRAM-SHA-1</mechanism></mechanisms></stream:features>"
        )
        heard.extend(await reader.read(4096))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    settings = Settings(address="support@localhost", host="127.0.0.1", port=server.sockets[0].getsockname()[1], password=CANARY)  # fmt: skip
    account = Account("support", settings)
    with pytest.raises(Retry, match="offers no encryption: it is not trusted with the password"):
        await account.check()
    assert b"<auth" not in heard
    await account.close()
    server.close()


async def test_a_wrong_password_pauses_the_account_and_is_shown_nowhere(
    prosody: Prosody, desk: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    seat = Seat(prosody, desk, password=CANARY)
    with pytest.raises(AuthRequired, match=r"does not let .* in \(not authorized\): mend") as refused:
        await seat.read()
    part, *_ = seat.account.render(answer("ann@desk.test"))
    with pytest.raises(AuthRequired):
        await seat.account.send(part, "deskhand-1-7", nothing)
    assert CANARY not in f"{refused.value!r} {seat.account._settings!r} {seat.account!r}"
    assert CANARY not in caplog.text
    prosody.named(desk.partition("@")[0], password=CANARY)
    await seat.read()
    assert CANARY not in caplog.text
    prosody.named(desk.partition("@")[0], password=PASSWORD)
    await seat.close()


async def test_a_broken_ca_file_is_named(prosody: Prosody, desk: str, tmp_path: Path) -> None:
    seat = Seat(prosody, desk, ca_file=str(tmp_path / "gone.pem"))
    with pytest.raises(Retry, match=r"ca_file = .*gone\.pem cannot be used"):
        await seat.read()
    strange = certificates(tmp_path / "strange")
    other = Seat(prosody, desk, ca_file=str(strange / "ca.pem"))
    with pytest.raises(Retry, match="not good for localhost"):
        await other.read()
    await seat.close()
    await other.close()


async def test_a_missing_library_is_told_with_its_command(
    prosody: Prosody, desk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "channels.xmpp.stream", raising=False)
    monkeypatch.setitem(sys.modules, "slixmpp", None)
    seat = Seat(prosody, desk)
    with pytest.raises(Retry) as told:
        await seat.read()
    assert str(told.value) == MISSING
    await seat.close()


def test_the_library_is_loaded_by_the_first_connection_only() -> None:
    code = (
        "import sys, channels.xmpp as x; a = x.open('support', x.Settings(address='support@example.com', password='x'));"
        "print(sorted({m.partition('.')[0] for m in sys.modules} & {'slixmpp', 'aiodns', 'httpx2'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"address": "support"}, "is no XMPP address"),
        ({"address": "support@example.com/desk"}, "is no XMPP address"),
        ({"name": "a/b"}, "our name in rooms"),
        ({"tls": "none", "host": "example.com"}, "sends messages and password in clear"),
        ({"port": 5222}, "port without host"),
        ({"rooms": ("help",)}, '"help" is no room'),
        ({"history_d": -1}, "history_d"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"password": "x", "password_env": "X"}, "contradict each other"),
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Settings(**{"address": "support@example.com"} | wrong)


async def test_closing_leaves_nothing_behind(prosody: Prosody, desk: str) -> None:
    import asyncio

    seat = Seat(prosody, desk)
    await seat.read()
    await seat.close()
    await seat.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    with pytest.raises((Permanent, Retry)):
        await Seat(prosody, desk, port=1).read()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_of_several_servers_that_dns_names_one_that_is_down_is_passed_over(
    prosody: Prosody, desk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from channels.xmpp import stream

    async def named(self: object, domain: str, port: int | None = None) -> list[tuple[str, str, str, int]]:
        return [("xmpp-client", domain, "127.0.0.1", 1), ("xmpp-client", domain, "127.0.0.1", prosody.port)]

    monkeypatch.setattr(stream._Client, "get_dns_records", named)
    seat = Seat(prosody, desk, host="", port=0)
    assert (await seat.account.check())[0] == f"localhost lets {desk} in (TLSv1.3)"
    await seat.close()
