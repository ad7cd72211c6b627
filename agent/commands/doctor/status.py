"""What the running agent says of its scanners over its own local API; its token goes to loopback alone."""

import asyncio
import ipaddress
from functools import partial
from pathlib import Path

import msgspec

from agent.adapters.console.secret_files import load_token
from agent.commands.doctor.finding import in_thread
from agent.commands.doctor.uplinks import connect
from agent.composition.ledger import Paths
from agent.config import Config
from agent.ports import SecretUnusable

ANSWER_BYTES_MAX = 262_144
ANSWER_S_MAX = 3.0


class Scanner(msgspec.Struct, frozen=True):
    """One scanner: whether the agent reads it, why not, and its counts since the agent's start, by kind of fault."""

    id: str
    type: str | None = None
    presence: str | None = None
    why: str = ""
    scans: int = 0
    faults: dict[str, int] = {}


class Status(msgspec.Struct, frozen=True):
    """What of GET /v1/status the doctor looks at."""

    scanners: tuple[Scanner, ...] = ()


async def read_status(config: Config) -> Status | None:
    """Ask the agent; None where it does not answer, or this user may not ask."""
    host, port = config.console.host, config.console.port
    if port == 0 or not _is_loopback(host):
        return None
    try:
        token = await in_thread(
            partial(load_token, Path(config.console.token_file or Paths(config.state_directory).console_token))
        )
        async with asyncio.timeout(ANSWER_S_MAX):
            return msgspec.json.decode(await _get(host, port, token), type=Status)
    except (OSError, ValueError, EOFError, SecretUnusable):  # msgspec's errors are ValueErrors
        return None


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _get(host: str, port: int, token: str) -> bytes:
    """Return the body of GET /v1/status. Raises OSError, ValueError, EOFError."""
    reader, writer = await connect(host, port)
    try:
        name = f"[{host}]" if ":" in host else host
        writer.write(
            f"GET /v1/status HTTP/1.0\r\nHost: {name}:{port}\r\nAuthorization: Bearer {token}\r\n"
            "User-Agent: scanward-doctor\r\n\r\n".encode("ascii")
        )
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.partition(b"\r\n")[0]:
            raise ValueError("refused")
        body = b""
        while (part := await reader.read(ANSWER_BYTES_MAX)) and len(body) <= ANSWER_BYTES_MAX:
            body += part
        return body
    except asyncio.LimitOverrunError as error:
        raise ValueError("no HTTP") from error
    finally:
        writer.close()
