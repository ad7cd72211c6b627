"""A camera: vivid shows codes to the agent's camera scanner. The codes are drawn by another library than reads them."""

from pathlib import Path
from typing import Any

import segno

from lab.guest.bench import HEARD_S_MAX, Bench
from lab.guest.vivid import Camera
from lab.payloads import all_payloads

LINK = Path("/run/tmp/camera")
SCANNER = "camera"


def settings() -> list[dict[str, Any]]:
    """Return the scanners of these rows."""
    return [{"id": SCANNER, "type": "camera", "path": str(LINK), "format": "yuyv"}]


def play(bench: Bench) -> None:
    """Hold up one code after another."""
    camera = Camera(LINK)
    bench.plugged(SCANNER, camera.plug_in)
    for kind, data in all_payloads("camera"):
        before = bench.listener.heard(SCANNER)
        bench.write_down("camera", kind, SCANNER, data)
        code = segno.make_qr(data, error="m", boost_error=False)
        camera.show([[bool(module) for module in row] for row in code.matrix])
        bench.listener.until_heard(SCANNER, before + 1, HEARD_S_MAX)
        camera.show([])
    bench.say("camera")
