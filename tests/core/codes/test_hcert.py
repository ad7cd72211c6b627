"""HCERT: what genuine certificates look like, and each rule of the docstring. Refusals: test_hcert_refusals.py."""

import zlib
from typing import Any

import cbor2
import pytest

from agent.adapters.keys.verification import build_key
from agent.core.codes import recognise
from agent.core.time_interval import Interval
from agent.core.trust_entries import parse_trust_list
from agent.core.trust_list import Trust
from agent.core.verdict import Claims, Outcome, Verdict
from agent.core.verification import describe, verify
from fakes.ehc_issuer import NOW, NOW_S, revoked_kids, scan_of, trust_list_file, trust_of
from fakes.hcert_issuer import (
    ALG,
    CI,
    KID,
    ORDER,
    PERSON,
    RECOVERY,
    TEST,
    VACCINATION,
    HcertIssuer,
    base45_text,
    claims,
    dcc,
    revoked_hashes,
    text_of,
)

ISSUER, OTHER = HcertIssuer(), HcertIssuer(label=b"another")
RSA = HcertIssuer("PS256")
TRUST = trust_of(ISSUER.entry(), RSA.entry(), revoked=revoked_hashes(b"nobody's"))
NEW_ARC, OLD_ARC = "1.3.6.1.4.1.1847.2021.1", "1.3.6.1.4.1.0.1847.2021.1"


def judge(text: str, trust: Trust | None = TRUST, now: Interval = NOW) -> Verdict:
    return verify(recognise(scan_of(text)), trust, now)


def reason(said: dict[int, Any] | bytes | None = None, trust: Trust | None = TRUST, **how: Any) -> str:
    return judge(ISSUER.code(said, **how), trust).reason


def at(earliest_s: float, latest_s: float | None) -> Interval:
    return Interval(int(earliest_s * 1000), None if latest_s is None else int(latest_s * 1000))


def test_a_genuine_certificate_is_verified_and_says_who_when_and_what() -> None:
    verdict = judge(ISSUER.code())
    found = verdict.claims
    assert (verdict.outcome, verdict.reason, verdict.unchecked, verdict.proof) == (
        Outcome.VERIFIED, "ok", (), "signature",
    )  # fmt: skip
    assert (found.issuer, found.key_id, found.text) == ("AT", ISSUER.kid, CI.encode())
    assert (found.issued_at_s, found.expires_at_s) == (NOW_S - 86_400, NOW_S + 86_400)
    assert (found.card, found.token, found.replay_id, found.item) == (None, None, None, None)


def tagged(heads: bytes) -> str:
    return text_of(heads + cbor2.dumps(ISSUER.parts()))


