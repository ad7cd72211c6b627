"""Write the byte vectors of the wire from the CDDL alone: with cbor2 and cryptography, with neither agent nor platform.

Run `python tests/vectors/generate.py` only when the protocol changes, and read the difference. Keys are derived from
labels, so no secret is stored; data-key wraps and nonces are random, so a new run differs in those bytes.
"""

import hashlib
import hmac
import json
import struct
from pathlib import Path

import cbor2
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

HERE = Path(__file__).parent
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
NOW_S = 1_800_000_000
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SM2_P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
SM2_B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
SM2_ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
SM2_G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
SM2_USER = b"1234567812345678"


def seed(label: str) -> bytes:
    """Return 32 bytes for a key that exists only in these vectors."""
    return hashlib.sha256(b"scanward test vector key: " + label.encode()).digest()


def ed25519_key(label: str) -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.from_private_bytes(seed(label))


def p256_key(label: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(seed(label)) % (P256_ORDER - 1) + 1, ec.SECP256R1())


def sm3(data: bytes) -> bytes:
    digest = hashes.Hash(hashes.SM3())
    digest.update(data)
    return digest.finalize()


def sm2_add(one, other):
    """Add two points of the curve in plain coordinates; None is the neutral element."""
    if one is None or other is None:
        return one or other
    if one[0] == other[0]:
        if (one[1] + other[1]) % SM2_P == 0:
            return None
        slope = (3 * one[0] ** 2 - 3) * pow(2 * one[1], -1, SM2_P)
    else:
        slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, SM2_P)
    x = (slope**2 - one[0] - other[0]) % SM2_P
    return x, (slope * (one[0] - x) - one[1]) % SM2_P


def sm2_multiply(times: int, point):
    total = None
    while times:
        total = sm2_add(total, point) if times & 1 else total
        point, times = sm2_add(point, point), times >> 1
    return total


class Sm2Key:
    """A signer from GB/T 32918.2 alone, slow and plain. Nonces as RFC 6979 draws them, with HMAC-SHA-256 over d and e."""

    def __init__(self, d: int) -> None:
        self.d = d
        self.point = sm2_multiply(d, SM2_G)

    @property
    def spki(self) -> bytes:
        head = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004")
        return head + self.point[0].to_bytes(32) + self.point[1].to_bytes(32)

    def digest(self, message: bytes, user: bytes = SM2_USER) -> int:
        named = b"".join(n.to_bytes(32) for n in (SM2_P - 3, SM2_B, *SM2_G, *self.point))
        return int.from_bytes(sm3(sm3(struct.pack(">H", 8 * len(user)) + user + named) + message))

    def sign(self, message: bytes, user: bytes = SM2_USER) -> bytes:
        return self.sign_digest(self.digest(message, user))

    def sign_digest(self, e: int) -> bytes:
        about = self.d.to_bytes(32) + (e % SM2_ORDER).to_bytes(32)
        mac = lambda key, data: hmac.digest(key, data, "sha256")
        key, v = mac(bytes(32), b"\x01" * 32 + b"\x00" + about), b"\x01" * 32
        v = mac(key, v)
        key = mac(key, v + b"\x01" + about)
        v = mac(key, mac(key, v))
        k = int.from_bytes(v)
        r = (e + sm2_multiply(k, SM2_G)[0]) % SM2_ORDER
        s = pow(1 + self.d, -1, SM2_ORDER) * (k - r * self.d) % SM2_ORDER
        assert all((0 < k < SM2_ORDER, r, s, r + k != SM2_ORDER)), "once in 2**32: take another label"
        return r.to_bytes(32) + s.to_bytes(32)


def sm2_key(label: str) -> Sm2Key:
    return Sm2Key(int.from_bytes(seed(label)) % (SM2_ORDER - 2) + 1)


def spki(key) -> bytes:
    if isinstance(key, Sm2Key):
        return key.spki
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def kid(key) -> bytes:
    return hashlib.sha256(spki(key)).digest()[:8]


def cbor(value) -> bytes:
    return cbor2.dumps(value, canonical=True)


def raw_sign(key, message: bytes) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey | Sm2Key):
        return key.sign(message)
    r, s = utils.decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)))
    return r.to_bytes(32) + s.to_bytes(32)


