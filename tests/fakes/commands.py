"""A platform's commands in tests: a key that may give them, and the trust list that says so."""

import base64
import json
from functools import cache

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.adapters.keys.verification import build_key
from agent.core.trust_entries import parse_trust_list
from agent.core.trust_list import Trust
from fakes.ledger_parts import LabelSigner
from fakes.platform import sign

NOW_MS = 1_800_000_000_000


def command(kind: str = "identify", *, id_: bytes = b"c" * 16, over_ms: int = NOW_MS + 60_000, **changes) -> bytes:
    """Return a signed command for kiosk-1; changes: f1 … by field number."""
    fields = {1: id_, 2: "kiosk-1", 3: kind, 4: NOW_MS, 5: over_ms}
    fields |= {int(name[1:]): value for name, value in changes.items()}
    return sign(LabelSigner("commander")._key, "scanward-command-1", fields)


@cache
def trust_with_commands() -> Trust:
    """Return a trust list with one platform key for receipts and another for commands."""
    entries = [_entry("platform receipt", "receipt"), _entry("commander", "command")]
    file = {"format": "scanward-trust-list-1", "version": 1, "issued_at": "2026-01-01T00:00:00Z", "keys": entries}
    return Trust(parse_trust_list(json.dumps(file).encode(), build_key), None, None, None)


def _entry(label: str, usage: str) -> dict[str, object]:
    key = LabelSigner(label)
    spki = key.public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return {
        "family": "platform", "issuer": "4420", "kid": key.key_id.hex(), "alg": "EdDSA",
        "spki": base64.b64encode(spki).decode(), "usage": [usage],
        "not_before": "2026-01-01T00:00:00Z", "not_after": "2036-01-01T00:00:00Z",
    }  # fmt: skip
