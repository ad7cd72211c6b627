"""The console's secrets as files: the token of local programs, the staff's PIN as a scrypt hash (RFC 7914).

The law: a secret that others may read is not used; none is ever in a log or an error text.
"""

import base64
import hashlib
import hmac
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from agent.ports import Randomness, SecretUnusable

TOKEN_BYTES = 32
TOKEN_CHARS_MIN, TOKEN_CHARS_MAX = 32, 256
PIN_CHARS_MIN, PIN_CHARS_MAX = 6, 64
FILE_BYTES_MAX = 1_024
_LOG2_N, _R, _P = 14, 8, 1  # 16 MB and about 50 ms: RFC 7914 §2, sized for a small box
_SALT_BYTES, _HASH_BYTES = 16, 32
_OTHERS = 0o077
_TOKEN = re.compile(rf"[!-~]{{{TOKEN_CHARS_MIN},{TOKEN_CHARS_MAX}}}", re.ASCII)
_PIN_LINE = re.compile(
    r"scrypt:(1[0-7]):([1-9][0-9]?):([1-9]):([A-Za-z0-9_=-]{16,128}):([A-Za-z0-9_=-]{40,128})", re.ASCII
)


@dataclass(frozen=True, slots=True)
class PinHash:
    """A PIN as it is kept: cost, salt and hash."""

    log2_n: int
    r: int
    p: int
    salt: bytes = field(repr=False)
    hash: bytes = field(repr=False)

    def matches(self, pin: str) -> bool:
        """Say whether this is the PIN. Takes about 50 ms of a processor: not for the event loop's thread."""
        return hmac.compare_digest(_scrypt(pin, self.salt, self.log2_n, self.r, self.p, len(self.hash)), self.hash)

    @property
    def line(self) -> str:
        """The file's one line."""
        salt, hash_ = (base64.urlsafe_b64encode(part).decode() for part in (self.salt, self.hash))
        return f"scrypt:{self.log2_n}:{self.r}:{self.p}:{salt}:{hash_}"


def hash_pin(pin: str, randomness: Randomness) -> PinHash:
    """Hash a PIN under a new salt. Raises ValueError for one that is too short or too long."""
    if not PIN_CHARS_MIN <= len(pin) <= PIN_CHARS_MAX:
        raise ValueError(f"a PIN has {PIN_CHARS_MIN} to {PIN_CHARS_MAX} characters")
    salt = randomness.bytes(_SALT_BYTES)
    return PinHash(_LOG2_N, _R, _P, salt, _scrypt(pin, salt, _LOG2_N, _R, _P, _HASH_BYTES))


def load_pin(path: Path) -> PinHash:
    """Read what `scanward console pin` printed. Raises SecretUnusable."""
    parts = _PIN_LINE.fullmatch(read_secret(path))
    if parts is None:
        raise SecretUnusable(f"{path} holds no PIN: write into it what `scanward console pin` prints")
    try:
        salt, hash_ = (base64.b64decode(parts[n], altchars=b"-_", validate=True) for n in (4, 5))
    except ValueError as error:
        raise SecretUnusable(f"{path} is damaged: write into it what `scanward console pin` prints") from error
    return PinHash(int(parts[1]), int(parts[2]), int(parts[3]), salt, hash_)


def load_token(path: Path) -> str:
    """Read a token. Raises SecretUnusable."""
    token = read_secret(path)
    if not _TOKEN.fullmatch(token):
        raise SecretUnusable(
            f"{path} holds no token: one line of {TOKEN_CHARS_MIN} to {TOKEN_CHARS_MAX} printable ASCII characters"
        )
    return token


def load_or_create_token(path: Path, randomness: Randomness) -> str:
    """Read the token in `path`, made first where there is none. Raises SecretUnusable, OSError."""
    if not path.exists():
        new = path.with_name(f"{path.name}.{os.getpid()}.new")
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(base64.urlsafe_b64encode(randomness.bytes(TOKEN_BYTES)).decode().rstrip("=") + "\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    return load_token(path)


def read_secret(path: Path) -> str:
    """Return a small file that nobody else may read, without its line end. Raises SecretUnusable."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            mode = os.fstat(descriptor).st_mode
            data = os.read(descriptor, FILE_BYTES_MAX + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise SecretUnusable(f"{path} cannot be read ({error.strerror}): correct the path or the permission") from error
    if mode & _OTHERS:
        raise SecretUnusable(f"{path} may be read by others (mode {mode & 0o777:o}): chmod 600 {path}")
    try:
        return data.decode("ascii").strip() if len(data) <= FILE_BYTES_MAX else ""
    except UnicodeDecodeError:
        return ""


def _scrypt(pin: str, salt: bytes, log2_n: int, r: int, p: int, size: int) -> bytes:
    memory = 128 * r * ((1 << log2_n) + p + 2)
    return hashlib.scrypt(pin.encode(), salt=salt, n=1 << log2_n, r=r, p=p, maxmem=memory + 1_048_576, dklen=size)
