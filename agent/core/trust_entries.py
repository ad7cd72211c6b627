"""Reads trust-list.json. The law: an entry that does not fit together refuses the list, named by its place and field.

A terminal, for which the list is signed and the only one, sets aside such keys of public lists instead: they verify
nothing and are named (docs/decisions/0232, 0251, 0268). Entries of families this agent does not know are kept, inert: a
newer platform may say more than this agent understands.
"""

import base64
import binascii
import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Literal, TypeGuard, TypeVar

import msgspec

from agent.core.formats.jwk import thumbprint
from agent.core.rid_lists import RidList, read_rid_list
from agent.core.trust_list import (
    END_OF_TIME_S,
    KEYS_OF_ONE_ID_MAX,
    TRUST_LIST_BYTES_MAX,
    X25519_SPKI_HEAD,
    AlgorithmUnavailable,
    Certificate,
    CertificateReader,
    CertificateRefused,
    KeyBuilder,
    TrustedKey,
    TrustList,
    TrustListInvalid,
    VerificationKey,
)

_FAMILIES = frozenset({"ehc", "platform"})  # of the national platform: every field must be there
CREDENTIAL_FAMILIES = frozenset({"hcert", "shc", "aadhaar", "vds-nc"})
"""Of public trust lists, which say less: what is not there limits nothing."""
_ISSUER = re.compile(r"[!-~]{1,32}")  # ehc1.cddl, issuer
KID = re.compile(r"(?:[0-9a-f]{2}){1,64}")
_ISSUER_CHARACTERS_MAX = 255

T = TypeVar("T")


class _Named(msgspec.Struct, frozen=True):
    """What an entry must say whoever it is of: its family decides how strictly the rest is read."""

    family: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]{1,16}$")]


class _KeyEntry(_Named, frozen=True):
    """One entry as written. Unknown fields are ignored: a newer platform may say more than this agent understands."""

    issuer: Annotated[str, msgspec.Meta(min_length=1, max_length=_ISSUER_CHARACTERS_MAX)]
    kid: str
    alg: Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
    spki: str | None = None
    x5c: Annotated[list[str], msgspec.Meta(min_length=1, max_length=8)] | None = None
    not_before: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    not_after: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    usage: frozenset[str] | None = None
    crl_version: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None = None


class _RevocationEntry(_Named, frozen=True):
    """An issuer's list of revoked cards as it published it: what it says itself is read by rid_lists.py."""

    issuer: object = None
    kid: object = None
    method: object = None
    ctr: object = None
    rids: object = None


class _About(msgspec.Struct, frozen=True):
    format: Literal["scanward-trust-list-1"]
    version: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    issued_at: Annotated[datetime, msgspec.Meta(tz=True)]
    revocations: list[_RevocationEntry] = []


class _TrustListFile(_About, frozen=True, kw_only=True):
    keys: list[_KeyEntry]


class _UnreadFile(_About, frozen=True, kw_only=True):
    keys: list[msgspec.Raw]


def parse_trust_list(
    data: bytes,
    build_key: KeyBuilder,
    read_certificate: CertificateReader | None = None,
    *,
    sets_aside: bool = False,
) -> TrustList:
    """Read trust-list.json (at most 4 MB). Raises TrustListInvalid, which names the entry by index and the field.

    read_certificate: for entries with x5c; without it they are refused. sets_aside: keys of public lists that do not
    fit together, or stand there too often, are left out and named in `TrustList.set_aside`.
    """
    if len(data) > TRUST_LIST_BYTES_MAX:
        raise TrustListInvalid(f"the trust list has {len(data)} bytes; at most {TRUST_LIST_BYTES_MAX} are read")
    set_aside = list[str]()
    file, entries = _read(data, set_aside if sets_aside else None)
    keys = list[tuple[str, TrustedKey]]()
    for index, entry in entries:
        place = f"keys[{index}]"
        if entry.family in _FAMILIES:
            keys.append((place, _platform_key(entry, place, build_key)))
            continue
        try:
            if entry.family in CREDENTIAL_FAMILIES:
                keys.append((place, _credential_key(entry, place, build_key, read_certificate)))
            else:
                keys.append((place, _inert_key(entry, place)))
        except TrustListInvalid as error:
            if not sets_aside:
                raise
            set_aside.append(f"{error} ({entry.family} of {entry.issuer})")
    found = _told_apart(keys, set_aside) if sets_aside else [key for _, key in keys]
    rid_lists = _rid_lists(file.revocations, found, set_aside if sets_aside else None)
    return TrustList(file.version, int(file.issued_at.timestamp()), tuple(found), rid_lists, tuple(set_aside))


