"""A served repository, and one terminal that refreshes from it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from agent.adapters.keys.verification import build_key
from agent.adapters.trust_store.bundle import current_bundle, parse_content, read_files, read_manifest
from agent.adapters.trust_store.refresher import Source, refresh
from agent.core.time_interval import Interval
from agent.ports import TrustFloor, TrustTrouble, VerifiedBundle
from fakes.trust_content import content
from fakes.tuf_repository import START, TufRepository


def ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def check(files: Mapping[str, bytes]) -> int:
    return parse_content(files, build_key).trust_list.version


@dataclass
class Terminal:
    """What the agent does around the refresher: it keeps the floor and says what time it is."""

    directory: Path
    root: bytes
    url: str
    at: datetime = START + timedelta(hours=1)
    floor: TrustFloor = field(default_factory=TrustFloor)

    def refresh(self, *, offline: bool = False) -> VerifiedBundle | TrustTrouble:
        now = Interval(ms(self.at), ms(self.at) + 4_000)
        return refresh(self.directory, Source(self.root, None if offline else self.url), now, self.floor, check)

    def refreshed(self, *, offline: bool = False) -> VerifiedBundle:
        """Refresh, which must work, and remember the floor."""
        result = self.refresh(offline=offline)
        assert isinstance(result, VerifiedBundle), result
        self.floor = TrustFloor(result.timestamp_version, result.root_version)
        return result

    def refused(self, *, offline: bool = False) -> str:
        """Refresh, which must not work nor change anything; return the reason."""
        before = self.published()
        result = self.refresh(offline=offline)
        assert isinstance(result, TrustTrouble), result
        assert result.detail
        assert result.detail.isprintable()
        assert self.published() == before
        return result.reason

    def published(self) -> tuple[str, int] | None:
        """Return name and trust-list version of the current bundle, which must be whole."""
        bundle = current_bundle(self.directory)
        if bundle is None:
            return None
        return bundle.name, check(read_files(bundle, read_manifest(bundle)[0]))


@pytest.fixture
def repository() -> TufRepository:
    repository = TufRepository()
    repository.publish(content(1))
    return repository


@pytest.fixture
def terminal(repository: TufRepository, tmp_path: Path) -> Iterator[Terminal]:
    with repository.served() as url:
        yield Terminal(tmp_path / "trust", repository.files["1.root.json"], url)
