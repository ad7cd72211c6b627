"""The terminal's Ed25519 signing key: a PEM file only the service may read, made once and never overwritten."""

import base64
import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.adapters.keys.public_keys import ED25519_HEAD

_KEY_BYTES_MAX = 4_096
_OTHERS = 0o077

# RFC 8410 §7: the private key's 32 bytes follow. Written and read here, because the
# library's writers and readers of files bring those for OpenSSH and RSA with them, which stay in memory.
_PKCS8_HEAD = bytes.fromhex("302e020100300506032b657004220420")
_PEM = re.compile(rb"-----BEGIN PRIVATE KEY-----\n([A-Za-z0-9+/]{64})\n-----END PRIVATE KEY-----\n")


class SigningKeyUnusable(Exception):
    """The key file cannot be used; the message says what a person can do about it."""


@dataclass(frozen=True, slots=True)
class TerminalKey:
    """The terminal's signing key (core Signer). spki: DER SubjectPublicKeyInfo; key_id: its first 8 SHA-256 bytes."""

    _key: Ed25519PrivateKey = field(repr=False)
    spki: bytes
    key_id: bytes

    def sign(self, message: bytes) -> bytes:
        """Return a 64-byte Ed25519 signature."""
        return self._key.sign(message)

    def registration(self, terminal: str, site: str) -> dict[str, str]:
        """Return what the platform registers this terminal by; nothing of it is secret."""
        return {
            "terminal": terminal,
            "site": site,
            "kid": self.key_id.hex(),
            "alg": "EdDSA",
            "spki": base64.b64encode(self.spki).decode(),
        }


def load_or_create(path: Path) -> TerminalKey:
    """Return the key in `path` (PEM, PKCS #8), made and fsynced first where there is none.

    Raises SigningKeyUnusable where others may read the file, or it holds no Ed25519 key.
    """
    try:
        return _load(path)
    except FileNotFoundError:
        _create(path)
        return _load(path)


def _load(path: Path) -> TerminalKey:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if mode & _OTHERS:
            raise SigningKeyUnusable(f"{path} may be read by others (mode {mode & 0o777:o}): chmod 600 {path}")
        pem = os.read(descriptor, _KEY_BYTES_MAX)
    finally:
        os.close(descriptor)
    try:
        key = _parse(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SigningKeyUnusable(f"{path} holds no PEM private key (PKCS #8, without a passphrase)") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningKeyUnusable(f"{path} holds a private key that is not Ed25519")
    spki = ED25519_HEAD + key.public_key().public_bytes_raw()
    return TerminalKey(key, spki, hashlib.sha256(spki).digest()[:8])


def _parse(pem: bytes) -> object:
    """Return the private key of a PEM file. Raises ValueError, TypeError, UnsupportedAlgorithm."""
    found = _PEM.fullmatch(pem)
    der = b"" if found is None else base64.b64decode(found[1])
    if der.startswith(_PKCS8_HEAD):
        return Ed25519PrivateKey.from_private_bytes(der.removeprefix(_PKCS8_HEAD))
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - of another form

    return load_pem_private_key(pem, password=None)


def _create(path: Path) -> None:
    """Write a new key beside `path` and link it in place, so that a crash leaves a whole key or none."""
    der = _PKCS8_HEAD + Ed25519PrivateKey.generate().private_bytes_raw()
    pem = b"-----BEGIN PRIVATE KEY-----\n" + base64.b64encode(der) + b"\n-----END PRIVATE KEY-----\n"
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(new, path)
        except FileExistsError:
            return  # another process was quicker: its key is the key
    finally:
        new.unlink()
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
