"""Every framing of a serial line, each with the assembler that reads it."""

from enum import StrEnum
from typing import Protocol

from agent.core.reading.box import BoxAssembler, BoxCheck, BoxLength, StxEtxAssembler
from agent.core.reading.framing import Framing, ScanAssembler
from agent.core.reading.piece import Piece
from agent.core.reading.ssi import SsiAssembler


class SerialFraming(StrEnum):
    """What ends a scan on a serial line: a terminator, a pause, or a frame around it."""

    CR = "cr"
    LF = "lf"
    CRLF = "crlf"
    TAB = "tab"
    ETX = "etx"
    IDLE = "idle"
    BOX = "box"
    STX_ETX = "stx-etx"
    SSI = "ssi"


class Assembler(Protocol):
    """Bytes in, scans out; times are milliseconds of one clock that does not step."""

    @property
    def is_between(self) -> bool:
        """Say whether nothing is arriving."""
        ...

    @property
    def due_at_ms(self) -> int | None:
        """When `idle` is to be called, should nothing come until then."""
        ...

    def feed(self, data: bytes, at_ms: int) -> list[Piece]:
        """Take bytes; return the scans they complete."""
        ...

    def idle(self, at_ms: int) -> list[Piece]:
        """Say that nothing came until now."""
        ...

    def hang_up(self) -> list[Piece]:
        """Say that the device is gone."""
        ...

    def spoil(self, at_ms: int) -> list[Piece]:
        """Say that a byte came damaged here."""
        ...

    def lose_track(self) -> None:
        """Say that reading pauses."""
        ...

    def join_late(self, at_ms: int) -> None:
        """Say that the line was already sending when reading began."""
        ...


def assembler_of(
    framing: str,
    bytes_max: int,
    timeout_ms: int,
    length: BoxLength = BoxLength.ASCII,
    check: BoxCheck = BoxCheck.LENGTH,
) -> Assembler:
    """Return what reads this framing (a SerialFraming, or a Framing of the same name)."""
    match SerialFraming(framing):
        case SerialFraming.BOX:
            return BoxAssembler(bytes_max, timeout_ms, length=length, check=check)
        case SerialFraming.STX_ETX:
            return StxEtxAssembler(bytes_max, timeout_ms)
        case SerialFraming.SSI:
            return SsiAssembler(bytes_max, timeout_ms)
        case line:
            return ScanAssembler(Framing(line), bytes_max=bytes_max, timeout_ms=timeout_ms)
