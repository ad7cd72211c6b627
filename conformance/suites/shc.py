"""SMART Health Cards: the framework's examples, and the developer tools' files that must be refused.

The examples of `spec-examples` verify with the keys beside them, but number 03, which its issuer's list revokes; each
is judged as a JWS, as a file, as digits (all parts of one together; parts of which one is not there must be missed),
and its pictures are read: they say the digits beside them, or where those are not there, a card that is judged itself.
Files in other shapes (bundles, payloads) are no codes and must not verify. In `devtools` every file must be refused:
judged with the examples' keys and, for a folder that is an issuer's own, with the keys and list published there.
"""

import hashlib
import json
import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from conformance.command import Line, Runner, say
from conformance.material import (
    Entry,
    NotUnderstood,
    algorithm_of,
    files,
    from_base64url,
    is_taken,
    read_json,
    read_text,
    spki_entry,
    spki_of_jwk,
    trust_list,
)
from conformance.result import Findings, Result
from conformance.svg import rasterise

NAME, FOLDER = "shc", "shc"
NOW = "2023-07-01T00:00:00Z"  # after the examples were made, before number 03 expires by itself
SPEC_ISSUER = "https://spec.smarthealth.cards/examples/issuer"
INFLATED_BYTES_MAX = 1_000_000
KEY_ID_BYTES_MAX, ISSUER_CHARACTERS_MAX = 64, 255  # of a trust list
TEXT_CHARACTERS_MAX = 20_000  # what is longer is over any bound as it is
AS_TEXT = "reads its text"
_REVOKED = "03"
_EXAMPLE = re.compile(r"example-(?P<number>\d+)-(?P<kind>[a-z])-")
_CODES = (".txt", ".smart-health-card")
_PICTURES = (".png", ".jpg", ".jpeg", ".svg", ".bmp", ".gif")
_PARTS = re.compile(r"shc:/(?P<number>\d{1,2})/(?P<total>\d{1,2})/\d+")


def run(folder: Path, runner: Runner) -> Findings:
    """Judge the examples, then each issuer's folder of bad files."""
    spec, spec_lists = _published(_issuer_folder(folder / "spec-examples"), SPEC_ISSUER)
    trust = trust_list(spec, revocations=spec_lists)
    found = [_examples(folder, runner, trust)]
    found += _bad(folder, runner, spec, spec_lists)
    taken = {path for findings, paths in found for path in paths}
    known = {path for path in files(folder) if ".well-known" in path.parts}
    left = [(path, "of no known shape") for path in files(folder) if path not in taken | known]
    return Findings([result for findings, _ in found for result in findings], left)


def _issuer_folder(examples: Path) -> Path:
    """Return the folder below which the examples' keys are: `issuer`, or wherever there are any."""
    found = sorted(path.parent.parent for path in examples.rglob(".well-known/jwks.json"))
    return examples / "issuer" if not found or examples / "issuer" in found else found[0]


def _published(folder: Path, issuer: str) -> tuple[list[Entry], list[dict[str, Any]]]:
    """Return an issuer's keys and its lists of revoked cards, from its folder's .well-known."""
    try:
        entries = [] if not (path := folder / ".well-known/jwks.json").exists() else _keys(path, issuer)
    except NotUnderstood:
        entries = []
    lists = list[dict[str, Any]]()
    for path in sorted((folder / ".well-known/crl").glob("*.json")):
        try:
            published = read_json(path)
            kid = from_base64url(published["kid"]).hex()[: 2 * KEY_ID_BYTES_MAX]
        except (NotUnderstood, KeyError, TypeError, AttributeError):
            continue
        told = {name: published[name] for name in ("method", "ctr", "rids") if name in published}
        lists.append({"family": "shc", "issuer": issuer, "kid": kid, **told})
    return entries, lists


