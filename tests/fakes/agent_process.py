"""One agent as a process with a policy and a program's token: what documents of the local API are held against."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from agent.adapters.clock import SystemRandomness
from agent.adapters.console.secret_files import hash_pin
from agent.adapters.trust_store.store import MANIFEST_SHA256
from agent.app import Paths, open_ledger
from agent.config import load
from demo.processes import free_port
from fakes.trust_content import content, publish_bundle

START_S_MAX = 20.0
PIN = "493817"


@dataclass(frozen=True)
class RunningAgent:
    """Where it listens, and its files."""

    url: str
    folder: Path
    config: Path

    @property
    def token(self) -> str:
        return (self.folder / "state" / "console-token").read_text().strip()

    def headers(self, role: str) -> dict[str, str]:
        """Return what a caller of that role sends; a session is begun by a one-time link."""
        program = {"Authorization": f"Bearer {self.token}"}
        if role == "program":
            return program
        link = requests.post(f"{self.url}/v1/links", json={"role": role}, headers=program, timeout=5).json()["url"]
        entered = requests.get(link, allow_redirects=False, timeout=5)
        return {"Cookie": entered.headers["Set-Cookie"].partition(";")[0], "Origin": self.url}


@contextmanager
def running_agent(folder: Path, files: dict[str, bytes] | None = None, more: str = "") -> Iterator[RunningAgent]:
    """Run an agent until the body ends. files: what the platform signed, if not that of fakes/trust_content.py."""
    port = free_port()
    (folder / "state").mkdir(mode=0o700)
    bundle = publish_bundle(folder / "state" / "trust", files or content())
    pin = folder / "pin"
    pin.write_text(hash_pin(PIN, SystemRandomness()).line)
    pin.chmod(0o600)
    config = folder / "agent.toml"
    config.write_text(
        f'[[scanners]]\nid = "front"\ntype = "serial"\npath = "{folder}/no-scanner"\n'
        '[[scanners]]\nid = "phone"\ntype = "app"\n'
        f'[state]\ndirectory = "{folder / "state"}"\n[console]\nlisten = "127.0.0.1:{port}"\nstaff_pin_file = "{pin}"\n'
        f"{more}"
    )
    ledger = open_ledger(load(config), Paths(folder / "state"), SystemRandomness())
    ledger.put_state(MANIFEST_SHA256, bundle.manifest_sha256.encode())  # as if it had verified the bundle before
    ledger.close()
    log = folder / "agent.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "agent", "run", "--config", str(config)], stdout=out, stderr=out,
            stdin=subprocess.DEVNULL, env={"PATH": os.defpath},
        )  # fmt: skip
    agent = RunningAgent(f"http://127.0.0.1:{port}", folder, config)
    try:
        due_s = time.monotonic() + START_S_MAX
        while True:
            with contextlib.suppress(requests.ConnectionError):
                if requests.get(f"{agent.url}/healthz", timeout=5).ok:
                    break
            if process.poll() is not None or time.monotonic() > due_s:
                raise RuntimeError(f"the agent did not start:\n{log.read_text()}")
        yield agent
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        finally:
            process.kill()
            process.wait()
