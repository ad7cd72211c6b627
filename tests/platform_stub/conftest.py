"""A terminal and a platform to test against. The terminal writes the wire with the vectors' generator alone."""

import asyncio
import hashlib
import json
import sqlite3
import struct
from base64 import b64encode
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import cbor2
import pytest
from aiohttp.test_utils import TestClient, TestServer
from cryptography.hazmat.primitives.asymmetric import ed25519
from vectors import generate

from fakes import postgresql, published
from platform_stub import keys
from platform_stub.layout import Layout
from platform_stub.platform import make_platform, running
from platform_stub.storage.place import Server
from platform_stub.wire.sm2 import Sm2PrivateKey

NOW_S = generate.NOW_S
MQTT_S_MAX = 30
CBOR = {"Content-Type": "application/cbor"}


class SimulatedTerminal:
    """Keeps a ledger and writes batches and hellos. Copying it makes a clone, as an old image put back does."""

    def __init__(self, terminal="kiosk-1", site="demo", label="terminal", ledger="an invented ledger"):
        self.id, self.site = terminal, site
        self.key = generate.ed25519_key(label)
        self.ledger_id = hashlib.sha256(ledger.encode()).digest()[:16]
        self.hashes = [hashlib.sha256(self.ledger_id).digest()]
        self.envelopes = []

    def clone(self, seq):
        """Return this terminal as it was at `seq`."""
        other = SimulatedTerminal.__new__(SimulatedTerminal)
        other.__dict__ |= self.__dict__ | {"hashes": self.hashes[: seq + 1], "envelopes": self.envelopes[:seq]}
        return other

    def registration(self):
        spki = b64encode(generate.spki(self.key)).decode()
        kid = generate.kid(self.key).hex()
        return {"terminal": self.id, "site": self.site, "kid": kid, "alg": "EdDSA", "spki": spki}

    def body(self, **changes):
        """Return the fields of the next decision; changes are by number, f10="payment"; None takes one away."""
        stamp = [bytes(16), 1000, NOW_S * 1000, NOW_S * 1000 + 4000, "os"]
        fields = {1: self.id, 2: self.ledger_id, 3: len(self.hashes), 4: self.hashes[-1], 5: 0, 6: stamp}
        fields |= {10: "registration", 11: 0, 12: "ok", 13: 0, 14: "ok", 15: "ehc", 23: "desk"}
        fields |= {int(name[1:]): value for name, value in changes.items()}
        return {number: fields[number] for number in sorted(fields) if fields[number] is not None}

    def add(self, **changes):
        """Add a decision to the ledger; return its envelope."""
        return self.add_raw(self.sign(self.body(**changes)))

    def sign(self, body):
        return generate.cose_sign1(self.key, "scanward-record-1", generate.cbor(body))

    def add_raw(self, envelope):
        """Add any bytes as an envelope: the chain goes over them."""
        seq = len(self.hashes)
        self.hashes.append(hashlib.sha256(b"\x00" + self.hashes[-1] + struct.pack(">Q", seq) + envelope).digest())
        self.envelopes.append(envelope)
        return envelope

    def fill(self, count):
        for _ in range(count):
            self.add()
        return self

    def head(self, seq=None, **changes):
        seq = len(self.envelopes) if seq is None else seq
        fields = {1: self.id, 2: self.ledger_id, 3: seq, 4: self.hashes[seq]}
        fields |= {int(name[1:]): value for name, value in changes.items()}
        return generate.cose_sign1(self.key, "scanward-head-1", generate.cbor(fields))

    def batch(self, first=1, last=None, **changes):
        """Return the batch of records first..last; changes by number."""
        last = len(self.envelopes) if last is None else last
        fields = {1: hashlib.sha256(b"%d-%d" % (first, last)).digest()[:16], 2: self.id, 3: self.ledger_id, 4: first}
        fields |= {5: self.envelopes[first - 1 : last], 6: self.head(last)}
        fields |= {int(name[1:]): value for name, value in changes.items()}
        return generate.cbor(fields)

    def hello(self, receipted=0, **changes):
        fields = {1: bytes(16), 2: self.id, 3: self.site, 4: [1], 5: "simulated/1", 6: self.ledger_id, 7: self.head()}
        fields |= {8: receipted} | {int(name[1:]): value for name, value in changes.items()}
        return generate.cbor(fields)

    def status(self, state=0, at_ms=NOW_S * 1000, report="{}", **changes):
        fields = {1: self.id, 2: self.site, 3: state, 4: at_ms, 5: "simulated/1", 6: report}
        fields |= {int(name[1:]): value for name, value in changes.items()}
        return generate.cose_sign1(self.key, "scanward-status-1", generate.cbor(fields))

    def answer(self, command_id, outcome=0, said="", **changes):
        fields = {1: command_id, 2: self.id, 3: outcome, 4: said, 5: NOW_S * 1000}
        fields |= {int(name[1:]): value for name, value in changes.items()}
        return generate.cose_sign1(self.key, "scanward-answer-1", generate.cbor(fields))