def _keys(path: Path, issuer: str) -> list[Entry]:
    """Return the keys of a JWKS, or of one JWK, that a trust list takes."""
    found = read_json(path)
    jwks = found.get("keys", [found]) if isinstance(found, dict) else []
    entries = list[Entry]()
    for jwk in jwks:
        try:
            spki, kid = spki_of_jwk(jwk), from_base64url(jwk["kid"])
        except (NotUnderstood, KeyError, AttributeError, TypeError):
            continue
        entry = spki_entry("shc", issuer, kid, algorithm_of(spki, rsa_as="PS256"), spki)
        if isinstance(jwk.get("crlVersion"), int):
            entry["crl_version"] = jwk["crlVersion"]
        if is_taken(entry):
            entries.append(entry)
    return entries


_Judged = tuple[list[Result], set[Path]]


def _examples(folder: Path, runner: Runner, trust: bytes) -> _Judged:
    lines, expected, taken = list[Line](), dict[str, tuple[str, ...]](), set[Path]()
    digits = defaultdict[str, list[tuple[int, Path]]](list)
    pictures = list[Path]()
    for path in files(folder / "spec-examples"):
        shape = _EXAMPLE.search(path.name)
        if shape is None or ".well-known" in path.parts:
            continue
        id_, number = path.relative_to(folder).as_posix(), shape["number"]
        if shape["kind"] in "de":
            lines.append(Line(id_, _read(path).strip(), None, NOW))
            expected[id_] = _must(number)
        elif shape["kind"] == "f":
            digits[number].append((int(re.sub(r"\D", "", path.stem.rpartition("-")[2]) or 0), path))
        elif path.suffix.lower() in _PICTURES:
            pictures.append(path)
        else:  # a bundle or a payload: no code
            lines.append(Line(id_, _read(path)[:TEXT_CHARACTERS_MAX], None, NOW))
            expected[id_] = ("refused",)
        taken.add(path)
    texts = dict[tuple[str, int], str]()
    for number, parts in digits.items():
        ordered = [_read(path).strip() for _, path in sorted(parts)]
        texts |= {(number, at): text for (at, _), text in zip(sorted(parts), ordered, strict=True)}
        id_ = (
            parts[0][1].relative_to(folder).as_posix() if len(parts) == 1 else f"spec-examples/example-{number}-f-parts"
        )
        lines.append(Line(id_, ordered[0] if len(parts) == 1 else ordered, None, NOW))
        expected[id_] = _must(number) if _is_whole(ordered) else ("refused decode.parts-missing",)
    answers = runner.verify(lines, trust)
    results = [Result(line.id, expected[line.id], say(answers[line.id])) for line in lines]
    return results + _of_pictures(folder, pictures, texts, runner, trust), taken


def _is_whole(texts: Sequence[str]) -> bool:
    """Say whether no part is missing, by what the parts themselves say of how many there are."""
    numbered = [found for text in texts if (found := _PARTS.fullmatch(text))]
    return not numbered or {int(found["number"]) for found in numbered} >= set(range(1, int(numbered[0]["total"]) + 1))


def _must(number: str) -> tuple[str, ...]:
    return ("refused revoked.",) if number == _REVOKED else ("verified",)


def _of_pictures(
    folder: Path, pictures: list[Path], texts: dict[tuple[str, int], str], runner: Runner, trust: bytes
) -> list[Result]:
    """Compare what each picture says with the digits of its number and part; without digits, judge what it says."""
    results, alone = list[Result](), defaultdict[str, dict[Path, str]](dict)
    with TemporaryDirectory(prefix="conformance-") as name:
        for path, reading in zip(pictures, runner.read(_as_files(pictures, Path(name))), strict=True):
            shape = _EXAMPLE.search(path.name)
            number = shape["number"] if shape else ""
            text = texts.get((number, int(re.sub(r"\D", "", path.stem.rpartition("-")[2]) or 0)))
            said = [data.decode("utf-8", "replace") for data, _ in reading.codes]
            if text is None and said:
                alone[number][path] = said[0]
                continue
            got = (
                AS_TEXT if text in said else "reads otherwise" if said else f"not read: {reading.trouble or 'no code'}"
            )
            results.append(Result(path.relative_to(folder).as_posix(), (AS_TEXT,), got))
    for number, read in alone.items():
        whole = sorted(set(read.values()))
        lines = [
            Line(path.relative_to(folder).as_posix(), whole if len(whole) > 1 else whole[0], None, NOW) for path in read
        ]
        expected = _must(number) if _is_whole(whole) else ("refused decode.parts-missing",)
        answers = runner.verify(lines, trust)
        results += [Result(line.id, expected, say(answers[line.id])) for line in lines]
    return results


