"""What every signed family must refuse, in one table: keys of others, times beyond, and what a verdict leaves open.

What one format alone must refuse stands in its own file. Here a rule is held against each family that it can concern.
"""

import base64
import dataclasses
import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

import cbor2
import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from agent.adapters.keys.verification import build_key, read_certificate
from agent.core.codes import FAMILIES, recognise
from agent.core.decision import Answer, Decision, History, decide
from agent.core.revocation import parse_revoked
from agent.core.steps import parse_policy
from agent.core.time_interval import Interval
from agent.core.trust_entries import parse_trust_list
from agent.core.trust_list import Trust, TrustList
from agent.core.verdict import Outcome, Verdict
from agent.core.verification import verify
from fakes import asia_issuers, ehc_issuer, hcert_issuer, shc_issuer
from fakes.asia_issuers import AadhaarIssuer, Authority, ec_key, key_usage
from fakes.ehc_issuer import NOW, NOW_S, EhcIssuer, scan_of, trust_list_file
from fakes.hcert_issuer import ORDER, HcertIssuer
from fakes.neighbours import samples
from fakes.shc_issuer import ShcIssuer

EHC, HCERT, SHC, AADHAAR, CSCA = EhcIssuer(), HcertIssuer(), ShcIssuer(), AadhaarIssuer(), Authority()
PS256 = HcertIssuer("PS256")
PS256.key = AADHAAR.key  # one RSA key, as two families would list it
SEAL_KEY = ec_key("signer")
SIGNER = CSCA.certify(SEAL_KEY)
ENTRIES: dict[str, dict[str, Any]] = {
    "ehc": EHC.entry(), "hcert": HCERT.entry(), "shc": SHC.entry(), "aadhaar": AADHAAR.entry(), "vds-nc": CSCA.entry(),
}  # fmt: skip
EMPTY = parse_revoked(b"")
POLICY = parse_policy(b"""
format = "scanward-policy-1"
version = 1
[offline]
provisional_unsettled_max = 5
[steps.any]
verified = ["ehc.dynamic", "ehc.static", "hcert.any", "shc.any", "aadhaar.any", "vds-nc.any"]
[steps.other]
verified = ["national.dynamic"]
""")


def trust_of(*entries: dict[str, Any], revoked: Any = EMPTY) -> Trust:
    return Trust(parse_trust_list(trust_list_file(*entries), build_key, read_certificate), POLICY, revoked, None)


def judge(text: str, trust: Trust, now: Interval = NOW) -> Verdict:
    return verify(recognise(scan_of(text)), trust, now)


def ehc_static(iat: int = NOW_S - 60, exp: int | None = None) -> str:
    claims = {**ehc_issuer.STATIC, 6: iat}
    return EHC.code(claims if exp is None else {**claims, 4: exp})


def ehc_dynamic(iat: int = NOW_S - 60, exp: int | None = None) -> str:
    return EHC.code({**ehc_issuer.DYNAMIC, 6: iat, 4: iat + 60 if exp is None else exp})


def hcert(iat: float = NOW_S - 60, exp: float | None = None, **more: Any) -> str:
    return HCERT.code(hcert_issuer.claims(iat=iat, exp=NOW_S + 60 if exp is None else exp, **more))


def shc(iat: float = NOW_S - 60, exp: float | None = None) -> str:
    return shc_issuer.code_of(SHC.jws(shc_issuer.claims(nbf=iat, exp=exp)))


AADHAAR_CODE = AADHAAR.code()
SEAL = json.dumps(asia_issuers.seal(SEAL_KEY, SIGNER))
CODES: dict[str, Callable[[], str]] = {
    "ehc": ehc_static, "hcert": hcert, "shc": shc, "aadhaar": lambda: AADHAAR_CODE, "vds-nc": lambda: SEAL,
}  # fmt: skip
ALL = trust_of(*ENTRIES.values())


