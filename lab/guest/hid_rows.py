"""HID POS scanners: uhid and a real USB device, read by hidraw and the agent's HID scanner.

The form of the reports is that of HID Point of Sale Usage Tables 1.02, usage page 0x8C.
"""

import time
from typing import Any

from lab.guest import rows
from lab.guest.bench import HEARD_S_MAX, Bench
from lab.guest.gadget import Gadget
from lab.guest.uhid import HidDevice
from lab.journal import Expect
from lab.payloads import DIGITS, aim, all_payloads, drawn

TIMEOUT_MS = 3_000
REPORT_ID, DATA_BYTES = 2, 56
REPORT_BYTES = 1 + 1 + 3 + DATA_BYTES + 1
USB_NUMBER = 3
LOST_REPORTS = 90
AT_ONCE_S = 0.2
SETTLED_S = 3.0

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
        {"id": "hid", "path": "usb:0c2e:0400:LABPOS1", "scans_per_s_max": rows.SCANS_PER_S_MAX, **common},
        {"id": "hid-usb", "path": "usb:0c2e:0401:LABPOS2", **common},
    ]


def play(bench: Bench) -> None:
    """Play every row of HID POS scanners on uhid."""
    pos = Pos("hid", "]Q1", HidDevice("Lab Scanner", "LABPOS1", DESCRIPTOR))
    rows.plug_in(bench, pos)
    rows.one_after_another(bench, "hid", pos, all_payloads("hid"))
    rows.unplug_in_the_middle(bench, "unplug.hid", pos)
    rows.stall_meanwhile(bench, "stall.hid", pos)
    overflow(bench, pos)
    rows.flood(bench, "flood.hid", pos)
    rows.unplug(bench, pos)


def overflow(bench: Bench, pos: Pos) -> None:
    """Send more reports than hidraw keeps (64) while the agent is stalled, then more as soon as it goes on.

    What is left of the long scan ends without its last report; the next report must not become its end.
    """
    before = bench.listener.heard(pos.scanner)
    scans = [drawn(DIGITS, DATA_BYTES * LOST_REPORTS, "overflow"), *(aim(f"overflow {n}") for n in range(3))]
    for scan in scans:
        bench.write_down("stall.hid", "overflow", pos.scanner, scan.encode(), aim=pos.aim, expect=Expect.EITHER)
    bench.listener.stall()
    for scan in scans[:2]:
        for part in pos.parts(scan.encode()):
            pos.put(part)
    bench.listener.go_on()
    for number, scan in enumerate(scans[2:]):
        time.sleep(AT_ONCE_S)
        rows.put_all(pos, scan.encode())
        bench.listener.until_heard(pos.scanner, before + number + 1, HEARD_S_MAX)
    time.sleep(SETTLED_S)
    for number in range(2):  # the first one behind a scan that broke off may be refused for what it might be
        last, expect = aim(f"behind the overflow {number}").encode(), Expect.EXACT if number else Expect.EITHER
        heard = bench.listener.heard(pos.scanner)
        bench.write_down("stall.hid", "aim", pos.scanner, last, aim=pos.aim, expect=expect)
        rows.put_all(pos, last)
        bench.listener.until_heard(pos.scanner, heard + 1, HEARD_S_MAX)
    bench.say("stall.hid, overflow")


def play_usb(bench: Bench) -> None:
    """Play the row of the HID POS scanner that enumerates on USB."""
    gadget = Gadget(USB_NUMBER, "LABPOS2", product=0x0401)
    gadget.add_hid(DESCRIPTOR, REPORT_BYTES)
    pos = Pos("hid-usb", "]C1", gadget)
    rows.plug_in(bench, pos)
    rows.one_after_another(bench, "hid.usb", pos, all_payloads("hid.usb"))
    rows.unplug_in_the_middle(bench, "unplug.hid", pos)
    rows.unplug(bench, pos)
