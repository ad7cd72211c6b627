"""Further decoders, where `scanward[vision]` is installed: CLAHE by OpenCV, its bar code reader, and zbar.

The law: none is required, none is trusted with bytes it may have re-encoded: only plain ASCII passes, and no part of a
code in several symbols. Foreign detectors are not thread-safe: each thread has its own.
"""

import importlib
import threading
from collections.abc import Callable, Sequence
from typing import Any

from PIL import Image

from agent.adapters.vision.decoder import CODES_MAX, Decoder
from agent.core.reading.piece import Piece
from agent.core.reading.sightings import Box, Sighting
from agent.core.reading.symbologies import Symbology
from agent.core.scan import SCAN_BYTES_MAX

_CLAHE_CLIP = 2.0
_CLAHE_TILES = (8, 8)
_EAN13_DIGITS = 13
_SIDE_PIXELS_MIN = 16  # OpenCV fails on pictures smaller than its windows

Look = Callable[[Image.Image], list[Sighting]]


class Extra:
    """The further decoders that are installed. `looks` are to be tried in turn; each never raises."""

    def __init__(self, symbologies: Sequence[Symbology], decoder: Decoder) -> None:
        self._symbologies = frozenset(symbologies)
        self._decoder = decoder
        self._own = threading.local()
        # Each import takes a tenth of a second and up to 33 MB: not before someone wants it.
        self._opencv, self._zbar = _installed("cv2"), _installed("pyzbar.pyzbar")
        self.looks: list[Look] = []
        if self._opencv is not None:
            self._opencv.setNumThreads(1)  # one decoding must not take every core of a small machine
            self.looks.append(self._equalised)
            if Symbology.EAN13 in self._symbologies:
                self.looks.append(self._bars)
        if self._zbar is not None and self._zbar_kinds():
            self.looks.append(self._by_zbar)
            self.looks.append(lambda picture: self._by_zbar(_larger(picture), zoom=2))

    def _equalised(self, picture: Image.Image) -> list[Sighting]:
        """Spread contrast tile by tile (CLAHE); zxing-cpp reads the result, so its bytes are the symbol's."""
        opencv: Any = self._opencv
        if min(picture.size) < _SIDE_PIXELS_MIN:
            return []
        try:
            equaliser = self._detector("clahe", lambda: opencv.createCLAHE(_CLAHE_CLIP, _CLAHE_TILES))
            equalised = Image.fromarray(equaliser.apply(_as_array(picture)))
        except (opencv.error, ValueError, TypeError, MemoryError):
            return []
        return self._decoder.read(equalised, "CLAHE")

    def _bars(self, picture: Image.Image) -> list[Sighting]:
        opencv: Any = self._opencv
        if min(picture.size) < _SIDE_PIXELS_MIN:
            return []
        try:
            detector = self._detector("bars", opencv.barcode.BarcodeDetector)
            is_found, texts, _, corners = detector.detectAndDecodeWithType(_as_array(picture))
        except (opencv.error, ValueError, TypeError, MemoryError, UnicodeDecodeError, SystemError):
            return []
        sightings = []
        for text, place in zip(texts if is_found else (), corners if is_found else (), strict=False):
            if len(text) == _EAN13_DIGITS and text.isascii() and text.isdigit():
                across, down = [int(x) for x, _ in place], [int(y) for _, y in place]
                box = Box(min(across), min(down), max(across) + 1, max(down) + 1)
                sightings.append(Sighting(Piece(text.encode(), aim="]E0"), Symbology.EAN13, box, "OpenCV"))
        return sightings[:CODES_MAX]

    def _by_zbar(self, picture: Image.Image, zoom: int = 1) -> list[Sighting]:
        zbar: Any = self._zbar
        try:
            found = zbar.decode(picture, symbols=self._zbar_kinds())
        except (zbar.PyZbarError, ValueError, TypeError, IndexError, UnicodeDecodeError, MemoryError):
            return []  # it raises on real pictures
        sightings = []
        for code in found[:CODES_MAX]:
            data = bytes(code.data)
            if not _is_plain(data):
                continue
            left, top, width, height = (side // zoom for side in code.rect)
            box = Box(left, top, left + max(1, width), top + max(1, height))
            is_qr = code.type == "QRCODE"
            piece = Piece(data, aim=None if is_qr else "]E0")
            sightings.append(Sighting(piece, Symbology.QR if is_qr else Symbology.EAN13, box, "zbar"))
        return sightings

    def _zbar_kinds(self) -> list[Any]:
        """Return the kinds zbar is trusted with. Not Code 128: it read real pictures of it wrongly."""
        zbar: Any = self._zbar
        kinds = {Symbology.QR: zbar.ZBarSymbol.QRCODE, Symbology.EAN13: zbar.ZBarSymbol.EAN13}
        return [kinds[kind] for kind in sorted(kinds) if kind in self._symbologies]

    def _detector(self, name: str, make: Callable[[], Any]) -> Any:
        detector = getattr(self._own, name, None)
        if detector is None:
            detector = make()
            setattr(self._own, name, detector)
        return detector


def _installed(name: str) -> Any | None:
    """Import a module that may be missing, or whose system library may be."""
    try:
        return importlib.import_module(name)
    except (ImportError, OSError):
        return None


def _as_array(picture: Image.Image) -> Any:
    return importlib.import_module("numpy").asarray(picture)


def _larger(picture: Image.Image) -> Image.Image:
    return picture.resize((picture.width * 2, picture.height * 2), Image.Resampling.BICUBIC)


def _is_plain(data: bytes) -> bool:
    """Say whether re-encoding cannot have changed the bytes: printable ASCII, line ends, GS."""
    return 0 < len(data) <= SCAN_BYTES_MAX and all(byte in b"\t\r\n\x1d" or 0x20 <= byte < 0x7F for byte in data)
