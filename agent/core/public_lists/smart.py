"""Issuers of SMART Health Cards: the VCI directory's snapshot, or one issuer's JWK set with its revocation lists.

The law: a key id is the key's thumbprint (RFC 7638), and belongs to this issuer alone. A malformed revocation list is
written down as one that can be relied on for nothing: every card of that key is refused.
"""

import re
from typing import Any

from agent.core.formats.json_text import JsonInvalid, decode_object
from agent.core.formats.jwk import thumbprint
from agent.core.public_lists.intake import EntryRefused, Intake, ListUnreadable, object_of, objects_of, require_issuer
from agent.core.public_lists.jwk import base64url_of, first_certificate, p256_spki, require_public
from agent.core.rid_lists import METHOD, read_rid_list

MALFORMED = "malformed"  # a method no card knows
_ISSUER = re.compile(r"https://[!-~]+")


def read_directory(data: bytes, intake: Intake) -> None:
    """Read a snapshot of the VCI directory. Raises ListUnreadable."""
    for index, info in enumerate(objects_of(object_of(data, "the snapshot").get("issuerInfo"), "issuerInfo")):
        place = f"issuerInfo[{index}]"
        try:
            if not isinstance(info, dict) or not isinstance(info.get("issuer"), dict):
                raise EntryRefused("not-an-entry", "no issuer")
            issuer = _issuer(info["issuer"].get("iss"))
        except EntryRefused as error:
            intake.refuse(place, error)
            continue
        keys = objects_of(info.get("keys", []), f"{place}.keys")
        crls = objects_of(info.get("crls") or [], f"{place}.crls")
        _read_issuer(intake, issuer, keys, [(f"{place}.crls[{n}]", crl) for n, crl in enumerate(crls)], f"{place}.keys")


def read_keys(data: bytes, intake: Intake, revocation_lists: list[tuple[str, bytes]]) -> None:
    """Read one issuer's JWK set, and its revocation lists as (place, bytes). Raises ListUnreadable."""
    if intake.choices.issuer is None:
        raise ListUnreadable("a JWK set does not say whose it is: give --issuer, the iss of its cards")
    try:
        issuer = _issuer(intake.choices.issuer)
    except EntryRefused as error:
        raise ListUnreadable(f"--issuer: {error}") from error
    keys = objects_of(object_of(data, "the JWK set").get("keys"), "keys")
    crls = list[tuple[str, Any]]()
    for place, text in revocation_lists:
        try:
            crls.append((place, decode_object(text)))
        except JsonInvalid as error:
            raise ListUnreadable(f"{place}: {error}; whose list it is cannot be told, so nothing is taken") from error
    _read_issuer(intake, issuer, keys, crls, "keys")


def _issuer(text: object) -> str:
    """Return an issuer as cards name it: https, no slash at the end. Raises EntryRefused."""
    issuer = require_issuer(text)
    if not _ISSUER.fullmatch(issuer) or issuer.endswith("/"):
        raise EntryRefused("issuer-invalid", "an issuer begins with https:// and does not end with a slash")
    return issuer


def _read_issuer(intake: Intake, issuer: str, keys: list[Any], crls: list[tuple[str, Any]], place: str) -> None:
    """Take an issuer's keys, then what it has revoked."""
    versions = dict[bytes, int | None]()
    for index, jwk in enumerate(keys):
        kid: bytes | None = None
        try:
            if not isinstance(jwk, dict):
                raise EntryRefused("not-an-entry", "not an object")
            kid = base64url_of(jwk.get("kid"))
            versions[_take_key(intake, issuer, jwk)] = jwk.get("crlVersion")
        except EntryRefused as error:
            intake.refuse(f"{place}[{index}]", error, issuer, kid)
    listed = dict[bytes, dict[str, Any]]()
    for where, crl in crls:
        _read_list(intake, issuer, versions, listed, where, crl)
    intake.revocations.extend(listed.values())
    for kid, version in versions.items():
        if version is not None and kid not in listed:
            intake.remark(place, "no-revocation-list", "the key offers one, the list was not given", issuer, kid)


def _take_key(intake: Intake, issuer: str, jwk: dict[str, Any]) -> bytes:
    """Take one key; return its id. Raises EntryRefused."""
    require_public(jwk)
    if jwk.get("use") != "sig" or jwk.get("alg") != "ES256":
        raise EntryRefused("not-for-signing", 'a key of an issuer has use "sig" and alg "ES256"')
    spki = p256_spki(jwk)
    kid = thumbprint(spki)
    if base64url_of(jwk.get("kid")) != kid:
        raise EntryRefused("kid-differs", "kid is not the key's thumbprint")
    version = jwk.get("crlVersion")
    if version is not None and (type(version) is not int or not 0 <= version < 2**63):
        raise EntryRefused("crl-version-malformed", "crlVersion is not a whole number")
    if "x5c" in jwk and intake.certificate(first_certificate(jwk)).spki != spki:
        raise EntryRefused("key-differs", "x and y are not the key of the certificate in x5c")
    intake.take_key("shc", issuer, kid, spki, {} if version is None else {"crl_version": version})
    return kid


def _read_list(
    intake: Intake,
    issuer: str,
    versions: dict[bytes, int | None],
    listed: dict[bytes, dict[str, Any]],
    place: str,
    crl: Any,
) -> None:
    """Take a revocation list into `listed`; a malformed one as such."""
    kid = base64url_of(crl.get("kid")) if isinstance(crl, dict) else None
    if kid is None or kid not in versions:
        intake.refuse(place, EntryRefused("kid-unknown", "no key that was taken has this id"), issuer, kid)
        return
    about = {"family": "shc", "issuer": issuer, "kid": kid.hex()}
    why = read_rid_list("shc", issuer, kid, crl.get("method"), crl.get("ctr"), crl.get("rids")).why_invalid
    if why is None and kid in listed:
        why = "two lists for one key"
    if why is not None:
        intake.refuse(place, EntryRefused("list-malformed", f"{why}; every card of this key is refused"), issuer, kid)
        listed[kid] = about | {"method": MALFORMED, "ctr": 0, "rids": [], "source": intake.choices.source}
        return
    listed[kid] = about | {
        "method": METHOD, "ctr": crl["ctr"], "rids": list(crl["rids"]), "source": intake.choices.source,
    }  # fmt: skip
    if crl["ctr"] != versions[kid]:
        detail = "ctr is not the key's crlVersion: the list and the keys were not fetched together"
        intake.remark(place, "ctr-differs", detail, issuer, kid)
