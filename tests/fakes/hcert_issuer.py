"""An issuer of HCERT codes for tests, written from the specification with cbor2, zlib and cryptography alone."""

import base64
import hashlib
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID, ObjectIdentifier

from agent.core.revocation import RevocationList, parse_revoked
from fakes.ehc_issuer import NOW_S, es256, p256_key

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256: SEC 2, §2.4.2
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
CI = "URN:UVCI:01:AT:INVENTED0000000000000000001#K"
ALG, CRIT, KID = 1, 2, 4
NUMBERS = {"ES256": -7, "PS256": -37}

VACCINATION = {
    "tg": "840539006", "vp": "1119349007", "mp": "EU/1/20/1528", "ma": "ORG-100030215", "dn": 2, "sd": 2,
    "dt": "2026-12-01", "co": "AT", "is": "An Invented Ministry of Health", "ci": CI,
}  # fmt: skip
TEST = {
    "tg": "840539006", "tt": "LP6464-4", "sc": "2027-01-14T10:00:00Z", "tr": "260415000", "tc": "An Invented Room",
    "co": "AT", "is": "An Invented Ministry of Health", "ci": CI,
}  # fmt: skip
RECOVERY = {
    "tg": "840539006", "fr": "2026-11-01", "df": "2026-11-12", "du": "2027-04-30", "co": "AT",
    "is": "An Invented Ministry of Health", "ci": CI,
}  # fmt: skip
PERSON = {"fn": "Erfunden-Beispiel", "fnt": "ERFUNDEN<BEISPIEL", "gn": "Nonexista", "gnt": "NONEXISTA"}


def dcc(**kinds: Any) -> dict[str, Any]:
    """Return a DCC of an invented person: dcc(v=[VACCINATION])."""
    return {**kinds, "dob": "1901-01-01", "nam": PERSON, "ver": "1.3.0"}


def claims(container: Any = None, **changed: Any) -> dict[int, Any]:
    """Return CWT claims: claims(dcc(t=[TEST]), iss="AT", iat=…, exp=…); None leaves one out."""
    said = {"iss": "AT", "exp": NOW_S + 86_400, "iat": NOW_S - 86_400, **changed}
    numbers = {"iss": 1, "exp": 4, "iat": 6}
    found = {numbers[name]: value for name, value in said.items() if value is not None}
    return found | {-260: {1: dcc(v=[VACCINATION])} if container is None else container}


def base45_text(data: bytes) -> str:
    """Encode by RFC 9285 §4."""
    out = ""
    for at in range(0, len(data), 2):
        pair = data[at : at + 2]
        number = int.from_bytes(pair, "big")
        for _ in range(len(pair) + 1):
            number, digit = divmod(number, 45)
            out += ALPHABET[digit]
    return out


def text_of(token: bytes) -> str:
    return "HC1:" + base45_text(zlib.compress(token, 9))


class HcertIssuer:
    """ES256 keys come from the label, so failures can be repeated; an RSA key is new in each run."""

    def __init__(self, alg: str = "ES256", label: bytes = b"hcert issuer", country: str = "AT") -> None:
        self.alg, self.country = alg, country
        self.key: Any
        if alg == "PS256":
            self.key = rsa.generate_private_key(65_537, 2_048)
        else:
            self.key = p256_key(label)
        self.spki: bytes = self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.kid = hashlib.sha256(self.spki).digest()[:8]

    def entry(self, **changed: Any) -> dict[str, Any]:
        """Its entry in a trust list; a field changed to None is left out."""
        entry = {
            "family": "hcert",
            "issuer": self.country,
            "kid": self.kid.hex(),
            "alg": self.alg,
            "spki": base64.b64encode(self.spki).decode(),
            "not_before": "2026-01-01T00:00:00Z",
            "not_after": "2036-01-01T00:00:00Z",
            **changed,
        }
        return {name: value for name, value in entry.items() if value is not None}

    def certificate(self, *usages: str, country: str | None = None) -> str:
        """Return a self-signed certificate with these extended key usages, as x5c has it."""
        name = x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, country or self.country)])
        now = datetime.fromtimestamp(NOW_S, UTC)
        builder = (
            x509.CertificateBuilder(name, name, self.key.public_key(), 1)
            .not_valid_before(now - timedelta(days=300))
            .not_valid_after(now + timedelta(days=300))
        )
        if usages:
            builder = builder.add_extension(
                x509.ExtendedKeyUsage([ObjectIdentifier(u) for u in usages]), critical=False
            )
        return base64.b64encode(builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.DER)).decode()

    def sign(self, message: bytes) -> bytes:
        if self.alg == "PS256":
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
            return bytes(self.key.sign(message, pss, hashes.SHA256()))
        return es256(self.key, message)

    def parts(
        self,
        said: dict[int, Any] | bytes | None = None,
        *,
        protected: dict[Any, Any] | bytes | None = None,
        unprotected: dict[Any, Any] | None = None,
    ) -> list[Any]:
        """Return [protected, unprotected, payload, signature]."""
        payload = said if isinstance(said, bytes) else cbor2.dumps(claims() if said is None else said)
        if protected is None:
            protected = {ALG: NUMBERS[self.alg], KID: self.kid}
        header = protected if isinstance(protected, bytes) else cbor2.dumps(protected)
        signature = self.sign(cbor2.dumps(["Signature1", header, b"", payload]))
        return [header, unprotected or {}, payload, signature]

    def token(self, said: dict[int, Any] | bytes | None = None, **how: Any) -> bytes:
        return cbor2.dumps(cbor2.CBORTag(18, self.parts(said, **how)))

    def code(self, said: dict[int, Any] | bytes | None = None, **how: Any) -> str:
        return text_of(self.token(said, **how))


def revoked_hashes(*things: bytes) -> RevocationList:
    """Return a list of certificates revoked by the EU's hash of these bytes."""
    hashes_ = (hashlib.sha256(thing).digest()[:16] for thing in things)
    return parse_revoked(b"".join(sorted(hashlib.sha256(b"dcc" + hash_).digest()[:8] for hash_ in hashes_)))
