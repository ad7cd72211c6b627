"""Issuers for fuzzing: keys that are quick, and that remember what they vouched for.

A keyed hash stands for the signature, so that a million inputs can each be signed anew; real keys have a target of
their own (parsers.py). The law for targets: nothing is `verified` unless one of these keys said yes to just its bytes.
"""

import hashlib
from dataclasses import dataclass, field

from agent.core.revocation import RevocationList, parse_revoked
from agent.core.time_interval import Interval
from agent.core.trust_list import Certificate, CertificateRefused, Trust, TrustedKey, TrustList, VerificationKey

NOW_S = 1_800_000_000
NOW = Interval(NOW_S * 1000 - 1000, NOW_S * 1000 + 1000)
_NOT_BEFORE_S, _NOT_AFTER_S = NOW_S - 365 * 86_400, NOW_S + 365 * 86_400


@dataclass(slots=True)
class Seal:
    """A key of one label; sizes in bytes. vouched: what it said yes to since it was last emptied."""

    label: bytes
    size: int = 64
    vouched: list[bytes] = field(default_factory=list)

    def sign(self, message: bytes) -> bytes:
        """Return what stands for the signature."""
        return hashlib.shake_128(self.label + message).digest(self.size)

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Implement VerificationKey."""
        if signature != self.sign(message):
            return False
        self.vouched.append(message)
        return True


@dataclass(frozen=True, slots=True)
class SealCertificate:
    """A certificate of a seal, and an authority that vouches for the certificates it was given."""

    seal: Seal
    country: str | None = "UT"
    is_authority: bool = False
    issued: dict[bytes, "SealCertificate"] = field(default_factory=dict)
    spki: bytes = b"no key that anybody has"
    not_before_s: int = _NOT_BEFORE_S
    not_after_s: int = _NOT_AFTER_S
    usages: frozenset[str] = frozenset()
    may_sign: bool = True
    document_types: frozenset[str] = frozenset()

    def key(self, alg: str) -> VerificationKey:
        """Implement Certificate."""
        return self.seal

    def vouch(self, der: bytes) -> Certificate:
        """Implement Certificate. Raises CertificateRefused."""
        try:
            return self.issued[der]
        except KeyError:
            raise CertificateRefused("not one of this authority's") from None


def trusted(
    family: str, issuer: str, key_id: bytes, alg: str, key: Seal | None, certificate: SealCertificate | None = None
) -> TrustedKey:
    """Return the trust list's entry of a seal."""
    usage = frozenset({"static", "dynamic"} if family == "ehc" else ())
    return TrustedKey(family, issuer, key_id, alg, usage, _NOT_BEFORE_S, _NOT_AFTER_S, b"", key, certificate)


def trust_of(*keys: TrustedKey, revoked: RevocationList | None = None) -> Trust:
    """Return what a terminal with these keys goes by."""
    return Trust(TrustList(1, NOW_S - 86_400, keys), None, revoked or parse_revoked(b""), None)
