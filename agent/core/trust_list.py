"""The trust list: keys by (family, issuer, key id), their validity and usage, and what has been revoked.

The key decides the algorithm, never a code's header. Building a key from its DER is an adapter's work
(`agent/adapters/keys`); here a key is a value with `verify`. Whether the bytes may be believed (TUF) is for the trust
store.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from agent.core.revocation import RevocationList
from agent.core.rid_lists import RidList
from agent.core.steps import Policy
from agent.core.time_interval import Interval

TRUST_LIST_BYTES_MAX = 4 * 1024 * 1024
KEYS_OF_ONE_ID_MAX = 8  # each costs a signature check: hcert's 8-byte ids may name several keys
NAMED_ONCE = frozenset({"ehc", "platform", "shc", "aadhaar", "vds-nc"})
"""Families in which an issuer has one key of an id. What others do is not known here: they verify nothing."""
END_OF_TIME_S = 253_402_300_799  # the last second of the year 9999: the end of an entry that has none
X25519_SPKI_HEAD = bytes.fromhex("302a300506032b656e032100")  # RFC 8410 §4, then the 32 bytes


class TrustListInvalid(Exception):
    """The trust list cannot be used; the message names the entry and what is wrong."""


class VerificationKey(Protocol):
    """A public key. `verify` never raises on bad input: anything but a valid signature is False."""

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Check a signature in its COSE form: r || s of 64 bytes for ES256 and SM2, 64 bytes for EdDSA."""
        ...


class AlgorithmUnavailable(Exception):
    """This machine cannot verify with that algorithm; the entry is kept without a key and the list stays usable."""


KeyBuilder = Callable[[str, bytes], VerificationKey]
"""(algorithm name, DER SubjectPublicKeyInfo) -> key.

Raises ValueError where the two do not fit, AlgorithmUnavailable where the algorithm is not to be had on this machine.
"""


class CertificateRefused(ValueError):
    """Not a certificate, not vouched for, or not one that may do this; the message says why, without its names."""


class Certificate(Protocol):
    """An X.509 certificate (RFC 5280), read but not yet believed. Reading and checking it is an adapter's work."""

    @property
    def spki(self) -> bytes:
        """DER SubjectPublicKeyInfo."""
        ...

    @property
    def not_before_s(self) -> int:
        """Seconds since 1970."""
        ...

    @property
    def not_after_s(self) -> int:
        """Seconds since 1970."""
        ...

    @property
    def country(self) -> str | None:
        """The subject's countryName as written, or None."""
        ...

    @property
    def usages(self) -> frozenset[str]:
        """The extended key usages as dotted numbers; empty where the certificate has no such extension."""
        ...

    @property
    def is_authority(self) -> bool:
        """Whether it may sign certificates (RFC 5280 §4.2.1.9)."""
        ...

    @property
    def may_sign(self) -> bool:
        """Whether its key usage, where it has one, allows signatures over data (RFC 5280 §4.2.1.3)."""
        ...

    @property
    def document_types(self) -> frozenset[str]:
        """What a signer of travel documents is for (ICAO Doc 9303-12), e.g. "NV"; empty where it does not say."""
        ...

    def key(self, alg: str) -> VerificationKey:
        """Return its key for an algorithm. Raises as a KeyBuilder."""
        ...

    def vouch(self, der: bytes) -> "Certificate":
        """Return the certificate of these bytes, signed by this authority's key. Raises CertificateRefused."""
        ...


