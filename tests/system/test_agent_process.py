"""The agent as a process: what it says when it cannot start, and that it starts and stops in order."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from demo.processes import free_port
from demo.tty import TtyScanner

READY_S_MAX = 20.0
STOP_S_MAX = 5.0


class Agent:
    """One agent process under a fake service manager."""

    def __init__(self, process: asyncio.subprocess.Process, manager: socket.socket, console: str, token: Path) -> None:
        self.process = process
        self.console = console
        self.token = token
        self._manager = manager

    async def said(self, what: bytes) -> None:
        async with asyncio.timeout(READY_S_MAX):
            while what not in await asyncio.get_running_loop().sock_recv(self._manager, 4_096):
                pass

    async def status(self) -> dict:
        headers = {"Authorization": f"Bearer {self.token.read_text().strip()}"}
        async with aiohttp.ClientSession(headers=headers) as client, client.get(f"{self.console}/v1/status") as answer:
            return await answer.json()

    async def stop(self) -> tuple[int, str]:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        out, _ = await asyncio.wait_for(self.process.communicate(), READY_S_MAX)
        return self.process.returncode, (out or b"").decode()


@asynccontextmanager
async def agent(
    folder: Path, config: str, port: int | None = None, *, stdout: int = asyncio.subprocess.PIPE, **environment: str
) -> AsyncIterator[Agent]:
    """Start an agent with a configuration, which gets the folder's state directory and a free port."""
    port = port or free_port()
    path = folder / "agent.toml"
    path.write_text(f'{config}\n[state]\ndirectory = "{folder}"\n[console]\nlisten = "127.0.0.1:{port}"\n')
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(folder / "notify"))
        manager.setblocking(False)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "agent", "run", "--config", str(path),
            stdout=stdout, stderr=asyncio.subprocess.STDOUT,
            env={"PATH": os.defpath, "NOTIFY_SOCKET": str(folder / "notify"), **environment},
        )  # fmt: skip
        started = Agent(process, manager, f"http://127.0.0.1:{port}", folder / "console-token")
        try:
            yield started
        finally:
            await started.stop()


def scanner(path: Path | str) -> str:
    return f'[[scanners]]\nid = "front"\ntype = "serial"\npath = "{path}"\n'


async def ended(folder: Path, config: str, port: int | None = None) -> tuple[int, str]:
    """Return exit status and output of an agent that ends by itself."""
    async with agent(folder, config, port) as one:
        out, _ = await asyncio.wait_for(one.process.communicate(), READY_S_MAX)
        return one.process.returncode, out.decode()


async def test_it_tells_the_service_manager_when_it_is_ready_and_when_it_stops(tmp_path):
    async with agent(tmp_path, scanner(tmp_path / "none")) as one:
        await one.said(b"READY=1")
        one.process.send_signal(signal.SIGTERM)
        await one.said(b"STOPPING=1")
        status, out = await one.stop()
    assert status == 0, out


async def test_a_second_interrupt_signal_is_as_orderly(tmp_path):
    async with agent(tmp_path, scanner(tmp_path / "none")) as one:
        await one.said(b"READY=1")
        one.process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(one.process.wait(), READY_S_MAX) == 0


async def test_a_missing_device_is_said_and_found_when_it_comes(tmp_path):
    path = tmp_path / "tty-front"
    async with agent(tmp_path, scanner(path)) as one:
        await one.said(b"READY=1")
        assert (await one.status())["scanners"][0]["presence"] == "absent"
        tty = TtyScanner("front", path)
        async with asyncio.timeout(READY_S_MAX):
            while (await one.status())["scanners"][0]["presence"] != "present":  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        tty.type("nothing we know")
        async with asyncio.timeout(READY_S_MAX):
            while (await one.status())["ledger"]["head_seq"] != 1:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        tty.close()
        _, out = await one.stop()
    assert "front is absent" in out
    assert str(path) in out
    assert "nothing we know" not in out
    assert "family.unknown" in out


