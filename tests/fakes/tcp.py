"""A reader on the network: a real socket on loopback, which waits to be connected to or connects itself."""

import asyncio
import socket
import struct

from fakes.tty import WITHIN_S


def free_port(host: str = "127.0.0.1") -> int:
    with socket.socket() as one:
        one.bind((host, 0))
        return one.getsockname()[1]


class TcpReader:
    """One end of a connection with the agent; `wait` and `connect` are the two ways to one."""

    def __init__(self, port: int | None = None) -> None:
        self.port = port or free_port()
        self._listening: socket.socket | None = None
        self._line: socket.socket | None = None

    def switch_on(self) -> None:
        """Listen, as a reader does that is connected to."""
        self._listening = socket.socket()
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listening.setblocking(False)
        self._listening.bind(("127.0.0.1", self.port))
        self._listening.listen()

    async def wait(self) -> None:
        """Wait until the agent has connected."""
        async with asyncio.timeout(WITHIN_S):
            self._line, _ = await asyncio.get_running_loop().sock_accept(self._listening)

    async def connect(self, source: str = "127.0.0.1") -> None:
        """Connect to the agent, from an address of the loopback network."""
        self._line = socket.socket()
        self._line.setblocking(False)
        self._line.bind((source, 0))
        async with asyncio.timeout(WITHIN_S):
            await asyncio.get_running_loop().sock_connect(self._line, ("127.0.0.1", self.port))

    async def send(self, data: bytes) -> None:
        async with asyncio.timeout(WITHIN_S):
            await asyncio.get_running_loop().sock_sendall(self._line, data)

    async def received(self, size: int) -> bytes:
        """Return what came, at least `size` bytes, or less where the agent hung up."""
        data = b""
        async with asyncio.timeout(WITHIN_S):
            while len(data) < size:
                try:
                    more = await asyncio.get_running_loop().sock_recv(self._line, 64)
                except ConnectionResetError:
                    break
                if not more:
                    break
                data += more
        return data

    def hang_up(self, *, hard: bool = False) -> None:
        """Close the connection; hard: with a reset, as a crash does."""
        if self._line is not None:
            if hard:
                self._line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._line.close()
            self._line = None

    def switch_off(self) -> None:
        self.hang_up()
        if self._listening is not None:
            self._listening.close()
            self._listening = None
