"""One service over HTTP: its token, its limits, and its answers as the errors of the protocol.

Redirects are never followed, for the token would follow too; answers are read up to a limit; no
address with a token in it gets into an error or a log. The HTTP library is loaded by the first request.
"""

from __future__ import annotations

import asyncio
import email.utils
import ipaddress
import json
import logging
import os
import re
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from msgspec import Struct

from channels.kit.buckets import Buckets
from channels.kit.secrets import Token
from desk.capabilities import Rate
from desk.channel import AuthRequired, ChannelError, Permanent, Phase, RateLimited, Retry, Unknown
from desk.text import storable

if TYPE_CHECKING:
    import httpx2

LIMIT_BYTES = 8 * 1024 * 1024
"""No answer is read further than this."""

PATIENCE_S = 60.0
"""How long to leave a service alone that asks for patience and does not say how long."""

LONGEST_S = 86_400.0
"""No service is left alone for longer, whatever it asks for."""

FILES_BYTES = 128 * 1024 * 1024
"""So much of files is fetched before the relay says that it is safe: what waits for that, waits in memory."""

DRIP_S = 300.0
"""An answer that comes in drops, none too late, has so long beyond the time for one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service(Token):
    """How to reach a service over HTTP; a base for settings."""

    # Where it is: "https://...".
    url: str = ""
    # Allow an address that begins with http:// on another machine. Everybody on the way can read all of it.
    insecure: bool = False
    # A file of certificates to trust instead of the system's.
    ca_file: str = ""
    # Leave a service that says nothing for so many seconds.
    timeout_s: float = 30.0

    def __post_init__(self) -> None:
        Token.__post_init__(self)
        parts = urlsplit(self.url)
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise ValueError(f'url = "{self.url}" is no address of a service: write it as https://host')
        if parts.scheme == "http" and not (self.insecure or loopback(parts.hostname)):
            raise ValueError(f'url = "{self.url}" sends the token in clear: use https')
        if not 0.01 <= self.timeout_s <= 600:
            raise ValueError("timeout_s must be between 0.01 and 600")


class Answer(Struct, frozen=True):
    """What came back: status, headers (names in lower case), bytes."""

    status: int
    headers: Mapping[str, str]
    data: bytes

    @property
    def json(self) -> Any:
        """The bytes as JSON; `Retry` when they are none (a proxy's error page)."""
        try:
            found = json.loads(self.data or b"null")
            # One half of a character in a customer's name is nothing that a cursor can be written with.
            return _whole(found) if _HALF.search(self.data) else found
        except (ValueError, RecursionError):
            raise Retry(
                "the other side answered with no JSON but a page, perhaps of a proxy: is the url right?"
            ) from None

    @property
    def fields(self) -> dict[str, Any]:
        """The bytes as a JSON object; `Retry` when they are none."""
        found = self.json
        if not isinstance(found, dict):
            raise Retry("the other side answered with something else than was asked for")
        return found


_HALF = re.compile(rb"\\u[dD][89a-fA-F]")


def _whole(found: Any) -> Any:
    """`found` with every text in it `storable`."""
    if isinstance(found, str):
        return storable(found)
    if isinstance(found, list):
        return [_whole(one) for one in found]
    if isinstance(found, dict):
        return {_whole(name): _whole(value) for name, value in found.items()}
    return found


Words = Callable[[Answer], str]
"""What a service says about a failure, for a person."""

Judge = Callable[[Answer], ChannelError | None]
"""What a failure means where the status alone does not tell; None for the usual meaning."""


class Http:
    """One account's way to its service.

    `login` gives the headers that prove who we are; it is asked for each new connection pool
    and after a refusal, in a thread, for it may run a command. `words` finds the service's own
    sentence in an error, `judge` its meaning. `rates` name the buckets that `ask(..., bucket=)` takes from.
    """

    def __init__(
        self,
        settings: Service,
        *,
        login: Callable[[], Mapping[str, str]] | None = None,
        rates: Sequence[Rate] = (),
        words: Words | None = None,
        judge: Judge | None = None,
        agent: str = "deskhand",
    ) -> None:
        self._settings = settings
        self._login = login or (lambda: {"Authorization": f"Bearer {settings.secret().reveal()}"})
        self._words, self._judge = words or usual_words, judge or (lambda answer: None)
        self._agent = agent
        self.buckets = Buckets(rates)
        self._client: httpx2.AsyncClient | None = None
        self._proof: Mapping[str, str] | None = None
        self._fetched_bytes = 0

    @property
    def host(self) -> str:
        """The service's name, for what is said to people."""
        return urlsplit(self._settings.url).netloc

    async def get(self, path: str, params: Mapping[str, Any] | None = None, **more: Any) -> Answer:
        """Ask for something; may be asked twice."""
        return await self.ask("GET", path, params=params, **more)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        form: Mapping[str, Any] | None = None,
        files: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        bucket: str = "",
        phase: Phase | None = None,
        idempotent: bool = False,
        timeout_s: float | None = None,
        limit: int = LIMIT_BYTES,
        accept: Sequence[int] = (),
    ) -> Answer:
        """One request, answered with 2xx (or a status in `accept`); anything else raises `ChannelError`.

        With a `phase` it is a message going out: "data" is noted before the first byte leaves, and what
        breaks off from then on is `Unknown`, unless the request is `idempotent`.
        """
        import httpx2

        if bucket:
            await self.buckets.take(bucket)
        client = await self._ready()
        address = path if path.startswith(("https://", "http://")) else self._settings.url.rstrip("/") + path
        patience_s = timeout_s or self._settings.timeout_s
        try:
            request = client.build_request(
                method, address, params=params, json=json, data=form, files=files, content=content,
                headers={**(self._proof or {}), **(headers or {})},
                timeout=httpx2.Timeout(patience_s, connect=min(10.0, self._settings.timeout_s)),
            )  # fmt: skip
        except (httpx2.InvalidURL, ValueError):
            # Something in it that the other side named: an id of a megabyte, a header of two lines.
            raise Permanent(f"{self.host} named something that cannot be asked for") from None
        if phase is not None:
            await phase("data")
        try:
            answer = await self._exchange(client, request, limit, patience_s + DRIP_S)
        except _TooMuch as error:
            if phase is not None and not idempotent:
                raise Unknown(f"{error}; it may have gone out") from None
            raise
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise Retry(f"{self.host} cannot be reached: {_reason(error)}") from None
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            if phase is not None and not idempotent:
                raise Unknown(
                    f"the connection to {self.host} broke off ({_reason(error)}); it may have gone out"
                ) from None
            raise Retry(f"{self.host}: {_reason(error)}") from None
        if 200 <= answer.status < 300 or answer.status in accept:
            return answer
        raise self._failure(answer, bucket, sure=phase is None or idempotent)

    async def download(self, url: str, limit: int, *, hosts: Sequence[str] = (), proven: bool = False) -> bytes:
        """The bytes behind an address that the service named: from its own host or one of `hosts` (or below them).

        `proven` sends our token along, to the service's own host only. `Permanent` for another host, for more than `limit`.
        """
        import httpx2

        try:
            parts, own = urlsplit(url), urlsplit(self._settings.url)
            httpx2.URL(url)
        except (ValueError, httpx2.InvalidURL):
            raise Permanent("a file is not fetched: its address is none") from None
        host = parts.hostname or ""
        ours = (parts.scheme, parts.netloc) == (own.scheme, own.netloc)
        if not ours and (parts.scheme != "https" or not any(host == h or host.endswith(f".{h}") for h in hosts)):
            raise Permanent(f"a file on {host or 'no host'} is not fetched: it is not {self.host}")
        if self._fetched_bytes >= FILES_BYTES:
            raise Permanent("too many files came at once")
        client = await self._ready()
        headers = dict(self._proof or {}) if proven and ours else {}
        request = client.build_request("GET", url, headers=headers, timeout=self._settings.timeout_s)
        try:
            answer = await self._exchange(client, request, limit, 2 * self._settings.timeout_s)
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            raise Retry(f"{host}: {_reason(error)}") from None
        if answer.status != 200:
            failure = self._failure(answer, "", sure=True)
            # One file that is closed to us says nothing of the account.
            raise Permanent(f"{host} does not give it") if isinstance(failure, AuthRequired) else failure
        self._fetched_bytes += len(answer.data)
        return answer.data

    def settled(self) -> None:
        """What was downloaded is safe, or forgotten: there is room for more."""
        self._fetched_bytes = 0

    async def _exchange(self, client: httpx2.AsyncClient, request: httpx2.Request, limit: int, most_s: float) -> Answer:
        import httpx2

        try:
            async with asyncio.timeout(most_s):
                response = await client.send(request, stream=True)
                try:
                    data = bytearray()
                    async for piece in response.aiter_bytes():
                        data += piece
                        if len(data) > limit:
                            raise _TooMuch(f"{request.url.host} answers with more than {limit:,} bytes")
                finally:
                    await response.aclose()
        except TimeoutError:
            raise httpx2.ReadTimeout("it comes too slowly") from None
        return Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, bytes(data))

    def _failure(self, answer: Answer, bucket: str, *, sure: bool) -> ChannelError:
        if answer.status == 401:
            self._proof = None  # the token may be another one by now
        if (judged := self._judge(answer)) is not None:
            if isinstance(judged, RateLimited) and bucket and judged.after_s:
                self.buckets.shut(bucket, judged.after_s)
            return judged
        said = f"{self.host} says: {self._words(answer) or f'status {answer.status}'}"
        match answer.status:
            case 401:
                return AuthRequired(f"{said}; make a new token for this account, and set it")
            case 408 | 425 | 503:
                return Retry(said, retry_after(answer))
            case 429:
                pause = retry_after(answer) or PATIENCE_S
                if bucket:
                    self.buckets.shut(bucket, pause)
                return RateLimited(said, pause)
            case status if status >= 500:
                return Retry(said, retry_after(answer)) if sure else Unknown(f"{said}; it may have gone out")
            case status if 300 <= status < 400:
                return Permanent(f"{self.host} sends us elsewhere ({status}): mend the url of this account")
        return Permanent(said)

    async def _ready(self) -> httpx2.AsyncClient:
        if self._proof is None:
            self._proof = await asyncio.to_thread(self._login)
        if self._client is None:
            import httpx2

            # Its log names every address, and some have a token in them.
            logging.getLogger("httpx2").setLevel(logging.WARNING)
            logging.getLogger("httpcore2").setLevel(logging.WARNING)
            self._client = httpx2.AsyncClient(
                verify=_shared(self._settings.ca_file),
                follow_redirects=False,
                trust_env=True,
                headers={"User-Agent": self._agent, "Accept-Encoding": "gzip"},
                limits=httpx2.Limits(max_connections=8, max_keepalive_connections=4),
            )
        return self._client

    async def close(self) -> None:
        """Hang up."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


class _TooMuch(Permanent):
    """An answer goes on beyond what is read of one."""


def usual_words(answer: Answer) -> str:
    """The sentence that most services put into their errors."""
    try:
        found = answer.json
    except Retry:
        return ""
    for name in ("error_description", "detail", "description", "message", "title", "error", "errors"):
        value = found.get(name) if isinstance(found, dict) else None
        if isinstance(value, dict):
            value = value.get("message") or value.get("detail")
        if isinstance(value, list) and value:
            value = (
                value[0]
                if isinstance(value[0], str)
                else value[0].get("message")
                if isinstance(value[0], dict)
                else None
            )
        if isinstance(value, str) and value.strip():
            return " ".join(value.split())[:300]
    return ""


def retry_after(answer: Answer) -> float | None:
    """The seconds that Retry-After asks for (RFC 9110, 10.2.3), as a number or a date; None without one."""
    said = answer.headers.get("retry-after", "").strip()
    if not said:
        return None
    try:
        return min(LONGEST_S, max(0.0, float(said)))
    except ValueError:
        pass
    try:
        return min(LONGEST_S, max(0.0, email.utils.parsedate_to_datetime(said).timestamp() - time.time()))
    except (ValueError, OverflowError):
        return None


def tls_context(ca_file: str = "") -> ssl.SSLContext:
    """Certificates are always checked, the host's name with them."""
    try:
        return ssl.create_default_context(cafile=str(Path(ca_file).expanduser()) if ca_file else None)
    except OSError as exc:
        raise Permanent(f"ca_file = {ca_file} cannot be used: {exc.strerror or exc}") from exc


