"""A Zebra scanner in SSI mode behind a pty, written from the manual alone: it sends packets and wants them answered."""

import asyncio

from fakes.tty import WITHIN_S, Tty

ACK, NAK, DECODE_DATA, EVENT = 0xD0, 0xD1, 0xF3, 0xF6
QR, CODE128 = 0x1C, 0x03
PIECE_BYTES_MAX = 240


def ssi_packet(opcode: int, data: bytes = b"", status: int = 0, source: int = 0) -> bytes:
    body = bytes([4 + len(data), opcode, source, status, *data])
    total = sum(body)
    return body + bytes([((0x10000 - total) >> 8) & 0xFF, (0x10000 - total) & 0xFF])


class SsiScanner:
    """Sends, reads what the host answers, and sends again with the retransmit bit when it is told to."""

    def __init__(self, tty: Tty) -> None:
        self._tty = tty
        self.heard: list[bytes] = []
        self._bytes = bytearray()

    async def scan(self, code: bytes, kind: int = QR) -> None:
        """Send a code as a scanner does: in as many packets as it needs, each until it is acknowledged."""
        cuts = range(0, len(code), PIECE_BYTES_MAX)
        for at in cuts:
            data = bytes([kind]) + code[at : at + PIECE_BYTES_MAX]
            await self.send(data, 0x02 if at != cuts[-1] else 0)

    async def send(self, data: bytes, status: int = 0, *, spoilt_first: bool = False, deaf_first: bool = False) -> None:
        """Send one DECODE_DATA packet; damage its first copy, or miss the answer to it."""
        whole = ssi_packet(DECODE_DATA, data, status)
        if spoilt_first:
            await self._tty.send(whole[:-1] + bytes([whole[-1] ^ 1]))
            assert (await self.hear())[1] == NAK
            whole = ssi_packet(DECODE_DATA, data, status | 1)
        if deaf_first:
            await self._tty.send(whole)
            assert (await self.hear())[1] == ACK
            whole = ssi_packet(DECODE_DATA, data, status | 1)
        await self._tty.send(whole)
        assert (await self.hear())[1] == ACK

    async def hear(self) -> bytes:
        """Return the next packet of the host; its form and checksum are right."""
        async with asyncio.timeout(WITHIN_S):
            while not self._bytes or len(self._bytes) < self._bytes[0] + 2:
                self._bytes += await self._tty.receive()
        size = self._bytes[0]
        packet = bytes(self._bytes[: size + 2])
        del self._bytes[: size + 2]
        assert packet == ssi_packet(packet[1], packet[4:size], packet[3], packet[2])
        assert packet[2] == 4, "the source is the host"
        self.heard.append(packet)
        return packet
