"""An issuer of SMART Health Cards for tests, written from the framework and the RFCs with cryptography alone."""

import base64
import hashlib
import json
import zlib
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fakes.ehc_issuer import es256, p256_key

ISSUER_URL = "https://health.example/issuer"
ISSUED_S = 1_790_000_000.25
RID = "AbC_-123"
TYPE = "https://smarthealth.cards#health-card"
PATIENT = {"resourceType": "Patient", "name": [{"family": "Beispiel", "given": ["Probe"]}], "birthDate": "1951-01-20"}
DOSE = {"resourceType": "Immunization", "status": "completed", "lotNumber": "0000001"}


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def deflated(data: bytes) -> bytes:
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    return stream.compress(data) + stream.flush()


def digits_of(text: str) -> str:
    return "".join(f"{ord(character) - 45:02d}" for character in text)


def code_of(jws: str) -> str:
    return "shc:/" + digits_of(jws)


def parts_of(jws: str, count: int) -> list[str]:
    size = -(-len(jws) // count)
    return [f"shc:/{n + 1}/{count}/{digits_of(jws[n * size : (n + 1) * size])}" for n in range(count)]


def file_of(*jws: object) -> str:
    return json.dumps({"verifiableCredential": [*jws]}, indent=1)


def credential(**changed: Any) -> dict[str, Any]:
    """The `vc` claim; a field changed to None is left out."""
    resources = [{"fullUrl": f"resource:{n}", "resource": found} for n, found in enumerate((PATIENT, DOSE))]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": resources}
    whole = {
        "type": [TYPE, "https://smarthealth.cards#immunization"],
        "credentialSubject": {"fhirVersion": "4.0.1", "fhirBundle": bundle},
        "rid": RID,
        **changed,
    }
    return {name: value for name, value in whole.items() if value is not None}


def claims(**changed: Any) -> dict[str, Any]:
    """The payload; a field changed to None is left out."""
    whole = {"iss": ISSUER_URL, "nbf": ISSUED_S, "vc": credential(), **changed}
    return {name: value for name, value in whole.items() if value is not None}


class ShcIssuer:
    """Keys come from the label, so failures can be repeated."""

    def __init__(self, label: bytes = b"shc issuer", url: str = ISSUER_URL) -> None:
        self.url = url
        self.key = p256_key(label)
        public_key = self.key.public_key()
        self.spki = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        numbers = public_key.public_numbers()
        x, y = (base64url(value.to_bytes(32, "big")) for value in (numbers.x, numbers.y))
        self.jwk = {"crv": "P-256", "kty": "EC", "x": x, "y": y}
        self.kid = hashlib.sha256(json.dumps(self.jwk, sort_keys=True, separators=(",", ":")).encode()).digest()

    def entry(self, **changed: Any) -> dict[str, Any]:
        """Its entry in a trust list; a field changed to None is left out."""
        spki = base64.b64encode(self.spki).decode()
        entry = {"family": "shc", "issuer": self.url, "kid": self.kid.hex(), "alg": "ES256", "spki": spki, **changed}
        return {name: value for name, value in entry.items() if value is not None}

    def revocations(self, *rids: object, **changed: Any) -> dict[str, Any]:
        """Its list of revoked cards, as a trust list carries it."""
        said = {"method": "rid", "ctr": 1, "rids": [*rids]}
        return {"family": "shc", "issuer": self.url, "kid": self.kid.hex(), **said, **changed}

    def header(self, **changed: Any) -> dict[str, Any]:
        whole = {"zip": "DEF", "alg": "ES256", "kid": base64url(self.kid), **changed}
        return {name: value for name, value in whole.items() if value is not None}

    def sign(self, message: bytes, *, der: bool = False) -> bytes:
        return self.key.sign(message, ec.ECDSA(hashes.SHA256())) if der else es256(self.key, message)

    def jws(
        self, said: dict[str, Any] | bytes | None = None, *, header: dict[str, Any] | bytes | None = None,
        payload: bytes | None = None, der: bool = False, signature: bytes | None = None,
    ) -> str:  # fmt: skip
        """A card. said: its claims, or the JSON of them. payload: the compressed bytes instead."""
        head = self.header() if header is None else header
        said = claims() if said is None else said
        content = deflated(said if isinstance(said, bytes) else compact(said)) if payload is None else payload
        message = f"{base64url(head if isinstance(head, bytes) else compact(head))}.{base64url(content)}"
        return f"{message}.{base64url(self.sign(message.encode(), der=der) if signature is None else signature)}"
