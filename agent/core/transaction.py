"""From a decision to a durable record: draft, number, chain, seal, sign. Pure: keys and nonces are passed in.

The formats are docs/protocol/record.cddl and batch.cddl; the stored bytes are what is sent. When a record may be
numbered, and what becomes of a number whose commit fails, is the ledger's business.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from typing import Protocol

import cbor2

from agent.core.decision import Decision, ReplayClaim
from agent.core.formats import cose
from agent.core.scan import Scan
from agent.core.time_interval import Interval, Stamp
from agent.core.trust_list import X25519_SPKI_HEAD, Trust
from agent.core.verdict import Claims, Outcome

RECORD_AAD = b"scanward-record-1"
HEAD_AAD = b"scanward-head-1"
ENVELOPE_BYTES_MAX = 8_192  # batch.cddl, envelopes
RECIPIENTS_MAX = 4  # record.cddl, data-key-record
SEALED_TEXT_BYTES_MAX = 1_024
SEALED_TOKEN_BYTES_MAX = 64
ISSUER_BYTES_MAX = 32
UNCHECKED_MAX = 8

_EDDSA = -8
_SCOPE_TERMINAL = 0  # record.cddl, replay-scope: single use is enforced by this terminal alone, so far
_SCOPE_PLATFORM = 2  # by the platform, which was asked and used the code up
_VERDICTS = {Outcome.VERIFIED: 0, Outcome.UNVERIFIABLE: 1, Outcome.REFUSED: 2}
_VERIFIED_ONLINE = 3


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


@dataclass(frozen=True, slots=True)
class Chain:
    """Where a ledger stands: whose it is, its last seq (0 when empty) and h(seq)."""

    terminal: str
    ledger_id: bytes
    seq: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Sealed:
    """Sealed fields: the epoch of the data key, the nonce, ciphertext and tag (record.cddl, sealed)."""

    epoch: bytes
    nonce: bytes
    ciphertext: bytes


def draft_decision(scan: Scan, decision: Decision, trust: Trust | None) -> Draft:
    """Draft the record of one decision (record.cddl, decision-record), stamped with the scan's instant."""
    verdict, claims = decision.verdict, decision.verdict.claims
    is_online = verdict.proof == "online"
    body: dict[int, object] = {
        10: decision.step,
        11: int(decision.answer),
        12: decision.reason,
        13: _VERIFIED_ONLINE if is_online else _VERDICTS[verdict.outcome],
        14: verdict.reason,
        15: verdict.family,
        23: scan.scanner,
    }
    if claims.type is not None:
        body[16] = int(claims.type)
    if verdict.attempt_id is not None:
        body[28] = verdict.attempt_id
    # Only a signed issuer is written in clear: what an unsigned or forged code calls its issuer may be anything,
    # somebody's document number too. One of a length the format has no room for is left out, never cut.
    issuer = claims.issuer if verdict.proof == "signature" else None
    if issuer is not None and 1 <= len(issuer.encode()) <= ISSUER_BYTES_MAX:
        body[17] = issuer
    if decision.claim is not None:
        body[18] = decision.claim.replay_id
        body[19] = _SCOPE_PLATFORM if is_online else _SCOPE_TERMINAL
    if trust is not None:
        body[20] = [trust.trust_list.version, trust.age_s(scan.at.now)]
    if verdict.unchecked:
        body[21] = list(verdict.unchecked[:UNCHECKED_MAX])
    if claims.item is not None:
        body[22] = [claims.item]
    return Draft(
        Kind.DECISION,
        scan.at,
        body,
        sealed_fields=_sealed_fields(claims),
        recipients=_recipients(trust, scan.at.now),
        claim=decision.claim,
        provisional=decision.is_provisional,
    )


def draft_data_key(at: Stamp, key: DataKey) -> Draft:
    """Draft the record that carries a data key to its recipients (record.cddl, data-key-record)."""
    return Draft(Kind.DATA_KEY, at, {7: key.epoch, 9: [list(wrap) for wrap in key.wraps]})


def empty_chain(terminal: str, ledger_id: bytes) -> Chain:
    """Return the chain of a ledger without records: h(0) = SHA-256(ledger id)."""
    return Chain(terminal, ledger_id, 0, hashlib.sha256(ledger_id).digest())


def link(previous: bytes, seq: int, envelope: bytes) -> bytes:
    """Return h(seq) = SHA-256(0x00 || h(seq-1) || seq as 8 bytes big-endian || envelope)."""
    return hashlib.sha256(b"\x00" + previous + seq.to_bytes(8) + envelope).digest()