TAGGED = cbor2.CBORTag(0, "2027-01-14T10:00:00Z")
LATER, EARLIER = (NOW_S + 9).to_bytes(4, "big"), (NOW_S - 9).to_bytes(4, "big")
GENUINE: dict[str, Any] = {
    "RSA": RSA.code,
    "a test": lambda: ISSUER.code(claims({1: dcc(t=[TEST])})),
    "a recovery": lambda: ISSUER.code(claims({1: dcc(r=[RECOVERY])})),
    "two doses in one": lambda: ISSUER.code(claims({1: dcc(v=[VACCINATION, VACCINATION])})),
    "all kinds written, two empty": lambda: ISSUER.code(claims({1: dcc(v=[VACCINATION], t=[], r=None)})),
    "iat and exp with fractions": lambda: ISSUER.code(claims(iat=NOW_S - 0.5, exp=NOW_S + 0.25)),
    "iat and exp as whole floats": lambda: ISSUER.code(claims(iat=float(NOW_S), exp=float(NOW_S + 60))),
    "no iss": lambda: ISSUER.code(claims(iss=None)),
    "iss of three letters": lambda: ISSUER.code(claims(iss="AUT")),
    "iss in lower case": lambda: ISSUER.code(claims(iss="at")),
    "iss that names an authority": lambda: ISSUER.code(claims(iss="BMSGPK AT")),
    "a date with a tag": lambda: ISSUER.code(claims({1: dcc(t=[TEST | {"sc": TAGGED}])})),
    "a day with a tag": lambda: ISSUER.code(claims({1: dcc(r=[RECOVERY | {"fr": cbor2.CBORTag(1004, "2026-11-01")}])})),
    "a WHO container": lambda: ISSUER.code(claims({-6: {"n": "invented"}})),
    "kid first": lambda: ISSUER.code(protected={KID: ISSUER.kid, ALG: -7}),
    "a content type": lambda: ISSUER.code(protected={ALG: -7, 3: 61, KID: ISSUER.kid}),
    "kid unprotected": lambda: ISSUER.code(protected={ALG: -7}, unprotected={KID: ISSUER.kid}),
    "kid in both, the protected one counts": lambda: ISSUER.code(unprotected={KID: b"another."}),
    "untagged": lambda: text_of(cbor2.dumps(ISSUER.parts())),
    "tagged 61 and 18": lambda: text_of(cbor2.dumps(cbor2.CBORTag(61, cbor2.CBORTag(18, ISSUER.parts())))),
    "tagged 55799, 61 and 18": lambda: tagged(b"\xd9\xd9\xf7\xd8\x3d\xd2"),
    "tags with heads of every length": lambda: tagged(
        b"\xdb" + bytes(6) + b"\xd9\xf7\xda\0\0\0\x3d\xd9\0\x12"
    ),
    "the least compression": lambda: "HC1:" + base45_text(zlib.compress(ISSUER.token(), 0)),
    "claims of unknown numbers": lambda: ISSUER.code(claims() | {-70_000: b"x", "text": [1, 2]}),
    "indefinite lengths": lambda: ISSUER.code(
        b"\xbf\x01\x7f\x61A\x61T\xff\x06\x1a" + EARLIER + b"\x04\x1a" + LATER
        + b"\x39\x01\x03\xbf\x01\xbf\x61v\x9f\xbf\x62ci\x63X#1\xff\xff\xff\xff\xff"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GENUINE)
def test_what_issuers_write_is_verified(name: str) -> None:
    assert judge(GENUINE[name]()).reason == "ok"


def test_without_a_trust_list_nothing_is_verified() -> None:
    assert reason(trust=None) == "key.no-trust-list"


def test_the_other_s_of_a_signature_is_the_same_signature_also_where_it_is_revoked() -> None:
    found = ISSUER.parts()
    r, s = found[3][:32], int.from_bytes(found[3][32:], "big")
    codes = [text_of(cbor2.dumps([*found[:3], r + other.to_bytes(32, "big")])) for other in (s, ORDER - s)]
    assert [judge(code).reason for code in codes] == ["ok", "ok"]
    revoked = trust_of(ISSUER.entry(), revoked=revoked_hashes(r))
    assert [judge(code, revoked).reason for code in codes] == ["revoked.certificate"] * 2


@pytest.mark.parametrize(
    ("kinds", "usages", "listed", "expected"),
    [
        ("v", (), None, "ok"),
        ("v", (f"{NEW_ARC}.2",), None, "ok"),
        ("v", (f"{OLD_ARC}.2",), None, "ok"),
        ("t", (f"{NEW_ARC}.1", f"{OLD_ARC}.3"), None, "ok"),
        ("r", (f"{NEW_ARC}.3",), None, "ok"),
        ("r", (f"{NEW_ARC}.1",), None, "key.usage"),
        ("t", (f"{OLD_ARC}.2",), None, "key.usage"),
        ("vt", (f"{NEW_ARC}.2",), None, "key.usage"),
        ("vt", (f"{NEW_ARC}.2", f"{NEW_ARC}.1"), None, "ok"),
        ("v", ("1.3.6.1.5.5.7.3.2",), None, "ok"),  # client authentication says nothing about certificates
        ("v", ("1.3.6.1.5.5.7.3.2", f"{NEW_ARC}.1"), None, "key.usage"),
        ("v", ("2.5.29.37.0", f"{NEW_ARC}.1"), None, "ok"),  # any: the others limit nothing
        ("v", ("2.5.29.37.0", f"{NEW_ARC}.1"), ["t"], "key.usage"),
        ("v", ("2.23.136.1.1.14.2",), None, "key.usage"),  # a signer of ICAO's VDS-NC
        ("v", (), ["v"], "ok"),
        ("v", (), ["t", "r"], "key.usage"),
        ("v", (f"{NEW_ARC}.2",), ["t"], "key.usage"),
        ("", (), None, "ok"),  # a container of the WHO
        ("", (), ["v", "t", "r"], "key.usage"),
    ],
)
def test_a_key_states_only_what_it_may(kinds: str, usages: tuple[str, ...], listed: Any, expected: str) -> None:
    entries: dict[str, Any] = {"v": [VACCINATION], "t": [TEST], "r": [RECOVERY]}
    container = {1: dcc(**{kind: entries[kind] for kind in kinds})} if kinds else {-6: {}}
    trust = trust_of(ISSUER.entry(x5c=[ISSUER.certificate(*usages)], usage=listed))
    assert reason(claims(container), trust) == expected


def test_every_key_with_that_id_is_tried() -> None:
    """Key ids are 8 bytes of a hash: two countries may have one in common."""
    clash = [
        OTHER.entry(kid=ISSUER.kid.hex(), issuer="SE"),
        RSA.entry(kid=ISSUER.kid.hex(), issuer="FR"),
        ISSUER.entry(usage=["r"]),
        ISSUER.entry(not_after="2026-06-01T00:00:00Z"),
        ISSUER.entry(issuer="AUT"),
    ]
    verdict = judge(ISSUER.code(claims(iss=None)), trust_of(*clash))
    assert (verdict.reason, verdict.claims.issuer) == ("ok", "AUT")
    assert judge(ISSUER.code(claims(iss="SE")), trust_of(*clash)).reason == "signature.invalid"
    assert reason(trust=trust_of(*clash[:3])) == "key.usage"
    assert reason(trust=trust_of(*clash[:2], clash[3])) == "key.expired"


@pytest.mark.parametrize(
    ("listed", "iss", "expected"),
    [
        ("AT", "AT", "ok"), ("AUT", "AT", "ok"), ("AT", "AUT", "ok"), ("FR", "CNAM", "ok"), ("CH", "CH BAG", "ok"),
        ("GR", "EL", "ok"), ("XKX", "XK", "ok"), ("AT", None, "ok"), ("UNHCR", "UNHCR", "ok"), ("AT", "", "ok"),
        ("AT", "DE", "key.other-issuer"), ("AUT", "AUS", "key.other-issuer"), ("UNHCR", "AT", "key.other-issuer"),
    ],
)  # fmt: skip
def test_a_country_in_iss_must_be_the_keys_own(listed: str, iss: str | None, expected: str) -> None:
    verdict = judge(ISSUER.code(claims(iss=iss)), trust_of(ISSUER.entry(issuer=listed)))
    assert verdict.reason == expected
    assert verdict.claims.issuer == (listed if expected == "ok" else iss)


def test_the_country_of_the_signers_certificate_counts_as_the_lists() -> None:
    trust = trust_of(ISSUER.entry(issuer="a test list", x5c=[ISSUER.certificate(country="SE")]))
    assert [reason(claims(iss=iss), trust) for iss in ("SE", "SWE", "NO")] == ["ok", "ok", "key.other-issuer"]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (at(NOW_S, NOW_S), ("ok", ())),
        (at(NOW_S, NOW_S + 60), ("ok", ())),  # wide, but nowhere near the expiry
        (at(NOW_S, None), ("ok", ("time",))),
        (at(NOW_S, NOW_S + 90_000), ("ok", ("time",))),
        (at(NOW_S + 86_415, None), ("ok", ("time",))),
        (at(NOW_S + 86_416, None), ("time.expired", ())),
        (at(0, NOW_S - 86_416), ("time.future", ())),
        (at(NOW_S + 400_000_000, None), ("key.expired", ())),
        (at(0, 1), ("key.not-yet-valid", ())),
    ],
)
def test_time_is_judged_against_an_interval(now: Interval, expected: tuple[str, tuple[str, ...]]) -> None:
    verdict = judge(ISSUER.code(), now=now)
    assert (verdict.reason, verdict.unchecked) == expected


