"""From a decision to a durable record: draft, number, chain, seal, sign. Pure: keys and nonces are passed in.

The formats are docs/protocol/record.cddl and batch.cddl; the stored bytes are what is sent.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

from agent.core.decision import ReplayClaim
from agent.core.time_interval import Stamp


class Kind(IntEnum):
    """record.cddl: 5, kind."""

    DECISION = 0
    REQUEST = 1
    ATTEMPT = 2
    ANCHOR = 3
    AUDIT = 4
    COMMAND = 5
    DATA_KEY = 6


class Signer(Protocol):
    """The terminal's signing key (Ed25519)."""

    @property
    def key_id(self) -> bytes:
        """8 bytes (cose.cddl, kid)."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return a 64-byte signature."""
        ...


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who may open sealed fields: key id (8 bytes) and the DER SubjectPublicKeyInfo of an X25519 key."""

    key_id: bytes
    spki: bytes


class DataKey(Protocol):
    """A data key in memory. One epoch, wrapped once for each of its recipients."""

    @property
    def epoch(self) -> bytes:
        """8 bytes."""
        ...

    @property
    def wraps(self) -> tuple[tuple[bytes, bytes], ...]:
        """(recipient key id, wrapped key of 80 bytes) for each recipient (record.cddl, data-key-record)."""
        ...

    def seal(self, nonce: bytes, plaintext: bytes, additional: bytes) -> bytes:
        """Return AES-256-GCM ciphertext and tag under a 12-byte nonce that is never used again."""
        ...


@dataclass(frozen=True, slots=True)
class Draft:
    """A record before it has a number.

    body: the fields of its kind by number (record.cddl: 10 and up). sealed_fields: deterministic CBOR of sealed-fields,
    or None. recipients: for whom they are sealed; without any, they are not stored at all.
    claim: the one-time code this record uses up. provisional: counts against the offline limits until settled.
    """

    kind: Kind
    at: Stamp
    body: Mapping[int, object]
    sealed_fields: bytes | None = field(default=None, repr=False)
    recipients: tuple[Recipient, ...] = ()
    claim: ReplayClaim | None = None
    provisional: bool = False


@dataclass(frozen=True, slots=True)
class Transaction:
    """A durable record: its identity within the ledger, and h(seq)."""

    ledger_id: bytes
    seq: int
    hash: bytes
