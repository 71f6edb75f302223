"""One connection to the server: encryption, login, questions and answers, and when a message is certainly out.

Loaded by the first connection, for it loads the library. What breaks is told in the errors of the
protocol; nothing here connects again by itself.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element

from slixmpp import ClientXMPP
from slixmpp.exceptions import IqError, IqTimeout
from slixmpp.stanza import Message, Presence
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

from channels.kit.http import tls_context
from channels.kit.secrets import Secret
from channels.xmpp import xml
from channels.xmpp.errors import refusal
from channels.xmpp.settings import Settings
from desk.channel import AuthRequired, ChannelError, Permanent, Phase, Retry, Unknown

FEATURES = (
    xml.CHAT_STATES, xml.CORRECT, xml.MARKERS, xml.OOB, xml.REACTIONS, xml.RECEIPTS, xml.RETRACT[0], xml.REPLY, xml.SID,
)  # fmt: skip
"""What we tell other clients that we understand (XEP-0030)."""

NEVER = 1_000_000_000

Listener = Callable[[Element], None]


class Stream:
    """A connection that is up, until it is `lost`.

    `heard` and `seen` are called with each message and presence as it comes. `unsafe` says which was
    the first stanza that is not yet safe with us, None when all are: the server goes on to keep it, and
    hands it out again when we are lost (XEP-0198).
    """

    def __init__(
        self, settings: Settings, heard: Listener, seen: Listener, unsafe: Callable[[Stream], int | None]
    ) -> None:
        # Their log has whole stanzas in it, the login's among them.
        logging.getLogger("slixmpp").setLevel(logging.ERROR)
        self._settings = settings
        self._heard, self._seen, self._unsafe = heard, seen, unsafe
        loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[str] = loop.create_future()
        self._up: asyncio.Future[None] = loop.create_future()
        self._acked: dict[str, asyncio.Future[None]] = {}
        self._client: _Client | None = None
        self._why: ChannelError = Retry(f"{self.host} cannot be reached")

    async def open(self, password: Secret) -> None:
        """Connect and log in; raises `Retry`, `AuthRequired` or `Permanent`."""
        settings = self._settings
        client = _Client(self, settings, password, None if settings.tls == "none" else _trusting(settings.ca_file))
        self._client = client
        plugins = client.plugin
        client.register_plugin("xep_0030")
        client.register_plugin("xep_0115")
        client.register_plugin("xep_0198", {"allow_resume": False, "window": NEVER})
        for feature in FEATURES:
            plugins["xep_0030"].add_feature(feature)
        plugins["xep_0030"].add_identity("client", "bot", "deskhand")
        # Acknowledged is what is safe with us, not what has arrived.
        plugins["xep_0198"].send_ack = self.acknowledge
        for name, call in (
            ("stream_negotiated", self._ready),
            ("connection_failed", self._not_there),
            ("reconnect_delay", lambda _: self.fail(self._why)),
            ("ssl_invalid_chain", lambda why: self.fail(_unreachable(settings, why))),
            ("failed_auth", self._not_let_in),
            ("failed_all_auth", lambda _: self.fail(_refused(settings, ""))),
            ("stream_error", lambda error: self.fail(_ended(settings, error["condition"], error["text"]))),
            ("disconnected", lambda why: self.fail(_hung_up(settings, why))),
            ("stanza_acked", self._acknowledged),
        ):
            client.add_event_handler(name, call)
        for tag, call in (("message", self._message), ("presence", self._presence)):
            client.register_handler(Callback(f"desk {tag}", MatchXPath(f"{{{xml.CLIENT}}}{tag}"), call))
        host, port = settings.host or None, settings.port or (5223 if settings.tls == "tls" else 5222)
        client.connect(host, port if host else None)
        try:
            async with asyncio.timeout(settings.timeout_s):
                await self._up
        except TimeoutError:
            await self.close()
            raise Retry(f"{self.host} did not let us in within {settings.timeout_s:g} seconds") from None
        except BaseException:
            await self.close()
            raise

    @property
    def host(self) -> str:
        """The server, for what is said to people."""
        return self._settings.host or self._settings.domain

    @property
    def alive(self) -> bool:
        """Whether the connection is up, as far as one knows."""
        return not self.lost.done() and self._client is not None and self._client.is_connected()

    @property
    def managed(self) -> bool:
        """Whether the server acknowledges what we send (XEP-0198)."""
        return self._client is not None and "stream_management" in self._client.features

    @property
    def encrypted(self) -> str:
        """The version of TLS, "" in clear."""
        socket = self._client.socket if self._client is not None else None
        return (socket.version() or "") if isinstance(socket, ssl.SSLSocket | ssl.SSLObject) else ""

    @property
    def handled(self) -> int:
        """How many stanzas have come."""
        return self._client.plugin["xep_0198"].handled if self._client is not None else 0

    def acknowledge(self) -> None:
        """Tell the server what it need not keep any longer."""
        if self._client is not None and self._client.transport is not None and self.managed:
            unsafe = self._unsafe(self)
            safe = self.handled if unsafe is None else unsafe - 1
            self._client.send_raw(f"<a xmlns='urn:xmpp:sm:3' h='{safe}'/>")

    async def ask(self, kind: str, payload: Element, to: str | None = None) -> Element:
        """A question and its answer; raises `Permanent` when it is refused, `Retry` when nothing comes."""
        client = self._connected()
        iq = client.Iq()
        iq["type"] = kind
        if to:
            iq["to"] = to
        iq.append(payload)
        answer = asyncio.ensure_future(iq.send(timeout=self._settings.timeout_s))
        try:
            await asyncio.wait({answer, self.lost}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise Retry(f"{self.host} hung up before it answered")
            return (await answer).xml  # type: ignore[no-any-return]
        except IqTimeout:
            error = Retry(f"{to or self.host} does not answer")
            if not to:
                self.fail(error)  # our own server: nothing more is to be hoped from this connection
            raise error from None
        except IqError as refused:
            raise refusal(to or self.host, refused.iq.xml) from None
        finally:
            answer.cancel()

    def tell(self, stanza: Element) -> None:
        """A message or presence that may get lost."""
        client = self._connected()
        made = Presence if stanza.tag.endswith("}presence") else Message
        client.send(made(client, xml=stanza))

    async def hand_over(self, stanza: Element, phase: Phase) -> None:
        """Send a message and return when our server has taken it.

        That is so when it acknowledges the stanza, or else answers a question that was asked behind it:
        a server handles what comes over one stream in order (RFC 6120, 10.1). `Unknown` when the
        connection ends before.
        """
        client = self._connected()
        id = stanza.get("id") or ""
        await phase("data")
        self._connected()
        acked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._acked[id] = acked
        client.send(Message(client, xml=stanza))
        if self.managed:
            client.send("<r xmlns='urn:xmpp:sm:3'/>")
            proof: asyncio.Future[Any] = acked
        else:
            proof = asyncio.ensure_future(self.ask("get", xml.element("ping", xml.PING)))
        try:
            done, _ = await asyncio.wait(
                {proof, self.lost}, timeout=self._settings.timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
            failed = proof in done and proof is not acked and isinstance(proof.exception(), Retry)
            if proof not in done or failed:
                why = "hung up" if self.lost.done() else "said nothing more"
                self.fail(Retry(f"{self.host} {why}"))
                raise Unknown(f"{self.host} {why} before it had taken the message; it may have gone out")
        finally:
            self._acked.pop(id, None)
            if not proof.done():
                proof.cancel()

    def fail(self, error: ChannelError) -> None:
        """The connection is of no use any more."""
        if not self._up.done():
            self._up.set_exception(error)
        if not self.lost.done():
            self.lost.set_result(str(error))

    async def close(self) -> None:
        """Hang up."""
        client, self._client = self._client, None
        self.fail(Retry(f"the connection to {self.host} was closed"))
        if self._up.done() and not self._up.cancelled():
            self._up.exception()  # somebody heard it, or nobody is left to
        if client is not None:
            await client.leave()

    # -- what the library calls ---------------------------------------------

    def _ready(self, _: object) -> None:
        if not self._up.done() and self._client is not None and self._client.bound:
            self._up.set_result(None)

    def _not_there(self, why: object) -> None:
        # DNS may name several servers: it is over when the library is about to begin again.
        self._why = _unreachable(self._settings, why)

    def _not_let_in(self, stanza: Any) -> None:
        mechanism = self._client.plugin["feature_mechanisms"].mech.name if self._client is not None else ""
        # Binding the login to the connection (PLUS) fails where a proxy ends TLS; the library goes on without.
        if not mechanism.endswith("-PLUS"):
            self.fail(_refused(self._settings, stanza["condition"]))

    def _message(self, stanza: Any) -> None:
        self._guarded(self._heard, stanza.xml)

    def _presence(self, stanza: Any) -> None:
        self._guarded(self._seen, stanza.xml)

    def _guarded(self, call: Listener, stanza: Element) -> None:
        try:
            call(stanza)
        except Exception:  # a stanza that nobody foresaw must not cost those behind it
            logging.getLogger(__name__).exception("a stanza was not understood")

    def _acknowledged(self, stanza: Any) -> None:
        if (waiting := self._acked.get(stanza["id"])) is not None and not waiting.done():
            waiting.set_result(None)

    def _connected(self) -> _Client:
        if self._client is None or not self.alive:
            raise Retry(f"there is no connection to {self.host}")
        return self._client


class _Client(ClientXMPP):  # type: ignore[misc]
    """The library's client, which goes no further in clear than the settings allow."""

    def __init__(self, stream: Stream, settings: Settings, password: Secret, trust: ssl.SSLContext | None) -> None:
        clear = trust is None
        super().__init__(
            settings.own,
            password.reveal(),
            plugin_config={"feature_mechanisms": {"unencrypted_plain": clear}},
            loop=asyncio.get_running_loop(),
            ssl_context=trust,
        )
        self._stream, self._clear = stream, clear
        self.enable_starttls, self.enable_direct_tls = settings.tls == "starttls", settings.tls == "tls"
        self.enable_plaintext = clear
        self.whitespace_keepalive_interval = 60
        # Whoever asks to see us is answered by the channel, as the settings say.
        self.roster.auto_authorize = None
        self.roster.auto_subscribe = False

    async def _handle_stream_features(self, features: Any) -> bool | None:
        encrypted = isinstance(self.socket, ssl.SSLSocket | ssl.SSLObject)
        if not encrypted and not self._clear and "starttls" not in features["features"]:
            # Else somebody on the way only has to leave the offer out, and all goes in clear.
            self._stream.fail(Retry(f"{self._stream.host} offers no encryption: it is not trusted with the password"))
            return True
        return await super()._handle_stream_features(features)  # type: ignore[no-any-return]

    async def leave(self) -> None:
        """Close the stream in order where it is up, and leave nothing behind in the loop."""
        self.cancel_connection_attempt()
        if self.transport is not None:
            await self.disconnect(wait=0.5)
        self.cancel_connection_attempt()
        if self._run_out_filters is not None:
            self._run_out_filters.cancel()
            await asyncio.gather(self._run_out_filters, return_exceptions=True)
        self.password = ""


