"""A bundle on disk: one verified trust list, revocations and policy, with a manifest of their hashes.

The law: `current` names a whole bundle or nothing, at any instant, through any crash; a published bundle never changes.
Whether to believe a bundle is the caller's to know: the manifest proves only that the files belong together.
"""

import contextlib
import hashlib
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from agent.core.revocation import REVOKED_BYTES_MAX, RevocationList, RevocationsInvalid, parse_revoked
from agent.core.steps import POLICY_BYTES_MAX, Policy, PolicyInvalid, parse_policy
from agent.core.trust_entries import parse_trust_list
from agent.core.trust_list import TRUST_LIST_BYTES_MAX, CertificateReader, KeyBuilder, TrustList, TrustListInvalid

log = logging.getLogger(__name__)

TRUST_LIST = "trust-list.json"
REVOKED = "revoked.bin"
POLICY = "policy.toml"
FILE_BYTES_MAX: Mapping[str, int] = {
    TRUST_LIST: TRUST_LIST_BYTES_MAX,
    REVOKED: REVOKED_BYTES_MAX,
    POLICY: POLICY_BYTES_MAX,
}
MANIFEST = "manifest.json"
MANIFEST_BYTES_MAX = 16_384
METADATA = "metadata"  # a copy of the signed metadata that proves the files, for verifying offline

_BUNDLES = "bundles"
_CURRENT = "current"
_DRAFT_PREFIX = ".draft-"
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")


class BundleInvalid(Exception):
    """The bundle cannot be used. reason: a stable word (docs/trust.md); the message says what is wrong."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class ManifestFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of the bundle; sha256 in hex."""

    sha256: str
    bytes: int


class VerifiedAt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the agent knew of the time when the bundle was verified; latest_ms null: unbounded."""

    earliest_ms: int
    latest_ms: int | None


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """manifest.json. expires_at_ms: when the first of the four roles' metadata expires."""

    format: Literal["scanward-trust-bundle-1"]
    files: dict[str, ManifestFile]
    trust_list_version: int
    timestamp_version: int
    root_version: int
    expires_at_ms: int
    verified: VerifiedAt


@dataclass(frozen=True, slots=True)
class Content:
    """What a bundle's three files say."""

    trust_list: TrustList
    policy: Policy
    revoked: RevocationList


def parse_content(
    files: Mapping[str, bytes], build_key: KeyBuilder, read_certificate: CertificateReader | None = None
) -> Content:
    """Read the three files, all or nothing. Raises BundleInvalid ("content-invalid")."""
    try:
        trust_list = parse_trust_list(files[TRUST_LIST], build_key, read_certificate, sets_aside=True)
        policy = parse_policy(files[POLICY])
        revoked = parse_revoked(files[REVOKED])
    except (TrustListInvalid, RevocationsInvalid, PolicyInvalid) as error:
        raise BundleInvalid("content-invalid", str(error)) from error
    if not any(key.key for key in trust_list.with_usage("platform", "receipt")):
        raise BundleInvalid(
            "content-invalid", "no platform key can check receipts (usage receipt): nothing could settle"
        )
    if not trust_list.with_usage("platform", "seal"):
        raise BundleInvalid(
            "content-invalid", "no platform key has the usage seal: personal fields could not be sealed"
        )
    return Content(trust_list, policy, revoked)


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 in hex, as manifests and the agent's durable values have it."""
    return hashlib.sha256(data).hexdigest()


def current_bundle(directory: Path) -> Path | None:
    """Return the folder that `current` names, or None."""
    try:
        target = (directory / _CURRENT).readlink()
    except OSError:  # not there, or not a link
        return None
    folder, _, number = str(target).partition("/")
    if folder != _BUNDLES or not _NUMBER.fullmatch(number):
        return None
    bundle = directory / _BUNDLES / number
    return bundle if bundle.is_dir() else None


def bundle_named(directory: Path, name: str) -> Path | None:
    """Return the folder of a bundle by its name, or None."""
    bundle = directory / _BUNDLES / name
    return bundle if _NUMBER.fullmatch(name) and bundle.is_dir() else None


def bundles(directory: Path) -> list[Path]:
    """Return all published bundles: the current one first, then the others from the newest."""
    current = current_bundle(directory)
    others = sorted((b for b in _numbered(directory) if b != current), key=lambda b: int(b.name), reverse=True)
    return ([current] if current else []) + others


