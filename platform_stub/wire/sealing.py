"""Opens what terminals sealed for the platform: data keys (HPKE, RFC 9180) and sealed personal fields (AES-256-GCM).

The law: what was opened stays in memory; nothing here writes, logs or shows it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from platform_stub.keys import key_id, spki_of
from platform_stub.wire import cbor
from platform_stub.wire.fields import Check, octets

INFO = b"scanward-data-key-1"
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_DATA_KEY_BYTES = 32
_FIELDS: dict[int, Check] = {1: octets(32), 2: octets(1, 64), 3: octets(1, 1024)}


class SealBroken(Exception):
    """Sealed for someone else, damaged, or moved from another record. Says nothing of the content."""


@dataclass(frozen=True, slots=True)
class SealedFields:
    """The personal fields of one record."""

    card: bytes | None = field(repr=False)
    token: bytes | None = field(repr=False)
    scan: bytes | None = field(repr=False)


def open_data_key(record: Mapping[int, Any], key: x25519.X25519PrivateKey) -> bytes:
    """Return the data key of a data-key record (record.cddl) wrapped for this key. Raises SealBroken."""
    recipient = key_id(spki_of(key.public_key()))
    wrapped = next((wrapped for kid, wrapped in record[9] if kid == recipient), None)
    if wrapped is None:
        raise SealBroken("not wrapped for this key")
    try:
        data_key = _SUITE.decrypt(wrapped, key, info=INFO + record[2] + record[7])
    except (InvalidTag, ValueError) as error:
        raise SealBroken("the wrap does not open") from error
    if len(data_key) != _DATA_KEY_BYTES:
        raise SealBroken("not a data key")
    return data_key


def open_fields(record: Mapping[int, Any], data_key: bytes) -> SealedFields:
    """Return the sealed fields of a record that has some (record.cddl, 8). Raises SealBroken."""
    nonce, ciphertext = record[8]
    additional = cbor.encode([record[2], record[3], record[5]])
    try:
        fields = cbor.decode(AESGCM(data_key).decrypt(nonce, ciphertext, additional))
    except (InvalidTag, cbor.CborInvalid) as error:
        raise SealBroken("the fields do not open") from error
    if type(fields) is not dict or any(n not in _FIELDS or not _FIELDS[n](value) for n, value in fields.items()):
        raise SealBroken("the fields are not those of the CDDL")
    return SealedFields(fields.get(1), fields.get(2), fields.get(3))
