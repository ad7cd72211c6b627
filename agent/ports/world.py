"""Clocks, chance, scanners, and what people on the spot see."""

from collections.abc import AsyncIterator
from typing import Protocol, runtime_checkable

from agent.core.decision import Answer, Decision
from agent.core.reading.frame import Frame
from agent.core.reading.piece import Piece
from agent.core.scan import Scan
from agent.core.time_interval import Stamp
from agent.core.transaction import Transaction


class Clock(Protocol):
    """The only reader of clocks."""

    def now(self) -> Stamp:
        """Return the stamp of this instant."""
        ...


class Randomness(Protocol):
    """The only source of ids and draws."""

    def bytes(self, size: int) -> bytes:
        """Return `size` unpredictable bytes."""
        ...

    def uniform(self) -> float:
        """Return a draw from [0, 1)."""
        ...


class Scanner(Protocol):
    """One scanner, for the life of the agent: it handles unplugging itself."""

    @property
    def id(self) -> str:
        """The configured id."""
        ...

    @property
    def presence(self) -> str | None:
        """Say "present" or "absent"; None before it has looked."""
        ...

    def scans(self) -> AsyncIterator[Scan]:
        """Yield whole scans, and faulty ones with their fault."""
        ...

    def answered(self, answer: Answer) -> None:
        """Have the scanner itself tell the decision by sound or light, where it can. Never waits, never fails."""
        ...


@runtime_checkable
class Triggered(Protocol):
    """A scanner that can be told when to look for a code."""

    def trigger(self, *, on: bool) -> None:
        """Have it look for a code, or stop. Never waits; a scanner that is away is not told later."""
        ...


class Display(Protocol):
    """What people on the spot see. Never called before the ledger's commit returned."""

    async def show(self, scanner: str, decision: Decision, transaction: Transaction) -> None:
        """Show a decision for a scan of that scanner. A client that does not keep up is dropped, never waited for."""
        ...

    async def notice(self, topic: str, text: str) -> None:
        """Show something about the terminal itself (scanner, uplink, alert); never about a person."""
        ...


class FrameReader(Protocol):
    """Finds codes in the pictures of one camera. One caller at a time, in whatever thread; it keeps state between."""

    def read(self, frame: Frame, at_ms: int) -> list[Piece]:
        """Return what was read for certain in this frame; at_ms of a clock that does not step. Never raises."""
        ...
