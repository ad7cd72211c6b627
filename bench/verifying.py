"""What recognising and verifying a health code costs beside the bare signature check, one core, in one run.

The two take turns in short blocks and each round gives one ratio, so a busy machine slows both; the median of the
rounds counts. The code is a dynamic one, which takes most, and there is a revocation list of a million entries.
"""

import base64
import hashlib
import json
import statistics
import struct
import time
from collections.abc import Callable

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.adapters.keys.verification import build_key
from agent.core.codes import base45, recognise
from agent.core.scan import Scan
from agent.core.time_interval import Interval, Stamp
from agent.core.trust_list import Trust, parse_revoked, parse_trust_list
from agent.core.verification import verify
from bench.line import Line

VERIFY_RATIO_MAX = 1.5
RECOGNISE_RATIO_MAX = 0.25
ROUNDS = 80
CALLS = 100  # of each kind in a round
REVOKED = 1_000_000
NOW_S = 1_800_000_000
NOW = Interval(NOW_S * 1000 - 2000, NOW_S * 1000 + 2000)


def lines() -> list[Line]:
    """Measure verification and recognition in one run."""
    key = ec.generate_private_key(ec.SECP256R1())
    public_key = key.public_key()
    spki = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    message, der, scan = _code(key, hashlib.sha256(spki).digest()[:8])
    trust = _trust(spki)
    assert verify(recognise(scan), trust, NOW).reason == "ok"
    es256 = ec.ECDSA(SHA256())

    ratios, alone = list[float](), list[float]()
    took_us: dict[str, list[float]] = {"bare": [], "whole": [], "recognise": []}
    for _ in range(ROUNDS):
        bare_us = _time_us(lambda: public_key.verify(der, message, es256))
        whole_us = _time_us(lambda: verify(recognise(scan), trust, NOW))
        recognise_us = _time_us(lambda: recognise(scan))
        ratios.append(whole_us / bare_us)
        alone.append(recognise_us / bare_us)
        for name, figure in (("bare", bare_us), ("whole", whole_us), ("recognise", recognise_us)):
            took_us[name].append(figure)
    whole, bare, only = (statistics.median(took_us[name]) for name in ("whole", "bare", "recognise"))
    return [
        Line(
            "EHC1 ES256, recognise and verify / bare check",
            statistics.median(ratios),
            VERIFY_RATIO_MAX,
            "at most",
            "x",
            f"{whole:.0f} us, bare {bare:.0f} us; best round {min(ratios):.2f}; {REVOKED:,} cards revoked",
        ),
        Line(
            "recognise / bare ES256 check",
            statistics.median(alone),
            RECOGNISE_RATIO_MAX,
            "at most",
            "x",
            f"{only:.1f} us",
        ),
    ]


def _time_us(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - started) / CALLS * 1e6


def _code(key: ec.EllipticCurvePrivateKey, kid: bytes) -> tuple[bytes, bytes, Scan]:
    """Mint a dynamic code from the CDDL; return what was signed, the signature as DER, and the scan."""
    card, cti = hashlib.sha256(b"an invented card").digest(), bytes(8)
    claims = {1: "4420", 4: NOW_S + 60, 6: NOW_S, 7: cti, -65537: card, -65538: 0}
    protected, payload = cbor2.dumps({1: -7, 4: kid}), cbor2.dumps(claims)
    message = cbor2.dumps(["Signature1", protected, b"scanward-ehc-1", payload])
    der = key.sign(message, ec.ECDSA(SHA256()))
    r, s = utils.decode_dss_signature(der)
    token = cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, r.to_bytes(32, "big") + s.to_bytes(32, "big")]))
    text = "EHC1:" + base45.encode(token)
    return message, der, Scan(text.encode(), "bench", Stamp(bytes(16), 0, NOW, "os"))


def _trust(spki: bytes) -> Trust:
    entry = {
        "family": "ehc",
        "issuer": "4420",
        "kid": hashlib.sha256(spki).digest()[:8].hex(),
        "alg": "ES256",
        "spki": base64.b64encode(spki).decode(),
        "usage": ["static", "dynamic"],
        "not_before": "2026-01-01T00:00:00Z",
        "not_after": "2036-01-01T00:00:00Z",
    }
    file = {"format": "scanward-trust-list-1", "version": 1, "issued_at": "2026-11-21T08:00:00Z", "keys": [entry]}
    step = 2**64 // REVOKED
    revoked = b"".join(struct.pack(">Q", number * step) for number in range(REVOKED))
    return Trust(parse_trust_list(json.dumps(file).encode(), build_key), None, parse_revoked(revoked), None)
