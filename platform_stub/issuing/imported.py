"""Keys of public trust lists in the platform's own: checked here, kept in imported.json, signed with the next version.

The law: every entry is checked by the platform's own code, and one that a terminal could not use is refused by its
place while the rest is taken. What may follow what was taken before: following.py. The platform's own families are
never taken from a file.
"""

import base64
import binascii
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from asn1crypto import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

FORMAT = "scanward-trust-list-1"
ALGORITHMS = {
    "hcert": ("ES256", "PS256"),
    "shc": ("ES256",),
    "aadhaar": ("RS256",),
    "vds-nc": ("ES256",),
}
AUTHORITY_ALGORITHMS = ("ES256", "ES384", "ES512", "RS256", "PS256")
TRUST_LIST_BYTES_MAX = 4 * 1024 * 1024  # terminals read no more
REVOKED_BYTES_MAX = 16 * 1024 * 1024
PREFIX_BYTES = 8
KEYS_OF_ONE_ID_MAX = 8  # of hcert, whose ids may name several keys
ISSUER_CHARACTERS_MAX = 255
CERTIFICATE_BYTES_MAX = 8_192
USAGES_MAX, USAGE_LENGTH_MAX = 16, 64
RIDS_MAX, RID_CHARACTERS_MAX = 100_000, 64
METHOD_CHARACTERS_MAX = 64
NUMBER_MAX = 2**63 - 1
_PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
_FAMILY = re.compile(r"[a-z0-9-]{1,16}")
_KID = re.compile(r"(?:[0-9a-f]{2}){1,64}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_KEY_FIELDS = (
    "family", "issuer", "kid", "alg", "spki", "x5c", "not_before", "not_after", "usage", "crl_version", "source",
)  # fmt: skip
_LIST_FIELDS = ("family", "issuer", "kid", "method", "ctr", "rids", "source")


class ImportInvalid(Exception):
    """The file cannot be taken; the message names the entry and what is wrong."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What was taken. left_out: families of the file that are not taken from files, with how many entries.

    refused: entries that were not taken, one line each, by their place.
    """

    keys: tuple[dict[str, Any], ...] = ()
    revocations: tuple[dict[str, Any], ...] = ()
    left_out: tuple[tuple[str, int], ...] = ()
    refused: tuple[str, ...] = ()

    def families(self) -> dict[str, int]:
        """Return how many keys there are of each family."""
        return dict(sorted(Counter(key["family"] for key in self.keys).items()))


