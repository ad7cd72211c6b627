"""Loaders meet files they have not seen: whatever a folder holds, nothing is raised, and every file is counted."""

import base64
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance import hcert_files
from conformance.command import Answer, Line, Reading, Runner
from conformance.material import is_named_bad
from conformance.result import Findings
from conformance.suites import SUITES, hcert, shc, wycheproof
from conformance.trial import try_suite
from fakes import asia_issuers
from fakes.hcert_issuer import ALG, KID, NOW_S, HcertIssuer, claims
from fakes.shc_issuer import ShcIssuer, code_of, parts_of
from fakes.shc_issuer import claims as shc_claims

UNSEEN: dict[str, bytes] = {
    "1.json": b"{}",
    "2.json": b"[]",
    "3.json": b"\xff\xfe",
    "4.json": b'{"PREFIX": 7, "TESTCTX": [], "testGroups": 1, "input": "", "output": {}, "tests": {}, "data": 1}',
    "5.json": b"[" * 100_000,
    "6.json": b"\xef\xbb\xbf{}",
    "deep/er/7.txt": b"\x00\xff",
    "deep/er/8.txt": b"",
    "9.png": b"no picture",
    "10.svg": b"<svg>",
    "11.pem": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
    "12.vec": b"Signature = zz\nHash = SM3\n",
    "13": b"",
    "14.smart-health-card": b'{"verifiableCredential": 1}',
    "15.jsonl": b"{",
}


class Deaf(Runner):
    """Answers nothing, and keeps what was asked."""

    def verify(self, lines: Sequence[Line], trust: bytes) -> dict[str, Answer]:
        json.loads(trust)
        return {line.id: {"family": "", "verdict": "no answer", "reason": "deaf", "claims": {}} for line in lines}

    def read(self, pictures: Sequence[Path]) -> list[Reading]:
        return [Reading(()) for _ in pictures]


def counted(findings: Findings, folder: Path) -> set[str]:
    told = {result.id.partition("#")[0] for result in findings.results}
    return told | {path.relative_to(folder).as_posix() for path, _ in findings.not_taken}


@pytest.mark.parametrize("name", SUITES)
@pytest.mark.parametrize("under", ["", "spec-examples/example-00-d-", "devtools/", "common/", "invalid/"])
def test_no_file_stops_a_loader_and_none_is_passed_over(name: str, under: str, tmp_path: Path) -> None:
    for file, data in UNSEEN.items():
        path = tmp_path / f"{under}{file}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    findings = SUITES[name].run(tmp_path, Deaf(1))
    assert not any(result.agrees for result in findings.results), "nothing was answered, so nothing can agree"
    keys = {f"{under}11.pem"}  # trusted, if anything
    assert counted(findings, tmp_path) | keys == {f"{under}{file}" for file in UNSEEN}


@pytest.mark.parametrize("name", SUITES)
def test_a_folder_that_is_not_there_has_no_cases(name: str, tmp_path: Path) -> None:
    assert SUITES[name].run(tmp_path / "absent", Deaf(1)) == Findings([], [])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=4,
)
FIELDS = {
    "hcert": ("PREFIX", "BASE45", "COMPRESSED", "COSE", "2DCODE", "TESTCTX", "EXPECTEDRESULTS", "JSON"),
    "wycheproof": ("schema", "testGroups", "algorithm"),
    "cose": ("title", "fail", "input", "output", "failures"),
    "sm2": ("tests",),
    "vds-nc": ("data", "sig"),
}


@pytest.mark.parametrize("name", FIELDS)
@given(st.data())
@settings(max_examples=60)
def test_a_file_with_anything_in_its_fields_is_counted(
    name: str, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("suite")
    file = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS[name], JSON)))
    (folder / "odd.json").write_text(json.dumps(file))
    assert counted(SUITES[name].run(folder, Deaf(1)), folder) == {"odd.json"}


def write(path: Path, **fields: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(fields))


