"""Draws the SVG pictures of QR codes that suites bring: one path of horizontal strokes, as their generator writes it.

Not a reader of SVG: any other drawing comes out white, and so as a picture without a code.
"""

import re
from pathlib import Path

from PIL import Image

PIXELS_PER_MODULE = 4
SIDE_MAX = 400  # modules with their quiet zone; a QR code has at most 177
_SIDE = re.compile(r'viewBox="0 0 (\d{1,4}) \1"')
_STROKES = re.compile(r'<path[^>]*stroke="#000000"[^>]* d="([^"]+)"')
_COMMAND = re.compile(r"([MmhH])(-?[\d.]+)[ ,]?(-?[\d.]+)?")


def rasterise(path: Path, to: Path) -> Path:
    """Write the picture as PNG; return where."""
    to.parent.mkdir(parents=True, exist_ok=True)
    text = path.read_bytes().decode("utf-8", "replace")
    found = _SIDE.search(text)
    side = min(int(found[1]), SIDE_MAX) if found else 1
    picture = Image.new("L", (side, side), 255)
    x = y = 0.0
    for strokes in _STROKES.findall(text):
        for command, first, second in _COMMAND.findall(strokes):
            if command in "Mm":
                is_from_here = command == "m"
                x = float(first) + x * is_from_here
                y = float(second or 0) + y * is_from_here
                continue
            width = int(float(first))
            for column in range(int(x), int(x) + width):
                if 0 <= column < side and 0 <= int(y) < side:
                    picture.putpixel((column, int(y)), 0)
            x += width
    picture.resize((side * PIXELS_PER_MODULE,) * 2, Image.Resampling.NEAREST).save(to, "PNG")
    return to
