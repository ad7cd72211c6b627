"""Tell the platform how this terminal is: at an interval, when something changes, and once more at an orderly stop.

The law: it never holds anything else up, and nothing depends on its arrival: a status that is lost is followed by the
next.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from agent.core.status import State, encode_status
from agent.core.transaction import Signer
from agent.ports import Clock, PlatformRejected, PlatformUnreachable, Uplink

log = logging.getLogger(__name__)

LOOK_INTERVAL_S = 2.0  # how soon a change is seen
CHANGE_GAP_S_MIN = 5.0  # a scanner with a loose plug is no reason to send more often
TELLING_S_MAX = 20.0
FAREWELL_S_MAX = 2.0

Said = Callable[[], Awaitable[Mapping[str, object]]]
"""Returns what GET /v1/status says."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[heartbeat]. interval_s: how often the platform hears of this terminal."""

    interval_s: float = 60.0

    def __post_init__(self) -> None:
        if not 1 <= self.interval_s <= 86_400:
            raise ValueError("interval_s must lie in [1, 86400]")


class Heartbeat:
    """Signs and sends statuses.

    changing: the part of what is said whose change is worth a status of its own. due: set by who wants one soon, e.g.
    over a new link, whose broker may still hold the last will of the one before. connected_at_ms: when the connection
    in use was made, where a last will speaks of it.
    """

    def __init__(
        self,
        *,
        terminal: str,
        site: str,
        software: str,
        signer: Signer,
        uplink: Uplink,
        clock: Clock,
        said: Said,
        changing: Callable[[Mapping[str, object]], object],
        due: asyncio.Event,
        settings: Settings,
        connected_at_ms: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._who = (terminal, site)
        self._software = software
        self._signer = signer
        self._uplink = uplink
        self._clock = clock
        self._said = said
        self._changing = changing
        self._settings = settings
        self._due = due
        self._connected_at_ms = connected_at_ms
        self._is_over = False

    async def run(self) -> None:
        """Send statuses until the goodbye."""
        while not self._is_over:
            said = await self._said()
            self._due.clear()
            await self._tell(self._sign(State.ONLINE, said))
            await self._wait(self._changing(said), _now_s())

    async def say_goodbye(self) -> None:
        """Send the status "offline", for an orderly stop; takes FAREWELL_S_MAX at most."""
        self._is_over = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_S_MAX):
                await self._tell(self._sign(State.OFFLINE, await self._said()))

    async def _wait(self, told: object, sent_at_s: float) -> None:
        """Wait until the interval is over, or something has changed since."""
        while (passed_s := _now_s() - sent_at_s) < self._settings.interval_s:
            try:
                async with asyncio.timeout(min(LOOK_INTERVAL_S, self._settings.interval_s - passed_s)):
                    await self._due.wait()
                return
            except TimeoutError:
                if passed_s >= CHANGE_GAP_S_MIN and self._changing(await self._said()) != told:
                    return

    async def _tell(self, status: bytes) -> None:
        try:
            async with asyncio.timeout(TELLING_S_MAX):
                await self._uplink.tell_status(status)
        except (PlatformUnreachable, PlatformRejected, TimeoutError) as error:
            log.debug("a status did not go out: %s", type(error).__name__)

    def _sign(self, state: State, said: Mapping[str, object]) -> bytes:
        at_ms = self._clock.now().now.earliest_ms
        since_ms = self._connected_at_ms()
        return encode_status(self._signer, *self._who, state, at_ms, self._software, said, since_ms)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
