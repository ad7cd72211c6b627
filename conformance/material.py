"""What the suites' loaders share: their files, and unsigned trust lists from the keys and certificates they bring."""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from agent.adapters.keys.verification import build_key, read_certificate
from agent.core.trust_entries import parse_trust_list
from agent.core.trust_list import CertificateRefused, TrustListInvalid

ISSUED_AT = "2021-01-01T00:00:00Z"
_DOCUMENTS = ("LICENSE", "NOTICE", "README", "CHANGELOG", ".git")
_CURVES: dict[str, type[ec.EllipticCurve]] = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "P-521": ec.SECP521R1}
_BAD = re.compile(
    r"invalid|tamper|bad|wrong|incorrect|expired|^non|(?-i:^not?(?=[-_ A-Z]))|[-_ ]not?(?=[-_ ]|$)|fail|error|"
    r"revoked|corrupt|broken|malform|mismatch|missing|altered|modifi|changed|forge|fake|unknown|untrust|unsigned",
    re.IGNORECASE,
)

Entry = dict[str, Any]
"""One key of a trust-list.json."""


class NotUnderstood(Exception):
    """A file that a loader cannot take; the message says why."""


def files(folder: Path) -> list[Path]:
    """Return every file of a suite in a fixed order, but for licences and documents."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".md")
    return sorted((p for p in found if not p.name.startswith(_DOCUMENTS)), key=lambda path: path.as_posix())


def is_named_bad(path: Path) -> bool:
    """Say whether the name of a file, or of a folder around it within its suite, says that it must be refused."""
    return any(_BAD.search(part) for part in (*path.parts[:-1], path.stem))


def read_json(path: Path) -> Any:
    """Return a file's JSON. Raises NotUnderstood."""
    try:
        return json.loads(path.read_bytes())  # UTF-8, UTF-16 or UTF-32, with a byte order mark or without
    except (OSError, ValueError, RecursionError) as error:
        raise NotUnderstood(f"not JSON ({type(error).__name__})") from error


def read_object(path: Path) -> dict[str, Any]:
    """Return a file's JSON object. Raises NotUnderstood."""
    found = read_json(path)
    if not isinstance(found, dict):
        raise NotUnderstood("not a JSON object")
    return found


def read_text(path: Path) -> str:
    """Return a file's text as it is. Raises NotUnderstood."""
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotUnderstood(f"not text in UTF-8 ({type(error).__name__})") from error


def der_of(text: str) -> bytes:
    """Return the bytes of base64 or PEM. Raises NotUnderstood."""
    lines = (line for line in text.strip().splitlines() if not line.startswith("-----"))
    try:
        return base64.b64decode("".join("".join(lines).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotUnderstood("not base64") from error


def from_base64url(text: str) -> bytes:
    """Return the bytes of base64url, with or without padding. Raises NotUnderstood."""
    try:
        return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotUnderstood("not base64url") from error


def spki_of_jwk(jwk: Mapping[str, Any]) -> bytes:
    """Return the DER SubjectPublicKeyInfo of a public JWK (RFC 7518 §6, RFC 8037 §2). Raises NotUnderstood."""
    key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey
    try:
        match jwk.get("kty"), jwk.get("crv"):
            case "EC", str(name) if name in _CURVES:
                key = ec.EllipticCurvePublicNumbers(_number(jwk["x"]), _number(jwk["y"]), _CURVES[name]()).public_key()
            case "RSA", _:
                key = rsa.RSAPublicNumbers(_number(jwk["e"]), _number(jwk["n"])).public_key()
            case "OKP", "Ed25519":
                key = ed25519.Ed25519PublicKey.from_public_bytes(from_base64url(jwk["x"]))
            case kind:
                raise NotUnderstood(f"a key of the kind {kind}")
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise NotUnderstood(f"not a public key ({type(error).__name__})") from error
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _number(text: str) -> int:
    return int.from_bytes(from_base64url(text))


def algorithm_of(spki: bytes, *, rsa_as: str) -> str:
    """Return what a trust list calls a key's algorithm; rsa_as: the scheme, which an RSA key does not name."""
    try:
        key = load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm):
        return "unknown"
    match key:
        case rsa.RSAPublicKey():
            return rsa_as
        case ed25519.Ed25519PublicKey():
            return "EdDSA"
        case ec.EllipticCurvePublicKey():
            return {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}.get(
                key.curve.name, key.curve.name
            )
        case _:
            return "unknown"


def certificate_entry(family: str, issuer: str, der: bytes, *, rsa_as: str = "PS256", alg: str | None = None) -> Entry:
    """Return the entry of a certificate; its id is the first 8 bytes of its SHA-256."""
    if alg is None:
        try:
            alg = algorithm_of(read_certificate(der).spki, rsa_as=rsa_as)
        except CertificateRefused:
            alg = "ES256"
    kid = hashlib.sha256(der).hexdigest()[:16]
    return {"family": family, "issuer": issuer, "kid": kid, "alg": alg, "x5c": [base64.b64encode(der).decode("ascii")]}


def spki_entry(family: str, issuer: str, kid: bytes, alg: str, spki: bytes) -> Entry:
    """Return the entry of a bare key."""
    spki_text = base64.b64encode(spki).decode("ascii")
    return {"family": family, "issuer": issuer, "kid": kid.hex(), "alg": alg, "spki": spki_text}


def trust_list(entries: Iterable[Entry], **more: object) -> bytes:
    """Return an unsigned trust-list.json. more: its further top-level members."""
    file = {"format": "scanward-trust-list-1", "version": 1, "issued_at": ISSUED_AT, "keys": list(entries), **more}
    return json.dumps(file).encode()


def is_taken(entry: Entry) -> bool:
    """Say whether a trust list of this entry alone can be read: one that cannot would sink those beside it."""
    try:
        parse_trust_list(trust_list([entry]), build_key, read_certificate)
    except TrustListInvalid:
        return False
    return True
