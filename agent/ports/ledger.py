"""The durable record, the small values beside it, and the records a person must look at."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from agent.core.delivery import SalvagedRun, StoredRecord
from agent.core.transaction import Draft, Transaction
from agent.ports.troubles import LedgerOvertaken


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

    async def first_seq(self) -> int:
        """Return the seq behind the last one pruned: from there on nothing is missing; 1 in a ledger never pruned."""
        ...

    async def cursor(self, uplink: str) -> int:
        """Return the last seq settled with that uplink; 0 at first."""
        ...

    async def read(self, after: int, *, records_max: int, bytes_max: int) -> Sequence[StoredRecord]:
        """Return the records behind seq `after` in order, within both limits (at least one, if there is one)."""
        ...

    async def sign_head_of(self, record: StoredRecord, *, ledger_id: bytes | None = None) -> bytes:
        """Return the signed head of the ledger as of that record; ledger_id: of an earlier ledger of this terminal."""
        ...

    async def settle(
        self, uplink: str, cursor: int, parked: Sequence[tuple[int, str]], *, resent: Sequence[int] = ()
    ) -> None:
        """Move the uplink's cursor to `cursor` (it may go back) and park (seq, reason) pairs, in one commit.

        resent: records of `resend` that are answered; those parked again are in `parked` as well.
        """
        ...

    async def resend(self, uplink: str) -> Sequence[StoredRecord]:
        """Return the parked records a person wants sent again, at most 200, not consecutive: one batch for each."""
        ...

    async def salvaged(self, uplink: str, *, records_max: int, bytes_max: int) -> SalvagedRun | None:
        """Return the next consecutive records of a ledger set aside that this uplink has not settled, if any."""
        ...

    async def settle_salvaged(self, uplink: str, run: SalvagedRun, parked: Sequence[tuple[int, str]]) -> None:
        """Move the uplink's cursor in those records behind the run and park (seq, reason) pairs, in one commit.

        What all uplinks have settled is deleted. Raises LedgerFull: then the run is still waiting.
        """
        ...

    async def wait_for_records(self, after: int) -> None:
        """Return as soon as there is a record behind seq `after`."""
        ...

    async def begin_anew(self, overtaken: LedgerOvertaken) -> None:
        """Set the ledger aside and go on in a new one, with a new id, that salvages what is not delivered.

        Appends given before finish in the old one, later ones wait for the new one. Raises LedgerUnusable where nothing
        was changed, LedgerBroken where the next start must see to it.
        """
        ...


class NamedValues(Protocol):
    """Small durable values beside the ledger's records. Both may raise LedgerBroken; `set` may raise LedgerFull."""

    async def get(self, name: str) -> bytes | None:
        """Return a value, or None where it was never set."""
        ...

    async def set(self, name: str, value: bytes) -> None:
        """Set a value; return once it is durable. Raises LedgerFull: then nothing was written."""
        ...


@dataclass(frozen=True, slots=True)
class ParkedRecord:
    """A live record that a platform rejected. at_ms: the latest instant of its stamp; None while that is unbounded."""

    uplink: str
    seq: int
    reason: str
    at_ms: int | None


class ParkedRecords(Protocol):
    """What a platform rejected, for a person to look at. Both may raise LedgerBroken."""

    async def parked(self, records_max: int) -> tuple[int, Sequence[ParkedRecord]]:
        """Return how many records are parked, and the first of them."""
        ...

    async def retry_parked(self, seq: int) -> bool:
        """Have a parked record sent again after the next hello; False where it is not parked. Raises LedgerFull."""
        ...
