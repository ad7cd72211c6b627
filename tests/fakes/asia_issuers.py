"""Issuers for tests: UIDAI's Secure QR (specification of March 2019) and ICAO's VDS-NC with its authority.

Written from the standards with cryptography alone; people, numbers and names are invented here.
"""

import base64
import gzip
import hashlib
import json
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID, ObjectIdentifier

from fakes.ehc_issuer import es256

REFERENCE = "000120260103101500123"  # four digits of no number, 3 January 2026 10:15:00.123 in India
ISSUED_AT_S = 1_767_415_500
PERSON = (
    "Nobody Invented", "01-02-1990", "T", "C/O Someone Invented", "Test District", "", "1", "", "000000", "Test Office",
    "Test State", "Test Street", "Test Sub-district", "Test Town",
)  # fmt: skip
PHOTO = b"\xff\x4f\xff\x51" + hashlib.shake_256(b"a photo of nobody").digest(900) + b"\xff\xd9"


@cache
def rsa_key(label: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """Return a key for the label, the same for as long as the process lives."""
    return rsa.generate_private_key(65537, bits)


def spki_of(key: Any) -> bytes:
    return bytes(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


class AadhaarIssuer:
    """Makes Secure QR codes of any version."""

    def __init__(self, label: str = "uidai", bits: int = 2048) -> None:
        self.key = rsa_key(label, bits)
        self.kid = hashlib.sha256(spki_of(self.key)).digest()[:8]

    def entry(self, **changed: Any) -> dict[str, Any]:
        spki = base64.b64encode(spki_of(self.key)).decode()
        entry = {"family": "aadhaar", "issuer": "UIDAI", "kid": self.kid.hex(), "alg": "RS256", "spki": spki, **changed}
        return {name: value for name, value in entry.items() if value is not None}

    def sign(self, signed: bytes) -> bytes:
        return self.key.sign(signed, padding.PKCS1v15(), SHA256())

    def content(
        self, version: str = "V2", contacts: str = "3", reference: str = REFERENCE, person: Sequence[str] = PERSON,
        mobile_end: str = "0000", photo: bytes = PHOTO, hashes: bytes | None = None,
    ) -> bytes:  # fmt: skip
        """Return fields, photo, hashes and signature."""
        if hashes is None:
            hashes = bytes(range(32)) * {"1": 1, "2": 1, "3": 2}.get(contacts, 0)
        fields = [contacts, reference, *person]
        if version:
            fields = [version, *fields, mobile_end]
        signed = b"".join(field.encode("iso-8859-1") + b"\xff" for field in fields) + photo + hashes
        return signed + self.sign(signed)

    def code(self, **how: Any) -> str:
        return number_of(gzip.compress(self.content(**how), mtime=0))


def number_of(packed: bytes) -> str:
    """Write bytes as decimal digits, without the interpreter's limit: by hundreds of digits."""
    number, parts = int.from_bytes(packed, "big"), list[str]()
    while number:
        number, part = divmod(number, 10**400)
        parts.append(f"{part:0400d}")
    return "".join(reversed(parts)).lstrip("0")


def zlib_code(content: bytes) -> str:
    return number_of(zlib.compress(content))


START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
PURPOSE = ObjectIdentifier("2.23.136.1.1.14.2")
DOCUMENT_TYPES = ObjectIdentifier("2.23.136.1.1.6.2")
VACCINATION = {
    "hdr": {"t": "icao.vacc", "v": 1, "is": "UTO"},
    "msg": {
        "uvci": "UTO-0000-0001",
        "pid": {"n": "INVENTED  NOBODY", "dob": "1990-02-01", "sex": "X", "i": "U0000001"},
        "ve": [
            {
                "des": "XM68M6",
                "nam": "Test Vaccine",
                "dis": "RA01.0",
                "vd": [{"dvc": "2026-02-01", "seq": 1, "ctr": "UTO", "adm": "Test Clinic", "lot": "T-1"}],
            }
        ],
    },
}
TEST = {
    "hdr": {"t": "icao.test", "v": 1, "is": "UTO"},
    "msg": {
        "utci": "UTO-0000-0002",
        "pid": {"n": "INVENTED  NOBODY", "dob": "1990-02-01"},
        "dat": {"sc": "2026-02-01T08:00:00Z", "ri": "2026-02-01T09:00:00Z"},
        "tr": {"tc": "molecular(PCR)", "r": "negative"},
    },
}


def ec_key(label: str, curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
    seed = int.from_bytes(hashlib.sha256(label.encode()).digest(), "big") >> 1
    return ec.derive_private_key(seed, curve or ec.SECP256R1())


def document_types(*types: str) -> x509.UnrecognizedExtension:
    names = b"".join(bytes((0x13, len(name))) + name.encode() for name in types)
    body = b"\x02\x01\x00\x31" + bytes((len(names),)) + names
    return x509.UnrecognizedExtension(DOCUMENT_TYPES, b"\x30" + bytes((len(body),)) + body)


def key_usage(**granted: bool) -> x509.KeyUsage:
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: granted.get(name, False) for name in names})


class Authority:
    """A country's signing authority, which certifies signers."""

    def __init__(self, label: str = "csca", country: str | None = "UT", key: Any = None, **how: Any) -> None:
        self.key = key or ec_key(label)
        self.name = named(label, country)
        how.setdefault("extensions", ((x509.BasicConstraints(ca=True, path_length=0), True),))
        self.certificate = certificate_of(self.key, self.name, self.key, self.name, **how)

    def certify(self, key: Any, label: str = "signer", country: str | None = "UT", **how: Any) -> bytes:
        """Return a signer's certificate, DER."""
        how.setdefault("extensions", PROFILE)
        return certificate_of(key, named(label, country), self.key, self.name, **how)

    def entry(self, **changed: Any) -> dict[str, Any]:
        return entry_of(self.certificate, **changed)


PROFILE = (
    (x509.ExtendedKeyUsage([PURPOSE]), True),
    (document_types("NV", "NT"), False),
    (key_usage(digital_signature=True), True),
)


def named(label: str, country: str | None) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COUNTRY_NAME, country)] if country else []
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, label)])


def certificate_of(
    key: Any, name: x509.Name, authority_key: Any, authority: x509.Name, *, start: datetime = START,
    end: datetime = END, extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> bytes:  # fmt: skip
    builder = x509.CertificateBuilder(authority, name, key.public_key(), x509.random_serial_number(), start, end)
    for extension, is_critical in extensions:
        builder = builder.add_extension(extension, is_critical)
    return builder.sign(authority_key, SHA256()).public_bytes(Encoding.DER)


def entry_of(certificate: bytes, **changed: Any) -> dict[str, Any]:
    kid = hashlib.sha256(certificate).digest()[:8].hex()
    x5c = [base64.b64encode(certificate).decode()]
    entry = {"family": "vds-nc", "issuer": "UTO", "kid": kid, "alg": "ES256", "x5c": x5c, **changed}
    return {name: value for name, value in entry.items() if value is not None}


def canonical(data: Any) -> bytes:
    """RFC 8785 for names of plain letters and values without floats."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode()


def seal(key: Any, certificate: bytes, data: Any = VACCINATION, **changed: Any) -> dict[str, Any]:
    """Return a seal as an object; changed: of its sig."""
    signature = base64url(es256(key, canonical(data)))
    return {"data": data, "sig": {"alg": "ES256", "cer": base64url(certificate), "sigvl": signature, **changed}}
