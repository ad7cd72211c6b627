"""What a way of arriving makes of what arrived: a payload without its framing, and what is known of it."""

from typing import NamedTuple

from agent.core.scan import ScanFault


class Piece(NamedTuple):
    """data: with a fault, what had arrived; aim, eci: where the device tells them (core/scan.py)."""

    data: bytes
    fault: ScanFault | None = None
    aim: str | None = None
    eci: int | None = None
