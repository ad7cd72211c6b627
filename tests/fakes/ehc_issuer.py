"""An issuer of health codes for tests, written from the CDDL with cbor2 and cryptography alone."""

import base64
import hashlib
import json
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from vectors import generate

from agent.adapters.keys.verification import build_key, read_certificate
from agent.core.formats import base45
from agent.core.revocation import RevocationList, parse_revoked
from agent.core.scan import Scan
from agent.core.time_interval import Interval, Stamp
from agent.core.trust_entries import parse_trust_list
from agent.core.trust_list import Trust

NOW_S = 1_800_000_000
NOW = Interval(NOW_S * 1000, NOW_S * 1000)
CARD = hashlib.sha256(b"an invented card of the tests").digest()
CTI = bytes(range(8))
ALGORITHMS = {"ES256": -7, "EdDSA": -8, "SM2": -65601}

STATIC = {1: "4420", 6: NOW_S - 86_400, -65537: CARD, -65538: 1}
DYNAMIC = {1: "4420", 4: NOW_S + 60, 6: NOW_S, 7: CTI, -65537: CARD, -65538: 0}


def without(claims: dict[int, Any], *gone: int) -> dict[int, Any]:
    return {key: value for key, value in claims.items() if key not in gone}


def deterministic(claims: dict[int, Any]) -> bytes:
    """Encode with the keys in bytewise order (RFC 8949 §4.2.1); cbor2's canonical order is the older one."""
    entries = sorted((cbor2.dumps(key), cbor2.dumps(value, canonical=True)) for key, value in claims.items())
    assert len(entries) < 24
    return bytes((0xA0 + len(entries),)) + b"".join(key + value for key, value in entries)


def p256_key(label: bytes) -> ec.EllipticCurvePrivateKey:
    """Return the key of a label, always the same."""
    return ec.derive_private_key(int.from_bytes(hashlib.sha256(label).digest(), "big") >> 1, ec.SECP256R1())


def es256(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """Sign, as r || s (RFC 9053 §2.1, RFC 7518 §3.4)."""
    r, s = utils.decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class EhcIssuer:
    """Keys come from the label, so failures can be repeated."""

    def __init__(self, alg: str = "ES256", label: bytes = b"issuer") -> None:
        self.alg = alg
        seed = hashlib.sha256(label).digest()
        self.key: Any
        if alg == "SM2":
            self.key = generate.Sm2Key(int.from_bytes(seed, "big") >> 1)
        elif alg == "ES256":
            self.key = p256_key(label)
        else:
            self.key = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
        self.spki: bytes = generate.spki(self.key)
        self.kid = hashlib.sha256(self.spki).digest()[:8]

    def entry(self, **changed: Any) -> dict[str, Any]:
        """Its entry in a trust list; a field changed to None is left out."""
        entry = {
            "family": "ehc",
            "issuer": "4420",
            "kid": self.kid.hex(),
            "alg": self.alg,
            "spki": base64.b64encode(self.spki).decode(),
            "usage": ["static", "dynamic"],
            "not_before": "2026-01-01T00:00:00Z",
            "not_after": "2036-01-01T00:00:00Z",
            **changed,
        }
        return {name: value for name, value in entry.items() if value is not None}

    def sign(self, message: bytes) -> bytes:
        if self.alg in ("EdDSA", "SM2"):
            return bytes(self.key.sign(message))
        return es256(self.key, message)

    def token(self, claims: dict[int, Any] | bytes, *, aad: bytes = b"scanward-ehc-1", protected: bytes = b"") -> bytes:
        payload = claims if isinstance(claims, bytes) else deterministic(claims)
        protected = protected or cbor2.dumps({1: ALGORITHMS[self.alg], 4: self.kid}, canonical=True)
        signature = self.sign(cbor2.dumps(["Signature1", protected, aad, payload]))
        return cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, signature]))

    def code(self, claims: dict[int, Any] | bytes, **how: Any) -> str:
        return text_of(self.token(claims, **how))


def text_of(token: bytes) -> str:
    return "EHC1:" + base45.encode(token)


def scan_of(text: str | bytes) -> Scan:
    return Scan(text.encode() if isinstance(text, str) else text, "desk", Stamp(bytes(16), 0, NOW, "os"))


def trust_list_file(*entries: dict[str, Any], **changed: Any) -> bytes:
    file = {"format": "scanward-trust-list-1", "version": 17, "issued_at": "2026-11-21T08:00:00Z", "keys": [*entries]}
    return json.dumps(file | changed).encode()


def trust_of(*entries: dict[str, Any], revoked: RevocationList | None = None, **changed: Any) -> Trust:
    """Return what a terminal with these entries, of any families, goes by. changed: the list's further members."""
    trust_list = parse_trust_list(trust_list_file(*entries, **changed), build_key, read_certificate)
    return Trust(trust_list, None, revoked, None, laboratory=True)


def revoked_cards(*cards: bytes) -> RevocationList:
    return parse_revoked(b"".join(sorted(hashlib.sha256(b"card" + card).digest()[:8] for card in cards)))


def revoked_kids(*kids: bytes, family: bytes = b"ehc") -> RevocationList:
    prefixes = (hashlib.sha256(b"kid" + family + b"\0" + kid).digest()[:8] for kid in kids)
    return parse_revoked(b"".join(sorted(prefixes)))
