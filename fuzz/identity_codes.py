"""Aadhaar Secure QR and ICAO VDS-NC to fuzz: the layers outside, and contents of every shape, signed anew."""

import gzip
import json
import zlib
from typing import Any

from agent.core.verdict import Claims
from fuzz import layers
from fuzz.choices import Choices, value
from fuzz.issuers import NOW_S, Seal, SealCertificate, keyless, trust_of, trusted
from fuzz.signed import SignedFamily

_AADHAAR_SEAL = Seal(b"aadhaar", layers.AADHAAR_SIGNATURE_BYTES, "UIDAI", b"uidai-1")
_AADHAAR_NEXT = Seal(b"aadhaar-next", layers.AADHAAR_SIGNATURE_BYTES, "UIDAI", b"uidai-2")
_AADHAAR_STRANGER = Seal(b"aadhaar-stranger", layers.AADHAAR_SIGNATURE_BYTES)
_AADHAAR_SEALS = (_AADHAAR_SEAL, _AADHAAR_NEXT)
_BOMB_BYTES = 60_000
_FIELDS = ("0", "123420261201101500123", "Nobody Invented", "01-01-1980", "M", *("",) * 12)
_PHOTO = b"\xff\x4f\xff\x51" + bytes(range(256)) * 3 + b"\xff\xd9"

_PURPOSE = frozenset({"2.23.136.1.1.14.2"})
_KINDS = {"NV": "icao.vacc", "NT": "icao.test"}


def _signer(label: bytes, issuer: str, **about: Any) -> SealCertificate:
    kinds = frozenset(_KINDS[kind] for kind in about.get("document_types", ()))
    return SealCertificate(Seal(label, issuer=issuer, kinds=kinds), issuer[:2], **({"usages": _PURPOSE} | about))


_SIGNERS = {
    b"the signer's certificate of the fuzzer": _signer(b"bcs", "UTO"),
    b"for vaccinations alone": _signer(b"bcs-nv", "UTO", document_types=frozenset({"NV"})),
    b"for something else": _signer(b"bcs-else", "UTO", usages=frozenset({"1.2.3"})),
    b"without a purpose": _signer(b"bcs-none", "UTO", usages=frozenset()),
    b"of another country": _signer(b"bcs-foreign", "XXO"),
    b"no longer valid": _signer(b"bcs-ended", "UTO", not_after_s=NOW_S - 10),
    b"an authority itself": _signer(b"bcs-authority", "UTO", is_authority=True),
}
_OTHER_SIGNERS = {b"of the other authority": _signer(b"bcs-other", "OTO")}
_MAY = {b"the signer's certificate of the fuzzer", b"for vaccinations alone", b"of the other authority"}
_SIGNER_DER = next(iter(_SIGNERS))
_SIGNER_SEAL = _SIGNERS[_SIGNER_DER].seal
_CSCA = SealCertificate(Seal(b"csca", issuer="UTO"), "UT", is_authority=True, issued=_SIGNERS)
_OTHER_CSCA = SealCertificate(Seal(b"csca-other", issuer="OTO"), "OT", is_authority=True, issued=_OTHER_SIGNERS)
_PINNED = Seal(b"a key that is pinned by its own bytes", issuer="PIN", kinds=frozenset({"icao.test"}))
_ISSUED = {**_SIGNERS, **_OTHER_SIGNERS}
_DATA: dict[str, object] = {
    "hdr": {"is": "UTO", "t": "icao.vacc", "v": 1},
    "msg": {
        "pid": {"dob": "1980-01-01", "n": "NOBODY INVENTED", "sex": "X"},
        "uvci": "U32870",
        "ve": [
            {"des": "XM68M6", "dis": "RA01.0", "nam": "None", "vd": [{"ctr": "UTO", "dvc": "2026-12-01", "seq": 1}]}
        ],
    },
}
_NAMES = ("hdr", "msg", "is", "t", "v", "pid", "dob", "n", "uvci", "utci", "ve", "vd", "des", "sig", "data")


