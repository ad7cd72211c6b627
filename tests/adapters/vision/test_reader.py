"""A camera's frames, one after another."""

import io
import os
import subprocess
import sys
from itertools import pairwise

import pytest
import segno
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageFilter

from agent.adapters.scanners.camera_settings import SAME_CODE_INTERVAL_MS
from agent.adapters.vision import reader
from agent.adapters.vision.decoder import Decoder
from agent.adapters.vision.extra import Extra
from agent.adapters.vision.fitted import Fitted
from agent.adapters.vision.reader import IDLE_MS, SEARCH_MS, CodeReader
from agent.adapters.vision.still import look
from agent.core.reading.frame import Frame
from agent.core.reading.sightings import RAW, agreed
from agent.core.reading.symbologies import Symbology
from agent.core.scan import ScanFault

FRAME_MS = 33


def qr(text: str, scale: int = 4) -> Image.Image:
    out = io.BytesIO()
    segno.make(text, micro=False).save(out, kind="png", scale=scale, border=4)
    return Image.open(out).convert("L")


def bars(digits: str) -> Image.Image:
    drawn = memoryview(zxingcpp.create_barcode(digits, zxingcpp.BarcodeFormat.EAN13).to_image(scale=3))
    height, width = drawn.shape
    return Image.frombuffer("L", (width, height), bytes(drawn), "raw", "L", 0, 1)


def frame(picture: Image.Image, padding: int = 0) -> Frame:
    """Make a frame whose rows have bytes behind them that are not the picture's."""
    rows = [picture.crop((0, y, picture.width, y + 1)).tobytes() + b"\x00" * padding for y in range(picture.height)]
    return Frame(picture.width, picture.height, picture.width + padding, memoryview(b"".join(rows)))


