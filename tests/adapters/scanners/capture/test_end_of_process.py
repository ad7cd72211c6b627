"""The end of a process whose camera was looking at a picture just then."""

import subprocess
import sys

import pytest

PROCESS = """
import asyncio
from PIL import Image
from agent.adapters.scanners.capture.picture import Counts, Picture
from agent.adapters.scanners.capture.sight import Sight
from agent.adapters.vision.reader import CodeReader
from agent.core.reading.stillness import Stillness

NOISE = [Image.effect_noise((1280, 720), 60).tobytes() for _ in range(2)]

class Noise:
    is_live, taken = True, 0
    open = lambda self: "noise"
    close = wake = lambda self: None
    def next(self, timeout_s):
        self.taken += 1
        return Picture(memoryview(NOISE[self.taken % 2]), "GREY", 1280, 720, 1280)

class Nobody:
    on_seen = on_pieces = on_gone = lambda self, *told, **more: None

async def look():
    source = Noise()
    sight = Sight(source, CodeReader, Nobody(), Counts(), Stillness())
    sight.start()
    while source.taken < TAKEN:
        await asyncio.sleep(0.002)
    sight.stop()

asyncio.run(look())
"""


@pytest.mark.parametrize("taken", [2, 4, 6, 8])
def test_a_process_that_ends_while_its_camera_reads_a_picture_ends_well(taken: int) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROCESS.replace("TAKEN", str(taken))], capture_output=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr[-300:]
