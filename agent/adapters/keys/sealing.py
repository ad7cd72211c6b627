"""Data keys for personal fields: AES-256-GCM in memory only, wrapped for its recipients by HPKE (record.cddl, kind 6).

The law: the key itself is never written anywhere; without a recipient's private key nobody opens what it sealed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from agent.adapters.keys.public_keys import read_public_key
from agent.core.transaction import RECIPIENTS_MAX, Recipient
from agent.ports import Randomness

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)  # RFC 9180: 0x0020, 0x0001, 0x0002
_INFO = b"scanward-data-key-1"
_WRAPPED_BYTES = 80  # enc 32 || ciphertext 32 || tag 16


@dataclass(frozen=True, slots=True)
class SealingKey:
    """A data key in memory (core DataKey)."""

    _aead: AESGCM = field(repr=False)
    epoch: bytes
    wraps: tuple[tuple[bytes, bytes], ...]

    def seal(self, nonce: bytes, plaintext: bytes, additional: bytes) -> bytes:
        """Return ciphertext and tag. The caller never uses a nonce twice."""
        return self._aead.encrypt(nonce, plaintext, additional)


def new_data_key(recipients: Sequence[Recipient], ledger_id: bytes, randomness: Randomness) -> SealingKey:
    """Make a data key and wrap it for each recipient. Raises ValueError where one of them is no X25519 key."""
    if not 1 <= len(recipients) <= RECIPIENTS_MAX:
        raise ValueError(f"a data key is wrapped for 1 to {RECIPIENTS_MAX} recipients, not {len(recipients)}")
    key, epoch = randomness.bytes(32), randomness.bytes(8)
    wraps = tuple((r.key_id, _wrap(key, r, _INFO + ledger_id + epoch)) for r in recipients)
    return SealingKey(AESGCM(key), epoch, wraps)


def _wrap(key: bytes, recipient: Recipient, info: bytes) -> bytes:
    public = read_public_key(recipient.spki)
    if not isinstance(public, X25519PublicKey):
        raise ValueError(f"the sealing key {recipient.key_id.hex()} is not X25519")
    wrapped = _SUITE.encrypt(key, public, info=info)
    if len(wrapped) != _WRAPPED_BYTES:
        raise RuntimeError("HPKE gave a wrap of another layout than enc || ct")
    return wrapped
