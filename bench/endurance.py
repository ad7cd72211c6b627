"""What the agent holds after thousands of scans: memory must not grow with what was scanned, shown and delivered.

A replay scanner gives codes as fast as the agent takes them; MQTT carries the records, a program and both pages listen.
One-time codes are few: each is remembered, about 200 bytes, until it has expired; here a day's worth comes in a minute.
"""

import asyncio
import tempfile
import time
from pathlib import Path

from bench.line import Line
from demo.onlookers import Onlookers
from demo.setting import Setting, running, usage_of
from demo.visit import flip_one_bit
from platform_stub.issuing.issuer import Issuer, card_of

SCANS = 20_000
WARM_SCANS = 5_000  # until then caches and queues of fixed size fill
GROWTH_KB_PER_1000_MAX = 50.0
ONCE_EVERY = 10
SAMPLE_S = 0.25
END_S_MAX = 400.0
SCANNER = '[[scanners]]\nid = "replayed"\ntype = "replay"\npath = "{path}"\nstep = "payment"\n'


def lines() -> list[Line]:
    """Measure."""
    with tempfile.TemporaryDirectory(prefix="scanward-bench-") as folder:
        samples = asyncio.run(measure(Path(folder)))
    slope_kb = slope(samples)  # bytes a record are kB for 1000
    first, last = (resident / 1e6 for _, resident in (samples[0], samples[-1]))
    detail = f"{samples[-1][0]} records, {first:.1f} MB after {samples[0][0]}, {last:.1f} MB at the end"
    name = "growth of memory for 1000 records"
    return [Line(name, slope_kb, GROWTH_KB_PER_1000_MAX, "at most", "kB", detail)]


async def measure(folder: Path) -> list[tuple[int, int]]:
    """Return (records so far, bytes resident) from the warm agent until all is scanned and delivered."""
    samples = list[tuple[int, int]]()
    async with running(folder) as setting:
        await setting.agent.stop()
        with setting.config.open("a") as config:
            config.write(SCANNER.format(path=write_codes(setting, folder / "codes")))
        await setting.agent.start()
        onlookers = Onlookers(setting)
        await onlookers.open_pages()
        try:
            async with asyncio.timeout(END_S_MAX):
                records = 0
                while records < SCANS or (await setting.status())["uplink"]["waiting"]:
                    await asyncio.sleep(SAMPLE_S)
                    records = int((await setting.status())["ledger"]["head_seq"])
                    if records >= WARM_SCANS:
                        samples.append((records, usage_of(setting.agent.pid).resident_bytes))
                        setting.display.take_all()
        finally:
            await onlookers.aclose()
    return samples


def write_codes(setting: Setting, path: Path) -> Path:
    """Write codes of each kind, every one different: on paper, forged, none at all, now and then for one use."""
    issuer, now_s = Issuer(setting.platform_folder), int(time.clock_gettime(time.CLOCK_REALTIME))
    with path.open("w") as file:
        for number in range(SCANS // 4):
            card = card_of(f"nobody {number}")
            paper = issuer.mint_static(card, now_s - 60)
            often = issuer.mint_dynamic(card, now_s) if number % ONCE_EVERY == 0 else f"more noise {number}"
            for text in (paper, flip_one_bit(paper), f"noise {number}", often):
                file.write(f"{text}\n")
    return path


def slope(samples: list[tuple[int, int]]) -> float:
    """Return bytes a record, by least squares."""
    mean_x = sum(x for x, _ in samples) / len(samples)
    mean_y = sum(y for _, y in samples) / len(samples)
    spread = sum((x - mean_x) ** 2 for x, _ in samples)
    return sum((x - mean_x) * (y - mean_y) for x, y in samples) / spread
