"""Ways to the platform, tried from the terminal step by step: name, connection, certificate, answer.

The law: nothing is sent that changes anything at the platform, and a secret only to where the configuration sends it.
"""

import asyncio
import secrets
import socket
import ssl
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agent.adapters.clock import SystemClock
from agent.adapters.uplinks.mqtt import PORTS
from agent.commands.doctor import mqtt
from agent.commands.doctor.finding import Finding, fault, in_thread, ok, warning
from agent.config import Config

ANSWER_BYTES_MAX = 65_536
ANSWER_S_MAX = 4.0
ADDRESSES_MAX = 4
SECRET_BYTES_MAX = 4_096
CERTIFICATE_DAYS_MIN = 14
DAY_S = 86_400
CERTIFICATE_FAULTS = {  # X509_V_ERR_*: what it is, what to do
    9: ("the certificate is not valid yet", "see this terminal's clock first (timedatectl), then the certificate"),
    10: ("the certificate has expired", "see this terminal's clock first (timedatectl); then it must be renewed there"),
    18: ("the certificate is signed by itself", "if it is meant so: update-ca-certificates; for MQTT, ca_file"),
    19: (
        "the certificate's authority is unknown here",
        "is it the platform? then update-ca-certificates; for MQTT, ca_file",
    ),
    20: (
        "the certificate's authority is unknown here",
        "is it the platform? then update-ca-certificates; for MQTT, ca_file",
    ),
    21: ("the server sends no full chain of certificates", "it must send the certificates in between, too"),
    23: ("the certificate was revoked", "trust nothing there; ask whoever runs it"),
    62: ("the certificate is another host's", "correct the host name in url; a login page may be in between"),
    64: ("the certificate is another host's", "write the host's name in url, not its address"),
}
Trouble = tuple[str, str]


async def http(config: Config) -> Sequence[Finding]:
    """Try the HTTP platform as far as /healthz."""
    settings = config.uplink.http
    if settings is None:
        return []
    url = urlsplit(settings.url)
    host, is_tls = url.hostname or "", url.scheme == "https"
    port = url.port or (443 if is_tls else 80)
    try:
        tls = context_of(settings) if is_tls else None
        async with asyncio.timeout(ANSWER_S_MAX):
            status, days = await http_status(host, port, f"{url.path.rstrip('/')}/healthz", tls=tls)
    except (OSError, ValueError, EOFError) as error:
        return [fault("uplink http", *trouble_of(error, host, port))]
    if status != 200:
        do = "see whether url is the platform's: a proxy or a login page may be in between"
        return [fault("uplink http", f"{host}:{port} answers /healthz with status {status}", do)]
    return [*_ageing("uplink http", days), ok("uplink http", f"{host}:{port} answers")]


async def broker(config: Config) -> Sequence[Finding]:
    """Try the MQTT broker as far as its word on whether this terminal may come in."""
    settings = config.uplink.mqtt
    if settings is None:
        return []
    url = urlsplit(settings.url)
    host, is_tls = url.hostname or "", url.scheme == "mqtts"
    port = url.port or PORTS[url.scheme]
    try:
        secret = settings.password_file
        async with asyncio.timeout(ANSWER_S_MAX):
            code = await mqtt.connect_code(
                partial(connect, host, port, tls=context_of(settings) if is_tls else None),
                client_id=f"scanward-doctor-{secrets.token_hex(4)}",
                user=settings.username or config.terminal.id,
                password=_secret(Path(secret)) if secret else None,
            )
    except mqtt.NotMqtt as error:
        return [fault("uplink mqtt", f"{host}:{port}: {error}", "see scheme and port of url: mqtts usually has 8883")]
    except (OSError, ValueError) as error:
        return [fault("uplink mqtt", *trouble_of(error, host, port))]
    if code == 0:
        return [ok("uplink mqtt", f"{host}:{port} lets this terminal in")]
    what, do = mqtt.REFUSALS.get(code, (f"it refuses with code {code}", "ask whoever runs it"))
    level = warning if code == 2 else fault
    return [level("uplink mqtt", f"{host}:{port}: {what}", do)]


