"""What is trusted, and what keeps it fresh."""

from dataclasses import dataclass
from typing import Protocol

from agent.core.time_interval import Interval
from agent.core.trust_list import Trust


@dataclass(frozen=True, slots=True)
class TrustFloor:
    """What the agent has already believed: nothing older is taken, whatever is signed.

    root_version: of the root under which timestamp_version was seen. A root that replaces the timestamp's or the
    snapshot's keys starts a new count (TUF 5.3.11), so a stolen online key cannot shut a terminal out for good.
    """

    timestamp_version: int = 0
    root_version: int = 0


@dataclass(frozen=True, slots=True)
class VerifiedBundle:
    """A trust list, revocations and policy on disk whose signatures were verified just now.

    name: its folder; manifest_sha256: hex, of its manifest, which holds the hashes of all else; expires_at_ms: when the
    first of the signed metadata expires, which may be past.
    """

    name: str
    manifest_sha256: str
    timestamp_version: int
    root_version: int
    expires_at_ms: int


@dataclass(frozen=True, slots=True)
class TrustTrouble:
    """Why there is no new trust list: a stable word (docs/trust.md) and what was seen. What is in use stays."""

    reason: str
    detail: str


class TrustStore(Protocol):
    """The verified trust list, policy and revocations, swapped atomically."""

    @property
    def current(self) -> Trust | None:
        """What is trusted now; None before the first trust list."""
        ...


class RefreshableTrustStore(TrustStore, Protocol):
    """A trust store as the task sees it that keeps it fresh. All methods may raise LedgerBroken."""

    async def restore(self) -> TrustTrouble | None:
        """Load what the agent had verified before; say why not."""
        ...

    async def floor(self) -> TrustFloor:
        """Return what no new trust list may lie below."""
        ...

    async def adopt(self, bundle: VerifiedBundle) -> TrustTrouble | None:
        """Read a bundle, make its floor durable, then swap it in; on trouble keep what is there and say why."""
        ...


class TrustRefresher(Protocol):
    """Fetches and verifies the signed trust list, away from the agent's process."""

    async def refresh(
        self, now: Interval, floor: TrustFloor, *, offline: bool = False
    ) -> VerifiedBundle | TrustTrouble:
        """Publish the newest verified bundle; `offline`: verify what is on disk again, without any network."""
        ...
