"""A raw MQTT publisher: frames made by hand on a bare asyncio protocol, prepared batches, eight in flight.

It looks into a receipt just far enough to see which batch it is about: what it measures is broker and ingest, nothing
else. A drain by the agent is held against it.
"""

import asyncio
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass

IN_FLIGHT = 8
KEEPALIVE_S = 60
RECEIPTS_S_MAX = 120.0
_ID_BYTES = 16
_ID_FIELD = b"\x01\x50"  # field 1, a byte string of 16: of a batch at its start, of a receipt at that of its payload
_PUBLISH_1, _PUBACK, _SUBACK, _CONNACK = 0x32, 0x40, 0x90, 0x20


@dataclass(frozen=True)
class Login:
    """The broker, and the terminal that logs in there."""

    host: str
    port: int
    username: str
    password: str
    site: str
    terminal: str


class _Publisher(asyncio.Protocol):
    def __init__(self, login: Login, batches: Sequence[bytes]) -> None:
        self._login = login
        topic = f"scanward/1/{login.site}/{login.terminal}/up/batch".encode()
        self._frames = [_publish(topic, number % 65_535 + 1, batch) for number, batch in enumerate(batches)]
        self._ids = [_id_in(batch) for batch in batches]
        self._next = 0
        self._waiting: set[bytes] = set()
        self._buffer = bytearray()
        self.is_ready = asyncio.get_running_loop().create_future()
        self.is_done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        login = self._login
        body = _text("MQTT") + bytes([4, 0xC2]) + struct.pack(">H", KEEPALIVE_S)
        transport.write(
            _frame(0x10, body + _text(f"raw-{login.terminal}") + _text(login.username) + _text(login.password))
        )

    def connection_lost(self, exc: Exception | None) -> None:
        lost = ConnectionError("the broker closed the connection")
        if not self.is_ready.done():
            self.is_ready.set_exception(lost)
        elif not self.is_done.done():
            self.is_done.set_exception(lost)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (frame := _next_frame(self._buffer)) is not None:
            self._take(*frame)

    def start(self) -> None:
        """Send the first batches."""
        for _ in range(min(IN_FLIGHT, len(self._frames))):
            self._send()

    def _send(self) -> None:
        if self._next < len(self._frames):
            self._waiting.add(self._ids[self._next])
            self._transport.write(self._frames[self._next])
            self._next += 1

    def _take(self, kind: int, body: bytes) -> None:
        if kind == _CONNACK:
            if body[1] != 0:
                self.is_ready.set_exception(ConnectionError(f"the broker refuses the login: {body[1]}"))
                return
            receipts = f"scanward/1/{self._login.site}/{self._login.terminal}/down/receipt"
            self._transport.write(_frame(0x82, b"\x00\x01" + _text(receipts) + b"\x01"))
        elif kind == _SUBACK:
            self.is_ready.set_result(None)
        elif kind & 0xF0 == 0x30:
            start = 2 + int.from_bytes(body[:2])
            if kind & 0x06:
                self._transport.write(_frame(_PUBACK, body[start : start + 2]))
                start += 2
            self._take_receipt(body[start:])

    def _take_receipt(self, receipt: bytes) -> None:
        about = _id_in(receipt)
        if about not in self._waiting:
            return
        self._waiting.remove(about)
        self._send()
        if not self._waiting and not self.is_done.done():
            self.is_done.set_result(None)


async def publish(batches: Sequence[bytes], login: Login) -> float:
    """Send prepared batches and return the seconds until the last receipt. Raises ConnectionError, TimeoutError."""
    loop = asyncio.get_running_loop()
    transport, publisher = await loop.create_connection(lambda: _Publisher(login, batches), login.host, login.port)
    try:
        async with asyncio.timeout(RECEIPTS_S_MAX):
            await publisher.is_ready
            started = loop.time()
            publisher.start()
            await publisher.is_done
            return loop.time() - started
    finally:
        publisher.is_done.cancel()
        transport.abort()


def _id_in(message: bytes) -> bytes:
    start = message.index(_ID_FIELD) + len(_ID_FIELD)
    return message[start : start + _ID_BYTES]


def _publish(topic: bytes, packet_id: int, payload: bytes) -> bytes:
    return _frame(_PUBLISH_1, struct.pack(">H", len(topic)) + topic + struct.pack(">H", packet_id) + payload)


def _text(text: str) -> bytes:
    return struct.pack(">H", len(text.encode())) + text.encode()


def _frame(kind: int, body: bytes) -> bytes:
    """Return a control packet (MQTT 3.1.1, section 2.2)."""
    length, rest = bytearray(), len(body)
    while True:
        rest, low = divmod(rest, 128)
        length.append(low | (128 if rest else 0))
        if not rest:
            return bytes([kind]) + bytes(length) + body


def _next_frame(buffer: bytearray) -> tuple[int, bytes] | None:
    """Take one whole control packet off the buffer."""
    length = shift = 0
    for at in range(1, min(len(buffer), 5)):
        length |= (buffer[at] & 127) << shift
        shift += 7
        if not buffer[at] & 128:
            end = at + 1 + length
            if len(buffer) < end:
                return None
            kind, body = buffer[0], bytes(buffer[at + 1 : end])
            del buffer[:end]
            return kind, body
    return None
