"""A network cable between two programs: bytes pass while it is plugged in; pulled, every connection breaks at once."""

import asyncio
import contextlib
from types import TracebackType
from typing import Self

CHUNK_BYTES = 65_536


class Link:
    """Listens on a loopback port of its own and passes everything on to another; an async context manager."""

    def __init__(self, name: str, to_port: int) -> None:
        self.name = name
        self.port = 0
        self._to_port = to_port
        self._server: asyncio.Server | None = None
        self._writers = set[asyncio.StreamWriter]()

    async def __aenter__(self) -> Self:
        """Plug it in."""
        await self.plug_in()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Pull it for good."""
        await self.pull()

    async def plug_in(self) -> None:
        """Pass bytes, on the same port as ever."""
        if self._server is None:
            self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def pull(self) -> None:
        """Break what is open, and let nothing new in."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to_port)
        except OSError:
            self._drop(writer)
            return
        self._writers.add(far_writer)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._copy(reader, far_writer))
            group.create_task(self._copy(far_reader, writer))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                writer.write(data)
                await writer.drain()
        self._drop(writer)

    def _drop(self, writer: asyncio.StreamWriter) -> None:
        self._writers.discard(writer)
        writer.close()
