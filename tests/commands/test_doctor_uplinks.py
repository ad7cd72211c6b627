"""The doctor at real sockets: a platform, brokers, certificates that are wrong in every usual way."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from agent.adapters.clock import SystemClock
from agent.commands.doctor import mqtt, service, uplinks
from agent.commands.doctor.finding import Finding, Level
from agent.config import Environment, parse
from fakes import brokers

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Settings:
    """As of an uplink's section: what the doctor looks for there."""

    url: str
    ca_file: str | None = None
    username: str | None = None
    password_file: str | None = None


@asynccontextmanager
async def listening(answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        finally:
            writer.close()

    async with await asyncio.start_server(once, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1]


def saying(data: bytes) -> Answer:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(data)
        await writer.drain()

    return answer


HEALTHY = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n")


async def of_http(url: str, **more: str) -> Finding:
    config = SimpleNamespace(uplink=SimpleNamespace(http=Settings(url, **more)))
    (*_, last) = await uplinks.http(config)  # type: ignore[arg-type]
    return last


async def of_mqtt(url: str, **more: str) -> Finding:
    config = SimpleNamespace(uplink=SimpleNamespace(mqtt=Settings(url, **more)), terminal=SimpleNamespace(id="kiosk-7"))
    (finding,) = await uplinks.broker(config)  # type: ignore[arg-type]
    return finding


async def test_a_platform_that_is_well_answers() -> None:
    async with listening(HEALTHY) as port:
        assert (await of_http(f"http://127.0.0.1:{port}")).level == Level.OK


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (saying(b"HTTP/1.1 302 Found\r\nLocation: /login\r\n\r\n"), "status 302"),
        (saying(b"SSH-2.0-OpenSSH\r\n"), "not as it must"),
        (saying(b"x" * 200_000), "not as it must"),
        (saying(b""), "hangs up"),
    ],
)
async def test_something_else_than_the_platform_is_a_fault(answer: Answer, says: str) -> None:
    async with listening(answer) as port:
        found = await of_http(f"http://127.0.0.1:{port}")
    assert found.level == Level.FAULT
    assert says in found.what
    assert found.do


async def test_nobody_there_and_no_such_name_are_told_apart() -> None:
    async with listening(HEALTHY) as port:
        pass
    assert "refuses connections" in (await of_http(f"http://127.0.0.1:{port}")).what
    assert "is not found" in (await of_http("http://no-such-host.invalid")).what


