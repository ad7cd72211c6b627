"""SMART Health Cards: what is read, what is refused and why, and what no change may get past."""

import hashlib
import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.codes import recognise, shc
from agent.core.codes.family import FACTS_MAX, VALUE_CHARACTERS_MAX
from agent.core.codes.parts import PARTS_MAX, WHOLE_CHARACTERS_MAX
from agent.core.codes.shc import BRACKETS_MAX, INFLATED_BYTES_MAX
from agent.core.formats import base64url as strict
from agent.core.formats.jwk import thumbprint
from agent.core.time_interval import Interval
from agent.core.trust_list import Trust, TrustListInvalid
from agent.core.verdict import Claims, Outcome, Verdict
from agent.core.verification import describe, verify
from fakes.ehc_issuer import NOW, NOW_S, revoked_cards, revoked_kids, scan_of, trust_of
from fakes.shc_issuer import (
    ISSUED_S,
    ISSUER_URL,
    PATIENT,
    RID,
    TYPE,
    ShcIssuer,
    base64url,
    claims,
    code_of,
    compact,
    credential,
    deflated,
    digits_of,
    file_of,
    parts_of,
)

ISSUER, OTHER = ShcIssuer(), ShcIssuer(b"another issuer", "https://other.example/issuer")
TRUST = trust_of(ISSUER.entry(), OTHER.entry(), revoked=revoked_cards())
JWS = ISSUER.jws()


def judge(text: str, trust: Trust | None = TRUST, now: Interval = NOW) -> Verdict:
    return verify(recognise(scan_of(text)), trust, now)


def at(earliest_s: float, latest_s: float | None) -> Interval:
    return Interval(int(earliest_s * 1000), None if latest_s is None else int(latest_s * 1000))


@pytest.mark.parametrize("text", [code_of(JWS), JWS, file_of(JWS), f"shc:/1/1/{digits_of(JWS)}"])
def test_a_card_verifies_as_digits_as_jws_and_as_file(text: str) -> None:
    verdict = judge(text)
    assert (verdict.family, verdict.outcome, verdict.reason, verdict.unchecked) == ("shc", Outcome.VERIFIED, "ok", ())
    assert (verdict.claims.issuer, verdict.claims.key_id) == (ISSUER_URL, ISSUER.kid)
    assert (verdict.claims.issued_at_s, verdict.claims.expires_at_s) == (int(ISSUED_S), None)
    assert verdict.claims.text == f"{ISSUER_URL}#{RID}".encode()


@pytest.mark.parametrize("head", [" ", "\t", "\r\n", "\n  "])
def test_white_space_in_the_header_is_json_and_the_jws_is_a_card(head: str) -> None:
    header = json.dumps(ISSUER.header(), indent=1).replace("{", "{" + head, 1)
    jws = ISSUER.jws(header=header.encode())
    assert [judge(text).reason for text in (jws, code_of(jws), file_of(jws))] == ["ok"] * 3


def test_a_card_without_a_rid_is_named_by_what_was_signed() -> None:
    jws = ISSUER.jws(claims(vc=credential(rid=None)))
    signed = jws.rpartition(".")[0].encode()
    assert judge(jws).claims.text == f"{ISSUER_URL}#{hashlib.sha256(signed).hexdigest()}".encode()


def test_nothing_that_a_card_says_of_itself_steers_a_screen() -> None:
    patient = {"resourceType": "Patient", "name": [{"family": "In\x1b[2Jvented"}], "birthDate": "1901\u202e01"}
    vc = {"type": ["#a\x9bb"], "credentialSubject": {"fhirBundle": {"entry": [{"resource": patient}]}}}
    facts = {fact.name: fact.value for fact in describe("shc", Claims(content={"vc": vc}))}
    assert facts == {"types": "a?b", "resources": "1", "name": "In?[2Jvented", "birth_date": "1901?01"}


def test_a_card_is_described_and_only_what_is_personal_is_marked_so() -> None:
    facts = {fact.name: (fact.value, fact.is_personal) for fact in describe("shc", judge(JWS).claims)}
    assert facts == {
        "types": ("immunization", False), "resources": ("2", False),
        "name": ("Probe Beispiel", True), "birth_date": ("1951-01-20", True),
    }  # fmt: skip


@given(st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(
    st.sampled_from(["resource", "resourceType", "name", "given", "family", "birthDate"]), inner)))  # fmt: skip
