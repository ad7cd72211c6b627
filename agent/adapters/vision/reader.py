"""The codes in a camera's pictures, frame after frame, for the CPU of a small machine.

The law: a still picture with nothing in it costs next to nothing; a hard one is treated differently in each frame,
never in every way within one. What is certain is the core's to say (core/reading/sightings.py).
"""

from collections.abc import Sequence
from typing import Any

from PIL import Image

from agent.adapters.vision import regions
from agent.adapters.vision.decoder import Decoder
from agent.adapters.vision.extra import Extra, Look
from agent.adapters.vision.fitted import Fitted
from agent.adapters.vision.motion import MotionGate
from agent.adapters.vision.variants import VARIANTS, Variant
from agent.core.reading.frame import Frame
from agent.core.reading.piece import Piece
from agent.core.reading.sightings import RAW, Box, Sighting, Sightings
from agent.core.reading.symbologies import Symbology

DEFAULT_SYMBOLOGIES = (
    Symbology.QR,
    Symbology.DATA_MATRIX,
    Symbology.AZTEC,
    Symbology.PDF417,
    Symbology.CODE128,
    Symbology.EAN13,
)
"""What a camera reads where the profile names nothing: health codes, and what is printed on drugs and wristbands."""

SEARCH_MS = 2_500  # how long after the last motion every frame is looked at
IDLE_MS = 500  # between two looks at a picture in which nothing moves
SETTLING_MS = 60  # between two looks at what moved lately and shows a code: another one beside it may be harder to read
IN_SIGHT_MS = 150  # between two looks at a code that lies there; below any same-code interval worth setting
EXTRA_AFTER_MS = 1_000  # without a read; the further decoders cost several times as much
FITTED_AFTER_MS = 500  # without a read; a fit costs ten times a treatment
SIDE_PIXELS_MAX = 8_192  # of a frame; no camera here has more, and a hostile size must not become memory