async def the_scanner(one: Agent, **said: object) -> dict:
    """Wait until the status says so of the first scanner; return what it says."""
    async with asyncio.timeout(READY_S_MAX):
        while not said.items() <= (found := (await one.status())["scanners"][0]).items():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return found


async def test_what_a_scanner_read_and_why_it_is_gone_is_shown_while_it_is_unplugged_and_back(tmp_path):
    path = tmp_path / "tty-front"
    tty = TtyScanner("front", path)
    async with agent(tmp_path, scanner(path)) as one:
        await one.said(b"READY=1")
        assert "why" not in await the_scanner(one, presence="present", type="serial", scans=0)
        tty.type("once")
        tty.type("once")
        await the_scanner(one, presence="present", scans=1, repeats=1)
        tty.type_part("half")
        await the_scanner(one, scans=2, faults={"incomplete": 1})
        tty.close()
        gone = await the_scanner(one, presence="absent", scans=2)
        assert str(path) in gone["why"]
        tty = TtyScanner("front", path)
        await the_scanner(one, presence="present")
        tty.type("again")
        back = await the_scanner(one, scans=3)
        assert "why" not in back
        tty.close()
        _, out = await one.stop()
    lines = [line for line in out.splitlines() if "scanner: front is " in line]
    assert [line.partition("front is ")[2].partition(":")[0] for line in lines[:3]] == ["present", "absent", "present"]


async def test_a_program_brings_a_scan_and_the_terminal_decides_on_it(tmp_path):
    async with agent(tmp_path, '[[scanners]]\nid = "phone"\ntype = "app"\n') as one:
        await one.said(b"READY=1")
        headers = {"Authorization": f"Bearer {one.token.read_text().strip()}"}
        async with aiohttp.ClientSession(one.console, headers=headers) as client:
            scan = {"scanner": "phone", "data": "PLANTED"}
            async with client.post("/v1/scans", json=scan) as answer:
                assert (answer.status, await answer.json()) == (202, {"scanner": "phone"})
            async with client.post("/v1/scans", json=scan | {"scanner": "front"}) as answer:
                assert answer.status == 422
            async with client.post("/v1/scanners/phone/trigger", json={"on": True}) as answer:
                assert answer.status == 409
        async with asyncio.timeout(READY_S_MAX):
            while (await one.status())["ledger"]["head_seq"] != 1:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await the_scanner(one, id="phone", type="app", presence="present", scans=1)
        _, out = await one.stop()
    assert "phone registration refuse family.unknown" in out
    assert "PLANTED" not in out


async def test_a_scan_is_recorded_although_no_platform_was_ever_reached(tmp_path):
    tty = TtyScanner("front", tmp_path / "tty-front")
    async with agent(tmp_path, scanner(tty.path) + '[uplink.http]\nurl = "http://127.0.0.1:9"\n') as one:
        await one.said(b"READY=1")
        async with asyncio.timeout(READY_S_MAX):
            while (await one.status())["scanners"][0]["presence"] != "present":  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        tty.type("x" * 100)
        async with asyncio.timeout(READY_S_MAX):
            while (await one.status())["uplink"]["waiting"] != 1:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        tty.close()
        _, out = await one.stop()
    assert "no connection to the platform" in out


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("", "no scanner"),
        (scanner("/dev/x") + "spped = 9600\n", "spped"),
        (scanner("/dev/x") + '[uplink.http]\nurl = "http://platform.example"\n', "https"),
        (scanner("/dev/x") + "[uplink.http]\nurl = 7\n", "url"),
        ("this is not TOML", "TOML"),
        (scanner("/dev/x") + '[trust]\nroot = "/nowhere/root.json"\n', "$.trust.root: /nowhere/root.json is not there"),
        (scanner("/dev/x") + "[delivery]\nhello_interval_s = nan\n", "hello_interval_s"),
        ("a=" + "[" * 5_000, "nested too deeply"),
    ],
)
async def test_a_wrong_configuration_is_one_clear_line(tmp_path, config, says):
    status, out = await ended(tmp_path, config)
    assert status == 1
    assert out.startswith("scanward: ")
    assert says in out
    assert "Traceback" not in out
    assert len(out.strip().splitlines()) == 1


