"""Batches out, receipts in, what each receipt moves, and when to try again (docs/protocol/batch.cddl, hello.cddl)."""

from dataclasses import dataclass
from enum import IntEnum


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as the ledger holds it: hash is h(seq)."""

    seq: int
    envelope: bytes
    hash: bytes


class Status(IntEnum):
    """batch.cddl, status."""

    ACCEPTED = 0
    DUPLICATE = 1
    CONFLICT = 2
    REJECTED = 3


@dataclass(frozen=True, slots=True)
class Result:
    """What the platform says of one record."""

    seq: int
    hash: bytes
    status: Status
    reason: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """A verified receipt. head: (seq, hash) of the contiguous prefix the platform holds."""

    ledger_id: bytes
    results: tuple[Result, ...]
    head_seq: int
    head_hash: bytes
    at_ms: int