class CodeReader:
    """Reads one camera's frames. Implements ports.FrameReader; one caller at a time.

    symbologies: the kinds of code to read, empty for DEFAULT_SYMBOLOGIES; extra: use `scanward[vision]` if there.
    Raises ValueError for a kind that no decoder here reads.
    """

    def __init__(self, symbologies: Sequence[Symbology] = (), *, extra: bool = True) -> None:
        self._symbologies = tuple(symbologies) or DEFAULT_SYMBOLOGIES
        self._decoder = Decoder(self._symbologies)
        self._fitted = Fitted(self._symbologies)
        self._wants_extra = extra
        self._extra: Extra | None = None
        self._gate = MotionGate()
        self._sightings = Sightings()
        self._searching_since_ms: int | None = None
        self._moved_at_ms = 0
        self._looked_at_ms: int | None = None
        self._read_at_ms: int | None = None
        self._turn = self._variant_turn = self._extra_turn = self._fitted_turn = 0
        self._plain = frozenset[Piece]()  # what the whole picture as it is showed last
        self._read_by: Look | None = None  # what showed a code that the picture as it is does not
        self._is_fitted = False  # it was a fit, whose bands take turns

    def read(self, frame: Frame, at_ms: int) -> list[Piece]:
        """Return what was read for certain in this frame; at_ms of a clock that does not step. Never raises."""
        picture = _picture(frame)
        if picture is None:
            return []
        if self._gate.moves(picture):
            if self._searching_since_ms is None or not self._is_searching(at_ms):
                self._searching_since_ms, self._turn = at_ms, 0
            self._moved_at_ms = at_ms
        if not self._is_due(at_ms):
            return []
        self._looked_at_ms = at_ms
        sightings = self._look(picture, at_ms)
        if not sightings:
            return []
        certain = self._sightings.certain(sightings, at_ms)
        if certain:
            if not self._is_in_sight(at_ms) and all(one.look == RAW for one in sightings):
                self._read_by = None
            self._read_at_ms = self._searching_since_ms = at_ms
        return certain

    def _is_searching(self, at_ms: int) -> bool:
        return self._searching_since_ms is not None and at_ms - self._moved_at_ms < SEARCH_MS

    def _is_in_sight(self, at_ms: int) -> bool:
        return self._read_at_ms is not None and at_ms - self._read_at_ms < SEARCH_MS

    def _is_due(self, at_ms: int) -> bool:
        if self._looked_at_ms is None:
            return True
        since_ms = at_ms - self._looked_at_ms
        if self._is_in_sight(at_ms):
            gap_ms = SETTLING_MS if self._is_searching(at_ms) else IN_SIGHT_MS
            return since_ms >= gap_ms or self._moved_at_ms == at_ms
        return self._is_searching(at_ms) or since_ms >= IDLE_MS

    def _look(self, picture: Image.Image, at_ms: int) -> list[Sighting]:
        """Look once, by turns: the middle as it is, treated, the whole as it is, treated or by a further decoder.

        A code in sight is looked for as it was read, too: it must not be out of sight because it is hard to read.
        """
        turn, self._turn = self._turn, self._turn + 1
        if turn % 4 == 0 and picture.width * picture.height > regions.SMALL_PIXELS_MAX:
            middle, corner = regions.centre(picture)
            return _placed(self._decoder.read(middle, RAW), 1, corner)
        is_settled = self._is_in_sight(at_ms) and not self._is_searching(at_ms)
        if turn % 4 in {0, 2} or (is_settled and (turn % 4 == 3 or self._read_by is None)):
            seen = self._decoder.read(picture, RAW)
            self._plain = frozenset(one.piece for one in seen)
            return seen
        look, is_fit = self._read_by, False
        if self._is_blurred(at_ms):
            look, is_fit = self._fits(), True
        elif not is_settled:
            look = self._further() if turn % 4 == 3 and self._is_hard(at_ms) else None
        look = look or self._treated()
        middle, corner = regions.centre(picture)
        seen = _placed(look(middle), 1, corner)
        if any(one.piece not in self._plain for one in seen):
            self._read_by, self._is_fitted = look, is_fit
        return seen

    def _is_blurred(self, at_ms: int) -> bool:
        """Say whether bars are fitted now: two of three treated looks, once the first treatments have shown nothing."""
        if self._is_in_sight(at_ms):  # what another look reads needs no fit, and what a fit reads is seen by no other
            return self._is_fitted
        since_ms = self._searching_since_ms
        if not self._fitted.is_wanted or since_ms is None or at_ms - since_ms < FITTED_AFTER_MS:
            return False
        return (self._variant_turn + self._fitted_turn) % 3 != 0 and self._is_searching(at_ms)

    def _is_hard(self, at_ms: int) -> bool:
        since_ms = self._searching_since_ms
        return self._wants_extra and since_ms is not None and at_ms - since_ms >= EXTRA_AFTER_MS

    def _further(self) -> Look | None:
        if self._extra is None:
            self._extra = Extra(self._symbologies, self._decoder)
        if not self._extra.looks:
            return None
        self._extra_turn += 1
        return self._extra.looks[(self._extra_turn - 1) % len(self._extra.looks)]

    def _fits(self) -> Look:
        turn, self._fitted_turn = self._fitted_turn, self._fitted_turn + 1
        return lambda picture: self._fitted.read(picture, turn)

    def _treated(self) -> Look:
        variant = VARIANTS[self._variant_turn % len(VARIANTS)]
        self._variant_turn += 1
        return lambda picture: look_treated(self._decoder, picture, variant)


def look_treated(decoder: Decoder, picture: Image.Image, variant: Variant) -> list[Sighting]:
    """Return what a treated picture shows, at the places of the untreated one."""
    treated, zoom = variant.apply(picture)
    return _placed(decoder.read(treated, variant.name, is_global=variant.is_global), zoom, (0, 0))


def _placed(sightings: list[Sighting], zoom: float, corner: tuple[int, int]) -> list[Sighting]:
    """Return the sightings at their places in the whole picture."""
    left, top = corner
    return [
        seen._replace(
            box=Box(
                int(seen.box.left / zoom) + left,
                int(seen.box.top / zoom) + top,
                int(seen.box.right / zoom) + left,
                int(seen.box.bottom / zoom) + top,
            )
        )
        for seen in sightings
    ]


def _picture(frame: Frame) -> Image.Image | None:
    """Return the frame as a picture over the same buffer; None for one whose sizes do not hold together."""
    width, height, stride = frame.width, frame.height, frame.stride
    if not (0 < width <= min(stride, SIDE_PIXELS_MAX) and 0 < height <= SIDE_PIXELS_MAX):
        return None
    luma: Any = frame.luma  # Pillow takes any buffer; its types say less
    try:
        if luma.nbytes < stride * (height - 1) + width:
            return None
        if luma.nbytes < stride * height:  # the last row need not be whole
            luma = bytes(luma) + bytes(stride * height - luma.nbytes)
        return Image.frombuffer("L", (width, height), luma, "raw", "L", stride, 1)
    except (ValueError, TypeError, MemoryError, BufferError):
        return None
