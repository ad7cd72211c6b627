"""The real command is asked; a run that ends badly is an answer; SVG pictures are drawn as they are meant."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
import segno
import zxingcpp
from PIL import Image

from conformance.command import ROOT, Line, Runner, read_file, say
from conformance.material import trust_list
from conformance.svg import rasterise

CARD = "5" * 64


def test_lines_go_through_the_command_and_come_back_by_id(tmp_path: Path) -> None:
    picture = tmp_path / "code.png"
    segno.make(CARD + ":1", micro=False).save(str(picture), scale=4)
    lines = [Line("text", f"{CARD}:1"), Line("picture", None, picture), Line("odd", "x"), Line("blank", "", None, 7)]
    answers = Runner(1).verify(lines, trust_list([]))
    assert [answers[line.id]["family"] for line in lines] == ["national", "national", "unknown", "unknown"]
    assert say(answers["odd"]) == "refused family.unknown"


def test_a_command_that_fails_answers_for_each_line() -> None:
    answers = Runner(1).verify([Line("a", "x"), Line("b", "y")], b"no trust list")
    assert set(answers) == {"a", "b"}
    assert say(answers["a"]).startswith("no answer the command ended with 2: scanward verify: trust-list.json:")
    assert Runner(1).verify([], b"") == {}


def test_a_picture_that_cannot_be_looked_at_says_why(tmp_path: Path) -> None:
    path = tmp_path / "no.png"
    path.write_bytes(b"no picture")
    assert read_file(path).codes == ()
    assert read_file(path).trouble


@pytest.mark.parametrize("text", ["shc:/" + "12" * 300, "A"])
def test_an_svg_of_strokes_is_drawn_module_by_module(text: str, tmp_path: Path) -> None:
    side, strokes = 0, io.StringIO()
    rows = [list(row) for row in segno.make(text, micro=False).matrix_iter(border=4)]
    side = len(rows)
    for y, row in enumerate(rows):
        x = 0
        while x < side:
            width = next((n for n, module in enumerate(row[x:]) if not module), side - x)
            if width:
                strokes.write(f"M{x} {y}.5h{width}")
            x += max(width, 1)
    source = tmp_path / "code.svg"
    source.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}">'
        f'<path fill="#ffffff" d="M0 0h{side}v{side}H0z"/><path stroke="#000000" d="{strokes.getvalue()}"/></svg>'
    )
    drawn = Image.open(rasterise(source, tmp_path / "drawn" / "code.png"))
    (found,) = zxingcpp.read_barcodes(drawn)
    assert found.text == text


def test_a_drawing_of_another_kind_is_no_code(tmp_path: Path) -> None:
    source = tmp_path / "odd.svg"
    source.write_text("<svg><circle r='7'/></svg>")
    assert read_file(rasterise(source, tmp_path / "odd.png")).codes == ()


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["nothing"], 2, "no such suite: nothing"),
        (["--write", "sm2"], 2, "--write needs all suites"),
        (["--workers", "0"], 2, "--workers: at least 1"),
        ([], 2, "docs/conformance.md says what to put there"),
    ],
)
def test_usage_and_missing_data_are_told(arguments: list[str], status: int, told: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "conformance", *arguments], cwd=ROOT, env={"SCANWARD_VECTORS": "/nowhere"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (run.returncode, run.stdout) == (status, "")
    assert told in run.stderr


def test_an_empty_suite_fails_the_run(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "conformance", "sm2"], cwd=ROOT, env={"SCANWARD_VECTORS": str(tmp_path)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert run.returncode == 1
    assert "MISS: no cases" in run.stdout
    assert run.stdout.splitlines()[-1] == "conformance: 0 cases, 0 as expected, 0 explained, 0 unexplained"
