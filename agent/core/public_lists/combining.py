"""One trust-list.json of what was there and what an import took.

The law: a source's entries are replaced as a whole, so that a key its list no longer has is trusted no longer; other
sources' entries stay, and where two name the same key the newer import has it. A list of revoked cards goes with its
key alone: while any source has the key, an import without a list does not make revoked cards good again.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from agent.core.formats.json_text import JsonInvalid, decode_object
from agent.core.public_lists.intake import EntryRefused, Intake, ListUnreadable, found_by, utc

FORMAT = "scanward-trust-list-1"


@dataclass(frozen=True, slots=True)
class Combined:
    """The new list. replaced: entries of before that the import has too; removed: those its source no longer has."""

    value: dict[str, Any]
    replaced: int
    removed: int


def read_existing(data: bytes) -> dict[str, Any]:
    """Return a trust-list.json, of which only what combining needs is looked at. Raises ListUnreadable."""
    try:
        value = decode_object(data)
    except JsonInvalid as error:
        raise ListUnreadable(f"not a trust list: {error}") from error
    if value.get("format") != FORMAT or type(value.get("version")) is not int:
        raise ListUnreadable(f"not a trust list of the format {FORMAT}")
    for name in ("keys", "revocations"):
        entries = value.get(name, [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise ListUnreadable(f"not a trust list: {name} is not a list of objects")
        if not all(_is_named(entry) for entry in entries):
            raise ListUnreadable(f"not a trust list: what names an entry of {name} is not a text")
    return value


def combine(existing: dict[str, Any], intake: Intake) -> Combined:
    """Put what was taken into a list read by `read_existing`, or into {}; refuse what would not fit beside the rest."""
    taken = {_key(entry) for entry in intake.entries}
    listed = {_name(entry) for entry in intake.revocations}
    before = existing.get("keys", [])
    kept = [e for e in before if e.get("source") != intake.choices.source and _key(e) not in taken]
    named = {_name(entry) for entry in (*kept, *intake.entries)}
    lists = [
        entry
        for entry in existing.get("revocations", [])
        if _name(entry) not in listed and (entry.get("source") != intake.choices.source or _name(entry) in named)
    ]
    _refuse_crowded(kept, intake)
    replaced = sum(_key(entry) in taken for entry in before)
    value = existing | {
        "format": FORMAT,
        "version": existing.get("version", 0) + 1,
        "issued_at": utc(intake.choices.now_s),
        "keys": kept + intake.entries,
        "revocations": lists + intake.revocations,
    }
    return Combined(value, replaced, len(before) - len(kept) - replaced)


def _is_named(entry: dict[str, Any]) -> bool:
    """Say whether all that entries are told apart by is text, where it is there at all."""
    certificates = entry.get("x5c")
    first = certificates[:1] if isinstance(certificates, list) else []
    return all(part is None or isinstance(part, str) for part in (*_name(entry), entry.get("spki"), *first))


def _refuse_crowded(kept: list[dict[str, Any]], intake: Intake) -> None:
    """Refuse entries beside which another source has too many others of the same name."""
    names = Counter(found_by(entry)[0] for entry in kept)
    fitting = list[dict[str, Any]]()
    for entry in intake.entries:
        name, entries_max = found_by(entry)
        if names[name] < entries_max:
            names[name] += 1
            fitting.append(entry)
        else:
            refused = EntryRefused("too-many-of-one-id", "another source has other keys with this key id")
            intake.refuse("combined", refused, entry["issuer"], bytes.fromhex(entry["kid"]))
    intake.entries[:] = fitting


def _name(entry: dict[str, Any]) -> tuple[Any, ...]:
    return entry.get("family"), entry.get("issuer"), entry.get("kid")


def _key(entry: dict[str, Any]) -> tuple[Any, ...]:
    certificates = entry.get("x5c")
    first = certificates[0] if isinstance(certificates, list) and certificates else None
    return *_name(entry), entry.get("spki"), first
