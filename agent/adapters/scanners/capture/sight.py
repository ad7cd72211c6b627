"""A camera's thread: it opens the source, has each newest picture read for codes, and tells the loop what it found.

The law: the loop never waits for a camera and does nothing for a picture; codes that were read are never dropped: while
the loop has not taken the last ones, no further picture is looked at.
"""

import asyncio
import atexit
import logging
import threading
import time
import traceback
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from agent.adapters.scanners.capture.luma import frame_of
from agent.adapters.scanners.capture.picture import Counts, PictureBroken, Source, SourceEnded
from agent.adapters.scanners.lookout import DeviceAbsent
from agent.core.reading.frame import Frame
from agent.core.reading.piece import Piece
from agent.core.reading.stillness import Seen, Stillness
from agent.ports import FrameReader

log = logging.getLogger(__name__)

PICTURE_S_MAX = 5.0  # without a whole picture, before the camera counts as absent
WAIT_S = 0.5
LOOK_S = 1.0  # how often a picture is asked whether it shows anything
HUNG_S = 30.0  # in one picture; reading one takes milliseconds
TRACED_MAX = 4  # places that an error of a reader is told with
STOPPING_S_MAX = 2.0  # at the end of the process, for a picture in hand
OPENING_S_MAX = 120.0  # a name server that is away takes a while, a USB camera a second


_stopping: "weakref.WeakSet[threading.Thread]" = weakref.WeakSet()


def _wait_for_stopping() -> None:
    for thread in list(_stopping):
        if thread.is_alive():
            thread.join(STOPPING_S_MAX)


atexit.register(_wait_for_stopping)


class Told(Protocol):
    """Who hears of the camera, on the loop."""

    def on_seen(self, what: str, seen: Seen) -> None:
        """The camera gives pictures; what it is, and what they show. Told at each change."""
        ...

    def on_pieces(self, pieces: list[Piece], taken: Callable[[], None]) -> None:
        """Codes were read; call taken when there is room for more."""
        ...

    def on_gone(self, why: str, *, is_over: bool) -> None:
        """The thread has ended. is_over: there will be no more pictures ever."""
        ...


class Sight:
    """One opening of a camera. Made, started and stopped on the loop."""

    def __init__(
        self,
        source: Source,
        reader: Callable[[], FrameReader],
        told: Told,
        counts: Counts,
        stillness: Stillness,
    ) -> None:
        self._source = source
        self._reader = reader
        self._told = told
        self._counts = counts
        self._stillness = stillness
        self._loop = asyncio.get_running_loop()
        self._is_stopped = False
        self._room = threading.Event()
        self._room.set()
        self._doing, self._since_s = "opening the camera", time.monotonic()
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more, and tell nothing more. The thread lets the camera go by itself, soon."""
        self._is_stopped = True
        self._room.set()
        self._source.wake()
        # An interpreter that ends while a decoder of C++ runs in a thread aborts: it waits for the picture in hand.
        _stopping.add(self._thread)

    def why_hung(self) -> str | None:
        """Say what the thread does for too long, or that it is gone; None while all is well."""
        if not self._thread.is_alive():
            return "the camera's thread has ended"
        took_s = time.monotonic() - self._since_s
        bound_s = OPENING_S_MAX if self._doing.startswith("opening") else HUNG_S
        return f"{self._doing} has taken {took_s:.0f} s" if took_s > bound_s and self._room.is_set() else None

    def _run(self) -> None:
        why, is_over = "", False
        try:
            what = self._source.open()
            self._look(what)
        except DeviceAbsent as error:
            why = str(error)
        except SourceEnded as error:
            why, is_over = str(error), True
        except Exception as error:  # noqa: BLE001 — a decoder may raise anything; the other scanners go on
            why = f"{self._doing} failed ({type(error).__name__}): the log says where; it is tried again"
            # Without the error's text, which may hold what was read.
            log.error("camera: %s failed: %s", self._doing, _where(error))
        finally:
            self._source.close()
        self._tell(lambda: self._told.on_gone(why, is_over=is_over))

    def _look(self, what: str) -> None:
        """Look at pictures until stopped. Raises DeviceAbsent, SourceEnded."""
        self._do("loading the code reader")
        read = self._reader().read
        good_at_s = time.monotonic()
        looked_at_s = 0.0
        last: Seen | None = None
        while not self._is_stopped:
            self._do("waiting for a picture")
            frame = self._frame()
            now_s = time.monotonic()
            if frame is None:
                if now_s - good_at_s > PICTURE_S_MAX:
                    raise DeviceAbsent(f"no frames: {what} gave no whole picture for {PICTURE_S_MAX:g} s")
                continue
            good_at_s = now_s
            if self._source.is_live and now_s - looked_at_s >= LOOK_S:
                looked_at_s = now_s
                seen = self._stillness.judge(frame, int(now_s * 1000))
            else:
                seen = last or Seen.PICTURE
            if seen is not last:
                if seen is Seen.FROZEN and last is not None:  # opened anew once; then it stays frozen, and is told so
                    raise DeviceAbsent(f"{what}; its picture is frozen: plug the camera in anew")
                last = seen
                self._tell_seen(what, seen)
            self._do("reading a picture")
            pieces = read(frame, int(now_s * 1000))
            frame = None  # the source may take its memory back
            if pieces:
                self._hand_over(pieces)

    def _frame(self) -> Frame | None:
        picture = self._source.next(WAIT_S)
        if picture is None:
            return None
        self._counts.pictures += 1
        try:
            return frame_of(picture)
        except PictureBroken:
            self._counts.broken += 1
            return None

    def _hand_over(self, pieces: list[Piece]) -> None:
        self._do("handing codes over")
        self._room.wait()
        if not self._is_stopped:
            self._room.clear()
            self._tell(lambda: self._told.on_pieces(pieces, self._room.set))

    def _tell_seen(self, what: str, seen: Seen) -> None:
        self._tell(lambda: self._told.on_seen(what, seen))

    def _tell(self, say: Callable[[], None]) -> None:
        def say_unless_stopped() -> None:
            if not self._is_stopped:
                say()

        try:
            self._loop.call_soon_threadsafe(say_unless_stopped)
        except RuntimeError:  # the loop is closed: there is nobody left to tell
            self._is_stopped = True

    def _do(self, doing: str) -> None:
        self._doing, self._since_s = doing, time.monotonic()


def _where(error: Exception) -> str:
    """Return an error's type and the places it came through, the innermost first; not its text."""
    frames = reversed(traceback.extract_tb(error.__traceback__)[-TRACED_MAX:])
    return " < ".join([type(error).__name__, *(f"{Path(f.filename).name}:{f.lineno}" for f in frames)])