def parse_imported(data: bytes) -> Imported:
    """Read the entries of public families of a trust list. Raises ImportInvalid for what is no trust list."""
    if len(data) > TRUST_LIST_BYTES_MAX:
        raise ImportInvalid(f"{len(data)} bytes; terminals read at most {TRUST_LIST_BYTES_MAX}")
    try:
        file = json.loads(data, object_pairs_hook=_each_name_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ImportInvalid(f"not a trust list: {error}") from error
    if not isinstance(file, dict) or file.get("format") != FORMAT:
        raise ImportInvalid(f"not a trust list of the format {FORMAT}")
    entries = _list_of(file, "keys")
    keys, lists, refused = list[dict[str, Any]](), list[dict[str, Any]](), list[str]()
    names, left_out = Counter[tuple[str, ...]](), Counter[str]()
    for place, entry in entries:
        try:
            if (family := _require_family(entry, place)) in ALGORITHMS:
                keys.append(_require_room(_key(entry, place), place, names))
            else:
                left_out[family] += 1
        except ImportInvalid as error:
            refused.append(f"{error} ({_called(entry)})")
    for place, entry in _list_of(file, "revocations"):
        try:
            _require_family(entry, place)
            lists.append(_revocations(entry, place))
        except ImportInvalid as error:
            refused.append(f"{error} ({_called(entry)})")
            lists += _void(entry, place)
    return Imported(tuple(keys), tuple(lists), tuple(sorted(left_out.items())), tuple(refused))


def _called(entry: dict[str, Any]) -> str:
    """Return family and issuer, without what could play tricks on a screen."""
    text = f"{str(entry.get('family'))[:16]} of {str(entry.get('issuer'))[:ISSUER_CHARACTERS_MAX]}"
    return "".join(character if character.isprintable() else "?" for character in text)


def parse_prefixes(data: bytes) -> bytes:
    """Return a file of sorted 8-byte prefixes as it stands. Raises ImportInvalid."""
    if len(data) > REVOKED_BYTES_MAX or len(data) % PREFIX_BYTES:
        wanted = f"a whole number of {PREFIX_BYTES}-byte prefixes, {REVOKED_BYTES_MAX} bytes at most"
        raise ImportInvalid(f"no revoked.bin: {wanted}")
    prefixes = [data[at : at + PREFIX_BYTES] for at in range(0, len(data), PREFIX_BYTES)]
    if any(here >= following for here, following in pairwise(prefixes)):
        raise ImportInvalid("no revoked.bin: its prefixes are not in ascending order")
    return data


def encode(imported: Imported) -> bytes:
    """Return imported.json."""
    value = {"format": FORMAT, "keys": imported.keys, "revocations": imported.revocations}
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()


def read_imported(path: Path) -> Imported:
    """Read imported.json; nothing where there is none. Raises ImportInvalid."""
    try:
        return parse_imported(path.read_bytes())
    except FileNotFoundError:
        return Imported()
    except (OSError, ImportInvalid) as error:
        raise ImportInvalid(f"{path}: {error}") from error


def read_trust_list(path: Path) -> bytes:
    """Return a trust list's bytes. Raises ImportInvalid with the file's name."""
    return _read(path, TRUST_LIST_BYTES_MAX, parse_imported)


def read_prefixes(path: Path) -> bytes:
    """Return the bytes of a file of prefixes. Raises ImportInvalid with the file's name."""
    return _read(path, REVOKED_BYTES_MAX, parse_prefixes)


def _read(path: Path, bytes_max: int, parse: Callable[[bytes], object]) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(bytes_max + 1)
        parse(data)
    except OSError as error:
        raise ImportInvalid(f"{path}: {error.strerror}; nothing was changed") from error
    except ImportInvalid as error:
        raise ImportInvalid(f"{path}: {error}; nothing was changed") from error
    return data


def _each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice in one object")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _list_of(file: dict[str, Any], name: str) -> list[tuple[str, dict[str, Any]]]:
    entries = file.get(name, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ImportInvalid(f"{name}: not a list of objects")
    return [(f"{name}[{index}]", entry) for index, entry in enumerate(entries)]


def _require_family(entry: dict[str, Any], place: str) -> str:
    family = entry.get("family")
    if not isinstance(family, str) or not _FAMILY.fullmatch(family):
        raise ImportInvalid(f"{place}.family: 1 to 16 of a-z, 0-9 and -")
    return family


def _key(entry: dict[str, Any], place: str) -> dict[str, Any]:
    """Check one entry; return it without what is unknown. Only authorities of vds-nc come as certificates."""
    _require_named(entry, place)
    if "x5c" in entry:
        _require_authority(entry, place)
    elif entry.get("alg") not in ALGORITHMS[entry["family"]]:
        raise ImportInvalid(f"{place}.alg: one of {', '.join(ALGORITHMS[entry['family']])}")
    else:
        key = _require_key(entry["alg"], _decoded(entry.get("spki"), f"{place}.spki"), f"{place}.spki")
        if entry["family"] == "shc" and entry["kid"] != _thumbprint(key).hex():
            raise ImportInvalid(f"{place}.kid: not the key's thumbprint (RFC 7638)")
    _require_dates(entry, place)
    usage = entry.get("usage", [])
    if not isinstance(usage, list) or len(usage) > USAGES_MAX or not all(_is_text(u, USAGE_LENGTH_MAX) for u in usage):
        raise ImportInvalid(f"{place}.usage: a list of at most {USAGES_MAX} words")
    if "crl_version" in entry and not _is_number(entry["crl_version"]):
        raise ImportInvalid(f"{place}.crl_version: a whole number")
    return {name: entry[name] for name in _KEY_FIELDS if name in entry}


def _require_named(entry: dict[str, Any], place: str) -> None:
    if not _is_text(entry.get("issuer"), ISSUER_CHARACTERS_MAX):
        raise ImportInvalid(f"{place}.issuer: 1 to {ISSUER_CHARACTERS_MAX} characters")
    if not isinstance(entry.get("kid"), str) or not _KID.fullmatch(entry["kid"]):
        raise ImportInvalid(f"{place}.kid: lower-case hexadecimal, 1 to 64 bytes")
    if "source" in entry and not _is_text(entry["source"], 2 * ISSUER_CHARACTERS_MAX):
        raise ImportInvalid(f"{place}.source: 1 to {2 * ISSUER_CHARACTERS_MAX} characters")


def _require_key(alg: str, spki: bytes, place: str) -> _PublicKey:
    """Return the key. Raises ImportInvalid where it is not one for the algorithm, in its one usual form."""
    try:
        key = load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ImportInvalid(f"{place}: not a public key") from error
    if alg == "ES256" and isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        found: _PublicKey = key
    elif alg != "ES256" and isinstance(key, rsa.RSAPublicKey) and 2_048 <= key.key_size <= 4_096:
        found = key
    else:
        raise ImportInvalid(f"{place}: not a key for {alg}")
    if found.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != spki:
        raise ImportInvalid(f"{place}: not the key's usual DER")
    return found


def _thumbprint(key: _PublicKey) -> bytes:
    """Return the SHA-256 thumbprint of a P-256 key as a JWK (RFC 7638 §3)."""
    point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    x, y = (base64.urlsafe_b64encode(half).rstrip(b"=").decode() for half in (point[1:33], point[33:]))
    return hashlib.sha256(f'{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'.encode()).digest()


def _require_authority(entry: dict[str, Any], place: str) -> None:
    """Check an authority of vds-nc: one certificate and no more. Good DER is not asked for: real ones have none."""
    if entry["family"] != "vds-nc" or entry.keys() & {"spki", "not_before", "not_after"}:
        raise ImportInvalid(f"{place}.x5c: only of vds-nc, alone; for others write spki and dates")
    if entry.get("alg") not in AUTHORITY_ALGORITHMS:
        raise ImportInvalid(f"{place}.alg: one of {', '.join(AUTHORITY_ALGORITHMS)}")
    chain = entry["x5c"]
    if not isinstance(chain, list) or len(chain) != 1:
        raise ImportInvalid(f"{place}.x5c: one certificate")
    der = _decoded(chain[0], f"{place}.x5c")
    try:
        certificate = x509.Certificate.load(der, strict=True)
        is_authority = bool(certificate.ca)
        load_der_public_key(certificate.public_key.dump())
        ends = certificate.not_valid_after >= certificate.not_valid_before
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, UnsupportedAlgorithm) as error:
        raise ImportInvalid(f"{place}.x5c: not a certificate that can be read") from error
    if len(der) > CERTIFICATE_BYTES_MAX or not is_authority or not ends:
        raise ImportInvalid(f"{place}.x5c: not an authority's certificate of at most {CERTIFICATE_BYTES_MAX} bytes")


def _require_dates(entry: dict[str, Any], place: str) -> None:
    """Check dates to the letter: terminals use no entry with one of another form. As texts they compare."""
    dates = list[str]()
    for name in ("not_before", "not_after"):
        if name not in entry:
            continue
        try:
            if not _DATE.fullmatch(entry[name]):
                raise ValueError("another form")
            datetime.fromisoformat(entry[name])
        except (TypeError, ValueError) as error:
            raise ImportInvalid(f"{place}.{name}: not of the form 2026-11-21T08:00:00Z") from error
        dates.append(entry[name])
    if dates != sorted(dates):
        raise ImportInvalid(f"{place}.not_after: before not_before")


def _require_room(key: dict[str, Any], place: str, names: Counter[tuple[str, ...]]) -> dict[str, Any]:
    """Return the key, counted among those of its name. Raises ImportInvalid where there are enough of them."""
    is_many = key["family"] == "hcert"
    name = (key["family"], key["kid"]) if is_many else (key["family"], key["issuer"], key["kid"])
    if names[name] >= (KEYS_OF_ONE_ID_MAX if is_many else 1):
        before = f"{KEYS_OF_ONE_ID_MAX} keys of this id stand" if is_many else "this issuer's key of this id stands"
        raise ImportInvalid(f"{place}.kid: {before} in the file before; take one of them out of it")
    names[name] += 1
    return key


def _void(entry: dict[str, Any], place: str) -> list[dict[str, Any]]:
    """Return a list that vouches for nothing in the place of one that cannot be read: its key's cards are refused."""
    try:
        _require_named(entry, place)
    except ImportInvalid:
        return []
    about = {"family": "shc", "issuer": entry["issuer"], "kid": entry["kid"]}
    return [about | {"method": "malformed", "ctr": 0, "rids": []}] if entry.get("family") == "shc" else []


def _revocations(entry: dict[str, Any], place: str) -> dict[str, Any]:
    """Check a revocation list's frame; what it says of itself, malformed or not, is for the terminals to judge."""
    _require_named(entry, place)
    if entry["family"] != "shc":
        raise ImportInvalid(f"{place}.family: only shc has such lists")
    if not _is_text(entry.get("method"), METHOD_CHARACTERS_MAX) or not _is_number(entry.get("ctr")):
        raise ImportInvalid(f"{place}: method is a word and ctr a whole number")
    rids = entry.get("rids")
    if not isinstance(rids, list) or len(rids) > RIDS_MAX or not all(_is_text(rid, RID_CHARACTERS_MAX) for rid in rids):
        raise ImportInvalid(f"{place}.rids: a list of at most {RIDS_MAX} ids")
    return {name: entry[name] for name in _LIST_FIELDS if name in entry}


def _is_text(value: Any, characters_max: int) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= characters_max and value.isprintable()


def _is_number(value: Any) -> bool:
    return type(value) is int and 0 <= value <= NUMBER_MAX


def _decoded(text: Any, place: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise ImportInvalid(f"{place}: not base64") from error