def test_without_a_revocation_list_the_verdict_says_so() -> None:
    assert judge(ISSUER.code(), trust_of(ISSUER.entry())).unchecked == ("revocation",)


@pytest.mark.parametrize(
    "thing",
    [
        pytest.param(CI.encode(), id="UCI"),
        pytest.param(("AT" + CI).encode(), id="COUNTRYCODEUCI"),
        pytest.param(("LI" + CI).encode(), id="COUNTRYCODEUCI of the entry"),
    ],
)
def test_a_revoked_certificate_is_refused_by_any_of_its_names(thing: bytes) -> None:
    """COUNTRYCODEUCI: of the issuer, or of the entry, as some national programmes hash it."""
    revoked = trust_of(ISSUER.entry(issuer="AUT"), revoked=revoked_hashes(thing))
    said = claims({1: dcc(v=[VACCINATION | {"co": "LI"}])}, iss=None)
    assert reason(said, revoked) == "revoked.certificate"
    assert reason(claims({1: dcc(v=[VACCINATION | {"ci": "another"}])}), revoked) == "ok"


def test_a_certificate_is_revoked_by_its_signature() -> None:
    found, long = ISSUER.parts(), RSA.parts()
    for one, hashed in ((found, found[3][:32]), (long, long[3])):
        listed = trust_of(ISSUER.entry(), RSA.entry(), revoked=revoked_hashes(hashed))
        assert judge(text_of(cbor2.dumps(one)), listed).reason == "revoked.certificate"