CLOCK = "2021-05-03T18:00:00.971336500Z"


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, "verified"),
        ({"EXPECTEDVERIFY": True, "EXPECTEDDECODE": True}, "verified"),
        ({"EXPECTEDVERIFY": False}, "refused"),
        ({"EXPECTEDUNPREFIX": False, "EXPECTEDVERIFY": False}, "refused"),
        ({"EXPECTEDB45DECODE": False}, "refused decode."),
        ({"EXPECTEDCOMPRESSION": False}, "refused decode."),
        ({"EXPECTEDDECODE": False}, "refused decode."),
        ({"EXPECTEDKEYUSAGE": False}, "refused key.usage"),
        ({"EXPECTEDEXPIRATIONCHECK": False}, "refused time."),
        ({"EXPECTEDSCHEMAVALIDATION": False}, "verified"),
    ],
)
def test_what_a_flag_of_hcert_means(flags: dict[str, bool], expected: str, tmp_path: Path) -> None:
    where = tmp_path / "XX/1.3.0/2DCode/raw/1.json"
    write(where, PREFIX="HC1:", TESTCTX={"CERTIFICATE": "", "VALIDATIONCLOCK": CLOCK}, EXPECTEDRESULTS=flags)
    (found,) = hcert.run(tmp_path, Deaf(1)).results
    assert found.id == "XX/1.3.0/2DCode/raw/1.json"
    assert found.expected[0] == expected


@pytest.mark.parametrize(
    ("clock", "now"),
    [
        ("2021-05-18T16:46:12.971336500Z", "2021-05-18T16:46:12.971336+00:00"),
        ("2021-07-02T07:44:21+0000", "2021-07-02T07:44:21+00:00"),
        ("2021-06-08T15:56:26.670297", "2021-06-08T15:56:26.670297+00:00"),
        ("2021-06-01T20:00:00+02:00", "2021-06-01T20:00:00+02:00"),
        ("2021-06-01t20:00:00z", "2021-06-01T20:00:00+00:00"),
        ("2021-06-01T20:00+02:00[Europe/Vienna]", "2021-06-01T20:00:00+02:00"),
        ("Tue, 01 Jun 2021 20:00:00 GMT", "2021-06-01T20:00:00+00:00"),
        ("20210601T200000Z", "2021-06-01T20:00:00+00:00"),
        (1_622_577_600, 1_622_577_600),
        (1_622_577_600_999, 1_622_577_600),
        ("1622577600", 1_622_577_600),
    ],
)
def test_every_way_to_write_the_clock_is_read(clock: object, now: str | int) -> None:
    assert hcert_files.clock_of(clock, {}) == (now, frozenset())


@pytest.mark.parametrize("clock", [None, "", "yesterday", "\u00b2", 7, "0001-01-01T00:00:00+10:00"])
def test_without_a_clock_the_time_is_within_the_codes_life(clock: object) -> None:
    told = frozenset({"no clock"})
    assert hcert_files.clock_of(clock, {"iat": 1_600_000_000, "exp": 1_700_000_000}) == (1_600_003_600, told)
    assert hcert_files.clock_of(clock, {"iat": 1_600_000_000.5, "exp": 1_600_000_010.5}) == (1_600_000_005, told)
    assert hcert_files.clock_of(clock, {"iat": float("nan")}) == (0, told)
    assert hcert_files.clock_of(clock, {"iat": 253_402_300_799}) == (253_402_300_799, told)
    assert hcert_files.clock_of(clock, {"exp": 0.5}) == (0, told)
    life = {"iat": 1_600_000_000, "exp": 1_700_000_000}
    assert hcert_files.clock_of(clock, life, is_late=True) == (1_700_086_400, told)


def test_a_picture_beside_its_file_is_a_case_of_its_own(tmp_path: Path) -> None:
    write(tmp_path / "XX/2DCode/raw/1.json", PREFIX="HC1:", TESTCTX={}, EXPECTEDRESULTS={})
    (tmp_path / "XX/2DCode/png").mkdir()
    (tmp_path / "XX/2DCode/png/1.png").write_bytes(b"a picture")
    (tmp_path / "XX/2DCode/png/2.png").write_bytes(b"a picture of nothing here")
    findings = hcert.run(tmp_path, Deaf(1))
    assert [result.id for result in findings.results] == ["XX/2DCode/png/1.png#picture", "XX/2DCode/raw/1.json"]
    assert [path.name for path, _ in findings.not_taken] == ["2.png"]


def test_a_code_is_made_from_the_furthest_step_that_is_given() -> None:
    assert hcert_files.code_of({"PREFIX": "HC1:A", "BASE45": "B"}) == "HC1:A"
    assert hcert_files.code_of({"BASE45": "B"}) == "HC1:B"
    assert hcert_files.code_of({"COMPRESSED": b"AB".hex()}) == "HC1:BB8"  # RFC 9285 §4.3
    assert (hcert_files.code_of({"COSE": "d2", "COMPRESSED": "no hex"}) or "").startswith("HC1:NCF")
    assert hcert_files.code_of({"PREFIX": None}) is None