def aadhaar() -> SignedFamily:
    """Return what there is to fuzz in Aadhaar's codes."""
    first = "\u00ff".join(_FIELDS).encode("latin-1") + b"\xff" + _PHOTO
    newer = "\u00ff".join(("V5", *_FIELDS, "1234")).encode("latin-1") + b"\xff" + _PHOTO
    return SignedFamily(
        "aadhaar",
        trust_of(*(trusted("aadhaar", seal, "RS256") for seal in _AADHAAR_SEALS)),
        _AADHAAR_SEALS,
        (_aadhaar_signed(first), _aadhaar_signed(newer)),
        _aadhaar_signed_of,
        (
            layers.decimal,
            _packed,
            _aadhaar_signed,
            _aadhaar_fields,
            _aadhaar_zlib,
            _aadhaar_bomb,
            _aadhaar_crossed,
        ),
        (
            (0, gzip.compress(first, mtime=0)),
            (1, first + _AADHAAR_SEAL.sign(first)),
            (2, first),
            (3, bytes((3, 4)) + b"1234"),
            (4, newer),
            (5, b"\xff" + first[:100]),
            (6, bytes(3)),
        ),
        _aadhaar_may_verify,
        ("123420261201101500123", "Nobody Invented", "01-01-1980"),
        (b"\xff", b"V2\xff", b"V5\xff", b"\x1f\x8b\x08", b"\x78\x9c"),
    )


def _packed(content: bytes) -> str:
    return layers.aadhaar_text(content, level=1)


def _aadhaar_signed(content: bytes) -> str:
    return _packed(content + _AADHAAR_SEAL.sign(content))


def _aadhaar_crossed(data: bytes) -> str:
    """Sign with any key, pinned or not, other fields than are sent, or as another version or at another time."""
    choices = Choices(data)
    seal = (_AADHAAR_SEAL, _AADHAAR_NEXT, _AADHAAR_STRANGER)[choices.byte() % 3]
    form, fields = choices.byte() % 6, list(_FIELDS)
    if form == 1:
        fields[1] = f"1234{(1999, 2020, 2030, 9999)[choices.byte() % 4]}1201101500123"
    sent = signed = "\u00ff".join(fields).encode("latin-1") + b"\xff" + _PHOTO
    if form == 2:
        signed = b"V5\xff" + signed
    elif form == 3:
        signed = sent.replace(b"Nobody", b"Anybody")
    elif form == 4:
        signed = sent + b"\x00"
    return _packed(sent + (bytes(256) if form == 5 else seal.sign(signed)))


def _aadhaar_may_verify(message: bytes, seal: Seal, claims: Claims) -> bool:
    """Read the specification once more: enough fields, the reference id told as it is signed."""
    fields = message.split(b"\xff")
    at = 1 if message.startswith(b"V") else 0
    return len(fields) > len(_FIELDS) - 1 and fields[at + 1] == claims.text and seal.key_id == claims.key_id


def _aadhaar_fields(data: bytes) -> str:
    choices, fields = Choices(data), [field.encode("latin-1") for field in _FIELDS]
    for _ in range(choices.byte() % 4 + 1):
        fields[choices.byte() % len(fields)] = choices.take(choices.byte())
    return _aadhaar_signed(b"\xff".join(fields) + b"\xff" + choices.rest())


def _aadhaar_zlib(content: bytes) -> str:
    return layers.decimal(zlib.compress(content + _AADHAAR_SEAL.sign(content)))


