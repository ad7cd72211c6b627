"""ICAO VDS-NC: what is signed, by a signer that the issuer's authority answers for, and everything else refused."""

import base64
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.adapters.keys.verification import build_key, read_certificate
from agent.core.codes import recognise
from agent.core.codes.vds_nc import AUTHORITIES_MAX, TEXT_CHARACTERS_MAX
from agent.core.time_interval import Interval
from agent.core.trust_entries import parse_trust_list
from agent.core.trust_list import Trust
from agent.core.verdict import Claims, Code, Outcome, Verdict
from agent.core.verification import describe, verify
from fakes.asia_issuers import (
    END,
    PROFILE,
    PURPOSE,
    START,
    TEST,
    VACCINATION,
    Authority,
    base64url,
    canonical,
    document_types,
    ec_key,
    entry_of,
    key_usage,
    rsa_key,
    seal,
    spki_of,
)
from fakes.ehc_issuer import NOW, NOW_S, es256, revoked_kids, scan_of, trust_list_file, trust_of

CSCA = Authority()
KEY = ec_key("signer")
SIGNER = CSCA.certify(KEY)
TRUST = trust_of(CSCA.entry())
PINNED = trust_of(entry_of(SIGNER))
SEAL = seal(KEY, SIGNER)
TEXT = json.dumps(SEAL, separators=(",", ":"))
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def judge(text: str | dict[str, Any], trust: Trust | None = TRUST, now: Interval = NOW) -> Verdict:
    code = recognise(scan_of(text if isinstance(text, str) else json.dumps(text)))
    assert code.family == "vds-nc"
    return verify(code, trust, now)


def reason_of(text: str | dict[str, Any], trust: Trust | None = TRUST, now: Interval = NOW) -> str:
    return judge(text, trust, now).reason


def signed_by(certificate: bytes, data: Any = VACCINATION, key: Any = KEY) -> dict[str, Any]:
    return seal(key, certificate, data)


def with_data(**changed: Any) -> dict[str, Any]:
    """Return a seal over other data; hdr_ and msg_ changes, None takes a member away."""
    data = json.loads(json.dumps(VACCINATION))
    for name, value in changed.items():
        part, _, member = name.partition("_")
        data[part][member] = value
        if value is None:
            del data[part][member]
    return seal(KEY, SIGNER, data)


# -- good


@pytest.mark.parametrize("trust", [TRUST, PINNED], ids=["authority", "pinned"])
def test_a_seal_is_verified_and_says_what_was_not_checked(trust: Trust) -> None:
    verdict = judge(TEXT, trust)
    assert (verdict.outcome, verdict.reason, verdict.unchecked) == (Outcome.VERIFIED, "ok", ("expiry", "revocation"))
    assert (verdict.claims.issuer, verdict.claims.text) == ("UTO", b"UTO-0000-0001")
    assert verdict.claims.key_id == x509_key_id(SIGNER)
    assert verdict.claims.card is verdict.claims.item is verdict.claims.issued_at_s is None


def x509_key_id(der: bytes) -> bytes:
    return hashlib.sha256(spki_of_certificate(der)).digest()[:8]


def spki_of_certificate(der: bytes) -> bytes:
    certificate = x509.load_der_x509_certificate(der)
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_a_bare_key_can_be_pinned() -> None:
    spki = base64.b64encode(spki_of(KEY)).decode()
    assert reason_of(TEXT, trust_of(entry_of(SIGNER, x5c=None, spki=spki))) == "ok"
    assert reason_of(TEXT, trust_of(entry_of(SIGNER, x5c=None, spki=spki, usage=["icao.vacc"]))) == "ok"
    assert reason_of(TEXT, trust_of(entry_of(SIGNER, x5c=None, spki=spki, usage=["icao.test"]))) == "key.usage"


def test_a_pinned_key_whose_entries_leave_nothing_is_not_taken_for_its_authority_s_word() -> None:
    """One of them alone is refused: two must not do more."""
    bare = {"x5c": None, "spki": base64.b64encode(spki_of(KEY)).decode()}
    entries = [entry_of(SIGNER, **bare, usage=["icao.test"]), entry_of(SIGNER, **bare, usage=["icao.vacc"])]
    for pinned in (entries[:1], entries, [*entries, entries[1]]):
        data = trust_list_file(*pinned, CSCA.entry())
        trust_list = parse_trust_list(data, build_key, read_certificate, sets_aside=True)
        assert reason_of(TEXT, Trust(trust_list, None, None, None)) == "key.usage"