@pytest.mark.parametrize("write_der", [
    lambda der: base64.b64encode(der).decode(),
    lambda der: base64.urlsafe_b64encode(der).decode().rstrip("="),
    lambda der: der.hex().upper(),
    lambda der: f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(der).decode()}-----END CERTIFICATE-----\n",
    lambda der: f"-----BEGIN CERTIFICATE-----{base64.b64encode(der).decode()}-----END CERTIFICATE-----",
])  # fmt: skip
def test_a_certificate_is_read_however_it_was_written(write_der: Callable[[bytes], str]) -> None:
    der = base64.b64decode(HcertIssuer().certificate())
    assert hcert_files.certificates_of(write_der(der)) == [der]
    assert hcert_files.certificates_of([write_der(der), 7, None, "", write_der(der[:-1])]) == [der, der[:-1]]


def test_a_certificate_that_we_cannot_read_is_not_one_that_the_file_does_not_bring() -> None:
    for brought in ("in a form of tomorrow", "TUlJQg==", ["", "in a form of tomorrow"]):
        facts = hcert_files.facts_of({}, hcert_files.certificates_of(brought), (), NOW_S)
        assert "a certificate that cannot be read" in facts
        assert "no certificate" not in facts
    for nothing in (None, "", " ", [], [None]):
        assert "no certificate" in hcert_files.facts_of({}, hcert_files.certificates_of(nothing), (), NOW_S)


@pytest.mark.parametrize(
    ("at_s", "said"),
    [(0, {"the certificate had not begun at the clock"}), (NOW_S, set()),
     (4_102_444_800, {"the certificate had ended at the clock"})],
)  # fmt: skip
def test_what_is_said_of_a_certificate_is_so_at_the_clock(at_s: int, said: set[str]) -> None:
    der = base64.b64decode(HcertIssuer().certificate(VACCINATION_ALONE))
    facts = hcert_files.facts_of({"kinds": ["t"]}, [der], (), at_s)
    assert {fact for fact in facts if fact.endswith("at the clock")} == said
    assert "the certificate is not for this kind of code" in facts
    assert hcert_files.seen(b"") is None
    found = hcert_files.seen(der)
    assert found is not None
    assert (found.usages, found.may_sign) == ({VACCINATION_ALONE}, True)


def hcert_file(issuer: HcertIssuer, code: str, *usages: str, **flags: bool) -> dict[str, Any]:
    clock = datetime.fromtimestamp(NOW_S, UTC).isoformat()
    context = {"CERTIFICATE": issuer.certificate(*usages), "VALIDATIONCLOCK": clock}
    return {"PREFIX": code, "TESTCTX": context, "EXPECTEDRESULTS": flags}


VACCINATION_ALONE, TEST_ALONE = "1.3.6.1.4.1.1847.2021.1.2", "1.3.6.1.4.1.0.1847.2021.1.1"


def test_countries_not_seen_yet_are_judged_through_the_command(tmp_path: Path) -> None:
    """Each with a signer, a layout or a quirk of its own; only by their explanations may they differ."""
    one, other, rsa = HcertIssuer(), HcertIssuer(label=b"another"), HcertIssuer("PS256", country="SE")
    named = {ALG: -7, KID: b"a key id of the country's own"}
    files: dict[str, Any] = {
        "XA/1.json": hcert_file(one, one.code()) | {"EXPECTEDRESULTS": None},
        "XA/own-key-id.json": hcert_file(one, one.code(protected=named), EXPECTEDVERIFY=True),
        "XA/other-signer-same-key-id.json": hcert_file(other, other.code(protected=named)),
        "XB/2DCode/raw/rsa.JSON": hcert_file(rsa, rsa.code(claims(iss="SE")), EXPECTEDVERIFY=True),
        "XB/list.json": [hcert_file(one, one.code()), hcert_file(one, one.code()[:-3], EXPECTEDVERIFY=False)],
        "XC/for-tests-alone.json": hcert_file(one, one.code(), TEST_ALONE, EXPECTEDKEYUSAGE=False),
        "XC/for-vaccinations.json": hcert_file(one, one.code(), VACCINATION_ALONE, EXPECTEDKEYUSAGE=True),
        "XC/says-no.json": hcert_file(one, one.code(), EXPECTEDVERIFY=False) | {"PREFIX": one.code()[4:]},
        "XD/no-exp.json": hcert_file(one, one.code(claims(exp=None))),
        "XD/no-certificate.json": hcert_file(one, one.code()) | {"TESTCTX": None},
        "XD/another-country.json": hcert_file(one, one.code(claims(iss="DE"))),
        "XD/not-yet.json": hcert_file(one, one.code(claims(iat=NOW_S + 3_600))),
        "XD/ended.json": hcert_file(one, one.code(claims(exp=NOW_S - 60)), EXPECTEDEXPIRATIONCHECK=False),
    }
    files["XC/says-no.json"]["EXPECTEDRESULTS"] = {"expectedunprefix": "false"}
    for name, file in files.items():
        path = tmp_path / "hcert" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(file), "utf-8")
    trial = try_suite("hcert", tmp_path, Runner(1))
    assert (trial.not_taken, trial.reckoning.unexplained, trial.reckoning.stale) == ([], [], [])
    assert {(result.id, result.got) for result, _ in trial.reckoning.explained} == {
        ("XD/no-exp.json", "refused decode.claims"),
        ("XD/no-certificate.json", "refused key.unknown"),
        ("XD/another-country.json", "refused key.other-issuer"),
        ("XD/not-yet.json", "refused time.future"),
    }
    assert len(trial.reckoning.agreed) == len(files) + 1 + 1 - 4  # a list of two, and one a second after its iat


