"""What the tasks need of the world, and the troubles it may report.

Adapters implement the protocols and raise the errors; tasks speak to nothing else. An error is named after what can be
done about it; anything not listed here is a bug and ends the process.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from agent.core.decision import Decision
from agent.core.delivery import Receipt, StoredRecord
from agent.core.scan import Scan
from agent.core.time_interval import Stamp
from agent.core.transaction import Draft, Transaction
from agent.core.trust_list import Trust


class ScannerGone(Exception):
    """The device is not there; the adapter goes on looking for it."""


class LedgerFull(Exception):
    """No space for this record: nothing was written. Refuse, keep delivering."""


class LedgerRefused(Exception):
    """This record was not written, for a reason of its own (e.g. its one-time code is already used)."""


class LedgerBroken(Exception):
    """Whether the record was written is unknown (failed fsync, I/O error): answer nothing, end the process."""


class PlatformUnreachable(Exception):
    """No answer: try again later."""


class PlatformRejected(Exception):
    """The platform answered and will not take this request.

    `whole`: it rejects the terminal or the protocol, not this batch: wait and tell people. Otherwise try the records
    one by one. `reason` is the platform's, cut to 200 characters and stripped of anything unprintable.
    """

    def __init__(self, reason: str, *, whole: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.whole = whole


class PlatformLied(Exception):
    """An answer that is not signed as it must be, or not about what was asked. Nothing moves; people are told."""


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

    def scans(self) -> AsyncIterator[Scan]:
        """Yield whole scans, and faulty ones with their fault."""
        ...


class Ledger(Protocol):
    """The durable record. All methods may raise LedgerBroken."""

    @property
    def ledger_id(self) -> bytes:
        """16 bytes, made with the file."""
        ...

    async def append(self, draft: Draft) -> Transaction:
        """Number, chain, seal, sign and store a draft; return once it is durable. Raises LedgerFull, LedgerRefused."""
        ...

    async def signed_head(self) -> bytes:
        """Return the signed head of the whole ledger (batch.cddl, signed-head)."""
        ...

    async def hash_at(self, seq: int) -> bytes | None:
        """Return h(seq), or None where no such record is kept."""
        ...

    async def cursor(self, uplink: str) -> int:
        """Return the last seq settled with that uplink; 0 at first."""
        ...

    async def read(self, after: int, *, records_max: int, bytes_max: int) -> Sequence[StoredRecord]:
        """Return the records behind seq `after` in order, within both limits (at least one, if there is one)."""
        ...

    async def sign_head_of(self, record: StoredRecord) -> bytes:
        """Return the signed head of the ledger as of that record."""
        ...

    async def settle(self, uplink: str, cursor: int, parked: Sequence[tuple[int, str]]) -> None:
        """Move the uplink's cursor to `cursor` (it may go back) and park (seq, reason) pairs, in one commit."""
        ...

    async def wait_for_records(self, after: int) -> None:
        """Return as soon as there is a record behind seq `after`."""
        ...


class Uplink(Protocol):
    """One way to one platform."""

    @property
    def name(self) -> str:
        """Names its cursor."""
        ...

    async def hello(self, hello: bytes) -> bytes:
        """Send a hello (hello.cddl); return the answer's bytes. Raises PlatformUnreachable, PlatformRejected."""
        ...

    async def send(self, batch: bytes) -> bytes:
        """Send a batch (batch.cddl); return the signed receipt. Raises PlatformUnreachable, PlatformRejected."""
        ...


class ReceiptReader(Protocol):
    """Checks what the platform says against the platform keys of the trust list."""

    def __call__(self, signed: bytes, about: bytes) -> Receipt:
        """Return the receipt about batch or hello `about`. Raises PlatformLied."""
        ...


class Display(Protocol):
    """What people on the spot see. Never called before the ledger's commit returned."""

    async def show(self, decision: Decision, transaction: Transaction) -> None:
        """Show a decision. A client that does not keep up is dropped, never waited for."""
        ...

    async def notice(self, topic: str, text: str) -> None:
        """Show something about the terminal itself (scanner, uplink, alert); never about a person."""
        ...


class TrustStore(Protocol):
    """The verified trust list, policy and revocations, swapped atomically."""

    @property
    def current(self) -> Trust | None:
        """What is trusted now; None before the first trust list."""
        ...
