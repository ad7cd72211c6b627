"""What a file of the EU's test data says: its code, its certificates, its clock, and what is so of them.

The law: seen without the agent's verifier, what a certificate allows by another reader than its own; and whatever a
file holds, nothing is raised. What is so of a case (its `facts`) is what explanations.py explains by.
"""

import hashlib
import re
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import cbor2
from asn1crypto import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from agent.adapters.keys.verification import read_certificate
from agent.core.codes.countries import country_named
from agent.core.formats import base45
from agent.core.trust_list import CertificateRefused
from conformance.material import Entry, NotUnderstood, certificate_entry, der_of

PREFIX = "HC1:"
SKEW_S = 15  # the agent's grace
INFLATED_BYTES_MAX = 1_000_000
CERTIFICATES_MAX = 8  # of one file
RSA_BITS_MIN, RSA_BITS_MAX = 2_048, 4_096
_ALGORITHMS = (-7, -37)  # ES256, PS256: what the HCERT specification has
_S_MAX = 253_402_300_799  # the last second of the year 9999
_MS_MIN = 10**11  # seconds of the year 5138: a clock above counts milliseconds
_ZONE_NAME = re.compile(r"\[[^\]]*\]$")  # 2021-06-01T20:00+02:00[Europe/Vienna], as Java writes it
_ANY_USAGE = "2.5.29.37.0"  # RFC 5280 §4.2.1.12
_KEY_USAGES = {
    f"1.3.6.1.4.1.{arc}1847.2021.1.{number}": kind
    for arc in ("", "0.")
    for number, kind in ((1, "t"), (2, "v"), (3, "r"))
}

_COUNTRY = "2.5.4.6"
_SIGNING = frozenset({"digital_signature", "non_repudiation"})  # RFC 5280 calls the latter contentCommitment as well

Look = Mapping[str, Any]
"""What a code says of itself, as far as it can be read: alg, kid, iss, iat, exp, kinds."""


def code_of(file: Mapping[str, Any]) -> str | None:
    """Return the code's text: as the file gives it, or made from the furthest step that it gives."""
    for name, made in (("PREFIX", str), ("BASE45", lambda text: PREFIX + text)):
        found = file.get(name)
        if isinstance(found, str) and found:
            return made(found)
    for name in ("COMPRESSED", "COSE"):
        found = file.get(name)
        if isinstance(found, str) and found:
            try:
                data = bytes.fromhex(found)
            except ValueError:
                continue
            return PREFIX + base45.encode(data if name == "COMPRESSED" else zlib.compress(data, 9))
    return None


def certificates_of(found: object) -> list[bytes]:
    """Return the certificates of a CERTIFICATE: one or a list, each in base64, base64url, hexadecimal or PEM.

    A text in no such form is one of no bytes: the file does bring a certificate.
    """
    texts = found if isinstance(found, list) else [found]
    return [_der(text) for text in texts[:CERTIFICATES_MAX] if isinstance(text, str) and text.strip()]


def _der(text: str) -> bytes:
    bare = re.sub(r"-----[A-Z0-9 ]+-----|\s", "", text)
    try:
        return bytes.fromhex(bare)  # a certificate begins with 30, in base64 with MI
    except ValueError:
        pass
    plain = bare.translate({ord("-"): "+", ord("_"): "/"}).rstrip("=")
    try:
        return der_of(plain + "=" * (-len(plain) % 4))
    except NotUnderstood:
        return b""


def entry_of(der: bytes, cose: Look, path: Path) -> Entry:
    """Return a certificate's entry in a trust list.

    Its country is the certificate's own, where that names none what the code says, else the folder's name.
    """
    certificate, claimed = seen(der), cose.get("iss")
    if certificate is not None and certificate.country:
        issuer = certificate.country
    elif isinstance(claimed, str) and 0 < len(claimed) <= 255:
        issuer = claimed
    else:
        issuer = path.parts[0][:255]
    return certificate_entry("hcert", issuer, der)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a certificate says of itself. usages: its extended key usages, as numbers with dots."""

    country: str | None
    not_before_s: int
    not_after_s: int
    usages: frozenset[str]
    may_sign: bool


def seen(der: bytes) -> Seen | None:
    """Return what another reader of certificates than the agent's usual one sees, or None where it sees none."""
    try:
        certificate = x509.Certificate.load(der, strict=True)
        body = certificate["tbs_certificate"]
        parts = [part for name in body["subject"].chosen for part in name]
        countries = [str(part["value"].native) for part in parts if part["type"].dotted == _COUNTRY]
        usage, purposes = certificate.key_usage_value, certificate.extended_key_usage_value
        return Seen(
            countries[0] if countries else None,
            int(body["validity"]["not_before"].native.timestamp()),
            int(body["validity"]["not_after"].native.timestamp()),
            frozenset(purpose.dotted for purpose in purposes or ()),
            usage is None or not _SIGNING.isdisjoint(usage.native),
        )
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError):
        return None


def look(code: str) -> dict[str, Any]:
    """Return what another reader of CBOR sees in a code, as far as it gets."""
    found = dict[str, Any]()
    try:
        data = base45.decode(code.removeprefix(PREFIX))
        with suppress(zlib.error):  # not compressed
            data = zlib.decompressobj().decompress(data, INFLATED_BYTES_MAX)
        message = cbor2.loads(data)
        while isinstance(message, cbor2.CBORTag):
            message = message.value
        protected, unprotected, payload = cbor2.loads(message[0]) if message[0] else {}, message[1], message[2]
        found |= {"alg": protected.get(1), "kid": protected.get(4, unprotected.get(4))}
        claims = cbor2.loads(payload)
        found |= {"iss": claims.get(1), "exp": claims.get(4), "iat": claims.get(6)}
        found["kinds"] = [kind for kind in "tvr" if claims[-260][1].get(kind)]
    except (ValueError, cbor2.CBORError, TypeError, AttributeError, IndexError, KeyError, OverflowError):
        pass  # such a code must be refused, and says nothing of itself
    return found


