"""Serial scanners: a USB gadget with a virtual serial line, read by cdc_acm and the agent's serial scanner."""

from pathlib import Path
from typing import Any

from lab.guest import rows
from lab.guest.bench import Bench
from lab.guest.gadget import MAKER, PRODUCT, Gadget
from lab.payloads import all_payloads, ascii_payloads

TIMEOUT_MS = 3_000  # an emulated machine on a busy one stops for longer than any scanner
PART_BYTES = 16
REPLUGS = 5
FOUND_S_MAX = 1.0  # the lookouts' clock alone would take 60 s here (listener.CLOCK_S)


class Line:
    """A serial scanner with its framing, and perhaps an AIM id before each payload."""

    pause_s = 0.0

    def __init__(
        self, number: int, scanner: str, terminator: bytes, aim: str | None = None, serial: str | None = None
    ) -> None:
        self.scanner, self.aim, self._terminator = scanner, aim, terminator
        self._gadget = Gadget(number, serial or serial_of(number))
        self._gadget.add_line()
        self.plug_in, self.unplug, self.put = self._gadget.plug_in, self._gadget.unplug, self._gadget.send

    def parts(self, data: bytes) -> list[bytes]:
        """Return the bytes, framed, a few at a time."""
        line = (self.aim or "").encode() + data + self._terminator
        return [line[at : at + PART_BYTES] for at in range(0, len(line), PART_BYTES)]


def serial_of(number: int) -> str:
    """Return the serial number of that gadget."""
    return f"LAB{number}"


def settings() -> list[dict[str, Any]]:
    """Return the scanners of these rows."""
    return [
        {"id": "serial-cr", **_at(0), "framing": "cr", "scans_per_s_max": rows.SCANS_PER_S_MAX},
        {"id": "serial-crlf", **_at(1), "path": "usb:0c2e:0200:LAB1", "framing": "crlf", "aim_id": True},
    ]


def _at(number: int) -> dict[str, Any]:
    return {"type": "serial", "path": path_of(number), "baud": 115200, "timeout_ms": TIMEOUT_MS}


def path_of(number: int) -> str:
    """Return udev's name for that gadget's line."""
    return f"/dev/serial/by-id/usb-{MAKER}_{PRODUCT}_{serial_of(number)}-if00"


def play(bench: Bench) -> None:
    """Play every row of serial scanners."""
    plain, with_aim = Line(0, "serial-cr", b"\r"), Line(1, "serial-crlf", b"\r\n", aim="]Q1")
    for line in (plain, with_aim):
        rows.plug_in(bench, line)
    for turn in ("first", "second"):
        rows.one_after_another(bench, "serial", plain, all_payloads(f"serial, {turn}"))
    rows.one_after_another(bench, "serial.aim", with_aim, all_payloads("serial.aim"))
    rows.at_once(bench, "two at once", [plain, with_aim], [ascii_payloads("one of two"), ascii_payloads("two of two")])
    rows.unplug_in_the_middle(bench, "unplug.serial", plain)
    rows.stall_meanwhile(bench, "stall.serial", plain)
    rows.flood(bench, "flood.serial", plain)
    plug_in_again(bench, plain)
    for line in (plain, with_aim):
        rows.unplug(bench, line)


def plug_in_again(bench: Bench, line: Line) -> None:
    """Replug often; the shortest of the times until it was found has to be short. Raises RuntimeError.

    A machine that others keep busy adds to each of them and takes nothing away.
    """
    took_s = []
    for _ in range(REPLUGS):
        rows.unplug(bench, line)
        took_s.append(bench.found(line.scanner, line.plug_in, Path(path_of(0))))
    rows.one_after_another(bench, "hot-plug", line, ascii_payloads("hot-plug")[-1:])
    bench.say(f"hot-plug: found {min(took_s):.2f} s behind udev's link, at most {max(took_s):.2f} s")
    if min(took_s) >= FOUND_S_MAX:
        raise RuntimeError(f"a device was found after {min(took_s):.2f} s, {FOUND_S_MAX:g} s at most")
