"""What an import takes, and why it refused the rest: the entries, remarks and refusals of one run.

The law: what is taken here is read by `parse_trust_list` as it stands. Whether the list itself may be believed is for
whoever fetched it: an import says that it did not check the list's own signature, unless it did.
"""

import base64
import binascii
import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from agent.core.codes import hcert, vds_nc
from agent.core.formats.json_text import JsonInvalid, decode_object
from agent.core.trust_list import (
    KEYS_OF_ONE_ID_MAX,
    AlgorithmUnavailable,
    Certificate,
    CertificateReader,
    CertificateRefused,
    KeyBuilder,
    VerificationKey,
)

ENTRIES_MAX = 20_000
LIST_BYTES_MAX = 16 * 1024 * 1024
DETAIL_CHARACTERS_MAX = 200
ISSUER_CHARACTERS_MAX = 255
EXPIRED_S_MAX = 30 * 86_400  # an hcert key that ended longer ago proves nothing any more
KID_BYTES_MAX = 64
_ALGORITHMS = {"hcert": ("ES256", "PS256"), "shc": ("ES256",), "aadhaar": ("RS256",), "vds-nc": ("ES256",)}
_EC_PUBLIC_KEY = bytes.fromhex("06072a8648ce3d0201")  # RFC 5480 §2.1.1, id-ecPublicKey
_CURVES = {bytes.fromhex("06052b81040022"): "ES384", bytes.fromhex("06052b81040023"): "ES512"}  # RFC 5480 §2.1.1.1
_SEAL_ISSUER = re.compile(r"[A-Z]{1,3}")  # ICAO Doc 9303-3, section 5
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")


class ListUnreadable(Exception):
    """The file is not a list of the format; the message says what is wrong with it."""


