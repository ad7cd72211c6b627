"""What a platform's directory has published, as its newest metadata names it."""

import json
from pathlib import Path
from typing import NamedTuple

from platform_stub.issuing.repository import Repository
from platform_stub.layout import Layout

NOW_S = 1_795_248_000


class Published(NamedTuple):
    """The version, and the bytes of trust-list.json and revoked.bin."""

    version: int
    trust_list: bytes
    revoked: bytes


def published(directory: Path) -> Published:
    """Read what terminals would fetch now."""
    repository = Repository(Layout(directory))
    version = repository._read_snapshot().meta["targets.json"].version
    targets = json.loads(repository.metadata_file(f"{version}.targets.json").read_text())["signed"]["targets"]
    names = [f"{targets[name]['hashes']['sha256']}.{name}" for name in ("trust-list.json", "revoked.bin")]
    return Published(version, *(repository.target_file(name).read_bytes() for name in names))
