"""A scanner that types: a keyboard to the kernel, read from its event node and taken from all others.

What was typed before the agent listened is dropped, so that it cannot end up in the next patient's visit: the scanner
is present after a first pause. Unplugging is handled here. What keys mean is agent/core/reading/keystrokes.py's.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable

from agent.adapters.scanners.devices import Kind, resolve
from agent.adapters.scanners.evdev import EventNode, Node
from agent.adapters.scanners.intake import Intake, TakenIn, loop_ms
from agent.adapters.scanners.key_reader import KeyReader
from agent.adapters.scanners.keyboard_settings import Settings
from agent.adapters.scanners.lookout import HotPlug, Lookout
from agent.adapters.scanners.presence import OnPresence, log_presence
from agent.core.reading.keystrokes import KeyAssembler
from agent.core.reading.layouts import layout_of
from agent.core.scan import Scan
from agent.ports import Clock

EVENTS_FED_MAX = 512  # between two looks at whether the queue has room

OpenNode = Callable[[str], Node]


class KeyboardScanner(TakenIn):
    """One scanner that types. One consumer iterates `scans()`; the node is taken only meanwhile."""

    def __init__(
        self, settings: Settings, clock: Clock, on_presence: OnPresence = log_presence,
        hot_plug: HotPlug | None = None, open_node: OpenNode = EventNode,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._intake = Intake(settings, clock, on_presence)
        self._lookout = Lookout(self._open, self._intake.be_absent, hot_plug)
        self._open_node = open_node
        self._where = settings.path
        self._reader: KeyReader | None = None
        self._assembler: KeyAssembler | None = None
        self._quiet_timer: asyncio.TimerHandle | None = None
        self._was_half = False  # when its radio link broke: it may type the rest over the next one

    async def scans(self) -> AsyncGenerator[Scan, None]:
        """Yield whole scans, and faulty ones with their fault, whether or not the device is there at the moment."""
        self._lookout.look()
        try:
            while True:
                scan = await self._intake.next()
                self._take()
                yield scan
        finally:
            self._lookout.stop()
            self._close()

    def why_silent(self) -> str | None:
        """Say why no scan can come through, though the device may be fine; None while it is read or looked for."""
        if (why := self._intake.why_stuck()) is not None:
            return why
        if self._reader is None:
            return None if self._lookout.is_looking else "nobody looks for the device"
        return None if self._reader.is_alive else "the keyboard is open and nobody reads it"

    def _open(self) -> None:
        where = str(resolve(self._settings.path, Kind.KEYBOARD))
        node = self._open_node(where)
        self._where = where
        loop = asyncio.get_running_loop()
        reader = KeyReader(node, self._settings.timeout_ms, lambda: loop.call_soon_threadsafe(on_news))

        def on_news() -> None:
            if reader is self._reader:  # else it speaks of a device that was closed since
                self._on_news(reader)

        reader.start()
        self._reader = reader

    def _close(self) -> None:
        if self._reader is not None:
            self._reader.stop()
        self._reader = self._assembler = None
        if self._quiet_timer is not None:
            self._quiet_timer.cancel()
            self._quiet_timer = None

    def _on_news(self, reader: KeyReader) -> None:
        is_gone = reader.is_gone  # before what came before it is taken
        if reader.is_settled and self._assembler is None:
            self._begin(reader)
        self._take(is_last=is_gone)
        if is_gone:
            self._hang_up()

    def _begin(self, reader: KeyReader) -> None:
        """Read on from the keys that were down and the light that was on after the first pause."""
        s = self._settings
        self._assembler = KeyAssembler(
            layout_of(s.layout), terminator=s.terminator, timeout_ms=s.timeout_ms, bytes_max=s.bytes_max,
            caps_lock=s.caps_lock, alt_codes=s.alt_codes, lit=reader.lit, held=reader.held,
        )  # fmt: skip
        if self._was_half:
            self._was_half = False
            self._assembler.join_late(loop_ms())
        self._intake.be_present(self._where + (", its Caps Lock light is on" if reader.lit else ""))

    def _hang_up(self) -> None:
        """The device went away: give up the half scan, look for the device until it is back."""
        assembler, is_radio = self._assembler, self._reader is not None and self._reader.is_radio
        self._close()
        if assembler is not None:
            self._was_half = is_radio and assembler.is_half(loop_ms())
            self._intake.take(assembler.hang_up())
        self._lookout.lost(f"{self._where} was unplugged or switched off: plug the scanner in")

    def _take(self, *, is_last: bool = False) -> None:
        """Take what was read, as long as the queue has room; with is_last all of it."""
        if self._reader is None or self._assembler is None:
            return
        while (is_last or not self._intake.is_full) and (events := self._reader.take(EVENTS_FED_MAX)):
            self._intake.take(self._assembler.feed(events, loop_ms()))
        self._watch_for_quiet()

    def _watch_for_quiet(self) -> None:
        """Have the assembler asked when its pause is over."""
        due_at_ms = self._assembler.due_at_ms if self._assembler is not None else None
        if due_at_ms is not None and self._quiet_timer is None:
            self._quiet_timer = asyncio.get_running_loop().call_at(due_at_ms / 1000, self._on_quiet)

    def _on_quiet(self) -> None:
        """The pause may be over: it is, if nothing waits to be read; else the news of that comes next."""
        self._quiet_timer = None
        if self._assembler is not None and self._reader is not None and self._reader.is_quiet():
            self._intake.take(self._assembler.idle(loop_ms()))
            self._watch_for_quiet()