def _as_files(pictures: Iterable[Path], folder: Path) -> list[Path]:
    """Return picture files that can be read, SVG drawn as PNG."""
    return [
        rasterise(path, folder / f"{n}.png") if path.suffix.lower() == ".svg" else path
        for n, path in enumerate(pictures)
    ]


def _bad(folder: Path, runner: Runner, spec: list[Entry], spec_lists: list[dict[str, Any]]) -> list[_Judged]:
    """Judge every file below devtools, grouped by the folder whose keys and lists count."""
    groups = defaultdict[Path | None, list[Path]](list)
    taken, others = set[Path](), list[Entry]()
    for path in files(folder / "devtools"):
        if ".well-known" in path.parts:
            continue
        if path.suffix.lower() == ".json" and (entries := _foreign_keys(path)) is not None:
            others += entries
            taken.add(path)
        elif path.suffix.lower() in (*_CODES, *_PICTURES, ".json"):
            owner = next((p for p in path.parents if (p / ".well-known").is_dir()), None)
            groups[owner].append(path)
            taken.add(path)
    judged = list[_Judged]()
    with TemporaryDirectory(prefix="conformance-") as name:
        for owner, paths in groups.items():
            trust = trust_list(_once(spec + others), revocations=spec_lists)
            if owner is not None and (issuer := _claimed(paths)):
                entries, lists = _published(owner, issuer)
                trust = trust_list(_once(spec + others + entries), revocations=spec_lists + lists)
            lines = [_line(path, path.relative_to(folder).as_posix(), Path(name)) for path in paths]
            answers = runner.verify(lines, trust)
            judged.append(([Result(line.id, ("refused",), say(answers[line.id])) for line in lines], set()))
    return [*judged, ([], taken)]


def _foreign_keys(path: Path) -> list[Entry] | None:
    """Return the keys of a JWKS that is no issuer's here, under a name of its own; None for a file that is none."""
    try:
        found = read_json(path)
    except NotUnderstood:
        return None
    if not isinstance(found, dict) or not ("keys" in found or "kty" in found):
        return None
    name = hashlib.sha256(path.name.encode()).hexdigest()[:8]
    return _keys(path, f"https://example.org/{name}")


def _once(entries: list[Entry]) -> list[Entry]:
    return list({(entry["issuer"], entry["kid"]): entry for entry in entries}.values())


def _line(path: Path, id_: str, pictures: Path) -> Line:
    if path.suffix.lower() in _PICTURES:
        return Line(id_, None, _as_files([path], pictures / hashlib.sha256(id_.encode()).hexdigest())[0], NOW)
    text = _read(path)
    parts = [line.strip() for line in text.splitlines() if line.strip()]
    if len(parts) > 1 and all(_PARTS.fullmatch(part) for part in parts):
        return Line(id_, parts, None, NOW)
    return Line(id_, text[:TEXT_CHARACTERS_MAX], None, NOW)


def _read(path: Path) -> str:
    """Return a file's text; what is not UTF-8 is no code, but must be refused all the same."""
    try:
        return read_text(path)
    except NotUnderstood:
        return path.read_bytes().decode("utf-8", "replace")


def _claimed(paths: list[Path]) -> str | None:
    """Return the issuer that the cards of a folder claim: whose .well-known it is."""
    for path in paths:
        try:
            payload = from_base64url(_read(path).strip().split(".")[1])
            claims = json.loads(zlib.decompressobj(-15).decompress(payload, INFLATED_BYTES_MAX))
            return str(claims["iss"])[:ISSUER_CHARACTERS_MAX] or None
        except (NotUnderstood, IndexError, ValueError, zlib.error, KeyError, TypeError):
            continue
    return None