def test_no_content_makes_the_description_fail(anything: Any) -> None:
    bundle = {"resourceType": "Bundle", "entry": [{"resource": anything}, anything, {"resource": PATIENT}]}
    for subject in (anything, {"fhirBundle": anything}, {"fhirBundle": bundle}):
        for vc in (anything, {"type": anything, "credentialSubject": subject}):
            facts = describe("shc", Claims(content={"vc": vc}))
            assert len(facts) <= 32
            assert all(len(fact.value) <= 200 for fact in facts)


HEADERS: dict[str, Any] = {
    "alg none": ISSUER.header(alg="none"),
    "HS256": ISSUER.header(alg="HS256"),
    "ES384": ISSUER.header(alg="ES384"),
    "lower case": ISSUER.header(alg="es256"),
    "no alg": ISSUER.header(alg=None),
    "alg a list": ISSUER.header(alg=["ES256"]),
    "no kid": ISSUER.header(kid=None),
    "kid a number": ISSUER.header(kid=7),
    "kid padded": ISSUER.header(kid=base64url(ISSUER.kid) + "="),
    "kid with unused bits": ISSUER.header(kid=base64url(ISSUER.kid)[:-1] + "_"),
    "kid not ASCII": ISSUER.header(kid="é" * 43),
    "kid short": ISSUER.header(kid=base64url(ISSUER.kid[:31])),
    "kid long": ISSUER.header(kid=base64url(ISSUER.kid + b"\0")),
    "no zip": ISSUER.header(zip=None),
    "zip GZ": ISSUER.header(zip="GZ"),
    "crit": ISSUER.header(crit=["exp"]),
    "empty crit": ISSUER.header(crit=[]),
    "b64": ISSUER.header(b64=False),
    "b64 true": ISSUER.header(b64=True),
    "crit of a name we ignore": ISSUER.header(crit=["typ"], typ="JWT"),
    "alg twice": b'{"alg":"none",' + compact(ISSUER.header())[1:],
    "typ twice": compact(ISSUER.header())[:-1] + b',"typ":"JWT","typ":"JWT"}',
    "kid twice": compact(ISSUER.header())[:-1] + b',"kid":"' + base64url(OTHER.kid).encode() + b'"}',
    "a list": b'["ES256"]',
    "not JSON": b'{"alg":',
    "not UTF-8": b'{"alg":"\xff"}',
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_without_alg_zip_and_kid_as_they_must_be_is_refused(name: str) -> None:
    verdict = judge(code_of(ISSUER.jws(header=HEADERS[name])))
    assert (verdict.outcome, verdict.reason) == (Outcome.REFUSED, "decode.header")


FOREIGN_NAMES: dict[str, dict[str, Any]] = {
    "typ": {"typ": "JWT"},
    "cty": {"cty": "application/json"},
    "an invented name": {"https://health.example/x": [{"a": None}]},
    "a key": {"jwk": OTHER.jwk},
    "an address of keys": {"jku": "https://evil.example/jwks.json"},
    "a certificate": {"x5c": ["AAAA"], "x5t": "AAAA", "x5t#S256": "AAAA"},
    "an address of certificates": {"x5u": "https://evil.example/certificates.pem"},
}


@pytest.mark.parametrize("name", FOREIGN_NAMES)
def test_what_else_a_header_says_is_ignored_and_is_never_a_key(name: str) -> None:
    assert judge(code_of(ISSUER.jws(header=ISSUER.header(**FOREIGN_NAMES[name])))).reason == "ok"
    stranger = ShcIssuer(b"a stranger")
    own = FOREIGN_NAMES[name] | ({"jwk": stranger.jwk} if "jwk" in FOREIGN_NAMES[name] else {})
    assert judge(stranger.jws(header=ISSUER.header(**own))).reason == "signature.invalid"
    assert judge(stranger.jws(header=stranger.header(**own))).reason == "key.unknown"


def test_a_card_may_be_large_where_what_is_compressed_is_too() -> None:
    def card(entries_total: int) -> str:
        lots = [f"Lot {number * 7_919 % 100_003} of 2026" for number in range(entries_total)]
        entries = [{"resource": {"lotNumber": lot}} for lot in lots]
        bundle = {"resourceType": "Bundle", "entry": entries}
        return ISSUER.jws(claims(vc=credential(credentialSubject={"fhirVersion": "4.0.1", "fhirBundle": bundle})))

    large = card(900)
    payload = zlib.decompress(strict.decode(large.split(".")[1].encode()), -15)
    assert len(payload) > INFLATED_BYTES_MAX
    assert verify(shc.join(parts_of(large, 8)), TRUST, NOW).reason == "ok"


def test_a_mac_made_with_the_public_key_is_refused() -> None:
    import hmac

    message = f"{base64url(compact(ISSUER.header(alg='HS256')))}.{base64url(deflated(compact(claims())))}"
    mac = hmac.digest(ISSUER.spki, message.encode(), "sha256")
    assert judge(f"{message}.{base64url(mac)}").reason == "decode.header"


PAYLOADS: dict[str, tuple[bytes, str]] = {
    "not compressed": (compact(claims()), "decode.deflate"),
    "zlib's head": (zlib.compress(compact(claims())), "decode.deflate"),
    "cut short": (deflated(compact(claims()))[:-1], "decode.deflate"),
    "a byte behind": (deflated(compact(claims())) + b"\0", "decode.deflate"),
    "two streams": (deflated(compact(claims())) * 2, "decode.deflate"),
    "nothing": (b"", "decode.deflate"),
    "a bomb": (deflated(b" " * 3_000_000), "decode.over-long"),
    "just too long": (deflated(compact(claims()) + b" " * INFLATED_BYTES_MAX), "decode.over-long"),
    "byte order mark": (deflated(b"\xef\xbb\xbf" + compact(claims())), "decode.json"),
    "behind the object": (deflated(compact(claims()) + b"{}"), "decode.json"),
    "a name twice": (deflated(b'{"iss":"https://evil.example",' + compact(claims())[1:]), "decode.json"),
    "a name twice, deep": (deflated(compact(claims()).replace(b'"rid":', b'"rid":"x","rid":')), "decode.json"),
    "nested deeply": (deflated(b'{"a":' + b"[" * 1_900 + b"]" * 1_900 + b"}"), "decode.json"),
    "as many objects as a card may have": (deflated(b'{"a":[' + b"{}," * (BRACKETS_MAX - 2) + b"1]}"), "decode.claims"),
    "an object too many": (deflated(b'{"a":[' + b"{}," * (BRACKETS_MAX - 1) + b"1]}"), "decode.over-long"),
    "an array too many": (deflated(b'{"a":[' + b"[]," * (BRACKETS_MAX - 1) + b"1]}"), "decode.over-long"),
    "not UTF-8": (deflated(compact(claims()).replace(b"Beispiel", b"\xff")), "decode.json"),
    "a list": (deflated(b"[]"), "decode.json"),
    "nbf NaN": (deflated(compact(claims()).replace(str(ISSUED_S).encode(), b"NaN")), "decode.json"),
    "nbf beyond any number": (deflated(compact(claims()).replace(str(ISSUED_S).encode(), b"1e999")), "decode.json"),
    "nbf of 5,000 digits": (deflated(compact(claims()).replace(str(ISSUED_S).encode(), b"1" * 5_000)), "decode."),
}


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_payload_that_is_not_one_whole_stream_of_strict_json_is_refused(name: str) -> None:
    payload, reason = PAYLOADS[name]
    verdict = judge(file_of(ISSUER.jws(payload=payload)))
    assert verdict.outcome is Outcome.REFUSED
    assert verdict.reason.startswith(reason)


CLAIMS: dict[str, dict[str, Any]] = {
    "http": claims(iss="http://health.example/issuer"),
    "slash": claims(iss=ISSUER_URL + "/"),
    "upper case": claims(iss="HTTPS://health.example/issuer"),
    "iss with a space": claims(iss=ISSUER_URL + " "),
    "no iss": claims(iss=None),
    "iss too long": claims(iss="https://" + "a" * 248),
    "no nbf": claims(nbf=None),
    "nbf text": claims(nbf="1790000000"),
    "nbf true": claims(nbf=True),
    "nbf negative": claims(nbf=-0.5),
    "nbf milliseconds": claims(nbf=1_790_000_000_250),
    "nbf too large": claims(nbf=1e300),
    "exp text": claims(exp="1800000000"),
    "exp false": claims(exp=False),
    "exp milliseconds": claims(exp=1_890_000_000_000),
    "no vc": claims(vc=None),
    "vc list": claims(vc=[credential()]),
    "no type": claims(vc=credential(type=None)),
    "another type": claims(vc=credential(type=["https://smarthealth.cards#covid19"])),
    "type text": claims(vc=credential(type=TYPE)),
    "no subject": claims(vc=credential(credentialSubject=None)),
    "empty subject": claims(vc=credential(credentialSubject={})),
    "no bundle": claims(vc=credential(credentialSubject={"fhirVersion": "4.0.1", "fhirBundle": {}})),
    "rid too long": claims(vc=credential(rid="a" * 25)),
    "rid empty": claims(vc=credential(rid="")),
    "rid with a dot": claims(vc=credential(rid="abc.123")),
    "rid number": claims(vc=credential(rid=5)),
    "rid with a line feed": claims(vc=credential(rid="abc\n")),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_that_is_not_as_it_must_be_is_refused(name: str) -> None:
    said = dict(CLAIMS[name])
    assert judge(code_of(ISSUER.jws(said))).reason == "decode.claims"


def test_exp_that_is_null_is_refused_and_so_is_rid() -> None:
    assert judge(ISSUER.jws(claims() | {"exp": None})).reason == "decode.claims"
    assert judge(ISSUER.jws(claims(vc=credential() | {"rid": None}))).reason == "decode.claims"


def test_a_card_must_end_after_it_begins() -> None:
    assert judge(ISSUER.jws(claims(exp=ISSUED_S))).reason == "decode.lifetime"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("shc:" + digits_of(JWS), "decode.parts"),
        ("shc://" + digits_of(JWS), "decode.parts"),
        ("shc:/", "decode.jws"),
        (code_of(JWS)[:-1], "decode.digits"),
        (code_of(JWS) + "0", "decode.digits"),
        (code_of(JWS) + "78", "decode.digits"),
        (code_of(JWS) + "99", "decode.digits"),
        (code_of(JWS) + "  ", "decode.digits"),
        (code_of(JWS) + "\n", "decode.digits"),
        (code_of(JWS) + "１１", "decode.digits"),
        (code_of(JWS) + "5a", "decode.digits"),
        (code_of(JWS + "."), "decode.jws"),
        (code_of(JWS) + "77", "decode.jws"),
        ("shc:/0/1/" + digits_of(JWS), "decode.parts"),
        ("shc:/1/0/" + digits_of(JWS), "decode.parts"),
        ("shc:/2/1/" + digits_of(JWS), "decode.parts"),
        ("shc:/01/1/" + digits_of(JWS), "decode.parts"),
        ("shc:/1/1/1/" + digits_of(JWS), "decode.parts"),
        ("shc:/1/" + digits_of(JWS), "decode.parts"),
        (f"shc:/1/{PARTS_MAX + 1}/" + digits_of(JWS), "decode.parts"),
        ("shc:/1/2/" + digits_of(JWS), "decode.parts-missing"),
        (JWS + "=", "decode.jws"),
        (JWS + "\n", "decode.jws"),
        (JWS + "é", "decode.jws"),
        (JWS.replace(".", "..", 1)[:-1], None),
        (file_of(), "decode.file"),
        (file_of(JWS, JWS), "decode.file"),
        (file_of(JWS, OTHER.jws(claims(iss=OTHER.url))), "decode.file"),
        (file_of(7), "decode.file"),
        (file_of(JWS)[:-1], "decode.json"),
        (file_of(JWS) + "x", "decode.json"),
        ('{"verifiableCredential":[],' + file_of(JWS)[1:], "decode.json"),
        ("\ufeff" + JWS, None),
        (" " + JWS, None),
        ("SHC:/" + digits_of(JWS), None),
    ],
)  # fmt: skip
def test_a_text_that_is_not_just_a_card_is_refused(text: str, reason: str | None) -> None:
    verdict = judge(text)
    assert (verdict.outcome, verdict.reason) == (Outcome.REFUSED, reason or "family.unknown")


