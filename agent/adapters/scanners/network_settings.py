"""What is configured of readers on the network, apart from what reads them: a terminal without any loads no more."""

import ipaddress
import re
from typing import Annotated

import msgspec

from agent.core.reading.framing import SCAN_TIMEOUT_MS, Framing
from agent.core.reading.profile import Profile
from agent.core.scan import SCAN_BYTES_MAX

_PATH = re.compile(
    r"(?P<scheme>tcp|listen)://(?:\[(?P<v6>[0-9a-fA-F:.]{2,45})\]|(?P<host>[A-Za-z0-9._-]{1,253})):(?P<port>[0-9]{1,5})",
    re.ASCII,
)
_Text = Annotated[str, msgspec.Meta(max_length=32)]


class Settings(Profile, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="network"):
    """Readers that send lines over TCP.

    path: tcp://HOST:PORT, where the agent connects, or listen://ADDRESS:PORT, where readers do. peers: addresses and
    networks that may connect. stays_connected: a reader without a connection is absent. heartbeat: a line that is no
    scan. accepted, refused: what the reader is sent for an answer. timeout_ms, framing, bytes_max: as serial.
    """

    path: Annotated[str, msgspec.Meta(max_length=300)]
    peers: Annotated[tuple[Annotated[str, msgspec.Meta(max_length=64)], ...], msgspec.Meta(max_length=32)] = ()
    stays_connected: bool = True
    framing: Framing = Framing.CR
    timeout_ms: Annotated[int, msgspec.Meta(ge=20, le=10_000)] = SCAN_TIMEOUT_MS
    bytes_max: Annotated[int, msgspec.Meta(ge=1, le=SCAN_BYTES_MAX)] = SCAN_BYTES_MAX
    heartbeat: _Text = ""
    accepted: _Text = ""
    refused: _Text = ""

    def __post_init__(self) -> None:
        parts = _PATH.fullmatch(self.path)
        if parts is None or not 1 <= int(parts["port"]) <= 65_535:
            raise ValueError('path must be "tcp://HOST:PORT" or "listen://ADDRESS:PORT"')
        for peer in self.peers:
            try:
                ipaddress.ip_network(peer)
            except ValueError as error:
                raise ValueError("peers must be addresses or networks, e.g. 192.0.2.7 or 192.0.2.0/24") from error
        if not self.is_listening:
            if self.peers:
                raise ValueError('peers belongs to "listen://": the agent connects to tcp:// itself')
            return
        try:
            is_loopback = ipaddress.ip_address(self.host).is_loopback
        except ValueError as error:
            raise ValueError("listen:// takes an address of this machine, not a name") from error
        if not (is_loopback or self.peers):
            raise ValueError("listen:// on a network needs peers: the addresses of the readers that may connect")

    @property
    def is_listening(self) -> bool:
        """Say whether readers connect."""
        return self.path.startswith("listen:")

    @property
    def host(self) -> str:
        """Name or address, without brackets."""
        return self.path.partition("://")[2].rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port."""
        return int(self.path.rpartition(":")[2])
