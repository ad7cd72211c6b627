"""A real PostgreSQL for tests: Debian's package, a cluster in a folder of its own on a loopback port and a socket.

It runs as the user `postgres` where the tests run as root, which PostgreSQL refuses to be. fsync is on, as it must be.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import pytest

from platform_stub.storage.place import Server

START_S_MAX = 60.0
SUPERUSER = "owner"
GUARDED = "guarded"  # a user, where a test makes it, who must say its password
CONFIGURATION = """
listen_addresses = '127.0.0.1'
shared_buffers = 32MB
max_wal_size = 256MB
fsync = on
synchronous_commit = off  # the platform must ask for more by itself
deadlock_timeout = 100ms
logging_collector = off
"""


@dataclass
class Postgresql:
    """One cluster. `port` stays the same over restarts."""

    folder: Path
    programs: Path
    port: int
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    made: int = 0

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://{SUPERUSER}@127.0.0.1:{self.port}/{database}"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def initialise(self) -> None:
        data = self.folder / "data"
        self._run("initdb", "-D", str(data), "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--locale", "C.UTF-8")
        with (data / "postgresql.conf").open("a") as file:
            file.write(f"{CONFIGURATION}port = {self.port}\nunix_socket_directories = '{self.folder}'\n")
        rules = data / "pg_hba.conf"
        rules.write_text(f"host all {GUARDED} 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")

    def start(self) -> None:
        """Start the server, where it does not run already; return once it accepts connections."""
        if self.process is not None and self.process.poll() is None:
            return
        with (self.folder / "log").open("ab") as log:
            command = [str(self.programs / "postgres"), "-D", str(self.folder / "data")]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, **_unprivileged())
        until = time.monotonic() + START_S_MAX
        while not self._is_ready():
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"PostgreSQL does not start: {self.log[-2_000:]}")
            time.sleep(0.05)

    def stop(self, number: int = signal.SIGINT) -> None:
        """End the server: SIGINT breaks off its sessions; SIGQUIT ends it at once, as a crash does."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(START_S_MAX)

    def make_database(self) -> Server:
        """Make an empty database: 8 MB to write."""
        self.made += 1
        self.ask(f"CREATE DATABASE platform_{self.made}")
        return Server(self.url(f"platform_{self.made}"))

    def make_schema(self) -> Server:
        """Make an empty schema in the one database: as good as a database of its own, and made at once."""
        self.made += 1
        self.ask(f"CREATE SCHEMA platform_{self.made}")
        return Server(f"{self.url()}?options=-csearch_path%3Dplatform_{self.made}")

    def ask(self, sql: str, *parameters: object, place: Server | None = None) -> list[tuple[Any, ...]]:
        """Ask as an outsider does, over a connection of its own; `?` stands for a parameter."""
        with ThreadPoolExecutor(1) as thread:  # the caller may be in a loop
            return thread.submit(asyncio.run, self._ask(sql, parameters, place.url if place else self.url())).result()

    async def _ask(self, sql: str, parameters: tuple[object, ...], url: str) -> list[tuple[Any, ...]]:
        for number in range(1, len(parameters) + 1):
            sql = sql.replace("?", f"${number}", 1)
        connection = await asyncpg.connect(url)
        try:
            return [tuple(row) for row in await connection.fetch(sql, *parameters)]
        finally:
            await connection.close()

    def _is_ready(self) -> bool:
        command = [str(self.programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port), "-U", SUPERUSER]
        return subprocess.run(command, check=False).returncode == 0

    def _run(self, name: str, *arguments: str) -> None:
        command = [str(self.programs / name), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self.folder, **_unprivileged())
        if done.returncode != 0:
            raise RuntimeError(f"{name}: {done.stderr[-2_000:]}")


def programs() -> Path | None:
    """Return where PostgreSQL's programs are, if anywhere."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    if beside := shutil.which("postgres"):
        return Path(beside).resolve().parent
    return None


@contextlib.contextmanager
def running() -> Iterator[Postgresql]:
    """Run a cluster in a folder of its own; both are gone afterwards. Skips the test where there is no PostgreSQL."""
    found = programs()
    if found is None:
        pytest.skip("postgresql is not installed (tests/debian-packages.txt)")
    folder = Path(tempfile.mkdtemp(prefix="scanward-pg-"))  # short: a socket's path has at most 107 bytes
    cluster = Postgresql(folder, found, _free_port())
    try:
        if _unprivileged():
            shutil.chown(folder, "postgres", "postgres")
        cluster.initialise()
        cluster.start()
        yield cluster
    finally:
        cluster.stop(signal.SIGQUIT)
        shutil.rmtree(folder)


def _unprivileged() -> dict[str, Any]:
    """Return how to start a program as somebody who is not root."""
    return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])