def seal(draft: Draft, chain: Chain, key: DataKey, nonce: bytes) -> Sealed | None:
    """Seal a draft's personal fields for the number it is about to get; None where it has none."""
    if draft.sealed_fields is None:
        return None
    additional = encode([chain.ledger_id, chain.seq + 1, int(draft.kind)])
    return Sealed(key.epoch, nonce, key.seal(nonce, draft.sealed_fields, additional))


def extend(chain: Chain, draft: Draft, sealed: Sealed | None, signer: Signer) -> tuple[bytes, Chain]:
    """Give a draft the next number and sign it; return its envelope and where the chain then stands.

    Raises ValueError where the record is larger than the protocol carries.
    """
    seq, at = chain.seq + 1, draft.at
    record: dict[int, object] = {
        1: chain.terminal,
        2: chain.ledger_id,
        3: seq,
        4: chain.hash,
        5: int(draft.kind),
        6: [at.boot_id, at.raw_ms, at.now.earliest_ms, at.now.latest_ms, at.source],
        **draft.body,
    }
    if sealed is not None:
        record[7] = sealed.epoch
        record[8] = [sealed.nonce, sealed.ciphertext]
    envelope = sign1(signer, RECORD_AAD, encode(record))
    if len(envelope) > ENVELOPE_BYTES_MAX:
        raise ValueError(f"a record of {len(envelope)} bytes; at most {ENVELOPE_BYTES_MAX} can be sent")
    return envelope, Chain(chain.terminal, chain.ledger_id, seq, link(chain.hash, seq, envelope))


def sign_head(chain: Chain, signer: Signer) -> bytes:
    """Return the signed head of a chain (batch.cddl, signed-head)."""
    return sign1(signer, HEAD_AAD, encode({1: chain.terminal, 2: chain.ledger_id, 3: chain.seq, 4: chain.hash}))


def sign1(signer: Signer, external_aad: bytes, payload: bytes) -> bytes:
    """Return a tagged COSE_Sign1 (RFC 9052 §4.2) with alg and kid in the protected header, as cose.cddl asks."""
    protected = _protected_header(signer.key_id)
    return cose.encode_sign1(protected, payload, signer.sign(cose.sig_structure(protected, external_aad, payload)))


def record_of(envelope: bytes) -> dict[int, object]:
    """Return the fields of an envelope of our own, without checking its signature. Raises ValueError on anything else.

    For the ledger's own upkeep (is this row whole, which one-time code did it use up); nobody is believed by it.
    """
    try:
        outer = cbor2.loads(envelope)
        record = cbor2.loads(outer.value[2])
    except (cbor2.CBORError, AttributeError, TypeError, IndexError, KeyError) as error:
        raise ValueError("not the envelope of a record") from error
    if not isinstance(record, dict):
        raise ValueError("not the envelope of a record")
    return record


def encode(value: object) -> bytes:
    """Return deterministic CBOR (RFC 8949 §4.2.1) of a value, or of a map of such whose keys are unsigned integers.

    Ascending unsigned integers are in order by the rules of RFC 8949 and of RFC 7049 alike, so for the maps of the
    protocol, which are flat, this gives what cbor2's `canonical` does, in half the time.
    """
    return cbor2.dumps(dict(sorted(value.items())) if isinstance(value, dict) else value)


@lru_cache(maxsize=4)
def _protected_header(key_id: bytes) -> bytes:
    return encode({1: _EDDSA, 4: key_id})


def _sealed_fields(claims: Claims) -> bytes | None:
    fields: dict[int, bytes] = {}
    if claims.card is not None:
        fields[1] = claims.card
    if claims.token is not None:
        fields[2] = claims.token[:SEALED_TOKEN_BYTES_MAX]
    if claims.text is not None:
        fields[3] = claims.text[:SEALED_TEXT_BYTES_MAX]
    fields = {number: value for number, value in fields.items() if value}
    return encode(fields) if fields else None


def _recipients(trust: Trust | None, now: Interval) -> tuple[Recipient, ...]:
    """Return the platform's keys for sealing, in the order of their ids; none expired, revoked or unusable."""
    if trust is None:
        return ()
    keys = (
        key
        for key in trust.trust_list.with_usage("platform", "seal")
        if len(key.spki) == len(X25519_SPKI_HEAD) + 32
        and key.spki.startswith(X25519_SPKI_HEAD)
        and not now.is_certainly_after(key.not_after_s * 1000)
        and not now.is_certainly_before(key.not_before_s * 1000)
        and not (trust.revoked is not None and trust.revoked.has_kid("platform", key.key_id))
    )
    chosen = sorted((Recipient(key.key_id, key.spki) for key in keys), key=lambda recipient: recipient.key_id)
    return tuple(chosen[:RECIPIENTS_MAX])
