"""What recognising and verifying a SMART Health Card costs beside the bare signature check, one core, in one run.

The card is as long as real ones are: two doses of a vaccine, about 1,500 digits. They take turns, so a busy
machine slows both; the medians are compared.
"""

import json

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.core.codes import recognise
from agent.core.formats.jwk import thumbprint
from agent.core.verification import verify
from bench.line import Line
from bench.turns import ratio
from bench.verifying import NOW, signed, trusting
from conformance.material import spki_entry
from fuzz.judging import scan_of
from fuzz.layers import b64, raw_deflate, shc_digits

VERIFY_RATIO_MAX = 1.7
RECOGNISE_RATIO_MAX = 0.25
ISSUER = "https://health.example/issuer"


def lines() -> list[Line]:
    """Measure a whole card and its recognition."""
    key = ec.generate_private_key(ec.SECP256R1())
    public_key = key.public_key()
    spki = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    kid = thumbprint(spki)
    listed = {"family": "shc", "issuer": ISSUER, "kid": kid.hex(), "method": "rid", "ctr": 1, "rids": ["AAAAAAAAAAA.1"]}
    entry = spki_entry("shc", ISSUER, kid, "ES256", spki) | {"crl_version": 1}
    trust = trusting(entry, revocations=[listed])
    message, der, text = _card(key, kid)
    scan = scan_of(text.encode())
    es256 = ec.ECDSA(SHA256())
    assert verify(recognise(scan), trust, NOW).reason == "ok"

    def bare() -> None:
        public_key.verify(der, message, es256)

    digits = len(text) - len("shc:/")
    return [
        ratio(
            f"SMART Health Card of {digits} digits, recognise and verify / bare check", bare,
            lambda: verify(recognise(scan), trust, NOW), VERIFY_RATIO_MAX,
        ),
        ratio("the same, recognise / bare check", bare, lambda: recognise(scan), RECOGNISE_RATIO_MAX),
    ]  # fmt: skip


def _card(key: ec.EllipticCurvePrivateKey, kid: bytes) -> tuple[bytes, bytes, str]:
    """Mint a card; return what was signed, the signature as DER, and the text of its code."""
    doses = [
        {
            "fullUrl": f"resource:{number}",
            "resource": {
                "resourceType": "Immunization", "status": "completed", "patient": {"reference": "resource:0"},
                "vaccineCode": {"coding": [{"system": "http://hl7.org/fhir/sid/cvx", "code": "207"}]},
                "occurrenceDateTime": f"2026-0{number}-2{number}", "lotNumber": f"000000{number}",
                "performer": [{"actor": {"display": "Invented General Hospital"}}],
            },
        }
        for number in (1, 2)
    ]  # fmt: skip
    name = {"family": "Beispiel", "given": ["Probe", "B."]}
    person = {"resourceType": "Patient", "name": [name], "birthDate": "1951-01-20"}
    entries = [{"fullUrl": "resource:0", "resource": person}, *doses]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    types = ["https://smarthealth.cards#health-card", "https://smarthealth.cards#immunization"]
    subject = {"fhirVersion": "4.0.1", "fhirBundle": bundle}
    vc = {"type": types, "credentialSubject": subject, "rid": "bench-rid01"}
    claims = {"iss": ISSUER, "nbf": 1_790_000_000.924, "vc": vc}
    header = {"zip": "DEF", "alg": "ES256", "kid": b64(kid).decode()}
    message = b64(_json(header)) + b"." + b64(raw_deflate(_json(claims)))
    der, signature = signed(key, message)
    return message, der, shc_digits(message + b"." + b64(signature))


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
