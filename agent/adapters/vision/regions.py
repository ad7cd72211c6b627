"""Where in a picture to look first, and how large a picture a costly look may be given."""

from PIL import Image

SMALL_PIXELS_MAX = 640 * 480  # not worth cutting; a costly look at it stays within a frame's time
_CENTRE_SHARE = 0.6  # of width and height: where people hold what they show


def centre(picture: Image.Image) -> tuple[Image.Image, tuple[int, int]]:
    """Return the picture's middle and its left and top; a small picture as it is."""
    if picture.width * picture.height <= SMALL_PIXELS_MAX:
        return picture, (0, 0)
    width, height = max(1, int(picture.width * _CENTRE_SHARE)), max(1, int(picture.height * _CENTRE_SHARE))
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height)), (left, top)