def _read(data: bytes, set_aside: list[str] | None) -> tuple[_About, Iterable[tuple[int, _KeyEntry]]]:
    """Decode the file; with `set_aside`, entries of other families than the platform's may be malformed.

    Only a file with such an entry is read one by one: one without costs nothing more.
    """
    try:
        whole = _decoded(data, _TrustListFile)
        return whole, enumerate(whole.keys)
    except TrustListInvalid:
        if set_aside is None:
            raise
    file, entries = _decoded(data, _UnreadFile), list[tuple[int, _KeyEntry]]()
    for index, raw in enumerate(file.keys):
        place = f"keys[{index}]: "
        family = _decoded(raw, _Named, place).family  # where it cannot be read, it may be the platform's own
        try:
            entries.append((index, _decoded(raw, _KeyEntry, place)))
        except TrustListInvalid as error:
            if family in _FAMILIES:
                raise
            set_aside.append(f"{error} ({family})")
    return file, entries


def _decoded(data: bytes | msgspec.Raw, kind: type[T], place: str = "the trust list is not valid: ") -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except RecursionError as error:
        raise TrustListInvalid(f"{place}nested too deeply") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TrustListInvalid(f"{place}{error}") from error


def _told_apart(keys: list[tuple[str, TrustedKey]], set_aside: list[str]) -> list[TrustedKey]:
    """Set aside public keys beyond those that a name may have: the first stay (docs/decisions/0251).

    Two entries that name one and the same key are both the authority's word: what both allow counts.
    """
    found, places = list[TrustedKey](), defaultdict[tuple[str, ...], list[int]](list)
    for place, key in keys:
        is_many = key.family == "hcert"
        named = places[(key.family, key.key_id.hex()) if is_many else (key.family, key.issuer, key.key_id.hex())]
        same = [n for n in named if _is_same(found[n], key)] if key.family in CREDENTIAL_FAMILIES else []
        for n in same:
            found[n] = _narrowed(found[n], key)
        if same:
            how = "this key is there before, what both entries allow counts"
        elif key.family not in CREDENTIAL_FAMILIES or len(named) < (KEYS_OF_ONE_ID_MAX if is_many else 1):
            named.append(len(found))
            found.append(key)
            continue
        elif is_many:
            how = f"{KEYS_OF_ONE_ID_MAX} keys have this id before it"
        else:
            how = "this issuer has another key of this id before it, which counts"
        set_aside.append(f"{place}.kid: {how} ({key.family} of {key.issuer})")
    for _, key in keys:  # one without a certificate limits those with one that came after it, too
        for n in places[key.family, key.key_id.hex()] if key.family == "hcert" and key.certificate is None else ():
            if found[n] is not key and _is_same(found[n], key):
                found[n] = _narrowed(found[n], key)
    return found


def _is_same(one: TrustedKey, other: TrustedKey) -> bool:
    """Say whether two entries of one name are of one key.

    hcert's may differ in more: another issuer's word, algorithm or renewed certificate stands for itself.
    """
    if one.spki != other.spki:
        return False
    if one.family != "hcert":
        return True
    certificates = {_says(key.certificate) for key in (one, other) if key.certificate is not None}
    return (one.issuer, one.alg) == (other.issuer, other.alg) and len(certificates) <= 1


def _says(of: Certificate) -> tuple[object, ...]:
    """Return what of a certificate limits an hcert key."""
    return of.not_before_s, of.not_after_s, of.usages, of.may_sign, of.is_authority, of.country


