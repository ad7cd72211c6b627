"""Zebra's Simple Serial Interface (Programmer's Guide 72E-40451): packets with a checksum, each acknowledged.

A packet is length (of all but the checksum), opcode, source, status, data, checksum (two's complement of the sum, high
byte first). The law: one scan for one message, however often it is sent; what cannot be mended is refused aloud.
"""

from dataclasses import dataclass

from agent.core.reading.framing import SCAN_TIMEOUT_MS, TAIL_MS_MAX
from agent.core.reading.piece import Piece
from agent.core.scan import SCAN_BYTES_MAX, ScanFault

PARAM_SEND, CMD_ACK, CMD_NAK, CAPABILITIES_REPLY, REPLY_REVISION = 0xC6, 0xD0, 0xD1, 0xD4, 0xA4
START_DECODE, STOP_DECODE, BEEP, DECODE_DATA, EVENT = 0xE4, 0xE5, 0xE6, 0xF3, 0xF6
DECODER, HOST = 0x00, 0x04
_RETRANSMIT, _CONTINUATION = 0x01, 0x02  # status bits
_RESEND, _BAD_CONTEXT = 0x01, 0x02  # causes of a CMD_NAK
_TOLD_ONLY = {PARAM_SEND, CAPABILITIES_REPLY, REPLY_REVISION, EVENT}
_HEADER_BYTES, _CHECKSUM_BYTES = 4, 2

GAP_MS = 50  # a packet comes in one go; after damage, a longer pause ends what belongs to it
RESEND_MS = 3_000  # a scanner asked to send again does so at once, or after its own time-out of about 2 s
DOUBLE_MS = 10_000  # a scanner that misses our answer sends again within this time
NAKS_MAX = 3  # then the line is bad, and the patient is told

# Bar code types of DECODE_DATA as AIM ids. The type tells no options: the modifier is that of data without any.
_AIM = {
    0x01: "]A0", 0x02: "]F0", 0x03: "]C0", 0x06: "]I0", 0x07: "]G0", 0x08: "]E0", 0x09: "]E0", 0x0A: "]E4",
    0x0B: "]E0", 0x0F: "]C1", 0x10: "]E0", 0x11: "]L0", 0x13: "]A4", 0x16: "]E0", 0x19: "]C0", 0x1A: "]L0",
    0x1B: "]d1", 0x1C: "]Q1", 0x20: "]A0", 0x25: "]U0", 0x28: "]L0", 0x2C: "]Q1", 0x2D: "]z0", 0x2E: "]zC",
    0x30: "]e0", 0x31: "]e0", 0x32: "]e0", 0xB7: "]h0", 0xC1: "]d2", 0xC2: "]Q3",
}  # fmt: skip


def packet(opcode: int, data: bytes = b"", *, status: int = 0, source: int = HOST) -> bytes:
    """Return one packet; data is at most 251 bytes."""
    body = bytes([_HEADER_BYTES + len(data), opcode, source, status]) + data
    return body + (-sum(body) & 0xFFFF).to_bytes(_CHECKSUM_BYTES, "big")


@dataclass(slots=True)
class _Message:
    """The packets of one DECODE_DATA message so far."""

    kind: int
    data: bytes


