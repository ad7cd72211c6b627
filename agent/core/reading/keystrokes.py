"""How the keystrokes of a scanner that types become whole scans, whatever way they are cut into reads.

The law: a scan is what a machine set as the scanner expects would have shown, or it has a fault. Pauses are told by the
kernel's time of each key, so that a late reader never changes a scan. Opening devices is the adapter's.
"""

from collections.abc import Iterable

from agent.core.reading import keys
from agent.core.reading.alt_codes import AltCodes
from agent.core.reading.keyboard import Keyboard
from agent.core.reading.keys import (
    EV_KEY,
    EV_SYN,
    KEYS_TIMEOUT_MS,
    SYN_DROPPED,
    SYN_REPORT,
    CapsLock,
    KeyEvent,
    KeyTerminator,
)  # fmt: skip
from agent.core.reading.layouts.board import Layout
from agent.core.reading.piece import Piece
from agent.core.scan import SCAN_BYTES_MAX, ScanFault

TAIL_MS = 20_000  # behind a scan that broke off; a radio link that carried nothing for so long has been taken down

_ENDS: dict[str, frozenset[int]] = {
    "enter": frozenset({keys.ENTER, keys.KEYPAD_ENTER}),
    "tab": frozenset({keys.TAB}),
    "none": frozenset(),
}
_END_TEXTS = {"enter": "\r", "tab": "\t"}


