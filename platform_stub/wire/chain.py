"""A batch held against its signed head: the whole hash chain at once, or record by record where the chain breaks.

h(0) = SHA-256(ledger id); h(n) = SHA-256(0x00 || h(n-1) || n as 8 bytes || envelope n). A chain that ends in the signed
hash proves every envelope in it, even one whose content is no record. Storing and judging is left to ingest.py.
"""

import hashlib
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ed25519

from platform_stub.wire.cose import is_signed_by
from platform_stub.wire.message import Batch, MessageInvalid
from platform_stub.wire.record import RECORD_AAD, Record, RecordMalformed, read_record

MALFORMED = "record.malformed"
BAD_SIGNATURE = "record.signature"


@dataclass(frozen=True, slots=True)
class Item:
    """One envelope of a batch. record is None, and fault says why, where it cannot be used.

    prev: h(seq - 1) where known. proven: the hash is vouched for by a signature of the terminal; only then is it kept.
    """

    seq: int
    hash: bytes
    prev: bytes | None
    envelope: bytes
    record: Record | None
    fault: str | None
    proven: bool = True


@dataclass(frozen=True, slots=True)
class CheckedBatch:
    """What a batch proves. whole: the chain matched the signed head."""

    batch: Batch
    key: ed25519.Ed25519PublicKey
    items: tuple[Item, ...]
    whole: bool

    def has_own_signature(self, item: Item) -> bool:
        """Say whether a record's own signature holds; asked where a record is disputed."""
        return item.record is not None and is_signed_by(self.key, RECORD_AAD, item.record.signed)


def hash_of_nothing(ledger_id: bytes) -> bytes:
    """Return h(0)."""
    return hashlib.sha256(ledger_id).digest()


def hash_of(prev: bytes, seq: int, envelope: bytes) -> bytes:
    """Return h(seq)."""
    return hashlib.sha256(b"\x00" + prev + seq.to_bytes(8, "big") + envelope).digest()


def check_batch(batch: Batch, key: ed25519.Ed25519PublicKey, before: bytes | None) -> CheckedBatch:
    """Check a batch whose head signature holds.

    before: h(first_seq - 1) where the platform holds it; needed only where the first envelope cannot be read.
    Raises MessageInvalid when the envelopes are authentic but not numbered as the batch says.
    """
    records = [_try_read(envelope) for envelope in batch.envelopes]
    if batch.first_seq == 1:
        start: bytes | None = hash_of_nothing(batch.ledger_id)
    else:
        start = records[0].prev if records[0] is not None else before
    if start is not None:
        items = _whole_chain(batch, records, start)
        if (items[-1].seq, items[-1].hash) == (batch.head.seq, batch.head.hash):
            return CheckedBatch(batch, key, items, whole=True)
    return CheckedBatch(batch, key, _singly(batch, key, records, start), whole=False)


def _try_read(envelope: bytes) -> Record | None:
    try:
        return read_record(envelope)
    except RecordMalformed:
        return None


def _whole_chain(batch: Batch, records: list[Record | None], start: bytes) -> tuple[Item, ...]:
    items = []
    prev = start
    for seq, (envelope, record) in enumerate(zip(batch.envelopes, records, strict=True), batch.first_seq):
        hash_ = hash_of(prev, seq, envelope)
        if record is not None and _is_in_place(batch, record, seq) and record.prev == prev:
            items.append(Item(seq, hash_, prev, envelope, record, None))
        else:
            items.append(Item(seq, hash_, prev, envelope, None, MALFORMED))
        prev = hash_
    return tuple(items)


def _is_in_place(batch: Batch, record: Record, seq: int) -> bool:
    fields = record.fields
    return (
        fields[3] == seq
        and fields[1] == batch.terminal
        and fields[2] == batch.ledger_id
        and record.signed.kid == batch.head.signed.kid
        and record.signed.alg == batch.head.signed.alg
    )


def _singly(
    batch: Batch, key: ed25519.Ed25519PublicKey, records: list[Record | None], start: bytes | None
) -> tuple[Item, ...]:
    """Take each record by its own signature. One that fails keeps the hash that its successor or the head names."""
    faults = [_fault_of(batch, key, record, seq) for seq, record in enumerate(records, batch.first_seq)]
    items: list[Item] = []
    prev = start
    for i, (envelope, record, fault) in enumerate(zip(batch.envelopes, records, faults, strict=True)):
        seq = batch.first_seq + i
        if record is not None and fault is None:
            item = Item(seq, hash_of(record.prev, seq, envelope), record.prev, envelope, record, None)
        else:
            named = _hash_named_by_others(batch, records, faults, i)
            hash_ = named if named is not None else hash_of(prev or bytes(32), seq, envelope)
            item = Item(seq, hash_, prev, envelope, None, fault or MALFORMED, proven=named is not None)
        items.append(item)
        prev = item.hash if item.proven else None
    return tuple(items)


def _fault_of(batch: Batch, key: ed25519.Ed25519PublicKey, record: Record | None, seq: int) -> str | None:
    if record is None:
        return MALFORMED
    if not is_signed_by(key, RECORD_AAD, record.signed):
        return BAD_SIGNATURE
    if record.fields[1] != batch.terminal or record.fields[2] != batch.ledger_id or record.fields[3] != seq:
        raise MessageInvalid("batch: an envelope belongs to another ledger or has another number")
    if seq == 1 and record.prev != hash_of_nothing(batch.ledger_id):
        return MALFORMED
    return None


def _hash_named_by_others(batch: Batch, records: list[Record | None], faults: list[str | None], i: int) -> bytes | None:
    if i + 1 < len(records):
        after = records[i + 1]
        return after.prev if after is not None and faults[i + 1] is None else None
    return batch.head.hash if batch.head.seq == batch.first_seq + i else None
