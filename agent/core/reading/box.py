"""The frames of scan boxes: STX, length, payload, ETX, LRC; and STX, payload, ETX of plainer ones.

The law: a frame is its payload exactly or a refusal, as far as its check byte tells: a damaged length passes where the
payload holds ETX and a fitting LRC just there. A payload may hold any byte, STX too, so after damage nothing tells a
frame from what looks like one inside another but a pause: until then all is refused, and told once.
"""

from enum import StrEnum
from functools import reduce
from operator import xor

from agent.core.reading.framing import SCAN_TIMEOUT_MS
from agent.core.reading.piece import Piece
from agent.core.scan import SCAN_BYTES_MAX, ScanFault

STX, ETX = 0x02, 0x03
_BETWEEN = b"\r\n"  # what some boxes send behind a frame; never noise


class BoxLength(StrEnum):
    """How a box writes its payload's length: four ASCII digits; two bytes of packed digits; two bytes, high first."""

    ASCII = "ascii"
    BCD = "bcd"
    BINARY = "binary"


class BoxCheck(StrEnum):
    """What a box XORs into its last byte: from the length to ETX, from the payload to ETX, or from STX to ETX."""

    LENGTH = "length"
    PAYLOAD = "payload"
    STX = "stx"


class _Damaged(Exception):
    """The pending bytes are no frame."""


class _TooLong(Exception):
    """The pending frame is longer than the limit."""


class _Frames:
    """What both kinds of frame share; `_take` cuts one off the pending bytes."""

    def __init__(self, bytes_max: int = SCAN_BYTES_MAX, timeout_ms: int = SCAN_TIMEOUT_MS) -> None:
        self._bytes_max = bytes_max
        self._timeout_ms = timeout_ms
        self._pending = bytearray()
        self._fed_at_ms = 0
        self._is_lost = False  # a refusal was told; until a pause nothing is believed

    @property
    def is_between(self) -> bool:
        """Say whether no frame is arriving."""
        return not (self._pending or self._is_lost)

    @property
    def due_at_ms(self) -> int | None:
        """When `idle` will have something to do, should nothing come until then."""
        return None if self.is_between else self._fed_at_ms + self._timeout_ms

    def feed(self, data: bytes, at_ms: int) -> list[Piece]:
        """Take bytes as they were read; return the payloads they complete."""
        self._fed_at_ms = at_ms
        if self._is_lost:
            return []
        self._pending += data
        pieces: list[Piece] = []
        try:
            while (payload := self._next()) is not None:
                if payload:
                    pieces.append(Piece(payload))
        except _TooLong:
            pieces.append(self._refuse(ScanFault.OVER_LONG))
        except _Damaged:
            pieces.append(self._refuse(ScanFault.DAMAGED))
        return pieces

    def idle(self, at_ms: int) -> list[Piece]:
        """Say that nothing came until now: what follows is believed again; half a frame is incomplete."""
        due_at_ms = self.due_at_ms
        if due_at_ms is None or at_ms < due_at_ms:
            return []
        return self._end(ScanFault.INCOMPLETE)

    def hang_up(self) -> list[Piece]:
        """Say that the device is gone; return the frame that it took with it."""
        return self._end(ScanFault.CUT)

    def spoil(self, at_ms: int) -> list[Piece]:
        """Say that a byte came damaged here; return the refusal, once until the next pause."""
        self._fed_at_ms = at_ms
        return [] if self._is_lost else [self._refuse(ScanFault.DAMAGED)]

    def lose_track(self) -> None:
        """Say that reading pauses: a frame marks its own end, so nothing changes."""

    def join_late(self, at_ms: int) -> None:
        """Say that the line was already sending: the rest of a frame is no frame, so nothing changes."""

    def _next(self) -> bytes | None:
        while self._pending and self._pending[0] in _BETWEEN:
            del self._pending[0]
        if not self._pending:
            return None
        if self._pending[0] != STX:
            raise _Damaged
        return self._take()

    def _take(self) -> bytes | None:
        """Return the payload of the frame that the pending bytes begin with, None while more must come."""
        raise NotImplementedError

    def _refuse(self, fault: ScanFault) -> Piece:
        piece = Piece(bytes(self._pending[: self._bytes_max]), fault)
        self._pending.clear()
        self._is_lost = True
        return piece

    def _end(self, fault: ScanFault) -> list[Piece]:
        pieces = [Piece(bytes(self._pending[: self._bytes_max]), fault)] if self._pending else []
        self._pending.clear()
        self._is_lost = False
        return pieces


class BoxAssembler(_Frames):
    """STX, the payload's length, the payload, ETX, LRC: one XOR over what `check` says."""

    def __init__(
        self,
        bytes_max: int = SCAN_BYTES_MAX,
        timeout_ms: int = SCAN_TIMEOUT_MS,
        *,
        length: BoxLength = BoxLength.ASCII,
        check: BoxCheck = BoxCheck.LENGTH,
    ) -> None:
        super().__init__(bytes_max, timeout_ms)
        self._length = length
        self._length_size = 4 if length is BoxLength.ASCII else 2
        self._check = check

    def _take(self) -> bytes | None:
        start = 1 + self._length_size
        size = self._size(bytes(self._pending[1:start]))
        if size is None:
            return None
        if size > self._bytes_max:
            raise _TooLong
        end = start + size
        if len(self._pending) > end and self._pending[end] != ETX:
            raise _Damaged
        if len(self._pending) < end + 2:
            return None
        first = {BoxCheck.LENGTH: 1, BoxCheck.PAYLOAD: start, BoxCheck.STX: 0}[self._check]
        if reduce(xor, self._pending[first : end + 1]) != self._pending[end + 1]:
            raise _Damaged
        payload = bytes(self._pending[start:end])
        del self._pending[: end + 2]
        return payload

    def _size(self, field: bytes) -> int | None:
        """Return the length a field says, None while it is not whole; a wrong one is known at its first wrong byte."""
        if self._length is BoxLength.ASCII and field and not (field.isdigit() and field.isascii()):
            raise _Damaged
        if self._length is BoxLength.BCD and not field.hex().isdigit() and field:
            raise _Damaged
        if len(field) < self._length_size:
            return None
        if self._length is BoxLength.BINARY:
            return int.from_bytes(field, "big")
        return int(field if self._length is BoxLength.ASCII else field.hex())


class StxEtxAssembler(_Frames):
    """STX, the payload, ETX. Nothing proves the payload; one that holds STX or ETX itself cannot be sent this way."""

    def _take(self) -> bytes | None:
        end = self._pending.find(ETX)
        payload = bytes(self._pending[1 : end if end >= 0 else len(self._pending)])
        if STX in payload:  # the end of the frame before it was lost
            raise _Damaged
        if len(payload) > self._bytes_max:
            raise _TooLong
        if end < 0:
            return None
        del self._pending[: end + 1]
        return payload
