"""`scanward explain`."""

import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
import segno

from agent.cli import main
from agent.commands.laboratory import present
from agent.core.legible import legible
from agent.core.time_interval import Stamp
from agent.core.verdict import Claims
from fakes.ehc_issuer import CARD, DYNAMIC, NOW, NOW_S, STATIC, EhcIssuer, trust_list_file
from fakes.gs1_issuer import GS, GTIN
from fakes.neighbours import access_code, prescription_id, samples
from fakes.shc_issuer import TYPE, ShcIssuer, claims, code_of, credential
from fakes.trust_content import ENTRIES, content, publish_bundle, trust_list

ISSUER = EhcIssuer()
AT_NOW = ["--now", str(NOW_S)]
NATIONAL = f"{CARD.hex()}:0:{'5e' * 16}"
POLICY = """
format = "scanward-policy-1"
version = 1
[steps.payment]
verified = ["ehc.dynamic"]
[steps.registration]
verified = ["ehc.any"]
provisional = ["national.any"]
[steps.dispensing]
verified = ["ehc.any"]
confirm = "pharmacist"
"""


@pytest.fixture
def trust(tmp_path: Path) -> list[str]:
    file = tmp_path / "trust-list.json"
    file.write_bytes(trust_list_file(ISSUER.entry()))
    return ["--trust", str(file)]


@pytest.fixture
def policy(tmp_path: Path) -> list[str]:
    file = tmp_path / "policy.toml"
    file.write_text(POLICY)
    return ["--policy", str(file)]


