"""Keyboard scanners: uinput and a real USB boot keyboard, read by evdev and the agent's keyboard scanner.

What is typed comes from the X keyboard extension's tables, not from the agent's layouts.
"""

from pathlib import Path
from typing import Any

from lab.guest import rows
from lab.guest.bench import Bench
from lab.guest.gadget import KEYBOARD, MAKER, PRODUCT, Gadget
from lab.guest.layouts import ALT_GR, CTRL, ENTER, SHIFT, SPACE, strokes_of
from lab.guest.uinput import Keyboard, records_of
from lab.payloads import ascii_payloads
from lab.verdict import LAYOUTS

TIMEOUT_MS = 3_000
LINKS = Path("/run/tmp")
STROKES_A_PART = 4
USB_NUMBER, REPORT_BYTES = 2, 8
USB_KINDS = {"gs1", "aim", "url"}  # the short ones: a real keyboard is polled, two reports a character


class Typing:
    """A keyboard of uinput, set to one layout."""

    aim = None
    pause_s = 0.002

    def __init__(self, layout: str, scanner: str | None = None) -> None:
        self.scanner, self._layout = scanner or f"keyboard-{layout}", layout
        keyboard = Keyboard(LINKS / self.scanner, f"Lab Scanner {layout}", 0x0300 + LAYOUTS.index(layout))
        self.plug_in, self.unplug, self.put = keyboard.plug_in, keyboard.unplug, keyboard.put

    def parts(self, data: bytes) -> list[bytes]:
        """Return the key strokes, Enter last, a few at a time."""
        records = records_of([*strokes_of(data.decode("ascii"), self._layout), (ENTER, 1), (ENTER, 0)])
        return [b"".join(records[at : at + STROKES_A_PART]) for at in range(0, len(records), STROKES_A_PART)]


class UsbKeyboard:
    """A USB keyboard that enumerates; layout us."""

    aim = None
    pause_s = 0.0
    scanner = "keyboard-usb"

    def __init__(self) -> None:
        self._gadget = Gadget(USB_NUMBER, "LABKEYS", product=0x0201)
        self._gadget.add_hid(KEYBOARD, REPORT_BYTES)
        self.plug_in, self.unplug = self._gadget.plug_in, self._gadget.unplug

    def parts(self, data: bytes) -> list[bytes]:
        """Return boot reports: modifiers, and the one key that is down."""
        reports, modifiers = [], 0
        for key, value in [*strokes_of(data.decode("ascii"), "us"), (ENTER, 1), (ENTER, 0)]:
            down = 0
            if key in MODIFIERS:
                modifiers = modifiers | MODIFIERS[key] if value else modifiers & ~MODIFIERS[key]
            else:
                down = USAGES[key] if value else 0
            reports.append(bytes((modifiers, 0, down, 0, 0, 0, 0, 0)))
        return reports

    def put(self, part: bytes) -> None:
        """Send one report."""
        self._gadget.report([part])


MODIFIERS = {CTRL: 0x01, SHIFT: 0x02, ALT_GR: 0x40}  # HID 1.11, 8.3
# HID Usage Tables 1.12, 10: letters in the alphabet's order, then digits, then the other keys.
USAGES = {
    **{code: 0x04 + "abcdefghijklmnopqrstuvwxyz".index(letter) for code, letter in enumerate("qwertyuiop", 16)},
    **{code: 0x04 + "abcdefghijklmnopqrstuvwxyz".index(letter) for code, letter in enumerate("asdfghjkl", 30)},
    **{code: 0x04 + "abcdefghijklmnopqrstuvwxyz".index(letter) for code, letter in enumerate("zxcvbnm", 44)},
    **{code: 0x1C + code for code in range(2, 12)},
    ENTER: 0x28, SPACE: 0x2C, 12: 0x2D, 13: 0x2E, 26: 0x2F, 27: 0x30, 43: 0x31, 39: 0x33, 40: 0x34, 41: 0x35,
    51: 0x36, 52: 0x37, 53: 0x38,
}  # fmt: skip


def settings() -> list[dict[str, Any]]:
    """Return the scanners of these rows."""
    usb = f"/dev/input/by-id/usb-{MAKER}_{PRODUCT}_LABKEYS-event-kbd"
    common = {"type": "keyboard", "timeout_ms": TIMEOUT_MS, "terminator": "enter"}
    return [
        *(
            {"id": f"keyboard-{name}", "path": str(LINKS / f"keyboard-{name}"), "layout": name, **common}
            for name in LAYOUTS
        ),
        {"id": UsbKeyboard.scanner, "path": usb, "layout": "us", **common},
    ]


def play(bench: Bench) -> None:
    """Play every row of keyboard scanners."""
    keyboards = [Typing(layout) for layout in LAYOUTS]
    for layout, keyboard in zip(LAYOUTS, keyboards, strict=True):
        rows.plug_in(bench, keyboard)
        rows.one_after_another(bench, f"keyboard.{layout}", keyboard, ascii_payloads(f"keyboard {layout}"))
    rows.at_once(bench, "eight at once", keyboards, [ascii_payloads(f"eight, {layout}") for layout in LAYOUTS])
    rows.unplug_in_the_middle(bench, "unplug.keyboard", keyboards[2])
    rows.stall_meanwhile(bench, "stall.keyboard", keyboards[0])
    for keyboard in keyboards:
        rows.unplug(bench, keyboard)


def play_usb(bench: Bench) -> None:
    """Play the row of the keyboard that enumerates on USB."""
    usb = UsbKeyboard()
    rows.plug_in(bench, usb)
    short = [one for one in ascii_payloads("keyboard.usb") if one[0] in USB_KINDS]
    rows.one_after_another(bench, "keyboard.usb", usb, short)
    rows.unplug_in_the_middle(bench, "unplug.keyboard", usb)
    rows.unplug(bench, usb)