def test_an_authority_with_rsa_is_one_too() -> None:
    authority = Authority("csca rsa", key=rsa_key("csca", 3072))
    assert reason_of(signed_by(authority.certify(KEY)), trust_of(authority.entry())) == "ok"


def test_what_it_says_is_told_and_personal() -> None:
    facts = describe("vds-nc", judge(TEXT).claims)
    told = {fact.name: fact.value for fact in facts}
    assert told == {
        "kind": "icao.vacc", "name": "INVENTED  NOBODY", "date of birth": "1990-02-01", "sex": "X",
        "document number": "U0000001", "certificate": "UTO-0000-0001", "doses": "1", "vaccine": "Test Vaccine",
        "given on": "2026-02-01", "dose": "1",
    }  # fmt: skip
    assert {fact.name for fact in facts if not fact.is_personal} == {"kind", "doses"}
    test = {fact.name: fact.value for fact in describe("vds-nc", judge(seal(KEY, SIGNER, TEST)).claims)}
    assert (test["test"], test["result"], test["certificate"]) == ("molecular(PCR)", "negative", "UTO-0000-0002")


def test_nothing_personal_is_in_a_repr_or_a_trace() -> None:
    seen: list[tuple[str, str]] = []
    verdict = verify(recognise(scan_of(TEXT)), TRUST, NOW, lambda *said: seen.append(said))
    told = repr(verdict) + repr(seen)
    assert not [part for part in ("INVENTED", "1990", "U0000001", "UTO-0000", "Vaccine") if part in told]
    assert {stage for stage, _ in seen} == {"decode", "key", "signature", "time", "revocation"}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(SEAL, indent=4),
        "\n" + json.dumps(SEAL, indent=2) + "\n",
        json.dumps({"sig": SEAL["sig"], "data": SEAL["data"]}),
        TEXT.replace("INVENTED", "\\u0049NVENTED"),
        TEXT.replace("=", ""),
    ],
)
def test_how_json_is_written_does_not_matter(text: str) -> None:
    assert reason_of(text) == "ok"


def test_members_that_are_signed_may_be_more_and_names_may_be_of_any_script() -> None:
    data = json.loads(json.dumps(VACCINATION))
    data["msg"] |= {"\ue000": "\u2028\u007f/", "\U0001f600": [None, True, -1, {}], "note": 'a "quoted"\\\n\u0007 text'}
    signed = (
        b'{"hdr":{"is":"UTO","t":"icao.vacc","v":1},"msg":{"note":"a \\"quoted\\"\\\\\\n\\u0007 text","pid":'
        + canonical(data["msg"]["pid"]) + b',"uvci":"UTO-0000-0001","ve":' + canonical(data["msg"]["ve"])
        # UTF-16 code units: a surrogate (D83D) before E000, though the character is the higher one (RFC 8785 3.2.3)
        + ',"\U0001f600":[null,true,-1,{}],"\ue000":"\u2028\u007f/"}}'.encode()
    )  # fmt: skip
    assert reason_of({"data": data, "sig": SEAL["sig"] | {"sigvl": base64url(es256(KEY, signed))}}) == "ok"


# -- text and shape


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (TEXT + "x", "decode.json"),
        (TEXT + TEXT, "decode.json"),
        (TEXT[:-1], "decode.json"),
        (TEXT.replace('"hdr":{', '"hdr":{"is":"XXX",'), "decode.json"),
        (TEXT.replace('"data":{', '"data":{"msg":{},'), "decode.json"),
        (TEXT.replace('"v":1', '"v":NaN'), "decode.json"),
        (TEXT.replace('"seq":1', '"seq":1.0'), "decode.json"),
        (TEXT.replace('"seq":1', '"seq":1e0'), "decode.json"),
        (TEXT.replace('"seq":1', '"seq":1e400'), "decode.json"),
        (TEXT.replace('"seq":1', f'"seq":{2**53}'), "decode.json"),
        (TEXT.replace('"seq":1', f'"seq":{"[" * 17}{"]" * 17}'), "decode.json"),
        (TEXT.replace('"seq":1', f'"seq":{"[" * 1500}{"]" * 1500}'), "decode.json"),
        (TEXT.replace("INVENTED", "\\ud800"), "decode.json"),
        (TEXT.replace('"seq":1', f'"seq":"{"x" * TEXT_CHARACTERS_MAX}"'), "decode.over-long"),
        (TEXT.replace('"hdr":{', '"hdr":{"p":1,'), "signature.invalid"),
    ],
)
def test_json_that_is_not_strict_or_not_canonical_is_refused(text: str, reason: str) -> None:
    assert reason_of(text) == reason


