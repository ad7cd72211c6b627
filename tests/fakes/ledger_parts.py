"""What a ledger is made of in tests: keys from labels, counted randomness, invented drafts, disks that misbehave."""

import hashlib
import itertools
from pathlib import Path

import apsw
from cryptography.hazmat.primitives.asymmetric import ed25519, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.adapters.keys.sealing import new_data_key
from agent.adapters.ledger.file import LedgerFile
from agent.adapters.ledger.settings import Settings
from agent.core.decision import ReplayClaim
from agent.core.time_interval import Interval, Stamp
from agent.core.transaction import Draft, Kind, Recipient, encode

NOW_MS = 1_800_000_000_000
SMALL = Settings(bytes_max=64 * 1_048_576, ballast_bytes=65_536)
_vfs_numbers = itertools.count(1)


def _seed(label: str) -> bytes:
    return hashlib.sha256(b"scanward test vector key: " + label.encode()).digest()


class LabelSigner:
    """An Ed25519 key that exists only in tests."""

    def __init__(self, label: str = "terminal") -> None:
        self._key = ed25519.Ed25519PrivateKey.from_private_bytes(_seed(label))
        self.public = self._key.public_key()
        spki = self.public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.key_id = hashlib.sha256(spki).digest()[:8]

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


class CountedRandomness:
    """Different bytes at every call, the same in every run of one seed."""

    def __init__(self, seed: str = "") -> None:
        self._seed = seed.encode()
        self._calls = 0

    def bytes(self, size: int) -> bytes:
        self._calls += 1
        return hashlib.shake_128(self._seed + self._calls.to_bytes(8)).digest(size)

    def uniform(self) -> float:
        return 0.5


def sealing_private(label: str) -> x25519.X25519PrivateKey:
    """Return a platform's private sealing key."""
    return x25519.X25519PrivateKey.from_private_bytes(_seed(label))


def sealing_recipient(label: str) -> Recipient:
    """Return the public half as the trust list gives it."""
    spki = sealing_private(label).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Recipient(hashlib.sha256(spki).digest()[:8], spki)


def interval(at_ms: int = NOW_MS, *, is_bounded: bool = True) -> Interval:
    return Interval(at_ms, at_ms + 4_000 if is_bounded else None)


def draft(
    number: int = 0,
    *,
    at_ms: int = NOW_MS,
    is_bounded: bool = True,
    replay_id: bytes | None = None,
    keep_until_ms: int = NOW_MS + 75_000,
    recipients: tuple[Recipient, ...] = (),
    provisional: bool = False,
    items: list[str] | None = None,
) -> Draft:
    """Return an invented decision, told apart by `number` (its raw clock)."""
    body: dict[int, object] = {10: "payment", 11: 0, 12: "ok", 13: 0, 14: "ok", 15: "ehc", 23: "desk"}
    if replay_id is not None:
        body |= {18: replay_id, 19: 0}
    if items is not None:
        body[22] = items
    return Draft(
        Kind.DECISION,
        Stamp(bytes(16), number, interval(at_ms, is_bounded=is_bounded), "os"),
        body,
        sealed_fields=encode({1: hashlib.sha256(b"an invented card").digest()}),
        recipients=recipients,
        claim=None if replay_id is None else ReplayClaim(replay_id, keep_until_ms),
        provisional=provisional,
    )


def open_ledger(
    path: Path,
    *,
    terminal: str = "kiosk-1",
    uplinks: tuple[str, ...] = ("platform",),
    settings: Settings = SMALL,
    vfs: str | None = None,
    seed: str = "",
) -> LedgerFile:
    return LedgerFile.open(
        path,
        terminal=terminal,
        signer=LabelSigner(),
        new_data_key=new_data_key,
        randomness=CountedRandomness(seed or str(path)),
        uplinks=uplinks,
        settings=settings,
        vfs=vfs,
    )


class WatchedDisk(apsw.VFS):
    """The operating system's files, with every fsync recorded, and failing or refusing to grow when told so."""

    def __init__(self) -> None:
        self.name = f"watched-{next(_vfs_numbers)}"
        self.events: list[str] = []
        self.fails_to_sync = False
        self.is_full = False
        self.syncs_after_failure = 0
        super().__init__(self.name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> "WatchedFile":  # noqa: N802
        return WatchedFile(self, name, flags)


class WatchedFile(apsw.VFSFile):
    def __init__(self, disk: WatchedDisk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._disk = disk
        self._has_failed = False
        super().__init__("", name, flags)

    def xSync(self, flags: int) -> None:  # noqa: N802
        disk = self._disk
        if self._has_failed:
            disk.syncs_after_failure += 1
        if disk.fails_to_sync:
            self._has_failed = True
            raise apsw.IOError("the disk failed to sync")
        super().xSync(flags)
        disk.events.append("sync")

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        if self._disk.is_full:
            raise apsw.FullError("the disk is full")
        super().xWrite(data, offset)