@dataclass
class PlatformUnderTest:
    """A platform on a real socket, with the vectors' receipt and seal keys and a clock that stands still."""

    layout: Layout
    client: TestClient
    receipt_key: ed25519.Ed25519PublicKey
    clock_s: list = field(default_factory=lambda: [NOW_S])
    ask: object = None  # the database, asked as an outsider does
    place: Path | Server | None = None
    brokers: asyncio.Queue = field(default_factory=asyncio.Queue)  # an address each time MQTT begins to be answered

    async def broker(self):
        """Return (host, port) of the broker once the platform answers there."""
        async with asyncio.timeout(MQTT_S_MAX):
            host, _, port = (await self.brokers.get()).partition("://")[2].rpartition(":")
        return host, int(port)

    async def page(self):
        async with self.client.get("/") as answer:
            return await answer.text()

    def register(self, terminal):
        path = self.layout.terminals / f"{terminal.id}.json"
        path.write_text(json.dumps(terminal.registration()))

    async def post(self, terminal, what, body, headers=CBOR):
        """Post a message; return (status, body)."""
        async with self.client.post(f"/v1/terminals/{terminal.id}/{what}", data=body, headers=headers) as answer:
            return answer.status, await answer.read()

    async def send(self, terminal, body):
        """Send a batch; return (statuses with reasons by seq, contiguous seq), having checked the receipt."""
        status, answer = await self.post(terminal, "batches", body)
        assert status == 200, answer
        receipt = self.open_receipt(answer)
        assert receipt[1] == cbor2.loads(body)[1]
        assert (receipt[2], receipt[3]) == (terminal.id, terminal.ledger_id)
        return {seq: (said, why) for seq, _, said, why in receipt[4]}, receipt[5][0]

    async def greet(self, terminal, **changes):
        """Say hello; return the platform's contiguous head [seq, hash]."""
        status, answer = await self.post(terminal, "hello", terminal.hello(**changes))
        assert status == 200, answer
        return self.open_receipt(cbor2.loads(answer)[2])[5]

    def open_receipt(self, signed):
        protected, unprotected, payload, signature = cbor2.loads(signed).value
        message = generate.cbor(["Signature1", protected, b"scanward-receipt-1", payload])
        self.receipt_key.verify(signature, message)
        assert unprotected == {}
        return cbor2.loads(payload)


@pytest.fixture
def make_terminal():
    return SimulatedTerminal


@pytest.fixture
def terminal():
    return SimulatedTerminal()


@pytest.fixture(scope="session")
def platform_template(tmp_path_factory):
    """A platform made once, with the keys of the vectors in the place of random ones."""
    directory = tmp_path_factory.mktemp("platform") / "made"
    make_platform(directory, "4420", NOW_S)
    put_vector_keys(directory / "keys")
    return directory


def put_vector_keys(directory: Path) -> None:
    for name, key in (
        ("issuer-es256", generate.ISSUER_ES),
        ("issuer-eddsa", generate.ISSUER_ED),
        ("issuer-sm2", Sm2PrivateKey(generate.ISSUER_SM2.d)),
        ("receipt", generate.PLATFORM),
        ("verification", generate.VERIFICATION),
        ("seal", generate.SEAL),
    ):
        (directory / f"{name}.pem").unlink()
        keys.write_key(directory, name, key)


@pytest.fixture
def platform_directory(platform_template, tmp_path):
    """A directory of its own, with the vectors' keys published."""
    import shutil

    from platform_stub.issuing.repository import Repository

    directory = Path(shutil.copytree(platform_template, tmp_path / "platform"))
    Repository(Layout(directory)).publish(NOW_S)
    return directory


@pytest.fixture
def platform(tmp_path):
    """A directory as it is made, with keys of its own and version 1 published."""
    make_platform(tmp_path / "platform", "4420", published.NOW_S)
    return tmp_path / "platform"


@pytest.fixture(scope="session")
def postgresql_cluster():
    """A PostgreSQL server of its own for the whole run."""
    with postgresql.running() as cluster:
        yield cluster


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, platform_directory):
    """Where the platform keeps its records: each test that asks for it runs on both databases."""
    if request.param == "sqlite":
        return Layout(platform_directory).database
    return request.getfixturevalue("postgresql_cluster").make_schema()


@pytest.fixture
def ask_outside(place, request):
    """Return a function that asks the database as an outsider does, with a driver of its own."""

    def ask(sql, *parameters):
        if isinstance(place, Server):
            cluster = request.getfixturevalue("postgresql_cluster")
            return cluster.ask(sql, *parameters, place=place)
        with sqlite3.connect(place) as connection:
            rows = connection.execute(sql, parameters).fetchall()
        connection.close()
        return rows

    return ask


@pytest.fixture
def run_platform(platform_directory, place, ask_outside):
    """Return a context manager that runs the platform; entering it again finds what was stored."""

    @asynccontextmanager
    async def run(*terminals, mqtt=None):
        layout, clock_s, brokers = Layout(platform_directory), [NOW_S], asyncio.Queue()
        now_ms = lambda: clock_s[0] * 1000  # noqa: E731
        async with (
            running(layout, now_ms, mqtt, brokers.put_nowait, place) as app,
            TestClient(TestServer(app)) as client,
        ):
            key = generate.PLATFORM.public_key()
            platform = PlatformUnderTest(layout, client, key, clock_s, ask_outside, place, brokers)
            for terminal in terminals:
                platform.register(terminal)
            yield platform

    return run
