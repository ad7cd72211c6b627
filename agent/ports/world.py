"""Clocks, chance, scanners, and what people on the spot see."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
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


@dataclass(frozen=True, slots=True)
class ScanCounts:
    """Since the start. scans: handed on, faulty ones among them; faults: how many of each kind, by ScanFault's value.

    repeats: codes that were still in sight; dropped: scans that a flood took with it. Neither was handed on.
    """

    scans: int
    faults: Mapping[str, int]
    repeats: int
    dropped: int


@runtime_checkable
class Counted(Protocol):
    """A scanner that says how much it has read."""

    @property
    def counts(self) -> ScanCounts:
        """What was scanned since the start."""
        ...


class Entered(StrEnum):
    """What became of a scan that a program brought."""

    TAKEN = "taken"  # it waits for its decision, or is the code that is in sight anyway
    UNKNOWN = "unknown"  # no such scanner, or none that programs may bring scans for
    TOO_LONG = "too-long"
    FULL = "full"  # scans wait, and no more are taken for now
    FLOOD = "flood"  # more than any hand makes


@runtime_checkable
class TakesScans(Protocol):
    """A scanner whose scans a program brings."""

    def enter(self, data: bytes, aim: str | None) -> Entered:
        """Take a scan, or say why not. Never waits."""
        ...


class ScanEntrance(Protocol):
    """What programs and staff may do with scanners."""

    def enter(self, scanner: str, data: bytes, aim: str | None) -> Entered:
        """Bring a scan for that scanner."""
        ...

    def trigger(self, scanner: str, *, on: bool) -> bool | None:
        """Have it look for a code, or stop; return False where it has no trigger, None where there is no such one."""
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
