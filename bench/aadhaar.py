"""What recognising and verifying an Aadhaar Secure QR code costs beside the bare RSA-2048 check, one core, in one run.

The code is of the usual size, with a photo. They take turns call by call; the medians are compared.
"""

import base64
import gzip
import hashlib
import json

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.adapters.keys.verification import build_key
from agent.core.codes import recognise
from agent.core.formats.long_number import bytes_of
from agent.core.scan import Scan
from agent.core.time_interval import Interval, Stamp
from agent.core.trust_entries import parse_trust_list
from agent.core.trust_list import Trust
from agent.core.verification import verify
from bench.line import Line
from bench.turns import ratio

VERIFY_RATIO_MAX = 3.0
PHOTO_BYTES = 800
NOW_S = 1_800_000_000
NOW = Interval(NOW_S * 1000 - 2000, NOW_S * 1000 + 2000)


def lines() -> list[Line]:
    """Measure the whole, and the digits alone."""
    key = rsa.generate_private_key(65537, 2048)
    public_key, scheme, digest = key.public_key(), padding.PKCS1v15(), SHA256()
    photo = hashlib.shake_256(b"a photo of nobody").digest(PHOTO_BYTES)
    address = ("C/O Invented", "District", "", "1", "Location", "000000", "Office", "State", "Street", "Sub", "Town")
    fields = ("V2", "3", "000020260103101500123", "Nobody Invented", "01-02-1990", "X", *address, "0000")
    signed = b"".join(field.encode() + b"\xff" for field in fields) + photo + bytes(range(64))
    signature = key.sign(signed, scheme, digest)
    text = _digits(gzip.compress(signed + signature, mtime=0))
    scan, trust = Scan(text.encode(), "bench", Stamp(bytes(16), 0, NOW, "os")), _trust(public_key)
    assert verify(recognise(scan), trust, NOW).reason == "ok"

    def bare() -> None:
        public_key.verify(signature, signed, scheme, digest)

    name = f"Aadhaar of {len(text)} digits"
    return [
        ratio(f"{name}, recognise and verify / bare check", bare, lambda: verify(recognise(scan), trust, NOW),
              VERIFY_RATIO_MAX),
        ratio(f"{name}, digits to bytes / bare check", bare, lambda: bytes_of(text), VERIFY_RATIO_MAX),
    ]  # fmt: skip


def _digits(packed: bytes) -> str:
    number, parts = int.from_bytes(packed, "big"), list[str]()
    while number:
        number, part = divmod(number, 10**400)
        parts.append(f"{part:0400d}")
    return "".join(reversed(parts)).lstrip("0")


def _trust(key: rsa.RSAPublicKey) -> Trust:
    spki = base64.b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    entry = {
        "family": "aadhaar",
        "issuer": "UIDAI",
        "kid": "01",
        "alg": "RS256",
        "spki": spki,
    }
    file = {"format": "scanward-trust-list-1", "version": 1, "issued_at": "2026-11-21T08:00:00Z", "keys": [entry]}
    return Trust(parse_trust_list(json.dumps(file).encode(), build_key), None, None, None)
