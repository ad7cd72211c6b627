"""ZXing's black-box pictures: a truth beside each, and pictures without a code, in which nothing may be read.

Reads by the reader that `{"image"}` uses. A picture that is not read is no wrong verdict; one read otherwise is. What
stands in a picture beside its truth (a book's second bar code) is told apart by what zxing-cpp alone reads in it.
"""

from pathlib import Path

import zxingcpp
from PIL import Image

from conformance.command import Reading, Runner
from conformance.material import files
from conformance.result import Findings, Result

NAME, FOLDER = "zxing", "images/zxing"
CHARSETS = ("utf-8", "iso-8859-1", "shift_jis", "gb18030")  # a truth is kept as UTF-8 text, a symbol in any of these
RIGHT, NOT_READ, NOTHING = "read right", "not read", "reads nothing"
WITH_TRUTH = "a picture with a truth"
_PICTURES = {".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp"}
_TRUTHS = (".bin", ".txt")
_BESIDE = (".txt", ".bin", ".metadata.txt", ".png.error", ".error")


def run(folder: Path, runner: Runner) -> Findings:
    """Read every picture that has a truth, and every one that has no code."""
    pictures = [path for path in files(folder) if path.suffix in _PICTURES]
    stems = {path.with_suffix("") for path in pictures}
    cases, not_taken = list[tuple[Path, bytes | None]](), list[tuple[Path, str]]()
    for path in files(folder):
        if path.suffix in _PICTURES:
            truth = truth_of(path)
            if truth is not None or "falsepositives" in path.parent.name:
                cases.append((path, truth))
            else:
                not_taken.append((path, "a picture without a truth"))
        elif not any(
            path.with_name(path.name.removesuffix(end)) in stems for end in _BESIDE if path.name.endswith(end)
        ):
            not_taken.append((path, "beside no picture"))
    readings = runner.read([path for path, _ in cases])
    results = [
        _result(path.relative_to(folder).as_posix(), path, truth, reading)
        for (path, truth), reading in zip(cases, readings, strict=True)
    ]
    return Findings(results, not_taken)


def truth_of(picture: Path) -> bytes | None:
    """Return what stands in a picture, from the file beside it; None where there is none."""
    return next((truth.read_bytes() for end in _TRUTHS if (truth := picture.with_suffix(end)).exists()), None)


def brightness_of(path: Path) -> Image.Image:
    """Return a picture without colours, on white where it is transparent."""
    picture = Image.open(path).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("L")


def _result(id_: str, path: Path, truth: bytes | None, reading: Reading) -> Result:
    found = [data for data, _ in reading.codes]
    if truth is None:
        return Result(id_, (NOTHING,), "reads a code" if found else NOTHING)
    if not found:
        got = NOT_READ if reading.trouble is None else f"{NOT_READ}: {reading.trouble}"
        return Result(id_, (RIGHT,), got, frozenset({WITH_TRUTH}))
    if any(is_same(data, truth) for data in found):
        return Result(id_, (RIGHT,), RIGHT, frozenset({WITH_TRUTH}))
    alone = {"zxing-cpp alone reads this in the picture, too"} if set(found) <= _alone(path) else set[str]()
    return Result(id_, (RIGHT,), "read otherwise", frozenset({WITH_TRUTH, *alone}))


def is_same(data: bytes, truth: bytes) -> bool:
    """Compare bytes with a truth; a UPC-A code is the EAN-13 with a 0 before it."""
    if data in {truth, b"0" + truth}:
        return True
    text = truth.decode("utf-8", "replace")
    return any(data.decode(charset, "replace") == text for charset in CHARSETS)


def _alone(path: Path) -> set[bytes]:
    """Return what zxing-cpp reads in the picture as it is."""
    return {bytes(found.bytes) for found in zxingcpp.read_barcodes(brightness_of(path))}
