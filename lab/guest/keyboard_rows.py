"""Keyboard scanners: uinput and a real USB boot keyboard, read by evdev and the agent's keyboard scanner.

What is typed comes from the X keyboard extension's tables, not from the agent's layouts.
"""

import errno
import fcntl
import os
import time
from typing import Any

from lab.guest import rows
from lab.guest.bench import Bench
from lab.guest.gadget import KEYBOARD, Gadget
from lab.guest.layouts import ALT_GR, CTRL, ENTER, SHIFT, SPACE, Strokes, alt_strokes, caps_strokes, strokes_of
from lab.guest.uinput import EVIOCGRAB, Keyboard, link_of, records_of
from lab.journal import Expect
from lab.payloads import accented, ascii_payloads, chinese
from lab.verdict import LAYOUTS

TIMEOUT_MS = 1_500  # also how long a keyboard has to be quiet before it is present
STROKES_A_PART = 4
STROKE_S = 0.001  # the fastest a USB keyboard can: one report in each frame of full speed
USB_NUMBER, REPORT_BYTES = 2, 8
DEAD_KEYS = {"de": "éèêâúô", "fr": "êëâîôüï", "es": "áéíóúüàê"}
MORE: dict[str, dict[str, Any]] = {"cn": {"alt_codes": "unicode"}, "us": {"scans_per_s_max": rows.SCANS_PER_S_MAX}}
USB_KINDS = {"gs1", "aim", "url"}  # the short ones: a real keyboard is polled, two reports a character


class Typing:
    """A keyboard of uinput, set to one layout."""

    aim = None
    pause_s = STROKE_S * STROKES_A_PART

    def __init__(self, layout: str, scanner: str | None = None) -> None:
        self.scanner, self._layout = scanner or f"keyboard-{layout}", layout
        keyboard = Keyboard(f"Lab {self.scanner}", 0x0300 + LAYOUTS.index(layout))
        self.link, self.plug_in, self.unplug, self.put = (
            keyboard.link, keyboard.plug_in, keyboard.unplug, keyboard.put,
        )  # fmt: skip

    def parts(self, data: bytes) -> list[bytes]:
        """Return the key strokes, Enter last, a few at a time."""
        return self.typed(strokes_of(data.decode(), self._layout))

    def typed(self, strokes: Strokes) -> list[bytes]:
        """Return these key strokes and Enter as parts."""
        records = records_of([*strokes, (ENTER, 1), (ENTER, 0)])
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
    usb = "usb:0c2e:0201:LABKEYS"
    common = {"type": "keyboard", "timeout_ms": TIMEOUT_MS, "terminator": "enter"}
    return [
        *(
            {"id": f"keyboard-{name}", "path": str(link_of(f"Lab keyboard-{name}")), "layout": name, **common}
            | MORE.get(name, {})
            for name in LAYOUTS
        ),
        {"id": UsbKeyboard.scanner, "path": usb, "layout": "us", **common},
    ]


def play(bench: Bench) -> None:
    """Play every row of keyboard scanners."""
    keyboards = [Typing(layout) for layout in LAYOUTS]
    rows.plug_in_all(bench, keyboards)
    by_layout = dict(zip(LAYOUTS, keyboards, strict=True))
    for layout, keyboard in by_layout.items():
        rows.one_after_another(bench, f"keyboard.{layout}", keyboard, ascii_payloads(f"keyboard {layout}"))
    us = by_layout["us"]
    for kind, data in ascii_payloads("keyboard.caps"):
        if kind in USB_KINDS:
            type_out(bench, "keyboard.caps", kind, us, data, caps_strokes(data.decode("ascii"), "us"))
    for layout, letters in DEAD_KEYS.items():
        for turn in ("first", "second"):
            text = accented(f"{layout}, {turn}", letters)
            type_out(bench, "keyboard.dead", "accents", by_layout[layout], text.encode(), strokes_of(text, layout))
    for turn in ("first", "second"):
        text = chinese(f"keyboard.alt, {turn}")
        type_out(bench, "keyboard.alt", "utf-8", by_layout["cn"], text.encode(), alt_strokes(text))
    grab_again(us)
    rows.unplug_in_the_middle(bench, "unplug.keyboard", by_layout["de"])
    rows.stall_meanwhile(bench, "stall.keyboard", us, Expect.REFUSED)  # the kernel keeps 64 events
    rows.flood(bench, "flood.keyboard", us)
    for keyboard in keyboards:
        rows.unplug(bench, keyboard)


def type_out(bench: Bench, row: str, kind: str, keyboard: Typing, data: bytes, strokes: Strokes) -> None:
    """Type these keys, of which that data has to come."""

    def send() -> None:
        for part in keyboard.typed(strokes):
            keyboard.put(part)
            time.sleep(keyboard.pause_s)

    bench.scan(row, kind, keyboard.scanner, data, send)


def grab_again(keyboard: Typing) -> None:
    """Try to take a keyboard that the agent holds; the kernel must not give it. Raises RuntimeError."""
    fd = os.open(keyboard.link, os.O_RDONLY | os.O_NONBLOCK)
    try:
        fcntl.ioctl(fd, EVIOCGRAB, 1)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
    else:
        raise RuntimeError(f"{keyboard.scanner} is open, but not for the agent alone")
    finally:
        os.close(fd)


def play_usb(bench: Bench) -> None:
    """Play the row of the keyboard that enumerates on USB."""
    usb = UsbKeyboard()
    rows.plug_in(bench, usb)
    short = [one for one in ascii_payloads("keyboard.usb") if one[0] in USB_KINDS]
    rows.one_after_another(bench, "keyboard.usb", usb, short)
    rows.unplug_in_the_middle(bench, "unplug.keyboard", usb)
    rows.unplug(bench, usb)