def test_a_jws_longer_than_any_card_is_refused_before_it_is_read() -> None:
    code = shc.join(parts_of("eyJ" + "A" * WHOLE_CHARACTERS_MAX, 8))
    assert verify(code, TRUST, NOW).reason == "decode.over-long"
    assert verify(shc.join(["shc:/1/1/" + "1" * 70_000]), TRUST, NOW).reason == "decode.over-long"


def test_a_key_counts_for_its_own_issuer_alone() -> None:
    assert judge(ISSUER.jws(), trust_of(OTHER.entry())).reason == "key.unknown-issuer"
    assert judge(ISSUER.jws(), trust_of(OTHER.entry(issuer=ISSUER_URL))).reason == "key.unknown"
    assert judge(ISSUER.jws(claims(iss=OTHER.url))).reason == "key.unknown"
    assert judge(ISSUER.jws(claims(iss="https://nobody.example"))).reason == "key.unknown-issuer"
    assert judge(OTHER.jws(claims(), header=ISSUER.header())).reason == "signature.invalid"
    assert judge(JWS, None).reason == "key.no-trust-list"


@pytest.mark.parametrize("signature", [b"", bytes(64), b"\xff" * 64, bytes(63), bytes(65), bytes(96)])
def test_a_signature_that_is_none_is_refused(signature: bytes) -> None:
    assert judge(ISSUER.jws(signature=signature)).reason == "signature.invalid"


