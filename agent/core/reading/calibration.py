"""Finds a scanner's settings from one scan of a code whose text is known.

The law: what is found reads that scan exactly, or nothing is found and it is said why. What cannot be told from one
text (ALT codes of Chinese text) is not guessed.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.core.reading import keys
from agent.core.reading.framing import Framing
from agent.core.reading.keyboard import Keyboard
from agent.core.reading.keys import EV_KEY, EV_SYN, SYN_DROPPED, CapsLock, KeyEvent, KeyTerminator
from agent.core.reading.layouts import LAYOUTS, LayoutName, layout_of
from agent.core.reading.profile import GS, is_aim_id

BEFORE_GS = "SCANWARD1:" + "".join(map(chr, range(0x20, 0x7F)))
BEHIND_GS = ":1drawnacS"
CALIBRATION_TEXT = BEFORE_GS + GS.decode() + BEHIND_GS
"""Every printable ASCII character and a GS. Put it into a QR code as bytes."""

MARK_CHARS_MAX = 32  # of a prefix, a suffix, or what stands for GS (profile.py)
EVENTS_MAX = 65_536

_TEXT = re.compile(f"{re.escape(BEFORE_GS)}(.{{0,{MARK_CHARS_MAX}}}?){re.escape(BEHIND_GS)}", re.DOTALL)
_UNKNOWN = "\ufffd"  # a key that gives no character
_ENDS = {"\r": "enter", "\t": "tab"}
_FRAMINGS = (
    ("\r\n", Framing.CRLF), ("\n", Framing.LF), ("\r", Framing.CR), ("\t", Framing.TAB), ("\x03", Framing.ETX),
)  # fmt: skip

NOT_THE_CODE = "this is not the calibration code, or it did not arrive whole: scan it again"
NO_LAYOUT = "no layout known here gives the calibration code: set the scanner's keyboard country to USA and scan again"
LOST = "part of the scan was lost on this machine: scan again"
LONG_MARK = f"the scanner sends more than {MARK_CHARS_MAX} characters before or behind the code: shorten its prefix"
END_TWICE = "what ends a scan also stands in the prefix, the suffix or for GS: take it out of them"
BOX = "the scanner sends frames with a check character (STX ... ETX and one more): choose the framing of its box"


@dataclass(frozen=True, slots=True)
class Finding:
    """Settings by their names, for the kind of scanner that was asked for; why: what to do where nothing fits.

    is_gs_lost: the scanner sends nothing that can be read for GS; codes of GS1 will be refused or run together.
    """

    why: str = ""
    layout: LayoutName | None = None
    caps_lock: CapsLock = "as-told"
    terminator: KeyTerminator | None = None
    framing: Framing | None = None
    prefix: str = ""
    suffix: str = ""
    aim_id: bool = False
    gs: str = ""
    is_gs_lost: bool = False


@dataclass(frozen=True, slots=True)
class _Marks:
    prefix: str
    suffix: str
    aim_id: bool
    gs: str
    is_gs_lost: bool


def calibrate_keys(events: Sequence[KeyEvent], *, lit: bool = False) -> Finding:
    """Return the settings of a scanner that typed the calibration code; lit: Caps Lock's light is on."""
    strokes = [(e.code, e.value) for e in events[:EVENTS_MAX] if e.type == EV_KEY and e.value != keys.HELD]
    if any(e.type == EV_SYN and e.code == SYN_DROPPED for e in events):
        return Finding(LOST)
    if not strokes:
        return Finding(NOT_THE_CODE)
    for name, caps_lock in _ways(lit=lit):
        text = _typed(strokes, name, caps_lock, lit=lit)
        if (match := _TEXT.search(text)) is not None:
            return _keys_found(text, match, name, caps_lock)
    return Finding(NO_LAYOUT if len(strokes) >= 2 * len(CALIBRATION_TEXT) else NOT_THE_CODE)


def calibrate_bytes(data: bytes) -> Finding:
    """Return the settings of a scanner on a line that sent the calibration code."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return Finding(NOT_THE_CODE)
    if (match := _TEXT.search(text)) is None:
        return Finding(NOT_THE_CODE)
    behind = text[match.end() :]
    if text[: match.start()].endswith("\x02") and behind.startswith("\x03") and len(behind) == 2:
        return Finding(BOX)
    end, framing = next(((end, f) for end, f in _FRAMINGS if behind.endswith(end)), ("", Framing.IDLE))
    marks = _marks(match, text[: match.start()], behind.removesuffix(end))
    if isinstance(marks, str):
        return Finding(marks)
    if end and any(end in mark for mark in (marks.prefix, marks.suffix, marks.gs)):
        return Finding(END_TWICE)
    return Finding(
        framing=framing, prefix=marks.prefix, suffix=marks.suffix, aim_id=marks.aim_id, gs=marks.gs,
        is_gs_lost=marks.is_gs_lost,
    )  # fmt: skip


def _ways(*, lit: bool) -> Iterator[tuple[LayoutName, CapsLock]]:
    """Yield what may be, what needs no setting first: the same keys give the same text in whatever comes later."""
    locks: tuple[CapsLock, ...] = ("as-told", "ignore" if lit else "on", "on" if lit else "ignore")
    return ((name, caps_lock) for caps_lock in locks for name in LAYOUTS)


def _typed(strokes: Sequence[tuple[int, int]], name: LayoutName, caps_lock: CapsLock, *, lit: bool) -> str:
    keyboard = Keyboard(layout_of(name), caps_lock, "western", lit=lit)
    said = (keyboard.press(code) if value == keys.PRESSED else keyboard.release(code) for code, value in strokes)
    return "".join(_UNKNOWN if text is None else text for text in said)


def _keys_found(text: str, match: re.Match[str], name: LayoutName, caps_lock: CapsLock) -> Finding:
    behind = text[match.end() :]
    end = behind[-1:] if behind[-1:] in _ENDS else ""
    marks = _marks(match, text[: match.start()], behind.rstrip(end) if end else behind)
    if isinstance(marks, str):
        return Finding(marks)
    if end and any(end in mark for mark in (marks.prefix, marks.suffix, marks.gs)):
        return Finding(END_TWICE)
    terminator: KeyTerminator = "enter" if end == "\r" else "tab" if end else "none"
    return Finding(
        layout=name, caps_lock=caps_lock, terminator=terminator, prefix=marks.prefix, suffix=marks.suffix,
        aim_id=marks.aim_id, gs=marks.gs, is_gs_lost=marks.is_gs_lost,
    )  # fmt: skip


def _marks(match: re.Match[str], before: str, behind: str) -> _Marks | str:
    """Return what stands around the code and for GS, or why it cannot be set."""
    has_aim_id = is_aim_id(before[-3:].encode())
    prefix = before[:-3] if has_aim_id else before
    gs = match[1]
    is_gs_lost = not gs or _UNKNOWN in gs
    if max(len(prefix), len(behind)) > MARK_CHARS_MAX:
        return LONG_MARK
    if _UNKNOWN in prefix or _UNKNOWN in behind:
        return NO_LAYOUT
    return _Marks(prefix, behind, has_aim_id, "" if is_gs_lost or gs == GS.decode() else gs, is_gs_lost)