def test_a_revoked_key_signs_nothing() -> None:
    assert reason(trust=trust_of(ISSUER.entry(), revoked=revoked_kids(ISSUER.kid, family=b"hcert"))) == "revoked.key"


def test_a_country_may_sign_with_its_authoritys_key() -> None:
    """The specification allows one certificate to be both; a self-signed one without constraints is the same here."""
    assert reason(trust=trust_of(ISSUER.entry(spki=None, x5c=[ISSUER.certificate()]))) == "ok"


def test_what_a_certificate_says_is_told_and_what_is_personal_is_marked() -> None:
    facts = describe("hcert", judge(ISSUER.code()).claims)
    told = {fact.name: fact.value for fact in facts}
    assert (told["kind"], told["country"], told["doses"], told["date"]) == ("vaccination", "AT", "2 of 2", "2026-12-01")
    assert (told["against"], told["born"], told["name"]) == ("COVID-19", "1901-01-01", "Nonexista Erfunden-Beispiel")
    assert {fact.name for fact in facts if fact.is_personal} == {"name", "born", "certificate"}
    assert describe("hcert", Claims()) == ()


def test_no_trace_detail_or_repr_holds_personal_data() -> None:
    heard: list[str] = []
    for said in (claims(), claims(exp=NOW_S - 100), claims(iss="DE"), claims({1: dcc(v=[VACCINATION, "x"])})):
        verdict = verify(recognise(scan_of(ISSUER.code(said))), TRUST, NOW, lambda *saw: heard.extend(saw))
        heard.append(repr(verdict))
    assert not [word for word in (*PERSON.values(), CI, "1901-01-01") if any(word in line for line in heard)]


@pytest.mark.parametrize("text", ["HC1:", "HC1:anything at all", "HC2:", "HC10:x"])
def test_any_version_is_of_this_family(text: str) -> None:
    assert recognise(scan_of(text)).family == "hcert"


@pytest.mark.parametrize("text", ["hc1:BB8", "HC1", "HC:", "HCX:", "HC12345:", " HC1:", "HL0:NCF", "NCFOXN", "HC١:"])
def test_a_look_alike_is_not(text: str) -> None:
    assert recognise(scan_of(text)).family == "unknown"


def test_a_key_whose_entries_leave_nothing_is_for_nothing_and_no_algorithm_is_missing() -> None:
    data = trust_list_file(ISSUER.entry(usage=["t"]), ISSUER.entry(usage=["v"]))
    assert reason(trust=Trust(parse_trust_list(data, build_key, sets_aside=True), None, None, None)) == "key.usage"