def read_manifest(bundle: Path) -> tuple[Manifest, bytes]:
    """Return a bundle's manifest and its bytes. Raises BundleInvalid ("bundle-damaged")."""
    data = _read(bundle / MANIFEST, MANIFEST_BYTES_MAX)
    try:
        return msgspec.json.decode(data, type=Manifest), data
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleInvalid("bundle-damaged", f"{MANIFEST} of bundle {bundle.name}: {error}") from error


def read_files(bundle: Path, manifest: Manifest) -> dict[str, bytes]:
    """Return the three files, each exactly as the manifest has it. Raises BundleInvalid ("bundle-damaged")."""
    if manifest.files.keys() != FILE_BYTES_MAX.keys():
        raise BundleInvalid("bundle-damaged", f"the manifest of bundle {bundle.name} does not list the three files")
    files = {}
    for name, bytes_max in FILE_BYTES_MAX.items():
        data = _read(bundle / name, bytes_max)
        if sha256_hex(data) != manifest.files[name].sha256:
            raise BundleInvalid("bundle-damaged", f"{name} of bundle {bundle.name} is not the file that was verified")
        files[name] = data
    return files


@contextlib.contextmanager
def draft(directory: Path) -> Iterator[Path]:
    """Make a folder to build a bundle in; what was not published is gone afterwards."""
    parent = directory / _BUNDLES
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob(f"{_DRAFT_PREFIX}*"):  # of a refresher that was killed
        shutil.rmtree(left)
    folder = Path(tempfile.mkdtemp(prefix=_DRAFT_PREFIX, dir=parent))
    folder.chmod(0o755)  # nothing in it is secret, and people look with `scanward trust show`
    try:
        yield folder
    finally:
        if folder.exists():
            shutil.rmtree(folder)


def publish(directory: Path, folder: Path) -> Path:
    """Turn a finished draft into the current bundle; keep the one before, delete older ones.

    1. Everything in the draft is on the disk, and so is its name, before anything points to it.
    2. One rename moves the pointer.
    3. Only then older bundles go. A crash in between leaves folders that the next run deletes.
    """
    before = current_bundle(directory)
    sync_tree(folder)
    number = max((int(b.name) for b in _numbered(directory)), default=0) + 1
    bundle = folder.rename(directory / _BUNDLES / str(number))
    sync_directory(directory / _BUNDLES)
    pointer = directory / f"{_CURRENT}.new"
    pointer.unlink(missing_ok=True)
    pointer.symlink_to(f"{_BUNDLES}/{number}")
    _set_aside_copy(directory / _CURRENT)
    pointer.replace(directory / _CURRENT)
    sync_directory(directory)
    for old in _numbered(directory):
        if old not in (bundle, before):
            shutil.rmtree(old)
    return bundle


def _set_aside_copy(current: Path) -> None:
    """Move away a folder where the pointer should be: somebody copied the trust folder and followed its links."""
    if current.is_dir() and not current.is_symlink():
        aside = current.with_name(f"{_CURRENT}.set-aside")
        if aside.exists():
            shutil.rmtree(aside)
        current.rename(aside)
        log.warning("%s was a folder, not the link it must be: it is now %s", current, aside.name)


def sync_tree(folder: Path) -> None:
    """Put every file below a folder, and the folders' entries, on the disk."""
    for path, _, names in os.walk(folder):
        for name in names:
            if not Path(path, name).is_symlink():
                _sync(Path(path, name), os.O_RDONLY)
        sync_directory(Path(path))


def sync_directory(folder: Path) -> None:
    """Put a folder's entries on the disk."""
    _sync(folder, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _numbered(directory: Path) -> list[Path]:
    try:
        return [b for b in (directory / _BUNDLES).iterdir() if _NUMBER.fullmatch(b.name) and b.is_dir()]
    except FileNotFoundError:
        return []


def _read(path: Path, bytes_max: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(bytes_max + 1)
    except OSError as error:
        raise BundleInvalid("bundle-damaged", f"{path.name} of bundle {path.parent.name}: {error.strerror}") from error
    if len(data) > bytes_max:
        raise BundleInvalid("bundle-damaged", f"{path.name} of bundle {path.parent.name} has over {bytes_max} bytes")
    return data
