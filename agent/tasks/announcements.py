"""Announcements of a new trust list (scanward/1/trust: the newest TUF timestamp.json, which nobody has verified here).

The law: an announcement only makes the agent look, never believe, and however many come, at most once in
ANNOUNCED_S_MIN.
"""

import asyncio
import logging
from typing import Annotated

import msgspec

from agent.ports import RefreshableTrustStore

log = logging.getLogger(__name__)

ANNOUNCED_S_MIN = 60.0


class _Signed(msgspec.Struct):
    version: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]


class _Timestamp(msgspec.Struct):
    """What of timestamp.json (TUF 4.7.3) is looked at; the rest is for the refresher."""

    signed: _Signed


class Announcements:
    """Sets `announced`, which the trust task waits for, where a version above the one in use is announced."""

    def __init__(self, store: RefreshableTrustStore, announced: asyncio.Event) -> None:
        self._store = store
        self._announced = announced
        self._version = 0  # the highest announced since it was looked at last
        self._news = asyncio.Event()

    def offer(self, timestamp: bytes) -> None:
        """Take an announcement in; whatever it is, it does no harm."""
        try:
            version = msgspec.json.decode(timestamp, type=_Timestamp).signed.version
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            log.info("an announcement of a trust list is none", extra={"bytes": len(timestamp)})
            return
        self._version = max(self._version, version)
        self._news.set()

    async def run(self) -> None:
        """Pass announcements on for ever. Raises LedgerBroken."""
        while True:
            await self._news.wait()
            self._news.clear()
            version, self._version = self._version, 0
            if version > (await self._store.floor()).timestamp_version:
                log.info("a new trust list is announced", extra={"version": version})
                self._announced.set()
                await asyncio.sleep(ANNOUNCED_S_MIN)
