"""Keys as the kernel tells them (linux/input-event-codes.h): events, codes, modifiers. What they mean is not here."""

from collections.abc import Iterable
from typing import Literal, NamedTuple

KEYS_TIMEOUT_MS = 250  # scanners press a key every 1 to 20 ms, 50 ms the slowest of them; people scan once in a second

KeyTerminator = Literal["enter", "tab", "none"]
"""The key that ends a scan; none: a pause does."""

CapsLock = Literal["as-told", "on", "ignore"]
"""as-told: lit at the start or not, turned by its key; on: the scanner types for a machine whose Caps Lock is on;
ignore: what its light and its key say changes nothing."""

EV_SYN = 0x00
EV_KEY = 0x01
SYN_REPORT = 0
SYN_DROPPED = 3
PRESSED = 1
RELEASED = 0
HELD = 2  # the kernel's own repeat of a key that is held down

ENTER, KEYPAD_ENTER = 28, 96
ESCAPE, BACKSPACE, TAB, SPACE, DELETE = 1, 14, 15, 57, 111
CAPS_LOCK, NUM_LOCK, SCROLL_LOCK = 58, 69, 70
LEFT_SHIFT, RIGHT_SHIFT = 42, 54
LEFT_CTRL, RIGHT_CTRL = 29, 97
LEFT_ALT, RIGHT_ALT = 56, 100
LEFT_META, RIGHT_META = 125, 126

SHIFTS = frozenset({LEFT_SHIFT, RIGHT_SHIFT})
CTRLS = frozenset({LEFT_CTRL, RIGHT_CTRL})
ALTS = frozenset({LEFT_ALT, RIGHT_ALT})
METAS = frozenset({LEFT_META, RIGHT_META})
MODIFIERS = SHIFTS | CTRLS | ALTS | METAS

KEYPAD_PLUS, KEYPAD_DOT = 78, 83
KEYPAD_DIGITS = {82: "0", 79: "1", 80: "2", 81: "3", 75: "4", 76: "5", 77: "6", 71: "7", 72: "8", 73: "9"}
KEYPAD_SIGNS = {55: "*", 74: "-", KEYPAD_PLUS: "+", 98: "/", 117: "=", 121: ",", 95: ","}


class KeyEvent(NamedTuple):
    """One input event (struct input_event); at_ms by the kernel's monotonic clock, None: when it is fed."""

    type: int
    code: int
    value: int
    at_ms: int | None = None


class Stroke(NamedTuple):
    """A key going down (1) or up (0)."""

    code: int
    value: int


def events_of(strokes: Iterable[Stroke], at_ms: int | None = None, step_ms: int = 0) -> list[KeyEvent]:
    """Return what the kernel tells of these strokes, each in a report of its own, step_ms apart."""
    events: list[KeyEvent] = []
    for code, value in strokes:
        events += [KeyEvent(EV_KEY, code, value, at_ms), KeyEvent(EV_SYN, SYN_REPORT, 0, at_ms)]
        at_ms = None if at_ms is None else at_ms + step_ms
    return events