class EntryRefused(Exception):
    """One entry cannot be taken. reason: a stable word of docs/trust.md."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Remark:
    """What is said about one entry: its place in the list, its issuer and key id as far as known."""

    place: str
    reason: str
    detail: str = ""
    issuer: str | None = None
    kid: str | None = None

    def as_json(self) -> dict[str, str]:
        """Return what is known, for the report."""
        named = {"place": self.place, "reason": self.reason, "detail": self.detail}
        return {name: text for name, text in named.items() if text} | {
            name: text for name, text in (("issuer", self.issuer), ("kid", self.kid)) if text is not None
        }


@dataclass(frozen=True, slots=True)
class Choices:
    """What whoever imports has chosen. issuer: for lists that name none. now_s: seconds since 1970.

    list_key: of whoever signs the list, where its signature is to be checked. takes_older_lists: lists of revoked
    cards count as they are, also those that their issuer has replaced since.
    """

    source: str
    now_s: int
    list_key: VerificationKey | None = None
    family: str | None = None
    issuer: str | None = None
    keep_expired: bool = False
    takes_older_lists: bool = False
    domains: frozenset[str] = frozenset({"DCC"})


@dataclass(slots=True)
class Intake:
    """Collects one import. revoked: entries for revoked.bin, 8 bytes each."""

    choices: Choices
    build_key: KeyBuilder
    read_certificate: CertificateReader
    entries: list[dict[str, Any]] = field(default_factory=list)
    revocations: list[dict[str, Any]] = field(default_factory=list)
    revoked: set[bytes] = field(default_factory=set)
    refused: list[Remark] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    is_signature_checked: bool = False
    _keys: set[tuple[str, str, str, str]] = field(default_factory=set)
    _names: Counter[tuple[Any, ...]] = field(default_factory=Counter)

    @property
    def accepted(self) -> int:
        """How many entries, of whatever kind, were taken."""
        return len(self.entries) + len(self.revocations) + len(self.revoked)

    def refuse(self, place: str, error: EntryRefused, issuer: object = None, kid: bytes | None = None) -> None:
        """Write down why an entry is not taken."""
        name = issuer[:ISSUER_CHARACTERS_MAX] if isinstance(issuer, str) else None
        detail = str(error)[:DETAIL_CHARACTERS_MAX]
        self.refused.append(Remark(place, error.reason, detail, name, kid.hex() if kid is not None else None))

    def remark(self, place: str, reason: str, detail: str, issuer: str, kid: bytes) -> None:
        """Write down what is odd about an entry that is taken."""
        self.remarks.append(Remark(place, reason, detail[:DETAIL_CHARACTERS_MAX], issuer, kid.hex()))

    def take_certificate(
        self, family: str, issuer: str, kid: bytes, certificate: Certificate, usage: Sequence[str] = ()
    ) -> None:
        """Take a signer's certificate: its key, dates and purposes, so that a terminal need not read it again.

        usage: where the family has it in something other than the key usages. Raises EntryRefused.
        """
        if certificate.is_authority:
            raise EntryRefused("authority", "an authority's certificate: it signs certificates, not codes")
        is_for_seals = vds_nc.PURPOSE in certificate.usages
        if not certificate.may_sign or (family == "vds-nc" and not is_for_seals):
            raise EntryRefused("not-for-signing", "its key usages say that it does not sign codes of this family")
        is_of_travel = any(usage.startswith(hcert.TRAVEL_DOCUMENTS) for usage in certificate.usages)
        is_for_codes = dcc_usage(certificate.usages) or hcert.ANY_USAGE in certificate.usages
        if family == "hcert" and is_of_travel and not is_for_codes:
            raise EntryRefused("not-for-signing", "its key usages are those of travel documents alone")
        entry: dict[str, Any] = dates_of(certificate)
        ended_s = self.choices.now_s - certificate.not_after_s
        if family == "hcert" and ended_s > EXPIRED_S_MAX and not self.choices.keep_expired:
            raise EntryRefused("expired", f"ended {entry['not_after']}")
        usage = dcc_usage(certificate.usages) if family == "hcert" else usage
        self.take_key(family, issuer, kid, certificate.spki, entry | ({"usage": list(usage)} if usage else {}))

    def take_key(self, family: str, issuer: str, kid: bytes, spki: bytes, more: Mapping[str, Any]) -> None:
        """Take a key by its DER SubjectPublicKeyInfo. Raises EntryRefused."""
        alg = self._alg(family, spki)
        self._take(family, issuer, kid, alg, {"spki": base64.b64encode(spki).decode()} | dict(more))

    def take_authority(self, family: str, issuer: str, kid: bytes, der: bytes) -> None:
        """Take an authority's certificate whole: it has to vouch for signers. Raises EntryRefused."""
        certificate = self.certificate(der)
        dates_of(certificate)  # a terminal that reads it would refuse dates that are none
        spki = certificate.spki
        alg = next((name for oid, name in _CURVES.items() if oid in spki), None)
        if alg is None:
            alg = "ES256" if _EC_PUBLIC_KEY in spki else "RS256"  # a name only: an authority verifies no code
        self._take(family, issuer, kid, alg, {"x5c": [base64.b64encode(der).decode()]})

    def _take(self, family: str, issuer: str, kid: bytes, alg: str, more: dict[str, Any]) -> None:
        require_issuer(issuer)
        if family == "vds-nc" and not _SEAL_ISSUER.fullmatch(issuer):
            raise EntryRefused("issuer-invalid", "an issuer of seals is 1 to 3 capital letters, as hdr.is in its codes")
        if not 1 <= len(kid) <= KID_BYTES_MAX:
            raise EntryRefused("bad-kid", f"1 to {KID_BYTES_MAX} bytes")
        key = more["spki"] if "spki" in more else more["x5c"][0]
        if (family, issuer, kid.hex(), key) in self._keys:
            raise EntryRefused("duplicate", "this key stands in the list before")
        entry = {"family": family, "issuer": issuer, "kid": kid.hex(), "alg": alg}
        name, entries_max = found_by(entry)
        if self._names[name] >= entries_max:
            raise EntryRefused("too-many-of-one-id", "other keys with this key id stand in the list before")
        self._keys.add((family, issuer, kid.hex(), key))
        self._names[name] += 1
        self.entries.append(entry | more | {"source": self.choices.source})

    def _alg(self, family: str, spki: bytes) -> str:
        """Return the algorithm of a family that fits the key: the key decides, never a list."""
        whys = list[str]()
        for alg in _ALGORITHMS[family]:
            try:
                self.build_key(alg, spki)
            except (ValueError, AlgorithmUnavailable) as error:
                whys.append(str(error))
            else:
                return alg
        is_curve = _EC_PUBLIC_KEY in spki  # families that take both kinds name ES256 first
        raise EntryRefused("curve-unsupported" if is_curve else "key-unsupported", whys[0 if is_curve else -1])

    def require_signed(self, signature: bytes, message: bytes) -> None:
        """Check the list's own signature, where a key for it was given. Raises ListUnreadable."""
        if self.choices.list_key is None:
            return
        if not self.choices.list_key.verify(signature, message):
            raise ListUnreadable("the list's own signature does not fit the key of --signed-by: nothing is taken")
        self.is_signature_checked = True

    def certificate(self, der: bytes) -> Certificate:
        """Read a certificate. Raises EntryRefused."""
        try:
            return self.read_certificate(der)
        except CertificateRefused as error:
            raise EntryRefused("not-a-certificate", str(error)) from error


