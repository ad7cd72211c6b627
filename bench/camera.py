"""Codes read from real pictures by each decoder and by ours as a live camera's reader, and what an idle camera costs.

Pictures: SCANWARD_VECTORS/images/zxing, truth beside each. The same picture is held before our reader for HELD_FRAMES,
all of them. Another code than the truth is a false read, but for those that are in the picture: what zxing-cpp alone
reads in it untreated, and SEEN_BY_EYE. Both are counted in the output.
"""

import functools
import importlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zxingcpp
from PIL import Image, ImageFilter

from agent.adapters.vision.reader import DEFAULT_SYMBOLOGIES, CodeReader
from agent.core.reading.frame import Frame
from agent.core.reading.symbologies import Symbology
from bench.line import Line
from conformance.suites.zxing import brightness_of, is_same, truth_of

GAIN_MIN, GAIN_WITH_EXTRA_MIN = 0.05, 0.09
IDLE_SHARE_MAX = 0.3
HELD_FRAMES, FRAME_MS = 60, 33  # two seconds at 30 frames a second
IDLE_FRAMES = 150  # five seconds
SEARCHING_FPS_MIN, HARD_FRAMES = 5, 120
SYMBOLOGIES = (*DEFAULT_SYMBOLOGIES, Symbology.UPC)
# A second bar code that a person sees in the picture, and zxing-cpp alone does not read: the back of one book.
SEEN_BY_EYE = {
    "ean13-2/19.png": b"1920081045006",
    "ean13-2/21.png": b"1920081045006",
    "ean13-2/23.png": b"9784872348880",
    "ean13-2/28.png": b"9784872348880",
}
_KINDS = zxingcpp.BarcodeFormat
FORMATS = zxingcpp.BarcodeFormats(
    [_KINDS.QRCode, _KINDS.DataMatrix, _KINDS.Aztec, _KINDS.PDF417, _KINDS.Code128, _KINDS.EAN13, _KINDS.UPCA]
)
DEFAULT_FORMATS = zxingcpp.BarcodeFormats(
    [_KINDS.QRCode, _KINDS.DataMatrix, _KINDS.Aztec, _KINDS.PDF417, _KINDS.Code128, _KINDS.EAN13]
)

Reader = Callable[[Image.Image], list[bytes]]


@dataclass(frozen=True, slots=True)
class Case:
    """A picture, and what stands in it."""

    name: str
    picture: Image.Image
    truth: bytes | None


@dataclass(slots=True)
class Tally:
    """read: pictures whose truth was read; wrong: reads of what is not there; on_nothing: reads on empty pictures.

    beside: other codes in the picture that zxing-cpp reads untreated, by_eye: that only a person sees.
    """

    pictures: int = 0
    read: int = 0
    wrong: int = 0
    beside: int = 0
    by_eye: int = 0
    on_nothing: int = 0
    cpu_ms: list[float] = field(default_factory=list)

    @property
    def recall(self) -> float:
        return self.read / max(1, self.pictures)

    def __str__(self) -> str:
        mean_ms = sum(self.cpu_ms) / max(1, len(self.cpu_ms))
        return (
            f"{self.recall:.1%} at {mean_ms:.1f} ms, {self.wrong} false, {self.on_nothing} on nothing, other codes in "
            f"the picture: {self.beside} by zxing-cpp, {self.by_eye} by eye"
        )


def lines() -> list[Line]:
    """Measure all in one run; none without the pictures."""
    vectors = os.getenv("SCANWARD_VECTORS")
    if not vectors:
        return [_idle(), _searching()]
    cases = _cases(Path(vectors) / "images/zxing")
    alone = _tally(cases, _zxing)
    ours = _tally(cases, functools.partial(_held, extra=False))
    detail = f"{alone.pictures} pictures; zxing-cpp alone {alone}; ours over {HELD_FRAMES} frames {ours}"
    found = [
        _idle(),
        _searching(),
        Line("recall beyond zxing-cpp alone", ours.recall - alone.recall, GAIN_MIN, "at least", "share", detail),
    ]
    both = [ours]
    if (others := _others()) is not None:
        more = _tally(cases, functools.partial(_held, extra=True))
        both.append(more)
        detail = "; ".join([f"ours with extra {more}", *(f"{name} {_tally(cases, read)}" for name, read in others)])
        gain = more.recall - alone.recall
        found.append(Line("the same with the extra", gain, GAIN_WITH_EXTRA_MIN, "at least", "share", detail))
    wrong, on_nothing = sum(tally.wrong for tally in both), sum(tally.on_nothing for tally in both)
    found.append(Line("false reads of ours", wrong, 0, "at most", "codes"))
    found.append(Line("reads of ours on pictures without a code", on_nothing, 0, "at most", "codes"))
    return found


def _cases(root: Path) -> list[Case]:
    cases = []
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        for path in sorted(folder.glob("*.png")):
            truth = truth_of(path)
            if truth is not None or folder.name.startswith("falsepositives"):
                cases.append(Case(f"{folder.name}/{path.name}", brightness_of(path), truth))
    return cases