def explained(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    status = main(["explain", *arguments, "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_each_stage_says_what_it_saw(capsys: pytest.CaptureFixture[str], trust: list[str], policy: list[str]) -> None:
    status = main(["explain", ISSUER.code(DYNAMIC), *AT_NOW, *trust, *policy, "--step", "payment"])
    out = capsys.readouterr().out
    assert status == 0
    assert "unsigned" in out.splitlines()[0]
    assert [line.split()[0] for line in out.splitlines()[1:]] == [
        "read", "recognise", "header", "decode", "key", "signature", "time", "revocation", "verdict", "claims",
        "decide",
    ]  # fmt: skip
    assert "payment: accept, ok" in out


def test_personal_data_is_masked(capsys: pytest.CaptureFixture[str], trust: list[str]) -> None:
    for code in (ISSUER.code(DYNAMIC), ISSUER.code({**STATIC, 4: NOW_S - 60}), NATIONAL, "a text of nobody's business"):
        for form in ([], ["--json"]):
            main(["explain", code, *AT_NOW, *trust, *form])
            out = capsys.readouterr().out.upper()
            assert CARD.hex().upper()[:5] not in out
            assert "5E5E" not in out
            assert "BUSINESS" not in out
            if code == NATIONAL:
                assert CARD.hex().upper()[:4] + "…" in out


@pytest.mark.parametrize("steering", ["\x1b[2J", "\x9b2J", "\r\n", "\u202e"])
def test_what_a_code_says_does_not_steer_the_terminal(steering: str) -> None:
    issuer = Claims(issuer=f"an issuer{steering}")
    card = Claims(content={"vc": {"type": [f"#a{steering}"], "credentialSubject": {}}})
    for family, said in (("hcert", issuer), ("shc", card)):
        shown = present(family, said, clear=False)
        assert all(str(value).isprintable() for value in shown.values())
    assert all(str(value).isprintable() for value in present("shc", card, clear=True).values()), "facts are, always"
    assert present("hcert", issuer, clear=True)["issuer"] == issuer.issuer, "for machines, as it was signed"


def test_json_holds_the_same(capsys: pytest.CaptureFixture[str], trust: list[str], policy: list[str]) -> None:
    status, says = explained(capsys, ISSUER.code(STATIC), *AT_NOW, *trust, *policy, "--step", "payment")
    assert status == 1
    assert (says["family"], says["verdict"], says["reason"]) == ("ehc", "verified", "ok")
    assert (says["unchecked"], says["laboratory"]) == (["revocation"], True)
    assert says["decision"] == {"step": "payment", "answer": "refuse", "reason": "policy.dynamic-required"}
    assert [stage["stage"] for stage in says["stages"]][-1] == "decide"
    assert says["claims"]["card"] == CARD.hex().upper()[:4] + "…"


@pytest.mark.parametrize(
    ("code", "step", "status", "verdict", "answer"),
    [
        (ISSUER.code(DYNAMIC), None, 0, "verified", None),
        (ISSUER.code(DYNAMIC), "payment", 0, "verified", "accept"),
        (ISSUER.code(DYNAMIC), "dispensing", 1, "verified", "ask"),
        (ISSUER.code(DYNAMIC), "surgery", 1, "verified", "refuse"),
        (NATIONAL, None, 1, "unverifiable", None),
        (NATIONAL, "registration", 1, "unverifiable", "provisional"),
        ("EHC1:nonsense", "registration", 1, "refused", "refuse"),
    ],
)
def test_the_exit_status_is_0_only_if_verified_and_accepted(
    capsys: pytest.CaptureFixture[str], trust: list[str], policy: list[str], code: str, step: str | None, status: int,
    verdict: str, answer: str | None,
) -> None:  # fmt: skip
    for_step = [*policy, "--step", step] if step else []
    got, says = explained(capsys, code, *AT_NOW, *trust, *for_step)
    assert (got, says["verdict"]) == (status, verdict)
    assert (says["decision"] and says["decision"]["answer"]) == answer


def test_without_a_trust_list_nothing_is_trusted(capsys: pytest.CaptureFixture[str], policy: list[str]) -> None:
    status, says = explained(capsys, ISSUER.code(DYNAMIC), *AT_NOW)
    assert (status, says["reason"], says["laboratory"]) == (1, "key.no-trust-list", False)
    status, says = explained(capsys, ISSUER.code(DYNAMIC), *AT_NOW, *policy, "--step", "payment")
    assert (status, says["reason"], says["decision"]["answer"]) == (1, "key.no-trust-list", "refuse")


def test_a_step_without_a_policy_is_a_usage_error_that_says_what_to_add(
    capsys: pytest.CaptureFixture[str], trust: list[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["explain", ISSUER.code(DYNAMIC), *trust, "--step", "payment"])
    assert exit_.value.code == 2
    err = capsys.readouterr().err
    assert "--config FILE" in err
    assert "--policy FILE" in err


@pytest.fixture
def terminal(tmp_path: Path) -> Path:
    """A terminal's configuration; in its state directory is the bundle that the refresher verified."""
    revoked = EhcIssuer(label=b"revoked")
    entries = [*ENTRIES, ISSUER.entry(), revoked.entry()]
    prefix = hashlib.sha256(b"kidehc\0" + revoked.kid).digest()[:8]
    files = content() | {"trust-list.json": trust_list(5, entries), "revoked.bin": prefix}
    publish_bundle(tmp_path / "state" / "trust", files, expires_at_ms=(NOW_S + 3_600) * 1_000)
    config = tmp_path / "agent.toml"
    config.write_text(
        '[[scanners]]\nid = "front"\ntype = "serial"\npath = "/dev/null"\n'
        f'[state]\ndirectory = "{tmp_path / "state"}"\n[policy.refuse]\nregistration = ["ehc.static"]\n'
    )
    return config


@pytest.mark.parametrize(
    ("code", "step", "status", "reason"),
    [
        (ISSUER.code(DYNAMIC), "registration", 0, "ok"),
        (ISSUER.code(STATIC), "registration", 1, "policy.dynamic-required"),  # the site narrows the signed policy
        (ISSUER.code(DYNAMIC), "payment", 1, "policy.step-unknown"),
        (EhcIssuer(label=b"revoked").code(DYNAMIC), "registration", 1, "revoked.key"),
        (EhcIssuer(label=b"stranger").code(DYNAMIC), "registration", 1, "key.unknown"),
    ],
)
def test_with_the_terminals_configuration_it_judges_as_the_terminal_does(
    capsys: pytest.CaptureFixture[str], terminal: Path, code: str, step: str, status: int, reason: str
) -> None:
    got, says = explained(capsys, code, *AT_NOW, "--config", str(terminal), "--step", step)
    assert (got, says["decision"]["reason"], says["laboratory"]) == (status, reason, False)
    assert says["unchecked"] == []


def test_the_terminals_verified_trust_list_is_not_called_unsigned(
    capsys: pytest.CaptureFixture[str], terminal: Path
) -> None:
    assert main(["explain", ISSUER.code(DYNAMIC), *AT_NOW, "--config", str(terminal)]) == 0
    assert "unsigned" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (f"{NOW_S}", "ok"),
        (f"{NOW_S + 75}.000", "ok"),
        (f"{NOW_S + 75}.001", "time.expired"),
        ("2027-01-15T08:00:00Z", "ok"),
        ("2027-01-15T16:00:00.5+08:00", "ok"),
        ("2027-01-15T08:00:00+08:00", "time.future"),
    ],
)
def test_now_is_unix_seconds_or_rfc_3339(
    capsys: pytest.CaptureFixture[str], trust: list[str], now: str, reason: str
) -> None:
    assert explained(capsys, ISSUER.code(DYNAMIC), *trust, "--now", now)[1]["reason"] == reason


def test_without_now_the_clock_of_the_machine_counts(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, trust: list[str]
) -> None:
    """The machine's clock is the test's own: by the real one its keys will have ended."""

    class Clock:
        def now(self) -> Stamp:
            return Stamp(bytes(16), 0, NOW, "os")

    monkeypatch.setattr("agent.commands.explain.SystemClock", Clock)
    long_past = {**DYNAMIC, 6: 1_767_300_000, 4: 1_767_300_060}
    assert explained(capsys, ISSUER.code(long_past), *trust)[1]["reason"] == "time.expired"
    assert explained(capsys, ISSUER.code(DYNAMIC), *trust)[1]["reason"] == "ok"


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_dash_reads_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, trust: list[str], end: str
) -> None:
    stdin = io.TextIOWrapper(io.BytesIO((ISSUER.code(DYNAMIC) + end).encode()))
    monkeypatch.setattr("sys.stdin", stdin)
    assert explained(capsys, "-", *AT_NOW, *trust)[0] == 0


def test_an_endless_line_on_standard_input_is_over_long(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"1" * 1_000_000)))
    status, says = explained(capsys, "-")
    assert (status, says["reason"]) == (1, "scan.over-long")


