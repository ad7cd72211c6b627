"""Verify the TUF-signed trust list and publish it as a bundle. Runs in a short process of its own; alone imports tuf.

The law: nothing is published that does not chain to the installed root, and nothing older than the floor. Expired
metadata is published with its true expiry: how long it still serves is for policy (the grace ladder), not for us.
"""

import fcntl
import re
import shutil
import ssl
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import urllib3
from tuf.api import exceptions as tuf
from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet
from tuf.ngclient.config import UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface
from tuf.ngclient.updater import Updater

from agent.adapters.trust_store import bundle as disk
from agent.adapters.trust_store.bundle import FILE_BYTES_MAX, BundleInvalid, Manifest, ManifestFile, VerifiedAt
from agent.core.time_interval import Interval
from agent.ports import TrustFloor, TrustTrouble, VerifiedBundle

SOCKET_TIMEOUT_S = 15.0
CHUNK_BYTES = 65_536
DETAIL_CHARACTERS_MAX = 200
_LIMITS = UpdaterConfig(
    max_root_rotations=64,
    max_delegations=0,  # only the top-level targets role, whose keys are offline, speaks for the trust list
    root_max_length=65_536,
    timestamp_max_length=16_384,
    snapshot_max_length=65_536,
    targets_max_length=262_144,
)
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_X509_V_FLAG_NO_CHECK_TIME = 0x200000
_VERSIONED = re.compile(r"(?:[0-9]+\.)?(timestamp|snapshot|targets)\.json")
_ROOT = re.compile(r"[0-9]+\.root\.json")


class OutOfTime(BaseException):
    """The time budget is spent. Not an Exception, so that no library on the way mistakes it for its own trouble."""


class _Refused(Exception):
    """A refusal of ours, beside python-tuf's."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


ContentCheck = Callable[[Mapping[str, bytes]], int]
"""Reads the three files as the agent will, and returns the trust list's version. Raises BundleInvalid."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where the trust list comes from. url None: from our own current bundle. ca: a file of PEM certificates."""

    root: bytes
    url: str | None
    ca: str | None = None