def test_der_is_no_signature() -> None:
    assert judge(ISSUER.jws(der=True)).reason == "signature.invalid"


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"not_before": "2030-01-01T00:00:00Z"}, "key.not-yet-valid"),
        ({"not_after": "2026-12-31T00:00:00Z"}, "key.expired"),
        ({"not_before": "2026-12-01T00:00:00Z"}, "key.not-valid-at-issue"),
        ({"not_before": "2026-01-01T00:00:00Z", "not_after": "2036-01-01T00:00:00Z"}, "ok"),
    ],
)
def test_a_key_is_valid_within_its_dates(entry: dict[str, str], reason: str) -> None:
    assert judge(JWS, trust_of(ISSUER.entry(**entry))).reason == reason


def test_time_refuses_only_what_is_certain() -> None:
    short = ISSUER.jws(claims(exp=NOW_S + 0.5))
    assert judge(short).unchecked == ()
    assert judge(short, now=at(NOW_S + 17, NOW_S + 20)).reason == "time.expired"
    assert judge(short, now=at(NOW_S - 60, NOW_S + 60)).unchecked == ("time",)
    assert judge(short, now=at(NOW_S - 60, None)).unchecked == ("time",)
    assert judge(JWS, now=at(NOW_S - 60, None)).unchecked == ()
    assert judge(JWS, now=at(ISSUED_S - 60, ISSUED_S - 20)).reason == "time.future"
    assert judge(JWS, now=at(ISSUED_S - 60, ISSUED_S - 10)).reason == "ok"


