"""The trust list the agent goes by: read from a verified bundle, checked against the agent's own durable hash, swapped.

The law: only a bundle whose manifest the refresher verified, now or before, is ever in use, and its floor is durable
before it is. Signatures are the refresher's: nothing here imports TUF (docs/decisions/0060).
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec

from agent.adapters.trust_store.bundle import (
    BundleInvalid,
    Manifest,
    bundle_named,
    bundles,
    parse_content,
    read_files,
    read_manifest,
    sha256_hex,
)
from agent.core.steps import Policy
from agent.core.trust_list import CertificateReader, KeyBuilder, Trust
from agent.ports import LedgerFull, NamedValues, TrustFloor, TrustTrouble, VerifiedBundle

MANIFEST_SHA256 = "trust.manifest_sha256"
TIMESTAMP_FLOOR = "trust.timestamp_floor"
ROOT_FLOOR = "trust.root_floor"


_RANGES = {
    "refresh_interval_s": (1.0, 604_800.0),
    "refresh_timeout_s": (1.0, 3_600.0),
    "retry_delay_s_first": (0.001, 3_600.0),
    "retry_delay_s_max": (0.001, 86_400.0),
    "announced_delay_s_max": (0.0, 3_600.0),
}


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[trust]. url: of the TUF repository; left out, it is derived from the uplink's. root: the root it must chain to.

    ca: certificates of a private authority for https; left out, the system's. refresh_interval_s: at most this long
    between two refreshes; refresh_timeout_s: how long one may take. After a failure the next is tried within
    retry_delay_s_first, doubling up to retry_delay_s_max. A platform announces a new version to every terminal at once:
    each waits up to announced_delay_s_max.
    """

    url: str | None = None
    root: str | None = None
    ca: str | None = None
    refresh_interval_s: float = 3600.0
    refresh_timeout_s: float = 120.0
    retry_delay_s_first: float = 10.0
    retry_delay_s_max: float = 900.0
    announced_delay_s_max: float = 10.0

    def __post_init__(self) -> None:
        for name, (least, most) in _RANGES.items():
            if not least <= getattr(self, name) <= most:  # also false for nan
                raise ValueError(f"{name} must lie in [{least:g}, {most:g}]")


def _as_signed(policy: Policy) -> Policy:
    return policy


class TrustStore:
    """Implements ports.RefreshableTrustStore over a folder that the refresher writes.

    narrow: the site's local narrowing of the signed policy. values: where the agent keeps what it has verified.
    """

    def __init__(
        self,
        directory: Path,
        *,
        build_key: KeyBuilder,
        read_certificate: CertificateReader | None = None,
        values: NamedValues,
        narrow: Callable[[Policy], Policy] = _as_signed,
    ) -> None:
        self._directory = directory
        self._build_key = build_key
        self._read_certificate = read_certificate
        self._values = values
        self._narrow = narrow
        self._in_use_sha256: str | None = None
        self._current: Trust | None = None

    @property
    def current(self) -> Trust | None:
        """What is trusted now; None before the first trust list."""
        return self._current

    async def restore(self) -> TrustTrouble | None:
        """Load the bundle the agent had verified before; say why not. Raises LedgerBroken."""
        wanted = await self._values.get(MANIFEST_SHA256)
        if wanted is None:
            return TrustTrouble("never-verified", "no trust list on this terminal yet")
        return await self._use(wanted.decode("ascii", "replace"), bundle=None)

    async def floor(self) -> TrustFloor:
        """Return what no new trust list may lie below. Raises LedgerBroken."""
        timestamp = await self._values.get(TIMESTAMP_FLOOR)
        root = await self._values.get(ROOT_FLOOR)
        return TrustFloor(timestamp_version=int(timestamp or b"0"), root_version=int(root or b"0"))

    async def adopt(self, bundle: VerifiedBundle) -> TrustTrouble | None:
        """Read a verified bundle, make its floor durable, then swap it in. Raises LedgerBroken."""
        return await self._use(bundle.manifest_sha256, bundle=bundle)

    async def _use(self, manifest_sha256: str, *, bundle: VerifiedBundle | None) -> TrustTrouble | None:
        trust = self._current
        if trust is None or manifest_sha256 != self._in_use_sha256:
            try:
                # In a thread: hashing and parsing a million revocations takes a second on a small machine.
                trust = await asyncio.to_thread(self._read, manifest_sha256, bundle.name if bundle else None)
            except BundleInvalid as error:
                return TrustTrouble(error.reason, str(error))
        if bundle is not None:
            try:
                await self._remember(bundle)
            except LedgerFull:
                return TrustTrouble("disk", "no space to remember what was verified")
        self._current, self._in_use_sha256 = trust, manifest_sha256
        return None

    async def _remember(self, bundle: VerifiedBundle) -> None:
        """Make the floor durable before the hash: a crash in between leaves the bundle before, and the new floor."""
        for name, value in (
            (TIMESTAMP_FLOOR, b"%d" % bundle.timestamp_version),
            (ROOT_FLOOR, b"%d" % bundle.root_version),
            (MANIFEST_SHA256, bundle.manifest_sha256.encode("ascii")),
        ):
            if await self._values.get(name) != value:
                await self._values.set(name, value)

    def _read(self, manifest_sha256: str, name: str | None) -> Trust:
        """Read the bundle whose manifest has this hash. Raises BundleInvalid."""
        folder, manifest = self._find(manifest_sha256, name)
        content = parse_content(read_files(folder, manifest), self._build_key, self._read_certificate)
        return Trust(
            trust_list=content.trust_list,
            policy=self._narrow(content.policy),
            revoked=content.revoked,
            expires_ms=manifest.expires_at_ms,
        )

    def _find(self, manifest_sha256: str, name: str | None) -> tuple[Path, Manifest]:
        """Look in the bundle of that name, or in all that are kept: the refresher may have gone one ahead of us."""
        if name is None:
            candidates = bundles(self._directory)
        else:
            named = bundle_named(self._directory, name)
            candidates = [named] if named else []
        for folder in candidates:
            try:
                manifest, data = read_manifest(folder)
            except BundleInvalid:
                continue  # damaged: then it is not the one we look for
            if sha256_hex(data) == manifest_sha256:
                return folder, manifest
        raise BundleInvalid("bundle-unknown", f"no bundle in {self._directory} is the one that was verified")