def refresh(
    directory: Path, source: Source, now: Interval, floor: TrustFloor, check: ContentCheck
) -> VerifiedBundle | TrustTrouble:
    """Verify the newest trust list and make it the current bundle; say why not. Interrupt it anywhere.

    Raises OutOfTime where the caller has set an alarm that does.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with (directory / "refresh.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # of an earlier refresher; it has a time budget, and so have we
            if source.url is None:
                return _verify_offline(directory, source.root, now, floor, check)
            return _verify_online(directory, source, source.url, now, floor, check)
    except _Refused as error:
        return TrustTrouble(error.reason, _printable(error))
    except BundleInvalid as error:
        return TrustTrouble(error.reason, _printable(error))
    except (tuf.RepositoryError, tuf.DownloadError) as error:
        return TrustTrouble(_reason(error), _printable(error))
    except OSError as error:
        return TrustTrouble("disk", _printable(error))


def _verify_online(
    directory: Path, source: Source, url: str, now: Interval, floor: TrustFloor, check: ContentCheck
) -> VerifiedBundle:
    metadata = directory / disk.METADATA
    metadata.mkdir(exist_ok=True)
    for left in metadata.glob("tmp*"):  # of a python-tuf that was killed while it wrote
        left.unlink()
    try:
        updater = _verified(metadata, source.root, url, _Http(url, source.ca), now)
    finally:
        disk.sync_tree(metadata)  # python-tuf does not: also what was verified before a failure must not be lost
    _require_floor(updater, metadata, source.root, floor)
    return _publish(directory, updater, metadata, now, check)


def _verify_offline(
    directory: Path, root: bytes, now: Interval, floor: TrustFloor, check: ContentCheck
) -> VerifiedBundle:
    """Treat our current bundle as the repository: everything is verified from the installed root on, as if fetched."""
    current = disk.current_bundle(directory)
    if current is None:
        raise _Refused("no-cache", "there is no bundle on this terminal yet")
    with tempfile.TemporaryDirectory() as scratch:
        metadata = Path(scratch, disk.METADATA)
        metadata.mkdir()
        fetcher = _OwnBundle(current / disk.METADATA)
        updater = _verified(metadata, root, "https://offline.invalid/", fetcher, now)
        _require_floor(updater, metadata, root, floor)
        return _publish(directory, updater, metadata, now, check)


def _verified(metadata: Path, root: bytes, url: str, fetcher: FetcherInterface, now: Interval) -> Updater:
    """Return an updater that has verified all four roles.

    1. As TUF says, at the earliest possible time: only what has certainly expired is expired.
    2. If something has: never the root. It bounds how long keys that a newer root took away can still sign.
    3. Timestamp, snapshot and targets are then taken past their expiry; every other check is made again.
    """
    at = datetime.fromtimestamp(now.earliest_ms / 1000, UTC)
    updater = open_updater(metadata, root, url, fetcher, at)
    try:
        updater.refresh()
    except tuf.ExpiredMetadataError:
        _require_root_not_expired(updater, at)
        updater = open_updater(metadata, root, url, fetcher, _LONG_AGO)
        updater.refresh()
        _require_root_not_expired(updater, at)
    return updater


def open_updater(metadata: Path, root: bytes, url: str, fetcher: FetcherInterface, at: datetime) -> Updater:
    """Return an updater that starts from the installed root and judges expiry at `at`, never by the OS clock."""
    try:
        updater = Updater(
            str(metadata),
            f"{url.rstrip('/')}/metadata/",
            target_base_url=f"{url.rstrip('/')}/targets/",
            fetcher=fetcher,
            config=_LIMITS,
            bootstrap=root,
        )
    except tuf.RepositoryError as error:
        raise _Refused("root-invalid", f"the installed root: {error}") from error
    _trusted(updater).reference_time = at
    return updater


def _trusted(updater: Updater) -> TrustedMetadataSet:
    """Return what the updater has verified.

    The one place that reaches into python-tuf, which shows neither its reference time nor the verified roles in public;
    tests/adapters/trust_store/test_refresher_time.py fails if that changes.
    """
    return updater._trusted_set  # noqa: SLF001


def _require_root_not_expired(updater: Updater, at: datetime) -> None:
    root = _trusted(updater).root
    if root.is_expired(at):
        raise _Refused("root-expired", f"root {root.version} expired at {root.expires:%Y-%m-%dT%H:%M:%SZ}")


def _require_floor(updater: Updater, metadata: Path, installed_root: bytes, floor: TrustFloor) -> None:
    """Refuse what lies below what the agent has already believed, whatever python-tuf's own files say."""
    root, timestamp = _trusted(updater).root, _trusted(updater).timestamp
    if root.version < floor.root_version:
        raise _Refused("below-floor", f"root {root.version}; this terminal has seen {floor.root_version}")
    if timestamp.version >= floor.timestamp_version:
        return
    # A newer root that replaces the online keys starts a new count. The roots are compared only where the chain to the
    # newer one, just verified, went through the older one; a file that merely lies there proves nothing.
    first = TrustedMetadataSet(installed_root, _LIMITS.envelope_type).root.version
    if first <= floor.root_version < root.version:
        data = (metadata / "root_history" / f"{floor.root_version}.root.json").read_bytes()
        before = TrustedMetadataSet(data, _LIMITS.envelope_type).root
        if any(set(root.roles[r].keyids) != set(before.roles[r].keyids) for r in ("timestamp", "snapshot")):
            return
    raise _Refused("below-floor", f"timestamp {timestamp.version}; this terminal has seen {floor.timestamp_version}")


def _publish(directory: Path, updater: Updater, metadata: Path, now: Interval, check: ContentCheck) -> VerifiedBundle:
    """Fetch what has changed, read it as the agent will, and publish it all as one."""
    current = disk.current_bundle(directory)
    with disk.draft(directory) as draft:
        for name in FILE_BYTES_MAX:
            _take_target(updater, name, current, draft)
        files = {name: (draft / name).read_bytes() for name in FILE_BYTES_MAX}
        manifest = _manifest(updater, files, check(files), now)
        before = _manifest_of(current)
        if current is not None and before is not None:
            if manifest.trust_list_version < before.trust_list_version:
                raise _Refused(
                    "wrong-version", f"trust list {manifest.trust_list_version} after {before.trust_list_version}"
                )
            if msgspec.structs.replace(before, verified=manifest.verified) == manifest:
                return _result(current, before, (current / disk.MANIFEST).read_bytes())
        data = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
        (draft / disk.MANIFEST).write_bytes(data)
        _copy_metadata(metadata, draft / disk.METADATA)
        return _result(disk.publish(directory, draft), manifest, data)


def _copy_metadata(metadata: Path, to: Path) -> None:
    (to / "root_history").mkdir(parents=True)
    for path in (metadata / "root_history").glob("*.root.json"):
        shutil.copyfile(path, to / "root_history" / path.name)
    for role in ("timestamp", "snapshot", "targets"):
        shutil.copyfile(metadata / f"{role}.json", to / f"{role}.json")


def _take_target(updater: Updater, name: str, current: Path | None, draft: Path) -> None:
    """Put a verified target into the draft: a link where the current bundle has it already, which spares the card."""
    info = updater.get_targetinfo(name)
    if info is None:
        raise _Refused("target-missing", f"the signed metadata has no {name}")
    if info.length > FILE_BYTES_MAX[name]:
        raise _Refused("too-large", f"{name} has {info.length} bytes; at most {FILE_BYTES_MAX[name]} are taken")
    if current is not None and updater.find_cached_target(info, filepath=str(current / name)):
        try:
            (draft / name).hardlink_to(current / name)
        except OSError:  # a file system without links
            shutil.copyfile(current / name, draft / name)
    else:
        updater.download_target(info, filepath=str(draft / name))


