"""A serial scanner at a path, with the settings a test names."""

from pathlib import Path

from agent.adapters.scanners.serial import SerialScanner, Settings
from fakes.tty import Presences
from fakes.world import FakeClock


def scanner_at(path: Path, told: Presences, **settings: object) -> SerialScanner:
    return SerialScanner(Settings(id="front", path=str(path), **settings), FakeClock(), told)  # type: ignore[arg-type]