@pytest.mark.parametrize("family", CODES)
def test_each_is_verified_beside_all_the_others(family: str) -> None:
    verdict = judge(CODES[family](), ALL)
    assert (verdict.family, verdict.outcome, verdict.reason) == (family, Outcome.VERIFIED, "ok")


OTHERS = [*CODES, "platform", "of-tomorrow"]


@pytest.mark.parametrize(("family", "other"), [(one, other) for one in CODES for other in OTHERS if one != other])
def test_a_key_counts_for_its_own_family_alone(family: str, other: str) -> None:
    """The very key that signed, under the very issuer and key id, but listed under another family."""
    (key,) = trust_of(ENTRIES[family]).trust_list.keys
    moved = Trust(TrustList(1, 0, (dataclasses.replace(key, family=other),)), POLICY, EMPTY, None)
    verdict = judge(CODES[family](), moved)
    expected = "key.unknown" if family == "hcert" else "key.unknown-issuer"
    assert (verdict.outcome, verdict.reason) == (Outcome.REFUSED, expected)


@pytest.mark.parametrize("family", ["ehc", "shc", "vds-nc", "hcert"])
def test_a_key_counts_for_its_own_issuer_alone(family: str) -> None:
    others = {"ehc": "4421", "shc": shc_issuer.ISSUER_URL + "2", "vds-nc": "UTP", "hcert": "DE"}
    verdict = judge(CODES[family](), trust_of(ENTRIES[family] | {"issuer": others[family]}))
    expected = "key.other-issuer" if family == "hcert" else "key.unknown-issuer"
    assert (verdict.outcome, verdict.reason) == (Outcome.REFUSED, expected)


def test_two_issuers_keys_of_one_id_are_kept_apart() -> None:
    """ehc: exactly the issuer's. hcert: any may have signed; whose it was, the trust list says."""
    other = EhcIssuer(label=b"another")
    twice = trust_of(EHC.entry(), EHC.entry(issuer="4421"))
    assert judge(EHC.code({**ehc_issuer.STATIC, 1: "4421"}), twice).claims.issuer == "4421"
    forged = other.code({**ehc_issuer.STATIC, 1: "4421"}, protected=cbor2.dumps({1: -7, 4: EHC.kid}, canonical=True))
    assert judge(forged, twice).reason == "signature.invalid"
    theirs = HcertIssuer(label=b"another", country="DE")
    trust = trust_of(HCERT.entry(), theirs.entry(kid=HCERT.kid.hex()))
    protected = {1: -7, 4: HCERT.kid}
    assert judge(HCERT.code(), trust).claims.issuer == "AT"
    said = hcert_issuer.claims(iss="DE")
    assert judge(theirs.code(said, protected=protected), trust).claims.issuer == "DE"
    assert judge(HCERT.code(said), trust).reason == "signature.invalid", "AT's key says it is DE's"


def test_one_rsa_key_serves_only_the_scheme_it_is_listed_for() -> None:
    """A PKCS #1 v1.5 signature is none under PS256, whoever made it, nor the other way round."""
    assert judge(AADHAAR_CODE, trust_of(AADHAAR.entry(alg="PS256"))).reason == "key.unknown"
    spki = AADHAAR.entry()["spki"]
    for alg, reason in (("PS256", "ok"), ("RS256", "key.algorithm-mismatch")):
        assert judge(PS256.code(), trust_of(PS256.entry(spki=spki, alg=alg))).reason == reason


AN_AUTHORITY = (x509.BasicConstraints(ca=True, path_length=0), True)
A_SIGNER = (x509.BasicConstraints(ca=False, path_length=None), True)
SIGNS, CERTIFIES = (key_usage(digital_signature=True), True), (key_usage(key_cert_sign=True), True)
PINNED = {"hcert": HCERT.key, "shc": SHC.key, "aadhaar": AADHAAR.key, "vds-nc": SEAL_KEY}
REFUSALS = {"hcert": "key.usage", "shc": "key.usage", "aadhaar": "key.unknown", "vds-nc": "key.unknown"}


