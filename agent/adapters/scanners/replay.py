"""A scanner that is a file or standard input: recorded or made-up scans, at a pace, then the end.

Format "lines" is one scan a line, raw bytes, ended by LF or CRLF. Format "json" is one object a line, for scans that
hold line ends: {"data": text} or {"hex": bytes}, with "aim" and "after_s" where wanted.
"""

import asyncio
import os
from collections.abc import AsyncGenerator
from typing import Annotated, Literal

import msgspec

from agent.adapters.scanners.presence import OnPresence, Presence, log_presence
from agent.core.decision import Answer
from agent.core.reading.framing import Framing, ScanAssembler
from agent.core.scan import SCAN_BYTES_MAX, Scan, ScanFault
from agent.ports import Clock

READ_BYTES_MAX = 4_096
JSON_LINE_BYTES_MAX = 6 * SCAN_BYTES_MAX + 1_024  # JSON may write one byte as six
PAUSE_S_MAX = 3_600
_STDIN = 0

Pause = Annotated[float, msgspec.Meta(ge=0, le=PAUSE_S_MAX)]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="replay"):
    """Scans from a file.

    path: "-" is standard input; step: the medical step it serves, else the terminal's; interval_s: the pause before
    each scan.
    """

    id: Annotated[str, msgspec.Meta(pattern="^[a-z0-9-]{1,32}$")]
    path: Annotated[str, msgspec.Meta(pattern=r"^[^\x00]{1,4096}$")]
    step: Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9-]{0,31}$")] | None = None
    format: Literal["lines", "json"] = "lines"
    interval_s: Pause = 0.0


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line of format "json"."""

    data: str | None = None
    hex: str | None = None
    aim: Annotated[str, msgspec.Meta(pattern=r"^\][A-Za-z][0-9A-Za-z]$")] | None = None
    after_s: Pause = 0.0


class _LineInvalid(Exception):
    """A line of format "json" is not of its form; what it holds is kept out of the text."""


class ReplayScanner:
    """Scans from a file; `scans()` ends where the file ends."""

    def __init__(self, settings: Settings, clock: Clock, on_presence: OnPresence = log_presence) -> None:
        self._settings = settings
        self._clock = clock
        self._on_presence = on_presence
        self.presence: Presence | None = None

    @property
    def id(self) -> str:
        """The configured id."""
        return self._settings.id

    async def scans(self) -> AsyncGenerator[Scan, None]:
        """Yield the scans of the file, each after its pause; end with the file, or at a line that cannot be read."""
        path = self._settings.path
        fd = -1
        number = 0
        try:
            fd = _STDIN if path == "-" else os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            self._tell(Presence.PRESENT, path)
            assembler = self._assembler()
            is_at_end = False
            while not is_at_end:
                data = await _read(fd)
                is_at_end = not data
                for line, fault, *_ in assembler.feed(data or b"\n", 0):  # the last line need not be ended
                    number += 1
                    payload, payload_fault, aim, pause_s = self._payload(line, fault)
                    await asyncio.sleep(self._settings.interval_s + pause_s)  # if only to let others run
                    yield Scan(payload, self.id, self._clock.now(), aim, payload_fault)
            self._tell(Presence.ABSENT, f"{path} has been replayed to its end")
        except OSError as error:
            self._tell(Presence.ABSENT, f"{path} cannot be read ({error.strerror}): correct path")
        except _LineInvalid:
            form = '{"data": TEXT} or {"hex": HEX}, with "aim" and "after_s" where wanted'
            self._tell(Presence.ABSENT, f"{path}: line {number} (empty ones not counted) is not {form}: correct it")
        finally:
            if fd not in {-1, _STDIN}:
                os.close(fd)

    def answered(self, answer: Answer) -> None:
        """Leave the file silent."""

    def _assembler(self) -> ScanAssembler:
        is_json = self._settings.format == "json"
        return ScanAssembler(Framing.LF, bytes_max=JSON_LINE_BYTES_MAX if is_json else SCAN_BYTES_MAX)

    def _payload(self, line: bytes, fault: ScanFault | None) -> tuple[bytes, ScanFault | None, str | None, float]:
        """Return what a line says: payload, fault, AIM id, pause. Raises _LineInvalid."""
        if fault is not None or self._settings.format == "lines":
            return line[:SCAN_BYTES_MAX], fault, None, 0.0
        try:
            said = msgspec.json.decode(line, type=_Line)
            if said.data is not None and said.hex is None:
                payload = said.data.encode()
            elif said.hex is not None and said.data is None:
                payload = bytes.fromhex(said.hex)
            else:
                raise _LineInvalid
        except ValueError as error:  # msgspec's, fromhex's and encode's errors are all of this kind
            raise _LineInvalid from error
        if not payload:
            raise _LineInvalid
        if len(payload) > SCAN_BYTES_MAX:
            return payload[:SCAN_BYTES_MAX], ScanFault.OVER_LONG, said.aim, said.after_s
        return payload, None, said.aim, said.after_s

    def _tell(self, presence: Presence, why: str) -> None:
        self.presence = presence
        self._on_presence(self.id, presence, why)


async def _read(fd: int) -> bytes:
    """Return the next bytes, b"" at the end; a pipe or terminal is waited for on the loop."""
    while True:
        await _wait_readable(fd)
        try:
            return os.read(fd, READ_BYTES_MAX)
        except BlockingIOError:
            continue


async def _wait_readable(fd: int) -> None:
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    try:
        loop.add_reader(fd, readable.set)
    except PermissionError:  # epoll's word for "always ready": a plain file
        return
    try:
        await readable.wait()
    finally:
        loop.remove_reader(fd)
