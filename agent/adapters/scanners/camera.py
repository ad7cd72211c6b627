"""A camera that looks for codes: a device, a network camera, or pictures from files.

Waiting, capturing, unpacking and decoding are done in one thread of the camera's own (capture/sight.py); here is what
the loop does: opening anew after every loss, and one scan for each code however long it is held up. Pictures are never
kept: a person may be in them.
"""

from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from agent.adapters.scanners.camera_settings import Settings
from agent.adapters.scanners.capture.offers import Wish
from agent.adapters.scanners.capture.picture import Counts, Source
from agent.adapters.scanners.capture.sight import Sight
from agent.adapters.scanners.intake import Intake, TakenIn, loop_ms
from agent.adapters.scanners.lookout import REOPEN_DELAY_S_FIRST, REOPEN_DELAY_S_MAX, HotPlug, Lookout
from agent.adapters.scanners.presence import OnPresence, log_presence
from agent.core.reading.in_sight import InSight
from agent.core.reading.piece import Piece
from agent.core.reading.stillness import Seen, Stillness
from agent.core.scan import Scan
from agent.ports import Clock, FrameReader

_FOLDER, _VIDEO, _HTTP, _HTTPS = "folder:", "video:", "http://", "https://"


class CameraScanner(TakenIn):
    """One camera. One consumer iterates `scans()`; the camera is open only meanwhile.

    make_reader: called once, in the camera's thread, when the first picture is about to come; heavy libraries wait
    until then.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        on_presence: OnPresence = log_presence,
        hot_plug: HotPlug | None = None,
        *,
        make_reader: Callable[[], FrameReader],
        make_source: Callable[[Settings, Counts], Source] | None = None,
    ) -> None:
        self._settings = settings
        self._make_reader = make_reader
        self._make_source = make_source or build_source
        self._intake = Intake(settings, clock, on_presence)
        self._lookout = Lookout(self._open, self._intake.be_absent, hot_plug)
        self._in_sight = InSight(settings.same_code_interval_ms)
        self._stillness = Stillness()
        self._sight: Sight | None = None
        self._reader: FrameReader | None = None
        self._reopen_delay_s = REOPEN_DELAY_S_FIRST
        self._is_over = False
        self._wait_for_room: Callable[[], None] | None = None
        self.pictures = Counts()

    async def scans(self) -> AsyncGenerator[Scan, None]:
        """Yield a scan for each code that comes into sight, whether or not the camera is there at the moment."""
        self._is_over = False
        self._lookout.look()
        try:
            while True:
                scan = await self._intake.next()
                self._make_room()
                yield scan
        finally:
            self._lookout.stop()
            self._close()
            self._reader = None  # the thread may still have it in hand for this one picture

    def why_silent(self) -> str | None:
        """Say why no scan can come through, though the camera may be fine; None while it is read or looked for."""
        if (why := self._intake.why_stuck()) is not None:
            return why
        if self._sight is not None:
            return self._sight.why_hung()
        return None if self._is_over or self._lookout.is_looking else "nobody looks for the camera"

    def on_seen(self, what: str, seen: Seen) -> None:
        """Pictures come, and show something or not."""
        self._reopen_delay_s = REOPEN_DELAY_S_FIRST
        match seen:
            case Seen.PICTURE:
                self._intake.be_present(what)
            case Seen.EMPTY:
                self._intake.be_present(f"{what}; it shows one shade all over: uncover the lens, switch the light on")
            case Seen.FROZEN:
                self._intake.be_absent(f"{what}; its picture is frozen: plug the camera in anew")

    def on_pieces(self, pieces: list[Piece], taken: Callable[[], None]) -> None:
        """Codes are in sight; those that are new are scans."""
        self._intake.take(self._in_sight.new(pieces, loop_ms()))
        self._wait_for_room = taken
        self._make_room()

    def on_gone(self, why: str, *, is_over: bool) -> None:
        """The camera went away, or never came; or its file has been played to its end."""
        self._close()
        self._is_over = is_over
        if is_over:
            self._lookout.stop()
            self._intake.be_absent(why)
        else:
            self._lookout.lost(why, again_in_s=self._reopen_delay_s)
            self._reopen_delay_s = min(2 * self._reopen_delay_s, REOPEN_DELAY_S_MAX)

    def _open(self) -> None:
        """Have a thread open the camera: that may take a second, and the loop does not wait for it."""
        source = self._make_source(self._settings, self.pictures)
        sight = Sight(source, self._reader_of_frames, self, self.pictures, self._stillness)
        sight.start()
        self._sight = sight

    def _reader_of_frames(self) -> FrameReader:
        """Return the reader; called by one thread at a time, since a camera has one Sight at a time."""
        if self._reader is None:
            self._reader = self._make_reader()
        return self._reader

    def _close(self) -> None:
        if self._sight is not None:
            self._sight.stop()
            self._sight = None
        self._wait_for_room = None

    def _make_room(self) -> None:
        """Let the camera go on once there is room for what it may find."""
        if self._wait_for_room is not None and not self._intake.is_full:
            taken, self._wait_for_room = self._wait_for_room, None
            taken()


def build_source(settings: Settings, counts: Counts) -> Source:
    """Return what these settings take pictures from."""
    path = settings.path
    # Each is imported where it is used, so that a camera at a socket costs no HTTP and an agent without one nothing.
    if path.startswith((_HTTP, _HTTPS)):
        from agent.adapters.scanners.capture.http_stream import Access, HttpStreamSource  # noqa: PLC0415

        return HttpStreamSource(path, Access(settings.user, settings.password_file, settings.ca_file), counts)
    if path.startswith((_FOLDER, _VIDEO)):
        from agent.adapters.scanners.capture.files import PlayedSource  # noqa: PLC0415

        is_folder = path.startswith(_FOLDER)
        return PlayedSource(Path(path.partition(":")[2]), settings.fps, counts, is_folder=is_folder)
    from agent.adapters.scanners.capture.v4l2 import V4l2Source  # noqa: PLC0415
    from agent.adapters.scanners.devices import Kind, resolve  # noqa: PLC0415

    wish = Wish(settings.width, settings.height, settings.fps, settings.format)
    return V4l2Source(lambda: str(resolve(path, Kind.CAMERA)), wish, counts)