def test_digits_past_what_is_read_at_once_are_refused() -> None:
    text = TEXT.replace('"seq":1', f'"seq":{"9" * 2_000}')
    assert reason_of(text[: TEXT_CHARACTERS_MAX + 1]) in ("decode.json", "decode.over-long")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (SEAL | {"more": 1}, "decode.claims"),
        (SEAL | {"sig": SEAL["sig"] | {"crit": ["b64"]}}, "decode.claims"),
        (SEAL | {"sig": {"alg": "ES256", "sigvl": SEAL["sig"]["sigvl"]}}, "decode.claims"),
        (SEAL | {"sig": [*SEAL["sig"]]}, "decode.claims"),
        (SEAL | {"sig": "sigvl"}, "decode.claims"),
        (SEAL | {"data": {"hdr": VACCINATION["hdr"]}}, "decode.claims"),
        (seal(KEY, SIGNER, VACCINATION | {"hdr": []}), "decode.claims"),
        (seal(KEY, SIGNER, VACCINATION | {"msg": "x"}), "decode.claims"),
        (with_data(hdr_v=2), "decode.version"),
        (with_data(hdr_v=True), "decode.version"),
        (with_data(hdr_v="1"), "decode.version"),
        (with_data(hdr_v=None), "decode.version"),
        (with_data(hdr_t="icao.dta"), "decode.type"),
        (with_data(hdr_t=["icao.vacc"]), "decode.type"),
        (with_data(hdr_is="uto"), "decode.issuer"),
        (with_data(hdr_is="UTOP"), "decode.issuer"),
        (with_data(hdr_is=1), "decode.issuer"),
        (with_data(msg_uvci=None), "decode.claims"),
        (with_data(msg_uvci=""), "decode.claims"),
        (with_data(msg_uvci="x" * 65), "decode.claims"),
        (with_data(msg_uvci=7), "decode.claims"),
        (with_data(hdr_t="icao.test"), "decode.claims"),
    ],
)
def test_a_shape_that_is_not_as_it_must_be_is_refused(changed: dict[str, Any], reason: str) -> None:
    assert reason_of(changed) == reason


@pytest.mark.parametrize(
    ("alg", "reason"),
    [
        ("ES384", "key.es384-unavailable"),
        ("ES512", "key.es512-unavailable"),
        ("none", "decode.header"),
        ("HS256", "decode.header"),
        ("es256", "decode.header"),
        ("EdDSA", "decode.header"),
        (["ES256"], "decode.header"),
        (None, "decode.header"),
    ],
)
def test_no_other_algorithm_is_taken(alg: Any, reason: str) -> None:
    assert reason_of(SEAL | {"sig": SEAL["sig"] | {"alg": alg}}) == reason


def raw(r: int, s: int) -> str:
    return base64url(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        (base64url(KEY.sign(canonical(VACCINATION), ec.ECDSA(SHA256()))), "decode.signature"),
        (base64url(bytes(63)), "decode.signature"),
        ("", "decode.signature"),
        (SEAL["sig"]["sigvl"] + "=", "decode.base64"),
        (SEAL["sig"]["sigvl"][:-2] + "=", "decode.base64"),
        (SEAL["sig"]["sigvl"].replace("=", "") + "A", "decode.signature"),
        (SEAL["sig"]["sigvl"].replace("=", "")[:-1] + "_", "decode.base64"),  # bits behind the last byte
        (" " + SEAL["sig"]["sigvl"], "decode.base64"),
        (base64.b64encode(b"\xff" * 64).decode(), "decode.base64"),
        (64, "decode.base64"),
        (None, "decode.base64"),
        (raw(0, 1), "signature.invalid"),
        (raw(1, 0), "signature.invalid"),
        (raw(ORDER, 1), "signature.invalid"),
        (raw(1, ORDER), "signature.invalid"),
        (raw(1, 2**256 - 1), "signature.invalid"),
    ],
)
def test_a_signature_is_64_bytes_in_range_written_in_one_way(signature: Any, reason: str) -> None:
    assert reason_of(SEAL | {"sig": SEAL["sig"] | {"sigvl": signature}}) == reason


