"""The whole agent, `scanward run`, with scanners on real drivers; what it did is read from its ledger.

Each code is signed and works once, so a record that names its replay id proves that every byte of it arrived.
"""

import asyncio
import hashlib
import json
import multiprocessing
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import IO

import agent.app  # noqa: F401 — loaded once, for the fork that is the agent
from agent.cli import main
from agent.core.transaction import record_of
from lab.guest import rows
from lab.guest.bench import FOLDER, Bench
from lab.guest.channel import Channel
from lab.guest.hid_rows import DESCRIPTOR, Pos
from lab.guest.keyboard_rows import Typing
from lab.guest.serial_rows import Line, path_of
from lab.guest.uhid import HidDevice
from lab.guest.waiting import until
from lab.journal import Heard, heard_line
from platform_stub.issuing.issuer import CTI_BYTES, Issuer
from platform_stub.platform import serve

HOME = Path("/run/tmp/agent")
PLATFORM_PORT, CONSOLE_PORT = 8080, 8090
START_S_MAX = 120.0
LOOK_S = 0.5  # each look is a request that the agent answers, on the same processor
RECORDED_S_MAX = 20.0
CODES_A_SCANNER = 3
LIFE_S = 60
ROW = "agent"
CONFIG = """
[terminal]
id = "lab"
[state]
directory = "{home}/state"
[[scanners]]
id = "agent-serial"
type = "serial"
path = "{serial}"
timeout_ms = 1500
[[scanners]]
id = "agent-hid"
type = "hid"
path = "usb:0c2e:0402:LABPOS3"
timeout_ms = 1500
[[scanners]]
id = "agent-keyboard"
type = "keyboard"
path = "{keyboard}"
layout = "de"
timeout_ms = 1500
[uplink.http]
url = "http://127.0.0.1:{platform}"
[trust]
root = "{home}/platform/root.json"
[console]
listen = "127.0.0.1:{console}"
"""


def start_platform() -> None:
    """Start the platform; it ends with the machine."""
    HOME.mkdir()
    multiprocessing.get_context("fork").Process(target=_serve, daemon=True).start()


def play(bench: Bench) -> None:
    """Start platform and agent, scan signed codes on three scanners, and let the ledger speak."""
    start_platform()
    keyboard = Typing("de", "agent-keyboard")
    line = Line(4, "agent-serial", b"\r")
    pos = Pos("agent-hid", "]Q1", HidDevice("Lab Scanner", "LABPOS3", DESCRIPTOR, product=0x0402))
    channels: Sequence[Channel] = (line, pos, keyboard)
    config = CONFIG.format(
        home=HOME, serial=path_of(4), keyboard=keyboard.link, platform=PLATFORM_PORT, console=CONSOLE_PORT
    )
    (HOME / "agent.toml").write_text(config)
    for channel in channels:
        channel.plug_in()
    until((HOME / "platform/root.json").exists, START_S_MAX, "the platform makes its keys", LOOK_S)
    with (FOLDER / "agent-log").open("wb") as log:
        agent = multiprocessing.get_context("fork").Process(target=_run, args=(log,))
        agent.start()
        try:
            until(lambda: _is_ready(len(channels)), START_S_MAX, "the agent trusts and sees its scanners", LOOK_S)
            bench.say("the agent is ready")
            codes = _scan(bench, channels)
        finally:
            agent.terminate()
            agent.join(RECORDED_S_MAX)
            status = agent.exitcode
            agent.kill()
    _tell_from_the_ledger(codes)
    for channel in channels:
        channel.unplug()
    bench.say(f"{ROW}: it ended with {status}")
    if status != 0:
        raise ChildProcessError(f"the agent ended with {status}")


def _scan(bench: Bench, channels: Sequence[Channel]) -> dict[bytes, bytes]:
    """Scan, and return each code by its replay id (docs/protocol: record.cddl, replay-id)."""
    issuer = Issuer(HOME / "platform")
    codes: dict[bytes, bytes] = {}
    for number in range(CODES_A_SCANNER):
        for channel in channels:
            cti = os.urandom(CTI_BYTES)
            card = hashlib.sha256(cti).digest()
            code = issuer.mint_dynamic(card, int(time.clock_gettime(time.CLOCK_REALTIME)), LIFE_S, cti=cti).encode()
            subject = issuer.code.encode()
            codes[hashlib.sha256(b"scanward-replay-1" + bytes([len(subject)]) + subject + cti).digest()[:16]] = code
            bench.write_down(ROW, "ehc1", channel.scanner, code)
            rows.put_all(channel, code)
            count = number * len(channels) + channels.index(channel) + 1
            until(partial(_has_decided, count), RECORDED_S_MAX, f"decision {count}", LOOK_S)
    return codes


def _tell_from_the_ledger(codes: dict[bytes, bytes]) -> None:
    """Write down what the ledger's decisions say came out of each scanner."""
    records = HOME / "records.jsonl"
    if main(["queue", "export", "--config", str(HOME / "agent.toml"), "--out", str(records)]) != 0:
        raise ChildProcessError("the ledger cannot be exported")
    with (FOLDER / "heard").open("a", encoding="ascii") as heard:
        for line in records.read_text().splitlines():
            record = record_of(bytes.fromhex(json.loads(line)["envelope"]))
            if record[5] == 0:
                fault = str(record[12]).removeprefix("scan.") if str(record[12]).startswith("scan.") else None
                replay_id = record.get(18)
                data = codes.get(replay_id, b"") if isinstance(replay_id, bytes) else b""
                heard.write(heard_line(Heard(str(record[23]), data, None, fault)))


def _run(log: IO[bytes]) -> None:
    """Be the agent until it ends: `scanward run` without a second start of Python, which takes minutes here."""
    os.dup2(log.fileno(), 1)
    os.dup2(log.fileno(), 2)
    status = main(["run", "--config", str(HOME / "agent.toml")])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _serve() -> None:
    """Be the platform until killed."""
    os.sched_setaffinity(0, range(os.cpu_count() or 1))  # not the agent's alone
    os.chdir(HOME)
    with (FOLDER / "platform-log").open("w") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        from platform_stub.platform import make_platform  # noqa: PLC0415

        make_platform(HOME / "platform", "4420", int(time.clock_gettime(time.CLOCK_REALTIME)))
        now_ms = lambda: time.clock_gettime_ns(time.CLOCK_REALTIME) // 1_000_000  # noqa: E731
        stop = asyncio.Event()
        asyncio.run(
            serve(HOME / "platform", "127.0.0.1", PLATFORM_PORT, now_ms=now_ms, stop=stop, ready=lambda _: None)
        )


def _status() -> dict[str, object]:
    token = (HOME / "state/console-token").read_text().strip()
    request = urllib.request.Request(
        f"http://127.0.0.1:{CONSOLE_PORT}/v1/status", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
        status: dict[str, object] = json.load(answer)
        return status


def _is_ready(scanners: int) -> bool:
    try:
        status = _status()
    except (OSError, urllib.error.URLError):
        return False
    told = status["scanners"]
    assert isinstance(told, list)  # noqa: S101
    return status["trust"] is not None and sum(one["presence"] == "present" for one in told) == scanners


def _has_decided(count: int) -> bool:
    """Count the decisions the agent has shown; only to keep pace."""
    lines = (FOLDER / "agent-log").read_text(errors="replace").splitlines()
    return sum("accept" in line or "refuse" in line for line in lines) >= count
