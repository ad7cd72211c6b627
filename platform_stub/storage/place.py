"""Where a platform keeps its records: the file platform.sqlite in its directory, or a PostgreSQL server.

The choice is remembered in DIR/database.toml, without any password: a platform started on the wrong database would know
nothing of its terminals and say so to each. What the URL means beyond the checks here is left to the driver.
"""

import ipaddress
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from platform_stub.files import write_file
from platform_stub.layout import Layout, LayoutInvalid

URL_CHARACTERS_MAX = 1_024
PASSWORD_BYTES_MAX = 1_024
_SECRETS = ("password", "sslpassword")
_ENCRYPTED = ("require", "verify-ca", "verify-full")


class PlaceInvalid(Exception):
    """A database URL or its password file cannot be used; the message says why and repeats no secret."""


@dataclass(frozen=True, slots=True)
class Server:
    """A PostgreSQL database: its URL, which holds no password, and the file that does, if any."""

    url: str
    password_file: Path | None = None

    def __str__(self) -> str:
        """Return the address for people, without user and options."""
        parts = urlsplit(self.url)
        return f"postgresql://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def read_password(self) -> str | None:
        """Return the password, read anew each time. Raises PlaceInvalid."""
        if self.password_file is None:
            return None
        try:
            with self.password_file.open("rb") as file:
                data = file.read(PASSWORD_BYTES_MAX + 1)
        except OSError as error:
            raise PlaceInvalid(f"{self.password_file}: {error.strerror}") from error
        try:
            password = data.decode().rstrip("\r\n")
        except UnicodeDecodeError:
            password = ""
        if not password or len(data) > PASSWORD_BYTES_MAX or "\n" in password:
            raise PlaceInvalid(f"{self.password_file}: one line with the password is wanted, in UTF-8")
        return password


def read_server(url: str, password_file: Path | None = None) -> Server:
    """Check a URL and return the server it names. Raises PlaceInvalid."""
    try:
        parts = urlsplit(url)
        query = parse_qs(parts.query, strict_parsing=True) if parts.query else {}
        hosts = [*_hosts(parts.netloc), *_hosts(",".join(query.get("host", [])))]
    except ValueError as error:
        raise PlaceInvalid("the database URL is not well formed: postgresql://USER@HOST:PORT/DATABASE") from error
    if parts.scheme not in ("postgresql", "postgres") or len(url) > URL_CHARACTERS_MAX or not url.isprintable():
        raise PlaceInvalid("the database URL is postgresql://USER@HOST:PORT/DATABASE")
    if ":" in parts.netloc.rpartition("@")[0] or any(name in query for name in _SECRETS):
        raise PlaceInvalid(
            "the database URL holds a password, where everyone on this machine can read it: put it into a file "
            "(--database-password-file FILE, or PostgreSQL's own ~/.pgpass)"
        )
    encrypted = query.get("sslmode", [""])[-1] in _ENCRYPTED
    if not encrypted and not all(_is_here(host) for host in hosts):
        raise PlaceInvalid(
            "the database is on another machine: add ?sslmode=verify-full&sslrootcert=FILE to its URL, or what crosses "
            "the network is in clear"
        )
    return Server(url, password_file.absolute() if password_file is not None else None)


def choose_place(layout: Layout, url: str | None = None, password_file: Path | None = None) -> Path | Server:
    """Return where the records are: as `url` says, as remembered, or else the file.

    Raises PlaceInvalid, LayoutInvalid.
    """
    remembered = _read_remembered(layout)
    if url is None:
        if password_file is not None and remembered is None:
            raise PlaceInvalid("--database-password-file goes with --database")
        if remembered is None:
            return layout.database
        return Server(remembered.url, password_file.absolute()) if password_file is not None else remembered
    wanted = read_server(url, password_file)
    if remembered is None and layout.database.exists():
        raise PlaceInvalid(
            f"the records of {layout.directory} are in {layout.database.name}, and are not moved by themselves. "
            "To begin empty on PostgreSQL, move that file away: terminals send again what they still hold"
        )
    if remembered is not None and remembered.url != wanted.url:
        raise PlaceInvalid(
            f"{layout.directory} keeps its records at {remembered}. Leave --database out; or, where the database has "
            f"moved, delete {layout.database_choice.name} there first"
        )
    return wanted if wanted.password_file is not None or remembered is None else remembered


def remember_place(layout: Layout, place: Path | Server) -> None:
    """Write a server down in the directory, once it has been opened. The file needs no remembering."""
    if not isinstance(place, Server) or _read_remembered(layout) == place:
        return
    lines = [f"url = {json.dumps(place.url)}"]
    if place.password_file is not None:
        lines.append(f"password_file = {json.dumps(str(place.password_file))}")
    write_file(layout.database_choice, ("\n".join(lines) + "\n").encode())


def _read_remembered(layout: Layout) -> Server | None:
    path = layout.database_choice
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
        url, password_file = said["url"], said.get("password_file")
        if (
            type(url) is not str
            or type(password_file) not in (str, type(None))
            or said.keys() - {"url", "password_file"}
        ):
            raise LayoutInvalid(f"{path} is damaged: url and password_file are all it may say")
    except FileNotFoundError:
        return None
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError) as error:
        raise LayoutInvalid(f"{path} is damaged: url and password_file are all it may say") from error
    return read_server(url, Path(password_file) if password_file else None)


def _hosts(netloc: str) -> list[str]:
    """Return the hosts of `user@host:port,[::1]:port`, none where nothing is named (a socket of this machine)."""
    return [spec for spec in netloc.rpartition("@")[2].split(",") if spec]


def _is_here(spec: str) -> bool:
    """Say whether a host, perhaps with a port, is this machine."""
    if spec.startswith("["):
        host = spec[1:].partition("]")[0]
    else:
        host = spec.rpartition(":")[0] if spec.count(":") == 1 else spec
    if host in ("", "localhost") or host.startswith(("/", "%2F", "%2f")):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
