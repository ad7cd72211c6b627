"""EHC1, the signed health code (ehc1.cddl): minting, and the platform's own reading of it. No trust list here."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from platform_stub.wire import base45, cbor, cose
from platform_stub.wire.fields import Check, octets, one_of, text, uint

EHC_AAD = "scanward-ehc-1"
PREFIX = "EHC1:"
TEXT_CHARACTERS_MAX = 1_024
LIFE_S_MAX = 120
SECONDS_MAX = 253_402_300_799
DYNAMIC, STATIC = 0, 1
_ISS, _EXP, _IAT, _CTI, _CARD, _TYPE = 1, 4, 6, 7, -65537, -65538

_ISSUER = text(r"[!-~]{1,32}")
_SECONDS = uint(SECONDS_MAX)
_SHARED: dict[int, Check] = {_ISS: _ISSUER, _IAT: _SECONDS, _CARD: octets(32)}
_STATIC: dict[int, Check] = {**_SHARED, _TYPE: one_of(STATIC)}
_STATIC_DATED: dict[int, Check] = {**_STATIC, _EXP: _SECONDS}
_DYNAMIC: dict[int, Check] = {**_SHARED, _TYPE: one_of(DYNAMIC), _EXP: _SECONDS, _CTI: octets(8)}


class HealthCodeInvalid(Exception):
    """Not a genuine EHC1 code; the message says why, never what it holds."""


@dataclass(frozen=True, slots=True)
class HealthCode:
    """The claims of a code. type: 0 dynamic, 1 static. Instants in seconds since 1970."""

    issuer: str
    type: int
    issued_at_s: int
    expires_at_s: int | None
    card: bytes = field(repr=False)
    cti: bytes | None = field(repr=False)


def write_code(key: cose.SigningKey, code: HealthCode) -> str:
    """Return the text of a signed code. Raises ValueError where the claims do not fit."""
    claims: dict[int, Any] = {_ISS: code.issuer, _IAT: code.issued_at_s, _CARD: code.card, _TYPE: code.type}
    if code.expires_at_s is not None:
        claims[_EXP] = code.expires_at_s
    if code.cti is not None:
        claims[_CTI] = code.cti
    if not _fits(claims):
        raise ValueError("these claims make no EHC1 code (ehc1.cddl)")
    return PREFIX + base45.encode(cose.sign(key, EHC_AAD, cbor.encode(claims)))


def read_code(code_text: str, issuer: str, keys: Iterable[tuple[bytes, cose.PublicKey]]) -> HealthCode:
    """Read a code of this issuer signed by one of its (kid, key). Times are not judged. Raises HealthCodeInvalid."""
    if not code_text.startswith(PREFIX) or len(code_text) > TEXT_CHARACTERS_MAX:
        raise HealthCodeInvalid("not the text of an EHC1 code")
    try:
        signed = cose.read_signed(base45.decode(code_text[len(PREFIX) :]))
        claims = cbor.decode(signed.payload)
    except (base45.Base45Invalid, cose.CoseInvalid, cbor.CborInvalid) as error:
        raise HealthCodeInvalid(str(error)) from error
    if type(claims) is not dict or not _fits(claims):
        raise HealthCodeInvalid("not the claims of an EHC1 code")
    if claims[_ISS] != issuer:
        raise HealthCodeInvalid("another issuer's code")
    if not any(kid == signed.kid and cose.is_signed_by(key, EHC_AAD, signed) for kid, key in keys):
        raise HealthCodeInvalid("no such key, or not its signature")
    return HealthCode(claims[_ISS], claims[_TYPE], claims[_IAT], claims.get(_EXP), claims[_CARD], claims.get(_CTI))


def _fits(claims: dict[Any, Any]) -> bool:
    checks = next((c for c in (_STATIC, _STATIC_DATED, _DYNAMIC) if c.keys() == claims.keys()), None)
    if checks is None or not all(check(claims[number]) for number, check in checks.items()):
        return False
    if claims[_TYPE] == DYNAMIC:
        lives_s: int = claims[_EXP] - claims[_IAT]
        return 0 <= lives_s <= LIFE_S_MAX
    return True
