"""Aadhaar Secure QR: a number of up to 7,089 digits whose bytes are compressed fields, a photo and an RSA signature.

The format is UIDAI's Secure QR Code Specification (March 2019) and what its later versions are known to add: a version
("V2" to "V5") before all, the last four digits of a mobile number behind all. The law: what the signature covers is all
that is believed; a code names no key, so every pinned one is tried, and no other. Verification, in this order:

1. Number: decimal digits without a leading zero, so that a number has one text; its bytes (long_number.py).
2. Compression: one whole gzip (RFC 1952) or zlib (RFC 1950) stream that makes at most INFLATED_BYTES_MAX bytes. What a
   stream says beside its content (time, system, how it was packed) is not signed and not looked at.
3. Fields in ISO 8859-1, a byte of 255 behind each; then the photo, then a SHA-256 each of e-mail and mobile, if there.
   The reference id is four digits of the Aadhaar number and 17 of a time, which UIDAI writes as India's.
4. Keys: RS256 keys of the trust list, at most KEYS_MAX, those first that were valid when the code was made.
5. Signature, RSASSA-PKCS1-v1_5 with SHA-256, the last 256 bytes, over all bytes before.
6. The key was valid when the code was made; that it has ended since does not matter (docs/decisions/0190). Where the
   code does not say when, the key must be valid now.
7. Time: not certainly from the future. No code expires: `expiry` is never checked.
8. Revocation of the key. Whether the Aadhaar number still stands no list says: `revocation` is never checked.
"""

import re
from datetime import datetime
from typing import NamedTuple

from agent.core.codes.family import VALUE_CHARACTERS_MAX, Fact, Family, Refused
from agent.core.codes.validity import is_key_life_certain, require_in_time, require_key_valid, require_unrevoked
from agent.core.formats import inflate, long_number
from agent.core.legible import legible
from agent.core.scan import Scan
from agent.core.time_interval import Interval
from agent.core.trust_list import Trust, TrustedKey
from agent.core.verdict import Claims, Code, Outcome, Trace, Verdict

NAME = "aadhaar"
DIGITS_MIN = 620
"""A signature alone has 617: shorter numbers are other families'."""
DIGITS_MAX = 7_089
"""What the largest QR code holds (ISO/IEC 18004)."""
INFLATED_BYTES_MAX = 8_192
"""Real codes have 1,000 to 1,600 bytes, nearly all of them a photo and a signature that do not compress."""
KEYS_MAX = 16
"""Each costs a signature check; UIDAI has had fewer than ten."""
SIGNATURE_BYTES = 256
_HASH_BYTES = 32

_ALG = "RS256"
_SEPARATOR = b"\xff"
_SEPARATOR_TEXT = "\xff"  # in ISO 8859-1
_KINDS = {b"\x1f": inflate.GZIP, b"\x78": inflate.ZLIB}  # by the first byte of a stream
_VERSIONS = (b"V2", b"V3", b"V4", b"V5")
_VERSION_BYTES_MAX = 3
_REFERENCE = re.compile(r"[0-9]{21}")
_EPOCH = datetime(1970, 1, 1, 5, 30)  # noqa: DTZ001  # the beginning of 1970 as clocks in India showed it
_DAY_S = 86_400
_CONTACTS: dict[str, tuple[str, ...]] = {"0": (), "1": ("e-mail",), "2": ("mobile",), "3": ("e-mail", "mobile")}
_PHOTO_END = "\xff\xd9"  # JPEG and JPEG 2000: end of the picture; in ISO 8859-1
_PERSONAL = (
    "name", "date of birth", "gender", "care of", "district", "landmark", "house", "location", "postcode",
    "post office", "state", "street", "sub-district", "town",
)  # fmt: skip
_FIELDS = 2 + len(_PERSONAL)  # and before them which contacts there are, and the reference id
_VERIFIED = Outcome.VERIFIED  # Python 3.11 is slow to look it up


class Card(NamedTuple):
    """What a code says, as signed. personal: in the order of _PERSONAL. photo_bytes: its size."""

    version: str
    contacts: str
    reference: str
    personal: tuple[str, ...]
    mobile_end: str
    photo_bytes: int

    def __repr__(self) -> str:
        return "Card()"


def recognise(text: str, scan: Scan) -> Code | None:
    """Recognise by digits alone, so many that no other code has them."""
    return Code(NAME, text) if len(text) >= DIGITS_MIN and _is_number(text) else None


