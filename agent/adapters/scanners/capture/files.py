"""Pictures out of files, at a pace, to their end: a folder in name order, or a video.

The law: no picture is passed over; a slow reader makes it last longer. AVI and plain files of motion JPEG are read
here; any other video needs OpenCV.
"""

import importlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent.adapters.scanners.capture.avi import AviForeign, frames_of, is_avi, rate_of
from agent.adapters.scanners.capture.mjpeg import JpegSplitter
from agent.adapters.scanners.capture.picture import (
    FILE,
    JPEG,
    WHOLE_BYTES_MAX,
    Counts,
    Picture,
    SourceEnded,
)
from agent.adapters.scanners.lookout import DeviceAbsent

FILES_MAX = 100_000
HEAD_BYTES = 4_096
READ_BYTES = 65_536
_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".ppm", ".pgm", ".pbm"}


class PlayedSource:
    """A folder or a video, played once. fps: the pace."""

    is_live = False

    def __init__(self, path: Path, fps: float, counts: Counts, *, is_folder: bool) -> None:
        self._path = path
        self._pause_s = 1 / fps
        self._is_folder = is_folder
        self._pictures: Iterator[Picture] = iter(())
        self._woken = threading.Event()
        self._counts = counts

    def open(self) -> str:
        """Look what is there. Raises DeviceAbsent."""
        try:
            return self._open_folder() if self._is_folder else self._open_video()
        except OSError as error:
            raise DeviceAbsent(f"{self._path} cannot be read ({error.strerror}): correct path") from error

    def next(self, timeout_s: float) -> Picture | None:
        """Return the next picture, a pause after the one before. Raises SourceEnded, DeviceAbsent."""
        if self._woken.wait(min(self._pause_s, timeout_s)):
            return None
        try:
            picture = next(self._pictures, None)
        except OSError as error:
            raise DeviceAbsent(f"{self._path} cannot be read on ({error.strerror}): correct path") from error
        except AviForeign as error:
            raise SourceEnded(f"{self._path} cannot be read on: {error}") from error
        if picture is None:
            raise SourceEnded(f"{self._path} has been played to its end")
        return picture

    def close(self) -> None:
        """Close what is open."""
        close = getattr(self._pictures, "close", None)
        self._pictures = iter(())
        if close is not None:
            close()

    def wake(self) -> None:
        """Have `next` return."""
        self._woken.set()

    def _open_folder(self) -> str:
        files = sorted(p for p in self._path.iterdir() if p.suffix.lower() in _SUFFIXES)[:FILES_MAX]
        if not files:
            raise DeviceAbsent(f"{self._path} holds no picture: put {', '.join(sorted(_SUFFIXES))} there")
        self._pictures = self._files(files)
        return f"{self._path}: {len(files)} pictures"

    def _files(self, files: list[Path]) -> Iterator[Picture]:
        for file in files:
            with file.open("rb") as opened:
                data = opened.read(WHOLE_BYTES_MAX + 1)
            yield Picture(memoryview(data), FILE)

    def _open_video(self) -> str:
        with self._path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        if is_avi(head):
            try:
                with self._path.open("rb") as file:
                    next(frames_of(file), None)
            except AviForeign as error:
                return self._open_by_opencv(str(error))
            self._pictures = self._avi()
            rate = rate_of(head)
            return f"{self._path}: motion JPEG{f', {rate:.3g} pictures a second when made' if rate else ''}"
        if head.startswith(b"\xff\xd8"):
            self._pictures = self._mjpeg()
            return f"{self._path}: motion JPEG"
        return self._open_by_opencv("it is neither AVI nor plain motion JPEG")

    def _avi(self) -> Iterator[Picture]:
        with self._path.open("rb") as file:
            for data in frames_of(file):
                yield Picture(memoryview(data), JPEG)

    def _mjpeg(self) -> Iterator[Picture]:
        splitter = JpegSplitter()
        with self._path.open("rb") as file:
            while data := file.read(READ_BYTES):
                for whole in splitter.feed(data):
                    yield Picture(memoryview(whole), JPEG)
        self._counts.broken += splitter.broken

    def _open_by_opencv(self, why: str) -> str:
        try:
            cv2: Any = importlib.import_module("cv2")
        except ImportError as error:
            raise DeviceAbsent(
                f"{self._path} cannot be played ({why}): convert it to motion JPEG in AVI, or install scanward[vision]"
            ) from error
        capture = cv2.VideoCapture(str(self._path))
        if not capture.isOpened():
            capture.release()
            raise DeviceAbsent(f"{self._path} cannot be played ({why}; OpenCV cannot either): convert it")
        self._pictures = self._opencv(cv2, capture)
        return f"{self._path}: by OpenCV"

    def _opencv(self, cv2: Any, capture: Any) -> Iterator[Picture]:
        try:
            while True:
                is_read, picture = capture.read()
                if not is_read:
                    return
                grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) if picture.ndim == 3 else picture
                height, width = grey.shape
                yield Picture(memoryview(grey.tobytes()), "GREY", width, height, width)
        finally:
            capture.release()
