"""A platform in memory that speaks the real protocol, with the troubles a network and a platform can have.

Written from docs/protocol alone; it checks chain and head, keeps what it was sent, and signs receipts.
"""

import hashlib
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import cbor2
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.ports import PlatformRejected, PlatformUnreachable


def key_id(key: Ed25519PrivateKey) -> bytes:
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).digest()[:8]


def sign(key: Ed25519PrivateKey, aad: str, fields: object) -> bytes:
    protected = cbor2.dumps({1: -8, 4: key_id(key)}, canonical=True)
    payload = cbor2.dumps(fields, canonical=True)
    message = cbor2.dumps(["Signature1", protected, aad.encode(), payload], canonical=True)
    return cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, key.sign(message)]))


def payload_of(signed: bytes) -> dict:
    return cbor2.loads(cbor2.loads(signed).value[2])


@dataclass
class FakePlatform:
    """Implements ports.Uplink. `troubles` yields, call by call, what goes wrong: an exception to raise before anything
    happens, "lost" to take the batch and lose the answer, "forged" to sign with a stranger's key, or None.
    """

    key: Ed25519PrivateKey
    name: str = "http"
    troubles: Iterable[object] = ()
    poison: Callable[[int], bool] = lambda seq: False
    rejects: Callable[[int], bool] = lambda seq: False
    conflicts: Callable[[int], bool] = lambda seq: False
    records: dict[int, bytes] = field(default_factory=dict)  # seq -> hash
    ledger_id: bytes = b""
    terminal: str = ""
    times_received: dict[int, int] = field(default_factory=dict)
    batches: int = 0
    hellos: int = 0

    def __post_init__(self) -> None:
        self._troubles = iter(self.troubles)

    async def hello(self, hello: bytes) -> bytes:
        self.hellos += 1
        trouble = self._trouble()
        fields = cbor2.loads(hello)
        self.terminal, self.ledger_id = fields[2], fields[6]
        receipt = self._receipt(fields[1], [], forged=trouble == "forged")
        if trouble == "lost":
            raise PlatformUnreachable("answer lost")
        return cbor2.dumps({1: 1, 2: receipt, 3: []}, canonical=True)

    async def send(self, batch: bytes) -> bytes:
        self.batches += 1
        trouble = self._trouble()
        fields = cbor2.loads(batch)
        assert len(batch) <= 262_144
        assert fields[2] == self.terminal
        assert fields[3] == self.ledger_id
        first, envelopes = fields[4], fields[5]
        assert 1 <= len(envelopes) <= 200
        if any(self.poison(first + i) for i in range(len(envelopes))):
            raise PlatformRejected("422 cannot digest this", whole=False)
        head = payload_of(envelopes[0])[4]
        results = []
        for seq, envelope in enumerate(envelopes, first):
            assert payload_of(envelope)[4] == head, "the chain is broken"
            head = hashlib.sha256(b"\0" + head + struct.pack(">Q", seq) + envelope).digest()
            results.append(self._take(seq, head))
        signed_head = payload_of(fields[6])
        assert signed_head[3] == first + len(envelopes) - 1
        assert signed_head[4] == head
        if trouble == "lost":
            raise PlatformUnreachable("answer lost")
        return self._receipt(fields[1], results, forged=trouble == "forged")

    @property
    def contiguous(self) -> int:
        seq = 0
        while seq + 1 in self.records:
            seq += 1
        return seq

    def _take(self, seq: int, head: bytes) -> list:
        self.times_received[seq] = self.times_received.get(seq, 0) + 1
        known = self.records.get(seq)
        self.records[seq] = head
        if known == head:
            return [seq, head, 1, "ok"]
        if self.rejects(seq):
            return [seq, head, 3, "record.malformed"]
        if known is not None or self.conflicts(seq):
            return [seq, head, 2, "replay.used-elsewhere"]
        return [seq, head, 0, "ok"]

    def _trouble(self) -> object:
        trouble = next(self._troubles, None)
        if isinstance(trouble, Exception):
            raise trouble
        return trouble

    def _receipt(self, about: bytes, results: list, *, forged: bool) -> bytes:
        seq = self.contiguous
        head = self.records[seq] if seq else hashlib.sha256(self.ledger_id).digest()
        key = Ed25519PrivateKey.generate() if forged else self.key
        fields = {1: about, 2: self.terminal, 3: self.ledger_id, 4: results, 5: [seq, head], 6: 1_800_000_000_000}
        return sign(key, "scanward-receipt-1", fields)
