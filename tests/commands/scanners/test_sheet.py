"""The calibration sheet, read back as a scanner would: every code at print and at half the resolution."""

from pathlib import Path

import pytest
import zxingcpp
from PIL import Image

from agent.cli import main
from agent.commands.scanners import sheet
from agent.core.reading.calibration import CALIBRATION_TEXT

KINDS = {"QRCode", "DataMatrix", "PDF417"}


def read(page: Image.Image) -> dict[str, bytes]:
    return {code.format.name: code.bytes for code in zxingcpp.read_barcodes(page.convert("L"))}


@pytest.fixture(scope="module")
def page() -> Image.Image:
    return sheet.draw(CALIBRATION_TEXT)


@pytest.mark.parametrize("per_dot", [1, 2])
def test_every_code_of_the_sheet_holds_the_calibration_text_at_300_and_at_150_dots(
    page: Image.Image, per_dot: int
) -> None:
    shown = page.convert("L").resize((page.width // per_dot, page.height // per_dot), Image.Resampling.BOX)
    assert read(shown) == dict.fromkeys(KINDS, CALIBRATION_TEXT.encode())


def test_the_sheet_is_a4_with_headings_whether_or_not_there_is_a_chinese_font(
    page: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (page.width / page.height) == pytest.approx(210 / 297, rel=0.001)
    monkeypatch.setattr(sheet, "CHINESE_FONTS", ())
    plain = sheet.draw(CALIBRATION_TEXT)
    assert read(plain) == dict.fromkeys(KINDS, CALIBRATION_TEXT.encode())
    heading = plain.convert("L").crop((0, 0, plain.width, 800))
    assert heading.getextrema() == (0, 255)


def test_the_sheet_is_printed_as_pdf_or_png_by_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scanners", "calibrate", "--sheet", str(tmp_path / "sheet.png")]) == 0
    assert read(Image.open(tmp_path / "sheet.png")) == dict.fromkeys(KINDS, CALIBRATION_TEXT.encode())
    assert main(["scanners", "calibrate", "--sheet", str(tmp_path / "sheet.pdf")]) == 0
    pdf = (tmp_path / "sheet.pdf").read_bytes()
    assert pdf.startswith(b"%PDF-")
    assert b"/CCITTFaxDecode" in pdf, "a lossy picture would blur the codes"
    assert "print it at 100 %" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["sheet.gif", "no/such/folder.pdf"])
def test_a_file_that_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert main(["scanners", "calibrate", "--sheet", str(tmp_path / name)]) == 2
    assert name in capsys.readouterr().err


def test_a_text_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="too many for the page"):
        sheet.code_of(b"x" * 400, "Code128", 2_000)


def test_the_data_matrix_is_square_for_scanners_that_read_no_other() -> None:
    code = sheet.code_of(CALIBRATION_TEXT.encode(), "DataMatrix", 1_000)
    assert code.width == code.height
