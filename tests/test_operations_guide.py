"""The guide for operation: its install lines run, below a folder, and its example is what the doctor says."""

import asyncio
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from agent.adapters.clock import SystemRandomness
from agent.app import Paths, open_ledger
from agent.commands.doctor import checks_of, lines_of
from agent.commands.doctor.finding import look_at
from agent.commands.doctor.machine import Machine
from agent.config import load
from fakes.trust_content import content, publish_bundle

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "operations.md").read_text()
CONFIG = """
[[scanners]]
id = "window"
type = "serial"
path = "/dev/scanward/by-id/serial-Maker_1-if00"
[state]
directory = "{folder}/state"
[ledger]
bytes_max = 1048576
[uplink.http]
url = "http://127.0.0.1:9"
[trust]
root = "{folder}/root.json"
"""
FAR_MS = 4_000_000_000_000
MOUNTS = "24 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def test_the_install_lines_of_the_guide_set_up_a_terminal_below_a_folder(tmp_path):
    if shutil.which("systemd-sysusers") is None:
        pytest.skip("systemd-sysusers is missing: apt install systemd")
    (lines,) = [block for block in blocks("sh") if '"$DESTDIR/etc/scanward/scanward.toml"' in block]
    run = subprocess.run(
        ["/bin/sh", "-euc", lines], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "DESTDIR": str(tmp_path)},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert load(tmp_path / "etc/scanward/scanward.toml").terminal.id == "kiosk-hall-3"
    assert (tmp_path / "etc/systemd/system/scanward.service").is_file()
    assert (tmp_path / "etc/scanward/credentials").is_dir()


def settled(text: str) -> list[str]:
    """Return the findings that depend neither on this machine's clock nor on its libraries, with N for every number."""
    lines, is_left_out = list[str](), False
    for line in text.splitlines():
        if not line.startswith(" "):
            is_left_out = re.match(r"doctor:|\w+ +(clock|SM2) ", line) is not None
        if not is_left_out:
            lines.append(re.sub(r"\d+", "N", line))
    return lines


def test_the_example_of_the_doctor_is_what_the_doctor_says(tmp_path):
    machine = {
        "proc/self/mountinfo": MOUNTS, "proc/meminfo": "MemAvailable: 412000 kB\n", "sys/power/state": "mem\n",
        "sys/devices/platform/soc/soc:firmware/get_throttled": "0x50000\n", "proc/1/comm": "ModemManager\n",
    }  # fmt: skip
    for name, text in machine.items():
        path = tmp_path / "machine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "root.json").write_text("{}")
    (tmp_path / "state").mkdir(mode=0o700)
    publish_bundle(tmp_path / "state" / "trust", content(), expires_at_ms=FAR_MS)
    config = tmp_path / "scanward.toml"
    config.write_text(CONFIG.format(folder=tmp_path))
    open_ledger(load(config), Paths(tmp_path / "state"), SystemRandomness()).close()
    said = "\n".join(lines_of(asyncio.run(look_at(checks_of(config, Machine(tmp_path / "machine"))))))
    places = {
        f"{tmp_path}/state": "/var/lib/scanward",
        str(tmp_path): "/etc/scanward",
        "127.0.0.1:9": "platform.example:443",
    }
    for place, shown in places.items():
        said = said.replace(place, shown)
    (example,) = [block for block in blocks("") if block.startswith("ok       configuration")]
    assert settled(said) == settled(example)


def test_every_kind_of_finding_of_the_doctor_is_in_the_example():
    (example,) = [block for block in blocks("") if block.startswith("ok       configuration")]
    assert set(re.findall(r"^(ok|warning|fault) ", example, re.MULTILINE)) == {"ok", "warning", "fault"}
    assert re.search(r"^doctor: \d+ ok, \d+ warning, \d+ fault$", example, re.MULTILINE)