_shared = cache(tls_context)
"""Reading the system's certificates takes tens of milliseconds and a megabyte: accounts share what nobody changes."""


def loopback(host: str) -> bool:
    """Whether a name or number means this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def segment(text: object) -> str:
    """Something as one segment of a path, whatever is in it."""
    return quote(str(text), safe="")


def _reason(error: Exception) -> str:
    """What went wrong, without any address."""
    cause: BaseException = error
    while (below := cause.__cause__ or cause.__context__) is not None:
        cause = below
    if isinstance(cause, BaseExceptionGroup):
        cause = cause.exceptions[0]
    named = {
        "ConnectTimeout": "no answer in time",
        "ReadTimeout": "no answer in time",
        "WriteTimeout": "it takes nothing",
    }
    if type(error).__name__ in named:
        return named[type(error).__name__]
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({cause.verify_message}); see ca_file"
    if isinstance(cause, OSError) and cause.strerror:
        # The numbers of names that are not found are below nought, and say nothing to the system.
        return os.strerror(cause.errno) if cause.errno and cause.errno > 0 else cause.strerror
    text = str(cause).strip() or str(error).strip()
    return text[:200] if text and "://" not in text else type(error).__name__


__all__ = [
    "LIMIT_BYTES", "Answer", "Http", "Judge", "Service", "Words", "loopback", "retry_after", "segment", "tls_context", "usual_words",
]  # fmt: skip
