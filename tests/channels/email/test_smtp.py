"""channels.email.smtp: it is always known whether a message went out, and when it is not, that is said."""

from __future__ import annotations

import asyncio
import logging
import traceback
from typing import Any

import pytest
from msgspec.structs import replace

import channels.email as email
from channels.email.smtp import Submission, _wired
from desk.channel import AuthRequired, ChannelError, Part, Permanent, RateLimited, Retry, Sent, Unknown
from tests.channels.email.accounts import account, clear, part
from tests.servers import eventually
from tests.servers.dovecot import User
from tests.servers.exim import Exim
from tests.servers.scripted_smtp import DROP, SILENCE, STEPS, ScriptedSmtp


class Phases(list[str]):
    """Remembers what a sender told about how far it is."""

    async def __call__(self, phase: str) -> None:
        self.append(phase)


async def send(table: dict[str, Any], what: Part, phases: Phases | None = None) -> Sent:
    phases = Phases() if phases is None else phases
    return await Submission(account(smtp=table)).send(what, phases, "deskhand-1-1")


async def scripted(server: ScriptedSmtp, what: Part | None = None, phases: Phases | None = None, **table: Any) -> Sent:
    return await send(clear(server.port, **table), what or part("ann@example.com"), phases)


# -- real server ------------------------------------------------------------


@pytest.mark.parametrize("tls", ["tls", "starttls"])
async def test_message_is_taken_and_arrives_as_it_was(exim: Exim, tls: str) -> None:
    port = exim.tls_port if tls == "tls" else exim.port
    body = f"marker-{tls}\r\n.\r\n..dots\r\n".encode()
    phases = Phases()
    sent = await send(exim.smtp(tls=tls, port=port), part("ann@desk.test", body=body), phases)
    assert (sent.remote_id or "").startswith("OK id=")
    assert not sent.refused
    assert phases == ["data"]
    eventually(lambda: exim.delivered(f"marker-{tls}".encode()), "the delivery")
    (arrived,) = exim.delivered(f"marker-{tls}".encode())
    assert arrived.endswith(body.replace(b"\r\n", b"\n"))


async def test_refused_recipients_are_told_one_by_one(exim: Exim) -> None:
    sent = await send(exim.smtp(), part("ann@desk.test", "nobody-here@desk.test", "greylist@desk.test"))
    assert {address: (one.code, one.permanent) for address, one in sent.refused.items()} == {
        "nobody-here@desk.test": (550, True),
        "greylist@desk.test": (451, False),
    }
    assert "no such user" in sent.refused["nobody-here@desk.test"].text


async def test_nobody_left_for_good_is_permanent(exim: Exim) -> None:
    phases = Phases()
    with pytest.raises(Permanent, match=r"550 .*no such user"):
        await send(exim.smtp(), part("nobody-here@desk.test"), phases)
    assert phases == []


@pytest.mark.parametrize("others", [(), ("nobody-here@desk.test",)])
async def test_nobody_left_for_now_is_tried_again(exim: Exim, others: tuple[str, ...]) -> None:
    with pytest.raises(Retry, match=r"451 .*try later"):
        await send(exim.smtp(), part("greylist@desk.test", *others))


async def test_wrong_password_needs_a_person(exim: Exim) -> None:
    with pytest.raises(AuthRequired, match="localhost wants a valid login: 535"):
        await send(exim.smtp(password="wrong"), part("ann@desk.test"))


async def test_missing_login_needs_a_person(exim: Exim) -> None:
    with pytest.raises(AuthRequired, match="530"):
        await send(exim.smtp(login=False), part("ann@desk.test"))


async def test_untrusted_certificate_sends_nothing(exim: Exim) -> None:
    with pytest.raises(Retry, match="CERTIFICATE_VERIFY_FAILED"):
        await send(exim.smtp(ca_file=""), part("ann@desk.test"))


async def test_message_above_the_servers_limit_is_not_even_begun(exim: Exim) -> None:
    with pytest.raises(Permanent, match=r"has 2.0 MiB, localhost takes 1.0"):
        await send(exim.smtp(), part("ann@desk.test", body=b"x" * 76 + b"\r\n" + b"y" * 2_097_152))


