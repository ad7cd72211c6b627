"""`scanward explain` and `scanward verify` with a card in several codes."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from agent.cli import main
from fakes.ehc_issuer import NOW_S, trust_list_file
from fakes.shc_issuer import ShcIssuer, code_of, parts_of

ISSUER = ShcIssuer()
PARTS = parts_of(ISSUER.jws(), 3)
NOW = ["--now", str(NOW_S)]


@pytest.fixture
def trust(tmp_path: Path) -> list[str]:
    (tmp_path / "trust-list.json").write_bytes(trust_list_file(ISSUER.entry()))
    return ["--trust", str(tmp_path / "trust-list.json")]


def explained(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    status = main(["explain", *arguments, *NOW, "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_explain_takes_a_cards_codes_in_any_order(capsys: pytest.CaptureFixture[str], trust: list[str]) -> None:
    status, says = explained(capsys, PARTS[2], PARTS[0], PARTS[1], *trust)
    assert (status, says["verdict"], says["claims"]["resources"]) == (0, "verified", "2")
    assert says["claims"]["name"] == "P…"
    assert [stage["stage"] for stage in says["stages"]] == [
        "read", "recognise", "header", "decode", "key", "signature", "time", "revocation",
    ]  # fmt: skip


def test_explain_reads_the_lines_of_a_cards_codes_and_no_further(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, trust: list[str]
) -> None:
    for lines, reason in ((PARTS, "ok"), ([*PARTS, "more"], "ok"), (PARTS[:2], "decode.parts-missing")):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("\n".join(lines).encode())))
        assert explained(capsys, "-", *trust)[1]["reason"] == reason


def test_explain_says_that_several_codes_must_be_parts(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["explain", PARTS[0], "EHC1:"])
    assert exit_.value.code == 2
    assert "each begins with shc:/" in capsys.readouterr().err


def test_explain_of_one_part_says_what_is_missing(capsys: pytest.CaptureFixture[str], trust: list[str]) -> None:
    status, says = explained(capsys, PARTS[0], *trust)
    assert (status, says["reason"]) == (1, "decode.parts-missing")
    assert says["stages"][-1] == {"stage": "decode", "saw": "1 of 3 parts"}


def test_verify_takes_a_list_of_a_cards_codes(tmp_path: Path, trust: list[str]) -> None:
    lines: list[Any] = [
        PARTS, [PARTS[0], PARTS[2]], [code_of(ISSUER.jws())], [], [*PARTS, 7], ["EHC1:", "x"], [PARTS[0]] * 17,
        code_of(ISSUER.jws()),
    ]  # fmt: skip
    (tmp_path / "in").write_text("\n".join(json.dumps({"id": n, "code": code}) for n, code in enumerate(lines)))
    assert main(["verify", "--in", str(tmp_path / "in"), "--out", str(tmp_path / "out"), *NOW, *trust]) == 0
    answers = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert [answer["reason"] for answer in answers] == [
        "ok", "decode.parts-missing", "input.code", "input.code", "input.code", "input.code", "input.code", "ok",
    ]  # fmt: skip
