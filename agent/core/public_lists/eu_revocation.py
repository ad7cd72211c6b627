"""Batches of the EU gateway's revocation list: hashes of single DCCs, into entries of revoked.bin.

The law: an entry is the first 8 bytes of SHA-256("dcc" || the 16-byte hash); which of the three hashes it is, and of
whose key, does not matter to whoever looks it up. A batch whose day has passed is refused: its DCCs have expired.
"""

import hashlib
from datetime import datetime
from typing import Any

from agent.core.public_lists.intake import EntryRefused, Intake, ListUnreadable, base64_of, json_of, objects_of
from agent.core.revocation import REVOKED_PREFIX_BYTES

HASH_BYTES = 16
HASH_TYPES = frozenset({"SIGNATURE", "UCI", "COUNTRYCODEUCI"})


def entry_of(digest: bytes) -> bytes:
    """Return the entry in revoked.bin of a DCC's 16-byte revocation hash."""
    return hashlib.sha256(b"dcc" + digest).digest()[:REVOKED_PREFIX_BYTES]


def read(data: bytes, intake: Intake) -> None:
    """Read one batch, or a list of them. Raises ListUnreadable."""
    value = json_of(data.strip())
    if isinstance(value, dict) and "entries" not in value:
        raise ListUnreadable("no revocation batch: entries is missing")
    for index, batch in enumerate(objects_of(value, "the file") if isinstance(value, list) else [value]):
        place = f"[{index}]" if isinstance(value, list) else "batch"
        try:
            entries = _entries(batch, intake.choices.now_s)
        except EntryRefused as error:
            intake.refuse(place, error, batch.get("country") if isinstance(batch, dict) else None)
            continue
        for number, entry in enumerate(objects_of(entries, f"{place}.entries")):
            _read_entry(entry, f"{place}.entries[{number}]", batch.get("country"), intake)


def _entries(batch: Any, now_s: int) -> Any:
    """Return a batch's entries. Raises EntryRefused."""
    if not isinstance(batch, dict) or str(batch.get("hashType")) not in HASH_TYPES:
        raise EntryRefused("not-an-entry", f"hashType is none of {', '.join(sorted(HASH_TYPES))}")
    try:
        expires = datetime.fromisoformat(batch["expires"])
        if expires.tzinfo is None:
            raise ValueError("no time zone")
    except (KeyError, TypeError, ValueError) as error:
        raise EntryRefused("not-an-entry", "expires is not an instant of RFC 3339") from error
    if expires.timestamp() < now_s:
        raise EntryRefused("expired", "the batch's day has passed")
    return batch.get("entries")


def _read_entry(entry: Any, place: str, country: object, intake: Intake) -> None:
    try:
        if not isinstance(entry, dict):
            raise EntryRefused("not-an-entry", "not an object")
        digest = base64_of(entry.get("hash"), "hash")
        if len(digest) != HASH_BYTES:
            raise EntryRefused("not-an-entry", f"hash has {len(digest)} bytes, not {HASH_BYTES}")
        if entry_of(digest) in intake.revoked:
            raise EntryRefused("duplicate", "this hash stands in the list before")
        intake.revoked.add(entry_of(digest))
    except EntryRefused as error:
        intake.refuse(place, error, country)