def _secret(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(SECRET_BYTES_MAX).rstrip(b"\r\n")


def context_of(settings: Any) -> ssl.SSLContext:
    """Return how TLS is to be spoken: with whose certificates trusted, and with a certificate of our own, if any."""
    tls = ssl.create_default_context(cafile=getattr(settings, "ca_file", None))
    certificate = getattr(settings, "certificate_file", None)
    if certificate:
        tls.load_cert_chain(certificate, getattr(settings, "key_file", None))
    return tls


async def connect(
    host: str, port: int, *, tls: ssl.SSLContext | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to the first of a host's addresses that takes it. Raises OSError (ssl.SSLError, socket.gaierror too)."""
    found = await in_thread(partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM))
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))[:ADDRESSES_MAX]
    trouble = OSError(f"{host} has no address")
    for address in addresses:
        try:
            name = host if tls else None
            return await asyncio.open_connection(address, port, ssl=tls, server_hostname=name, limit=ANSWER_BYTES_MAX)
        except ssl.SSLError:
            raise
        except OSError as error:
            trouble = error
    raise trouble


async def http_status(host: str, port: int, path: str, *, tls: ssl.SSLContext | None = None) -> tuple[int, float]:
    """GET a path; return the status and for how many days the server's certificate is still good (without TLS: inf).

    Raises OSError (ssl.SSLError and socket.gaierror too), ValueError and EOFError where it is no HTTP.
    """
    reader, writer = await connect(host, port, tls=tls)
    try:
        certificate = writer.get_extra_info("peercert") or {}
        name = f"[{host}]" if ":" in host else host
        request = (
            f"GET {path} HTTP/1.1\r\nHost: {name}:{port}\r\nConnection: close\r\nUser-Agent: scanward-doctor\r\n\r\n"
        )
        writer.write(request.encode("ascii"))
        await writer.drain()
        words = (await reader.readuntil(b"\r\n")).split()
        if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
            raise ValueError("no HTTP")
        return int(words[1]), _days_left(certificate)
    except asyncio.LimitOverrunError as error:
        raise ValueError("no HTTP") from error
    finally:
        writer.close()


def _days_left(certificate: Any, now_ms: Callable[[], int] | None = None) -> float:
    ends = certificate.get("notAfter")
    if not ends:
        return float("inf")
    now = SystemClock().now().now.earliest_ms if now_ms is None else now_ms()
    return (ssl.cert_time_to_seconds(ends) - now / 1000) / DAY_S


def _ageing(topic: str, days: float) -> Sequence[Finding]:
    if days >= CERTIFICATE_DAYS_MIN:
        return []
    return [warning(topic, f"the platform's certificate expires in {days:.0f} days", "tell whoever runs the platform")]


def trouble_of(error: Exception, host: str, port: int) -> Trouble:
    """Return what an error means and what to do about it."""
    match error:
        case socket.gaierror():
            return f"the name {host} is not found", "see the network and its name server: resolvectl query, ip addr"
        case ssl.SSLCertVerificationError():
            what, do = CERTIFICATE_FAULTS.get(error.verify_code, (error.verify_message, "ask whoever runs it"))
            return f"{host}:{port}: {what}", do
        case ssl.SSLError():
            return f"{host}:{port} does not speak TLS as it must ({error.reason})", "see scheme and port of url"
        case ConnectionRefusedError():
            return f"{host}:{port} refuses connections", "nothing runs there: see the port in url, and the platform"
        case TimeoutError():
            return f"{host}:{port} does not answer", "see cable, firewall and the network's way there"
        case FileNotFoundError() | PermissionError():
            return f"{error.filename} cannot be read ({error.strerror})", "correct the path, or give permission"
        case ConnectionError() | EOFError():
            return f"{host}:{port} hangs up", "see the port in url; a firewall may be in between"
        case OSError():
            return (
                f"{host}:{port} cannot be reached ({error.strerror or error})",
                "see cable and network: ip addr, ip route",
            )
        case _:
            return f"{host}:{port} answers, but not as it must", "see scheme and port of url"
