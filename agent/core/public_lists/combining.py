"""One trust-list.json of what was there and what an import took.

The law: a source's entries are replaced as a whole, so that a key its list no longer has is trusted no longer; other
sources' entries stay, and where two name the same key the newer import has it. A list of revoked cards goes with its
key alone: while any source has the key, an import without a list does not make revoked cards good again, nor does one
with an older list, unless that was asked for.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from agent.core.formats.json_text import JsonInvalid, decode_object
from agent.core.public_lists.intake import EntryRefused, Intake, ListUnreadable, found_by, utc
from agent.core.rid_lists import METHOD
from agent.core.trust_entries import CREDENTIAL_FAMILIES, KID

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
    if not intake.choices.takes_older_lists:
        _refuse_older(existing, intake)
    taken = {_key(entry) for entry in intake.entries}
    listed = {_name(entry) for entry in intake.revocations}
    before = existing.get("keys", [])
    stays = [e.get("source") != intake.choices.source and _key(e) not in taken for e in before]
    kept = _refuse_doubled(before, stays, intake)
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
    return Combined(value, replaced, len(before) - sum(stays) - replaced)


def _is_named(entry: dict[str, Any]) -> bool:
    """Say whether all that entries are told apart by is text, where it is there at all."""
    certificates = entry.get("x5c")
    first = certificates[:1] if isinstance(certificates, list) else []
    return all(part is None or isinstance(part, str) for part in (*_name(entry), entry.get("spki"), *first))


def _refuse_older(existing: dict[str, Any], intake: Intake) -> None:
    """Refuse lists of revoked cards that their issuer has replaced since: what it had before stays."""
    ctrs = {_name(entry): entry["ctr"] for entry in existing.get("revocations", []) if _is_counted(entry)}
    spoken = {_name(key): key["crl_version"] for key in existing.get("keys", []) if type(key.get("crl_version")) is int}
    newest = list[dict[str, Any]]()
    for entry in intake.revocations:
        have = max(ctrs.get(_name(entry), 0), spoken.get(_name(entry), 0))
        if _is_counted(entry) and entry["ctr"] < have:
            detail = f"ctr {entry['ctr']}, and {have} was there before, so that stays; --older-lists takes this one"
            intake.refuse("combined", EntryRefused("ctr-older", detail), entry["issuer"], bytes.fromhex(entry["kid"]))
        else:
            newest.append(entry)
            ctrs.pop(_name(entry), None)
    intake.revocations[:] = newest
    # The key goes with the list that stays: terminals ask for both to agree. It does not forget what it spoke of,
    # or a malformed list, which has no counter, would open the way to an old one.
    for entry in intake.entries:
        spoke = spoken.get(_name(entry), 0)
        least = max(ctrs.get(_name(entry), 0), spoke) if spoke or "crl_version" in entry else 0
        if entry.get("crl_version", 0) < least:
            entry["crl_version"] = least


def _is_counted(entry: dict[str, Any]) -> bool:
    """Say whether a list of revoked cards can be relied on for its counter; a malformed one has none."""
    return entry.get("method") == METHOD and type(entry.get("ctr")) is int


def _refuse_doubled(before: list[dict[str, Any]], stays: list[bool], intake: Intake) -> list[dict[str, Any]]:
    """Return the entries of before that stay; of public ones no more of a name than terminals take: the first."""
    names, kept = Counter[tuple[Any, ...]](), list[dict[str, Any]]()
    for index, entry in enumerate(before):
        if not stays[index]:
            continue
        name, entries_max = found_by(entry)
        names[name] += 1
        if entry.get("family") in CREDENTIAL_FAMILIES and names[name] > entries_max:
            detail = "the list that the import goes into has as many before it as terminals take; it was taken out"
            kid = bytes.fromhex(entry["kid"]) if KID.fullmatch(entry.get("kid") or "") else None
            intake.refuse(f"into keys[{index}]", EntryRefused("too-many-of-one-id", detail), entry.get("issuer"), kid)
        else:
            kept.append(entry)
    return kept


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
