"""Online verification over HTTP: POST /v1/codes/verify (docs/protocol/online.cddl), signed with the terminal's key.

A session of its own, so that a backlog being drained never has the connection that a patient waits for. Whether an
answer is genuine is not decided here.
"""

import asyncio
from types import TracebackType
from typing import Self

import aiohttp

from agent.adapters.uplinks.http import Settings, open_session, post
from agent.core.online import VERIFICATION_BYTES_MAX, Question, sign_question
from agent.core.transaction import Signer
from agent.ports import PlatformUnreachable

CALL = "/v1/codes/verify"
KEEP_ALIVE_S = 60.0


class HttpOnlineVerifier:
    """Implements ports.OnlineVerifier; an async context manager that owns its connections."""

    def __init__(self, settings: Settings, signer: Signer) -> None:
        self._url = f"{settings.url.rstrip('/')}{CALL}"
        self._settings = settings
        self._signer = signer
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the session; no connection is made yet."""
        self._session = open_session(self._settings, keep_alive_s=KEEP_ALIVE_S)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def verify(self, question: Question, *, budget_s: float) -> bytes:
        """Ask; return the signed answer. Raises PlatformUnreachable, also when the budget is over; PlatformRejected."""
        body = sign_question(question, self._signer)
        try:
            async with asyncio.timeout(budget_s):
                return await self._ask(body)
        except TimeoutError as error:
            raise PlatformUnreachable("the platform did not answer in time") from error

    async def make_ready(self) -> None:
        """Hold a connection open, whatever the platform answers to a GET there. Raises PlatformUnreachable."""
        try:
            async with self._opened().get(self._url, allow_redirects=False) as response:
                await response.content.read(VERIFICATION_BYTES_MAX)
        except aiohttp.ClientError as error:
            raise PlatformUnreachable(f"no connection to the platform: {type(error).__name__}") from error
        except TimeoutError as error:
            raise PlatformUnreachable("the platform did not answer in time") from error

    async def _ask(self, body: bytes) -> bytes:
        session = self._opened()
        try:
            return await post(session, self._url, body, answer_bytes_max=VERIFICATION_BYTES_MAX)
        except PlatformUnreachable as error:
            # The platform may have closed an idle connection just now; the same attempt may be asked again.
            why = error.__cause__
            was_open = isinstance(why, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError)
            if not was_open or isinstance(why, aiohttp.ClientConnectorError):
                raise
        return await post(session, self._url, body, answer_bytes_max=VERIFICATION_BYTES_MAX)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the verifier is used outside its context")
        return self._session