def _narrowed(one: TrustedKey, other: TrustedKey) -> TrustedKey:
    """Return a key with what both of its entries allow, which may be nothing.

    One that signs certificates by the one and codes by the other is for neither.
    """
    not_before_s, not_after_s = max(one.not_before_s, other.not_before_s), min(one.not_after_s, other.not_after_s)
    is_for_nothing = (
        one.alg != other.alg
        or (one.key is None) != (other.key is None)
        or not _is_alike(one.certificate, other.certificate)
        or not_after_s < not_before_s
        or (bool(one.usage and other.usage) and not one.usage & other.usage)
    )
    versions = [version for version in (one.crl_version, other.crl_version) if version is not None]
    return replace(
        one,
        usage=one.usage & other.usage if one.usage and other.usage else one.usage | other.usage,
        not_before_s=not_before_s,
        not_after_s=min(not_after_s, not_before_s - 1) if is_for_nothing else not_after_s,  # for a third entry, too
        key=None if is_for_nothing else one.key,
        # an hcert key verifies nothing without its key, and is told by its certificate from a renewed one
        certificate=None if is_for_nothing and one.family != "hcert" else one.certificate or other.certificate,
        crl_version=max(versions, default=None),
    )


def _is_alike(one: Certificate | None, other: Certificate | None) -> bool:
    """Say whether two certificates of a key have it for the same; without one there is no limit."""
    if one is None or other is None:
        return True
    said = [(each.is_authority, each.may_sign, each.usages, each.document_types) for each in (one, other)]
    return said[0] == said[1]


def _platform_key(entry: _KeyEntry, place: str, build_key: KeyBuilder) -> TrustedKey:
    """Read an entry of the national platform's families: everything must be there and fit together."""
    if not _ISSUER.fullmatch(entry.issuer):
        raise TrustListInvalid(f"{place}.issuer: 1 to 32 printable ASCII characters")
    for name in ("spki", "not_before", "not_after", "usage"):
        if getattr(entry, name) is None:
            raise TrustListInvalid(f"{place}.{name}: missing")
    spki = _base64(entry.spki or "", f"{place}.spki")
    key_id = _kid(entry, place)
    if key_id != hashlib.sha256(spki).digest()[:8]:
        raise TrustListInvalid(f"{place}.kid: not the first 8 bytes of SHA-256 over the spki")
    not_before_s, not_after_s = _validity(entry, place)
    key: VerificationKey | None = None
    if entry.alg == "X25519":
        if not spki.startswith(X25519_SPKI_HEAD) or len(spki) != len(X25519_SPKI_HEAD) + 32:
            raise TrustListInvalid(f"{place}.spki: not an X25519 key")
    else:
        key = _key(entry.alg, spki, f"{place}.spki", build_key)
    usage = entry.usage or frozenset()
    return TrustedKey(entry.family, entry.issuer, key_id, entry.alg, usage, not_before_s, not_after_s, spki, key)


def _credential_key(
    entry: _KeyEntry, place: str, build_key: KeyBuilder, read_certificate: CertificateReader | None
) -> TrustedKey:
    """Read an entry of a public trust list: spki or x5c, the rest where it is given.

    A certificate's dates narrow those of the entry; its extended key usages are left to the family.
    """
    key_id = _kid(entry, place)
    not_before_s, not_after_s = _validity(entry, place)
    certificate: Certificate | None = None
    if entry.x5c is not None:
        certificate = _certificate(entry.x5c[0], f"{place}.x5c", read_certificate)
        not_before_s = max(not_before_s, certificate.not_before_s)
        not_after_s = min(not_after_s, certificate.not_after_s)
        if not_after_s < not_before_s:
            raise TrustListInvalid(f"{place}.not_after: the entry's dates and its certificate's do not meet")
    if entry.spki is None and certificate is None:
        raise TrustListInvalid(f"{place}: neither spki nor x5c")
    spki = _base64(entry.spki, f"{place}.spki") if entry.spki is not None else b""
    if certificate is not None:
        if spki and spki != certificate.spki:
            raise TrustListInvalid(f"{place}.spki: not the key of the certificate in x5c")
        spki = certificate.spki
    if entry.family == "shc":
        _require_thumbprint(key_id, spki, place)
    key: VerificationKey | None = None
    # An authority's key signs certificates alone, but for hcert: there a country may have one key for both, and the
    # family looks at the key usage itself, to say why it refuses.
    if certificate is None or entry.family == "hcert" or (certificate.may_sign and not certificate.is_authority):
        key = _key(entry.alg, spki, f"{place}.{'spki' if certificate is None else 'x5c'}", build_key)
    usage = entry.usage or frozenset()
    return TrustedKey(
        entry.family, entry.issuer, key_id, entry.alg, usage, not_before_s, not_after_s, spki, key, certificate,
        entry.crl_version,
    )  # fmt: skip