def found_by(entry: Mapping[str, Any]) -> tuple[tuple[Any, ...], int]:
    """Return what codes find an entry by, and how many entries may have it (decision 0180)."""
    family, kid = entry.get("family"), entry.get("kid")
    return ((family, kid), KEYS_OF_ONE_ID_MAX) if family == hcert.NAME else ((family, entry.get("issuer"), kid), 1)


def dates_of(certificate: Certificate) -> dict[str, Any]:
    """Return a certificate's validity as an entry has it. Raises EntryRefused."""
    dates = {"not_before": utc(certificate.not_before_s), "not_after": utc(certificate.not_after_s)}
    if certificate.not_after_s < certificate.not_before_s:
        raise EntryRefused("dates-inverted", f"{dates['not_before']} to {dates['not_after']}")
    return dates


def dcc_usage(usages: frozenset[str]) -> list[str]:
    """Return t, v, r for the extended key usages of a signer; none of them named, or any allowed, means every one."""
    if hcert.ANY_USAGE in usages:
        return []
    return sorted({hcert.USAGES[usage] for usage in usages if usage in hcert.USAGES})


def require_issuer(issuer: object) -> str:
    """Return an issuer's name as trust-list.json takes it. Raises EntryRefused."""
    if not isinstance(issuer, str) or not issuer:
        raise EntryRefused("issuer-missing", "the entry names no country or issuer: give --issuer")
    if len(issuer) > ISSUER_CHARACTERS_MAX or not issuer.isprintable():
        raise EntryRefused("issuer-invalid", f"1 to {ISSUER_CHARACTERS_MAX} printable characters")
    return issuer


def base64_of(text: object, what: str) -> bytes:
    """Decode base64 (RFC 4648 §4), with or without its padding. Raises EntryRefused."""
    if isinstance(text, str) and _BASE64.fullmatch(text):
        try:
            return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), validate=True)
        except binascii.Error:
            pass
    raise EntryRefused("not-base64", what)


def kid_of(text: object) -> bytes:
    """Decode a key id in base64. Raises EntryRefused."""
    if not isinstance(text, str) or not text:
        raise EntryRefused("no-kid", "the entry has no key id")
    kid = base64_of(text, "kid")
    if not 1 <= len(kid) <= KID_BYTES_MAX:
        raise EntryRefused("bad-kid", f"1 to {KID_BYTES_MAX} bytes")
    return kid


def short_hash(data: bytes) -> bytes:
    """Return the first 8 bytes of SHA-256: an hcert key id over the certificate's DER."""
    return hashlib.sha256(data).digest()[:8]


def object_of(data: bytes, what: str) -> dict[str, Any]:
    """Return the object that a file holds. Raises ListUnreadable."""
    try:
        return decode_object(data)
    except JsonInvalid as error:
        raise ListUnreadable(f"{what} is not valid: {error}") from error


def json_of(data: bytes) -> Any:
    """Return an object or a list; a list is read as the one member of an object. Raises ListUnreadable."""
    if not data.lstrip().startswith(b"["):
        return object_of(data, "the list")
    wrapped = object_of(b'{"list":' + data + b"}", "the list")
    if wrapped.keys() != {"list"}:
        raise ListUnreadable("the list is not valid: not JSON")
    return wrapped["list"]


def objects_of(value: object, place: str) -> list[Any]:
    """Return a list of at most ENTRIES_MAX members. Raises ListUnreadable."""
    if not isinstance(value, list):
        raise ListUnreadable(f"{place} is not a list")
    if len(value) > ENTRIES_MAX:
        raise ListUnreadable(f"{place} has {len(value)} members; at most {ENTRIES_MAX} are read")
    return value


def utc(at_s: int) -> str:
    """Write an instant as trust-list.json has it. Raises EntryRefused for one no calendar has."""
    try:
        return datetime.fromtimestamp(at_s, UTC).isoformat().replace("+00:00", "Z")  # strftime writes year 1 as "1"
    except (ValueError, OverflowError, OSError) as error:
        raise EntryRefused("dates-inverted", "a date no calendar has") from error
