"""Tells the page's event streams that something was committed. Streams that miss some changes see the newest state."""

import asyncio


class Changes:
    """A counter that can be awaited."""

    def __init__(self) -> None:
        self.count = 0
        self.is_closed = False
        self._next = asyncio.Event()

    def note(self) -> None:
        """Count one change and wake everyone who waits."""
        self.count += 1
        self._wake()

    def close(self) -> None:
        """Wake everyone for the last time."""
        self.is_closed = True
        self._wake()

    async def beyond(self, count: int) -> None:
        """Return as soon as more than `count` changes were noted, or there will be no more."""
        while self.count <= count and not self.is_closed:
            await self._next.wait()

    def _wake(self) -> None:
        self._next.set()
        self._next = asyncio.Event()