class SsiAssembler:
    """Assembles SSI packets into scans and says what to answer the scanner (`take_replies`)."""

    def __init__(self, bytes_max: int = SCAN_BYTES_MAX, timeout_ms: int = SCAN_TIMEOUT_MS) -> None:
        self._bytes_max = bytes_max
        self._timeout_ms = timeout_ms
        self._pending = bytearray()
        self._fed_at_ms = 0
        self._begun_at_ms = 0  # when the first byte of the packet that is arriving, or just came, was read
        self._is_lost = False  # damage: all until a gap belongs to it
        self._naks = 0  # asked to send again, and nothing good came since
        self._asked_at_ms = 0
        self._message: _Message | None = None
        self._last: tuple[bytes, int] | None = None  # the last DECODE_DATA packet taken, and when
        self._has_ended_several = False  # the last DECODE_DATA packet ended a message of several
        self._tail_until_ms: int | None = None  # until then, packets may belong to a message that was refused
        self._replies = bytearray()

    @property
    def is_between(self) -> bool:
        """Say whether no packet is arriving."""
        return not (self._pending or self._is_lost)

    @property
    def due_at_ms(self) -> int | None:
        """When `idle` will have something to do, should nothing come until then."""
        if self._is_lost:
            return self._fed_at_ms + GAP_MS
        if self._pending:
            return self._fed_at_ms + self._timeout_ms
        if self._naks:
            return self._asked_at_ms + RESEND_MS
        return None if self._message is None else self._fed_at_ms + RESEND_MS

    def take_replies(self) -> bytes:
        """Return what the scanner is to be sent now, once."""
        replies = bytes(self._replies)
        self._replies.clear()
        return replies

    def feed(self, data: bytes, at_ms: int) -> list[Piece]:
        """Take bytes as they were read; return the scans they complete."""
        self._fed_at_ms = at_ms
        if self._is_lost:
            return []
        if not self._pending:
            self._begun_at_ms = at_ms
        self._pending += data
        pieces: list[Piece] = []
        while self._pending:
            size = self._pending[0]
            if size < _HEADER_BYTES:
                self._lose()
                break
            if len(self._pending) < size + _CHECKSUM_BYTES:
                break
            whole = bytes(self._pending[: size + _CHECKSUM_BYTES])
            if -sum(whole[:size]) & 0xFFFF != int.from_bytes(whole[size:], "big"):
                self._lose()
                break
            del self._pending[: len(whole)]
            pieces += self._take(whole[1], whole[2], whole[3], whole[4:size])
            self._begun_at_ms = at_ms
        return pieces

    def idle(self, at_ms: int) -> list[Piece]:
        """Say that nothing came until now: ask for what was damaged, or refuse what did not come again."""
        due_at_ms = self.due_at_ms
        if due_at_ms is None or at_ms < due_at_ms:
            return []
        if self._is_lost or self._pending:
            self._pending.clear()
            self._is_lost = False
            if self._naks < NAKS_MAX:
                self._naks += 1
                self._asked_at_ms = at_ms
                self._replies += packet(CMD_NAK, bytes([_RESEND]))
                return []
            return self._give_up(ScanFault.DAMAGED)
        return self._give_up(ScanFault.DAMAGED if self._naks else ScanFault.INCOMPLETE)

    def hang_up(self) -> list[Piece]:
        """Say that the device is gone; return the scan that it took with it."""
        is_cut = bool(self._pending or self._is_lost or self._naks or self._message)
        self._pending.clear()
        self._is_lost, self._last = False, None
        self._replies.clear()
        pieces = self._give_up(ScanFault.CUT) if is_cut else []
        self._tail_until_ms = None
        return pieces

    def spoil(self, at_ms: int) -> list[Piece]:
        """Say that a byte came damaged here: its packet is asked for again."""
        self._fed_at_ms = at_ms
        self._lose()
        return []

    def lose_track(self) -> None:
        """Say that reading pauses: a packet marks its own end, so nothing changes."""

    def join_late(self, at_ms: int) -> None:
        """Say that the line was already sending: the rest of a packet is none, so nothing changes."""

    def _lose(self) -> None:
        self._pending.clear()
        self._is_lost = True

    def _give_up(self, fault: ScanFault) -> list[Piece]:
        message, self._message = self._message, None
        self._naks = 0
        self._tail_until_ms = self._fed_at_ms + TAIL_MS_MAX if message else None
        return [Piece(message.data[: self._bytes_max] if message else b"", fault)]

    def _take(self, opcode: int, source: int, status: int, data: bytes) -> list[Piece]:
        """Answer one whole packet; return the scan it completes."""
        if source == HOST or opcode in {CMD_ACK, CMD_NAK}:
            return []  # a line that echoes, or the answer to a beep: neither is answered
        if opcode == DECODE_DATA and data:
            return self._take_data(status, data)
        if opcode in _TOLD_ONLY:
            self._replies += packet(CMD_ACK)
            return []
        self._replies += packet(CMD_NAK, bytes([_BAD_CONTEXT]))
        return self._give_up(ScanFault.DAMAGED)  # it may have carried a code in a form not read here

    def _take_data(self, status: int, data: bytes) -> list[Piece]:
        self._replies += packet(CMD_ACK)
        goes_on, is_retransmitted = bool(status & _CONTINUATION), bool(status & _RETRANSMIT)
        body = bytes([goes_on]) + data
        is_again = is_retransmitted and self._is_last(body)
        # What was asked for never came; or the scanner gave the message up, since what follows comes at once.
        is_other = not is_retransmitted and (self._naks > 0 or self._is_late)
        # Asked for again, it may be the same code shown twice; but the end of a message is no message.
        is_double = is_again and self._message is None and (not self._naks or self._has_ended_several)
        self._naks, self._last = 0, (body, self._fed_at_ms)
        if is_double:  # our acknowledgement was lost, not the packet
            return []
        is_tail = self._tail_until_ms is not None and self._fed_at_ms < self._tail_until_ms
        self._has_ended_several = not goes_on and (is_tail or self._message is not None)
        if is_tail:
            return self._refuse_to_the_end(goes_on, data[1:], ScanFault.INCOMPLETE)
        self._tail_until_ms = None
        message = self._message or _Message(data[0], b"")
        # In the middle of a message, the same packet again may as well be the next one, equal to it: refused.
        if (is_again and self._message is not None) or is_other or message.kind != data[0]:
            return self._refuse_to_the_end(goes_on, message.data + data[1:], ScanFault.DAMAGED)
        message.data = (message.data + data[1:])[: self._bytes_max + 1]
        self._message = message if goes_on else None
        if goes_on or not message.data:
            return []
        if len(message.data) > self._bytes_max:
            return [Piece(message.data[: self._bytes_max], ScanFault.OVER_LONG)]
        return [Piece(message.data, None, _AIM.get(message.kind))]

    @property
    def _is_late(self) -> bool:
        if self._message is None or self._last is None:
            return False
        # By its first byte: at 4,800 bits a second a full packet takes half a second by itself. A short timeout_ms is
        # about bytes; between packets the scanner waits for our answer and thinks.
        return self._begun_at_ms - self._last[1] >= max(self._timeout_ms, SCAN_TIMEOUT_MS)

    def _is_last(self, body: bytes) -> bool:
        return self._last is not None and body == self._last[0] and self._fed_at_ms - self._last[1] < DOUBLE_MS

    def _refuse_to_the_end(self, goes_on: bool, data: bytes, fault: ScanFault) -> list[Piece]:
        """Refuse a message aloud, at its last packet; no packet behind a bad one begins a scan."""
        self._message = None
        self._tail_until_ms = self._fed_at_ms + TAIL_MS_MAX if goes_on else None
        return [] if goes_on else [Piece(data[: self._bytes_max], fault)]