@pytest.mark.parametrize("family", PINNED)
@pytest.mark.parametrize(
    ("extensions", "good_for"),
    [
        ((), {"hcert", "shc", "aadhaar", "vds-nc"}),
        ((A_SIGNER, SIGNS), {"hcert", "shc", "aadhaar", "vds-nc"}),
        ((A_SIGNER, CERTIFIES), set()),
        ((AN_AUTHORITY, SIGNS), {"hcert"}),  # a country may have one key for both
        ((AN_AUTHORITY,), {"hcert"}),
        ((AN_AUTHORITY, CERTIFIES), set()),
    ],
    ids=["says nothing", "signs", "certifies", "authority that signs", "authority", "authority that certifies"],
)
def test_a_listed_certificate_does_what_it_says_it_is_for(
    family: str, extensions: tuple[Any, ...], good_for: set[str]
) -> None:
    purpose = ((x509.ExtendedKeyUsage([asia_issuers.PURPOSE]), False),) if family == "vds-nc" else ()
    listed = Authority(country="AT", key=PINNED[family], extensions=(*extensions, *purpose))
    x5c = [base64.b64encode(listed.certificate).decode()]
    entry = {name: value for name, value in ENTRIES[family].items() if name not in ("spki", "x5c")} | {"x5c": x5c}
    verdict = judge(CODES[family](), trust_of(entry | ({"alg": "ES256"} if family == "vds-nc" else {})))
    assert verdict.reason == ("ok" if family in good_for else REFUSALS[family])


# --- time ---

Made = Callable[..., str]
DATED: dict[str, Made] = {"ehc.static": ehc_static, "ehc.dynamic": ehc_dynamic, "hcert": hcert, "shc": shc}
MS = 1000


@pytest.mark.parametrize("name", DATED)
@pytest.mark.parametrize(
    ("earliest_ms", "latest_ms", "reason"),
    [
        (60_000 + 15_000, 60_000 + 15_000, "ok"),  # the last millisecond of the grace
        (60_000 + 15_001, 60_000 + 15_001, "time.expired"),
        (60_000 + 15_001, None, "time.expired"),
        (60_000 + 15_000, None, "ok"),
        (-(10**12), None, "ok"),  # nothing is certain
        (-15_000, -15_000, "ok"),  # the first millisecond of the grace
        (-15_001, -15_001, "time.future"),
        (-(10**12), -15_001, "time.future"),
        (-(10**12), 10**12, "ok"),
    ],
)
def test_time_refuses_to_the_millisecond_and_only_what_is_certain(
    name: str, earliest_ms: int, latest_ms: int | None, reason: str
) -> None:
    """Of a code that lives from NOW_S to 60 s later."""
    code = DATED[name](NOW_S, NOW_S + 60)
    base_ms = NOW_S * MS
    now = Interval(base_ms + earliest_ms, None if latest_ms is None else base_ms + latest_ms)
    verdict = judge(code, ALL, now)
    assert verdict.reason == reason
    is_vague = latest_ms is None or latest_ms - earliest_ms > 10_000
    assert ("time" in verdict.unchecked) is (reason == "ok" and is_vague)


@pytest.mark.parametrize("earliest_ms", [-1, 0, 1])
def test_before_1970_and_after_everything_no_interval_raises(earliest_ms: int) -> None:
    for name, made in CODES.items():
        for now in (Interval(earliest_ms, None), Interval(earliest_ms, earliest_ms), Interval(-(10**15), 10**18)):
            assert judge(made(), ALL, now).outcome in (Outcome.VERIFIED, Outcome.REFUSED)
        assert judge(made(), ALL, Interval(10**18, 10**18)).outcome is Outcome.REFUSED or name == "aadhaar"