async def test_a_port_in_use_is_one_clear_line(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        status, out = await ended(tmp_path, scanner("/dev/x"), taken.getsockname()[1])
    assert status == 1
    assert "another agent running" in out
    assert "Traceback" not in out


async def test_a_second_agent_on_the_same_state_is_one_clear_line(tmp_path):
    async with agent(tmp_path, scanner("/dev/x")) as first:
        await first.said(b"READY=1")
        (tmp_path / "notify").unlink()
        status, out = await ended(tmp_path, scanner("/dev/x"))
        assert status == 1
        assert "Traceback" not in out
        assert "ledger" in out


async def test_a_key_that_others_may_read_is_one_clear_line(tmp_path):
    async with agent(tmp_path, scanner("/dev/x")) as one:
        await one.said(b"READY=1")
    (tmp_path / "notify").unlink()
    (tmp_path / "signing-key.pem").chmod(0o644)
    status, out = await ended(tmp_path, scanner("/dev/x"))
    assert status == 1
    assert "chmod 600" in out


async def test_it_leaves_what_the_platform_registers_it_by(tmp_path):
    async with agent(tmp_path, '[terminal]\nid = "kiosk-7"\nsite = "demo"\n' + scanner("/dev/x")) as one:
        await one.said(b"READY=1")
    registration = json.loads((tmp_path / "terminal.json").read_text())
    assert (registration["terminal"], registration["site"], registration["alg"]) == ("kiosk-7", "demo", "EdDSA")
    assert (tmp_path / "signing-key.pem").stat().st_mode & 0o777 == 0o600


@pytest.fixture
def unread_pipe() -> Iterator[int]:
    """The writing end of a pipe that is full and that nobody reads."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4_096)
    os.set_blocking(writer, True)
    yield writer
    os.close(reader)
    os.close(writer)


async def scanned_and_stopped(one: Agent, tty: TtyScanner) -> int:
    """Have one code scanned and recorded, then stop; return the exit status."""
    await one.said(b"READY=1")
    async with asyncio.timeout(READY_S_MAX):
        while (await one.status())["scanners"][0]["presence"] != "present":  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        tty.type("nothing we know")
        while (await one.status())["ledger"]["head_seq"] != 1:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    tty.close()
    one.process.send_signal(signal.SIGTERM)
    return await asyncio.wait_for(one.process.wait(), STOP_S_MAX)


async def test_output_that_nobody_reads_holds_up_neither_scans_nor_the_end(tmp_path, unread_pipe):
    tty = TtyScanner("front", tmp_path / "tty-front")
    async with agent(tmp_path, scanner(tty.path), stdout=unread_pipe) as one:
        assert await scanned_and_stopped(one, tty) == 0


async def test_a_full_disk_below_the_output_does_not_end_the_agent(tmp_path):
    tty = TtyScanner("front", tmp_path / "tty-front")
    full = os.open("/dev/full", os.O_WRONLY)
    async with agent(tmp_path, scanner(tty.path), stdout=full) as one:
        assert await scanned_and_stopped(one, tty) == 0
    os.close(full)


async def test_output_that_knows_only_ascii_does_not_end_the_agent(tmp_path):
    tty = TtyScanner("front", tmp_path / "tty-front")
    async with agent(tmp_path, scanner(tty.path), PYTHONIOENCODING="ascii") as one:
        assert await scanned_and_stopped(one, tty) == 0
        _, out = await one.stop()
    assert "family.unknown" in out
    assert "?" in out


async def test_a_registration_that_is_garbage_is_written_anew(tmp_path):
    (tmp_path / "terminal.json").write_bytes(b"\xff\xfe")
    async with agent(tmp_path, scanner("/dev/x")) as one:
        await one.said(b"READY=1")
    assert json.loads((tmp_path / "terminal.json").read_text())["alg"] == "EdDSA"
