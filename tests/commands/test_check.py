import argparse
import os
from pathlib import Path

import pytest

from agent.commands import check

SCANNER = '[[scanners]]\nid = "front"\ntype = "serial"\npath = "{path}"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "root.json").write_text("{}")
    return tmp_path


def run_check(folder: Path, text: str) -> int:
    path = folder / "agent.toml"
    path.write_text(text)
    parser = argparse.ArgumentParser()
    check.add_arguments(parser)
    return check.run(parser.parse_args(["--config", str(path)]))


def config(folder: Path, scanner: str = "", more: str = "") -> str:
    scanner = scanner or SCANNER.format(path="/dev/null")
    return f'''{scanner}
[state]
directory = "{folder / "state"}"
[trust]
root = "{folder / "root.json"}"
{more}'''


def test_a_good_configuration_is_told_in_a_few_lines(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = """
[terminal]
id = "kiosk-1"
site = "torch"
step = "payment"
[uplink.http]
url = "https://platform.example"
[policy.refuse]
"*" = ["national.any"]
[policy.checked]
payment = ["time", "revocation"]
"""
    assert run_check(folder, config(folder, more=more)) == 0
    out, err = capsys.readouterr()
    for said in (
        "kiosk-1 of site torch",
        "front: serial /dev/null, 9600 baud, framing cr, step payment",
        "https://platform.example",
        str(folder / "root.json"),
        str(folder / "state"),
        "http://127.0.0.1:8765",
        "national.any at every step",
        "checked   revocation, time at step payment",
        "agent.toml: ok",
    ):
        assert said in out
    assert err == ""
    assert not (folder / "state").exists()


def test_an_absent_scanner_is_a_warning(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_check(folder, config(folder, SCANNER.format(path=folder / "ttyACM7"))) == 0
    assert "ttyACM7 is not there now: plug it in" in capsys.readouterr().err


def test_without_a_root_of_trust_it_warns_that_every_code_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = SCANNER.format(path="/dev/null") + f'[state]\ndirectory = "{folder}"\n'
    assert run_check(folder, text) == 0
    out, err = capsys.readouterr()
    assert "every code is refused" in err
    assert "none: decisions are stored, nothing is delivered" in out


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("missing root", "$.trust.root: "),
        ("root is a folder", "is a folder: name a file"),
        ("missing replay", "$.scanners[0].path: "),
        ("state is a file", "is not a folder"),
        ("mistake", "$.trust.rot: no such setting; did you mean root?"),
        ("a PIN for all to read", "$.console.staff_pin_file: "),
        ("a PIN that is none", "holds no PIN: write into it"),
        ("a token that is none", "$.console.token_file: "),
    ],
)
def test_what_keeps_the_agent_from_starting_is_an_error(
    folder: Path, capsys: pytest.CaptureFixture[str], change: str, says: str
) -> None:
    text = config(folder)
    match change:
        case "missing root":
            (folder / "root.json").unlink()
        case "root is a folder":
            (folder / "root.json").unlink()
            (folder / "root.json").mkdir()
        case "missing replay":
            text = config(folder, SCANNER.format(path=folder / "scans").replace("serial", "replay"))
        case "state is a file":
            (folder / "state").write_text("")
        case "a PIN for all to read" | "a PIN that is none" | "a token that is none":
            secret = folder / "secret"
            secret.write_text("short")
            secret.chmod(0o644 if "all" in change else 0o600)
            text += f'[console]\n{"token_file" if "token" in change else "staff_pin_file"} = "{secret}"\n'
        case "mistake":
            text = text.replace("root =", "rot =")
    assert run_check(folder, text) == 1
    out, err = capsys.readouterr()
    assert says in err
    assert err.startswith(f"error: {folder / 'agent.toml'}: ")
    assert len(err.splitlines()) == 1
    assert ": ok" not in out


def check_as_another_user(path: Path) -> int:
    """Run the check as somebody who is not root: root may do everything."""
    is_root = os.geteuid() == 0
    if is_root:
        os.setresuid(65_534, 65_534, 0)
    try:
        return check.run(argparse.Namespace(config=path))
    finally:
        if is_root:
            os.setresuid(0, 0, 0)


@pytest.mark.parametrize(("name", "mode"), [("root.json", 0o000), ("state", 0o555)])
def test_what_the_services_user_may_not_use_is_an_error(folder: Path, name: str, mode: int) -> None:
    path = folder / "agent.toml"
    path.write_text(config(folder))
    (folder / "state").mkdir()
    (folder / "state").chmod(0o777)
    for parent in (folder, *list(folder.parents)[:2]):
        parent.chmod(0o755)
    assert check_as_another_user(path) == 0
    (folder / name).chmod(mode)
    assert check_as_another_user(path) == 1


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("usb:ffff:fffe", "usb:ffff:fffe"),
        ("/dev/ttyACM909", "may be another device after the next start: scanward scanners list"),
        ("/dev/serial/by-id/usb-none", "is not there now: plug it in"),
    ],
)
def test_a_path_that_will_not_do_for_long_is_a_warning(
    folder: Path, capsys: pytest.CaptureFixture[str], path: str, says: str
) -> None:
    assert run_check(folder, config(folder, SCANNER.format(path=path))) == 0
    assert "warning: scanner front: " in (err := capsys.readouterr().err)
    assert says in err


def test_a_pattern_of_cards_that_another_kind_of_code_fits_is_a_warning(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_check(folder, config(folder, more="[codes]\nhospital_cards = ['JZ\\d{6}', '1\\d{17}']\n")) == 0
    out, err = capsys.readouterr()
    assert "cards     JZ\\d{6}" in out
    assert "may be taken for a code of wechat-pay: narrow it" in err
    assert "JZ" not in err


def test_a_pattern_that_could_take_long_is_an_error_with_what_to_write(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_check(folder, config(folder, more="[codes]\nhospital_cards = ['(\\d+)+']\n")) == 1
    err = capsys.readouterr().err
    assert "$.codes: " in err
    assert "is not taken: a pattern is of characters" in err
