"""One MQTT 3.1.1 CONNECT and its answer, to learn whether a broker would let the terminal in.

The law: under a name of its own and in a clean session, so that the broker never mistakes it for the running agent and
closes the agent's connection. Nothing is subscribed, nothing published.
"""

import asyncio
from collections.abc import Awaitable, Callable

KEEP_ALIVE_S = 10
TEXT_BYTES_MAX = 65_535  # MQTT 3.1.1, 1.5.3
CONNECT, CONNACK, DISCONNECT = 0x10, 0x20, 0xE0
CLEAN, PASSWORD, USER = 0x02, 0x40, 0x80
REFUSALS = {  # MQTT 3.1.1, table 3.1
    1: ("it does not speak MQTT 3.1.1", "ask whoever runs it to allow version 3.1.1"),
    2: ("it does not take the doctor's client id", "nothing, if it asks for the terminal's own; see the agent's log"),
    3: ("it is not available", "ask whoever runs it"),
    4: ("user name or password are wrong", "correct username and password_file in [uplink.mqtt]"),
    5: ("this user is not allowed in", "ask whoever runs it to let this terminal in; see user name and certificate"),
}


Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


class NotMqtt(Exception):
    """Something answers that is no MQTT broker."""


async def connect_code(
    connect: Connect,
    *,
    client_id: str,
    user: str | None = None,
    password: bytes | None = None,
) -> int:
    """Return the broker's answer to a CONNECT: 0, or a key of REFUSALS. Raises NotMqtt, and what `connect` raises."""
    reader, writer = await connect()
    try:
        writer.write(_connect(client_id, user, password))
        await writer.drain()
        try:
            answer = await reader.readexactly(4)
        except asyncio.IncompleteReadError as error:
            raise NotMqtt("it hangs up without an answer") from error
        if answer[0] != CONNACK or answer[1] != 2:
            raise NotMqtt("it answers something that is not MQTT")
        writer.write(bytes((DISCONNECT, 0)))
        return answer[3]
    finally:
        writer.close()


def _connect(client_id: str, user: str | None, password: bytes | None) -> bytes:
    flags = CLEAN
    payload = _text(client_id.encode())
    if user is not None:
        flags |= USER
        payload += _text(user.encode())
        if password is not None:  # without a user name there is none (3.1.2.9)
            flags |= PASSWORD
            payload += _text(password)
    rest = _text(b"MQTT") + bytes((4, flags)) + KEEP_ALIVE_S.to_bytes(2, "big") + payload
    return bytes((CONNECT,)) + _length(len(rest)) + rest


def _text(data: bytes) -> bytes:
    return len(data[:TEXT_BYTES_MAX]).to_bytes(2, "big") + data[:TEXT_BYTES_MAX]


def _length(value: int) -> bytes:
    """Write a remaining length (2.2.3)."""
    digits = bytearray()
    while True:
        value, digit = divmod(value, 128)
        digits.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(digits)