def _aadhaar_bomb(data: bytes) -> str:
    piece, times = data[1:] or b"\xff", 1 + (data[0] if data else 0) * 40
    content = piece * min(times, _BOMB_BYTES // len(piece) + 1)
    return layers.aadhaar_text(content + _AADHAAR_SEAL.sign(content), level=6)


def _aadhaar_signed_of(text: str) -> bytes:
    data = layers.from_decimal(text)
    found = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else zlib.decompress(data)
    return found[: -layers.AADHAAR_SIGNATURE_BYTES]


def vds_nc() -> SignedFamily:
    """Return what there is to fuzz in VDS-NC."""
    whole = _sealed(_DATA)
    return SignedFamily(
        "vds-nc",
        trust_of(
            keyless("vds-nc", "UTO", b"csca-key", "ES256", _CSCA),
            keyless("vds-nc", "OTO", b"csca-two", "ES256", _OTHER_CSCA),
            trusted("vds-nc", _PINNED),
        ),
        (*(found.seal for found in _ISSUED.values()), _CSCA.seal, _OTHER_CSCA.seal, _PINNED),
        (whole,),
        lambda text: layers.canonical(json.loads(text)["data"]),
        (lambda data: data.decode("utf-8", "replace"), _vds_claims, _vds_signature, _vds_crossed),
        ((0, whole.encode()), (1, bytes((0, 1, 2, 0))), (2, layers.b64(bytes(64))), (3, bytes(6))),
        _vds_may_verify,
        ("NOBODY INVENTED", "1980-01-01", "U32870"),
        (b'"data":', b'"sig":', b'"hdr":', b'"sigvl":"', b"1e21", b"\\u0000", b"\\ud800", b"-0.0", b"1.0"),
    )


def _vds_crossed(data: bytes) -> str:
    """Write what one country says under any signer's certificate and any key, or as another kind than was signed."""
    choices, said = Choices(data), json.loads(json.dumps(_DATA))
    said["hdr"]["is"] = ("UTO", "OTO", "PIN", "XXO", "UT")[choices.byte() % 5]
    ders = [*_ISSUED, _PINNED.label, b"nobody's"]
    certificate = ders[choices.byte() % len(ders)]
    seals = [*(found.seal for found in _ISSUED.values()), _CSCA.seal, _PINNED]
    seal, form = seals[choices.byte() % len(seals)], choices.byte() % 4
    if form == 1:
        said["hdr"]["t"] = "icao.test"
        said["msg"] = {"pid": said["msg"]["pid"], "utci": "T32870", "tr": {"r": "Negative"}}
    signed = json.loads(json.dumps(said))
    if form == 2:
        said["hdr"]["t"] = "icao.test"
        said["msg"]["utci"] = "T32870"
    return _sealed(said, certificate, bytes(64) if form == 3 else seal.sign(layers.canonical(signed)))


def _vds_may_verify(message: bytes, seal: Seal, claims: Claims) -> bool:
    """Read the report once more: the issuing country's own signer, of that purpose and kind."""
    said = json.loads(message)
    kind, member = said["hdr"]["t"], {"icao.vacc": "uvci", "icao.test": "utci"}[said["hdr"]["t"]]
    is_one = seal is _PINNED or seal in [found.seal for der, found in _ISSUED.items() if der in _MAY]
    is_told = claims.text == said["msg"][member].encode() and said["hdr"]["is"] == seal.issuer == claims.issuer
    return bool(is_one and is_told and said["hdr"]["v"] == 1 and (not seal.kinds or kind in seal.kinds))


def _sealed(data: object, certificate: bytes = _SIGNER_DER, signature: bytes | None = None) -> str:
    signature = _SIGNER_SEAL.sign(layers.canonical(data)) if signature is None else signature
    sig = {"alg": "ES256", "cer": layers.b64(certificate).decode(), "sigvl": layers.b64(signature).decode()}
    return json.dumps({"data": data, "sig": sig}, separators=(",", ":"), ensure_ascii=False)


def _vds_claims(data: bytes) -> str:
    choices, changed = Choices(data), json.loads(json.dumps(_DATA))
    for _ in range(choices.byte() % 3 + 1):
        where = (changed, changed.get("hdr"), changed.get("msg"))[choices.byte() % 3]
        if isinstance(where, dict):
            where[_name(choices)] = value(choices, _name)
    return _sealed(changed)


def _name(choices: Choices) -> str:
    return _NAMES[choices.byte() % len(_NAMES)]


def _vds_signature(data: bytes) -> str:
    return _sealed(_DATA, _SIGNER_DER if data[:1] > b"\x40" else data[1:], data[1:])