def test_a_picture_is_read(capsys: pytest.CaptureFixture[str], trust: list[str], tmp_path: Path) -> None:
    picture = tmp_path / "code.png"
    segno.make(ISSUER.code(DYNAMIC), micro=False).save(picture, scale=4)
    status, says = explained(capsys, "--image", str(picture), *AT_NOW, *trust)
    assert (status, says["verdict"]) == (0, "verified")
    assert "]Q1" in says["stages"][0]["saw"]


def test_of_several_codes_in_a_picture_the_known_one_is_taken_and_named(
    capsys: pytest.CaptureFixture[str], trust: list[str], tmp_path: Path
) -> None:
    from PIL import Image

    texts, sheet = ("first unknown text", ISSUER.code(DYNAMIC)), Image.new("L", (800, 1200), 255)
    for at, text in enumerate(texts):
        out = io.BytesIO()
        segno.make(text, micro=False).save(out, kind="png", scale=4)
        sheet.paste(Image.open(out).convert("L"), (40, 40 + at * 500))
    sheet.save(tmp_path / "two.png")
    status, says = explained(capsys, "--image", str(tmp_path / "two.png"), *AT_NOW, *trust)
    assert (status, says["family"]) == (0, "ehc")
    assert "of 2 in the picture" in says["stages"][0]["saw"]


