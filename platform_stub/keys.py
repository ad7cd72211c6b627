"""Key files of the platform: PKCS #8 PEM, readable by the owner only, one key a file.

Demo keys: generated on the spot, unencrypted, on the same disk. A real platform keeps root and targets keys offline.
"""

import base64
import binascii
import errno
import hashlib
import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, x25519

from platform_stub.files import write_new_file
from platform_stub.wire.sm2 import NoSm2Key, Sm2PrivateKey, Sm2PublicKey

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | x25519.X25519PrivateKey | Sm2PrivateKey
AnyPublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | x25519.X25519PublicKey | Sm2PublicKey

ISSUER_KEYS = {"ES256": "issuer-es256", "EdDSA": "issuer-eddsa", "SM2": "issuer-sm2"}
RECEIPT_KEY = "receipt"
SEAL_KEY = "seal"
COMMANDS_KEY = "commands"
VERIFICATION_KEY = "verification"
TUF_KEYS = {
    "root": ("tuf-root-1", "tuf-root-2"),
    "targets": ("tuf-targets-1", "tuf-targets-2"),
    "snapshot": ("tuf-snapshot",),
    "timestamp": ("tuf-timestamp",),
}


class KeyUnusable(Exception):
    """A key file is missing, damaged or of another kind; the message names the file."""


def spki_of(key: AnyPublicKey) -> bytes:
    """Return the DER SubjectPublicKeyInfo."""
    if isinstance(key, Sm2PublicKey):
        return key.spki()
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def key_id(spki: bytes) -> bytes:
    """Return the kid: the first 8 bytes of SHA-256 over the SubjectPublicKeyInfo (cose.cddl)."""
    return hashlib.sha256(spki).digest()[:8]


def alg_of(key: PrivateKey) -> str:
    """Return the name the trust list has for keys of this kind."""
    match key:
        case ec.EllipticCurvePrivateKey():
            return "ES256"
        case ed25519.Ed25519PrivateKey():
            return "EdDSA"
        case x25519.X25519PrivateKey():
            return "X25519"
        case Sm2PrivateKey():
            return "SM2"


def issuer_keys(directory: Path) -> dict[str, str]:
    """Return the issuer's key files by algorithm. A platform made before there was SM2 has none for it, and goes on."""
    has_sm2 = (directory / f"{ISSUER_KEYS['SM2']}.pem").exists()
    return {alg: name for alg, name in ISSUER_KEYS.items() if alg != "SM2" or has_sm2}


def make_keys(directory: Path) -> None:
    """Make every key the platform needs."""
    directory.mkdir(mode=0o700)
    write_key(directory, ISSUER_KEYS["ES256"], ec.generate_private_key(ec.SECP256R1()))
    write_key(directory, ISSUER_KEYS["SM2"], Sm2PrivateKey.generate())
    write_key(directory, SEAL_KEY, x25519.X25519PrivateKey.generate())
    of_roles = (name for names in TUF_KEYS.values() for name in names)
    for name in (ISSUER_KEYS["EdDSA"], RECEIPT_KEY, *of_roles):
        write_key(directory, name, ed25519.Ed25519PrivateKey.generate())
    make_missing(directory)


def make_missing(directory: Path) -> bool:
    """Make the keys that a directory made by an earlier version lacks; say whether there were any."""
    missing = [name for name in (COMMANDS_KEY, VERIFICATION_KEY) if not (directory / f"{name}.pem").exists()]
    for name in missing if directory.is_dir() else ():
        write_key(directory, name, ed25519.Ed25519PrivateKey.generate())
    return bool(missing)


def write_key(directory: Path, name: str, key: PrivateKey) -> None:
    """Write a new key file, mode 0600; never over an old one."""
    path = directory / f"{name}.pem"
    if not write_new_file(path, _pem_of(key)):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def read_key(directory: Path, name: str) -> PrivateKey:
    """Read a key file. Raises KeyUnusable."""
    path = directory / f"{name}.pem"
    try:
        key = _read_pem(path.read_bytes())
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyUnusable(f"{path}: cannot be read as a private key") from error
    if not isinstance(key, PrivateKey):
        raise KeyUnusable(f"{path}: a key of a kind the platform does not use")
    return key


def _pem_of(key: PrivateKey) -> bytes:
    if isinstance(key, Sm2PrivateKey):
        return key.pem()
    pkcs8, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, pkcs8, plain)


def _read_pem(pem: bytes) -> object:
    try:
        return Sm2PrivateKey.from_pem(pem)
    except NoSm2Key:
        return serialization.load_pem_private_key(pem, password=None)


def read_ed25519(directory: Path, name: str) -> ed25519.Ed25519PrivateKey:
    """Read a key file that must hold an Ed25519 key. Raises KeyUnusable."""
    key = read_key(directory, name)
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise KeyUnusable(f"{directory / name}.pem: not an Ed25519 key")
    return key


def read_x25519(directory: Path, name: str) -> x25519.X25519PrivateKey:
    """Read a key file that must hold an X25519 key. Raises KeyUnusable."""
    key = read_key(directory, name)
    if not isinstance(key, x25519.X25519PrivateKey):
        raise KeyUnusable(f"{directory / name}.pem: not an X25519 key")
    return key


def public_ed25519(spki_base64: str) -> tuple[bytes, ed25519.Ed25519PublicKey]:
    """Return the DER and the key of a base64 SubjectPublicKeyInfo. Raises ValueError."""
    try:
        spki = base64.b64decode(spki_base64, validate=True)
        key = serialization.load_der_public_key(spki)
    except (binascii.Error, UnsupportedAlgorithm) as error:
        raise ValueError("not a public key in base64 DER") from error
    if not isinstance(key, ed25519.Ed25519PublicKey) or spki_of(key) != spki:
        raise ValueError("not an Ed25519 key in its one DER form")
    return spki, key
