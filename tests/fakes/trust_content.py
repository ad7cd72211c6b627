"""What a platform signs: a trust list, revocations and a policy, made with fresh keys that belong to nobody.

And the bundle that a terminal's refresher makes of it.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.adapters.trust_store import bundle as disk
from agent.ports import VerifiedBundle

ISSUER = "4420"
POLICY = b"""
format = "scanward-policy-1"
version = 3

[steps.registration]
verified = ["ehc.any"]
provisional = ["national.static"]

[steps.dispensing]
verified = ["ehc.dynamic"]
confirm = "pharmacist"
"""


def key_entry(family: str, alg: str, usage: Sequence[str]) -> dict[str, object]:
    """Return an entry with a key of its own."""
    private = X25519PrivateKey.generate() if alg == "X25519" else Ed25519PrivateKey.generate()
    spki = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return {
        "family": family,
        "issuer": ISSUER,
        "kid": hashlib.sha256(spki).digest()[:8].hex(),
        "alg": alg,
        "spki": base64.b64encode(spki).decode(),
        "not_before": "2026-01-01T00:00:00Z",
        "not_after": "2036-01-01T00:00:00Z",
        "usage": list(usage),
    }


ENTRIES = (
    key_entry("ehc", "EdDSA", ["static", "dynamic"]),
    key_entry("platform", "EdDSA", ["receipt"]),
    key_entry("platform", "X25519", ["seal"]),
)


def trust_list(version: int = 1, entries: Sequence[dict[str, object]] = ENTRIES) -> bytes:
    """Return trust-list.json."""
    file = {
        "format": "scanward-trust-list-1",
        "version": version,
        "issued_at": "2026-11-21T08:00:00Z",
        "keys": list(entries),
    }
    return json.dumps(file).encode()


def revoked(count: int) -> bytes:
    """Return revoked.bin with this many entries."""
    return b"".join((n * 7 + 1).to_bytes(8, "big") for n in range(count))


def content(version: int = 1, *, revocations: int = 3) -> dict[str, bytes]:
    """Return the three targets."""
    return {"trust-list.json": trust_list(version), "revoked.bin": revoked(revocations), "policy.toml": POLICY}


def publish_bundle(
    directory: Path,
    files: dict[str, bytes],
    timestamp_version: int = 1,
    *,
    trust_list_version: int = 1,
    expires_at_ms: int = 1_795_334_400_000,
) -> VerifiedBundle:
    """Publish a bundle as the refresher does, without what only the refresher reads."""
    manifest = disk.Manifest(
        format="scanward-trust-bundle-1",
        files={name: disk.ManifestFile(disk.sha256_hex(data), len(data)) for name, data in files.items()},
        trust_list_version=trust_list_version,
        timestamp_version=timestamp_version,
        root_version=1,
        expires_at_ms=expires_at_ms,
        verified=disk.VerifiedAt(0, None),
    )
    data = msgspec.json.encode(manifest)
    with disk.draft(directory) as draft:
        for name, file in files.items():
            (draft / name).write_bytes(file)
        (draft / disk.MANIFEST).write_bytes(data)
        folder = disk.publish(directory, draft)
    return VerifiedBundle(folder.name, disk.sha256_hex(data), timestamp_version, 1, expires_at_ms)