NO_INSTANTS: dict[str, Any] = {
    "true": True, "a text": "1800000000", "null": None, "NaN": float("nan"), "infinite": float("inf"),
    "minus infinity": -float("inf"), "1e300": 1e300, "2^63": 2**63, "2^64 - 1": 2**64 - 1, "-1": -1, "-0.5": -0.5,
    "milliseconds": NOW_S * 1000, "a list": [NOW_S], "the year 10000": 253_402_300_800, "2^53 as a float": 2.0**53,
}  # fmt: skip


@pytest.mark.parametrize("value", NO_INSTANTS.values(), ids=NO_INSTANTS)
@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
def test_what_is_no_instant_is_none_in_any_family(claim: str, value: Any) -> None:
    codes = []
    if claim != "nbf":
        number = {"exp": 4, "iat": 6}[claim]
        codes += [EHC.code({**ehc_issuer.STATIC, number: value})]
    if (claim, value) != ("nbf", None):
        said = hcert_issuer.claims() | {{"exp": 4, "iat": 6, "nbf": 5}[claim]: value}
        codes += [HCERT.code(said)]
    if claim != "iat":
        codes += [shc_issuer.code_of(SHC.jws(json.dumps(shc_issuer.claims() | {claim: value}).encode()))]
    for code in codes:
        verdict = judge(code, ALL)
        assert (verdict.outcome, verdict.reason.partition(".")[0]) == (Outcome.REFUSED, "decode"), verdict


def test_minus_zero_and_fractions_are_instants_where_the_format_has_them() -> None:
    assert judge(hcert(-0.0, NOW_S + 0.5), ALL).reason == "key.not-valid-at-issue"
    assert judge(hcert(NOW_S - 0.25, NOW_S + 0.5), ALL).reason == "ok"
    assert judge(shc(NOW_S - 0.25, NOW_S + 0.5), ALL).reason == "ok"
    assert judge(hcert(NOW_S, NOW_S), ALL).reason == "ok", "hcert: exp at iat is allowed, and all the grace is left"


def test_a_certificate_that_begins_later_than_it_was_issued_waits_for_it() -> None:
    """nbf (RFC 8392 §3.1.5): HCERT's specification does not speak of it; a CWT that has one means it."""
    for nbf, reason in ((NOW_S + 15, "ok"), (NOW_S + 16, "time.future"), (NOW_S + 0.5, "ok"), (NOW_S - 9, "ok")):
        said = hcert_issuer.claims() | {5: nbf}
        assert judge(HCERT.code(said), ALL).reason == reason
    assert judge(HCERT.code(hcert_issuer.claims() | {5: NOW_S + 99}), ALL, Interval(NOW_S * MS, None)).reason == "ok"


def test_a_beginning_that_may_lie_ahead_is_said_to_be_uncertain() -> None:
    ends = NOW_S + 86_400
    for nbf, unchecked in ((NOW_S + 60, {"time"}), (NOW_S + 15, set()), (NOW_S - 9, set())):
        code = HCERT.code(hcert_issuer.claims() | {4: ends, 5: nbf})
        verdict = judge(code, ALL, Interval(NOW_S * MS, (NOW_S + 3600) * MS))
        assert (verdict.reason, "time" in verdict.unchecked) == ("ok", bool(unchecked)), nbf


# --- what a verdict leaves open ---

