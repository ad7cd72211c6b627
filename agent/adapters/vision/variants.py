"""How a picture is treated so that a decoder sees what blur, shade or a coarse lens hide. Pillow only.

Each treatment keeps the picture's proportions: `zoom` says by how much places in it are to be divided.
"""

from collections.abc import Callable
from typing import NamedTuple

from PIL import Image, ImageChops, ImageFilter, ImageOps

_OFFSET, _NOISE_LEVELS = 128, 5
WORK_PIXELS_MAX = 2_000_000  # of a treated picture; a larger one is treated less enlarged, or made smaller


class Variant(NamedTuple):
    """name: what explain and sightings call it; treat: picture to picture of `zoom` times its size.

    is_global: one threshold for the whole picture suits what the treatment made.
    """

    name: str
    zoom: float
    treat: Callable[[Image.Image], Image.Image]
    is_global: bool = False

    def apply(self, picture: Image.Image) -> tuple[Image.Image, float]:
        """Return the treated picture and its zoom."""
        zoom = min(self.zoom, (WORK_PIXELS_MAX / (picture.width * picture.height)) ** 0.5)
        if zoom != 1:
            size = (max(1, round(picture.width * zoom)), max(1, round(picture.height * zoom)))
            resample = Image.Resampling.BICUBIC if zoom > 1 else Image.Resampling.BOX
            picture = picture.resize(size, resample)
        return self.treat(picture), zoom


def _sharper(radius: float, percent: int) -> Callable[[Image.Image], Image.Image]:
    sharpen = ImageFilter.UnsharpMask(radius, percent, 0)
    return lambda picture: picture.filter(sharpen)


def _local_contrast(radius: int) -> Callable[[Image.Image], Image.Image]:
    """Take the shade off: each pixel against the mean around it, doubled, then stretched."""
    mean = ImageFilter.BoxBlur(radius)

    def treat(picture: Image.Image) -> Image.Image:
        return ImageOps.autocontrast(ImageChops.subtract(picture, picture.filter(mean), scale=0.5, offset=128))

    return treat


def _own_threshold(radius: int) -> Callable[[Image.Image], Image.Image]:
    """Make each pixel black or white by the mean around it: shade falls away altogether, and faint print is as black.

    What is a few levels from the mean is noise and becomes paper.
    """
    smooth, mean = ImageFilter.GaussianBlur(0.8), ImageFilter.BoxBlur(radius)
    black_or_white = [0 if level < _OFFSET else 255 for level in range(256)]

    def treat(picture: Image.Image) -> Image.Image:
        difference = ImageChops.subtract(picture.filter(smooth), picture.filter(mean), offset=_OFFSET + _NOISE_LEVELS)
        return difference.point(black_or_white)

    return treat


def _deblurred(picture: Image.Image) -> Image.Image:
    """Undo a lens's blur by Van Cittert's iteration: add what blurring the result would take away."""
    blur = ImageFilter.GaussianBlur(4)
    picture = result = ImageOps.autocontrast(picture)
    for _ in range(3):
        blurred = result.filter(blur)
        result = ImageChops.subtract(
            ImageChops.add(result, ImageChops.subtract(picture, blurred)), ImageChops.subtract(blurred, picture)
        )
    return result


VARIANTS = (
    Variant("sharper", 1, _sharper(1.5, 200)),
    Variant("2x sharper", 2, _sharper(3, 300)),
    Variant("own threshold", 1, _own_threshold(15), is_global=True),
    Variant("local contrast", 1, _local_contrast(20)),
    Variant("2x smoothed", 2, lambda picture: picture.filter(ImageFilter.GaussianBlur(1.5)), is_global=True),
    Variant("2x", 2, lambda picture: picture),
    Variant("fine own threshold", 1, _own_threshold(7), is_global=True),
    Variant("median", 1, lambda picture: picture.filter(ImageFilter.MedianFilter(3))),
    Variant("coarse local contrast", 1, _local_contrast(32)),
    Variant("coarse own threshold", 1, _own_threshold(30), is_global=True),
    Variant("2x crisper", 2, _sharper(2, 200)),
    Variant("half", 0.5, lambda picture: picture, is_global=True),
    Variant("2x deblurred", 2, _deblurred),
)
"""In the order of what each adds to those before it."""
