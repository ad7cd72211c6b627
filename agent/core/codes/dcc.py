"""What an HCERT container holds (claim -260): the EU's Digital COVID Certificate under 1, the WHO's claims beside it.

The law: reading never raises and decides nothing but which kinds there are and what names the certificate; a container
that says nothing has no kinds. The JSON schema of the content is not checked: issuers differ from it, and so does their
own test data. Whoever signed it stands for it. Whether one dose of two is enough is for the step's people.
"""

import msgspec

from agent.core.codes.family import FACTS_MAX, VALUE_CHARACTERS_MAX, Fact
from agent.core.legible import legible

KINDS = {"v": "vaccination", "t": "test", "r": "recovery"}
"""As a DCC and a trust list's usage write them -> as people say it."""

OTHER = "other"
"""The kind of a claim that is none of these: a key that is limited to some of KINDS may not sign it."""

_ALL = tuple(KINDS)
_SETS = {kind: frozenset({kind}) for kind in (*KINDS, OTHER)}
ENTRIES_MAX = 16  # of one kind; real ones have one
ID_CHARACTERS_MAX = 256  # of one certificate id; the EU's are at most 80
_DCC = 1
_WHO_CLAIMS = {3: "v", 4: "t"}  # WHO, HCERT specification: core data sets for vaccination and for a test's result
_WHO_NAMES = {
    3: "WHO vaccination data set",
    4: "WHO test data set",
    5: "health link",
    -6: "vaccination certificate (WHO)",
}

_TARGETS = {"840539006": "COVID-19"}  # SNOMED CT
_RESULTS = {"260415000": "not detected", "260373001": "detected"}  # SNOMED CT
_FIELDS: dict[str, tuple[tuple[str, str], ...]] = {
    "v": (("date", "dt"), ("vaccine", "vp"), ("product", "mp"), ("maker", "ma")),
    "t": (("sampled at", "sc"), ("kind of test", "tt"), ("test name", "nm"), ("device", "ma"), ("place", "tc")),
    "r": (("first positive", "fr"), ("valid from", "df"), ("valid until", "du")),
}


class Container(msgspec.Struct, frozen=True, gc=False):
    """kinds: of KINDS, and OTHER; empty where the container says nothing. ids: what names the certificate."""

    kinds: frozenset[str]
    ids: list[str]


NOTHING = Container(frozenset(), [])


def read_container(value: object) -> Container:
    """Return what kinds of statement a container holds, and the certificate ids of a DCC."""
    if type(value) is not dict:
        return NOTHING
    kinds: list[str] = []
    ids: list[str] = []
    for claim, content in value.items():
        if type(claim) is not int:
            return NOTHING
        if claim != _DCC:
            kinds.append(_WHO_CLAIMS.get(claim, OTHER))
            continue
        if type(content) is not dict:
            return NOTHING
        for kind in _ALL:
            entries = content.get(kind)
            if not entries:
                continue  # absent, null or empty: some issuers write all three
            if type(entries) is not list or len(entries) > ENTRIES_MAX:
                return NOTHING
            kinds.append(kind)
            for entry in entries:
                if type(entry) is not dict:
                    return NOTHING
                name = entry.get("ci")
                if type(name) is str and 0 < len(name) <= ID_CHARACTERS_MAX:
                    ids.append(name)
    return Container(_SETS[kinds[0]] if len(kinds) == 1 else frozenset(kinds), ids)


def countries_of(value: object) -> list[str]:
    """Return the countries that the entries of a DCC name, of a container that read_container took."""
    found = value.get(_DCC) if isinstance(value, dict) else None
    if not isinstance(found, dict):
        return []
    return [co for kind in _ALL if kind in found for entry in found[kind] or () if type(co := entry.get("co")) is str]


def describe_container(value: object) -> tuple[Fact, ...]:
    """Return what a container says, for people. Never raises."""
    if not isinstance(value, dict):
        return ()
    facts = list[Fact]()
    for claim, content in value.items():
        if claim == _DCC:
            facts += _describe_dcc(content)
        else:
            facts.append(Fact("kind", _WHO_NAMES.get(claim, f"claim {_clean(claim)}")))
    return tuple(facts[:FACTS_MAX])


def _describe_dcc(content: object) -> list[Fact]:
    if not isinstance(content, dict):
        return []
    facts = list[Fact]()
    for kind, said in KINDS.items():
        entries = content.get(kind)
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict):
                facts += [Fact("kind", said), *_describe_entry(kind, entry)]
    name = content.get("nam")
    if isinstance(name, dict):
        said_name = [name.get("gn") or name.get("gnt"), name.get("fn") or name.get("fnt")]
        _add(facts, "name", " ".join(part for part in said_name if isinstance(part, str)), is_personal=True)
    _add(facts, "born", content.get("dob"), is_personal=True)
    return facts


def _describe_entry(kind: str, entry: dict[object, object]) -> list[Fact]:
    facts = list[Fact]()
    _add(facts, "country", entry.get("co"))
    _add(facts, "issued by", entry.get("is"))
    target = entry.get("tg")
    _add(facts, "against", _TARGETS.get(target, target) if isinstance(target, str) else target)
    if kind == "v" and "dn" in entry:
        _add(facts, "doses", f"{_clean(entry['dn'])} of {_clean(entry.get('sd', '?'))}")
    result = entry.get("tr")
    _add(facts, "result", _RESULTS.get(result, result) if isinstance(result, str) else result)
    for said, field in _FIELDS[kind]:
        _add(facts, said, entry.get(field))
    _add(facts, "certificate", entry.get("ci"), is_personal=True)
    return facts


def _add(facts: list[Fact], name: str, value: object, *, is_personal: bool = False) -> None:
    if value is None or value == "" or isinstance(value, dict | list):
        return
    facts.append(Fact(name, _clean(value), is_personal))


def _clean(value: object) -> str:
    """Return a value as one line of text, however it was written."""
    text = value.hex() if isinstance(value, bytes) else str(value) if isinstance(value, str | int | float) else "?"
    return legible(text[:VALUE_CHARACTERS_MAX])
