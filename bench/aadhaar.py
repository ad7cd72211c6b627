"""What recognising and verifying an Aadhaar Secure QR code costs beside the bare RSA-2048 check, one core, in one run.

The code is of the usual size, with a photo. They take turns call by call; the medians are compared.
"""

import hashlib

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.core.codes import recognise
from agent.core.formats.long_number import bytes_of
from agent.core.verification import verify
from bench.line import Line
from bench.turns import ratio
from bench.verifying import NOW, trusting
from conformance.material import spki_entry
from fuzz.judging import scan_of
from fuzz.layers import aadhaar_text

VERIFY_RATIO_MAX = 3.0
PHOTO_BYTES = 800


def lines() -> list[Line]:
    """Measure the whole, and the digits alone."""
    key = rsa.generate_private_key(65537, 2048)
    public_key, scheme, digest = key.public_key(), padding.PKCS1v15(), SHA256()
    photo = hashlib.shake_256(b"a photo of nobody").digest(PHOTO_BYTES)
    address = ("C/O Invented", "District", "", "1", "Location", "000000", "Office", "State", "Street", "Sub", "Town")
    fields = ("V2", "3", "000020260103101500123", "Nobody Invented", "01-02-1990", "X", *address, "0000")
    signed = b"".join(field.encode() + b"\xff" for field in fields) + photo + bytes(range(64))
    signature = key.sign(signed, scheme, digest)
    text = aadhaar_text(signed + signature)
    spki = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    scan, trust = scan_of(text.encode()), trusting(spki_entry("aadhaar", "UIDAI", b"\x01", "RS256", spki))
    assert verify(recognise(scan), trust, NOW).reason == "ok"

    def bare() -> None:
        public_key.verify(signature, signed, scheme, digest)

    name = f"Aadhaar of {len(text)} digits"
    return [
        ratio(f"{name}, recognise and verify / bare check", bare, lambda: verify(recognise(scan), trust, NOW),
              VERIFY_RATIO_MAX),
        ratio(f"{name}, digits to bytes / bare check", bare, lambda: bytes_of(text), VERIFY_RATIO_MAX),
    ]  # fmt: skip