def _trusting(ca_file: str) -> ssl.SSLContext:
    try:
        return tls_context(ca_file)
    except Permanent as error:
        raise Retry(str(error)) from None  # the settings are wrong, not what is to be sent


def _unreachable(settings: Settings, why: object) -> ChannelError:
    host = settings.host or settings.domain
    if isinstance(why, ssl.SSLCertVerificationError):
        return Retry(
            f"the certificate of {host} is not good for {settings.domain}: {why.verify_message}; "
            "set ca_file when it is signed by an authority of your own"
        )
    if isinstance(why, ssl.SSLError):
        return Retry(f"{host} and we agree on no encryption ({why.reason or why}): is tls right?")
    text = (why.strerror or str(why)) if isinstance(why, OSError) else str(why)
    return Retry(f"{host} cannot be reached: {text}")


def _refused(settings: Settings, condition: str) -> ChannelError:
    host = settings.host or settings.domain
    if condition in ("temporary-auth-failure",):
        return Retry(f"{host} cannot check our password just now")
    if not condition:
        return AuthRequired(f"{host} offers no way to log in that we can take for {settings.own}")
    said = condition.replace("-", " ")
    return AuthRequired(f"{host} does not let {settings.own} in ({said}): mend the address or the password")


def _ended(settings: Settings, condition: str, text: str) -> ChannelError:
    host = settings.host or settings.domain
    said = condition.replace("-", " ") + (f": {' '.join(text.split())[:200]}" if text else "")
    if condition == "host-unknown":
        return Retry(f"{host} does not serve {settings.domain}: mend the address or the host")
    return Retry(f"{host} ended the connection: {said}")


def _hung_up(settings: Settings, why: object) -> ChannelError:
    if isinstance(why, ssl.SSLError):
        return _unreachable(settings, why)
    return Retry(f"{settings.host or settings.domain} hung up" + (f" ({why})" if why else ""))


__all__ = ["Stream"]
