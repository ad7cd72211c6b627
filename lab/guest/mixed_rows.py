"""Eight scanners of three kinds at once: lines, HID POS scanners and keyboards, none of which may disturb another."""

from lab.guest import rows
from lab.guest.bench import Bench
from lab.guest.channel import Channel
from lab.guest.gadget import Gadget
from lab.guest.hid_rows import DESCRIPTOR, REPORT_BYTES, Pos
from lab.guest.keyboard_rows import Typing
from lab.guest.serial_rows import Line, serial_of
from lab.guest.uhid import HidDevice
from lab.payloads import ascii_payloads


def play(bench: Bench) -> None:
    """Plug in eight, scan every kind of payload on all of them at once, pull them out."""
    usb = Gadget(7, "LABPOS2", product=0x0401)
    usb.add_hid(DESCRIPTOR, REPORT_BYTES)
    channels: list[Channel] = [
        Line(5, "serial-cr", b"\r", serial=serial_of(0)),
        Line(6, "serial-crlf", b"\r\n", aim="]Q1", serial=serial_of(1)),
        Pos("hid", "]Q1", HidDevice("Lab Scanner", "LABPOS1", DESCRIPTOR)),
        Pos("hid-usb", "]C1", usb),
        *(Typing(layout) for layout in ("us", "de", "fr", "jp")),
    ]
    rows.plug_in_all(bench, channels)
    rows.at_once(bench, "eight at once", channels, [ascii_payloads(f"eight, {one.scanner}") for one in channels])
    for channel in channels:
        rows.unplug(bench, channel)
