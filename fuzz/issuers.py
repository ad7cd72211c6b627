"""Issuers for fuzzing: keys that are quick, and that remember what they vouched for.

A keyed hash stands for the signature, so that a million inputs can each be signed anew; real keys have a target of
their own (parsers.py). The law for targets: nothing is `verified` unless one of these keys said yes to just its bytes.
"""

import hashlib
from dataclasses import dataclass, field

from agent.core.revocation import RevocationList, parse_revoked
from agent.core.rid_lists import RidList
from agent.core.time_interval import Interval
from agent.core.trust_list import Certificate, CertificateRefused, Trust, TrustedKey, TrustList, VerificationKey

NOW_S = 1_800_000_000
NOW = Interval(NOW_S * 1000 - 1000, NOW_S * 1000 + 1000)
NOT_BEFORE_S, NOT_AFTER_S = NOW_S - 365 * 86_400, NOW_S + 365 * 86_400


@dataclass(slots=True)
class Seal:
    """A key of one label; sizes in bytes. vouched: what it said yes to since it was last emptied.

    issuer, key_id: whose it is by the trust list; kinds: what it may state, everything where none is named.
    """

    label: bytes
    size: int = 64
    issuer: str = ""
    key_id: bytes = b""
    kinds: frozenset[str] = frozenset()
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
    not_before_s: int = NOT_BEFORE_S
    not_after_s: int = NOT_AFTER_S
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


def trusted(family: str, seal: Seal, alg: str = "ES256") -> TrustedKey:
    """Return the trust list's entry of a seal."""
    return TrustedKey(family, seal.issuer, seal.key_id, alg, seal.kinds, NOT_BEFORE_S, NOT_AFTER_S, seal.label, seal)


def keyless(
    family: str, issuer: str, key_id: bytes, alg: str, certificate: SealCertificate | None = None
) -> TrustedKey:
    """Return an entry without a key: an authority's, or one of an algorithm that a machine lacks."""
    return TrustedKey(family, issuer, key_id, alg, frozenset(), NOT_BEFORE_S, NOT_AFTER_S, b"", None, certificate)


def trust_of(*keys: TrustedKey, rid_lists: tuple[RidList, ...] = (), revoked: RevocationList | None = None) -> Trust:
    """Return what a terminal with these keys goes by."""
    return Trust(TrustList(1, NOW_S - 86_400, keys, rid_lists), None, revoked or parse_revoked(b""), None)
