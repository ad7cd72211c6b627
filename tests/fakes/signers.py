"""Invented authorities and signers: their X.509 certificates, good ones and such as real countries have published."""

import base64
import hashlib
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SERIAL = 0x7F11223344556677
TEST, VACCINATION, RECOVERY = (f"1.3.6.1.4.1.1847.2021.1.{number}" for number in (1, 2, 3))
VACCINATION_WITH_ZERO = "1.3.6.1.4.1.0.1847.2021.1.2"  # as some countries wrote it


def ec_key(label, curve=None):
    """Return the private key of a label, always the same."""
    secret = int.from_bytes(hashlib.sha512(b"signer" + label.encode()).digest(), "big") % (ORDER - 1) + 1
    return ec.derive_private_key(secret, curve or ec.SECP256R1())


def rsa_key(bits=2048):
    return rsa.generate_private_key(65_537, bits)


def spki_of(key):
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def certificate(
    key, *, country="XA", usages=(), authority=None, is_authority=False, begins=2026, ends=2036, hash_alg=None
):
    """Return a certificate's DER. authority: (key, country) of whoever signs; otherwise the key signs itself."""
    signer, named = authority or (key, country)

    def name(code, what):
        return x509.Name([
            x509.NameAttribute(NameOID.COUNTRY_NAME, code), x509.NameAttribute(NameOID.COMMON_NAME, what),
        ])  # fmt: skip

    builder = (
        x509.CertificateBuilder()
        .subject_name(name(country, "Invented authority" if is_authority else "Invented signer"))
        .issuer_name(name(named, "Invented authority" if authority or is_authority else "Invented signer"))
        .public_key(key.public_key())
        .serial_number(SERIAL)
        .not_valid_before(datetime(begins, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(ends, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
    )
    if usages:
        purposes = x509.ExtendedKeyUsage([x509.ObjectIdentifier(usage) for usage in usages])
        builder = builder.add_extension(purposes, critical=False)
    return builder.sign(signer, hash_alg or hashes.SHA256()).public_bytes(Encoding.DER)


def with_bad_serial(der):
    """Make the serial number negative, in place: its signature does not fit any more."""
    return der.replace(b"\x02\x08" + SERIAL.to_bytes(8, "big"), b"\x02\x08\xff" + SERIAL.to_bytes(8, "big")[1:], 1)


def with_bad_letters(der):
    """Put letters into the PrintableStrings of the country names that such a string may not hold."""
    return der.replace(b"\x13\x02XA", b"\x13\x02X_")


def kid_of(der):
    """Return the first 8 bytes of SHA-256, as HCERT key ids are made."""
    return hashlib.sha256(der).digest()[:8]


def b64(data):
    return base64.b64encode(data).decode()


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwk_of(key, **more):
    """Return the public P-256 key as an issuer of SMART Health Cards publishes it."""
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    jwk = {"kty": "EC", "use": "sig", "alg": "ES256", "crv": "P-256", "x": b64url(point[1:33]), "y": b64url(point[33:])}
    text = f'{{"crv":"P-256","kty":"EC","x":"{jwk["x"]}","y":"{jwk["y"]}"}}'
    return jwk | {"kid": b64url(hashlib.sha256(text.encode()).digest())} | more


def pem(der, label="CERTIFICATE"):
    return f"-----BEGIN {label}-----\n{base64.encodebytes(der).decode()}-----END {label}-----\n".encode()