def test_a_picture_that_reads_its_text_refutes_no_explanation(tmp_path: Path) -> None:
    class Keen(Deaf):
        def read(self, pictures: Sequence[Path]) -> list[Reading]:
            return [Reading(((b"HC1:", None),)) for _ in pictures]

    context = {"VALIDATIONCLOCK": CLOCK}
    flags = {"EXPECTEDEXPIRATIONCHECK": False}
    picture = base64.b64encode(b"a picture").decode()
    write(tmp_path / "hcert/1.json", PREFIX="HC1:", TESTCTX=context, EXPECTEDRESULTS=flags, **{"2DCODE": picture})
    (found,) = (r for r in hcert.run(tmp_path, Keen(1)).results if r.id.endswith("#picture"))
    assert (found.got, found.facts) == (hcert.AS_TEXT, frozenset())


@pytest.mark.parametrize(
    ("name", "is_bad"),
    [
        ("validVDSJson.json", False), ("WHO-AU.json", False), ("NOR.json", False), ("NO-1.json", False),
        ("note.json", False), ("nonVDSJson.json", True), ("invalidVDSJson.json", True), ("not-a-seal.json", True),
        ("noSig.json", True), ("seal_no_cer.json", True), ("tampered/1.json", True), ("Modified Data.json", True),
    ],
)  # fmt: skip
def test_a_name_says_whether_it_must_be_refused(name: str, is_bad: bool) -> None:
    assert is_named_bad(Path(name)) is is_bad


@pytest.mark.parametrize("year", [2015, 2021, 2026])
def test_a_seal_is_judged_when_its_signer_is_valid(year: int, tmp_path: Path) -> None:
    key = asia_issuers.ec_key("signer")
    life = {"start": datetime(year, 1, 1, tzinfo=UTC), "end": datetime(year + 4, 1, 1, tzinfo=UTC)}
    certificate = asia_issuers.Authority().certify(key, **life)
    seals = {
        "seal.json": asia_issuers.seal(key, certificate),
        "seal-tampered.json": asia_issuers.seal(key, certificate, sigvl="A" * 86),
        "another-curve.json": asia_issuers.seal(key, certificate, alg="ES384"),
    }
    (tmp_path / "vds-nc").mkdir()
    for name, seal in seals.items():
        (tmp_path / "vds-nc" / name).write_text("\ufeff" + json.dumps(seal), "utf-8")
    reckoning = try_suite("vds-nc", tmp_path, Runner(1)).reckoning
    assert (len(reckoning.agreed), reckoning.unexplained, reckoning.stale) == (2, [], [])
    assert [result.got for result, _ in reckoning.explained] == ["refused key.es384-unavailable"]


def cose_example(kind: str, about: dict[str, Any], message: object) -> dict[str, Any]:
    return {"input": {kind: about}, "output": {"cbor": cbor2.dumps(message).hex()}}


@pytest.mark.parametrize(
    ("kind", "alg", "key", "message"),
    [
        ("sign0", "ES384", {"crv": "P-384"}, cbor2.CBORTag(18, [b"", {}, b"x", b"y"])),
        ("sign0", "ES256", {"crv": "P-521"}, cbor2.CBORTag(18, [b"", {}, b"x", b"y"])),
        ("sign0", "ES256", {"crv": "P-256"}, cbor2.CBORTag(18, [b"", {}, None, b"y"])),
        ("sign", "ES256", {"crv": "P-256"}, cbor2.CBORTag(98, [b"", {}, b"x", []])),
        ("unheard-of", "ES256", {"crv": "P-256"}, cbor2.CBORTag(98, [b"", {}, b"x", []])),
        ("unheard-of", "A128GCM", {}, cbor2.CBORTag(16, [b"", {}, b"x"])),
    ],
)
def test_messages_that_no_code_can_be_are_explained(
    kind: str, alg: str, key: dict[str, Any], message: object, tmp_path: Path
) -> None:
    (tmp_path / "cose").mkdir()
    about = {"key": key, "protected": {"alg": alg, "kid": "11"}, "external": None}
    write(tmp_path / "cose/1.json", **cose_example(kind, about, message))
    reckoning = try_suite("cose", tmp_path, Deaf(1)).reckoning
    assert (len(reckoning.explained), reckoning.unexplained) == (1, [])


