"""`scanward verify`."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import segno
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.cli import main
from agent.commands.verify import CHUNK_BYTES_MAX, CHUNK_LINES, LINE_BYTES_MAX, Judge, _chunks
from fakes.ehc_issuer import CARD, DYNAMIC, NOW, NOW_S, STATIC, EhcIssuer, trust_list_file, trust_of
from fakes.neighbours import access_code, samples

ISSUER = EhcIssuer()
CODE = ISSUER.code(DYNAMIC)
NATIONAL = f"{CARD.hex()}:0:{'5e' * 16}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "trust-list.json").write_bytes(trust_list_file(ISSUER.entry()))
    return tmp_path


def verified(folder: Path, lines: list[Any], *more: str) -> list[dict[str, Any]]:
    raw = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    (folder / "codes.jsonl").write_bytes(b"\n".join(raw))
    trust, out = folder / "trust-list.json", folder / "verdicts.jsonl"
    given_ = ["--in", str(folder / "codes.jsonl"), "--out", str(out), "--trust", str(trust), "--now", str(NOW_S)]
    assert main(["verify", *given_, *more]) == 0
    return [json.loads(line) for line in out.read_text().splitlines()]


def test_each_code_gets_its_verdict_in_order(folder: Path) -> None:
    answers = verified(
        folder,
        [
            {"id": 1, "code": CODE},
            {"id": "two", "code": NATIONAL},
            {"id": 3, "code": CODE, "now": NOW_S + 3_600},
            {"id": 4, "code": CODE, "now": "2027-01-15T07:00:00Z"},
            {"id": 5, "code": "what is this"},
            {"id": 6, "code": ISSUER.code({**STATIC, -65538: 3})},
            {"code": CODE, "now": float(NOW_S)},
        ],
    )
    assert [(a["id"], a["family"], a["verdict"], a["reason"]) for a in answers] == [
        (1, "ehc", "verified", "ok"),
        ("two", "national", "unverifiable", "family.no-offline-proof"),
        (3, "ehc", "refused", "time.expired"),
        (4, "ehc", "refused", "time.future"),
        (5, "unknown", "refused", "family.unknown"),
        (6, "ehc", "refused", "decode.claims"),
        (None, "ehc", "verified", "ok"),
    ]
    assert all(set(a) == {"id", "family", "verdict", "reason", "claims", "unchecked"} for a in answers)


@pytest.mark.parametrize(
    ("line", "id_", "reason"),
    [
        (b"garbage", None, "input.json"),
        (b"\xff\xfe", None, "input.json"),
        (b'{"id": 1, "code": "x"', None, "input.json"),
        (b'{"id": 1, "code": "\\ud800"}', None, "input.json"),
        (b"[" * 60_000, None, "input.json"),
        (b"1" * 6_000, None, "input.json"),
        (b"[1]", None, "input.object"),
        (b"null", None, "input.object"),
        ({"id": 7}, 7, "input.code"),
        ({"id": 7, "code": 5}, 7, "input.code"),
        ({"id": 7, "code": "x", "image": "y"}, 7, "input.code"),
        ({"id": {"a": 1}, "code": None}, None, "input.code"),
        ({"id": 7, "code": "x", "now": "yesterday"}, 7, "input.now"),
        ({"id": 7, "code": "x", "now": True}, 7, "input.now"),
        ({"id": 7, "code": "x", "now": -1}, 7, "input.now"),
        ({"id": 7, "code": "x", "now": 10**20}, 7, "input.now"),
        ({"id": 7, "code": "x", "now": 1e300}, 7, "input.now"),
        ({"id": 7, "code": "x", "now": [1]}, 7, "input.now"),
        ({"id": 7, "image": "missing.png"}, 7, "input.image"),
        ({"id": 7, "image": "."}, 7, "input.image"),
        ({"id": 7, "image": "trust-list.json"}, 7, "input.image"),
        ({"id": 7, "image": "a\0b"}, 7, "input.image"),
        ({"id": 7, "code": "x" * LINE_BYTES_MAX}, None, "input.over-long"),
        ({"id": 7, "code": "x" * LINE_BYTES_MAX * 5}, None, "input.over-long"),
        ({"id": 7, "code": "1" * 8_193}, 7, "scan.over-long"),
        ({"id": 10**30, "code": "x"}, 10**30, "family.unknown"),
    ],
)
def test_a_line_that_cannot_be_judged_gets_an_answer_and_the_next_one_is_judged(
    folder: Path, line: Any, id_: object, reason: str
) -> None:
    bad, good = verified(folder, [line, {"id": "next", "code": CODE}])
    assert (bad["id"], bad["verdict"], bad["reason"]) == (id_, "refused", reason)
    assert (good["id"], good["verdict"]) == ("next", "verified")


@settings(max_examples=200)
@given(
    st.binary(max_size=80)
    | st.dictionaries(st.sampled_from(["id", "code", "now"]), st.integers() | st.text(), max_size=3).map(
        lambda d: json.dumps(d).encode()
    )
)
def test_any_line_gets_one_answer(line: bytes) -> None:
    judge = Judge(trust_of(ISSUER.entry()), NOW, clear=False, folder=Path())
    answer = judge.answer([line])
    assert answer.count(b"\n") == 1
    assert json.loads(answer)["verdict"] in {"refused", "unverifiable"}


def test_personal_data_is_masked_unless_asked_for(folder: Path) -> None:
    lines = [{"code": CODE}, {"code": NATIONAL}, {"code": "a text of nobody's business"}]
    masked = json.dumps(verified(folder, lines)).upper()
    for secret in (CARD.hex().upper()[:5], "5E5E", "BUSINESS"):
        assert secret not in masked
    ehc, national, unknown = (answer["claims"] for answer in verified(folder, lines, "--clear"))
    assert ehc["card"] == national["card"] == CARD.hex().upper()
    assert national["token"] == "5E" * 16
    assert unknown == {"text": "a text of nobody's business"}


def test_empty_lines_are_skipped_and_an_empty_file_answers_nothing(folder: Path) -> None:
    assert len(verified(folder, [b"", {"code": CODE}, b"  ", b"", {"code": CODE}, b""])) == 2
    assert verified(folder, []) == []


def test_a_picture_lies_beside_the_input(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segno.make(CODE, micro=False).save(folder / "code.png", scale=4)
    monkeypatch.chdir("/")
    (answer,) = verified(folder, [{"id": 1, "image": "code.png"}])
    assert (answer["verdict"], answer["family"]) == ("verified", "ehc")


def test_a_picture_without_a_code_is_refused(folder: Path) -> None:
    from PIL import Image

    Image.new("L", (60, 60), 255).save(folder / "white.png")
    (answer,) = verified(folder, [{"id": 1, "image": "white.png"}])
    assert answer["reason"] == "scan.no-code"


def test_many_lines_on_several_processes_come_back_in_order(folder: Path) -> None:
    count = CHUNK_LINES * 11 + 7
    codes = [CODE, NATIONAL, "unknown", ISSUER.code(STATIC)]
    lines: list[Any] = [{"id": i, "code": codes[i % 4]} for i in range(count)]
    lines[CHUNK_LINES * 3 + 5] = b"garbage"
    alone = verified(folder, lines, "--workers", "1")
    assert verified(folder, lines, "--workers", "2") == alone
    assert [a["id"] for a in alone] == [None if i == CHUNK_LINES * 3 + 5 else i for i in range(count)]


def test_a_dash_is_standard_input_and_output(folder: Path) -> None:
    """As a process: its standard output holds the verdicts and nothing else; what is said goes to standard error."""
    command = [sys.executable, "-m", "agent", "verify", "--in", "-", "--out", "-", "--now", str(NOW_S)]
    done = subprocess.run(
        [*command, "--trust", str(folder / "trust-list.json")],
        input=json.dumps({"id": 1, "code": CODE}).encode() + b"\n",
        capture_output=True,
        check=False,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["verdict"] for line in done.stdout.splitlines()] == ["verified"]
    assert b"unsigned" in done.stderr
    assert b"it/s" not in done.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--in": "missing.jsonl"}, "missing.jsonl: No such file"),
        ({"--in": "."}, "directory"),
        ({"--trust": "missing.json"}, "missing.json: No such file"),
        ({"--trust": "codes.jsonl"}, "trust list is not valid"),
        ({"--out": "missing/verdicts.jsonl"}, "missing/verdicts.jsonl: No such file"),
        ({"--out": "codes.jsonl"}, "codes.jsonl: is the input"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_clear_line_and_status_2(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, change: dict[str, str],
    message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(folder)
    Path("codes.jsonl").write_text(json.dumps({"code": CODE}))
    given_ = {"--in": "codes.jsonl", "--out": "verdicts.jsonl", "--trust": "trust-list.json", **change}
    assert main(["verify", *(part for pair in given_.items() for part in pair)]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert json.loads(Path("codes.jsonl").read_text()) == {"code": CODE}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")  # noqa: PTH110
def test_a_full_disk_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "codes.jsonl").write_text(json.dumps({"code": CODE}))
    files = ["--in", str(folder / "codes.jsonl"), "--out", "/dev/full", "--trust", str(folder / "trust-list.json")]
    assert main(["verify", *files]) == 2
    assert "No space left" in capsys.readouterr().err


def test_a_picture_that_is_a_pipe_is_no_picture_and_nobody_waits_for_it(folder: Path) -> None:
    os.mkfifo(folder / "pipe.png")
    (answer,) = verified(folder, [{"id": 1, "image": "pipe.png"}])
    assert (answer["verdict"], answer["reason"]) == ("refused", "input.image")


def test_a_trust_list_nested_too_deeply_is_one_clear_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "nested.json").write_bytes(b'{"x":' + b"[" * 100_000)
    (folder / "codes.jsonl").write_bytes(b"")
    files = ["--in", str(folder / "codes.jsonl"), "--out", str(folder / "out"), "--trust", str(folder / "nested.json")]
    assert main(["verify", *files]) == 2
    err = capsys.readouterr().err
    assert "nested too deeply" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("argument", "says"), [(["--now", "notatime"], "RFC 3339"), (["--workers", "many"], "1 to 64")]
)
def test_a_usage_error_says_what_is_wanted(capsys: pytest.CaptureFixture[str], argument: list[str], says: str) -> None:
    with pytest.raises(SystemExit):
        main(["verify", "--in", "-", "--out", "-", "--trust", "t", *argument])
    err = capsys.readouterr().err
    assert says in err
    assert "invalid" not in err


@pytest.mark.parametrize("arguments", [["--workers", "0"], ["--workers", "65"], ["--now", "soon"], ["--in"]])
def test_usage_errors_have_status_2(folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    files = ["--in", "-", "--out", "-", "--trust", str(folder / "trust-list.json")]
    with pytest.raises(SystemExit) as exit_:
        main(["verify", *files, *arguments])
    assert exit_.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_lines_are_read_with_a_bound() -> None:
    """However long a line is, no more than LINE_BYTES_MAX + 1 bytes of it are held."""
    from agent.commands.verify import _lines

    source = io.BytesIO(b"a\n" + b"x" * (LINE_BYTES_MAX * 3) + b"\nb\n" + b"y" * (LINE_BYTES_MAX * 2))
    lines = list(_lines(source))
    assert [len(line) for line in lines] == [2, LINE_BYTES_MAX + 1, 2, LINE_BYTES_MAX + 1]
    exact = b"z" * (LINE_BYTES_MAX + 1 - 1)
    assert list(_lines(io.BytesIO(exact + b"\n" + b"c\n"))) == [exact + b"\n", b"c\n"]


def test_a_line_beyond_the_bound_is_never_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    class Decoder:
        def decode(self, line: bytes) -> None:
            raise AssertionError(f"{len(line)} bytes were decoded")

    judge = Judge(trust_of(ISSUER.entry()), NOW, clear=False, folder=Path())
    monkeypatch.setattr("agent.commands.verify._PLAIN", Decoder())
    monkeypatch.setattr("agent.commands.verify.msgspec.json.decode", Decoder().decode)
    line = json.dumps({"id": 1, "code": "x" * LINE_BYTES_MAX}).encode()
    answer = json.loads(judge.answer([line]))
    assert (answer["verdict"], answer["reason"]) == ("refused", "input.over-long")


def test_a_chunk_of_long_lines_has_fewer_of_them() -> None:
    """A chunk is decoded as a whole before it is answered: what is large comes a few at a time."""
    lines = [b"%d" % at + b"x" * (size - 2) + b"\n" for at, size in enumerate([60_000] * 9 + [9] * CHUNK_LINES)]
    found = list(_chunks(io.BytesIO(b"".join(lines))))
    assert b"".join(found) == b"".join(lines)
    assert max(map(len, found)) <= CHUNK_BYTES_MAX + LINE_BYTES_MAX
    assert max(chunk.count(b"\n") for chunk in found) <= CHUNK_LINES
    assert list(_chunks(io.BytesIO(b"a\n" * CHUNK_LINES))) == [b"a\n" * CHUNK_LINES]


@pytest.mark.parametrize("family", sorted(samples()))
def test_bearer_secrets_are_not_shown_even_in_clear(folder: Path, family: str) -> None:
    text = samples()[family]
    (answer,) = verified(folder, [{"id": 1, "code": text}], "--clear")
    assert answer["family"] == family
    assert not any(secret in json.dumps(answer) for secret in (text[4:], access_code()))
    assert answer["claims"].get("text") == (None if family == "covid-code" else "…")