def clock_of(found: object, cose: Look, *, is_late: bool = False) -> tuple[str | int, frozenset[str]]:
    """Return VALIDATIONCLOCK, UTC where it has no zone.

    Without one that can be read: an hour after iat or midway to exp; is_late: a day after exp.
    """
    at = _instant(found)
    return (at, frozenset()) if at is not None else (_likely_s(cose, is_late=is_late), frozenset({"no clock"}))


def _likely_s(cose: Look, *, is_late: bool) -> int:
    iat, exp = seconds(cose.get("iat")), seconds(cose.get("exp"))
    if is_late and exp is not None:
        return min(int(exp) + 86_400, _S_MAX)
    if iat is not None:
        return min(int(min(iat + 3600, (iat + exp) // 2) if exp is not None else iat + 3600), _S_MAX)
    return max(int(exp) - 1, 0) if exp else 0


def _instant(found: object) -> str | int | None:
    """Return a moment since 1970 in ISO 8601 or in Unix seconds, however it was written."""
    if isinstance(found, str) and found.strip().isdecimal():
        found = int(found.strip()[:15])
    if isinstance(found, int | float) and not isinstance(found, bool):
        if not 10**9 <= found < 10**14:  # neither seconds nor milliseconds of our days
            return None
        return int(found if found < _MS_MIN else found / 1000)
    if not isinstance(found, str):
        return None
    text = _ZONE_NAME.sub("", found.strip())
    for read, written in ((datetime.fromisoformat, text.upper()), (parsedate_to_datetime, text)):
        try:
            at = read(written)
            at = at if at.tzinfo else at.replace(tzinfo=UTC)
            if at.timestamp() >= 0:
                return at.isoformat()
        except (ValueError, OverflowError, TypeError, IndexError):
            continue
    return None


def seconds(found: object) -> float | None:
    """Return a time that a code says, in seconds, or None where it is none."""
    if isinstance(found, datetime):  # tag 1, as that reader of CBOR reads it
        found = found.timestamp()
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    return float(found) if is_number and 0 <= found <= _S_MAX else None  # type: ignore[arg-type, operator]


def facts_of(cose: Look, ders: Sequence[bytes], entries: Sequence[Entry], now: str | int) -> frozenset[str]:
    """Return what a rule may explain by, seen without the agent; of several certificates, what is so of each of them.

    What explains a refusal must be so of no case that verifies: then the explanation would be stale.
    """
    alg = cose.get("alg")
    facts = {f"alg {alg}"} if cose else {"not a COSE message"}
    if type(alg) is int and alg not in _ALGORITHMS:
        facts.add("neither ES256 nor PS256")
    at_s = now if isinstance(now, int) else datetime.fromisoformat(now).timestamp()
    iat, exp = seconds(cose.get("iat")), seconds(cose.get("exp"))
    if cose and (iat is None or exp is None):
        facts.add("without iat or exp in seconds")
    if iat is not None and at_s < int(iat) - SKEW_S:
        facts.add("the clock stands before iat")
    if exp is not None and at_s > int(exp) + SKEW_S:
        facts.add("the clock stands after exp")
    facts |= set.intersection(*(_of_certificate(cose, der, at_s) for der in ders)) if ders else {"no certificate"}
    claimed = country_named(str(cose.get("iss")).upper())
    if claimed and entries and all(country_named(entry["issuer"].upper()) != claimed for entry in entries):
        facts.add("iss is another country than the certificate's")
    return frozenset(facts)


def _of_certificate(cose: Look, der: bytes, at_s: float) -> set[str]:
    certificate, spki = seen(der), _spki_of(der)
    if certificate is None or spki is None:
        return {"a certificate that cannot be read"}
    facts = set[str]()
    kinds = {_KEY_USAGES[usage] for usage in certificate.usages if usage in _KEY_USAGES}
    if kinds and _ANY_USAGE not in certificate.usages and not kinds.issuperset(cose.get("kinds") or ["none"]):
        facts.add("the certificate is not for this kind of code")
    if not certificate.may_sign:
        facts.add("the certificate's key is not for signatures over data")
    if not _is_key_of_hcert(spki):
        facts.add("the certificate's key is neither on P-256 nor RSA")
    if at_s < certificate.not_before_s:
        facts.add("the certificate had not begun at the clock")
    if at_s > certificate.not_after_s:
        facts.add("the certificate had ended at the clock")
    iat = seconds(cose.get("iat"))
    if iat is not None and not certificate.not_before_s <= int(iat) <= certificate.not_after_s:
        facts.add("the certificate was not valid at iat")
    if cose and cose.get("kid") != hashlib.sha256(der).digest()[:8]:
        facts.add("the key id is not the certificate's")
    return facts


def _spki_of(der: bytes) -> bytes | None:
    """Return a certificate's key as a trust list takes it: its curve by name."""
    try:
        return read_certificate(der).spki
    except CertificateRefused:
        return None


def _is_key_of_hcert(spki: bytes) -> bool:
    try:
        key = load_der_public_key(spki)
    except Exception:  # noqa: BLE001  # whatever the library says of such a key: it is none of these
        return False
    if isinstance(key, rsa.RSAPublicKey):
        return RSA_BITS_MIN <= key.key_size <= RSA_BITS_MAX
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