async def test_address_in_any_script_is_sent_with_smtputf8(exim: Exim) -> None:
    sent = await send(exim.smtp(), part("jürgen@desk.test", body=b"marker-utf8\r\n"))
    assert not sent.refused


async def test_address_that_is_none_is_refused_by_itself(exim: Exim) -> None:
    sent = await send(exim.smtp(), part("ann@desk.test", "bad\r\nRCPT TO:<eve@example.com>"))
    assert [one.permanent for one in sent.refused.values()] == [True]


async def test_account_that_copies_its_answers(exim: Exim, user: User) -> None:
    user.create("Sent")
    channel = email.open("support", account(user.imap(), exim.smtp(max_message_mb=1), sent_folder="Sent"))
    said = await channel.check()
    assert said[-1] == "localhost: ready to send as support@desk.test"
    await channel.archive(part("ann@desk.test"))
    assert user.count("Sent", "SEEN") == 1
    await channel.close()


async def test_limit_above_the_servers_is_noticed_by_the_check(exim: Exim) -> None:
    said = await Submission(account(smtp=exim.smtp())).check()
    assert "1 MiB at most" in said[-1]
    assert "max_message_mb = 1 in the smtp table" in said[-1]


async def test_smtp_without_credentials_uses_those_of_imap(exim: Exim) -> None:
    own = exim.smtp(password="", user="")
    settings = account({"host": "localhost", "user": "ann@desk.test", "password": "secret"}, own)
    assert await Submission(settings).send(part("ann@desk.test"), Phases())


async def test_reports_are_asked_for_where_they_are_wanted_and_offered(exim: Exim) -> None:
    sent = await send(exim.smtp(dsn=True), part("ann@desk.test", body=b"marker-dsn\r\n"))
    assert not sent.refused
    eventually(lambda: exim.delivered(b"marker-dsn"), "the delivery")


async def test_automatic_mail_has_no_sender_to_answer_to(exim: Exim) -> None:
    what = replace(part("ann@desk.test", body=b"marker-automatic\r\n"), automatic=True)
    assert not (await send(exim.smtp(), what)).refused
    eventually(lambda: exim.delivered(b"marker-automatic"), "the delivery")
    (arrived,) = exim.delivered(b"marker-automatic")
    assert b"Return-path: <>" in arrived


# -- scripted server: hanging up --------------------------------------------


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("fault", [DROP, SILENCE])
async def test_loss_at_every_verb_is_known_or_said_to_be_unknown(step: str, fault: str) -> None:
    phases = Phases()
    async with ScriptedSmtp(**{step: fault}) as server:
        with pytest.raises(ChannelError) as caught:
            await scripted(server, phases=phases, timeout_s=0.1, answer_timeout_s=0.1)
        began = step in ("DATA", "DOT")
        assert type(caught.value) is (Unknown if began else Retry)
        assert phases == (["data"] if began else [])
        # Nothing that was only retried can have gone out.
        assert len(server.messages) == (step == "DOT")


@pytest.mark.parametrize("fault", [DROP, SILENCE])
async def test_loss_after_the_answer_is_no_loss(fault: str) -> None:
    async with ScriptedSmtp(QUIT=fault) as server:
        assert await scripted(server) == Sent("OK queued as 4711", {})


async def test_connection_closed_while_the_phase_is_recorded_sends_nothing() -> None:
    async with ScriptedSmtp() as server:

        async def phase(_: str) -> None:
            for writer in server._open:
                writer.transport.abort()
            await asyncio.sleep(0.05)

        with pytest.raises(Retry, match="before the message was sent"):
            await Submission(account(smtp=clear(server.port))).send(part("ann@example.com"), phase)
        assert server.messages == []


async def test_phase_that_cannot_be_recorded_sends_nothing() -> None:
    async with ScriptedSmtp() as server:

        async def phase(_: str) -> None:
            raise RuntimeError("disk full")

        with pytest.raises(RuntimeError, match="disk full"):
            await Submission(account(smtp=clear(server.port))).send(part("ann@example.com"), phase)
        assert "DATA" not in server.commands


