"""The unit, its users and device rules as systemd's own tools judge them, and the agent run as the unit confines it."""

import asyncio
import ctypes.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from demo.display import program
from demo.processes import free_port
from demo.tty import TtyScanner

ROOT = Path(__file__).parents[2]
SYSTEMD = ROOT / "systemd"
UNIT = SYSTEMD / "scanward.service"
UNITS = sorted(SYSTEMD.glob("*.service"))
RULES = SYSTEMD / "udev" / "60-scanward.rules"
CONFINED = Path(__file__).with_name("confined.py")
HARDWARE = Path("/usr/lib/udev/hwdb.d/20-usb-vendor-model.hwdb")
EXPOSURE_MAX = 1.5
SCANNERS_GROUP = 54_321
SOMEBODY = 54_320
WAIT_S_MAX = 60.0


def tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is missing: apt install systemd udev")
    return path


def said_by(*command: str | Path, status: int = 0, **environment: str) -> str:
    """Run a tool; return all that it says. It must end with that status."""
    run = subprocess.run(
        [tool(str(command[0])), *map(str, command[1:])], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=60, check=False, env={**os.environ, **environment},
    )  # fmt: skip
    assert run.returncode == status, run.stdout
    return run.stdout


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_the_exposure_low(unit):
    said = said_by("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
    (exposure,) = re.findall(r"Overall exposure level for \S+: ([0-9.]+)", said)
    assert float(exposure) <= EXPOSURE_MAX


def test_systemd_knows_every_line_of_the_units(tmp_path):
    for unit in UNITS:
        (tmp_path / unit.name).write_text(unit.read_text().replace("/opt/scanward/bin/scanward", "/usr/bin/true"))
    assert [said_by("systemd-analyze", "verify", tmp_path / unit.name) for unit in UNITS] == ["", ""]
    with (tmp_path / UNIT.name).open("a") as unit:
        unit.write("[Service]\nWatchdogSecond=30\n")
    assert "WatchdogSecond" in said_by("systemd-analyze", "verify", tmp_path / UNIT.name), "it would have been seen"


def test_installing_below_a_folder_makes_users_folders_rules_and_units_there(tmp_path):
    tool("systemd-sysusers")
    said_by("sh", SYSTEMD / "install", DESTDIR=str(tmp_path))
    etc = tmp_path / "etc"
    assert {path.name for path in (etc / "systemd" / "system").iterdir()} == {unit.name for unit in UNITS}
    assert (etc / "udev" / "rules.d" / RULES.name).read_text() == RULES.read_text()
    groups = {line.split(":")[0]: line.split(":")[3] for line in (etc / "group").read_text().splitlines()}
    assert groups == {"scanward": "", "scanward-scanners": "scanward", "dialout": "scanward"}
    assert "scanward:" in (etc / "passwd").read_text()
    assert (etc / "scanward" / "credentials").stat().st_mode & 0o777 == 0o700
    said_by("sh", SYSTEMD / "install", DESTDIR=str(tmp_path))  # as at each upgrade


TERM = re.compile(r'(?P<key>[A-Z_]+)(?:\{(?P<attribute>[^}]+)\})?(?P<operator>==|!=|\+=|=)"(?P<value>[^"]*)"(?:,\s+|$)')
MATCHED = {"ACTION", "SUBSYSTEM", "KERNEL", "ATTRS", "ATTR", "ENV", "TEST"}
ASSIGNED = {"ENV", "GOTO", "LABEL", "GROUP", "MODE", "SYMLINK", "IMPORT", "ATTR"}


def rules() -> list[list[re.Match]]:
    """Return the rules as terms; each line must be made of nothing else."""
    found = list[list[re.Match]]()
    for line in RULES.read_text().splitlines():
        if line and not line.startswith("#"):
            terms = list(TERM.finditer(line))
            assert "".join(term[0] for term in terms) == line
            found.append(terms)
    return found


def test_every_rule_matches_by_known_keys_and_assigns_known_keys():
    for terms in rules():
        for term in terms:
            assert term["key"] in (MATCHED if term["operator"] in {"==", "!="} else ASSIGNED), term[0]
    labels = {t["value"] for terms in rules() for t in terms if t["key"] == "LABEL"}
    assert {t["value"] for terms in rules() for t in terms if t["key"] == "GOTO"} == labels


def test_of_a_scanner_with_several_event_nodes_the_one_with_letters_has_the_name():
    (keyboard,) = [terms for terms in rules() if terms[-1]["value"] == "keyboard"]
    assert {(t["key"], t["attribute"], t["value"]) for t in keyboard} >= {("ENV", "ID_INPUT_KEYBOARD", "1")}
    assert RULES.name > "60-input-id.rules", "udev says so in that file"


def test_the_vendors_of_the_rules_are_known_makers_of_scanners():
    if not HARDWARE.exists():
        pytest.skip("the hardware database is missing: apt install udev")
    names = dict(
        re.findall(r"^usb:v([0-9A-F]{4})\*\n ID_VENDOR_FROM_DATABASE=(.*)$", HARDWARE.read_text(), re.MULTILINE)
    )
    makers = {
        "zebra": "Symbol", "honeywell": "Metrologic|Hand Held Products|Intermec", "datalogic": "PSC|Datalogic",
        "newland": "Newland", "opticon": "Optoelectronics", "cipherlab": "Syntech", "mindeo": "Mindeo",
    }  # fmt: skip
    vendors = {terms[0]["value"]: terms[1]["value"] for terms in rules() if terms[0]["attribute"] == "idVendor"}
    assert len(vendors) >= 10
    for vendor, maker in vendors.items():
        assert re.search(makers[maker], names[vendor.upper()]), vendor


SIMULATED = """
mount -t tmpfs none /dev && mount -t tmpfs none /run && mount --bind "$1/rules" /usr/lib/udev/rules.d
mkdir -p /run/udev && mknod -m 600 /dev/ttyS0 c 4 64 && cp "$1/group" /run/group && mount --bind /run/group /etc/group
udevadm test /sys/class/tty/ttyS0 2>&1
stat -c 'node %G %a' /dev/ttyS0
readlink /dev/scanward/by-id/* | sed 's/^/link /'
"""


def test_udev_gives_a_scanner_to_the_group_and_a_lasting_name(tmp_path):
    """In a mount namespace of its own, with a serial port that a local rule declares to be a scanner."""
    tool("udevadm")
    if os.getuid() != 0 or not Path("/sys/class/tty/ttyS0").exists():
        pytest.skip("a serial port and root are missing: udev cannot be tried")
    (tmp_path / "rules").mkdir()
    shutil.copy(RULES, tmp_path / "rules")
    local = 'KERNEL=="ttyS0", ENV{SCANWARD_SCANNER}="mine", ENV{ID_SERIAL}="Maker_1", ENV{ID_USB_INTERFACE_NUM}="00"\n'
    (tmp_path / "rules" / "59-scanward-local.rules").write_text(local)
    (tmp_path / "group").write_text(f"root:x:0:\nscanward-scanners:x:{SCANNERS_GROUP}:\n")
    said = said_by("unshare", "--mount", "sh", "-euc", SIMULATED, "sh", tmp_path)
    assert re.findall(r"^\S+\.rules:\d+ .*", said, re.MULTILINE) == [], "what udev says of a rule as it reads it"
    assert "node scanward-scanners 660" in said
    assert "link ../../ttyS0" in said
    assert "SCANWARD_KIND=serial" in said
    assert "ID_MM_PORT_IGNORE=1" in said


@pytest.fixture
def confined() -> list[str]:
    """What to put before a program so that it runs as the unit confines it."""
    tool("systemd-analyze")
    if ctypes.util.find_library("seccomp") is None:
        pytest.skip("libseccomp is missing: apt install libseccomp2")
    if os.getuid() != 0:
        pytest.skip("root is missing: nobody else may take on other groups")
    return [sys.executable, str(CONFINED), str(UNIT), str(SCANNERS_GROUP), sys.executable]


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("another socket family", "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)"),
        ("a privileged call", "import os; os.chroot('/')"),
        ("another priority", "import os; os.setpriority(os.PRIO_PROCESS, 0, 5)"),
    ],
)
def test_what_the_unit_forbids_is_refused_here_too(confined, what, code):
    run = subprocess.run([*confined, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == -31, f"{what}: {run}"  # SIGSYS


LOADED = """
import ctypes, mmap
import PIL.Image, aiohttp, aiomqtt, apsw, cbor2, cryptography, msgspec, serial, ssl, tuf, zxingcpp
compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
numbers = (ctypes.c_int * 3)(3, 1, 2)
ctypes.CDLL(None).qsort(numbers, 3, 4, compare(lambda a, b: a[0] - b[0]))
ctypes.CDLL("libcrypto.so.3").EVP_sha256()
zxingcpp.read_barcodes(PIL.Image.new("L", (64, 64)))
try:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
except PermissionError:
    print(list(numbers))
"""


def test_every_library_loads_and_calls_back_where_no_memory_may_become_code(confined):
    run = subprocess.run([*confined, "-c", LOADED], capture_output=True, text=True, timeout=120, check=False)
    assert (run.returncode, run.stdout) == (0, "[1, 2, 3]\n"), run.stderr


def give_to_the_group(port: Path) -> None:
    device = port.resolve()
    os.chown(device, SOMEBODY, SCANNERS_GROUP)
    device.chmod(0o660)


async def status_when(url: str, token: Path, holds) -> dict:
    async with asyncio.timeout(WAIT_S_MAX), aiohttp.ClientSession() as client:
        while True:
            try:
                async with client.get(f"{url}/v1/status", headers=program(token)) as answer:
                    if holds(status := await answer.json()):
                        return status
            except (aiohttp.ClientError, FileNotFoundError):
                pass  # it does not listen yet
            await asyncio.sleep(0.05)


async def test_the_agent_scans_stores_refreshes_and_stops_as_the_unit_confines_it(confined, tmp_path):
    tty = TtyScanner("front", tmp_path / "tty-front")
    give_to_the_group(tty.path)
    (tmp_path / "root.json").write_text("{}")
    port = free_port()
    config = tmp_path / "agent.toml"
    config.write_text(
        f'[[scanners]]\nid = "front"\ntype = "serial"\npath = "{tty.path}"\n[state]\ndirectory = "{tmp_path}"\n'
        f'[console]\nlisten = "127.0.0.1:{port}"\n[uplink.http]\nurl = "http://127.0.0.1:9"\n'
        f'[trust]\nroot = "{tmp_path / "root.json"}"\n'
    )
    process = await asyncio.create_subprocess_exec(
        *confined, "-m", "agent", "run", "--config", str(config), cwd=ROOT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        url, token = f"http://127.0.0.1:{port}", tmp_path / "console-token"
        await status_when(url, token, lambda status: status["scanners"][0]["presence"] == "present")
        tty.type("nothing we know")
        await status_when(url, token, lambda status: status["ledger"]["head_seq"] == 1)
        heard = b""
        async with asyncio.timeout(WAIT_S_MAX):
            while b"the trust list cannot be refreshed" not in heard:  # its process of its own has run
                heard += await process.stdout.readline()
        process.terminate()
        rest, _ = await asyncio.wait_for(process.communicate(), WAIT_S_MAX)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
        tty.close()
    assert process.returncode == 0, (heard + rest).decode()
    assert b"crashed" not in heard, "the refresher's process must end with a report"