def _tally(cases: list[Case], read: Reader) -> Tally:
    tally = Tally()
    for case in cases:
        started = time.thread_time()
        found = read(case.picture)
        took_ms = (time.thread_time() - started) * 1e3
        if case.truth is None:
            tally.on_nothing += len(found)
            continue
        tally.pictures += 1
        tally.cpu_ms.append(took_ms)
        tally.read += any(is_same(data, case.truth) for data in found)
        others = [data for data in found if not is_same(data, case.truth)]
        alone = set(_zxing(case.picture)) if others else set()
        beside = sum(data in alone for data in others)
        by_eye = sum(data not in alone and data == SEEN_BY_EYE.get(case.name) for data in others)
        tally.beside, tally.by_eye = tally.beside + beside, tally.by_eye + by_eye
        tally.wrong += len(others) - beside - by_eye
    return tally


def _zxing(picture: Image.Image) -> list[bytes]:
    return [bytes(code.bytes) for code in zxingcpp.read_barcodes(picture, formats=FORMATS)]


def _held(picture: Image.Image, *, extra: bool) -> list[bytes]:
    """Hold the picture before our reader for the whole time; return each code it said, once."""
    reader = CodeReader(SYMBOLOGIES, extra=extra)
    frame = _frame(picture)
    found = dict[bytes, None]()
    for number in range(HELD_FRAMES):
        pieces = reader.read(frame, number * FRAME_MS)
        found |= dict.fromkeys(piece.data for piece in pieces if piece.fault is None)
    return list(found)


def _frame(picture: Image.Image) -> Frame:
    return Frame(picture.width, picture.height, picture.width, memoryview(picture.tobytes()))


def _others() -> list[tuple[str, Reader]] | None:
    """Return the decoders of the extra as they come, where it is installed."""
    try:
        opencv: Any = importlib.import_module("cv2")
        zbar: Any = importlib.import_module("pyzbar.pyzbar")
        array: Any = importlib.import_module("numpy").asarray
    except (ImportError, OSError):
        return None
    codes, bars = opencv.QRCodeDetector(), opencv.barcode.BarcodeDetector()

    def by_opencv(picture: Image.Image) -> list[bytes]:
        found = list[bytes]()
        for detector in (codes, bars):
            try:
                is_found, texts, *_ = detector.detectAndDecodeMulti(array(picture))
            except (opencv.error, UnicodeDecodeError, SystemError):
                continue
            found += [text.encode() for text in texts if text] if is_found else []
        return found

    def by_zbar(picture: Image.Image) -> list[bytes]:
        try:
            return [code.data for code in zbar.decode(picture)]
        except (zbar.PyZbarError, UnicodeDecodeError, ValueError):
            return []

    return [("pyzbar", by_zbar), ("OpenCV", by_opencv)]


def _idle() -> Line:
    """Compare a frame in which nothing moves with a full decoding of it, both at the profile that names no kinds."""
    room = Image.blend(_noise(), Image.linear_gradient("L").resize((1280, 720)), 0.5)
    frame = _frame(room)
    reader = CodeReader(extra=False)
    at_ms = 0
    while at_ms < 3_000:  # until it has given up searching
        at_ms += FRAME_MS
        reader.read(frame, at_ms)
    started = time.thread_time()
    for _ in range(IDLE_FRAMES):
        at_ms += FRAME_MS
        reader.read(frame, at_ms)
    idle_ms = (time.thread_time() - started) / IDLE_FRAMES * 1e3
    started = time.thread_time()
    for _ in range(20):
        zxingcpp.read_barcodes(room, formats=DEFAULT_FORMATS)
    full_ms = (time.thread_time() - started) / 20 * 1e3
    detail = f"idle {idle_ms:.2f} ms of CPU a 720p frame, zxing-cpp at the default profile {full_ms:.2f} ms"
    return Line("idle camera frame / full decoding", idle_ms / full_ms, IDLE_SHARE_MAX, "at most", "x", detail)


def _searching() -> Line:
    """Measure frames that move and are noise all over: each is looked at, in whatever way is its turn."""
    frames = [_frame(_noise()) for _ in range(3)]
    reader = CodeReader()
    took_ms = list[float]()
    for number in range(HARD_FRAMES):
        started = time.thread_time()
        reader.read(frames[number % len(frames)], number * FRAME_MS)
        took_ms.append((time.thread_time() - started) * 1e3)
    took_ms.sort()
    mean_ms, p99_ms = sum(took_ms) / len(took_ms), took_ms[int(0.99 * (len(took_ms) - 1))]
    detail = f"720p noise: mean {mean_ms:.0f} ms of CPU a frame, p99 {p99_ms:.0f}, worst {took_ms[-1]:.0f}"
    return Line("frames a second while searching", 1e3 / mean_ms, SEARCHING_FPS_MIN, "at least", "1/s", detail)


def _noise() -> Image.Image:
    return Image.effect_noise((1280, 720), 60).filter(ImageFilter.GaussianBlur(1.5))
