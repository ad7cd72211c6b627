"""The replay id of a code that works once: the same at every terminal and at the platform (record.cddl, replay-id)."""

import hashlib
from functools import cache


def replay_id(subject: bytes, one_time: bytes) -> bytes:
    """Return 16 bytes for (iss, cti) of a signed code or (card, token) of a national one; subject: up to 255 bytes."""
    digest = _head().copy()
    digest.update(b"%c%b%b" % (len(subject), subject, one_time))
    return digest.digest()[:16]


def item_replay_id(step: str, item: str) -> bytes:
    """Return 16 bytes for one package in one step: received once, handed out once (record.cddl, replay-id)."""
    named = b"scanward-item-1%c%b%b" % (len(step), step.encode("ascii"), item.encode("ascii"))
    return hashlib.sha256(named).digest()[:16]


@cache  # a copy costs half of a new one: OpenSSL looks the algorithm up anew
def _head() -> "hashlib._Hash":
    return hashlib.sha256(b"scanward-replay-1")