class KeyAssembler:
    """Assembles the keystrokes of one device into whole scans. Times are milliseconds; not thread-safe.

    lit: Caps Lock's light when the device was opened; held: the keys down then. `feed` what was read, call `idle` at
    `due_at_ms` where nothing waits to be read, and `hang_up` when the device goes away. An event's own time is of one
    clock, at_ms of any other. Behind SYN_DROPPED the caller feeds the modifiers that are down as presses. After a scan
    that broke off or was lost, what comes up to the next terminator may be its tail: it is refused too, aloud.
    """

    def __init__(
        self, layout: Layout, *, terminator: KeyTerminator = "enter", timeout_ms: int = KEYS_TIMEOUT_MS,
        bytes_max: int = SCAN_BYTES_MAX, caps_lock: CapsLock = "as-told", alt_codes: AltCodes = "western",
        lit: bool = False, held: Iterable[int] = (),
    ) -> None:  # fmt: skip
        self._keyboard = Keyboard(layout, caps_lock, alt_codes, lit=lit)
        self._ends = _ENDS[terminator]
        self._end_text = _END_TEXTS.get(terminator)
        self._timeout_ms = timeout_ms
        self._bytes_max = bytes_max
        self._pending = bytearray()
        self._fault: ScanFault | None = None
        self._is_skipping = False  # a fault was told; what is left of the scan goes until a terminator or a pause
        self._is_blind = False  # behind SYN_DROPPED, until the report that is cut in two is over
        self._tail_until_ms: int | None = None  # by the keys' clock: what begins before may be a broken scan's rest
        self._fed_at_ms = 0
        self._key_at_ms: int | None = None
        for code in held:
            if code in keys.MODIFIERS:
                self._keyboard.press(code)

    def is_half(self, at_ms: int) -> bool:
        """Say whether what comes next may be the rest of something whose beginning came."""
        return self._is_waiting or (self._tail_until_ms is not None and at_ms < self._tail_until_ms)

    def join_late(self, at_ms: int) -> None:
        """Say that the scan before was left half by a device that may send its rest: what ends first is refused."""
        self._tail_until_ms = at_ms + TAIL_MS

    @property
    def due_at_ms(self) -> int | None:
        """When `idle` will have something to do, should nothing come until then; None while nothing is pending."""
        return self._fed_at_ms + self._timeout_ms if self._is_waiting else None

    def feed(self, events: Iterable[KeyEvent], at_ms: int) -> list[Piece]:
        """Take events as they were read; return the scans they complete."""
        pieces: list[Piece] = []
        for event in events:
            if event.type == EV_KEY and event.value != keys.HELD:  # a key that is stuck is a pause, too
                key_at_ms = at_ms if event.at_ms is None else event.at_ms
                if self._key_at_ms is not None and key_at_ms - self._key_at_ms >= self._timeout_ms:
                    pieces += self._pause()
                if self._tail_until_ms is not None and key_at_ms >= self._tail_until_ms and not self._is_waiting:
                    self._tail_until_ms = None
                self._key_at_ms = key_at_ms
                self._fed_at_ms = at_ms
            pieces += self._take(event, at_ms)
        return pieces

    def idle(self, at_ms: int) -> list[Piece]:
        """Say that nothing came until now; return the scan that a pause ends, or the half one that it leaves."""
        due_at_ms = self.due_at_ms
        return [] if due_at_ms is None or at_ms < due_at_ms else self._pause()

    def hang_up(self) -> list[Piece]:
        """Say that the device is gone; return the scan that it took with it."""
        was_waiting = self._is_waiting and not self._is_skipping
        pieces = self._end(ScanFault.CUT) if was_waiting else self._end(None)
        self._keyboard.lose_track()
        self._is_blind = False
        self._tail_until_ms = None
        return pieces

    @property
    def _is_waiting(self) -> bool:
        return bool(self._pending or self._fault or self._is_skipping or self._keyboard.is_half)

    def _take(self, event: KeyEvent, at_ms: int) -> list[Piece]:
        if event.type == EV_SYN and event.code == SYN_DROPPED:
            return self._lose(at_ms if event.at_ms is None else event.at_ms, at_ms)
        if self._is_blind:
            self._is_blind = not (event.type == EV_SYN and event.code == SYN_REPORT)
            return []
        if event.type != EV_KEY:
            return []
        if event.value == keys.PRESSED:
            is_end = event.code in self._ends and not self._keyboard.is_half
            text = self._keyboard.press(event.code)
            if event.code in self._ends and (text is None or text == self._end_text):
                return self._end(None if is_end else ScanFault.KEYS)
            return self._add(text)
        if event.value == keys.RELEASED:
            return self._add(self._keyboard.release(event.code))
        return []  # the kernel's repeat of a key that the scanner is late to release: nothing was typed

    def _add(self, text: str | None) -> list[Piece]:
        if text is None:
            self._fault = ScanFault.KEYS
        elif text and not self._is_skipping:
            self._pending += text.encode()
            if len(self._pending) > self._bytes_max:
                return self._give_up(ScanFault.OVER_LONG)
        return []

    def _lose(self, lost_at_ms: int, at_ms: int) -> list[Piece]:
        """Tell the loss once; whatever it has left of this scan and the next is not to be trusted.

        The time that was lost is no pause: somebody typed in it.
        """
        self._keyboard.lose_track()
        self._is_blind = True
        self._key_at_ms, self._fed_at_ms = lost_at_ms, at_ms
        return [] if self._is_skipping else self._give_up(ScanFault.LOST)

    def _give_up(self, fault: ScanFault) -> list[Piece]:
        piece = Piece(bytes(self._pending[: self._bytes_max]), fault)
        self._pending.clear()
        self._is_skipping = True
        return [piece]

    def _pause(self) -> list[Piece]:
        if not self._is_waiting:
            return []
        if not self._ends:
            return self._end(ScanFault.KEYS if self._keyboard.is_half else None)
        pieces = self._end(ScanFault.INCOMPLETE)
        if self._key_at_ms is not None:
            self._tail_until_ms = self._key_at_ms + TAIL_MS
        return pieces

    def _end(self, fault: ScanFault | None) -> list[Piece]:
        """End a scan, once: with its own fault before the one it ends with, and last that it may be a tail."""
        payload, fault = bytes(self._pending), self._fault or fault
        is_something = bool(payload or fault) and not self._is_skipping
        if fault is None and self._tail_until_ms is not None:
            fault = ScanFault.INCOMPLETE
        self._pending.clear()
        self._is_skipping = False
        self._fault = self._tail_until_ms = None
        self._keyboard.rest()
        return [Piece(payload, fault)] if is_something else []