def test_a_revoked_key_is_refused_and_without_a_list_revocation_is_unchecked() -> None:
    revoked = revoked_kids(ISSUER.kid, family=b"shc")
    assert judge(JWS, trust_of(ISSUER.entry(), revoked=revoked)).reason == "revoked.key"
    assert judge(JWS, trust_of(ISSUER.entry())).unchecked == ("revocation",)


@pytest.mark.parametrize(
    ("rids", "reason"),
    [
        ([], "ok"),
        ([RID], "revoked.card"),
        ([f"{RID}.{int(ISSUED_S)}"], "ok"),  # the card is a quarter of a second younger
        ([f"{RID}.{int(ISSUED_S) + 1}"], "revoked.card"),
        ([f"{RID}x", RID[:-1], RID.lower()], "ok"),
    ],
)
def test_a_card_is_revoked_by_its_issuers_list(rids: list[str], reason: str) -> None:
    trust = trust_of(
        ISSUER.entry(crl_version=1), OTHER.entry(), revocations=[ISSUER.revocations(*rids)], revoked=revoked_cards()
    )
    verdict = judge(JWS, trust)
    assert (verdict.reason, verdict.unchecked) == (reason, ())
    assert judge(OTHER.jws(claims(iss=OTHER.url)), trust).reason == "ok"


def test_a_card_issued_at_the_very_instant_of_a_revocation_is_revoked() -> None:
    trust = trust_of(ISSUER.entry(), revocations=[ISSUER.revocations(f"{RID}.{NOW_S}")])
    assert judge(ISSUER.jws(claims(nbf=NOW_S)), trust).reason == "revoked.card"