def certificate(folder: Path, *, name: str = "127.0.0.1", begins: timedelta = -DAY, ends: timedelta = 90 * DAY) -> Path:
    """Make a certificate signed by itself and return the file, which holds its key too."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.fromtimestamp(SystemClock().now().now.earliest_ms / 1000, UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "platform.example")])
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(1).not_valid_before(now + begins).not_valid_after(now + ends)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(name))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path = folder / "certificate.pem"
    path.write_bytes(
        made.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return path


@asynccontextmanager
async def platform(path: Path) -> AsyncIterator[str]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(path)
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # a client that hangs up is what is tried here
    async with listening(HEALTHY, tls) as port:
        yield f"https://127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("made", "says", "do"),
    [
        ({}, "answers", ""),
        ({"begins": -10 * DAY, "ends": -DAY}, "has expired", "clock"),
        ({"begins": DAY}, "not valid yet", "clock"),
        ({"name": "127.0.0.2"}, "another host's", "host's name"),
    ],
)
async def test_what_is_wrong_with_a_certificate_is_said_in_words(
    tmp_path: Path, made: dict, says: str, do: str
) -> None:
    path = certificate(tmp_path, **made)
    async with platform(path) as url:
        found = await of_http(url, ca_file=str(path))
    assert says in found.what
    assert do in found.do


async def test_an_unknown_authority_and_a_certificate_about_to_expire_are_told(tmp_path: Path) -> None:
    path = certificate(tmp_path, ends=3 * DAY)
    async with platform(path) as url:
        assert "signed by itself" in (await of_http(url)).what
        config = SimpleNamespace(uplink=SimpleNamespace(http=Settings(url, ca_file=str(path))))
        first, second = await uplinks.http(config)  # type: ignore[arg-type]
    assert (first.level, second.level) == (Level.WARNING, Level.OK)
    assert "expires in" in first.what


async def test_a_port_that_does_not_speak_tls_and_a_file_that_is_missing_are_told(tmp_path: Path) -> None:
    async with listening(saying(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        assert "does not speak TLS" in (await of_http(f"https://127.0.0.1:{port}")).what
    found = await of_http("https://127.0.0.1:9", ca_file=str(tmp_path / "none.pem"))
    assert "cannot be read" in found.what or "No such file" in found.what


@pytest.mark.parametrize("kind", brokers.BROKERS)
async def test_a_real_broker_lets_in_or_says_why_not_and_no_secret_is_shown(tmp_path: Path, kind: str) -> None:
    secret = tmp_path / "password"
    async with brokers.running(kind, tmp_path / "broker") as broker:
        secret.write_text(f"{brokers.ANYONE.password}\n")
        given = {"username": brokers.ANYONE.name, "password_file": str(secret)}
        assert (await of_mqtt(broker.url, **given)).level == Level.OK
        secret.write_text("a wrong but secret word")
        refused = await of_mqtt(broker.url, **given)
        nameless = await of_mqtt(broker.url)
    assert refused.level == nameless.level == Level.FAULT
    assert "secret word" not in json.dumps([refused.what, refused.do])
    assert "refuses connections" in (await of_mqtt(broker.url)).what


@pytest.mark.parametrize("code", sorted(mqtt.REFUSALS))
async def test_each_refusal_of_a_broker_is_said_in_words(code: int) -> None:
    async with listening(saying(bytes((0x20, 2, 0, code)))) as port:
        found = await of_mqtt(f"mqtt://127.0.0.1:{port}")
    assert mqtt.REFUSALS[code][0] in found.what


@pytest.mark.parametrize("answer", [b"", b"\x20", b"HTTP/1.1 400 Bad Request\r\n"])
async def test_what_is_no_broker_is_told(answer: bytes) -> None:
    async with listening(saying(answer)) as port:
        found = await of_mqtt(f"mqtt://127.0.0.1:{port}")
    assert found.level == Level.FAULT


async def test_the_doctor_never_takes_the_terminal_s_own_name_at_a_broker() -> None:
    heard = bytearray()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.read(1_000))
        writer.write(bytes((0x20, 2, 0, 0)))

    async with listening(listen) as port:
        for _ in range(2):
            await of_mqtt(f"mqtt://127.0.0.1:{port}")
    assert heard.count(b"\x00\x07kiosk-7") == 2, "left out, the user's name is the terminal's id"
    assert heard.count(b"scanward-doctor-") == 2
    assert heard.count(b"MQTT\x04\x82") == 2, "version 4, clean session, user name"
    names = {bytes(heard)[at : at + 24] for at in range(len(heard)) if heard[at:].startswith(b"scanward-doctor-")}
    assert len(names) == 2


async def test_a_long_packet_is_written_with_its_length_in_two_bytes() -> None:
    heard = asyncio.get_running_loop().create_future()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readexactly(3)
        heard.set_result((head, await reader.readexactly((head[1] & 0x7F) + 128 * head[2])))
        writer.write(bytes((0x20, 2, 0, 0)))

    async with listening(listen) as port:
        connect = partial(uplinks.connect, "127.0.0.1", port)
        assert await mqtt.connect_code(connect, client_id="doctor", user="u", password=b"p" * 300) == 0
        head, rest = await heard
    assert head[0] == 0x10
    assert rest.endswith(b"\x01\x2c" + b"p" * 300)


async def test_an_agent_whose_api_does_not_answer_is_a_fault(tmp_path: Path) -> None:
    class Owned(service.Machine):
        """A machine on which somebody owns the ledger."""

        def lock_owner(self, path: Path) -> int | None:
            return 7

    text = f'[[scanners]]\nid = "a"\ntype = "serial"\npath = "/dev/null"\n[state]\ndirectory = "{tmp_path}"\n'
    config = parse(f'{text}[console]\nlisten = "127.0.0.1:9"\n'.encode(), Environment("kiosk", None, None))
    (found,) = await service.agent(config, Owned(tmp_path))
    assert found.level == Level.FAULT
    assert "runs (pid 7), but" in found.what
