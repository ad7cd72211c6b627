"""What recognising and verifying a SMART Health Card costs beside the bare signature check, one core, in one run.

The card is as long as real ones are: two doses of a vaccine, about 1,500 digits. They take turns, so a busy
machine slows both; the medians are compared.
"""

import base64
import json
import zlib

from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.adapters.keys.verification import build_key
from agent.core.codes import recognise
from agent.core.formats.jwk import thumbprint
from agent.core.scan import Scan
from agent.core.time_interval import Interval, Stamp
from agent.core.trust_entries import parse_trust_list
from agent.core.trust_list import Trust
from agent.core.verification import verify
from bench.line import Line
from bench.turns import ratio

VERIFY_RATIO_MAX = 1.7
RECOGNISE_RATIO_MAX = 0.25
ISSUER = "https://health.example/issuer"
NOW = Interval(1_799_999_998_000, 1_800_000_002_000)


def lines() -> list[Line]:
    """Measure a whole card and its recognition."""
    key = ec.generate_private_key(ec.SECP256R1())
    public_key = key.public_key()
    spki = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    trust = _trust(spki)
    message, der, text = _card(key, thumbprint(spki))
    scan = Scan(text.encode(), "bench", Stamp(bytes(16), 0, NOW, "os"))
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
    header = {"zip": "DEF", "alg": "ES256", "kid": _base64url(kid).decode()}
    stream = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    payload = stream.compress(_json(claims)) + stream.flush()
    message = _base64url(_json(header)) + b"." + _base64url(payload)
    der = key.sign(message, ec.ECDSA(SHA256()))
    r, s = utils.decode_dss_signature(der)
    whole = message + b"." + _base64url(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    return message, der, "shc:/" + "".join(f"{character - 45:02d}" for character in whole)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _trust(spki: bytes) -> Trust:
    kid = thumbprint(spki).hex()
    entry = {"family": "shc", "issuer": ISSUER, "kid": kid, "alg": "ES256", "spki": base64.b64encode(spki).decode()}
    revoked = {"family": "shc", "issuer": ISSUER, "kid": kid, "method": "rid", "ctr": 1, "rids": ["AAAAAAAAAAA.1"]}
    file = {
        "format": "scanward-trust-list-1", "version": 1, "issued_at": "2026-11-21T08:00:00Z",
        "keys": [entry | {"crl_version": 1}], "revocations": [revoked],
    }  # fmt: skip
    return Trust(parse_trust_list(json.dumps(file).encode(), build_key), None, None, None)
