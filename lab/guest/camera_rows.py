"""A camera: vivid shows codes to the agent's camera scanner. The codes are drawn by another library than reads them."""

from typing import Any

import segno

from lab.guest.bench import Bench
from lab.guest.vivid import LINK, Camera
from lab.payloads import all_payloads, url

SCANNER = "camera"


def settings() -> list[dict[str, Any]]:
    """Return the scanners of these rows."""
    return [{"id": SCANNER, "type": "camera", "path": str(LINK), "format": "yuyv"}]


def play(bench: Bench) -> None:
    """Hold up one code after another; change codes without a pause; pull the plug while one is held up."""
    camera = Camera()
    bench.plugged(SCANNER, camera.plug_in)
    for kind, data in all_payloads("camera"):
        hold_up(bench, "camera", camera, kind, data)
        camera.show([])
    bench.say("camera")
    for number in range(4):
        hold_up(bench, "camera.next", camera, "url", url(f"camera.next {number}").encode())
    bench.say("camera.next")
    for number in range(2):
        bench.unplugged(SCANNER, camera.unplug)
        bench.plugged(SCANNER, camera.plug_in)
        hold_up(bench, "unplug.camera", camera, "url", url(f"unplug.camera {number}").encode())
    bench.say("unplug.camera")
    bench.unplugged(SCANNER, camera.unplug)


def hold_up(bench: Bench, row: str, camera: Camera, kind: str, data: bytes) -> None:
    """Show a code until something has come of it, and on."""
    code = segno.make_qr(data, error="m", boost_error=False)
    modules = [[bool(module) for module in line] for line in code.matrix]
    bench.scan(row, kind, SCANNER, data, lambda: camera.show(modules))
