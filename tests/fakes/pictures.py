"""Pictures with codes in them, made as a camera would give them, and a plain reader of codes."""

import io
import threading
from collections.abc import Sequence

import zxingcpp
from PIL import Image

from agent.core.reading.frame import Frame
from agent.core.reading.piece import Piece

WIDTH, HEIGHT = 640, 480


def picture_of(*codes: bytes | str, size: tuple[int, int] = (WIDTH, HEIGHT), shade: int = 160) -> Image.Image:
    """Return a grey picture with QR codes side by side; none: an empty desk with something on it."""
    image = Image.new("L", size, shade)
    image.paste(90, (0, 0, size[0] // 8, size[1] // 8))
    side = min(size[1] - 40, size[0] // max(1, len(codes)) - 40)
    for place, code in enumerate(codes):
        view = memoryview(zxingcpp.create_barcode(code, zxingcpp.BarcodeFormat.QRCode).to_image(scale=8))
        qr = Image.frombytes("L", (view.shape[1], view.shape[0]), view.tobytes())
        image.paste(qr.resize((side, side), Image.Resampling.NEAREST), (20 + place * (side + 40), 20))
    return image


def jpeg_of(image: Image.Image, quality: int = 85) -> bytes:
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=quality)
    return file.getvalue()


class PlainReader:
    """Reads every picture whole, with zxing alone."""

    def __init__(self) -> None:
        self.threads = set[int]()
        self.pictures = 0

    def read(self, frame: Frame, at_ms: int) -> list[Piece]:
        self.threads.add(threading.get_ident())
        self.pictures += 1
        view = zxingcpp.ImageView(frame.luma, frame.width, frame.height, zxingcpp.ImageFormat.Lum, frame.stride)
        found = zxingcpp.read_barcodes(view, formats=zxingcpp.BarcodeFormat.QRCode)
        return [Piece(bytes(code.bytes), aim=code.symbology_identifier or None) for code in found]


class ListReader:
    """Finds in each picture what it was told to, then nothing."""

    def __init__(self, found: Sequence[list[Piece]]) -> None:
        self._found = list(found)

    def read(self, frame: Frame, at_ms: int) -> list[Piece]:
        return self._found.pop(0) if self._found else []
