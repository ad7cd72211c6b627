"""What is configured of a camera, apart from what reads it: a terminal without one loads no more."""

import ipaddress
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from agent.core.reading.profile import Profile

SAME_CODE_INTERVAL_MS = 3_000  # a hand that holds a code up shakes, and the reader loses it for a moment
_HTTP, _HTTPS = "http://", "https://"

Form = Literal["auto", "yuyv", "mjpeg", "grey", "nv12"]


class Settings(Profile, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="camera"):
    """A camera.

    path: /dev/v4l/by-id/..., usb:VVVV:PPPP[:SERIAL], http(s)://..., folder:PATH or video:PATH. width, height in pixels
    and fps, pictures a second: asked for, the camera may answer otherwise. extra: the second decoders, where they are
    installed. user, password_file, ca_file: of a network camera.
    """

    path: Annotated[str, msgspec.Meta(pattern=r"^(/|usb:|https?://|folder:|video:)[^\x00]{1,4096}$")]
    width: Annotated[int, msgspec.Meta(ge=16, le=8_192)] = 1_280
    height: Annotated[int, msgspec.Meta(ge=16, le=8_192)] = 720
    fps: Annotated[int, msgspec.Meta(ge=1, le=240)] = 30
    format: Form = "auto"
    extra: Literal["auto", "off"] = "auto"
    user: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | None = None
    password_file: str | None = None
    ca_file: str | None = None
    same_code_interval_ms: Annotated[int, msgspec.Meta(ge=0, le=60_000)] = SAME_CODE_INTERVAL_MS

    def __post_init__(self) -> None:
        """Refuse an address that cannot be used, or not safely. Raises ValueError."""
        if (fault := self._fault()) is not None:
            raise ValueError(fault)

    def _fault(self) -> str | None:
        has_password = self.password_file is not None or self.user is not None
        if not self.path.startswith((_HTTP, _HTTPS)):
            return "user and password_file belong to a camera at https://" if has_password else None
        if any(c.isspace() or not c.isprintable() for c in self.path):
            return "path must not hold spaces or control characters"
        try:
            parts = urlsplit(self.path)
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            return f"path is not a URL: {error}"
        if not host:
            return "path must be of the form http://host[:port]/..."
        if parts.username or parts.password:
            return "path must not carry a password: set user and password_file"
        if has_password and (self.password_file is None or self.user is None):
            return "user and password_file belong together"
        if parts.scheme == "http":
            if has_password and not _is_near(host, is_loopback=True):
                return "a password needs https: it would cross the net in clear text"
            if not _is_near(host):
                return "path must use https: without TLS only an address of a private network may be named"
        return None


def _is_near(host: str, *, is_loopback: bool = False) -> bool:
    """Say whether a host is this machine, or by its address one of a private network."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or (not is_loopback and address.is_private)
