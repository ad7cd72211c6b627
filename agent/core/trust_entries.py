"""Reads trust-list.json. The law: an entry that does not fit together refuses the list, named by its place and field.

A terminal, for which the list is signed and the only one, sets aside such keys of public lists instead: they verify
nothing and are named (docs/decisions/0232, 0251). Entries of families this agent does not know are kept, inert: a newer
platform may say more than this agent understands.
"""

import base64
import binascii
import hashlib
import re
from collections import defaultdict
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Literal

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
_KID = re.compile(r"(?:[0-9a-f]{2}){1,64}")


class _KeyEntry(msgspec.Struct, frozen=True):
    """One entry as written. Unknown fields are ignored: a newer platform may say more than this agent understands."""

    family: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]{1,16}$")]
    issuer: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    kid: str
    alg: Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
    spki: str | None = None
    x5c: Annotated[list[str], msgspec.Meta(min_length=1, max_length=8)] | None = None
    not_before: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    not_after: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    usage: frozenset[str] | None = None
    crl_version: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None = None


class _RevocationEntry(msgspec.Struct, frozen=True):
    """An issuer's list of revoked cards as it published it: what it says itself is read by rid_lists.py."""

    family: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]{1,16}$")]
    issuer: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    kid: str
    method: object = None
    ctr: object = None
    rids: object = None


class _TrustListFile(msgspec.Struct, frozen=True):
    format: Literal["scanward-trust-list-1"]
    version: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    issued_at: Annotated[datetime, msgspec.Meta(tz=True)]
    keys: list[_KeyEntry]
    revocations: list[_RevocationEntry] = []


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
    try:
        file = msgspec.json.decode(data, type=_TrustListFile)
    except RecursionError as error:
        raise TrustListInvalid("the trust list is not valid: nested too deeply") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TrustListInvalid(f"the trust list is not valid: {error}") from error
    keys = list[tuple[str, TrustedKey]]()
    set_aside = list[str]()
    for index, entry in enumerate(file.keys):
        place = f"keys[{index}]"
        if entry.family in _FAMILIES:
            keys.append((place, _platform_key(entry, place, build_key)))
        elif entry.family in CREDENTIAL_FAMILIES:
            try:
                keys.append((place, _credential_key(entry, place, build_key, read_certificate)))
            except TrustListInvalid as error:
                if not sets_aside:
                    raise
                set_aside.append(f"{error} ({entry.family} of {entry.issuer})")
        else:
            keys.append((place, _inert_key(entry, place)))
    issued_at_s, rid_lists = int(file.issued_at.timestamp()), _rid_lists(file.revocations)
    found = _told_apart(keys, set_aside) if sets_aside else [key for _, key in keys]
    return TrustList(file.version, issued_at_s, tuple(found), rid_lists, tuple(set_aside))


def _told_apart(keys: list[tuple[str, TrustedKey]], set_aside: list[str]) -> list[TrustedKey]:
    """Set aside public keys beyond those that a name may have: the first stay (docs/decisions/0251).

    Two entries that name one and the same key are both the authority's word: what both allow counts.
    """
    found, places = list[TrustedKey](), defaultdict[tuple[str, ...], list[int]](list)
    for place, key in keys:
        is_many = key.family == "hcert"
        named = places[(key.family, key.key_id.hex()) if is_many else (key.family, key.issuer, key.key_id.hex())]
        if key.family not in CREDENTIAL_FAMILIES or len(named) < (KEYS_OF_ONE_ID_MAX if is_many else 1):
            named.append(len(found))
            found.append(key)
            continue
        how = f"{KEYS_OF_ONE_ID_MAX} keys have this id before it"
        if not is_many:
            how = "this issuer has another key of this id before it, which counts"
        for at in named:
            if (found[at].issuer, found[at].spki) == (key.issuer, key.spki):
                found[at] = _narrowed(found[at], key)
                how = "this key is there before, what both entries allow counts"
        set_aside.append(f"{place}.kid: {how} ({key.family} of {key.issuer})")
    return found


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
        certificate=None if is_for_nothing else one.certificate or other.certificate,
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


def _rid_lists(entries: list[_RevocationEntry]) -> tuple[RidList, ...]:
    """Read every list of revoked cards; two for one key are none that can be used."""
    found = dict[tuple[str, str, bytes], RidList]()
    for index, entry in enumerate(entries):
        if not _KID.fullmatch(entry.kid):
            raise TrustListInvalid(f"revocations[{index}].kid: lower-case hexadecimal, 1 to 64 bytes")
        name = (entry.family, entry.issuer, bytes.fromhex(entry.kid))
        if name in found:
            found[name] = RidList(*name, 0, {}, "there are two for this key")
        else:
            found[name] = read_rid_list(*name, entry.method, entry.ctr, entry.rids)
    return tuple(found.values())


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
    if not _KID.fullmatch(entry.kid):
        raise TrustListInvalid(f"{place}.kid: lower-case hexadecimal, 1 to 64 bytes")
    return bytes.fromhex(entry.kid)


def _validity(entry: _KeyEntry, place: str) -> tuple[int, int]:
    not_before_s, not_after_s = _seconds(entry.not_before, 0), _seconds(entry.not_after, END_OF_TIME_S)
    if not_after_s < not_before_s:
        raise TrustListInvalid(f"{place}.not_after: before not_before")
    return not_before_s, not_after_s


def _seconds(at: datetime | None, default: int) -> int:
    return default if at is None else int(at.timestamp())
