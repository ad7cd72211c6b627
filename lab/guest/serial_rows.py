"""Serial scanners: a USB gadget with a virtual serial line, read by cdc_acm and the agent's serial scanner."""

import time
from functools import partial
from typing import Any

from lab.guest.bench import HEARD_S_MAX, Bench
from lab.guest.gadget import MAKER, PRODUCT, Gadget
from lab.journal import Expect
from lab.payloads import all_payloads, ascii_payloads, url

FRAMINGS = {"cr": b"\r", "crlf": b"\r\n"}
TIMEOUT_MS = 1_500  # an emulated machine on a busy one stops for longer than any scanner
FLOOD_SCANS = 140
HALF_S = 0.5


def settings() -> list[dict[str, Any]]:
    """Return the scanners of these rows."""
    return [
        {"id": "serial-cr", **_at("LAB1"), "framing": "cr"},
        {"id": "serial-crlf", **_at("LAB2"), "framing": "crlf", "aim_id": True},
    ]


def _at(serial: str) -> dict[str, Any]:
    path = f"/dev/serial/by-id/usb-{MAKER}_{PRODUCT}_{serial}-if00"
    return {"type": "serial", "path": path, "baud": 115200, "timeout_ms": TIMEOUT_MS}


def play(bench: Bench) -> None:
    """Play every row of serial scanners."""
    plain, with_aim = Gadget(0, "LAB1"), Gadget(1, "LAB2")
    for scanner, gadget in (("serial-cr", plain), ("serial-crlf", with_aim)):
        gadget.add_line()
        bench.plugged(scanner, gadget.plug_in)
    for turn in ("first", "second"):
        for kind, data in all_payloads(f"serial {turn}"):
            bench.scan("serial", kind, "serial-cr", data, partial(plain.send, data + b"\r"))
    for kind, data in all_payloads("serial aim"):
        send = partial(with_aim.send, b"]Q1" + data + b"\r\n")
        bench.scan("serial.aim", kind, "serial-crlf", data, send, aim="]Q1")
    bench.say("serial")
    interleave(bench, plain, with_aim)
    unplug(bench, plain)
    stall(bench, plain)
    flood(bench, plain)
    for scanner, gadget in (("serial-cr", plain), ("serial-crlf", with_aim)):
        bench.unplugged(scanner, gadget.unplug)


def interleave(bench: Bench, plain: Gadget, with_aim: Gadget) -> None:
    """Send on two lines at once, a few bytes each in turn."""
    for (kind, one), (_, two) in zip(ascii_payloads("two, one"), ascii_payloads("two, two"), strict=True):
        before = [bench.listener.heard(scanner) for scanner in ("serial-cr", "serial-crlf")]
        bench.write_down("two at once", kind, "serial-cr", one)
        bench.write_down("two at once", kind, "serial-crlf", two, aim="]C1")
        lines = [(plain, one + b"\r"), (with_aim, b"]C1" + two + b"\r\n")]
        for at in range(0, max(len(line) for _, line in lines), 16):
            for gadget, line in lines:
                gadget.send(line[at : at + 16])
        for scanner, count in zip(("serial-cr", "serial-crlf"), before, strict=True):
            bench.listener.until_heard(scanner, count + 1, HEARD_S_MAX)
    bench.say("two at once")


def unplug(bench: Bench, gadget: Gadget) -> None:
    """Pull the plug in the middle of a scan, put it back, scan again."""
    for turn in ("first", "second", "third"):
        half = url(f"half a scan {turn}").encode()
        bench.write_down("unplug.serial", "half", "serial-cr", half, expect=Expect.REFUSED)
        gadget.send(half[:30])
        time.sleep(HALF_S)
        bench.unplugged("serial-cr", gadget.unplug)
        bench.plugged("serial-cr", gadget.plug_in)
        kind, whole = "url", url(f"after unplugging {turn}").encode()
        bench.scan("unplug.serial", kind, "serial-cr", whole, partial(gadget.send, whole + b"\r"))
    bench.say("unplug.serial")


def stall(bench: Bench, gadget: Gadget) -> None:
    """Stop the agent, scan meanwhile, let it go on."""
    for kind, data in ascii_payloads("while it stalls"):
        before = bench.listener.heard("serial-cr")
        bench.write_down("stall.serial", kind, "serial-cr", data, expect=Expect.EITHER)
        bench.listener.stall()
        gadget.send(data + b"\r")
        time.sleep(0.3)
        bench.listener.go_on()
        bench.listener.until_heard("serial-cr", before + 1, HEARD_S_MAX)
    bench.say("stall.serial")


def flood(bench: Bench, gadget: Gadget) -> None:
    """Send more scans than any hand makes; then, once the flood is over, one more."""
    time.sleep(4)  # the room for a burst is whole again
    for number in range(FLOOD_SCANS):
        data = f"flood {number:04}".encode()
        bench.write_down("flood", "flood", "serial-cr", data, expect=Expect.EITHER)
        gadget.send(data + b"\r")
    time.sleep(4)
    after = url("after the flood").encode()
    bench.scan("flood", "url", "serial-cr", after, partial(gadget.send, after + b"\r"))
    bench.say("flood")