VAGUE = Interval(NOW_S * MS, None)
WIDE = Interval(NOW_S * MS, (NOW_S + 3600) * MS)
ENDS_SOON = {"not_before": "2026-01-01T00:00:00Z", "not_after": "2027-01-15T08:30:00Z"}  # half an hour past NOW
ENDLESS: dict[str, Any] = {"not_before": None, "not_after": None}
UNCHECKED: list[tuple[str, dict[str, Any], Interval, set[str]]] = [
    ("hcert", {}, NOW, set()),
    ("hcert", {}, WIDE, {"time"}),
    ("hcert", {}, VAGUE, {"time"}),
    ("shc", ENDLESS, NOW, set()),
    ("shc", ENDLESS, VAGUE, set()),
    ("shc", ENDS_SOON, NOW, set()),
    ("shc", ENDS_SOON, WIDE, {"time"}),
    ("shc", ENDS_SOON, VAGUE, {"time"}),
    ("aadhaar", {}, NOW, {"expiry", "revocation"}),
    ("aadhaar", {}, VAGUE, {"expiry", "revocation"}),
    ("vds-nc", {}, NOW, {"expiry"}),
    ("vds-nc", {}, WIDE, {"expiry"}),
    ("vds-nc", {}, VAGUE, {"time", "expiry"}),
    ("ehc", {}, NOW, set()),
]


@pytest.mark.parametrize(("family", "changed", "now", "unchecked"), UNCHECKED)
def test_a_verdict_says_what_it_did_not_check(
    family: str, changed: dict[str, Any], now: Interval, unchecked: set[str]
) -> None:
    entry = {name: value for name, value in (ENTRIES[family] | changed).items() if value is not None}
    code = shc() if family == "shc" else CODES[family]()
    with_list, without = judge(code, trust_of(entry), now), judge(code, trust_of(entry, revoked=None), now)
    assert (with_list.outcome, without.outcome) == (Outcome.VERIFIED, Outcome.VERIFIED)
    assert set(with_list.unchecked) == unchecked
    assert set(without.unchecked) == unchecked | {"revocation"}
    assert len(set(with_list.unchecked)) == len(with_list.unchecked)


@pytest.mark.parametrize("make", [ehc_static, hcert, shc], ids=lambda make: make.__name__)
def test_a_time_known_closely_is_certain_of_an_end_within_the_grace(make: Callable[..., str]) -> None:
    """One rule for all: the grace of 15 s is wider than any interval that counts as close."""
    at_the_end = Interval((NOW_S + 11) * MS, (NOW_S + 20) * MS)
    assert judge(make(exp=NOW_S), ALL, at_the_end).unchecked == ()


def test_a_certificate_whose_key_may_have_ended_is_uncertain_though_it_has_not_expired() -> None:
    code = hcert(exp=NOW_S + 86_400)
    assert judge(code, trust_of(HCERT.entry(**ENDS_SOON)), WIDE).unchecked == ("time",)
    assert judge(code, trust_of(HCERT.entry()), WIDE).unchecked == ()


def test_an_aadhaar_code_without_a_date_is_as_good_as_its_key_is_now() -> None:
    undated = AADHAAR.code(reference="0" * 21)
    assert judge(undated, trust_of(AADHAAR.entry(**ENDS_SOON)), VAGUE).unchecked == ("time", "expiry", "revocation")
    assert judge(undated, trust_of(AADHAAR.entry(**ENDS_SOON))).unchecked == ("expiry", "revocation")
    assert judge(undated, trust_of(AADHAAR.entry()), VAGUE).unchecked == ("expiry", "revocation")


# --- what policy makes of it ---


def decided(verdict: Verdict, step: str = "any", history: History | None = None) -> Decision:
    return decide(verdict, step, ALL, history or History(), NOW)


@pytest.mark.parametrize("family", CODES)
def test_policy_takes_what_is_listed_certain_and_verified_alone(family: str) -> None:
    verdict = judge(CODES[family](), ALL)
    assert decided(verdict).answer is Answer.ACCEPT
    assert decided(verdict, "other").answer is Answer.REFUSE
    uncertain = decided(replace(verdict, unchecked=("time", *verdict.unchecked)))
    assert (uncertain.answer, uncertain.reason) == (Answer.PROVISIONAL, "policy.time-uncertain")
    assert decided(replace(verdict, outcome=Outcome.UNVERIFIABLE)).answer is Answer.REFUSE
    refused = decided(judge(CODES[family](), trust_of()))
    assert (refused.answer, refused.claim) == (Answer.REFUSE, None)