# -- keys and the chain


def test_the_certificate_in_the_code_proves_nothing_by_itself() -> None:
    assert reason_of(TEXT, None) == "key.no-trust-list"
    assert reason_of(TEXT, trust_of()) == "key.unknown-issuer"
    assert reason_of(TEXT, trust_of(Authority("another").entry())) == "key.unknown"
    assert reason_of(TEXT, trust_of(entry_of(CSCA.certify(ec_key("another signer"))))) == "key.unknown"
    own = Authority("own")
    assert reason_of(signed_by(own.certificate, key=own.key)) == "key.unknown"


def test_an_authority_of_another_issuer_or_family_answers_for_nobody() -> None:
    assert reason_of(TEXT, trust_of(CSCA.entry(issuer="XXX"))) == "key.unknown-issuer"
    assert reason_of(TEXT, trust_of(CSCA.entry(family="hcert"))) == "key.unknown-issuer"
    assert reason_of(with_data(hdr_is="XXX")) == "key.unknown-issuer"


def test_an_authority_of_the_same_name_with_another_key_is_another() -> None:
    twin = Authority("csca", key=ec_key("a twin"))
    assert reason_of(TEXT, trust_of(twin.entry())) == "key.unknown"
    assert reason_of(TEXT, trust_of(twin.entry(), CSCA.entry())) == "ok"


def test_no_more_than_a_few_authorities_are_asked() -> None:
    twins = [Authority("csca", key=ec_key(f"twin {n}")).entry() for n in range(AUTHORITIES_MAX)]
    assert reason_of(TEXT, trust_of(*twins[1:], CSCA.entry())) == "ok"
    assert reason_of(TEXT, trust_of(*twins, CSCA.entry())) == "key.unknown"


def test_the_code_must_be_signed_by_the_certificates_key() -> None:
    assert reason_of(signed_by(SIGNER, key=ec_key("another signer"))) == "signature.invalid"
    assert reason_of(signed_by(SIGNER, key=ec_key("another signer")), PINNED) == "signature.invalid"


def profile(*changed: tuple[x509.ExtensionType, bool], without: type | None = None) -> list[Any]:
    return [*(found for found in PROFILE if not isinstance(found[0], without or ())), *changed]


