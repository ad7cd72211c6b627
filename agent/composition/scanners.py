"""The scanners that the configuration names, each with its step, and who is told when one comes or goes."""

from contextlib import AsyncExitStack
from importlib import import_module

from agent.adapters.console.console import Console
from agent.adapters.scanners.camera import CameraScanner
from agent.adapters.scanners.camera import Settings as CameraSettings
from agent.adapters.scanners.hid import HidScanner
from agent.adapters.scanners.hid import Settings as HidSettings
from agent.adapters.scanners.hotplug import KernelEvents
from agent.adapters.scanners.keyboard import KeyboardScanner
from agent.adapters.scanners.keyboard import Settings as KeyboardSettings
from agent.adapters.scanners.lookout import HotPlug
from agent.adapters.scanners.presence import OnPresence, Presence, log_presence
from agent.adapters.scanners.replay import ReplayScanner
from agent.adapters.scanners.replay import Settings as ReplaySettings
from agent.adapters.scanners.serial import SerialScanner
from agent.config import Config, ScannerSettings
from agent.ports import Clock, FrameReader, Scanner


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
    """Return the scanner that these settings describe."""
    if isinstance(settings, ReplaySettings):
        return ReplayScanner(settings, clock, on_presence)
    if isinstance(settings, KeyboardSettings):
        return KeyboardScanner(settings, clock, on_presence, hot_plug)
    if isinstance(settings, HidSettings):
        return HidScanner(settings, clock, on_presence, hot_plug)
    if isinstance(settings, CameraSettings):
        return CameraScanner(settings, clock, on_presence, hot_plug, make_reader=lambda: frame_reader(settings))
    return SerialScanner(settings, clock, on_presence, hot_plug)


def frame_reader(settings: CameraSettings) -> FrameReader:
    """Return what finds codes in this camera's pictures; imported only where a camera runs."""
    vision = import_module("agent.adapters.vision.reader")
    reader: FrameReader = vision.CodeReader(symbologies=settings.symbologies, extra=settings.extra)
    return reader


def presence_of(console: Console) -> OnPresence:
    """Return what tells log and console that a scanner came or went."""

    def tell(scanner: str, presence: Presence, why: str) -> None:
        log_presence(scanner, presence, why)
        console.tell("scanner", f"{scanner} is {presence.value}: {why}")
        console.scanner(scanner, presence.value)

    return tell
