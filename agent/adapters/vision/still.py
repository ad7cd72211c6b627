"""One still picture, looked at in every way until something certain is found or LOOKING_S_MAX is over."""

import time
from collections.abc import Iterator

from PIL import Image

from agent.adapters.vision.decoder import Decoder
from agent.adapters.vision.extra import Extra
from agent.adapters.vision.fitted import LOOKS, Fitted
from agent.adapters.vision.reader import look_treated
from agent.adapters.vision.variants import VARIANTS, WORK_PIXELS_MAX
from agent.core.reading.piece import Piece
from agent.core.reading.sightings import RAW, Sighting, agreed
from agent.core.reading.symbologies import Symbology

_SYMBOLOGIES = tuple(kind for kind in Symbology if kind is not Symbology.HAN_XIN)  # zxing-cpp reads no Han Xin
LOOKING_S_MAX = 2.0  # of CPU, after which nothing more is tried: someone waits for the answer
_WEAK = frozenset({Symbology.ITF, Symbology.CODABAR, Symbology.CODE39, Symbology.EAN8})
_TREATED = tuple(kind for kind in _SYMBOLOGIES if kind not in _WEAK)  # too easily seen in what a treatment made


def look(picture: Image.Image) -> tuple[list[Piece], str]:
    """Return what is certain in a picture of brightness, and how it was read: "as it is", or the treatment's name.

    Without agreement of two looks, or with a disagreement, a code of bars is not certain.
    """
    sightings: list[Sighting] = []
    for name, seen in _looks(picture):
        sightings += seen
        if seen and (certain := agreed(sightings)):
            return certain, "as it is" if name == RAW else f"treated: {name}"
    return [], "in no way"


def _looks(picture: Image.Image) -> Iterator[tuple[str, list[Sighting]]]:
    begun_s = time.thread_time()
    yield RAW, Decoder(_SYMBOLOGIES).read(picture, RAW)
    decoder = Decoder(_TREATED)
    for variant in VARIANTS:
        if time.thread_time() - begun_s > LOOKING_S_MAX:
            return
        yield variant.name, look_treated(decoder, picture, variant)
    if picture.width * picture.height <= WORK_PIXELS_MAX:
        for further in Extra(_TREATED, decoder).looks:
            seen = further(picture)
            yield (seen[0].look if seen else ""), seen
        fitted = Fitted(_TREATED)
        for turn in range(LOOKS):
            seen = fitted.read(picture, turn)
            yield "fitted bars", seen