EKU, KU, OTHER = x509.ExtendedKeyUsage, x509.KeyUsage, x509.UnrecognizedExtension
UNKNOWN = OTHER(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
AS_CA = x509.BasicConstraints(ca=True, path_length=None)
TLS = EKU([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.1")])


@pytest.mark.parametrize(
    ("extensions", "reason"),
    [
        ((), "key.usage"),
        (profile(without=EKU), "key.usage"),
        (profile((TLS, True), without=EKU), "key.usage"),
        (profile((EKU([PURPOSE, *TLS]), True), without=EKU), "ok"),
        (profile((AS_CA, True)), "key.usage"),
        (profile((x509.BasicConstraints(ca=False, path_length=None), True)), "ok"),
        (profile((document_types("NV"), False), without=OTHER), "ok"),
        (profile((document_types("NT"), False), without=OTHER), "key.usage"),
        (profile((document_types(), False), without=OTHER), "ok"),
        (profile((OTHER(document_types().oid, b"\x30\x80"), False), without=OTHER), "key.usage"),
        (profile(without=OTHER), "ok"),
        (profile((key_usage(key_agreement=True), True), without=KU), "key.unknown"),
        (profile((key_usage(key_cert_sign=True), True), without=KU), "key.unknown"),
        (profile(without=KU), "ok"),
        (profile((UNKNOWN, True)), "key.unknown"),
        (profile((UNKNOWN, False)), "ok"),
    ],
)
def test_a_signer_does_what_its_certificate_is_for(extensions: Any, reason: str) -> None:
    assert reason_of(signed_by(CSCA.certify(KEY, extensions=extensions))) == reason


def test_a_signer_pinned_by_its_certificate_does_no_more_than_that_says() -> None:
    travel = CSCA.certify(KEY, extensions=())
    assert reason_of(signed_by(travel), trust_of(entry_of(travel))) == "key.usage"


def test_an_authority_that_may_not_sign_certificates_answers_for_nobody() -> None:
    basic = (x509.BasicConstraints(ca=True, path_length=0), True)
    authority = Authority("no authority", extensions=(basic, (key_usage(crl_sign=True), True)))
    assert reason_of(signed_by(authority.certify(KEY)), trust_of(authority.entry())) == "key.unknown"
    plain = Authority("no authority", extensions=())
    assert reason_of(signed_by(plain.certify(KEY)), trust_of(plain.entry())) == "key.unknown"


@pytest.mark.parametrize(
    ("country", "reason"), [("UT", "ok"), ("ut", "ok"), ("XX", "key.country"), (None, "key.country")]
)
def test_a_signer_is_of_its_authoritys_country(country: str | None, reason: str) -> None:
    assert reason_of(signed_by(CSCA.certify(KEY, country=country))) == reason


@pytest.mark.parametrize("country", ["UT", None])
def test_an_authority_of_no_country_answers_for_nobody(country: str | None) -> None:
    nowhere = Authority(country=country)
    assert reason_of(signed_by(nowhere.certify(KEY, country=country)), trust_of(nowhere.entry())) == (
        "ok" if country else "key.country"
    )


@pytest.mark.parametrize(
    "key", [ec_key("p384", ec.SECP384R1()), rsa_key("signer"), ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))]
)
def test_a_signers_key_of_another_kind_is_refused(key: Any) -> None:
    assert reason_of(SEAL | {"sig": SEAL["sig"] | {"cer": base64url(CSCA.certify(key))}}) == "key.algorithm-mismatch"


@pytest.mark.parametrize(
    "certificate", [b"", b"x", b"\x30\x80", SIGNER[:-1], SIGNER + b"\0", b"\x30\x82\xff\xff" + SIGNER, SIGNER + SIGNER]
)
def test_what_is_no_certificate_is_refused(certificate: bytes) -> None:
    assert reason_of(SEAL | {"sig": SEAL["sig"] | {"cer": base64url(certificate)}}) == "key.unknown"


def at(seconds: float) -> Interval:
    return Interval(int(seconds * 1000), int(seconds * 1000))


def test_authority_and_signer_are_valid_now() -> None:
    early, late = START.timestamp() - 1, END.timestamp() + 1
    assert reason_of(TEXT, now=at(early)) == reason_of(TEXT, PINNED, at(early)) == "key.not-yet-valid"
    assert reason_of(TEXT, now=at(late)) == reason_of(TEXT, PINNED, at(late)) == "key.expired"
    ended = CSCA.certify(KEY, end=START.replace(month=6))
    assert reason_of(signed_by(ended)) == "key.expired"
    assert reason_of(signed_by(ended), now=at(START.timestamp() + 1)) == "ok"
    assert reason_of(signed_by(CSCA.certify(KEY, start=START.replace(year=2035)))) == "key.not-yet-valid"
    old = Authority("old", end=START.replace(month=6))
    assert reason_of(signed_by(old.certify(KEY)), trust_of(old.entry())) == "key.expired"
    assert reason_of(TEXT, trust_of(CSCA.entry(not_after="2026-06-01T00:00:00Z"))) == "key.expired"
    assert reason_of(TEXT, now=Interval(NOW_S * 1000, None)) == "ok"


@pytest.mark.parametrize("trust", ["authority", "signer"])
def test_a_revoked_authority_or_signer_is_refused(trust: str) -> None:
    entry = CSCA.entry()
    kid = bytes.fromhex(entry["kid"]) if trust == "authority" else x509_key_id(SIGNER)
    revoked = revoked_kids(kid, family=b"vds-nc")
    assert reason_of(TEXT, trust_of(entry, revoked=revoked)) == "revoked.key"
    if trust == "signer":
        assert reason_of(TEXT, trust_of(entry_of(SIGNER), revoked=revoked)) == "revoked.key"
    fine = judge(TEXT, trust_of(entry, revoked=revoked_kids(b"another!", family=b"vds-nc")))
    assert (fine.reason, fine.unchecked) == ("ok", ("expiry",))


# -- altered


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(SIGNER) * 8 - 1))
def test_no_flipped_bit_of_the_certificate_is_verified(bit: int) -> None:
    altered = bytearray(SIGNER)
    altered[bit // 8] ^= 1 << bit % 8
    assert judge(SEAL | {"sig": SEAL["sig"] | {"cer": base64url(bytes(altered))}}).outcome is Outcome.REFUSED


@settings(max_examples=400, deadline=None)
@given(st.integers(0, len(TEXT) - 1), st.sampled_from('aZ09_-" {}:,\\'))
def test_no_changed_character_gives_another_content(place: int, character: str) -> None:
    """What may change unseen: nothing but white space for nothing, and padding that says the same."""
    altered = TEXT[:place] + character + TEXT[place + 1 :]
    code = recognise(scan_of(altered))
    if altered == TEXT or code.family != "vds-nc":
        return
    verdict = verify(code, TRUST, NOW)
    assert verdict.outcome is Outcome.REFUSED


def test_beside_a_pinned_key_the_certificate_may_say_what_it_likes() -> None:
    """It is not signed by what is pinned, and nothing in it is believed."""
    other = Authority("another").certify(KEY)
    assert reason_of(signed_by(other), PINNED) == "ok"
    assert reason_of(signed_by(other)) == "key.unknown"


@given(st.text(max_size=60), st.sampled_from(["", '{"data":{"hdr":', '{"sig":{"sigvl":"", "hdr":']))
def test_any_text_gets_a_verdict_and_a_description(text: str, head: str) -> None:
    assert verify(Code("vds-nc", head + text), TRUST, NOW).outcome is Outcome.REFUSED
    assert describe("vds-nc", Claims(content=text)) == ()


PART = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["vd", "n", "seq", "r"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["pid", "ve", "dat", "tr"]), PART), st.sampled_from([VACCINATION, TEST]))
def test_whatever_is_signed_can_be_described(message: dict[str, Any], data: dict[str, Any]) -> None:
    signed = {"hdr": data["hdr"], "msg": data["msg"] | message}
    verdict = judge(seal(KEY, SIGNER, signed))
    assert verdict.reason == "ok"
    assert len(describe("vds-nc", verdict.claims)) <= 32
    assert all(fact.value.isprintable() for fact in describe("vds-nc", verdict.claims))