def _manifest(updater: Updater, files: Mapping[str, bytes], trust_list_version: int, now: Interval) -> Manifest:
    trusted = _trusted(updater)
    expires = min(role.expires for role in (trusted.root, trusted.timestamp, trusted.snapshot, trusted.targets))
    return Manifest(
        format="scanward-trust-bundle-1",
        files={name: ManifestFile(disk.sha256_hex(data), len(data)) for name, data in files.items()},
        trust_list_version=trust_list_version,
        timestamp_version=trusted.timestamp.version,
        root_version=trusted.root.version,
        expires_at_ms=int(expires.timestamp()) * 1000,
        verified=VerifiedAt(now.earliest_ms, now.latest_ms),
    )


def _manifest_of(bundle: Path | None) -> Manifest | None:
    if bundle is None:
        return None
    try:
        return disk.read_manifest(bundle)[0]
    except BundleInvalid:
        return None  # damaged: it is replaced


def _result(bundle: Path, manifest: Manifest, data: bytes) -> VerifiedBundle:
    return VerifiedBundle(
        name=bundle.name,
        manifest_sha256=disk.sha256_hex(data),
        timestamp_version=manifest.timestamp_version,
        root_version=manifest.root_version,
        expires_at_ms=manifest.expires_at_ms,
    )


class _Http(FetcherInterface):
    """Fetches over HTTP(S): no redirects, no retries (the agent backs off), no proxies from the environment.

    Certificate dates are not checked: a terminal may boot in 1970, and TUF, not TLS, proves what is fetched.
    """

    def __init__(self, url: str, ca: str | None) -> None:
        context = None
        if url.startswith("https:"):
            context = ssl.create_default_context(cafile=ca)
            context.verify_flags |= _X509_V_FLAG_NO_CHECK_TIME
        self._pool = urllib3.PoolManager(ssl_context=context, headers={"User-Agent": "scanward"})

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            response = self._pool.request(
                "GET", url, preload_content=False, timeout=SOCKET_TIMEOUT_S, retries=False, redirect=False
            )
        except urllib3.exceptions.NewConnectionError as error:  # a TimeoutError by inheritance only
            raise tuf.DownloadError(f"GET {url}: no connection") from error
        except urllib3.exceptions.TimeoutError as error:
            raise tuf.SlowRetrievalError(f"GET {url}: no answer") from error
        if response.status != 200:
            response.close()
            raise tuf.DownloadHTTPError(f"GET {url}: status {response.status}", response.status)
        return self._chunks(url, response)

    def _chunks(self, url: str, response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
        try:
            yield from response.stream(CHUNK_BYTES, decode_content=False)
        except urllib3.exceptions.TimeoutError as error:
            raise tuf.SlowRetrievalError(f"GET {url} stalled") from error
        except urllib3.exceptions.HTTPError as error:
            raise tuf.DownloadError(f"GET {url} ended early") from error
        finally:
            response.close()


class _OwnBundle(FetcherInterface):
    """Answers from the metadata kept in a bundle as a repository would."""

    def __init__(self, metadata: Path) -> None:
        self._metadata = metadata

    def _fetch(self, url: str) -> Iterator[bytes]:
        name = url.rpartition("/")[2]
        if _ROOT.fullmatch(name):
            path = self._metadata / "root_history" / name
        elif match := _VERSIONED.fullmatch(name):
            path = self._metadata / f"{match[1]}.json"
        else:
            raise tuf.DownloadHTTPError(f"{name} is not kept on this terminal as it was signed", 404)
        try:
            return iter([path.read_bytes()])
        except OSError as error:
            raise tuf.DownloadHTTPError(f"{name} is not kept on this terminal", 404) from error


def _reason(error: Exception) -> str:
    """Name python-tuf's refusal in one of our stable words (docs/trust.md)."""
    match error:
        case tuf.UnsignedMetadataError():
            return "unsigned"
        case tuf.BadVersionNumberError():
            return "wrong-version"
        case tuf.LengthOrHashMismatchError():
            return "mismatch"
        case tuf.DownloadLengthMismatchError():
            return "too-large"
        case tuf.SlowRetrievalError():
            return "slow"
        case tuf.DownloadHTTPError(status_code=status) if 400 <= status < 500:
            return "missing"
        case tuf.DownloadError():
            return "unreachable"
        case _:
            return "malformed"


def _printable(error: Exception) -> str:
    """Return an error's text, and its cause's, fit for one line of a log."""
    texts = [str(e) or type(e).__name__ for e in (error, error.__cause__) if e is not None]
    return "".join(c if c.isprintable() else " " for c in ": ".join(texts))[:DETAIL_CHARACTERS_MAX]