def test_cards_without_digits_beside_them_are_judged_by_their_pictures(tmp_path: Path) -> None:
    """A folder may hold other pieces of the same examples: pictures alone, some of the parts, keys elsewhere."""
    issuer = ShcIssuer(url=shc.SPEC_ISSUER)
    jws = issuer.jws(shc_claims(iss=issuer.url, nbf=1_680_000_000))
    shown = dict(zip("abc", parts_of(jws, 3), strict=True)) | {"d": code_of(jws)}

    class Keen(Runner):
        def read(self, pictures: Sequence[Path]) -> list[Reading]:
            return [Reading(((shown[picture.read_text()].encode(), None),)) for picture in pictures]

    folder = tmp_path / "shc/spec-examples"
    for number, letters in {"10": "abc", "11": "ab", "12": "d"}.items():
        for at, letter in enumerate(letters):
            path = folder / f"example-{number}-g-qr-code-{at}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(letter)
    for at, letter in enumerate("ac"):
        (folder / f"example-13-f-qr-code-numeric-value-{at}.txt").write_text(shown[letter])
    (folder / "keys/.well-known").mkdir(parents=True)
    jwk = issuer.jwk | {"kid": base64.urlsafe_b64encode(issuer.kid).decode().rstrip("=")}
    write(folder / "keys/.well-known/jwks.json", keys=[jwk])
    reckoning = try_suite("shc", tmp_path, Keen(1)).reckoning
    assert reckoning.unexplained == []
    assert sorted((result.id[22:24], result.got) for result in reckoning.agreed) == (
        [("10", "verified")] * 3 + [("11", "refused decode.parts-missing")] * 2 + [("12", "verified")]
        + [("13", "refused decode.parts-missing")]
    )  # fmt: skip


def test_digits_in_parts_are_one_code(tmp_path: Path) -> None:
    asked = list[Line]()

    class Keen(Deaf):
        def verify(self, lines: Sequence[Line], trust: bytes) -> dict[str, Answer]:
            asked.extend(lines)
            return super().verify(lines, trust)

    folder = tmp_path / "spec-examples"
    folder.mkdir()
    for part in (2, 0, 1):
        (folder / f"example-07-f-qr-code-numeric-value-{part}.txt").write_text(f"shc:/{part + 1}/3/00")
    (folder / "example-08-f-qr-code-numeric-value-0.txt").write_text("shc:/00")
    shc.run(tmp_path, Keen(1))
    assert [line.code for line in asked] == [["shc:/1/3/00", "shc:/2/3/00", "shc:/3/3/00"], "shc:/00"]


def test_another_algorithm_than_ours_is_told_by_the_case_itself(tmp_path: Path) -> None:
    group = {"type": "EcdsaP1363Verify", "publicKey": {"curve": "secp384r1"}, "sha": "SHA-384", "publicKeyDer": "00"}
    test = {"tcId": 1, "comment": "", "msg": "", "sig": "", "result": "valid", "flags": []}
    file = {"schema": "ecdsa_p1363_verify_schema_v1.json", "testGroups": [{**group, "tests": [test]}]}
    write(tmp_path / "ecdsa_secp384r1_sha384_p1363_test.json", **file)
    (found,) = wycheproof.run(tmp_path, Deaf(1)).results
    assert (found.got, found.agrees) == ("no key", False)
    assert "another algorithm than ours" in found.facts


def test_a_file_of_another_schema_is_named(tmp_path: Path) -> None:
    write(tmp_path / "aes_gcm_test.json", schema="aead_test_schema_v1.json", testGroups=[])
    findings = wycheproof.run(tmp_path, Deaf(1))
    assert [why for _, why in findings.not_taken] == ["schema aead_test_schema_v1.json"]


def test_a_picture_in_a_file_is_written_out(tmp_path: Path) -> None:
    picture = base64.b64encode(b"a picture").decode()
    write(tmp_path / "1.json", TESTCTX={}, **{"2DCODE": f"data:image/png;base64,{picture}"})
    (found,) = hcert.run(tmp_path, Deaf(1)).results
    assert found.id == "1.json#picture"
