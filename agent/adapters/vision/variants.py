"""How a picture is treated so that a decoder sees what blur, shade or a coarse lens hide. Pillow only.

Each treatment keeps the picture's proportions: `zoom` says by how much places in it are to be divided.
"""

from collections.abc import Callable
from typing import NamedTuple

from PIL import Image, ImageChops, ImageFilter, ImageOps

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
    Variant("local contrast", 1, _local_contrast(16)),
    Variant("2x smoothed", 2, lambda picture: picture.filter(ImageFilter.GaussianBlur(1.5)), is_global=True),
    Variant("2x", 2, lambda picture: picture),
    Variant("median", 1, lambda picture: picture.filter(ImageFilter.MedianFilter(3))),
    Variant("fine local contrast", 1, _local_contrast(11)),
    Variant("2x crisper", 2, _sharper(2, 200)),
    Variant("half", 0.5, lambda picture: picture, is_global=True),
    Variant("2x deblurred", 2, _deblurred),
)
"""In the order of what each adds to those before it."""
