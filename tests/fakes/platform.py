"""A platform in memory that speaks the real protocol, with the troubles a network and a platform can have.

Written from docs/protocol alone; it checks chain and head, keeps what it was sent, and signs receipts.
"""

import asyncio
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
    kind: str = "http"
    troubles: Iterable[object] = ()
    poison: Callable[[int], bool] = lambda seq: False
    rejects: Callable[[int], bool] = lambda seq: False
    conflicts: Callable[[int], bool] = lambda seq: False
    trouble_of: Callable[[bytes], object] = lambda ledger_id: None  # by ledger id, for its batches
    delay_s: float = 0.0  # how long a batch takes
    records: dict[int, bytes] = field(default_factory=dict)  # of the first ledger that said hello: seq -> hash
    ledger_id: bytes = b""  # that first ledger
    terminal: str = ""
    times_received: dict[object, int] = field(default_factory=dict)  # by seq; of other ledgers by (ledger id, seq)
    others: dict[bytes, dict[int, bytes]] = field(default_factory=dict)  # other ledgers of the terminal: seq -> hash
    forks: list[tuple[bytes, int, bytes]] = field(default_factory=list)  # kept beside what came first
    batch_order: list[tuple[bytes, int, int]] = field(default_factory=list)  # ledger id, first seq, count: as sent
    greeted: list[bytes] = field(default_factory=list)
    batches: int = 0
    hellos: int = 0
    distrusted: list[bytes] = field(default_factory=list)  # answers that the terminal said were not the platform's
    statuses: list[dict] = field(default_factory=list)  # payloads; the signatures are other tests' business
    answers: list[dict] = field(default_factory=list)
    commands: list[bytes] = field(default_factory=list)  # signed, handed over with each hello

    def __post_init__(self) -> None:
        self._troubles = iter(self.troubles)

    async def hello(self, hello: bytes) -> bytes:
        self.hellos += 1
        trouble = self._trouble()
        fields = cbor2.loads(hello)
        self.terminal = fields[2]
        self.ledger_id = self.ledger_id or fields[6]
        self.greeted.append(fields[6])
        receipt = self._receipt(fields[1], fields[6], [], forged=trouble == "forged")
        if trouble == "lost":
            raise PlatformUnreachable("answer lost")
        return cbor2.dumps({1: 1, 2: receipt, 3: self.commands}, canonical=True)

    async def send(self, batch: bytes) -> bytes:
        self.batches += 1
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        fields = cbor2.loads(batch)
        self.batch_order.append((fields[3], fields[4], len(fields[5])))
        trouble = self._trouble(self.trouble_of(fields[3]))
        assert len(batch) <= 262_144
        assert fields[2] == self.terminal
        ledger_id, first, envelopes = fields[3], fields[4], fields[5]
        assert 1 <= len(envelopes) <= 200
        if any(self.poison(first + i) for i in range(len(envelopes))):
            raise PlatformRejected("422 cannot digest this", whole=False)
        head = payload_of(envelopes[0])[4]
        results = []
        for seq, envelope in enumerate(envelopes, first):
            record = payload_of(envelope)
            assert (record[1], record[2], record[3]) == (self.terminal, ledger_id, seq)
            assert record[4] == head, "the chain is broken"
            head = hashlib.sha256(b"\0" + head + struct.pack(">Q", seq) + envelope).digest()
            results.append(self._take(ledger_id, seq, head))
        signed_head = payload_of(fields[6])
        assert signed_head == {1: self.terminal, 2: ledger_id, 3: first + len(envelopes) - 1, 4: head}
        if trouble == "lost":
            raise PlatformUnreachable("answer lost")
        return self._receipt(fields[1], ledger_id, results, forged=trouble == "forged")

    def distrust(self, answer: bytes) -> None:
        self.distrusted.append(answer)

    async def tell_status(self, status: bytes) -> None:
        self.statuses.append(payload_of(status))

    async def tell_answer(self, answer: bytes) -> None:
        self.answers.append(payload_of(answer))

    def held(self, ledger_id: bytes) -> dict[int, bytes]:
        return self.records if ledger_id == self.ledger_id else self.others.setdefault(ledger_id, {})

    def _take(self, ledger_id: bytes, seq: int, head: bytes) -> list:
        name = seq if ledger_id == self.ledger_id else (ledger_id, seq)
        self.times_received[name] = self.times_received.get(name, 0) + 1
        held = self.held(ledger_id)
        known = held.get(seq)
        if known == head and self.rejects(seq):
            return [seq, head, 3, "record.malformed"]  # said again, as long as it is asked
        if known == head:
            return [seq, head, 1, "ok"]
        if known is not None:
            self.forks.append((ledger_id, seq, head))
            return [seq, head, 2, "ledger.fork"]
        held[seq] = head
        if self.rejects(seq):
            return [seq, head, 3, "record.malformed"]
        if self.conflicts(seq):
            return [seq, head, 2, "replay.used-elsewhere"]
        return [seq, head, 0, "ok"]

    def _trouble(self, trouble: object = None) -> object:
        trouble = trouble or next(self._troubles, None)
        if isinstance(trouble, Exception):
            raise trouble
        return trouble

    def _receipt(self, about: bytes, ledger_id: bytes, results: list, *, forged: bool) -> bytes:
        held, seq = self.held(ledger_id), 0
        while seq + 1 in held:
            seq += 1
        head = held[seq] if seq else hashlib.sha256(ledger_id).digest()
        key = Ed25519PrivateKey.generate() if forged else self.key
        fields = {1: about, 2: self.terminal, 3: ledger_id, 4: results, 5: [seq, head], 6: 1_800_000_000_000}
        return sign(key, "scanward-receipt-1", fields)
