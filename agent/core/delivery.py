"""Batches out, receipts in, and what each receipt moves (docs/protocol/batch.cddl, hello.cddl).

The law: a cursor moves only on a receipt that a platform key signed, about the batch that was sent, record by record. A
receipt that does not fit is a lie and moves nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from agent.core.commands import COMMAND_BYTES_MAX
from agent.core.formats import cbor
from agent.core.platform_word import REASON, NotThePlatform, is_whole, open_word
from agent.core.time_interval import Interval
from agent.core.transaction import encode
from agent.core.trust_list import Trust

PROTOCOL_VERSION = 1
BATCH_RECORDS_MAX = 200
BATCH_BYTES_MAX = 262_144
BATCH_OVERHEAD_BYTES = 1_024  # what a batch carries beside its envelopes
COMMANDS_MAX = 16
SIGNED_RECEIPT_BYTES_MAX = 16_384
RECEIPT_AAD = b"scanward-receipt-1"


class ReceiptInvalid(Exception):
    """What the platform sent is no receipt for what was asked; the message says why, without its content."""


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as the ledger holds it: hash is h(seq)."""

    seq: int
    envelope: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class SalvagedRun:
    """Consecutive records of a ledger that was set aside, at most one batch. source: the name of its file."""

    source: str
    ledger_id: bytes
    records: tuple[StoredRecord, ...]


class Status(IntEnum):
    """batch.cddl, status."""

    ACCEPTED = 0
    DUPLICATE = 1
    CONFLICT = 2
    REJECTED = 3


_STATUSES = frozenset(int(status) for status in Status)


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


def encode_batch(
    batch_id: bytes, terminal: str, ledger_id: bytes, records: Sequence[StoredRecord], signed_head: bytes
) -> bytes:
    """Return a batch (batch.cddl) of consecutive records; signed_head is the head as of the last of them."""
    return encode(
        {
            1: batch_id,
            2: terminal,
            3: ledger_id,
            4: records[0].seq,
            5: [record.envelope for record in records],
            6: signed_head,
        }
    )


def encode_hello(
    hello_id: bytes, terminal: str, site: str, software: str, ledger_id: bytes, signed_head: bytes, cursor: int
) -> bytes:
    """Return a hello (hello.cddl)."""
    return encode(
        {
            1: hello_id,
            2: terminal,
            3: site,
            4: [PROTOCOL_VERSION],
            5: software,
            6: ledger_id,
            7: signed_head,
            8: cursor,
        }
    )


def decode_hello_answer(answer: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    """Return the signed receipt and the commands of a hello-answer. Raises ReceiptInvalid."""
    try:
        fields = cbor.decode_deterministic(answer)
    except cbor.CborInvalid as error:
        raise ReceiptInvalid("the answer to a hello is not CBOR as agreed") from error
    match fields:
        case {1: 1, 2: bytes(receipt), 3: list(commands), **rest} if not rest:
            if len(receipt) > SIGNED_RECEIPT_BYTES_MAX:
                raise ReceiptInvalid("the receipt in the answer to a hello is too long")
            if len(commands) > COMMANDS_MAX or not all(_is_command(c) for c in commands):
                raise ReceiptInvalid("the answer to a hello carries no list of commands as agreed")
            return receipt, tuple(commands)
    raise ReceiptInvalid("the answer to a hello lacks what was agreed, or speaks another version")


def _is_command(command: object) -> bool:
    return isinstance(command, bytes) and 1 <= len(command) <= COMMAND_BYTES_MAX


def read_receipt(signed: bytes, about: bytes, terminal: str, ledger_id: bytes, trust: Trust, now: Interval) -> Receipt:
    """Return the receipt about batch or hello `about`, if a platform key says so. Raises ReceiptInvalid.

    1. The platform's word under a key with the usage "receipt" (platform_word.py).
    2. The fields are those of batch.cddl, for this terminal, this ledger and this batch or hello.
    """
    # 1
    try:
        fields = open_word(signed, "receipt", RECEIPT_AAD, trust, now)
    except NotThePlatform as error:
        raise ReceiptInvalid(str(error)) from error
    # 2
    return _receipt(fields, about, terminal, ledger_id)


def _receipt(fields: object, about: bytes, terminal: str, ledger_id: bytes) -> Receipt:
    match fields:
        case {
            1: bytes(batch_id),
            2: str(audience),
            3: bytes(ledger),
            4: list(rows),
            5: [int(head_seq), bytes(head_hash)],
            6: int(at_ms),
            **rest,
        } if not rest and is_whole(head_seq, at_ms) and len(head_hash) == 32 and len(rows) <= BATCH_RECORDS_MAX:
            if batch_id != about:
                raise ReceiptInvalid("it is about something else than what was sent")
            if audience != terminal:
                raise ReceiptInvalid("it is for another terminal")
            if ledger != ledger_id:
                raise ReceiptInvalid("it is about another ledger")
            return Receipt(ledger, tuple(_result(row) for row in rows), head_seq, head_hash, at_ms)
    raise ReceiptInvalid("its fields are not those of a receipt")


def _result(row: object) -> Result:
    match row:
        case [int(seq), bytes(hash_), int(status), str(reason)] if (
            is_whole(seq, status) and status in _STATUSES and REASON.fullmatch(reason)
        ):
            return Result(seq, hash_, Status(status), reason)
    raise ReceiptInvalid("a result in it is not as agreed")


def require_results_for(records: Sequence[StoredRecord], receipt: Receipt) -> None:
    """Check that the receipt answers for exactly these records. Raises ReceiptInvalid."""
    if len(receipt.results) != len(records):
        raise ReceiptInvalid("it does not answer for every record that was sent")
    for record, result in zip(records, receipt.results, strict=True):
        if (result.seq, result.hash) != (record.seq, record.hash):
            raise ReceiptInvalid("it answers for a record that was not sent")
