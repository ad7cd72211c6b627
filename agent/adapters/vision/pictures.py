"""Picture files to scans: for codes photographed or saved, every way of looking at once; not for a live camera.

The law: bytes as the symbol holds them, nothing re-encoded; a picture is judged by its size before it is unpacked.
"""

import io
import warnings
from typing import TYPE_CHECKING

from agent.core.scan import Scan
from agent.core.time_interval import Stamp

if TYPE_CHECKING:
    from PIL import Image

PICTURE_BYTES_MAX = 20 * 1024 * 1024
PIXELS_MAX = 50_000_000
CODES_MAX = 16
SIDE_PIXELS_MAX = 32_767
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "PPM")  # not TIFF: its library writes to standard error


class PictureUnreadable(Exception):
    """The bytes are no picture that can be read; the message says why."""


def read_picture(data: bytes, at: Stamp) -> list[Scan]:
    """Return a scan for each code in the picture, in the decoder's order, at most CODES_MAX. Raises PictureUnreadable.

    The scanner of these scans is "picture".
    """
    return look_at_picture(data, at)[0]


def look_at_picture(data: bytes, at: Stamp) -> tuple[list[Scan], str]:
    """Return the scans of `read_picture`, and which look at the picture read them. Raises PictureUnreadable."""
    picture = _open(data)
    # Only those who look at pictures pay for the libraries.
    from agent.adapters.vision.still import look  # noqa: PLC0415

    pieces, how = look(picture)
    return [Scan(piece.data, "picture", at, piece.aim, piece.fault, piece.eci) for piece in pieces[:CODES_MAX]], how


def _open(data: bytes) -> "Image.Image":
    """Return the picture's brightness on white paper. Raises PictureUnreadable."""
    from PIL import Image  # noqa: PLC0415

    if len(data) > PICTURE_BYTES_MAX:
        raise PictureUnreadable(f"{len(data)} bytes, at most {PICTURE_BYTES_MAX} are read")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd metadata; the size is judged here
            picture = Image.open(io.BytesIO(data), formats=_FORMATS)
            if picture.width * picture.height > PIXELS_MAX or max(picture.size) > SIDE_PIXELS_MAX:
                raise PictureUnreadable(f"{picture.width} by {picture.height} pixels, at most {PIXELS_MAX} are read")
            rgba = picture.convert("RGBA")
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise PictureUnreadable(f"not a picture that can be read ({type(error).__name__})") from error
    # What is transparent is paper: white.
    paper = Image.new("RGBA", rgba.size, "white")
    return Image.alpha_composite(paper, rgba).convert("L")
