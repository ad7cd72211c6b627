"""What recognising and verifying a health certificate (HCERT) costs beside the bare signature check, in one run.

They take turns call by call; the medians are compared. The certificate is made on the spot, of an invented person, as
long as real ones are (570 to 650 characters), and says what a vaccination's says.
"""

import hashlib
import zlib
from dataclasses import replace

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.core.codes import recognise
from agent.core.formats import base45
from agent.core.scan import Scan
from agent.core.verification import verify
from bench.line import Line
from bench.turns import ratio
from bench.verifying import NOW, NOW_S, a_million_revoked, signed, trusting
from conformance.material import spki_entry
from fuzz.judging import scan_of
from fuzz.layers import sig_structure, sign1

VERIFY_RATIO_MAX = 1.6  # of 600 characters; what it is made of: docs/decisions/0221
LISTED_RATIO_MAX = 1.9  # three hashes and look-ups more
RECOGNISE_RATIO_MAX = 0.25
_PERSON = {"fn": "Erfunden-Beispiel", "fnt": "ERFUNDEN<BEISPIEL", "gn": "Nonexista", "gnt": "NONEXISTA"}
_DOSE = {
    "tg": "840539006", "vp": "1119349007", "mp": "EU/1/20/1528", "ma": "ORG-100030215", "dn": 2, "sd": 2,
    "dt": "2026-12-01", "co": "AT", "is": "An Invented Ministry of Health",
    "ci": "URN:UVCI:01:AT:5B7C0D2E9F1A48B3A6D4C2E10F9B8A7C#K",
}  # fmt: skip


def lines() -> list[Line]:
    """Measure verification, with and without a revocation list, and recognition in one run."""
    key = ec.generate_private_key(ec.SECP256R1())
    public_key = key.public_key()
    spki = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    kid = hashlib.sha256(spki).digest()[:8]
    message, der, scan = _code(key, kid)
    trust = trusting(spki_entry("hcert", "AT", kid, "ES256", spki) | {"usage": ["v", "t", "r"]})
    listed = replace(trust, revoked=a_million_revoked())
    es256 = ec.ECDSA(SHA256())
    assert (verify(recognise(scan), trust, NOW).reason, verify(recognise(scan), listed, NOW).reason) == ("ok", "ok")

    def bare() -> None:
        public_key.verify(der, message, es256)

    said = f"HCERT, {len(scan.data)} characters, "
    return [
        ratio(
            said + "recognise and verify / bare check",
            bare,
            lambda: verify(recognise(scan), trust, NOW),
            VERIFY_RATIO_MAX,
        ),
        ratio(
            said + "with a million revoked / bare check",
            bare,
            lambda: verify(recognise(scan), listed, NOW),
            LISTED_RATIO_MAX,
        ),
        ratio(said + "recognise / bare check", bare, lambda: recognise(scan), RECOGNISE_RATIO_MAX),
    ]


def _code(key: ec.EllipticCurvePrivateKey, kid: bytes) -> tuple[bytes, bytes, Scan]:
    """Mint a certificate from the specification; return what was signed, the signature as DER, and the scan."""
    said = {"v": [_DOSE], "dob": "1901-01-01", "nam": _PERSON, "ver": "1.3.0"}
    payload = cbor2.dumps({1: "AT", 4: NOW_S + 86_400, 6: NOW_S - 86_400, -260: {1: said}})
    protected = cbor2.dumps({1: -7, 4: kid})
    message = sig_structure(protected, b"", payload)
    der, signature = signed(key, message)
    text = "HC1:" + base45.encode(zlib.compress(sign1(protected, payload, signature), 9))
    return message, der, scan_of(text.encode())
