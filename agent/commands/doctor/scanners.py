"""Scanners together, and as agent and network see them: two on one device, one forgotten, many faults, no reader.

The law: no device is opened, and a reader on the network is called only while no agent is connected to it.
"""

import asyncio
import contextlib
import importlib.util
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from agent.adapters.scanners.devices import list_devices
from agent.adapters.scanners.lookout import DeviceAbsent
from agent.commands.doctor import uplinks
from agent.commands.doctor.finding import Check, Finding, fault, in_thread, of_files, ok, warning
from agent.commands.doctor.machine import Machine
from agent.commands.doctor.status import Scanner, read_status
from agent.commands.scanners import naming
from agent.config import Config, ScannerSettings

CONNECT_S_MAX = 3.0
FAULTS_MIN, FAULTS_SHARE = 5, 0.2  # fewer are a patient's crumpled paper
HINTS_MAX = 4
HABITS: Mapping[str, tuple[str, str]] = {  # a fault that comes again and again: what it points at, what to do
    "keys": (
        "keys that the layout does not have: the wrong layout, most likely",
        "scanward scanners calibrate reads its layout; docs/scanners.md",
    ),
    "damaged": (
        "damaged: the wrong baud, prefix, suffix or framing, most likely",
        "scanward scanners calibrate finds them; see cable and ground of an RS-232 line",
    ),
    "incomplete": (
        "without an end: framing or terminator is not what the scanner sends, most likely",
        "scanward scanners calibrate finds it; a suffix (Enter, CR) can be set on the scanner",
    ),
    "lost": (
        "partly lost in the kernel: this machine is too slow now and then",
        "see memory, heat and what else runs here; connect the scanner as serial instead of as keyboard",
    ),
    "cut": (
        "cut off because the scanner went away: a loose plug, a bad cable or too little power",
        "see plug, cable and power supply; no hub without a supply of its own",
    ),
    "flood": (
        "cut as a flood",
        "see what lies in front of a presentation scanner; same_code_interval_ms, scans_per_s_max",
    ),
    "symbology": ("of a kind it is not to take", "add the kind to symbologies, or turn it off on the scanner"),
}


def checks_of(config: Config, machine: Machine, agent_of: Callable[[], int | None]) -> list[Check]:
    """Return what can be looked at beyond each scanner's own device."""
    readers = [
        Check(f"reader {s.id}", partial(reader, s, agent_of))
        for s in config.scanners
        if naming.type_of(s) == "network" or naming.path_of(s).startswith(("http://", "https://"))
    ]
    cameras = [
        of_files(f"camera {s.id}", partial(decoder, s)) for s in config.scanners if naming.type_of(s) == "camera"
    ]
    return [
        of_files("scanners", partial(together, config, machine)),
        Check("scans", partial(habits, config, agent_of)),
        *readers,
        *cameras,
    ]


def together(config: Config, machine: Machine) -> Sequence[Finding]:
    """Look for two scanners on one device, and for one that nobody configured."""
    found, first_by_node = list[Finding](), dict[Path, str]()
    devices = list_devices(machine.root)
    for scanner in config.scanners:
        try:
            node = naming.node_of(scanner, machine.root)
        except DeviceAbsent:
            continue
        first = first_by_node.setdefault(node, scanner.id)
        if first != scanner.id and node != Path(os.devnull):
            do = "each scanner has a device of its own: correct the path of one of them (scanward scanners list)"
            found.append(fault("scanners", f"{first} and {scanner.id} are one device, {node}", do))
    used = [d for s in config.scanners if (d := naming.device_of(s, devices, machine.root)) is not None]
    known = {(d.vendor, d.product, d.serial) for d in used}
    forgotten = [d for d in devices if d.is_scanner and d.vendor and (d.vendor, d.product, d.serial) not in known]
    for device in forgotten[:HINTS_MAX]:
        hint = f"{device.name} ({naming.usb_path(device)}) is plugged in as {device.kind.value} and not configured"
        found.append(ok("scanners", f"{hint}: scanward scanners list has its section"))
    return found or [ok("scanners", f"{len(config.scanners)} configured, each with a source of its own")]


async def habits(config: Config, agent_of: Callable[[], int | None]) -> Sequence[Finding]:
    """Look at what the running agent counts: faults that come again and again have a cause."""
    if await in_thread(agent_of) is None:
        return [ok("scans", "counted while the agent runs")]
    status = await read_status(config)
    if status is None:
        return [ok("scans", "the agent's counts cannot be read by this user")]
    found = [finding for scanner in status.scanners for finding in habits_of(scanner)]
    return found or [ok("scans", "no fault that comes again and again")]


def habits_of(scanner: Scanner) -> list[Finding]:
    """Return what one scanner's counts point at."""
    found = list[Finding]()
    if (
        scanner.presence == "absent" and scanner.type == "network"
    ):  # a device that is not there is told by its own check
        what, _, do = scanner.why.partition(": ")
        found.append(
            warning("scans", f"{scanner.id} is absent: {what}", do or "see the reader's power, cable, address")
        )
    for kind, count in sorted(scanner.faults.items()):
        if count < FAULTS_MIN or count < FAULTS_SHARE * max(1, scanner.scans) or kind not in HABITS:
            continue
        what, do = HABITS[kind]
        found.append(warning("scans", f"{scanner.id}: {count} of {scanner.scans} scans were {what}", do))
    return found


async def reader(settings: ScannerSettings, agent_of: Callable[[], int | None]) -> Sequence[Finding]:
    """Look whether a reader on the network can be reached; not beside the agent: a second caller could push it out."""
    topic, path = f"reader {settings.id}", naming.path_of(settings)
    scheme, host, port = "", None, None
    with contextlib.suppress(ValueError):
        url = urlsplit(path)
        scheme, host, port = url.scheme, url.hostname, url.port or {"http": 80, "https": 443}.get(url.scheme)
    if host is None or port is None:
        return [fault(topic, f"{path} is no address", "write tcp://HOST:PORT or listen://ADDRESS:PORT")]
    if await in_thread(agent_of) is not None:
        return [ok(topic, "the agent runs, and says itself whether it is there (GET /v1/status)")]
    if scheme == "listen":
        return [ok(topic, f"readers connect to {host}:{port} once the agent runs")]
    try:
        async with asyncio.timeout(CONNECT_S_MAX):
            _, writer = await uplinks.connect(host, port)
        writer.close()
    except OSError as error:
        what, _ = uplinks.trouble_of(error, host, port)
        do = "see the reader's power and cable, its address, and that it is set to TCP server on that port"
        return [fault(topic, what, do)]
    return [ok(topic, f"{host}:{port} takes connections")]


def decoder(settings: ScannerSettings) -> Sequence[Finding]:
    """Look whether what decodes a camera's pictures is installed."""
    topic = f"camera {settings.id}"
    if importlib.util.find_spec("zxingcpp") is None:
        return [
            fault(topic, "the decoder of pictures is not installed", "pip install zxing-cpp, in the agent's folder")
        ]
    extra = getattr(settings, "extra", "off")
    if extra not in {"off", False} and importlib.util.find_spec("cv2") is None:
        text = "only the basic decoder is installed: codes that are hard to read are read less often"
        do = 'pip install "scanward[vision]", or set extra = "off"'
        return [warning(topic, text, do) if extra in {"on", True} else ok(topic, f"{text} ({do})")]
    return [ok(topic, "the decoder is installed")]