def test_a_one_time_code_is_one_code_whichever_way_its_signature_is_written() -> None:
    """(r, N - s) is as valid as (r, s), and anybody can make one of the other."""
    text = ehc_dynamic(NOW_S)
    token = EHC.token({**ehc_issuer.DYNAMIC, 6: NOW_S, 4: NOW_S + 60})
    s = ORDER - int.from_bytes(token[-32:], "big")
    twin = ehc_issuer.text_of(token[:-32] + s.to_bytes(32, "big"))
    assert twin != text
    one, two = judge(text, ALL), judge(twin, ALL)
    assert one.outcome is two.outcome is Outcome.VERIFIED
    assert one.claims.replay_id == two.claims.replay_id is not None
    history = History()
    assert decided(one, history=history).answer is Answer.ACCEPT
    assert (decided(two, history=history).answer, decided(two, history=history).reason) == (
        Answer.REFUSE,
        "replay.used",
    )


def test_the_other_encoding_of_an_ed25519_signature_is_none() -> None:
    """S + L (RFC 8032 §5.1.7): what is below L is one number, and only that is taken."""
    issuer = EhcIssuer("EdDSA")
    order = 2**252 + 27_742_317_777_372_353_535_851_937_790_883_648_493
    token = issuer.token(ehc_issuer.DYNAMIC)
    twin = token[:-32] + (int.from_bytes(token[-32:], "little") + order).to_bytes(32, "little")
    trust = trust_of(issuer.entry())
    assert judge(ehc_issuer.text_of(token), trust).reason == "ok"
    assert judge(ehc_issuer.text_of(twin), trust).reason == "signature.invalid"


def test_a_refused_code_leaves_nothing_that_could_be_used_up() -> None:
    for made in CODES.values():
        claims = judge(made(), trust_of()).claims
        assert (claims.card, claims.token, claims.replay_id) == (None, None, None)


# --- what two readers could read in two ways ---


def preset(data: bytes, dictionary: bytes = b"a dictionary that only the issuer has") -> bytes:
    stream = zlib.compressobj(zdict=dictionary)
    return stream.compress(data) + stream.flush()


