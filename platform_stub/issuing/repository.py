"""The TUF repository: signs trust-list.json, revoked.bin and policy.toml, and keeps the timestamp fresh.

Consistent snapshots; root and targets need two of two keys. Demo keys all lie in one place, which a real platform
must not do. Terminals start from DIR/root.json.
"""

import base64
import hashlib
import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from securesystemslib.signer import CryptoSigner  # type: ignore[attr-defined]
from tuf.api.metadata import (  # type: ignore[attr-defined]
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from platform_stub import keys
from platform_stub.files import write_file
from platform_stub.issuing import imported
from platform_stub.issuing.following import follow, follow_revoked
from platform_stub.issuing.imported import PREFIX_BYTES, Imported, ImportInvalid
from platform_stub.issuing.policy import PolicyInvalid, require_policy
from platform_stub.layout import Layout, LayoutInvalid

TRUST_LIST, REVOKED, POLICY = "trust-list.json", "revoked.bin", "policy.toml"
LONG = timedelta(days=3_650)  # demo: nobody re-signs these by hand
TIMESTAMP_LIFE = timedelta(days=1)
TIMESTAMP_RENEWED_BEFORE = timedelta(hours=12)

log = logging.getLogger(__name__)

S = TypeVar("S", Root, Targets, Snapshot, Timestamp)


def card_prefix(card: bytes) -> bytes:
    """Return a card's entry in revoked.bin."""
    return hashlib.sha256(b"card" + card).digest()[:PREFIX_BYTES]


def key_prefix(family: str, kid: bytes) -> bytes:
    """Return a key's entry in revoked.bin."""
    return hashlib.sha256(b"kid" + family.encode() + b"\x00" + kid).digest()[:PREFIX_BYTES]


class ListTooLarge(LayoutInvalid):
    """No terminal would read what was to be published."""


class Taken(NamedTuple):
    """What an import did: the version published, what was there before and is now, the revocations that went."""

    version: int
    before: Imported
    now: Imported
    unrevoked: int


class Repository:
    """The repository of a platform directory. Its methods raise LayoutInvalid and KeyUnusable."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._metadata = layout.repository / "metadata"
        self._targets = layout.repository / "targets"

    def found(self, issuer: str, now_s: int) -> None:
        """Sign the first root, and version 1 of everything."""
        now = datetime.fromtimestamp(now_s, UTC)
        root = Root(version=1, expires=now + LONG, consistent_snapshot=True)
        for role, names in keys.TUF_KEYS.items():
            for signer in self._signers(role):
                root.add_key(signer.public_key, role)
            root.roles[role].threshold = len(names)
        signed = self._sign(root, "root")
        write_file(self._metadata / "1.root.json", signed)
        self._publish(issuer, now_s, now, 1)
        write_file(self._layout.root, signed)

    def publish(self, now_s: int) -> int:
        """Sign what lies in the directory now as a new version; return its number."""
        with self._layout.locked("repository"):
            keys.make_missing(self._layout.keys)
            version = self._read_snapshot().meta["targets.json"].version + 1
            self._publish(self._layout.read_issuer(), self._layout.read_birth_s(), self._at(now_s), version)
            return version

    def revoke(self, prefix: bytes, now_s: int) -> int:
        """Add an entry to revoked.bin and publish. Raises ListTooLarge: then nothing has changed."""
        with self._layout.locked("revocations"):
            prefixes = self._read_revoked() | {prefix}
            _revoked(prefixes, self._read_revoked(self._layout.imported_revoked))
            write_file(self._layout.revoked, b"".join(sorted(prefixes)))
        return self.publish(now_s)

    def take(
        self, keys_file: bytes | None, revoked: bytes | None, now_s: int, *, withdraws: bool = False,
        takes_older: bool = False, unrevokes: bool = False,
    ) -> Taken:  # fmt: skip
        """Put public keys, public revocations or both in the place of those taken before, and publish.

        withdraws, takes_older: see `follow`; unrevokes: see `follow_revoked`. Raises ImportInvalid: then nothing has
        changed but for keys of the platform's own that were missing.
        """
        with self._layout.locked("revocations"):
            before = imported.read_imported(self._layout.imported)
            now, unrevoked = before, 0
            own, others = self._read_revoked(), self._read_revoked(self._layout.imported_revoked)
            if keys_file is not None:
                parsed = imported.parse_imported(keys_file)
                now = follow(before, parsed, withdraws=withdraws, takes_older=takes_older)
            self._read_policy()  # one that cannot be signed is told before anything changes
            if revoked is not None:
                prefixes = _prefixes(imported.parse_prefixes(revoked))
                unrevoked = follow_revoked(others - own, prefixes, unrevokes=unrevokes)
                others = prefixes
            with self._layout.locked("repository"):
                keys.make_missing(self._layout.keys)  # the list's length is taken with all keys
            try:
                issuer, born_at_s = self._layout.read_issuer(), self._layout.read_birth_s()
                self._trust_list(issuer, born_at_s, self._at(born_at_s), 2**63 - 1, now)
                _revoked(own, others)
            except ListTooLarge as error:
                raise ImportInvalid(str(error)) from error
            if keys_file is not None:
                write_file(self._layout.imported, imported.encode(now))
            if revoked is not None:
                write_file(self._layout.imported_revoked, revoked)
        return Taken(self.publish(now_s), before, now, unrevoked)

    def renew_timestamp(self, now_s: int) -> bool:
        """Sign the timestamp again where it ends within 12 hours; say whether it was."""
        with self._layout.locked("repository"):
            old, now = self._read_timestamp(), self._at(now_s)
            if old.expires - now > TIMESTAMP_RENEWED_BEFORE:
                return False
            self._write_timestamp(old.version + 1, now, old.snapshot_meta.version)
            return True

    def complete(self, now_s: int) -> None:
        """Make the keys that an earlier version's directory lacks, and publish anew where the trust list lacks them."""
        if keys.make_missing(self._layout.keys) or not self._names_every_use():
            self.publish(now_s)

    def _names_every_use(self) -> bool:
        """Say whether the trust list that is published has a key for each use of the platform's."""
        targets = Metadata[Targets].from_bytes(
            self._read(f"{self._read_snapshot().meta['targets.json'].version}.targets.json")
        )
        digest = targets.signed.targets[TRUST_LIST].hashes["sha256"]
        entries = json.loads((self._targets / f"{digest}.{TRUST_LIST}").read_bytes())["keys"]
        return {"receipt", "command", "verification"} <= {use for entry in entries for use in entry.get("usage", ())}

    def timestamp(self) -> bytes:
        """Return timestamp.json as it is now."""
        return self._read("timestamp.json")

    def metadata_file(self, name: str) -> Path:
        """Return where a metadata file lies, if it exists. The name must be free of slashes."""
        return self._metadata / name

    def target_file(self, name: str) -> Path:
        """Return where a target lies, if it exists. The name must be free of slashes."""
        return self._targets / name

    def _publish(self, issuer: str, born_at_s: int, now: datetime, version: int) -> None:
        """Write targets, then metadata from the inside out: the timestamp, last, makes the new version the one."""
        targets = Targets(version=version, expires=now + LONG)
        content = {
            TRUST_LIST: self._trust_list(issuer, born_at_s, now, version, self._read_imported()),
            REVOKED: _revoked(self._read_revoked(), self._read_revoked(self._layout.imported_revoked)),
            POLICY: self._read_policy(),
        }
        for name, data in content.items():
            target = TargetFile.from_data(name, data, ["sha256"])
            targets.targets[name] = target
            write_file(self._targets / f"{target.hashes['sha256']}.{name}", data)
        write_file(self._metadata / f"{version}.targets.json", self._sign(targets, "targets"))
        first = not (self._metadata / "timestamp.json").exists()
        snapshot = Snapshot(version=1 if first else self._read_snapshot().version + 1, expires=now + LONG)
        snapshot.meta["targets.json"] = MetaFile(version=version)
        write_file(self._metadata / f"{snapshot.version}.snapshot.json", self._sign(snapshot, "snapshot"))
        self._write_timestamp(1 if first else self._read_timestamp().version + 1, now, snapshot.version)

    def _write_timestamp(self, version: int, now: datetime, snapshot_version: int) -> None:
        timestamp = Timestamp(version=version, expires=now + TIMESTAMP_LIFE)
        timestamp.snapshot_meta = MetaFile(version=snapshot_version)
        write_file(self._metadata / "timestamp.json", self._sign(timestamp, "timestamp"))

    def _trust_list(self, issuer: str, born_at_s: int, now: datetime, version: int, public: Imported) -> bytes:
        """Return trust-list.json: the public half of the platform's own keys, and keys of public trust lists.

        Raises ListTooLarge.
        """
        born = self._at(born_at_s)
        validity = {"not_before": _text(born - timedelta(days=1)), "not_after": _text(born + LONG)}
        uses: list[tuple[str, str, list[str]]] = [
            *(("ehc", name, ["static", "dynamic"]) for name in keys.issuer_keys(self._layout.keys).values()),
            ("platform", keys.RECEIPT_KEY, ["receipt"]),
            ("platform", keys.COMMANDS_KEY, ["command"]),
            ("platform", keys.VERIFICATION_KEY, ["verification"]),
            ("platform", keys.SEAL_KEY, ["seal"]),
        ]
        entries: list[dict[str, Any]] = []
        for family, name, usage in uses:
            key = keys.read_key(self._layout.keys, name)
            spki = keys.spki_of(key.public_key())
            entries.append({
                "family": family, "issuer": issuer, "kid": keys.key_id(spki).hex(), "alg": keys.alg_of(key),
                "spki": base64.b64encode(spki).decode(), "usage": usage, **validity,
            })  # fmt: skip
        entries.extend(public.keys)
        about = {"format": imported.FORMAT, "version": version, "issued_at": _text(now), "keys": entries}
        if public.revocations:
            about["revocations"] = public.revocations
        data = (json.dumps(about, indent=1) + "\n").encode()
        return _readable(TRUST_LIST, data, imported.TRUST_LIST_BYTES_MAX)

    def _read_policy(self) -> bytes:
        try:
            data = self._layout.policy.read_bytes()
            require_policy(data)
        except OSError as error:
            raise LayoutInvalid(f"{self._layout.policy}: {error.strerror}") from error
        except PolicyInvalid as error:
            raise LayoutInvalid(f"{self._layout.policy}: {error}; nothing was published") from error
        return data

    def _read_imported(self) -> Imported:
        try:
            found = imported.read_imported(self._layout.imported)
        except ImportInvalid as error:
            raise LayoutInvalid(str(error)) from error
        for line in found.refused:
            log.warning("%s: not published: %s", self._layout.imported, line)
        return found

    def _read_revoked(self, path: Path | None = None) -> set[bytes]:
        """Read the platform's own revocations, or those of another file, which need not be there."""
        where = path or self._layout.revoked
        try:
            data = where.read_bytes() if path is None or path.exists() else b""
        except OSError as error:
            raise LayoutInvalid(f"{where}: {error.strerror}") from error
        if len(data) % PREFIX_BYTES:
            raise LayoutInvalid(f"{where}: not a whole number of {PREFIX_BYTES}-byte prefixes")
        return _prefixes(data)

    def _read_timestamp(self) -> Timestamp:
        return Metadata[Timestamp].from_bytes(self._read("timestamp.json")).signed

    def _read_snapshot(self) -> Snapshot:
        version = self._read_timestamp().snapshot_meta.version
        return Metadata[Snapshot].from_bytes(self._read(f"{version}.snapshot.json")).signed

    def _read(self, name: str) -> bytes:
        try:
            return (self._metadata / name).read_bytes()
        except OSError as error:
            raise LayoutInvalid(f"{self._metadata / name}: {error.strerror}") from error

    def _sign(self, signed: S, role: str) -> bytes:
        metadata = Metadata(signed)
        for signer in self._signers(role):
            metadata.sign(signer, append=True)
        return metadata.to_bytes()

    def _signers(self, role: str) -> list[CryptoSigner]:
        names = keys.TUF_KEYS[role]
        return [CryptoSigner(keys.read_ed25519(self._layout.keys, name)) for name in names]

    def _at(self, now_s: int) -> datetime:
        return datetime.fromtimestamp(now_s, UTC)


def _revoked(own: set[bytes], taken: set[bytes]) -> bytes:
    """Return revoked.bin. Raises ListTooLarge."""
    return _readable(REVOKED, b"".join(sorted(own | taken)), imported.REVOKED_BYTES_MAX)


def _readable(name: str, data: bytes, bytes_max: int) -> bytes:
    if len(data) > bytes_max:
        raise ListTooLarge(f"{name} would have {len(data)} bytes; terminals read {bytes_max}: import less into it")
    return data


def _prefixes(data: bytes) -> set[bytes]:
    return {data[at : at + PREFIX_BYTES] for at in range(0, len(data), PREFIX_BYTES)}


def _text(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")
