"""Which pixel format a camera is asked for, out of those it offers. Best effort: not every driver can say all."""

import errno
from dataclasses import dataclass
from struct import Struct
from typing import Any, Protocol

from agent.adapters.scanners.camera_settings import Form
from agent.adapters.scanners.capture import videodev2 as v4l2
from agent.adapters.scanners.capture.luma import LAYOUTS
from agent.adapters.scanners.capture.picture import JPEG

OFFERS_MAX = 64  # of formats, sizes and rates each; a driver that goes on for ever is left there

FORMS: dict[str, tuple[str, ...]] = {
    "auto": (*LAYOUTS, JPEG, "JPEG"),
    "yuyv": ("YUYV", "YVYU", "UYVY", "VYUY"),
    "mjpeg": (JPEG, "JPEG"),
    "grey": ("GREY", "Y16 "),
    "nv12": ("NV12", "NV21"),
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What the settings ask for; fps: pictures a second."""

    width: int
    height: int
    fps: int
    format: Form = "auto"


@dataclass(frozen=True, slots=True)
class Offer:
    """A format. has_size: the wished one; fps_max: at that size. None: the driver does not say."""

    fourcc: str
    has_size: bool | None = None
    fps_max: float | None = None


class Ask(Protocol):
    """Does one request of the driver; raises OSError."""

    def __call__(self, request: int, form: Struct, *values: object) -> tuple[Any, ...]:
        """Return the structure as the driver filled it."""
        ...


def offers_of(ask: Ask, wish: Wish) -> list[Offer]:
    """Return what the driver offers. Raises OSError."""
    offers = list[Offer]()
    for index in range(OFFERS_MAX):
        try:
            *_, pixels, _ = ask(v4l2.ENUM_FMT, v4l2.FMTDESC, index, v4l2.BUF_TYPE_VIDEO_CAPTURE, 0, b"", 0, 0)
        except OSError as error:
            if error.errno == errno.EINVAL:  # there are no more
                break
            raise
        name = v4l2.name_of(pixels)
        if pixels == v4l2.fourcc(name):
            offers.append(Offer(name, _has_size(ask, pixels, wish), _fps_max(ask, pixels, wish)))
    return offers


def choose(offers: list[Offer], wish: Wish) -> Offer | None:
    """Return the best offer that can be read: of the wished size and rate, then the one that costs least."""
    allowed = FORMS[wish.format]

    def rank(offer: Offer) -> tuple[bool, bool, int]:
        is_slow = offer.fps_max is not None and offer.fps_max < 0.9 * wish.fps
        return offer.has_size is False, is_slow, allowed.index(offer.fourcc)

    return min((o for o in offers if o.fourcc in allowed), key=rank, default=None)


def _has_size(ask: Ask, pixels: int, wish: Wish) -> bool | None:
    for index in range(OFFERS_MAX):
        try:
            _, _, kind, *size = ask(v4l2.ENUM_FRAMESIZES, v4l2.FRMSIZEENUM, index, pixels, *[0] * 7)
        except OSError:
            return None if index == 0 else False
        if kind == v4l2.FRMSIZE_DISCRETE:
            if (size[0], size[1]) == (wish.width, wish.height):
                return True
        else:
            return bool(size[0] <= wish.width <= size[1] and size[3] <= wish.height <= size[4])
    return False


def _fps_max(ask: Ask, pixels: int, wish: Wish) -> float | None:
    """Return the highest rate at the wished size; a continuous range tells its shortest interval first."""
    best: float | None = None
    for index in range(OFFERS_MAX):
        try:
            values = ask(v4l2.ENUM_FRAMEINTERVALS, v4l2.FRMIVALENUM, index, pixels, wish.width, wish.height, *[0] * 7)
        except OSError:
            break
        kind, over, under = values[4:7]
        if over:
            best = max(best or 0.0, under / over)
        if kind != v4l2.FRMIVAL_DISCRETE:
            break
    return best