def cose_sign1(key, aad: str, payload: bytes, *, alg=None, protected=None, unprotected=None) -> bytes:
    if alg is None:
        alg = -65601 if isinstance(key, Sm2Key) else -8 if isinstance(key, ed25519.Ed25519PrivateKey) else -7
    protected = protected if protected is not None else cbor({1: alg, 4: kid(key)})
    message = cbor(["Signature1", protected, aad.encode(), payload])
    return cbor(cbor2.CBORTag(18, [protected, unprotected or {}, payload, raw_sign(key, message)]))


def base45(data: bytes) -> str:
    out = []
    for i in range(0, len(data) - 1, 2):
        n = data[i] * 256 + data[i + 1]
        out += [ALPHABET[n % 45], ALPHABET[n // 45 % 45], ALPHABET[n // 2025]]
    if len(data) % 2:
        out += [ALPHABET[data[-1] % 45], ALPHABET[data[-1] // 45]]
    return "".join(out)


def write(name: str, value) -> None:
    (HERE / name).write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def trust_key(family, issuer, key, alg, usage, **more) -> dict:
    import base64

    return {
        "family": family, "issuer": issuer, "kid": kid(key).hex(), "alg": alg,
        "spki": base64.b64encode(spki(key)).decode(), "usage": usage,
        "not_before": "2026-01-01T00:00:00Z", "not_after": "2036-01-01T00:00:00Z", **more,
    }  # fmt: skip


ISSUER_ES = p256_key("issuer es256")
ISSUER_ED = ed25519_key("issuer eddsa")
ISSUER_SM2 = sm2_key("issuer sm2")
STRANGER = p256_key("issuer that is in no trust list")
TERMINAL = ed25519_key("terminal")
PLATFORM = ed25519_key("platform receipt")
VERIFICATION = ed25519_key("platform verification")
SEAL = x25519.X25519PrivateKey.from_private_bytes(seed("platform seal"))
CARD = hashlib.sha256(b"an invented card").digest()
CTI = hashlib.sha256(b"an invented cti").digest()[:8]
REPLAY_ID = hashlib.sha256(b"scanward-replay-1" + bytes([4]) + b"4420" + CTI).digest()[:16]


def ehc1_vectors() -> dict:
    static = {1: "4420", 6: NOW_S - 86_400, -65537: CARD, -65538: 1}
    dynamic = {1: "4420", 4: NOW_S + 60, 6: NOW_S, 7: CTI, -65537: CARD, -65538: 0}

    def case(name, expect, payload, key=ISSUER_ES, aad="scanward-ehc-1", claims=None, **kw):
        if isinstance(payload, dict):
            claims, payload = payload, cbor(payload)
        token = cose_sign1(key, aad, payload, **kw)
        shown = {str(k): v.hex() if isinstance(v, bytes) else v for k, v in (claims or {}).items()}
        return {
            "name": name,
            "expect": expect,
            "text": "EHC1:" + base45(token),
            "cose": token.hex(),
            "claims": shown,
        }

    def raw(name, expect, token: bytes):
        return {
            "name": name,
            "expect": expect,
            "text": "EHC1:" + base45(token),
            "cose": token.hex(),
            "claims": {},
        }

    good = cose_sign1(ISSUER_ES, "scanward-ehc-1", cbor(dynamic))
    parts = cbor2.loads(good).value
    head = cbor(["Signature1", parts[0], b"scanward-ehc-1", parts[2]])
    der = ISSUER_ES.sign(head, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    duplicate = b"\xa7" + cbor(dynamic)[1:] + cbor(-65538) + cbor(0)
    without = lambda claims, *gone: {k: v for k, v in claims.items() if k not in gone}
    k = kid(ISSUER_ES)
    cases = [
        case("static, ES256", "verified", static),
        case("static with an expiry", "verified", {**static, 4: NOW_S + 3600}),
        case("dynamic, ES256", "verified", dynamic),
        case("static, EdDSA", "verified", static, key=ISSUER_ED),
        case("dynamic, EdDSA", "verified", dynamic, key=ISSUER_ED),
        case("expired", "time.", {**dynamic, 4: NOW_S - 3540, 6: NOW_S - 3600}),
        case("from the future", "time.", {**dynamic, 4: NOW_S + 3660, 6: NOW_S + 3600}),
        case("dynamic that lives 121 s", "decode.", {**dynamic, 4: NOW_S + 121}),
        case("dynamic that ends before it begins", "decode.", {**dynamic, 4: NOW_S - 1}),
        case("dynamic without exp", "decode.", without(dynamic, 4)),
        case("dynamic without cti", "decode.", without(dynamic, 7)),
        case("static without iat", "decode.", without(static, 6)),
        case("exp in milliseconds", "decode.", {**dynamic, 4: (NOW_S + 60) * 1000}),
        case("exp as a float", "decode.", {**dynamic, 4: float(NOW_S + 60)}),
        case(
            "exp not a number",
            "decode.",
            cbor(without(dynamic, 4))[:1].replace(b"\xa5", b"\xa6")
            + cbor(1)
            + cbor("4420")
            + cbor(4)
            + b"\xf9\x7e\x00"
            + cbor(without(dynamic, 1, 4))[1:],
        ),
        case("exp as a boolean", "decode.", {**dynamic, 4: True}),
        case("type 2", "decode.", {**static, -65538: 2}),
        case("type as a boolean", "decode.", {**static, -65538: True}),
        case("card id of 31 bytes", "decode.", {**static, -65537: CARD[:31]}),
        case("card id as text", "decode.", {**static, -65537: CARD.hex()[:32]}),
        case("cti of 7 bytes", "decode.", {**dynamic, 7: CTI[:7]}),
        case("issuer as a number", "decode.", {**static, 1: 4420}),
        case("issuer of another key", "key.", {**static, 1: "4401"}),
        case("key of nobody", "key.", static, key=STRANGER),
        case("signed as another type", "signature.", static, aad="scanward-record-1"),
        case("header says EdDSA, key says ES256", "key.", static, alg=-8),
        case("header says none", "decode.", static, alg=0),
        case("header says HS256", "decode.", static, alg=5),
        case("alg only unprotected", "decode.", static, protected=cbor({4: k}), unprotected={1: -7}),
        case("alg in both headers", "decode.", static, unprotected={1: -7}),
        case("kid only unprotected", "decode.", static, protected=cbor({1: -7}), unprotected={4: k}),
        case("unknown crit", "decode.", static, protected=cbor({1: -7, 2: [99], 4: k, 99: 1})),
        case("empty protected header", "decode.", static, protected=b""),
        case(
            "duplicate key in the header",
            "decode.",
            static,
            protected=b"\xa3\x01\x26\x04\x48" + k + b"\x01\x26",
        ),
        case("duplicate claim", "decode.", duplicate),
        case("claims of indefinite length", "decode.", b"\xbf" + cbor(dynamic)[1:] + b"\xff"),
        case("claims not deterministic", "decode.", cbor2.dumps(dict(reversed(dynamic.items())))),
        case("trailing byte after the claims", "decode.", cbor(dynamic) + b"\x00"),
        case("claims are a list", "decode.", cbor([1, 2, 3])),
        case("claims nested deeply", "decode.", b"\x81" * 200 + b"\x00"),
        case("claims nested in tags", "decode.", b"\xc6" * 200 + b"\x00"),
        raw("trailing byte after COSE", "decode.", good + b"\x00"),
        raw("no tag 18", "decode.", good[1:]),
        raw("tag 17", "decode.", b"\xd1" + good[1:]),
        raw("CWT tag around it", "decode.", b"\xd8\x3d" + good),
        raw("DER signature", "decode.", cbor(cbor2.CBORTag(18, [*parts[:3], der]))),
        raw("r is zero", "signature.", cbor(cbor2.CBORTag(18, [*parts[:3], bytes(32) + parts[3][32:]]))),
        raw("s is zero", "signature.", cbor(cbor2.CBORTag(18, [*parts[:3], parts[3][:32] + bytes(32)]))),
        raw(
            "s is the group order",
            "signature.",
            cbor(cbor2.CBORTag(18, [*parts[:3], parts[3][:32] + P256_ORDER.to_bytes(32)])),
        ),
        raw("detached payload", "decode.", cbor(cbor2.CBORTag(18, [parts[0], {}, None, parts[3]]))),
        raw("three parts", "decode.", cbor(cbor2.CBORTag(18, parts[:3]))),
        raw("one flipped bit in the signature", "signature.", good[:-1] + bytes([good[-1] ^ 1])),
        raw("nothing inside", "decode.", b""),
    ]
    text = next(c["text"] for c in cases if c["name"] == "dynamic, ES256")
    odd = lambda name, body: {"name": name, "expect": "decode.", "text": body, "cose": "", "claims": {}}
    cases += [
        odd("base45 of length 1 mod 3", text + "0" * (1 - len(text[5:]) % 3 if len(text[5:]) % 3 < 2 else 2)),
        odd("base45 chunk above 65535", "EHC1::::" + text[8:]),
        odd("base45 tail above 255", "EHC1:" + base45(good + b"\x00")[: len(good) // 2 * 3] + "::"),
        odd("lower case", "EHC1:" + text[5:].lower()),
        odd("a character that base45 lacks", text[:20] + "_" + text[21:]),
        odd("longer than 1,024 characters", text + "0" * 1024),
    ]
    cases += sm2_cases(static, dynamic, case, raw)
    return {
        "about": "EHC1 codes. expect: 'verified', or the stage that must refuse.",
        "now_s": NOW_S,
        "replay_id_of_dynamic": REPLAY_ID.hex(),
        "trust_list": trust_list(),
        "cases": cases,
    }


def sm2_cases(static, dynamic, case, raw) -> list[dict]:
    """Return the cases of SM2 (-65601): its own rules, beside those that hold for every algorithm."""
    key = ISSUER_SM2
    good = cose_sign1(key, "scanward-ehc-1", cbor(dynamic))
    parts = cbor2.loads(good).value
    message = cbor(["Signature1", parts[0], b"scanward-ehc-1", parts[2]])
    r, s = int.from_bytes(parts[3][:32]), int.from_bytes(parts[3][32:])
    signed = lambda signature: cbor(cbor2.CBORTag(18, [*parts[:3], signature]))
    pair = lambda r, s: signed(r.to_bytes(32) + s.to_bytes(32))
    ecdsa_k = 7
    ecdsa_r = sm2_multiply(ecdsa_k, SM2_G)[0] % SM2_ORDER
    ecdsa_s = pow(ecdsa_k, -1, SM2_ORDER) * (key.digest(message) + ecdsa_r * key.d) % SM2_ORDER
    return [
        case("static, SM2", "verified", static, key=key),
        case("dynamic, SM2", "verified", dynamic, key=key),
        case("SM2: expired", "time.", {**dynamic, 4: NOW_S - 3540, 6: NOW_S - 3600}, key=key),
        case("SM2: issuer of another key", "key.", {**static, 1: "4401"}, key=key),
        case("SM2: key of nobody", "key.", static, key=sm2_key("issuer sm2 that is in no trust list")),
        case("SM2: signed as another type", "signature.", static, key=key, aad="scanward-record-1"),
        case("SM2: header says ES256, key says SM2", "key.", static, key=key, alg=-7),
        case("SM2: header says EdDSA, key says SM2", "key.", static, key=key, alg=-8),
        case("header says SM2, key says ES256", "key.", static, alg=-65601),
        case("header says ML-DSA-44, -48", "decode.", static, key=key, alg=-48),
        raw("SM2: one flipped bit in the signature", "signature.", good[:-1] + bytes([good[-1] ^ 1])),
        raw("SM2: one flipped bit in the card", "signature.", good.replace(CARD, bytes([CARD[0] ^ 1]) + CARD[1:])),
        raw("SM2: r is zero", "signature.", pair(0, s)),
        raw("SM2: s is zero", "signature.", pair(r, 0)),
        raw("SM2: r is the group order", "signature.", pair(SM2_ORDER, s)),
        raw("SM2: s is the group order", "signature.", pair(r, SM2_ORDER)),
        raw("SM2: r and s add up to the group order", "signature.", pair(r, SM2_ORDER - r)),
        raw("SM2: s negated", "signature.", pair(r, SM2_ORDER - s)),
        raw("SM2: r and s swapped", "signature.", pair(s, r)),
        raw("SM2: all ones", "signature.", signed(b"\xff" * 64)),
        raw("SM2: DER signature", "decode.", signed(utils.encode_dss_signature(r, s))),
        raw("SM2: signed under another user id", "signature.", signed(key.sign(message, b"8765432187654321"))),
        raw("SM2: signed under an empty user id", "signature.", signed(key.sign(message, b""))),
        raw("SM2: signed without ZA", "signature.", signed(key.sign_digest(int.from_bytes(sm3(message))))),
        raw(
            "SM2: signed over SHA-256",
            "signature.",
            signed(key.sign_digest(int.from_bytes(hashlib.sha256(message).digest()))),
        ),
        raw("SM2: an ECDSA signature by that key", "signature.", pair(ecdsa_r, ecdsa_s)),
    ]


def trust_list() -> dict:
    return {
        "format": "scanward-trust-list-1", "version": 17, "issued_at": "2026-11-21T08:00:00Z",
        "keys": [
            trust_key("ehc", "4420", ISSUER_ES, "ES256", ["static", "dynamic"]),
            trust_key("ehc", "4420", ISSUER_ED, "EdDSA", ["static", "dynamic"]),
            trust_key("ehc", "4420", ISSUER_SM2, "SM2", ["static", "dynamic"]),
            trust_key("platform", "4420", PLATFORM, "EdDSA", ["receipt"]),
            trust_key("platform", "4420", SEAL, "X25519", ["seal"]),
        ],
    }  # fmt: skip


def chain_vectors() -> tuple[dict, dict, dict]:
    ledger_id = hashlib.sha256(b"an invented ledger").digest()[:16]
    boot_id = hashlib.sha256(b"an invented boot").digest()[:16]
    epoch = hashlib.sha256(b"an invented epoch").digest()[:8]
    data_key = seed("data key")
    stamp = lambda raw: [boot_id, raw, NOW_S * 1000 + raw, NOW_S * 1000 + raw + 4000, "os"]
    head = hashlib.sha256(ledger_id).digest()
    hashes_ = [head]
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    wrapped = suite.encrypt(data_key, SEAL.public_key(), info=b"scanward-data-key-1" + ledger_id + epoch)
    fields = cbor({1: CARD})
    nonce = hashlib.sha256(b"an invented nonce").digest()[:12]
    sealed = [nonce, AESGCM(data_key).encrypt(nonce, fields, cbor([ledger_id, 2, 0]))]
    bodies = [
        {5: 6, 6: stamp(1000), 7: epoch, 9: [[kid(SEAL), wrapped]]},
        {5: 0, 6: stamp(2000), 7: epoch, 8: sealed, 10: "payment", 11: 0, 12: "ok", 13: 0, 14: "ok", 15: "ehc", 16: 0,
         17: "4420", 18: REPLAY_ID, 19: 0, 20: [17, 60], 23: "cashier"},
        {5: 0, 6: stamp(3000), 10: "payment", 11: 3, 12: "signature.invalid", 13: 2, 14: "signature.invalid", 15: "ehc",
         20: [17, 61], 21: ["revocation"], 23: "cashier"},
    ]  # fmt: skip
    records = []
    for seq, body in enumerate(bodies, 1):
        payload = cbor({1: "kiosk-1", 2: ledger_id, 3: seq, 4: head, **body})
        envelope = cose_sign1(TERMINAL, "scanward-record-1", payload)
        head = hashlib.sha256(b"\x00" + head + struct.pack(">Q", seq) + envelope).digest()
        hashes_.append(head)
        records.append({"seq": seq, "payload": payload.hex(), "envelope": envelope.hex(), "hash": head.hex()})
    signed_head = lambda seq: cose_sign1(
        TERMINAL, "scanward-head-1", cbor({1: "kiosk-1", 2: ledger_id, 3: seq, 4: hashes_[seq]})
    )
    batch_id, hello_id = seed("batch id")[:16], seed("hello id")[:16]
    envelopes = [bytes.fromhex(r["envelope"]) for r in records]
    batch = cbor({1: batch_id, 2: "kiosk-1", 3: ledger_id, 4: 1, 5: envelopes, 6: signed_head(3)})

    def receipt(about_id, results, contiguous):
        body = {
            1: about_id,
            2: "kiosk-1",
            3: ledger_id,
            4: results,
            5: [contiguous, hashes_[contiguous]],
            6: NOW_S * 1000,
        }
        return cose_sign1(PLATFORM, "scanward-receipt-1", cbor(body))

    results = [
        [1, hashes_[1], 0, "ok"],
        [2, hashes_[2], 2, "replay.used-elsewhere"],
        [3, hashes_[3], 3, "record.malformed"],
    ]
    hello = cbor(
        {
            1: hello_id,
            2: "kiosk-1",
            3: "demo",
            4: [1],
            5: "scanward/0.1.0",
            6: ledger_id,
            7: signed_head(3),
            8: 0,
        }
    )
    answer = cbor({1: 1, 2: receipt(hello_id, [], 0), 3: []})
    terminal = {"terminal": "kiosk-1", "site": "demo", "kid": kid(TERMINAL).hex(), "alg": "EdDSA", "spki": spki(TERMINAL).hex(),
                "private_label": "terminal"}  # fmt: skip
    return (
        {"about": "A ledger of three records: a data key, an accepted sealed decision, a refusal.", "terminal": terminal,
         "ledger_id": ledger_id.hex(), "h0": hashes_[0].hex(), "data_key": data_key.hex(), "sealed_fields_of_2": fields.hex(),
         "key_epoch": epoch.hex(), "records": records},
        {"about": "Those three records as a batch, and a receipt.", "batch": batch.hex(), "head": signed_head(3).hex(),
         "receipt": receipt(batch_id, results, 3).hex(), "forged_receipt": cose_sign1(TERMINAL, "scanward-receipt-1", cbor(
             {1: batch_id, 2: "kiosk-1", 3: ledger_id, 4: results, 5: [3, hashes_[3]], 6: NOW_S * 1000})).hex()},
        {"about": "A hello with that ledger, and its answer from a platform that holds nothing.", "hello": hello.hex(),
         "empty_head": signed_head(0).hex(), "answer": answer.hex()},
    )  # fmt: skip


def online_vectors() -> dict:
    """Return a national one-time code asked about: the attempt's record, the question, and what may come back."""
    token = hashlib.sha256(b"an invented token").digest()[:16]
    code = CARD.hex().upper() + ":0:" + token.hex().upper()
    replay_id = hashlib.sha256(b"scanward-replay-1" + bytes([32]) + CARD + token).digest()[:16]
    attempt_id = hashlib.sha256(b"scanward-attempt-1" + bytes([7]) + b"kiosk-1" + replay_id).digest()[:16]
    ledger_id = hashlib.sha256(b"an invented ledger").digest()[:16]
    stamp = [hashlib.sha256(b"an invented boot").digest()[:16], 1000, NOW_S * 1000, NOW_S * 1000 + 4000, "os"]
    head = hashlib.sha256(ledger_id).digest()
    attempt = {1: "kiosk-1", 2: ledger_id, 3: 1, 4: head, 5: 2, 6: stamp, 10: "payment", 15: "national", 16: 0,
               18: replay_id, 23: "cashier", 28: attempt_id}  # fmt: skip
    envelope = cose_sign1(TERMINAL, "scanward-record-1", cbor(attempt))
    head = hashlib.sha256(b"\x00" + head + struct.pack(">Q", 1) + envelope).digest()
    decision = {1: "kiosk-1", 2: ledger_id, 3: 2, 4: head, 5: 0, 6: stamp, 10: "payment", 11: 0, 12: "ok", 13: 3,
                14: "ok", 15: "national", 16: 0, 18: replay_id, 19: 2, 20: [17, 60], 23: "cashier",
                28: attempt_id}  # fmt: skip
    request = {1: attempt_id, 2: "kiosk-1", 3: "demo", 4: "payment", 5: "national", 6: code.encode(), 7: NOW_S * 1000}
    good = {1: attempt_id, 2: "kiosk-1", 3: 0, 4: "ok", 5: NOW_S * 1000, 6: "张**"}
    answer = lambda fields, key=VERIFICATION, aad="scanward-verification-1": cose_sign1(key, aad, cbor(fields)).hex()
    said = lambda finding, reason: {**{n: good[n] for n in (1, 2, 5)}, 3: finding, 4: reason}
    return {
        "about": "A national one-time code that the platform is asked about. believed: what a terminal makes of it.",
        "now_s": NOW_S,
        "code": code,
        "replay_id": replay_id.hex(),
        "attempt_id": attempt_id.hex(),
        "attempt_record": envelope.hex(),
        "decision_record": cose_sign1(TERMINAL, "scanward-record-1", cbor(decision)).hex(),
        "request": cose_sign1(TERMINAL, "scanward-verify-1", cbor(request)).hex(),
        "trust_list": {**trust_list(), "keys": [
            trust_key("platform", "4420", PLATFORM, "EdDSA", ["receipt"]),
            trust_key("platform", "4420", VERIFICATION, "EdDSA", ["verification"])]},
        "answers": {
            "genuine": answer(good),
            "genuine without a name": answer(said(0, "ok")),
            "genuine with a name in clear": answer({**good, 6: "张三丰"}),
            "not genuine": answer(said(1, "online.used")),
            "undecided": answer(said(2, "online.issuer-silent")),
        },
        "not_believed": {
            "signed with the receipt key": answer(good, key=PLATFORM),
            "signed as a receipt": answer(good, aad="scanward-receipt-1"),
            "signed by the terminal itself": answer(good, key=TERMINAL),
            "for another terminal": answer({**good, 2: "kiosk-2"}),
            "about another attempt": answer({**good, 1: bytes(16)}),
            "signed an hour ago": answer({**good, 5: (NOW_S - 3600) * 1000}),
            "signed in an hour": answer({**good, 5: (NOW_S + 3600) * 1000}),
            "genuine with another reason": answer({**good, 4: "online.used"}),
            "not genuine, yet ok": answer(said(1, "ok")),
            "a finding that is none": answer(said(3, "ok")),
            "a finding as a boolean": answer(said(False, "ok")),
            "a reason in capitals": answer(said(1, "online.USED")),
            "a field too many": answer({**good, 7: 1}),
            "a field too few": answer({n: good[n] for n in (1, 2, 3, 4)}),
            "a list": cose_sign1(VERIFICATION, "scanward-verification-1", cbor([1, 2])).hex(),
            "no signature": cbor(good).hex(),
            "nothing": "",
        },
    }  # fmt: skip


def request_vectors() -> dict:
    """Return the records of a dispensing: opened by a decision that asks, trace codes added, confirmed; and a lapse."""
    ledger_id = hashlib.sha256(b"an invented ledger").digest()[:16]
    request_id = hashlib.sha256(b"an invented request").digest()[:16]
    stamp = [hashlib.sha256(b"an invented boot").digest()[:16], 1000, NOW_S * 1000, NOW_S * 1000 + 4000, "os"]
    events = {
        "opened": {25: 0, 26: 1},
        "items added": {25: 4, 26: 1, 22: ["81000000000000000017", "81000000000000000024"], 27: 2},
        "confirmed": {25: 2, 26: 1, 27: 2},
        "lapsed": {25: 5},
    }
    records, head = {}, hashlib.sha256(ledger_id).digest()
    for seq, (name, fields) in enumerate(events.items(), 1):
        record = {
            1: "kiosk-1",
            2: ledger_id,
            3: seq,
            4: head,
            5: 1,
            6: stamp,
            10: "dispensing",
            24: request_id,
            **fields,
        }
        envelope = cose_sign1(TERMINAL, "scanward-record-1", cbor(record))
        records[name] = envelope.hex()
        head = hashlib.sha256(b"\x00" + head + struct.pack(">Q", seq) + envelope).digest()
    return {
        "about": "The records of one request, seq 1 to 4 of a ledger.",
        "request_id": request_id.hex(),
        "records": records,
    }


if __name__ == "__main__":
    write("ehc1.json", ehc1_vectors())
    write("online.json", online_vectors())
    write("requests.json", request_vectors())
    for name, value in zip(("records.json", "batch.json", "hello.json"), chain_vectors(), strict=True):
        write(name, value)
