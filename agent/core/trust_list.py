"""The trust list: keys by (family, issuer, key id), their validity and usage, and what has been revoked.

The key decides the algorithm, never a code's header. Building a key from its DER is an adapter's work
(`agent/adapters/keys`); here a key is a value with `verify`. Whether the bytes may be believed (TUF) is for the trust
store.
"""

import base64
import binascii
import hashlib
import re
import sys
from array import array
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Literal, Protocol

import msgspec

from agent.core.steps import Policy
from agent.core.time_interval import Interval

TRUST_LIST_BYTES_MAX = 4 * 1024 * 1024
REVOKED_BYTES_MAX = 16 * 1024 * 1024  # 2 million entries
REVOKED_PREFIX_BYTES = 8
_STARTS = 4_096
_REST_BITS = 52
_FAMILIES = frozenset({"ehc", "platform"})  # what this agent verifies; entries of other families are kept, inert
_ISSUER = re.compile(r"[!-~]{1,32}")  # ehc1.cddl, issuer
_KID = re.compile(r"(?:[0-9a-f]{2}){1,64}")
X25519_SPKI_HEAD = bytes.fromhex("302a300506032b656e032100")  # RFC 8410 §4, then the 32 bytes
_END_OF_TIME_S = 253_402_300_799  # the last second of the year 9999


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


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """One entry. alg: "ES256" | "EdDSA" | "SM2" | "X25519". Instants in seconds since 1970.

    key is None for keys that verify nothing here: X25519 (data keys are sealed to it), an algorithm this machine lacks,
    a family this agent does not know.
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


class RevocationList:
    """What is revoked: sorted 8-byte prefixes of SHA-256, 8 bytes each in memory.

    A look-up is a binary search among those that share its first 12 bits: 244 of a million.
    """

    __slots__ = ("_kids", "_prefixes", "_starts")

    def __init__(self, prefixes: "array[int]") -> None:
        self._prefixes = prefixes
        self._starts = [bisect_left(prefixes, first << _REST_BITS) for first in range(_STARTS + 1)]
        self._kids: dict[tuple[str, bytes], bool] = {}  # answers given, one for each trusted key in use

    def __len__(self) -> int:
        return len(self._prefixes)

    def has_card(self, card: bytes) -> bool:
        """Say whether the card of these 32 raw bytes is revoked."""
        return self._has(hashlib.sha256(b"card" + card).digest())

    def has_kid(self, family: str, key_id: bytes) -> bool:
        """Say whether a family's key is revoked. Ask only about keys of the trust list: the answers are kept."""
        answer = self._kids.get((family, key_id))
        if answer is None:
            answer = self._has(hashlib.sha256(b"kid" + family.encode() + b"\x00" + key_id).digest())
            self._kids[family, key_id] = answer
        return answer

    def _has(self, digest: bytes) -> bool:
        prefix = int.from_bytes(digest[:REVOKED_PREFIX_BYTES], "big")
        first = prefix >> _REST_BITS
        end = self._starts[first + 1]
        at = bisect_left(self._prefixes, prefix, self._starts[first], end)
        return at < end and self._prefixes[at] == prefix


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


class _KeyEntry(msgspec.Struct, frozen=True):
    """One entry as written. Unknown fields are ignored: a newer platform may say more than this agent understands."""

    family: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]{1,16}$")]
    issuer: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    kid: str
    alg: Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
    spki: str | None = None
    not_before: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    not_after: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    usage: frozenset[str] | None = None


class _TrustListFile(msgspec.Struct, frozen=True):
    format: Literal["scanward-trust-list-1"]
    version: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    issued_at: Annotated[datetime, msgspec.Meta(tz=True)]
    keys: list[_KeyEntry]


