"""The trust list: keys by (family, issuer, key id), their validity and usage, and what has been revoked.

The key decides the algorithm, never a code's header. Building a key from its DER is an adapter's work
(`agent/adapters/keys`); here a key is a value with `verify`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from agent.core.steps import Policy
from agent.core.time_interval import Interval


class TrustListInvalid(Exception):
    """The trust list cannot be used; the message names the entry and what is wrong."""


class VerificationKey(Protocol):
    """A public key. `verify` never raises on bad input: anything but a valid signature is False."""

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Check a signature in its COSE form: r || s of 64 bytes for ES256 and SM2, 64 bytes for EdDSA."""
        ...


KeyBuilder = Callable[[str, bytes], VerificationKey]
"""(algorithm name, DER SubjectPublicKeyInfo) -> key. Raises ValueError where the two do not fit."""


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """One entry. alg: "ES256" | "EdDSA" | "SM2" | "X25519". Instants in seconds since 1970.

    key is None for keys that verify nothing (X25519, to which data keys are sealed).
    """

    family: str
    issuer: str
    key_id: bytes
    alg: str
    usage: frozenset[str]
    not_before_s: int
    not_after_s: int
    spki: bytes
    key: VerificationKey | None


@dataclass(frozen=True, slots=True)
class TrustList:
    """The keys. version rises with every issue; issued_at_s is when."""

    version: int
    issued_at_s: int
    keys: Mapping[tuple[str, str, bytes], TrustedKey]
    issuers: frozenset[tuple[str, str]]  # (family, issuer): tells an unknown issuer from an unknown key

    def find(self, family: str, issuer: str, key_id: bytes) -> TrustedKey | None:
        """Return the key of exactly this family, issuer and key id."""
        return self.keys.get((family, issuer, key_id))

    def with_usage(self, family: str, usage: str) -> tuple[TrustedKey, ...]:
        """Return the keys of a family that carry a usage, e.g. ("platform", "receipt")."""
        return tuple(k for k in self.keys.values() if k.family == family and usage in k.usage)


class Freshness(StrEnum):
    """How far past its expiry the signed metadata is (grace ladder of trust-and-time.md)."""

    FRESH = "fresh"
    WARN = "warn"
    PROVISIONAL = "provisional"
    ONLINE_ONLY = "online-only"


@dataclass(frozen=True, slots=True)
class Trust:
    """What a terminal goes by, swapped as one: keys, revocations, policy.

    revoked: 8-byte prefixes (trust-and-time.md), or None when no list is at hand. expires_ms: when the signed metadata
    expires. laboratory: an unsigned file stands in for the signed list.
    """

    trust_list: TrustList
    policy: Policy | None
    revoked: frozenset[bytes] | None
    expires_ms: int | None
    laboratory: bool = field(default=False)

    def freshness(self, now: Interval) -> Freshness:
        """Place the list on the grace ladder, judged on the earliest possible time."""
        if self.expires_ms is None or self.policy is None or now.earliest_ms <= self.expires_ms:
            return Freshness.FRESH
        past_s = (now.earliest_ms - self.expires_ms) / 1000
        if past_s <= self.policy.offline.stale_normal_s:
            return Freshness.WARN
        if past_s <= self.policy.offline.stale_provisional_s:
            return Freshness.PROVISIONAL
        return Freshness.ONLINE_ONLY

    def age_s(self, now: Interval) -> int:
        """Whole seconds since the list was issued, at least, judged on the earliest possible time."""
        return max(0, now.earliest_ms // 1000 - self.trust_list.issued_at_s)
