"""Pictures to scans."""

import io
import os
from pathlib import Path
from typing import Any

import pytest
import segno
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from agent.adapters.vision import pictures
from agent.adapters.vision.pictures import PictureUnreadable, look_at_picture, read_picture
from fakes.ehc_issuer import DYNAMIC, EhcIssuer, scan_of

AT = scan_of("").at
CODE = EhcIssuer().code(DYNAMIC)


def png(text: str | bytes, **look: Any) -> bytes:
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(out, kind="png", **{"scale": 4, **look})
    return out.getvalue()


def redrawn(data: bytes, kind: str, mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    Image.open(io.BytesIO(data)).convert(mode).save(out, kind)
    return out.getvalue()


def test_a_qr_code_gives_its_bytes_and_its_symbology() -> None:
    (scan,) = read_picture(png(CODE), AT)
    assert (scan.data, scan.scanner, scan.aim, scan.fault, scan.at) == (CODE.encode(), "picture", "]Q1", None, AT)


@pytest.mark.parametrize(
    ("kind", "mode"), [("PNG", "L"), ("PNG", "RGBA"), ("JPEG", "RGB"), ("WEBP", "RGB"), ("BMP", "1")]
)
def test_the_kind_of_picture_does_not_matter(kind: str, mode: str) -> None:
    (scan,) = read_picture(redrawn(png(CODE), kind, mode), AT)
    assert scan.data == CODE.encode()


def test_a_transparent_background_is_paper() -> None:
    (scan,) = read_picture(png(CODE, light=None), AT)
    assert scan.data == CODE.encode()


def test_bytes_that_are_not_text_come_as_they_are() -> None:
    (scan,) = read_picture(png(bytes(range(128, 256))), AT)
    assert scan.data == bytes(range(128, 256))


def test_several_codes_give_several_scans() -> None:
    one, two = (Image.open(io.BytesIO(png(text))).convert("L") for text in (CODE, "another text"))
    sheet = Image.new("L", (one.width + two.width + 80, max(one.height, two.height)), 255)
    sheet.paste(one, (0, 0))
    sheet.paste(two, (one.width + 80, 0))
    out = io.BytesIO()
    sheet.save(out, "PNG")
    assert {scan.data for scan in read_picture(out.getvalue(), AT)} == {CODE.encode(), b"another text"}


def test_a_picture_without_a_code_gives_none() -> None:
    out = io.BytesIO()
    Image.new("RGB", (200, 200), "white").save(out, "PNG")
    assert read_picture(out.getvalue(), AT) == []


@pytest.mark.parametrize("data", [b"", b"no picture", png(CODE)[:100], b"<svg xmlns='http://www.w3.org/2000/svg'/>"])
def test_what_is_no_picture_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(PictureUnreadable, match="not a picture"):
        read_picture(data, AT)


def test_a_picture_is_judged_by_its_size_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    Image.new("1", (10_000, 10_000), 1).save(out, "PNG")
    with pytest.raises(PictureUnreadable, match="pixels"):
        read_picture(out.getvalue(), AT)
    monkeypatch.setattr(pictures, "PICTURE_BYTES_MAX", 100)
    with pytest.raises(PictureUnreadable, match="at most 100"):
        read_picture(png(CODE), AT)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 255)), max_size=6), st.integers(0, 5_000))
def test_a_damaged_picture_is_read_or_refused(changes: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(png(CODE))
    for place, value in changes:
        data[place % len(data)] = value
    try:
        read_picture(bytes(data[: max(1, cut)]), AT)
    except PictureUnreadable:
        return


def test_a_picture_that_only_a_treatment_makes_legible_says_which() -> None:
    code = memoryview(zxingcpp.create_barcode("4006381333931", zxingcpp.BarcodeFormat.EAN13).to_image(scale=3))
    height, width = code.shape
    sharp = Image.frombuffer("L", (width, height), bytes(code), "raw", "L", 0, 1)
    hows = set[str]()
    for blur in (0.0, 1.4, 1.6, 1.8):
        out = io.BytesIO()
        sharp.filter(ImageFilter.GaussianBlur(blur)).save(out, "PNG")
        scans, how = look_at_picture(out.getvalue(), AT)
        assert {scan.data for scan in scans} <= {b"4006381333931"}
        hows.add(how)
    assert "as it is" in hows
    assert any(how.startswith("treated: ") for how in hows)


@pytest.mark.skipif("SCANWARD_VECTORS" not in os.environ, reason="SCANWARD_VECTORS does not name the pictures")
def test_pictures_without_a_code_say_nothing() -> None:
    negatives = sorted(Path(os.environ["SCANWARD_VECTORS"], "images/zxing/falsepositives-2").glob("*.png"))
    assert len(negatives) >= 10
    for negative in negatives[::3]:  # every one of them is read by the conformance suite (tests/conformance)
        assert look_at_picture(negative.read_bytes(), AT) == ([], "in no way"), negative.name