async def test_cancelled_sending_leaves_nothing_open() -> None:
    async with ScriptedSmtp(RCPT=SILENCE) as server:
        task = asyncio.ensure_future(scripted(server))
        while not any(said.startswith("RCPT") for said in server.commands):
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert server.messages == []


# -- scripted server: answers -----------------------------------------------


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "DOT"])
@pytest.mark.parametrize(("code", "meaning"), [(450, Retry), (421, Retry), (550, Permanent)])
async def test_answers_mean_the_same_at_every_verb(step: str, code: int, meaning: type[ChannelError]) -> None:
    async with ScriptedSmtp(**{step: f"{code} the reason"}) as server:
        with pytest.raises(ChannelError, match=f"{code} the reason") as caught:
            await scripted(server)
        assert type(caught.value) is meaning


@pytest.mark.parametrize(
    ("step", "code", "meaning"),
    [
        ("GREETING", 421, RateLimited),
        ("GREETING", 554, RateLimited),
        ("EHLO", 450, RateLimited),
        ("EHLO", 550, RateLimited),
        ("AUTH", 454, RateLimited),
        ("AUTH", 502, RateLimited),
        ("AUTH", 504, RateLimited),
        ("AUTH", 535, AuthRequired),
        ("AUTH", 550, AuthRequired),
    ],
)
async def test_answers_before_the_message_are_about_the_account(
    step: str, code: int, meaning: type[ChannelError]
) -> None:
    async with ScriptedSmtp(**{step: f"{code} the reason"}) as server:
        with pytest.raises(ChannelError, match=f"{code} the reason") as caught:
            await scripted(server)
        assert type(caught.value) is meaning


@pytest.mark.parametrize("answer", ["299 hm", "354 again", "what", "9999 no"])
async def test_answer_to_the_message_that_is_neither_yes_nor_no_is_unknown(answer: str) -> None:
    async with ScriptedSmtp(DOT=answer) as server:
        with pytest.raises(Unknown):
            await scripted(server)


async def test_temporary_refusal_of_some_goes_on_with_the_others() -> None:
    async with ScriptedSmtp(RCPT=["250 ok", "451 later", "550 never"]) as server:
        sent = await scripted(server, part("a@example.com", "b@example.com", "c@example.com"))
        assert {k: v.permanent for k, v in sent.refused.items()} == {"b@example.com": False, "c@example.com": True}
        assert len(server.messages) == 1


async def test_words_of_a_server_are_kept_in_a_form_that_can_be_stored() -> None:
    long = "\r\n".join(["550-5.1.1 unbekannt \udcfc" + "x" * 400] * 20 + ["550 5.1.1 Ende"])
    async with ScriptedSmtp(RCPT=["250 ok", long], DOT="250 angenommen \udce4\0") as server:
        sent = await scripted(server, part("a@example.com", "b@example.com"))
    for words in (sent.remote_id or "", sent.refused["b@example.com"].text):
        assert words.encode().decode() == words
        assert len(words) <= 300


@pytest.mark.parametrize("size", ["", "much", "-1", "9" * 5000])
async def test_size_that_is_no_number_is_no_limit(size: str) -> None:
    ehlo = f"250-scripted.desk.test\r\n250-SIZE {size}\r\n250 AUTH PLAIN"
    async with ScriptedSmtp(EHLO=ehlo) as server:
        await scripted(server)
    assert len(server.messages) == 1


async def test_sender_refused_for_want_of_a_login() -> None:
    async with ScriptedSmtp(MAIL="530 5.7.0 authentication required") as server:
        with pytest.raises(AuthRequired, match="authentication required"):
            await scripted(server, login=False)


async def test_server_without_starttls_gets_neither_password_nor_mail() -> None:
    async with ScriptedSmtp() as server:
        with pytest.raises(Retry, match="STARTTLS"):
            await scripted(server, tls="starttls")
        assert [said.split()[0] for said in server.commands] == ["EHLO"]