def verify(code: Code, trust: Trust | None, now: Interval, trace: Trace | None) -> Verdict:
    """Verify in the order of the module's docstring. Raises Refused."""
    # 1, 2
    content = _content(code.text)
    signed, signature = content[:-SIGNATURE_BYTES], content[-SIGNATURE_BYTES:]
    # 3
    card = _card(signed)
    claims = Claims(issued_at_s=_issued_at_s(card.reference), text=card.reference.encode("ascii"), content=card)
    if trace:
        trace("decode", f"version {card.version}, iat {claims.issued_at_s}, photo of {card.photo_bytes} bytes")
    # 4, 5
    keys = _keys(claims, trust)
    trusted = next((key for key in keys if key.key is not None and key.key.verify(signature, signed)), None)
    if trusted is None:
        raise Refused("signature.invalid", claims, detail=f"of none of the {len(keys)} keys")
    claims = Claims(None, trusted.issuer, trusted.key_id, claims.issued_at_s, text=claims.text, content=card)
    if trace:
        trace("key", f"{trusted.alg} of {trusted.issuer}, kid {trusted.key_id.hex()}; {len(keys)} at hand")
        trace("signature", "valid")
    # 6
    unchecked: tuple[str, ...] = ("expiry", "revocation")
    if claims.issued_at_s is None:
        require_key_valid(trusted, claims, now)
        unchecked = unchecked if is_key_life_certain(trusted, now) else ("time", *unchecked)
    elif not trusted.not_before_s <= claims.issued_at_s <= trusted.not_after_s:
        raise Refused("key.not-valid-at-issue", claims, detail="the key was not valid when the code was made")
    # 7
    require_in_time(claims, now)
    # 8
    revoked = trust.revoked if trust else None
    if revoked is not None:
        require_unrevoked(revoked, claims, trusted)
    if trace:
        trace("time", "not from the future; the format has no expiry")
        trace("revocation", "no list at hand" if revoked is None else "the key is not revoked")
    return Verdict(NAME, _VERIFIED, "ok", claims, unchecked)


def describe(claims: Claims) -> tuple[Fact, ...]:
    """Return the fields that are not empty, the contacts that are registered, and the photo's size."""
    card = claims.content
    if not isinstance(card, Card):
        return ()
    facts = [Fact("version", card.version), Fact("reference id", card.reference, is_personal=True)]
    named = zip((*_PERSONAL, "mobile ends in"), (*card.personal, card.mobile_end), strict=True)
    facts += [Fact(name, legible(value[:VALUE_CHARACTERS_MAX]), is_personal=True) for name, value in named if value]
    facts.append(Fact("registered", " and ".join(_CONTACTS[card.contacts]) or "neither e-mail nor mobile"))
    facts.append(Fact("photo", f"{card.photo_bytes} bytes"))
    return tuple(facts)


def _is_number(text: str) -> bool:
    """Say whether it is ASCII digits alone; bytes are asked, which is ten times faster than asking the text."""
    return len(text) <= DIGITS_MAX and text.isascii() and text.encode().isdigit()


def _content(text: str) -> bytes:
    """Steps 1 and 2."""
    if not _is_number(text) or text.startswith("0"):
        raise Refused("decode.number", detail="not digits alone, or a leading zero")
    packed = long_number.bytes_of(text)
    kind = _KINDS.get(packed[:1])
    if kind is None:
        raise Refused("decode.inflate", detail="neither gzip nor zlib")
    try:
        content = inflate.inflate(packed, kind, INFLATED_BYTES_MAX)
    except inflate.InflateInvalid as error:
        raise Refused("decode.inflate", detail=str(error)) from error
    if len(content) <= SIGNATURE_BYTES:
        raise Refused("decode.fields", detail="no more than a signature")
    return content


def _card(signed: bytes) -> Card:
    """Step 3."""
    version, fields = "1", _FIELDS
    if signed.startswith(b"V"):
        first = signed[:_VERSION_BYTES_MAX].partition(_SEPARATOR)[0]
        if first not in _VERSIONS:
            raise Refused("decode.version", detail="a version that is not known here")
        version, fields = first[1:].decode("ascii"), _FIELDS + 2
    texts = signed.decode("iso-8859-1").split(_SEPARATOR_TEXT, fields)
    if len(texts) <= fields:
        raise Refused("decode.fields", detail=f"fewer than {fields} fields")
    rest = texts.pop()  # a character for each byte
    mobile_end = texts.pop() if version != "1" else ""
    contacts, reference, *personal = texts[-_FIELDS:]
    if contacts not in _CONTACTS:
        raise Refused("decode.fields", detail="which contacts are registered is not 0 to 3")
    if not _REFERENCE.fullmatch(reference):
        raise Refused("decode.reference", detail="the reference id is not 21 digits")
    hashes = 0 if rest.endswith(_PHOTO_END) else _HASH_BYTES * len(_CONTACTS[contacts])  # newer codes leave them out
    if len(rest) < hashes:
        raise Refused("decode.fields", detail="cut short before the hashes of the contacts")
    return Card(version, contacts, reference, tuple(personal), mobile_end, len(rest) - hashes)


def _issued_at_s(reference: str) -> int | None:
    """Return when the code was made, to the second; None where the digits are no time."""
    try:  # the year begins after four digits of the number, milliseconds follow the second
        since = datetime.fromisoformat(f"{reference[4:12]}T{reference[12:18]}") - _EPOCH
    except ValueError:
        return None
    return since.days * _DAY_S + since.seconds if since.days >= 0 else None


def _keys(claims: Claims, trust: Trust | None) -> tuple[TrustedKey, ...]:
    """Step 4: what may have signed it, the likeliest first."""
    if trust is None:
        raise Refused("key.no-trust-list", claims, detail="no trust list")
    known = trust.trust_list.of_family(NAME)
    keys = [key for key in known if key.alg == _ALG and key.key is not None]
    if not keys:
        reason = "key.unknown" if known else "key.unknown-issuer"
        raise Refused(reason, claims, detail="the trust list has no RS256 key of this family")
    if len(keys) > 1 and claims.issued_at_s is not None:
        at_s = claims.issued_at_s
        keys.sort(key=lambda key: not key.not_before_s <= at_s <= key.not_after_s)
    return tuple(keys[:KEYS_MAX])


FAMILY = Family(NAME, recognise, verify, describe)
