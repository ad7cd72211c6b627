"""What may take the place of what was imported before.

The law: nothing that was trusted goes, and no card that was revoked comes back, because a file does not mention it:
only where that was asked for. What a source's own newer list no longer has is meant to go (docs/decisions/0252, 0269).
"""

from collections import Counter
from dataclasses import replace
from typing import Any

from platform_stub.issuing.imported import Imported, ImportInvalid

REFUSED_SHOWN_MAX = 50
METHOD = "rid"
"""The one kind of card revocation list there is: a malformed one, which refuses all cards, has another."""


def follow(before: Imported, now: Imported, *, withdraws: bool = False, takes_older: bool = False) -> Imported:
    """Return what to publish after `before`. Raises ImportInvalid where whole sources would go unasked.

    withdraws: sources that `now` does not have go. takes_older: its card revocation lists count as they are.
    """
    gone = _sources_gone(before, now)
    if gone and not withdraws:
        named = ", ".join(f"{count} of {source}" for source, count in sorted(gone.items()))
        raise ImportInvalid(
            f"keys of sources that the file does not have at all would be trusted no longer: {named}. Give the one "
            "file that all imports went into (scanward trust import --into), or --withdraw-missing to take them out"
        )
    return now if takes_older else _with_newest_lists(before, now)


def follow_revoked(before: set[bytes], now: set[bytes], *, unrevokes: bool = False) -> int:
    """Return how many revocations of `before` are gone. Raises ImportInvalid where they would go unasked."""
    gone = len(before - now)
    if gone and not unrevokes:
        raise ImportInvalid(
            f"{gone} of {len(before)} revocations that were imported before are not in the file, and what they revoke "
            "would be valid again. Import into the file of before (scanward trust import --into-revoked), or give "
            "--unrevoke-missing to let them go"
        )
    return gone


def told(before: Imported, now: Imported) -> list[str]:
    """Return what an import changed and refused, line by line."""
    families, were = now.families(), before.families()
    lines = [f"{count} keys of {family} (before: {were.get(family, 0)})" for family, count in families.items()]
    lines += [
        f"no keys of {family} any more (before: {were[family]})" for family in sorted(were.keys() - families.keys())
    ]
    lines += [f"{count} entries of {name} were left out: never taken from a file" for name, count in now.left_out]
    lines += [f"refused {line}" for line in now.refused[:REFUSED_SHOWN_MAX]]
    more = len(now.refused) - REFUSED_SHOWN_MAX
    return lines + ([f"and {more} more refused"] if more > 0 else [])


def _sources_gone(before: Imported, now: Imported) -> Counter[str]:
    """Count the keys that would go with a source of which nothing stays; one that another source has stays."""
    stays = {_key(key) for key in now.keys}
    still = {_source(key) for key in now.keys}
    return Counter(_source(key) for key in before.keys if _source(key) not in still and _key(key) not in stays)


def _with_newest_lists(before: Imported, now: Imported) -> Imported:
    """Keep a card revocation list of before where the file has an older one for the same key, or none."""
    have, old = {_name(entry) for entry in now.keys}, {_name(entry): entry for entry in before.revocations}
    spoken = {_name(key): key.get("crl_version", 0) for key in before.keys}
    lists, refused = list[dict[str, Any]](), list(now.refused)
    for entry in now.revocations:
        last = old.pop(_name(entry), None)
        least = last["ctr"] if last is not None and last["method"] == entry["method"] else 0
        least = max(least, spoken.get(_name(entry), 0)) if entry["method"] == METHOD else least
        if entry["ctr"] < least:
            refused.append(
                f"card revocation list of key {entry['kid']} of {entry['issuer']}: ctr {entry['ctr']} is older than "
                f"{least}, so what is there stays; --older-lists takes it"
            )
            lists += [last] if last is not None else []
        else:
            lists.append(entry)
    kept = [entry for name, entry in old.items() if name in have]
    refused += [
        f"card revocation list of key {entry['kid']} of {entry['issuer']}: not in the file, though its key is; that of "
        "before stays; --older-lists takes it out"
        for entry in kept
    ]
    lists += kept
    ctrs = {_name(entry): entry["ctr"] for entry in lists}
    keys = tuple(_at_least(key, ctrs.get(_name(key), 0), spoken.get(_name(key), 0)) for key in now.keys)
    return replace(now, keys=keys, revocations=tuple(lists), refused=tuple(refused))


def _at_least(key: dict[str, Any], ctr: int, spoke: int) -> dict[str, Any]:
    """Return a key that speaks of no older list than the one it has, nor than it spoke of before.

    Terminals ask for key and list to agree; a malformed list, which has no counter, opens no way to an old one.
    """
    least = max(ctr, spoke) if spoke or "crl_version" in key else 0
    return key | {"crl_version": least} if key.get("crl_version", 0) < least else key


def _source(key: dict[str, Any]) -> str:
    return str(key.get("source") or key["family"])


def _name(entry: dict[str, Any]) -> tuple[str, str, str]:
    return entry["family"], entry["issuer"], entry["kid"]


def _key(entry: dict[str, Any]) -> tuple[Any, ...]:
    return *_name(entry), entry.get("spki"), *entry.get("x5c", [])