def test_a_key_that_speaks_of_a_list_without_one_leaves_revocation_unchecked() -> None:
    trust = trust_of(ISSUER.entry(crl_version=3), revoked=revoked_cards())
    assert (judge(JWS, trust).reason, judge(JWS, trust).unchecked) == ("ok", ("revocation",))


MALFORMED: dict[str, dict[str, Any]] = {
    "a rid twice": ISSUER.revocations("abc", "abc"),
    "a rid twice, dated": ISSUER.revocations("abc.1", "abc.2"),
    "unknown method": ISSUER.revocations(method="hash-fhir"),
    "no method": ISSUER.revocations(method=None),
    "padded": ISSUER.revocations("abc="),
    "not base64url": ISSUER.revocations("$wrongrid!"),
    "too long": ISSUER.revocations("a" * 25),
    "empty": ISSUER.revocations(""),
    "no seconds": ISSUER.revocations("abc."),
    "a fraction": ISSUER.revocations("abc.1.5"),
    "milliseconds": ISSUER.revocations("abc.1638311286000"),
    "a number": ISSUER.revocations(5),
    "no list": ISSUER.revocations(rids="abc"),
    "counter text": ISSUER.revocations(ctr="1"),
    "counter true": ISSUER.revocations(ctr=True),
    "counter 0": ISSUER.revocations(ctr=0),
    "another version": ISSUER.revocations(ctr=2),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_list_refuses_the_cards_of_its_key_and_no_others(name: str) -> None:
    trust = trust_of(ISSUER.entry(crl_version=1), OTHER.entry(), revocations=[MALFORMED[name]])
    assert judge(JWS, trust).reason == "revoked.list-invalid"
    assert judge(ISSUER.jws(claims(vc=credential(rid=None))), trust).reason == "revoked.list-invalid"
    assert judge(OTHER.jws(claims(iss=OTHER.url)), trust).reason == "ok"


def test_two_lists_for_one_key_are_none() -> None:
    trust = trust_of(ISSUER.entry(crl_version=1), revocations=[ISSUER.revocations(RID), ISSUER.revocations()])
    assert judge(JWS, trust).reason == "revoked.list-invalid"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (ISSUER.entry(kid=OTHER.kid.hex()), r"keys\[0\]\.kid: not the JWK thumbprint"),
        (ISSUER.entry(kid=ISSUER.kid[:8].hex()), r"keys\[0\]\.kid: not the JWK thumbprint"),
        (ISSUER.entry(alg="EdDSA", spki="MCowBQYDK2VwAyEA" + "A" * 43 + "="), r"keys\[0\]: not a P-256 key"),
        (ISSUER.entry(crl_version=-1), r"crl_version|keys\[0\]"),
        (ISSUER.entry(crl_version="1"), r"crl_version"),
    ],
)
def test_a_key_that_is_not_named_by_its_thumbprint_refuses_the_list(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(TrustListInvalid, match=message):
        trust_of(entry)


@pytest.mark.parametrize("entry", [ISSUER.revocations(kid="XYZ"), ISSUER.revocations(issuer=""), "abc", {"rids": []}])
def test_a_list_that_cannot_be_put_to_a_key_refuses_the_trust_list(entry: Any) -> None:
    with pytest.raises(TrustListInvalid, match="revocations"):
        trust_of(ISSUER.entry(), revocations=[entry])


def test_the_thumbprint_is_that_of_the_standards_way_to_write_a_key() -> None:
    assert thumbprint(ISSUER.spki) == ISSUER.kid


PARTS = parts_of(JWS, 3)


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1], [0, 0, 1, 2, 2]])
def test_a_card_in_several_codes_verifies_in_any_order(order: list[int]) -> None:
    assert verify(shc.join([PARTS[n] for n in order]), TRUST, NOW).reason == "ok"


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (PARTS[:2], "decode.parts-missing"),
        ([PARTS[0], PARTS[0]], "decode.parts-missing"),
        ([*PARTS, parts_of(ISSUER.jws(), 3)[2]], "decode.parts"),
        ([PARTS[0], parts_of(JWS, 2)[1]], "decode.parts"),
        ([*PARTS, code_of(JWS)], "decode.parts"),
        ([*PARTS, "EHC1:"], "decode.parts"),
        ([*PARTS, ""], "decode.parts"),
        ([*PARTS, "shc:/4/3/00"], "decode.parts"),
        ([PARTS[1].replace("/2/", "/1/"), PARTS[0].replace("/1/", "/2/"), PARTS[2]], "decode."),
        ([PARTS[0]] * (PARTS_MAX + 2), "decode.parts"),
    ],
)
def test_parts_that_do_not_make_one_card_are_refused(texts: list[str], reason: str) -> None:
    verdict = verify(shc.join(texts), TRUST, NOW)
    assert verdict.outcome is Outcome.REFUSED
    assert verdict.reason.startswith(reason)