def parse_trust_list(data: bytes, build_key: KeyBuilder) -> TrustList:
    """Read trust-list.json (at most 4 MB). Raises TrustListInvalid, which names the entry by index and the field."""
    if len(data) > TRUST_LIST_BYTES_MAX:
        raise TrustListInvalid(f"the trust list has {len(data)} bytes; at most {TRUST_LIST_BYTES_MAX} are read")
    try:
        file = msgspec.json.decode(data, type=_TrustListFile)
    except RecursionError as error:
        raise TrustListInvalid("the trust list is not valid: nested too deeply") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TrustListInvalid(f"the trust list is not valid: {error}") from error
    keys: dict[tuple[str, str, bytes], TrustedKey] = {}
    for index, entry in enumerate(file.keys):
        place = f"keys[{index}]"
        key = _known_key(entry, place, build_key) if entry.family in _FAMILIES else _inert_key(entry, place)
        name = (key.family, key.issuer, key.key_id)
        if name in keys:
            raise TrustListInvalid(f"{place}.kid: this family and issuer have this key twice")
        keys[name] = key
    issuers = frozenset((family, issuer) for family, issuer, _ in keys)
    return TrustList(file.version, int(file.issued_at.timestamp()), keys, issuers)


def parse_revoked(data: bytes) -> RevocationList:
    """Read revoked.bin: 8-byte prefixes in ascending order, none twice. Raises TrustListInvalid."""
    if len(data) > REVOKED_BYTES_MAX:
        raise TrustListInvalid(f"the revocation list has {len(data)} bytes; at most {REVOKED_BYTES_MAX} are read")
    if len(data) % REVOKED_PREFIX_BYTES:
        raise TrustListInvalid(f"the revocation list has {len(data)} bytes: not a multiple of {REVOKED_PREFIX_BYTES}")
    prefixes = array("Q", data)
    if sys.byteorder == "little":
        prefixes.byteswap()
    if any(here >= following for here, following in pairwise(prefixes)):
        raise TrustListInvalid("the revocation list is not in ascending order")
    return RevocationList(prefixes)


def _known_key(entry: _KeyEntry, place: str, build_key: KeyBuilder) -> TrustedKey:
    """Read an entry of a family this agent verifies: everything must be there and fit together."""
    if not _ISSUER.fullmatch(entry.issuer):
        raise TrustListInvalid(f"{place}.issuer: 1 to 32 printable ASCII characters")
    for name in ("spki", "not_before", "not_after", "usage"):
        if getattr(entry, name) is None:
            raise TrustListInvalid(f"{place}.{name}: missing")
    try:
        spki = base64.b64decode(entry.spki or "", validate=True)
    except (binascii.Error, ValueError) as error:
        raise TrustListInvalid(f"{place}.spki: not base64") from error
    key_id = _kid(entry, place)
    if key_id != hashlib.sha256(spki).digest()[:8]:
        raise TrustListInvalid(f"{place}.kid: not the first 8 bytes of SHA-256 over the spki")
    not_before_s, not_after_s = _seconds(entry.not_before, 0), _seconds(entry.not_after, _END_OF_TIME_S)
    if not_after_s < not_before_s:
        raise TrustListInvalid(f"{place}.not_after: before not_before")
    key: VerificationKey | None = None
    if entry.alg == "X25519":
        if not spki.startswith(X25519_SPKI_HEAD) or len(spki) != len(X25519_SPKI_HEAD) + 32:
            raise TrustListInvalid(f"{place}.spki: not an X25519 key")
    else:
        try:
            key = build_key(entry.alg, spki)
        except AlgorithmUnavailable:
            key = None  # the code that needs it is refused, the rest of the list works
        except ValueError as error:
            raise TrustListInvalid(f"{place}.spki: not a key for {entry.alg}") from error
    usage = entry.usage or frozenset()
    return TrustedKey(entry.family, entry.issuer, key_id, entry.alg, usage, not_before_s, not_after_s, spki, key)


def _inert_key(entry: _KeyEntry, place: str) -> TrustedKey:
    """Keep an entry of a family this agent does not know: it verifies nothing, and does no harm."""
    return TrustedKey(
        family=entry.family,
        issuer=entry.issuer,
        key_id=_kid(entry, place),
        alg=entry.alg,
        usage=entry.usage or frozenset(),
        not_before_s=_seconds(entry.not_before, 0),
        not_after_s=_seconds(entry.not_after, _END_OF_TIME_S),
        spki=b"",
        key=None,
    )


def _kid(entry: _KeyEntry, place: str) -> bytes:
    if not _KID.fullmatch(entry.kid):
        raise TrustListInvalid(f"{place}.kid: lower-case hexadecimal, 1 to 64 bytes")
    return bytes.fromhex(entry.kid)


def _seconds(at: datetime | None, default: int) -> int:
    return default if at is None else int(at.timestamp())
