"""The trust store of this site, and the process that refreshes it."""

import logging
import sys
from pathlib import Path

from agent.adapters.keys.verification import build_key, read_certificate
from agent.adapters.ledger.owner import ThreadedLedger
from agent.adapters.trust_store.refresher_process import RefresherProcess
from agent.adapters.trust_store.store import TrustStore
from agent.composition.ledger import LedgerValues, Paths
from agent.config import Config

log = logging.getLogger(__name__)


def build_store(config: Config, paths: Paths, ledger: ThreadedLedger) -> TrustStore:
    """Return the trust store, narrowed as this site wants it."""
    return TrustStore(
        paths.trust,
        build_key=build_key,
        read_certificate=read_certificate,
        values=LedgerValues(ledger),
        narrow=lambda policy: policy.narrowed(config.policy.refuse, config.policy.checked),
    )


def build_refresher(config: Config, paths: Paths) -> RefresherProcess | None:
    """Return what fetches the trust list; None where nothing says from where, or by which root."""
    url = config.trust.url or (f"{config.uplink.http.url.rstrip('/')}/v1/trust" if config.uplink.http else None)
    if url is None or config.trust.root is None:
        log.warning("no trust list can be fetched: trust.root and trust.url or uplink.http.url are needed")
        return None
    return RefresherProcess(
        paths.trust,
        url=url,
        root=Path(config.trust.root),
        ca=Path(config.trust.ca) if config.trust.ca else None,
        timeout_s=config.trust.refresh_timeout_s,
        program=(sys.executable, "-m", "agent"),
    )
