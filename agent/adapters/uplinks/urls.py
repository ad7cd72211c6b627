"""Where a platform may be reached: TLS, except on loopback; no secrets in addresses."""

import ipaddress
from typing import NamedTuple
from urllib.parse import urlsplit


class Schemes(NamedTuple):
    """A protocol's scheme with TLS and the one in clear text."""

    tls: str
    clear: str


def url_fault(url: str, schemes: Schemes, *, has_path: bool = True) -> str | None:
    """Say what is wrong with a platform's URL, or None. Clear text is allowed to loopback only."""
    if any(c.isspace() or not c.isprintable() for c in url):  # urlsplit would silently take some of them away
        return "must not hold spaces or control characters"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return f"not a URL: {error}"
    if parts.scheme not in schemes or not host:
        return f"must be of the form {schemes.tls}://host[:port]"
    if parts.username or parts.password:
        return "must not carry a password: secrets are files"
    if parts.query or parts.fragment:
        return "must not carry a query or a fragment"
    if not has_path and parts.path not in {"", "/"}:
        return f"must be of the form {schemes.tls}://host[:port], without a path"
    if parts.scheme == schemes.clear and not _is_loopback(host):
        return f"must use {schemes.tls}: only a loopback address may be reached without TLS"
    return None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
