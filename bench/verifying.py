"""What recognising and verifying a health code costs beside the bare signature check, one core, in one run.

They take turns call by call, as a terminal makes them, so a busy machine slows both; the medians are compared. The code
is a dynamic one, which takes most, with and without a million revoked cards to look among.
"""

import hashlib
import struct
from collections.abc import Callable
from dataclasses import replace

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.adapters.keys.verification import build_key
from agent.core.codes import recognise
from agent.core.formats import base45
from agent.core.revocation import RevocationList, parse_revoked
from agent.core.scan import Scan
from agent.core.time_interval import Interval
from agent.core.trust_entries import parse_trust_list
from agent.core.trust_list import Trust
from agent.core.verification import verify
from bench.line import Line
from bench.turns import UNDISTURBED, ratio, take_turns
from conformance.material import Entry, spki_entry, trust_list
from fuzz.judging import scan_of
from fuzz.layers import sig_structure, sign1
from platform_stub.wire.health_code import DYNAMIC, HealthCode, write_code
from platform_stub.wire.sm2 import Sm2PrivateKey

VERIFY_RATIO_MAX = 1.45
RECOGNISE_RATIO_MAX = 0.25
SM2_RATIO_MIN = 0.2
REVOKED = 1_000_000
NOW_S = 1_800_000_000
NOW = Interval(NOW_S * 1000 - 2000, NOW_S * 1000 + 2000)


def lines() -> list[Line]:
    """Measure verification and recognition in one run."""
    key = ec.generate_private_key(ec.SECP256R1())
    public_key = key.public_key()
    spki = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    message, der, scan = code_of(key, hashlib.sha256(spki).digest()[:8])
    trust = trust_of(spki)
    listed = replace(trust, revoked=a_million_revoked())
    es256 = ec.ECDSA(SHA256())
    assert (verify(recognise(scan), trust, NOW).reason, verify(recognise(scan), listed, NOW).reason) == ("ok", "ok")

    def bare() -> None:
        public_key.verify(der, message, es256)

    measured: list[tuple[str, Callable[[], object], float]] = [
        ("recognise and verify", lambda: verify(recognise(scan), trust, NOW), VERIFY_RATIO_MAX),
        ("the same, a million cards revoked", lambda: verify(recognise(scan), listed, NOW), VERIFY_RATIO_MAX),
        ("recognise", lambda: recognise(scan), RECOGNISE_RATIO_MAX),
    ]
    found = [ratio(f"EHC1 ES256, {name} / bare check", bare, call, bound) for name, call, bound in measured]
    return [*found, *_sm2_lines(bare)]


def _sm2_lines(bare_es256: Callable[[], object]) -> list[Line]:
    """Compare SM2's check with that of ES256, and a whole SM2 code with SM2's check."""
    private = Sm2PrivateKey.generate()
    spki = private.public_key().spki()
    message, signature, scan = _sm2_code(private, hashlib.sha256(spki).digest()[:8])
    trust, key = trust_of(spki, "SM2"), build_key("SM2", spki)
    assert verify(recognise(scan), trust, NOW).reason == "ok"

    def bare() -> None:
        assert key.verify(signature, message)

    turns = take_turns(bare_es256, bare)
    es256_us, sm2_us = turns.bare_s[UNDISTURBED] * 1e6, turns.took_s[UNDISTURBED] * 1e6
    detail = f"{1e6 / sm2_us:,.0f} a second, ES256 {1e6 / es256_us:,.0f}"
    return [
        Line("SM2 bare checks per ES256 bare check", es256_us / sm2_us, SM2_RATIO_MIN, "at least", "x", detail),
        ratio(
            "EHC1 SM2, recognise and verify / bare check", bare, lambda: verify(recognise(scan), trust, NOW),
            VERIFY_RATIO_MAX,
        ),
    ]  # fmt: skip


def code_of(key: ec.EllipticCurvePrivateKey, kid: bytes, cti: bytes = bytes(8)) -> tuple[bytes, bytes, Scan]:
    """Mint a dynamic code from the CDDL; return what was signed, the signature as DER, and the scan."""
    card = hashlib.sha256(b"an invented card").digest()
    claims = {1: "4420", 4: NOW_S + 60, 6: NOW_S, 7: cti, -65537: card, -65538: 0}
    protected, payload = cbor2.dumps({1: -7, 4: kid}), cbor2.dumps(claims)
    message = sig_structure(protected, b"scanward-ehc-1", payload)
    der, signature = signed(key, message)
    text = "EHC1:" + base45.encode(sign1(protected, payload, signature))
    return message, der, scan_of(text.encode())


def signed(key: ec.EllipticCurvePrivateKey, message: bytes) -> tuple[bytes, bytes]:
    """Return an ES256 signature as DER, as a bare check takes it, and as r || s, as codes have it."""
    der = key.sign(message, ec.ECDSA(SHA256()))
    r, s = decode_dss_signature(der)
    return der, r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _sm2_code(private: Sm2PrivateKey, kid: bytes) -> tuple[bytes, bytes, Scan]:
    """Mint a dynamic code; return what was signed, the signature, and the scan."""
    claims = HealthCode("4420", DYNAMIC, NOW_S, NOW_S + 60, hashlib.sha256(b"an invented card").digest(), bytes(8))
    text = write_code(private, claims)
    protected, _, payload, signature = cbor2.loads(base45.decode(text.removeprefix("EHC1:"))).value
    assert cbor2.loads(protected)[4] == kid
    return sig_structure(protected, b"scanward-ehc-1", payload), signature, scan_of(text.encode())


def trust_of(spki: bytes, alg: str = "ES256") -> Trust:
    """Return what a terminal that trusts this key goes by."""
    return trusting(_entry(spki, alg))


def trust_file(spki: bytes, alg: str = "ES256") -> bytes:
    """Return trust-list.json with this key."""
    return trust_list([_entry(spki, alg)])


def _entry(spki: bytes, alg: str) -> Entry:
    entry = spki_entry("ehc", "4420", hashlib.sha256(spki).digest()[:8], alg, spki)
    dates = {"not_before": "2026-01-01T00:00:00Z", "not_after": "2036-01-01T00:00:00Z"}
    return entry | {"usage": ["static", "dynamic"]} | dates


def trusting(*entries: Entry, **more: object) -> Trust:
    """Return what a terminal with these entries in its trust list goes by. more: the list's further members."""
    return Trust(parse_trust_list(trust_list(entries, **more), build_key), None, None, None)


def a_million_revoked() -> RevocationList:
    """Return a list of revoked codes, spread evenly."""
    step = 2**64 // REVOKED
    return parse_revoked(b"".join(struct.pack(">Q", number * step) for number in range(REVOKED)))