@pytest.mark.parametrize(
    ("text", "family"),
    [
        (TEXT, "vds-nc"),
        (" \n" + TEXT, "vds-nc"),
        ('{"data":{"hdr":{}},"sig":{"sigvl":1}}', "vds-nc"),
        ('{"isThisAVDS":false}', "unknown"),
        ('{"data":{"hdr":{}}}', "vds-nc"),
        ('{"data":{"head":{}}}', "unknown"),
        ('{"data":{"later":{},"hdr":{}}', "vds-nc"),
        ('{ "sig" : { "cer" : "', "vds-nc"),
        ('{"sig":{"other":1},"data":{"hdr":1}}', "unknown"),
        ('{"urls":["Task/1/$accept?ac=2"],"sigvl":1,"hdr":2}', "e-prescription"),
        ('{"Data":{"hdr":{}},"sigvl":1}', "unknown"),
        (" " * 8000, "unknown"),
        ("{" * 8000, "unknown"),
    ],
)
def test_the_members_decide_the_family(text: str, family: str) -> None:
    assert recognise(scan_of(text)).family == family


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("validVDSJson", "ok"),
        ("WHO-AU", "ok"),
        ("invalidVDSJson", "signature.invalid"),
        ("nonVDSJson", "family.unknown"),
    ],
)
def test_the_public_samples_are_judged_as_they_say(name: str, reason: str) -> None:
    vectors = os.environ.get("SCANWARD_VECTORS")
    if not vectors:
        pytest.skip("SCANWARD_VECTORS names no folder with vds-nc/ in it (docs/conformance.md)")
    folder = Path(vectors) / "vds-nc"
    signer = base64.urlsafe_b64decode(json.loads((folder / "validVDSJson.json").read_text())["sig"]["cer"])
    trust = trust_of(entry_of(signer, issuer="AUS"))
    assert verify(recognise(scan_of((folder / f"{name}.json").read_text())), trust, NOW).reason == reason
