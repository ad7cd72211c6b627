"""What the platform says: signed receipts and answers to a hello (batch.cddl, hello.cddl). Only after the commit."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from cryptography.hazmat.primitives.asymmetric import ed25519

from platform_stub.wire import cbor, cose
from platform_stub.wire.message import PROTOCOL_VERSION

RECEIPT_AAD = "scanward-receipt-1"


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
class ContiguousHead:
    """The end of the prefix the platform holds without a hole; (0, h(0)) when it holds nothing."""

    seq: int
    hash: bytes


def sign_receipt(
    key: ed25519.Ed25519PrivateKey,
    about: bytes,
    terminal: str,
    ledger_id: bytes,
    results: Sequence[Result],
    head: ContiguousHead,
    at_ms: int,
) -> bytes:
    """Return a signed receipt about a batch or hello."""
    rows = [[r.seq, r.hash, int(r.status), r.reason] for r in results]
    payload = cbor.encode({1: about, 2: terminal, 3: ledger_id, 4: rows, 5: [head.seq, head.hash], 6: at_ms})
    return cose.sign(key, RECEIPT_AAD, payload)


def hello_answer(signed_receipt: bytes, commands: Sequence[bytes] = ()) -> bytes:
    """Return the answer to a hello, with the signed commands that wait for the terminal."""
    return cbor.encode({1: PROTOCOL_VERSION, 2: signed_receipt, 3: list(commands)})
