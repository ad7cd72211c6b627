"""Aadhaar Secure QR and ICAO VDS-NC to fuzz: the layers outside, and contents of every shape, signed anew."""

import gzip
import json
import zlib

from fuzz import layers
from fuzz.choices import Choices, value
from fuzz.issuers import Seal, SealCertificate, trust_of, trusted
from fuzz.signed import SignedFamily

_AADHAAR_SEAL = Seal(b"aadhaar", layers.AADHAAR_SIGNATURE_BYTES)
_BOMB_BYTES = 60_000
_FIELDS = ("0", "123420261201101500123", "Nobody Invented", "01-01-1980", "M", *("",) * 12)
_PHOTO = b"\xff\x4f\xff\x51" + bytes(range(256)) * 3 + b"\xff\xd9"

_CSCA_SEAL, _SIGNER_SEAL = Seal(b"csca"), Seal(b"bcs")
_SIGNER_DER = b"the signer's certificate of the fuzzer"
_SIGNER = SealCertificate(_SIGNER_SEAL, usages=frozenset({"2.23.136.1.1.14.2"}))
_CSCA = SealCertificate(_CSCA_SEAL, is_authority=True, issued={_SIGNER_DER: _SIGNER})
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
        trust_of(trusted("aadhaar", "UIDAI", b"uidai-1", "RS256", _AADHAAR_SEAL)),
        (_AADHAAR_SEAL,),
        (_aadhaar_signed(first), _aadhaar_signed(newer)),
        _aadhaar_signed_of,
        (layers.decimal, layers.aadhaar_text, _aadhaar_signed, _aadhaar_fields, _aadhaar_zlib, _aadhaar_bomb),
        (
            (0, gzip.compress(first, mtime=0)),
            (1, first + _AADHAAR_SEAL.sign(first)),
            (2, first),
            (3, bytes((3, 4)) + b"1234"),
            (4, newer),
            (5, b"\xff" + first[:100]),
        ),
        lambda message: bytes(message).count(b"\xff") >= len(_FIELDS) - 1,
        (b"\xff", b"V2\xff", b"V5\xff", b"\x1f\x8b\x08", b"\x78\x9c"),
    )


def _aadhaar_signed(content: bytes) -> str:
    return layers.aadhaar_text(content + _AADHAAR_SEAL.sign(content))


def _aadhaar_fields(data: bytes) -> str:
    choices, fields = Choices(data), [field.encode("latin-1") for field in _FIELDS]
    for _ in range(choices.byte() % 4 + 1):
        fields[choices.byte() % len(fields)] = choices.take(choices.byte())
    return _aadhaar_signed(b"\xff".join(fields) + b"\xff" + choices.rest())


def _aadhaar_zlib(content: bytes) -> str:
    return layers.decimal(zlib.compress(content + _AADHAAR_SEAL.sign(content)))


def _aadhaar_bomb(data: bytes) -> str:
    return _aadhaar_signed((data[1:] * (1 + (data[0] if data else 0) * 40))[:_BOMB_BYTES])


def _aadhaar_signed_of(text: str) -> bytes:
    data = layers.from_decimal(text)
    found = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else zlib.decompress(data)
    return found[: -layers.AADHAAR_SIGNATURE_BYTES]


def vds_nc() -> SignedFamily:
    """Return what there is to fuzz in VDS-NC."""
    whole = _sealed(_DATA)
    return SignedFamily(
        "vds-nc",
        trust_of(trusted("vds-nc", "UTO", b"csca-key", "ES256", None, _CSCA)),
        (_SIGNER_SEAL, _CSCA_SEAL),
        (whole,),
        lambda text: layers.canonical(json.loads(text)["data"]),
        (lambda data: data.decode("utf-8", "replace"), _vds_claims, _vds_signature),
        ((0, whole.encode()), (1, bytes((0, 1, 2, 0))), (2, layers.b64(bytes(64)))),
        lambda message: json.loads(message)["hdr"]["is"] == "UTO",
        (b'"data":', b'"sig":', b'"hdr":', b'"sigvl":"', b"1e21", b"\\u0000", b"\\ud800", b"-0.0", b"1.0"),
    )


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
