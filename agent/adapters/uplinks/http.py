"""The native protocol over HTTP (docs/protocol, wire.md): hello and batches as POST, receipts in the answers.

It carries bytes and translates HTTP's troubles into the three that delivery knows. What the bytes mean, and whether a
receipt is genuine, is not decided here: a proxy or a captive portal that answers 200 proves nothing.
"""

from types import TracebackType
from typing import Self

import aiohttp
import msgspec

from agent.adapters.uplinks.statuses import is_about_the_request, trouble_of
from agent.adapters.uplinks.urls import Schemes, url_fault
from agent.core.answers import printable
from agent.ports import LinkBroke, PlatformUnreachable

CBOR = "application/cbor"
PROBLEM = "application/problem+json"  # RFC 9457; all of the platform's refusals are of this type
ANSWER_BYTES_MAX = 1_048_576
KEEP_ALIVE_S = 15.0  # of an idle connection
SCHEMES = Schemes(tls="https", clear="http")
_ASKING = frozenset({"hello", "batches"})  # calls that something comes back from
_TOLD = frozenset({200, 204})  # of a status or an answer to a command: nothing comes back


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[uplink.http]. url: of the platform, https unless it is loopback. Timeouts in seconds."""

    url: str
    connect_timeout_s: float = 5.0
    timeout_s: float = 30.0

    def __post_init__(self) -> None:
        if fault := url_fault(self.url, SCHEMES):
            raise ValueError(fault)
        if not (0.01 <= self.connect_timeout_s <= 60 and 0.01 <= self.timeout_s <= 300):  # also false for nan
            raise ValueError("connect_timeout_s must lie in [0.01, 60], timeout_s in [0.01, 300]")


class HttpUplink:
    """One platform over HTTP; an async context manager that owns its connections."""

    name = "platform"  # of its cursor: the platform's, whatever carries the bytes
    kind = "http"
    is_connected = True  # it connects for each request

    def __init__(self, settings: Settings, terminal: str) -> None:
        self._base = f"{settings.url.rstrip('/')}/v1/terminals/{terminal}"
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the session; no connection is made yet."""
        self._session = open_session(self._settings)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def hello(self, hello: bytes) -> bytes:
        """POST /v1/terminals/{id}/hello."""
        return await self._post("hello", hello)

    async def send(self, batch: bytes) -> bytes:
        """POST /v1/terminals/{id}/batches."""
        return await self._post("batches", batch)

    def distrust(self, answer: bytes) -> None:
        """Do nothing: there is no other way here (ports.Uplink)."""

    async def tell_status(self, status: bytes) -> None:
        """POST /v1/terminals/{id}/status."""
        await self._post("status", status)

    async def tell_answer(self, answer: bytes) -> None:
        """POST /v1/terminals/{id}/answers."""
        await self._post("answers", answer)

    async def _post(self, call: str, body: bytes) -> bytes:
        if self._session is None:
            raise RuntimeError("the uplink is used outside its context")
        return await post(self._session, f"{self._base}/{call}", body, is_told=call not in _ASKING)


def open_session(settings: Settings, *, keep_alive_s: float = KEEP_ALIVE_S) -> aiohttp.ClientSession:
    """Return a session with the limits that these settings set; the caller closes it. No connection is made yet."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(keepalive_timeout=keep_alive_s),
        timeout=aiohttp.ClientTimeout(total=settings.timeout_s, sock_connect=settings.connect_timeout_s),
        headers={"Accept": CBOR},
        cookie_jar=aiohttp.DummyCookieJar(),
    )


async def post(
    session: aiohttp.ClientSession,
    url: str,
    body: bytes,
    *,
    answer_bytes_max: int = ANSWER_BYTES_MAX,
    is_told: bool = False,
) -> bytes:
    """Post a message of the protocol; return the answer. Raises PlatformUnreachable, PlatformRejected.

    is_told: nothing comes back but that it was heard.
    """
    try:
        async with session.post(url, data=body, headers={"Content-Type": CBOR}, allow_redirects=False) as response:
            answer = await _bounded(response, answer_bytes_max)
            if is_told and response.status in _TOLD:
                return b""
            _raise_for(response, answer)
            return answer
    except aiohttp.ServerDisconnectedError as error:
        # A TLS 1.3 server that refuses the client's certificate looks exactly like this.
        raise LinkBroke("the platform closed the connection before answering") from error
    except aiohttp.ClientConnectorError as error:
        raise PlatformUnreachable(f"no connection to the platform: {type(error).__name__}") from error
    except (aiohttp.ClientOSError, aiohttp.ClientPayloadError) as error:
        raise LinkBroke("the connection to the platform broke before the answer came") from error
    except aiohttp.ClientError as error:
        raise PlatformUnreachable(f"no connection to the platform: {type(error).__name__}") from error
    except TimeoutError as error:
        raise PlatformUnreachable("the platform did not answer in time") from error


async def _bounded(response: aiohttp.ClientResponse, bytes_max: int) -> bytes:
    answer = bytearray()
    async for chunk in response.content.iter_chunked(65_536):
        answer += chunk
        if len(answer) > bytes_max:
            raise PlatformUnreachable(f"an answer of more than {bytes_max} bytes is not the platform's")
    return bytes(answer)


def _raise_for(response: aiohttp.ClientResponse, answer: bytes) -> None:
    if response.status == 200:
        if response.content_type != CBOR:
            raise PlatformUnreachable(
                f"something else than the platform answers ({response.content_type}); is a login page in between?"
            )
        return
    if is_about_the_request(response.status) and response.content_type != PROBLEM:
        raise PlatformUnreachable(f"something else than the platform refuses with status {response.status}")
    raise trouble_of(response.status, _reason(response, answer))


def _reason(response: aiohttp.ClientResponse, answer: bytes) -> str:
    """Return the problem's detail, else its title (RFC 9457 §3.1), printable and short."""
    said = ""
    if response.content_type == PROBLEM:
        try:
            problem = msgspec.json.decode(answer)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            problem = None  # a rejection without a text
        if isinstance(problem, dict):
            said = str(problem.get("detail") or problem.get("title") or "")
    return printable(said)
