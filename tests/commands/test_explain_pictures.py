"""`scanward explain --image`: codes of every family, drawn as QR, Data Matrix and Aztec, and in a photo."""

import io
import json
from pathlib import Path

import pytest
import segno
import zxingcpp
from PIL import Image

from agent.cli import main
from agent.core.codes import FAMILIES
from fuzz.examples import EXAMPLES

KINDS = ("QRCode", "DataMatrix", "Aztec")
DATA_MATRIX_CHARACTERS_MAX = 1_500
PHOTO = (4_000, 3_000)  # 12 megapixels, as telephones take them
NAMES = [family.name for family in FAMILIES if family.name in EXAMPLES]


def drawn(text: str, kind: str, scale: int = 4) -> Image.Image:
    if kind == "QRCode":
        out = io.BytesIO()
        segno.make(text, micro=False, error="l").save(out, kind="png", scale=scale, border=4)
        return Image.open(out).convert("L")
    symbol = zxingcpp.create_barcode(text, getattr(zxingcpp.BarcodeFormat, kind))
    return Image.fromarray(symbol.to_image(scale=scale, add_quiet_zones=True))


def family_in(picture: Path, capsys: pytest.CaptureFixture[str]) -> str:
    main(["explain", "--image", str(picture), "--json"])
    return str(json.loads(capsys.readouterr().out)["family"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_a_drawn_code_is_read_and_recognised(
    name: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    characters_max = 4_296 if kind == "QRCode" else DATA_MATRIX_CHARACTERS_MAX
    examples = [e for e in EXAMPLES[name] if e.aim is None and len(e.text) <= characters_max]
    for example in examples[:2]:
        drawn(example.text, kind).save(tmp_path / "code.png")
        assert family_in(tmp_path / "code.png", capsys) == name


@pytest.mark.parametrize("name", NAMES)
def test_a_code_in_a_large_photo_is_read(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = next((example for example in EXAMPLES[name] if example.aim is None), None)
    if example is None:
        return
    photo = Image.linear_gradient("L").resize(PHOTO)
    code = drawn(example.text, "QRCode", 6).rotate(11, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    photo.paste(code, (PHOTO[0] - code.width - 200, 300))
    photo.save(tmp_path / "photo.jpg", quality=80)
    assert family_in(tmp_path / "photo.jpg", capsys) == name
