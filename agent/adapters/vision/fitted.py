"""EAN-13 out of focus: lines averaged along the bars of a band of rows, for the core to fit blurred bars to.

The law: one band is one witness; two witnesses share no row. Pillow only. Who must agree is core/reading/sightings.py.
"""

from array import array
from collections.abc import Sequence
from itertools import pairwise

from PIL import Image, ImageChops

from agent.core.reading.blurred_bars import COST_MAX, fit, is_certain, symbols
from agent.core.reading.piece import Piece
from agent.core.reading.sightings import Box, Sighting
from agent.core.reading.symbologies import Symbology

LOOKS = 12  # bands of one picture worth a look
_ROWS = 10  # of a band: few enough that bars of a tilted picture stay straight in it
_ZOOM = 2  # samples a pixel
_MODULE_PIXELS_MIN = 0.9
_WIDTH_MIN = 96  # pixels; a narrower picture holds no symbol with its quiet zones
_WIDTH_MAX = 2_000  # pixels
_CELLS = 8  # of a band, in which bars are looked for
_LEANS = tuple(step / 20 for step in range(-8, 9))  # pixels across for a pixel down
_PROMISING_COST_MAX = 2 * COST_MAX
_LIGHT_POWER = 1.5  # what a camera made of light, undone in part: blur adds light, not grey levels


class Fitted:
    """Fits blurred bars to one band of a picture, the busiest first, upright or lying."""

    def __init__(self, symbologies: Sequence[Symbology]) -> None:
        self.is_wanted = Symbology.EAN13 in symbologies

    def read(self, picture: Image.Image, turn: int) -> list[Sighting]:
        """Return what the turn's band alone shows: at most one code. Never raises."""
        if not self.is_wanted:
            return []
        bands = sorted([*_bands(picture, is_lying=False), *_bands(_quarter(picture), is_lying=True)], reverse=True)
        if not bands:
            return []
        _, is_lying, top = bands[turn % min(len(bands), LOOKS)]
        found = _fitted(_quarter(picture) if is_lying else picture, top)
        if found is None:
            return []
        number, left, right = found
        box = Box(left, top, right, top + _ROWS)
        if is_lying:
            box = Box(picture.width - top - _ROWS, left, picture.width - top, right)
        look = f"fitted bars, lying, band {top}" if is_lying else f"fitted bars, band {top}"
        return [Sighting(Piece(number.encode(), aim="]E0"), Symbology.EAN13, box, look)]


def _quarter(picture: Image.Image) -> Image.Image:
    return picture.transpose(Image.Transpose.ROTATE_90)


def _bands(picture: Image.Image, *, is_lying: bool) -> list[tuple[float, bool, int]]:
    """Return how much more each band changes across than down somewhere, and its top."""
    count = picture.height // _ROWS
    if not (_WIDTH_MIN <= picture.width <= _WIDTH_MAX and count):
        return []
    whole = picture.crop((0, 0, picture.width, count * _ROWS))
    changes = []
    for across, down in ((1, 0), (0, 1)):
        moved = ImageChops.difference(whole, ImageChops.offset(whole, across, down)).convert("F")
        changes.append(_floats(moved.resize((_CELLS, count), Image.Resampling.BOX)))
    bars = [across - down for across, down in zip(*changes, strict=True)]
    scores = [max(bars[band * _CELLS : (band + 1) * _CELLS]) for band in range(count)]
    return [(score, is_lying, band * _ROWS) for band, score in enumerate(scores) if score > 0]


def _fitted(picture: Image.Image, top: int) -> tuple[str, int, int] | None:
    """Return the number that a band shows for certain, its left and right; None for none."""
    lean = _lean(picture, top, 0, picture.width * _ZOOM)
    line = _line(picture, top, lean, lean)
    found = symbols(line, _MODULE_PIXELS_MIN * _ZOOM, 1)
    if not found:
        return None
    # Bars lean otherwise at each end where the picture is seen from aside.
    left, right = found[0]
    middle = (left + right) / 2
    first, last = _lean(picture, top, left, middle), _lean(picture, top, middle, right)
    growth = (last - first) / (right - left) * 2
    at_left = first - growth * (left + middle) / 2
    line = _line(picture, top, at_left, at_left + growth * picture.width * _ZOOM)
    for power in (_LIGHT_POWER, 1.0):
        told = fit([255 * (max(0.0, value) / 255) ** power for value in line], _MODULE_PIXELS_MIN * _ZOOM)
        if told is None or told.cost > _PROMISING_COST_MAX:
            break
        if is_certain(told):
            return told.number, int(told.place.start / _ZOOM), int(told.place.end / _ZOOM) + 1
    return None


def _lean(picture: Image.Image, top: int, left: float, right: float) -> float:
    """Return the lean at which the band's rows agree most between two samples: their mean keeps most contrast."""

    def contrast(lean: float) -> float:
        part = _line(picture, top, lean, lean)[int(left) : int(right)]
        return sum((after - before) ** 2 for before, after in pairwise(part))

    return max(_LEANS, key=contrast)


def _line(picture: Image.Image, top: int, lean_left: float, lean_right: float) -> list[float]:
    """Return the mean of a band's rows along bars that lean so at the picture's left and right edge."""
    left, right, width = lean_left * _ROWS / 2, lean_right * _ROWS / 2, picture.width
    corners = (-left, top, left, top + _ROWS, width + right, top + _ROWS, width - right, top)
    straight = picture.transform((width * _ZOOM, _ROWS), Image.Transform.QUAD, corners, Image.Resampling.BICUBIC)
    return _floats(straight.convert("F").resize((width * _ZOOM, 1), Image.Resampling.BOX))


def _floats(picture: Image.Image) -> list[float]:
    return array("f", picture.tobytes()).tolist()