async def test_refused_starttls_is_about_the_account() -> None:
    ehlo = "250-hi\r\n250 STARTTLS"
    async with ScriptedSmtp(EHLO=ehlo, STARTTLS="554 5.7.3 no TLS today") as server:
        with pytest.raises(RateLimited, match="554"):
            await scripted(server, tls="starttls")


async def test_password_is_tried_once() -> None:
    async with ScriptedSmtp(AUTH=["535 no", "235 yes"]) as server:
        with pytest.raises(AuthRequired):
            await scripted(server)
        assert len([said for said in server.commands if said.startswith("AUTH")]) == 1


async def test_smtputf8_is_only_asked_for_when_needed() -> None:
    ehlo = "250-hi\r\n250-SMTPUTF8\r\n250-SIZE\r\n250 AUTH PLAIN"
    for address, asked in (("ann@example.com", False), ("ann@bücher.example", False), ("jürgen@example.com", True)):
        async with ScriptedSmtp(EHLO=ehlo) as server:
            await scripted(server, part(address))
            (command,) = [said for said in server.commands if said.startswith("MAIL")]
            assert ("SMTPUTF8" in command) is asked


async def test_server_without_smtputf8_refuses_only_who_needs_it() -> None:
    async with ScriptedSmtp() as server:
        sent = await scripted(server, part("ann@example.com", "jürgen@example.com"))
        assert list(sent.refused) == ["jürgen@example.com"]
        assert sent.refused["jürgen@example.com"].permanent


async def test_header_in_any_script_needs_smtputf8() -> None:
    what = Part("From: support@desk.test\r\nTo: jürgen@example.com\r\n\r\nHello.\r\n".encode(), ("ann@example.com",))
    async with ScriptedSmtp() as server:
        with pytest.raises(Permanent, match="only plain Latin letters in addresses and headers"):
            await scripted(server, what)
        assert not any(said.startswith("MAIL") for said in server.commands)


EHLO_DSN = "250-hi\r\n250-DSN\r\n250 AUTH PLAIN"


@pytest.mark.parametrize(
    ("ehlo", "dsn", "automatic", "mail", "rcpt"),
    [
        (EHLO_DSN, True, False, " RET=HDRS ENVID=deskhand-1-2+3D+2B", " NOTIFY=FAILURE,DELAY"),
        (EHLO_DSN, False, False, "", ""),
        ("250-hi\r\n250 AUTH PLAIN", True, False, "", ""),
        (EHLO_DSN, True, True, "", ""),
    ],
)
async def test_reports_are_named_after_the_delivery(
    ehlo: str, dsn: bool, automatic: bool, mail: str, rcpt: str
) -> None:
    async with ScriptedSmtp(EHLO=ehlo) as server:
        what = replace(part("ann@example.com"), automatic=automatic)
        await Submission(account(smtp=clear(server.port, dsn=dsn))).send(what, Phases(), "deskhand-1-2=+")
        sender = "<>" if automatic else "<support@desk.test>"
        assert f"MAIL FROM:{sender}{mail}" in server.commands
        assert f"RCPT TO:<ann@example.com>{rcpt}" in server.commands


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "DOT"])
async def test_server_that_says_later_is_given_a_minute(step: str) -> None:
    async with ScriptedSmtp(**{step: "451 4.7.1 greylisted, come back"}) as server:
        with pytest.raises(Retry, match=r"451 4\.7\.1 greylisted") as caught:
            await scripted(server)
        assert caught.value.after_s == 60


def test_domain_goes_in_ascii() -> None:
    assert _wired("ann@bücher.example", anywhere=False) == "ann@xn--bcher-kva.example"


async def test_password_shows_in_no_log_and_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    canary = "canary-5f2e"
    for fault in (DROP, SILENCE, "535 wrong", "garbage"):
        async with ScriptedSmtp(AUTH=fault) as server:
            with pytest.raises(ChannelError) as caught:
                await scripted(server, password=canary, timeout_s=0.1)
            told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
            frames = "".join(line for line in told.format() if "test_smtp.py" not in line)
            assert canary not in frames
            assert "Y2FuYXJ5" not in frames
    assert canary not in caplog.text
