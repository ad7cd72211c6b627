"""Loaders meet files they have not seen: whatever a folder holds, nothing is raised, and every file is counted."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.command import Answer, Line, Reading, Runner
from conformance.result import Findings
from conformance.suites import SUITES, hcert, shc, wycheproof

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
    ],
)
def test_every_way_to_write_the_clock_is_read(clock: str, now: str) -> None:
    assert hcert.clock_of(clock, {}) == (now, frozenset())


@pytest.mark.parametrize("clock", [None, "", "yesterday", 7, "0001-01-01T00:00:00+10:00"])
def test_without_a_clock_the_time_is_within_the_codes_life(clock: object) -> None:
    told = frozenset({"no clock"})
    assert hcert.clock_of(clock, {"iat": 1_600_000_000, "exp": 1_700_000_000}) == (1_600_003_600, told)
    assert hcert.clock_of(clock, {"iat": 1_600_000_000.5, "exp": 1_600_000_010.5}) == (1_600_000_005, told)
    assert hcert.clock_of(clock, {"iat": float("nan")}) == (0, told)


def test_a_picture_beside_its_file_is_a_case_of_its_own(tmp_path: Path) -> None:
    write(tmp_path / "XX/2DCode/raw/1.json", PREFIX="HC1:", TESTCTX={}, EXPECTEDRESULTS={})
    (tmp_path / "XX/2DCode/png").mkdir()
    (tmp_path / "XX/2DCode/png/1.png").write_bytes(b"a picture")
    (tmp_path / "XX/2DCode/png/2.png").write_bytes(b"a picture of nothing here")
    findings = hcert.run(tmp_path, Deaf(1))
    assert [result.id for result in findings.results] == ["XX/2DCode/png/1.png#picture", "XX/2DCode/raw/1.json"]
    assert [path.name for path, _ in findings.not_taken] == ["2.png"]


def test_a_code_is_made_from_the_furthest_step_that_is_given() -> None:
    assert hcert.code_of({"PREFIX": "HC1:A", "BASE45": "B"}) == "HC1:A"
    assert hcert.code_of({"BASE45": "B"}) == "HC1:B"
    assert hcert.code_of({"COMPRESSED": b"AB".hex()}) == "HC1:BB8"  # RFC 9285 §4.3
    assert (hcert.code_of({"COSE": "d2", "COMPRESSED": "no hex"}) or "").startswith("HC1:NCF")
    assert hcert.code_of({"PREFIX": None}) is None


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