def test_no_flipped_bit_of_a_signature_or_a_payload_is_verified() -> None:
    header, payload, signature = (strict.decode(segment.encode()) for segment in JWS.split("."))
    for at_, segment in enumerate((header, payload, signature)):
        for place in range(len(segment) * 8):
            flipped = bytearray(segment)
            flipped[place // 8] ^= 1 << place % 8
            segments = [header, payload, signature]
            segments[at_] = bytes(flipped)
            changed = ".".join(base64url(one) for one in segments)
            assert judge(code_of(changed)).outcome is Outcome.REFUSED, f"bit {place} of segment {at_}"


def test_no_changed_digit_is_verified_and_none_is_passed_over() -> None:
    text = code_of(JWS)
    for place, was in enumerate(text):
        for character in "0123456789 /a":
            if character != was:
                changed = text[:place] + character + text[place + 1 :]
                assert judge(changed).outcome is Outcome.REFUSED, f"character {place}"


@given(st.text(max_size=300) | st.text("0123456789/", max_size=400) | st.text("eyJabcABC._-{}", max_size=300))
def test_no_text_raises_and_none_is_verified(text: str) -> None:
    for candidate in (text, "shc:/" + text, "eyJ" + text, '{"verifiableCredential":[' + text, "shc:/1/2/" + text):
        verdict = judge(candidate.encode("utf-8", "surrogatepass").decode("utf-8", "replace"))
        assert verdict.outcome is not Outcome.VERIFIED
        assert verify(shc.join([candidate, text]), TRUST, NOW).outcome is Outcome.REFUSED


@given(st.binary(max_size=400))
def test_no_signed_payload_raises(noise: bytes) -> None:
    for payload in (noise, deflated(noise), deflated(compact({"iss": ISSUER_URL, "nbf": 1})[:-1] + noise)):
        assert judge(ISSUER.jws(payload=payload)).outcome is Outcome.REFUSED


JSON = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.sampled_from([NOW_S, ISSUER_URL]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["type", "credentialSubject", "fhirVersion", "fhirBundle", "entry", "resource", "rid"]), inner),
    max_leaves=8,
)  # fmt: skip


@given(
    st.dictionaries(st.sampled_from(["type", "credentialSubject", "rid", "@context"]), JSON, max_size=2),
    st.just({}) | st.dictionaries(st.sampled_from(["iss", "nbf", "exp", "vc", "crit", "jti"]), JSON, max_size=2),
)
def test_whatever_an_issuer_signs_gets_a_verdict_and_can_be_described(vc: Any, changed: Any) -> None:
    verdict = judge(ISSUER.jws(claims(**{"vc": credential(**vc), **changed})))
    facts = describe("shc", verdict.claims)
    assert len(facts) <= FACTS_MAX
    assert all(len(fact.value) <= VALUE_CHARACTERS_MAX for fact in facts)
    if verdict.outcome is Outcome.VERIFIED:
        assert (verdict.claims.issuer, verdict.claims.key_id) == (ISSUER_URL, ISSUER.kid)
        assert (verdict.claims.text or b"").startswith(f"{ISSUER_URL}#".encode())


@given(st.binary(max_size=60))
def test_base64url_has_one_text_for_each_bytes(data: bytes) -> None:
    characters = strict.encode(data)
    assert strict.decode(characters) == data
    assert characters.decode() == base64url(data)


@given(st.text("ABQgwz019-_+/=. \n", max_size=9).map(str.encode))
def test_what_is_read_as_base64url_is_what_would_be_written(characters: bytes) -> None:
    try:
        data = strict.decode(characters)
    except strict.Base64UrlInvalid:
        return
    assert strict.encode(data) == characters


def test_what_stands_in_a_file_beside_its_card_is_ignored() -> None:
    assert judge(json.dumps({"name": "x", "verifiableCredential": [JWS]})).reason == "ok"
