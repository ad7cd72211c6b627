"""A TCP proxy in the test's own loop that does to a connection what networks do; of MQTT it knows the frames."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

PUBACK = 4  # packet type (MQTT 3.1.1 §2.2.1)
CHUNK_BYTES = 65_536


@dataclass
class Chaos:
    """Stands before a server on loopback. Everything may be changed while it runs."""

    target_port: int
    port: int = 0
    is_refusing: bool = False  # connections are closed as soon as they are made
    swallows_pubacks: bool = False
    delay_s: float = 0.0  # each way
    is_frozen: bool = False  # connections stay, nothing passes
    knows_frames: bool = True  # MQTT; otherwise bytes pass as they come
    half_frames: bool = False  # at a cut, half of one more frame is sent down first
    cuts: int = 0
    connections: int = 0
    swallowed: int = 0
    _links: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = field(default_factory=set)
    _passing: set[asyncio.Task] = field(default_factory=set)

    def cut(self) -> None:
        """Abort every connection, as a cable pulled at the broker's side would in the end."""
        for down, up in list(self._links):
            self.cuts += 1
            if self.half_frames:
                down.write(b"\x32\x80\x80\x04half")  # a PUBLISH of 64 kB that never comes
            for writer in (down, up):
                with contextlib.suppress(RuntimeError):
                    writer.transport.abort() if not self.half_frames else writer.close()

    async def cut_every(self, interval_s: float) -> None:
        while True:
            await asyncio.sleep(interval_s)
            self.cut()

    async def _serve(self, reader: asyncio.StreamReader, down: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.is_refusing:
            down.transport.abort()
            return
        try:
            upstream, up = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            down.transport.abort()
            return
        self._links.add((down, up))
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._pass_up(reader, up)),
                    group.create_task(self._pass_down(upstream, down)),
                ]
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    task.cancel()
        finally:
            self._links.discard((down, up))
            for writer in (down, up):
                writer.transport.abort()

    async def _pass_up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                await self._hold()
                writer.write(data)
                await writer.drain()

    async def _pass_down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while self.knows_frames:
                frame = await _frame(reader)
                await self._hold()
                if self.swallows_pubacks and frame[0] >> 4 == PUBACK:
                    self.swallowed += 1
                    continue
                writer.write(frame)
                await writer.drain()
        if not self.knows_frames:
            await self._pass_up(reader, writer)

    async def _hold(self) -> None:
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        while self.is_frozen:  # noqa: ASYNC110 - as long as the test says
            await asyncio.sleep(0.01)


async def _frame(reader: asyncio.StreamReader) -> bytes:
    """Read one MQTT control packet whole (§2.2.3, remaining length)."""
    head = await reader.readexactly(1)
    size = shift = 0
    while True:
        byte = await reader.readexactly(1)
        head += byte
        size |= (byte[0] & 0x7F) << shift
        shift += 7
        if not byte[0] & 0x80:
            return head + await reader.readexactly(size)


@contextlib.asynccontextmanager
async def before(target_port: int) -> AsyncIterator[Chaos]:
    """Run a proxy before a port."""
    chaos = Chaos(target_port)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        chaos._passing.add(task)
        try:
            with contextlib.suppress(asyncio.CancelledError):  # the end of the test
                await chaos._serve(reader, writer)
        finally:
            chaos._passing.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    chaos.port = server.sockets[0].getsockname()[1]
    try:
        yield chaos
    finally:
        server.close()
        await server.wait_closed()
        for task in list(chaos._passing):
            task.cancel()
        await asyncio.gather(*chaos._passing, return_exceptions=True)
