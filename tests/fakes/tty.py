"""The scanner's end of a real tty: a pty pair behind a stable path, plugged in and out at will."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from agent.adapters.scanners.presence import Presence
from agent.core.scan import Scan
from agent.ports import Scanner

WITHIN_S = 10.0  # real events are waited for this long, and no test waits for time to pass


class Tty:
    """The agent opens `path`, a symlink as udev would make it; we write into the other end."""

    def __init__(self, path: Path, *, is_there: bool = True) -> None:
        self.path = path
        self._fds: tuple[int, int] | None = None
        if is_there:
            self.plug_in()

    def plug_in(self) -> None:
        ours, theirs = os.openpty()
        os.set_blocking(ours, False)
        self._fds = ours, theirs
        self.path.symlink_to(os.ttyname(theirs))

    def unplug(self) -> None:
        """Hang up, as a USB device does."""
        if self._fds is not None:
            self.path.unlink()
            for fd in self._fds:
                os.close(fd)
            self._fds = None

    async def send(self, data: bytes) -> None:
        """Write all of it, waiting while the kernel's buffers are full."""
        assert self._fds is not None
        fd = self._fds[0]
        while data:
            try:
                data = data[os.write(fd, data) :]
            except BlockingIOError:
                writable = asyncio.Event()
                asyncio.get_running_loop().add_writer(fd, writable.set)
                try:
                    await writable.wait()
                finally:
                    asyncio.get_running_loop().remove_writer(fd)

    async def receive(self) -> bytes:
        """Return what the agent sent next."""
        assert self._fds is not None
        fd = self._fds[0]
        async with asyncio.timeout(WITHIN_S):
            while True:
                try:
                    return os.read(fd, 4_096)
                except BlockingIOError:
                    readable = asyncio.Event()
                    asyncio.get_running_loop().add_reader(fd, readable.set)
                    try:
                        await readable.wait()
                    finally:
                        asyncio.get_running_loop().remove_reader(fd)


def open_files() -> int:
    """Return how many descriptors this process holds."""
    return len(list(Path("/proc/self/fd").iterdir()))


class Presences:
    """Keeps what a scanner says of itself."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Presence, str]] = []
        self._changed = asyncio.Event()

    def __call__(self, scanner_id: str, presence: Presence, why: str) -> None:
        self.told.append((scanner_id, presence, why))
        self._changed.set()

    async def until(self, presence: Presence, times: int = 1) -> str:
        """Wait until it has said so that often; return what it gave as the reason."""
        async with asyncio.timeout(WITHIN_S):
            while len(said := [why for _, p, why in self.told if p is presence]) < times:
                self._changed.clear()
                await self._changed.wait()
        return said[times - 1]


class Reading:
    """Somebody who listens to a scanner."""

    def __init__(self) -> None:
        self._scans: asyncio.Queue[Scan] = asyncio.Queue()
        self.has_ended = asyncio.Event()

    async def next(self) -> Scan:
        async with asyncio.timeout(WITHIN_S):
            return await self._scans.get()

    async def take(self, count: int) -> list[Scan]:
        return [await self.next() for _ in range(count)]

    @property
    def waiting(self) -> int:
        return self._scans.qsize()

    async def listen(self, scanner: Scanner) -> None:
        async for scan in scanner.scans():
            self._scans.put_nowait(scan)
        self.has_ended.set()


@asynccontextmanager
async def reading(scanner: Scanner) -> AsyncIterator[Reading]:
    """Listen to a scanner for a while."""
    listener = Reading()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(listener.listen(scanner))
        try:
            yield listener
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
