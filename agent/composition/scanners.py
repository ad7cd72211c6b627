"""The scanners that the configuration names, each with its step; who is told of them, and what the status shows."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from importlib import import_module

from agent.adapters.console.console import Console
from agent.adapters.scanners.app import AppScanner
from agent.adapters.scanners.app import Settings as AppSettings
from agent.adapters.scanners.camera_settings import Settings as CameraSettings
from agent.adapters.scanners.hid_settings import Settings as HidSettings
from agent.adapters.scanners.hotplug import KernelEvents
from agent.adapters.scanners.keyboard_settings import Settings as KeyboardSettings
from agent.adapters.scanners.lookout import DeviceAbsent, HotPlug
from agent.adapters.scanners.network_settings import Settings as NetworkSettings
from agent.adapters.scanners.presence import OnPresence, Presence, log_presence
from agent.adapters.scanners.replay import ReplayScanner
from agent.adapters.scanners.replay import Settings as ReplaySettings
from agent.adapters.scanners.serial import SerialScanner
from agent.config import Config, ScannerSettings
from agent.ports import Clock, Counted, Entered, FrameReader, Scanner, TakesScans, Triggered

WHY_CHARS_MAX = 160  # of what the status says about an absent scanner


def open_hot_plug(stack: AsyncExitStack) -> KernelEvents:
    """Return what tells every scanner that devices came or went; it listens until the stack ends."""
    events = KernelEvents()
    events.start()
    stack.callback(events.stop)
    return events


def build_scanners(
    config: Config, clock: Clock, console: Console, hot_plug: HotPlug | None = None
) -> dict[str, tuple[Scanner, str]]:
    """Return each scanner with the step it serves, by id."""
    on_presence = presence_of(console)
    return {s.id: (build_scanner(s, clock, on_presence, hot_plug), config.step_of(s)) for s in config.scanners}


def may_end(config: Config) -> set[str]:
    """Return the names of the tasks that may end while the agent runs: a replay is over when its file is."""
    return {f"checkpoint:{s.id}" for s in config.scanners if isinstance(s, ReplaySettings)}


def build_scanner(
    settings: ScannerSettings, clock: Clock, on_presence: OnPresence, hot_plug: HotPlug | None = None
) -> Scanner:
    """Return the scanner that these settings describe; what reads it is imported only where it is configured."""
    if isinstance(settings, ReplaySettings):
        return ReplayScanner(settings, clock, on_presence)
    if isinstance(settings, HidSettings):
        from agent.adapters.scanners.hid import HidScanner  # noqa: PLC0415

        return HidScanner(settings, clock, on_presence, hot_plug)
    if isinstance(settings, KeyboardSettings):
        from agent.adapters.scanners.keyboard import KeyboardScanner  # noqa: PLC0415

        return KeyboardScanner(settings, clock, on_presence, hot_plug)
    if isinstance(settings, NetworkSettings):
        from agent.adapters.scanners.network import NetworkScanner  # noqa: PLC0415

        return NetworkScanner(settings, clock, on_presence)
    if isinstance(settings, AppSettings):
        return AppScanner(settings, clock, on_presence)
    if isinstance(settings, CameraSettings):
        from agent.adapters.scanners.camera import CameraScanner  # noqa: PLC0415

        return CameraScanner(settings, clock, on_presence, hot_plug, make_reader=lambda: frame_reader(settings))
    return SerialScanner(settings, clock, on_presence, hot_plug)


class Entrance:
    """ports.ScanEntrance over the scanners there are."""

    def __init__(self, scanners: Mapping[str, tuple[Scanner, str]]) -> None:
        self._scanners = {name: scanner for name, (scanner, _) in scanners.items()}

    def enter(self, scanner: str, data: bytes, aim: str | None) -> Entered:
        """Bring a scan, where a program may."""
        found = self._scanners.get(scanner)
        if isinstance(found, TakesScans):
            return found.enter(data, aim)
        return Entered.UNKNOWN

    def trigger(self, scanner: str, *, on: bool) -> bool | None:
        """Have a scanner look for a code, or stop, where it can be told."""
        found = self._scanners.get(scanner)
        if isinstance(found, Triggered):
            found.trigger(on=on)
            return True
        return None if found is None else False


def said_of(scanners: Mapping[str, tuple[Scanner, str]], config: Config, why: Mapping[str, str]) -> list[object]:
    """Return what the status says of each scanner. why: why the absent ones are, by id."""
    types = {s.id: str(s.__struct_config__.tag) for s in config.scanners}
    return [
        {"id": name, "type": types.get(name), "step": step, "presence": scanner.presence}
        | ({"why": why[name][:WHY_CHARS_MAX]} if scanner.presence != Presence.PRESENT and name in why else {})
        | _counts(scanner)
        for name, (scanner, step) in scanners.items()
    ]


def _counts(scanner: Scanner) -> dict[str, object]:
    if not isinstance(scanner, Counted):
        return {}
    counts = scanner.counts
    said: dict[str, object] = {"scans": counts.scans, "repeats": counts.repeats, "dropped": counts.dropped}
    return said | {"faults": dict(counts.faults)} if counts.faults else said


def frame_reader(settings: CameraSettings) -> FrameReader:
    """Return what finds codes in this camera's pictures; imported only where a camera runs. Raises DeviceAbsent."""
    vision = import_module("agent.adapters.vision.reader")
    try:
        reader: FrameReader = vision.CodeReader(symbologies=settings.symbologies, extra=settings.extra == "auto")
    except ValueError as error:  # a kind of code that no decoder here reads
        raise DeviceAbsent(f"{settings.path} cannot be read ({error}): correct symbologies") from error
    return reader


def presence_of(console: Console) -> OnPresence:
    """Return what tells log and console that a scanner came or went."""

    def tell(scanner: str, presence: Presence, why: str) -> None:
        log_presence(scanner, presence, why)
        console.tell("scanner", f"{scanner} is {presence.value}: {why}")
        console.scanner(scanner, presence.value, why)

    return tell