def shaded(code: Image.Image) -> Image.Image:
    """Return a code printed in grey, the left half of it in a shadow, on white."""
    paper = Image.new("L", (code.width + 40, code.height + 40), "white")
    paper.paste(code.point(lambda level: 175 + level * 80 // 255), (20, 20))
    shadow = Image.new("L", paper.size, "white")
    shadow.paste(128, (0, 0, paper.width // 2, paper.height))
    return ImageChops.multiply(paper, shadow.filter(ImageFilter.GaussianBlur(4)))


def out_of_focus(code: Image.Image, radius: float) -> Image.Image:
    paper = Image.new("L", (code.width + 80, code.height + 80), "white")
    paper.paste(code, (40, 40))
    return paper.filter(ImageFilter.GaussianBlur(radius)).resize((paper.width // 2, paper.height // 2))


def before_a_camera(code: Image.Image, place: tuple[int, int] = (500, 250)) -> Image.Image:
    room = Image.new("L", (1280, 720), 90)
    room.paste(code, place)
    return room


def test_a_code_held_up_is_read_in_its_first_frame() -> None:
    (piece,) = CodeReader().read(frame(before_a_camera(qr("hello")), padding=64), 0)
    assert piece.data == b"hello"


@pytest.mark.parametrize("place", [(0, 0), (1_150, 0), (0, 590), (1_150, 590)])
def test_a_code_in_a_corner_is_read_soon(place: tuple[int, int]) -> None:
    seen, watching = frame(before_a_camera(qr("corner"), place)), CodeReader()
    assert any(watching.read(seen, number * FRAME_MS) for number in range(4))


def test_a_code_of_bars_takes_two_frames() -> None:
    watching, seen = CodeReader(), frame(before_a_camera(bars("4006381333931")))
    assert watching.read(seen, 0) == []
    found = [piece.data for number in range(1, 6) for piece in watching.read(seen, number * FRAME_MS)]
    assert found[0] == b"4006381333931"


def test_kinds_that_are_easily_misread_are_off_unless_asked_for() -> None:
    assert not set(reader.DEFAULT_SYMBOLOGIES) & {Symbology.EAN8, Symbology.ITF, Symbology.CODABAR, Symbology.CODE39}


def test_a_code_that_lies_there_stays_in_sight() -> None:
    watching, seen = CodeReader(), frame(before_a_camera(qr("lies there")))
    read_at = [ms for ms in range(0, 10_000, FRAME_MS) if watching.read(seen, ms)]
    assert max(later - earlier for earlier, later in pairwise(read_at)) < 250


def test_a_code_that_only_a_treatment_reads_stays_in_sight_too() -> None:
    watching, seen = CodeReader(extra=False), frame(shaded(bars("4006381333931")))
    read_at = [ms for ms in range(0, 20_000, FRAME_MS) if watching.read(seen, ms)]
    assert read_at[-1] > 19_000
    assert max(later - earlier for earlier, later in pairwise(read_at)) < SAME_CODE_INTERVAL_MS


def test_a_code_that_is_hard_to_read_is_read_beside_one_that_is_not() -> None:
    both = Image.new("L", (640, 480), "white")
    both.paste(shaded(bars("4006381333931")), (20, 20))
    both.paste(qr("easy"), (480, 330))
    watching, seen = CodeReader(extra=False), frame(both)
    found = {piece.data for number in range(60) for piece in watching.read(seen, number * FRAME_MS)}
    assert found == {b"4006381333931", b"easy"}


def test_bars_out_of_focus_are_fitted_and_stay_in_sight() -> None:
    watching, seen = CodeReader(extra=False), frame(out_of_focus(bars("4006381333931"), 4))
    found = [(ms, piece.data) for ms in range(0, 6_000, FRAME_MS) for piece in watching.read(seen, ms)]
    assert {data for _, data in found} == {b"4006381333931"}
    at_ms = [ms for ms, _ in found]
    assert at_ms[-1] > 5_000
    assert max(later - earlier for earlier, later in pairwise(at_ms)) < SAME_CODE_INTERVAL_MS


def test_bars_out_of_focus_in_a_still_picture_are_fitted_and_more_blur_is_no_guess() -> None:
    assert [piece.data for piece in look(out_of_focus(bars("4006381333931"), 4))[0]] == [b"4006381333931"]
    assert look(out_of_focus(bars("4006381333931"), 7)) == ([], "in no way")


def test_one_band_of_blurred_bars_is_no_witness_however_often_it_is_seen() -> None:
    picture = out_of_focus(bars("4006381333931"), 4)
    bands = [seen for turn in range(4) for seen in Fitted([Symbology.EAN13]).read(picture, turn)]
    assert len({seen.look for seen in bands}) >= 2
    assert agreed([bands[0], bands[0], bands[0]]) == []
    assert [piece.data for piece in agreed(bands)] == [b"4006381333931"]


def test_a_part_of_a_code_is_said_once() -> None:
    out = io.BytesIO()
    segno.make_sequence("parts " * 30, version=3)[0].save(out, kind="png", scale=4)
    watching, seen = CodeReader(), frame(before_a_camera(Image.open(out).convert("L")))
    found = [piece for number in range(60) for piece in watching.read(seen, number * FRAME_MS)]
    assert [piece.fault for piece in found] == [ScanFault.INCOMPLETE]


def test_a_room_in_which_nothing_moves_is_looked_at_twice_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    watching, seen = CodeReader(extra=False), frame(before_a_camera(Image.new("L", (9, 9), 80)))
    looked = list[int]()
    look = watching._look
    monkeypatch.setattr(watching, "_look", lambda picture, at_ms: looked.append(at_ms) or look(picture, at_ms))
    for at_ms in range(0, SEARCH_MS + 5_000, FRAME_MS):
        watching.read(seen, at_ms)
    assert len([at_ms for at_ms in looked if at_ms >= SEARCH_MS]) <= 5_000 / IDLE_MS + 1
    looked.clear()
    watching.read(frame(before_a_camera(qr("new"))), SEARCH_MS + 5_001)
    assert looked


@pytest.mark.parametrize("code", [qr("HC1:" + "shade " * 12), bars("4006381333931")], ids=["QR", "EAN-13"])
def test_a_faint_code_under_the_edge_of_a_shadow_is_read_by_a_treatment(code: Image.Image) -> None:
    hard = shaded(code)
    assert Decoder(reader.DEFAULT_SYMBOLOGIES).read(hard, RAW) == []
    watching, seen = CodeReader(extra=False), frame(hard)
    found = {piece.data for number in range(60) for piece in watching.read(seen, number * FRAME_MS)}
    assert len(found) == 1


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(-1, 70), height=st.integers(-1, 70), more=st.integers(-2, 9), data=st.binary(max_size=6_000),
    extra=st.booleans(),
)  # fmt: skip
def test_hostile_frames_never_raise(width: int, height: int, more: int, data: bytes, extra: bool) -> None:
    watching = CodeReader(extra=extra)
    hostile = Frame(width, height, width + more, memoryview(data))
    for at_ms in (0, 33, 66, 99, 1_500, 1_533, 1_566, 1_599):
        watching.read(hostile, at_ms)


@pytest.mark.parametrize("size", [(1, 1), (1, 4_000), (4_000, 1), (2, 3), (9_000, 1), (16, 16), (641, 481)])
def test_odd_sizes_never_raise(size: tuple[int, int]) -> None:
    picture = Image.effect_noise(size, 90)
    watching = CodeReader((*reader.DEFAULT_SYMBOLOGIES, Symbology.UPC))
    for number in range(60):
        assert watching.read(frame(picture), number * FRAME_MS) == []


def test_the_extra_is_installed_here_and_reads_plain_codes() -> None:
    kinds = (Symbology.QR, Symbology.EAN13)
    looks = Extra(kinds, reader.Decoder(kinds)).looks
    assert len(looks) == 4
    found = {seen.piece.data for look in looks for code in (qr("plain"), bars("4006381333931")) for seen in look(code)}
    assert found == {b"plain", b"4006381333931"}


def test_the_extra_passes_nothing_it_may_have_re_encoded() -> None:
    kinds = (Symbology.QR, Symbology.EAN13)
    zbar = Extra(kinds, reader.Decoder(kinds)).looks[2]
    assert zbar(qr("plain"))
    assert zbar(qr("中文")) == []


def test_the_extra_passes_no_part_of_a_code() -> None:
    kinds = (Symbology.QR,)
    part = segno.make_sequence("parts " * 30, version=3)[0]
    out = io.BytesIO()
    part.save(out, kind="png", scale=4)
    picture = Image.open(out).convert("L")
    found = [seen.piece for look in Extra(kinds, reader.Decoder(kinds)).looks for seen in look(picture)]
    assert all(piece.fault is ScanFault.INCOMPLETE for piece in found)


def test_without_the_extra_everything_else_works() -> None:
    script = """
import sys
from itertools import pairwise
for name in ("cv2", "pyzbar", "numpy"):
    sys.modules[name] = None
from PIL import Image
from agent.adapters.vision.reader import CodeReader
from agent.adapters.vision.still import look
from agent.core.reading.frame import Frame
noise = Image.effect_noise((200, 200), 90)
reader = CodeReader()
frame = Frame(200, 200, 200, memoryview(noise.tobytes()))
assert not any(reader.read(frame, at_ms) for at_ms in range(0, 3_000, 33))
assert look(noise) == ([], "in no way")
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60, env=dict(os.environ))