def test_a_picture_without_a_code_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from PIL import Image

    Image.new("L", (100, 100), 255).save(tmp_path / "white.png")
    status, says = explained(capsys, "--image", str(tmp_path / "white.png"))
    assert (status, says["verdict"], says["reason"]) == (1, "refused", "scan.no-code")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["X", "--trust", "missing.json"], "missing.json: No such file"),
        (["X", "--trust", "."], "directory"),
        (["X", "--trust", "garbage"], "trust list is not valid"),
        (["X", "--trust", "nested"], "nested too deeply"),
        (["X", "--step", "payment", "--policy", "nested.toml"], "policy is not valid"),
        (["X", "--trust", "fifo"], "no regular file"),
        (["--image", "fifo"], "no regular file"),
        (["X", "--config", "missing.toml"], "missing.toml: cannot be read"),
        (["X", "--config", "empty.toml"], "No such file"),
        (["X", "--step", "payment", "--policy", "garbage"], "policy is not valid"),
        (["--image", "missing.png"], "missing.png: No such file"),
        (["--image", "garbage"], "not a picture"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_clear_line_and_status_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str],
    message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("garbage").write_text("garbage")
    Path("nested").write_text('{"x":' + "[" * 100_000)
    Path("nested.toml").write_text("a=" + "[" * 20_000)
    Path("empty.toml").write_text('[[scanners]]\nid = "front"\ntype = "serial"\npath = "/dev/null"\n')
    os.mkfifo("fifo")
    assert main(["explain", *arguments]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert (captured.out, captured.err.count("\n")) == ("", 1)


@pytest.mark.parametrize(
    "arguments",
    [[], ["X", "--image", "x.png"], ["X", "--now", "yesterday"], ["X", "--now", "2027-01-15T08:00:00"],
     ["X", "--now", "-1"], ["X", "--policy", "p.toml"], ["X", "Y"], ["X", "--config", "c", "--trust", "t"],
     ["X", "--config", "c", "--step", "payment", "--policy", "p"]],
)  # fmt: skip
def test_usage_errors_have_status_2(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["explain", *arguments])
    assert exit_.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_a_time_that_is_none_is_answered_with_what_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["explain", "X", "--now", "notatime"])
    assert exit_.value.code == 2
    err = capsys.readouterr().err
    assert "'notatime' is not a time" in err
    assert "RFC 3339" in err
    assert "parse_instant" not in err


def test_a_package_is_told_and_what_it_carries_cannot_write_to_the_console(capsys: pytest.CaptureFixture[str]) -> None:
    text = f"01{GTIN}17281130{'10<script>'}{GS}21';DROP--"
    assert main(["explain", text, *AT_NOW]) == 1
    out = capsys.readouterr().out
    assert f"(01){GTIN}(21)';DROP--" in out
    assert "batch <script>" in out
    assert GS not in out
    status, found = explained(capsys, text, *AT_NOW)
    assert (status, found["family"], found["claims"]["expiry"]) == (1, "gs1", "2028-11-30")
    for hostile in (f"01{GTIN}10\x1b[31m", f"(01){GTIN}(10)\x1b]0;x\x07", "MA.156.M0.199999.\x1b[2J"):
        main(["explain", hostile, *AT_NOW])
        assert "\x1b" not in capsys.readouterr().out


def test_what_a_card_says_cannot_steer_the_terminal_that_shows_it(capsys: pytest.CaptureFixture[str]) -> None:
    steering = "\x1b[2J\x1b]0;x\x07\x9b31m\u202e\x7f\U000e0041"
    text = code_of(ShcIssuer().jws(claims(vc=credential(type=[TYPE, f"x#{steering}verified"]))))
    assert main(["explain", text, *AT_NOW]) == 1
    assert not set("\x1b\x07\x9b\u202e\x7f\U000e0041") & set(capsys.readouterr().out)
    status, found = explained(capsys, text, *AT_NOW)
    assert (status, found["claims"]["types"]) == (1, legible(f"{steering}verified"))
    main(["explain", text, "--json", *AT_NOW])
    assert not set("\x1b\x07\x9b\u202e\x7f\U000e0041") & set(capsys.readouterr().out)


@pytest.mark.parametrize("family", ["wechat-pay", "insurance", "resident-id", "e-prescription"])
def test_a_bearer_secret_is_told_apart_and_shown_nowhere(capsys: pytest.CaptureFixture[str], family: str) -> None:
    secret = samples()[family]
    assert main(["explain", secret, *AT_NOW]) == 1
    out, err = capsys.readouterr()
    assert f"family {family}" in out
    assert "unverifiable, family.no-offline-proof" in out
    assert not any(part in out + err for part in (secret[4:], access_code(), prescription_id()))


def test_the_site_s_own_cards_are_known_by_its_configuration(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    publish_bundle(tmp_path / "trust", content())
    config = tmp_path / "agent.toml"
    scanner = '[[scanners]]\nid = "front"\ntype = "serial"\npath = "/dev/x"\n'
    config.write_text(f"{scanner}[state]\ndirectory = \"{tmp_path}\"\n[codes]\nhospital_cards = ['JZ\\d{{6}}']\n")
    status, told = explained(capsys, "JZ123456", "--config", str(config), "--step", "registration")
    assert (status, told["family"], told["needs_online"]) == (1, "hospital-card", True)
    assert told["decision"]["reason"] == "policy.not-verifiable"
    assert explained(capsys, "JZ123456")[1]["family"] == "unknown"