CertificateReader = Callable[[bytes], Certificate]
"""DER -> certificate. Raises CertificateRefused."""


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """One entry. alg: "ES256" | "EdDSA" | "SM2" | "X25519" | "PS256" | "RS256". Instants in seconds since 1970.

    usage: of a credential's family, empty means for everything. key is None for keys that verify nothing here: X25519
    (data keys are sealed to it), an algorithm this machine lacks, a family this agent does not know, an authority's.
    certificate: where the entry brought one. crl_version: of an shc key whose issuer revokes cards (rid_lists.py).
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
    certificate: Certificate | None = None
    crl_version: int | None = None


@dataclass(frozen=True)
class TrustList:
    """The keys, and which cards of them are revoked. version rises with every issue; issued_at_s is when.

    set_aside: why entries of public lists are not among the keys, one line each, by their place.
    Raises TrustListInvalid where one family, issuer and key id names two keys (hcert's may, up to
    KEYS_OF_ONE_ID_MAX; of families that are not known here no more is asked).
    """

    version: int
    issued_at_s: int
    keys: tuple[TrustedKey, ...] = ()
    rid_lists: tuple[RidList, ...] = ()
    set_aside: tuple[str, ...] = ()
    _by_name: Mapping[tuple[str, str, bytes], TrustedKey] = field(init=False, repr=False, compare=False)
    _by_id: Mapping[tuple[str, bytes], tuple[TrustedKey, ...]] = field(init=False, repr=False, compare=False)
    _by_issuer: Mapping[tuple[str, str], tuple[TrustedKey, ...]] = field(init=False, repr=False, compare=False)
    _rid_lists: Mapping[tuple[str, str, bytes], RidList] = field(init=False, repr=False, compare=False)
    _by_family: Mapping[str, tuple[TrustedKey, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_name = dict[tuple[str, str, bytes], TrustedKey]()
        by_id = defaultdict[tuple[str, bytes], list[TrustedKey]](list)
        by_issuer = defaultdict[tuple[str, str], list[TrustedKey]](list)
        by_family = defaultdict[str, list[TrustedKey]](list)
        for index, key in enumerate(self.keys):
            if by_name.setdefault((key.family, key.issuer, key.key_id), key) is not key and key.family in NAMED_ONCE:
                raise TrustListInvalid(f"keys[{index}].kid: this family and issuer have this key twice")
            by_id[key.family, key.key_id].append(key)
            by_issuer[key.family, key.issuer].append(key)
            by_family[key.family].append(key)
            if key.family == "hcert" and len(by_id[key.family, key.key_id]) > KEYS_OF_ONE_ID_MAX:
                raise TrustListInvalid(f"keys[{index}].kid: more than {KEYS_OF_ONE_ID_MAX} keys have this id")
        object.__setattr__(self, "_by_name", by_name)
        object.__setattr__(self, "_by_id", {name: tuple(keys) for name, keys in by_id.items()})
        object.__setattr__(self, "_by_family", {name: tuple(keys) for name, keys in by_family.items()})
        object.__setattr__(self, "_by_issuer", {name: tuple(keys) for name, keys in by_issuer.items()})
        object.__setattr__(self, "_rid_lists", {(one.family, one.issuer, one.key_id): one for one in self.rid_lists})

    def find(self, family: str, issuer: str, key_id: bytes) -> TrustedKey | None:
        """Return the key of exactly this family, issuer and key id."""
        return self._by_name.get((family, issuer, key_id))

    def rid_list(self, family: str, issuer: str, key_id: bytes) -> RidList | None:
        """Return the list of revoked cards for this key, or None where none is at hand."""
        return self._rid_lists.get((family, issuer, key_id))

    def find_all(self, family: str, key_id: bytes) -> tuple[TrustedKey, ...]:
        """Return every key of a family with this id, whoever the issuer."""
        return self._by_id.get((family, key_id), ())

    def of_issuer(self, family: str, issuer: str) -> tuple[TrustedKey, ...]:
        """Return every key of an issuer; empty where the issuer is unknown."""
        return self._by_issuer.get((family, issuer), ())

    def of_family(self, family: str) -> tuple[TrustedKey, ...]:
        """Return every key of a family."""
        return self._by_family.get(family, ())

    def with_usage(self, family: str, usage: str) -> tuple[TrustedKey, ...]:
        """Return the keys of a family that carry a usage, e.g. ("platform", "receipt")."""
        return tuple(key for key in self.of_family(family) if usage in key.usage)


class Freshness(StrEnum):
    """How far past its expiry the signed metadata is (grace ladder of trust-and-time.md)."""

    FRESH = "fresh"
    WARN = "warn"
    PROVISIONAL = "provisional"
    ONLINE_ONLY = "online-only"


@dataclass(frozen=True, slots=True)
class Trust:
    """What a terminal goes by, swapped as one: keys, revocations, policy.

    revoked: None when no list is at hand. expires_ms: when the signed metadata expires. laboratory: an unsigned file
    stands in for the signed list.
    """

    trust_list: TrustList
    policy: Policy | None
    revoked: RevocationList | None
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