CARD_JSON = shc_issuer.compact(shc_issuer.claims(nbf=NOW_S - 60))
AMBIGUOUS: dict[str, tuple[Callable[[], str], str]] = {
    "hcert: a preset dictionary": (
        lambda: "HC1:" + hcert_issuer.base45_text(preset(HCERT.token())), "decode.inflate",
    ),
    "hcert: two streams": (
        lambda: "HC1:" + hcert_issuer.base45_text(2 * zlib.compress(HCERT.token())), "decode.inflate",
    ),
    "hcert: gzip": (lambda: "HC1:" + hcert_issuer.base45_text(gzip.compress(HCERT.token())), "decode.inflate"),
    "hcert: a CWT within COSE_Sign1": (
        lambda: hcert_issuer.text_of(b"\xd2\xd8\x3d" + HCERT.token()[1:]), "decode.cose",
    ),
    "hcert: COSE_Sign1 in COSE_Sign1": (lambda: hcert_issuer.text_of(b"\xd2" + HCERT.token()), "decode.cose"),
    "hcert: alg as a big number": (
        lambda: HCERT.code(protected=b"\xa2\x01\xc3\x41\x06\x04\x48" + HCERT.kid), "decode.header",
    ),
    "hcert: 1.0 for the container's 1": (
        lambda: HCERT.code(hcert_issuer.claims({1.0: hcert_issuer.dcc(v=[hcert_issuer.VACCINATION])})), "decode.claims",
    ),
    "aadhaar: two members of gzip": (
        lambda: asia_issuers.number_of(gzip.compress(AADHAAR.content()) + gzip.compress(b"")), "decode.inflate",
    ),
    "aadhaar: a preset dictionary": (lambda: asia_issuers.number_of(preset(AADHAAR.content())), "decode.inflate"),
    "shc: iss twice, once escaped": (
        lambda: card(b'{"\\u0069ss":"https://evil.example",' + CARD_JSON[1:]), "decode.json",
    ),
    "shc: a name twice within, once escaped": (
        lambda: card(CARD_JSON.replace(b'"birthDate":', b'"a":{"b":1,"\\u0062":2},"birthDate":')), "decode.json",
    ),
    "shc: half a character": (lambda: card(CARD_JSON.replace(b"Beispiel", b"\\ud800")), "decode.json"),
    "shc: a number beyond any": (lambda: card(CARD_JSON[:-1] + b',"x":-1E400}'), "decode.json"),
    "shc: 5,000 digits": (lambda: card(CARD_JSON[:-1] + b',"x":' + b"9" * 5_000 + b"}"), "decode.json"),
    "shc: NUL behind": (lambda: card(CARD_JSON + b"\0"), "decode.json"),
    "vds-nc: a name twice within, once escaped": (
        lambda: SEAL.replace('"uvci":', '"\\u0075vci":"x","uvci":'), "decode.json",
    ),
    "vds-nc: sig twice": (lambda: SEAL[:-1] + "," + SEAL[SEAL.index('"sig"') :], "decode.json"),
    "vds-nc: 1.0 for 1": (lambda: SEAL.replace('"v": 1', '"v": 1.0'), "decode.version"),
    "vds-nc: true for 1": (lambda: SEAL.replace('"v": 1', '"v": true'), "decode.version"),
    "vds-nc: -0 for 1": (lambda: SEAL.replace('"seq": 1', '"seq": -0'), "signature.invalid"),
    "vds-nc: 1e0 for 1": (lambda: SEAL.replace('"seq": 1', '"seq": 1e0'), "decode.json"),
}  # fmt: skip


def card(content: bytes) -> str:
    return shc_issuer.code_of(SHC.jws(content))


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_what_can_be_read_in_two_ways_is_refused_though_signed(name: str) -> None:
    made, reason = AMBIGUOUS[name]
    verdict = judge(made(), ALL)
    assert (verdict.outcome, verdict.reason) == (Outcome.REFUSED, reason)


TEXTS = {family: made() for family, made in CODES.items()}


@settings(max_examples=300)
@given(st.sampled_from([*TEXTS]), st.integers(0, 10_000), st.characters(max_codepoint=0x17F), st.sampled_from("=+-"))
def test_no_change_of_a_character_makes_another_code(family: str, place: int, character: str, how: str) -> None:
    """What no signature covers may change (docs/codes.md names it); what a code says may not."""
    text = TEXTS[family]
    place %= len(text)
    behind = place + (how != "+")
    changed = text[:place] + ("" if how == "-" else character) + text[behind:]
    verdict = judge(changed, ALL)
    assert verdict.outcome is not Outcome.VERIFIED or verdict == judge(text, ALL)


WHOLE = [*TEXTS.values(), *samples().values(), "0123456789abcdef" * 4, "https://x.example/01/09506000134352/10/A"]
PIECES = st.sampled_from(WHOLE) | st.sampled_from([text[:size] for text in WHOLE for size in (4, 8, 16, 20, 64)])


@given(st.lists(PIECES | st.text(max_size=8) | st.text("0123456789", max_size=40), max_size=3), st.integers(0, 40))
def test_no_pieces_of_codes_in_a_row_are_claimed_by_two_families(pieces: list[str], cut: int) -> None:
    """Without a GS1 carrier: in one, FAMILIES' order decides, and what is signed goes before what is not."""
    text = "".join(pieces)
    text = text[: len(text) - cut]
    scan = scan_of(text)
    assert len([family.name for family in FAMILIES if family.recognise(text, scan) is not None]) <= 1