def _require_thumbprint(key_id: bytes, spki: bytes, place: str) -> None:
    """Check that an shc key is named as its framework has it: by its JWK thumbprint."""
    try:
        named = thumbprint(spki)
    except ValueError as error:
        raise TrustListInvalid(f"{place}: {error}") from error
    if key_id != named:
        raise TrustListInvalid(f"{place}.kid: not the JWK thumbprint of its key (RFC 7638)")


def _rid_lists(
    entries: list[_RevocationEntry], keys: list[TrustedKey], set_aside: list[str] | None
) -> tuple[RidList, ...]:
    """Read every list of revoked cards; two for one key are none that can be used.

    One that names no key refuses the trust list or, with `set_aside`, vouches for no card of the keys it may be of.
    """
    found = dict[tuple[str, str, bytes], RidList]()
    unnamed = set[tuple[str, str | None, bytes | None]]()
    for index, entry in enumerate(entries):
        issuer = entry.issuer if _is_issuer(entry.issuer) else None
        kid = bytes.fromhex(entry.kid) if isinstance(entry.kid, str) and KID.fullmatch(entry.kid) else None
        if issuer is None or kid is None:
            why = f"issuer: 1 to {_ISSUER_CHARACTERS_MAX} characters"
            if kid is None:
                why = "kid: lower-case hexadecimal, 1 to 64 bytes"
            if set_aside is None or entry.family in _FAMILIES:
                raise TrustListInvalid(f"revocations[{index}].{why}")
            unnamed.add((entry.family, issuer, kid))
            of = f"{entry.family} of {issuer or 'unknown'}"
            set_aside.append(f"revocations[{index}].{why}; no card of a key that it may be of is accepted ({of})")
            continue
        name = (entry.family, issuer, kid)
        if name in found:
            found[name] = RidList(*name, 0, {}, "there are two for this key")
        else:
            found[name] = read_rid_list(*name, entry.method, entry.ctr, entry.rids)
    for key in keys if unnamed else ():
        name = (key.family, key.issuer, key.key_id)
        may_be = ((key.family, None, None), (key.family, key.issuer, None), (key.family, None, key.key_id))
        if not unnamed.isdisjoint(may_be):
            found[name] = RidList(*name, 0, {}, "a list that names no key may be of this one")
    return tuple(found.values())


def _is_issuer(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and 1 <= len(value) <= _ISSUER_CHARACTERS_MAX


def _inert_key(entry: _KeyEntry, place: str) -> TrustedKey:
    """Keep an entry of a family this agent does not know: it verifies nothing, and does no harm."""
    usage = entry.usage or frozenset()
    not_before_s, not_after_s = _seconds(entry.not_before, 0), _seconds(entry.not_after, END_OF_TIME_S)
    return TrustedKey(
        entry.family, entry.issuer, _kid(entry, place), entry.alg, usage, not_before_s, not_after_s, b"", None
    )


def _key(alg: str, spki: bytes, place: str, build_key: KeyBuilder) -> VerificationKey | None:
    try:
        return build_key(alg, spki)
    except AlgorithmUnavailable:
        return None  # the code that needs it is refused, the rest of the list works
    except ValueError as error:
        raise TrustListInvalid(f"{place}: not a key for {alg}") from error


def _certificate(text: str, place: str, read_certificate: CertificateReader | None) -> Certificate:
    if read_certificate is None:
        raise TrustListInvalid(f"{place}: certificates are not read here")
    try:
        return read_certificate(_base64(text, place))
    except CertificateRefused as error:
        raise TrustListInvalid(f"{place}: {error}") from error


def _base64(text: str, place: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise TrustListInvalid(f"{place}: not base64") from error


def _kid(entry: _KeyEntry, place: str) -> bytes:
    if not KID.fullmatch(entry.kid):
        raise TrustListInvalid(f"{place}.kid: lower-case hexadecimal, 1 to 64 bytes")
    return bytes.fromhex(entry.kid)


def _validity(entry: _KeyEntry, place: str) -> tuple[int, int]:
    not_before_s, not_after_s = _seconds(entry.not_before, 0), _seconds(entry.not_after, END_OF_TIME_S)
    if not_after_s < not_before_s:
        raise TrustListInvalid(f"{place}.not_after: before not_before")
    return not_before_s, not_after_s


def _seconds(at: datetime | None, default: int) -> int:
    return default if at is None else int(at.timestamp())
