"""HID POS scanners: uhid and a real USB device, read by hidraw and the agent's HID scanner.

The form of the reports is that of HID Point of Sale Usage Tables 1.02, usage page 0x8C.
"""

from typing import Any

from lab.guest import rows
from lab.guest.bench import Bench
from lab.guest.gadget import Gadget
from lab.guest.uhid import HidDevice
from lab.payloads import all_payloads

TIMEOUT_MS = 1_500
REPORT_ID, DATA_BYTES = 2, 56
REPORT_BYTES = 1 + 1 + 3 + DATA_BYTES + 1
USB_NUMBER = 3

# Byte count, three bytes of AIM id, decoded data, "continued": one input report with an id.
DESCRIPTOR = bytes.fromhex(
    "058c 0902 a101 0912 a102 8502 1500 26ff00 7508"
    "9501 0501 093b 8102"
    "9503 058c 09fb 09fc 09fd 8102"
    "9538 09fe 820201"
    "9501 09ff 8102"
    "c0 c0"
)


class Pos:
    """A HID POS scanner; reports go wherever its device sends them."""

    pause_s = 0.001

    def __init__(self, scanner: str, aim: str, device: HidDevice | Gadget) -> None:
        self.scanner, self.aim, self._device = scanner, aim, device
        self.plug_in, self.unplug = device.plug_in, device.unplug

    def parts(self, data: bytes) -> list[bytes]:
        """Return the reports of one scan; the last byte of each says whether more follows."""
        pieces = [data[at : at + DATA_BYTES] for at in range(0, len(data), DATA_BYTES)]
        return [
            bytes((REPORT_ID, len(piece)))
            + self.aim.encode()
            + piece.ljust(DATA_BYTES, b"\0")
            + bytes((number < len(pieces),))
            for number, piece in enumerate(pieces, 1)
        ]

    def put(self, part: bytes) -> None:
        """Send one report."""
        if isinstance(self._device, Gadget):
            self._device.report([part])
        else:
            self._device.put(part)


def settings() -> list[dict[str, Any]]:
    """Return the scanners of these rows."""
    common = {"type": "hid", "timeout_ms": TIMEOUT_MS}
    return [
        {"id": "hid", "path": "usb:0c2e:0400:LABPOS1", **common},
        {"id": "hid-usb", "path": "usb:0c2e:0401:LABPOS2", **common},
    ]


def play(bench: Bench) -> None:
    """Play every row of HID POS scanners on uhid."""
    pos = Pos("hid", "]Q1", HidDevice("Lab Scanner", "LABPOS1", DESCRIPTOR))
    rows.plug_in(bench, pos)
    rows.one_after_another(bench, "hid", pos, all_payloads("hid"))
    rows.unplug_in_the_middle(bench, "unplug.hid", pos)
    rows.stall_meanwhile(bench, "stall.hid", pos)
    rows.unplug(bench, pos)


def play_usb(bench: Bench) -> None:
    """Play the row of the HID POS scanner that enumerates on USB."""
    gadget = Gadget(USB_NUMBER, "LABPOS2", product=0x0401)
    gadget.add_hid(DESCRIPTOR, REPORT_BYTES)
    pos = Pos("hid-usb", "]C1", gadget)
    rows.plug_in(bench, pos)
    rows.one_after_another(bench, "hid.usb", pos, all_payloads("hid.usb"))
    rows.unplug_in_the_middle(bench, "unplug.hid", pos)
    rows.unplug(bench, pos)
