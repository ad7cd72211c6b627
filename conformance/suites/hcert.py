"""The EU's test data for Digital COVID Certificates: per file a code, its signer's certificate, a clock, expectations.

What a flag of EXPECTEDRESULTS means for a verdict stands in _GATES. The flags about the JSON schema are no gate: the
source itself says that they cannot be relied on. Each case is judged with its own certificates, listed under their own
key ids; those that must be refused get a list in which nothing else is. Where a code has a key id of its own, as some
countries make them, and its signature is not said to be bad, its certificate is listed under that one, too.
"""

import base64
import binascii
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from conformance.command import Answer, Line, Reading, Runner, say
from conformance.hcert_files import certificates_of, clock_of, code_of, entry_of, facts_of, look, seconds
from conformance.material import Entry, NotUnderstood, files, is_taken, read_json, trust_list
from conformance.result import Findings, Result

NAME, FOLDER = "hcert", "hcert"
KEY_ID_BYTES_MAX = 64  # of a trust list
_TIME = ("refused time.", "refused key.expired", "refused key.not-yet-valid", "refused decode.lifetime")
_GATES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("EXPECTEDUNPREFIX", ("refused",)),
    ("EXPECTEDPREFIX", ("refused",)),
    ("EXPECTEDB45DECODE", ("refused decode.",)),
    ("EXPECTEDCOMPRESSION", ("refused decode.",)),
    ("EXPECTEDDECODE", ("refused decode.",)),
    ("EXPECTEDVERIFY", ("refused",)),
    ("EXPECTEDKEYUSAGE", ("refused key.usage",)),
    ("EXPECTEDEXPIRATIONCHECK", _TIME),  # the certificate may have ended, too, and exp may be before iat
)
"""Flag -> what must be said where it is false, in the order of verification. None false: verified."""
_NOT_GATES = ("EXPECTEDSCHEMAVALIDATION", "EXPECTEDVALIDOBJECT", "EXPECTEDVALIDJSON", "EXPECTEDENCODE")
AS_TEXT = "reads its text"


@dataclass(frozen=True, slots=True)
class _Case:
    """One file. code: None where it holds a picture alone. picture: a file with it.

    issued_at_s: where its clock stands before that, and it should verify: then it must verify a moment later, when
    early_facts are so of it.
    """

    id: str
    code: str | None
    picture: Path | None
    is_legible: bool
    expected: tuple[str, ...]
    now: str | int
    issued_at_s: int | None
    entries: tuple[Entry, ...]
    facts: frozenset[str]
    early_facts: frozenset[str] = frozenset()


def run(folder: Path, runner: Runner) -> Findings:
    """Judge every file."""
    with TemporaryDirectory(prefix="conformance-") as pictures:
        cases, not_taken = _load(folder, Path(pictures))
        answers = _answers(cases, runner)
        with_picture = [case for case in cases if case.picture is not None]
        readings = runner.read([case.picture for case in with_picture if case.picture is not None])
    results = [
        Result(case.id, case.expected, say(answers[case.id]), case.facts) for case in cases if case.code is not None
    ]
    results += [
        Result(f"{case.id}#at-iat", case.expected, say(answers[f"{case.id}#at-iat"]), case.early_facts)
        for case in cases
        if case.issued_at_s
    ]
    results += [_of_picture(case, reading, answers) for case, reading in zip(with_picture, readings, strict=True)]
    return Findings(sorted(results, key=lambda result: result.id), not_taken)


def _load(folder: Path, pictures: Path) -> tuple[list[_Case], list[tuple[Path, str]]]:
    cases, not_taken = list[_Case](), list[tuple[Path, str]]()
    loose = list[Path]()
    for path in files(folder):
        try:
            if path.suffix.lower() == ".json":
                cases += _cases(path, folder, pictures)
            elif path.suffix.lower() in {".png", ".jpg", ".jpeg"}:
                loose.append(path)
            else:
                raise NotUnderstood(f"a {path.suffix or 'nameless'} file")
        except NotUnderstood as error:
            not_taken.append((path, str(error)))
    for path in loose:
        try:
            cases.append(_beside(path, folder, cases))
        except NotUnderstood as error:
            not_taken.append((path, str(error)))
    return cases, not_taken


def _cases(path: Path, folder: Path, pictures: Path) -> Iterator[_Case]:
    """Return the case of a file, or each of a list of them. Raises NotUnderstood."""
    found, id_ = read_json(path), path.relative_to(folder).as_posix()
    if not isinstance(found, list):
        return iter([_read(found, id_, pictures)])
    if not found:
        raise NotUnderstood("an empty list")
    return iter([_read(file, f"{id_}#{n}", pictures) for n, file in enumerate(found)])


def _read(found: Any, id_: str, pictures: Path) -> _Case:
    file = _members(found)
    context, flags = _members(file.get("TESTCTX")), _members(file.get("EXPECTEDRESULTS"))
    code = code_of(file)
    picture = _picture(file.get("2DCODE"), pictures / (id_.replace("/", "-") + ".png"))
    if code is None and picture is None:
        raise NotUnderstood("neither a code nor a picture of one")
    false = {name for name, value in flags.items() if value is False or str(value).lower() == "false"}
    expected = next((must for flag, must in _GATES if flag in false), None)
    if expected is None:
        expected = ("verified", "refused decode.") if false.intersection(_NOT_GATES) else ("verified",)
    cose, ders = look(code or ""), certificates_of(context.get("CERTIFICATE"))
    entries = [entry for der in ders if is_taken(entry := entry_of(der, cose, Path(id_)))]
    if "EXPECTEDVERIFY" not in false:
        entries += _under(cose.get("kid"), entries)
    now, told = clock_of(context.get("VALIDATIONCLOCK"), cose, is_late="EXPECTEDEXPIRATIONCHECK" in false)
    facts = facts_of(cose, ders, entries, now) | told
    iat = seconds(cose.get("iat"))
    is_early = expected[0] == "verified" and "the clock stands before iat" in facts and code is not None
    issued_at_s = int(iat) if is_early and iat is not None else None
    early_facts = facts_of(cose, ders, entries, issued_at_s + 1) if issued_at_s is not None else frozenset[str]()
    is_legible = "EXPECTEDPICTUREDECODE" not in false
    return _Case(id_, code, picture, is_legible, expected, now, issued_at_s, tuple(entries), facts, early_facts)


def _members(found: Any) -> dict[str, Any]:
    """Return an object's members, their names in capitals; none of what is no object."""
    return {name.upper(): value for name, value in found.items()} if isinstance(found, dict) else {}


def _under(kid: object, entries: Sequence[Entry]) -> list[Entry]:
    """Return the same entries under a key id that none of them has."""
    if not isinstance(kid, bytes) or not 1 <= len(kid) <= KEY_ID_BYTES_MAX:
        return []
    return [] if any(entry["kid"] == kid.hex() for entry in entries) else [e | {"kid": kid.hex()} for e in entries]


def _picture(found: object, to: Path) -> Path | None:
    if not isinstance(found, str) or not found:
        return None
    try:
        to.write_bytes(base64.b64decode(found.partition("base64,")[2] or found))
    except (binascii.Error, ValueError):
        return None
    return to


def _beside(path: Path, folder: Path, cases: list[_Case]) -> _Case:
    """Return the case of a picture in a file of its own, by the file of the same name whose code it shows."""
    id_ = path.relative_to(folder).as_posix()
    of = [case for case in cases if Path(case.id).stem == path.stem and case.id.split("/")[0] == id_.split("/")[0]]
    near = [case for case in of if Path(case.id).parent.parent == Path(id_).parent.parent] or of
    if len(near) != 1:
        raise NotUnderstood("a picture without one file of its name beside it")
    (case,) = near
    return _Case(id_, None, path, case.is_legible, case.expected, case.now, None, case.entries, case.facts)


def _answers(cases: list[_Case], runner: Runner) -> dict[str, Answer]:
    """Ask the command: one list for all that must be verified, a list of its own for each certificate else."""
    groups = defaultdict[str, list[_Case]](list)
    shared = dict[str, Entry]()
    for case in cases:
        its = {entry["kid"]: entry for entry in case.entries}
        if its and case.expected[0] == "verified" and all(shared.get(kid, its[kid]) == its[kid] for kid in its):
            shared |= its
            groups[""].append(case)
        else:
            groups[json.dumps(case.entries)].append(case)
    answers = dict[str, Answer]()
    for key, members in groups.items():
        entries = json.loads(key) if key else list(shared.values())
        lines = [Line(case.id, case.code, None, case.now) for case in members if case.code is not None]
        lines += [
            Line(f"{case.id}#at-iat", case.code, None, case.issued_at_s + 1) for case in members if case.issued_at_s
        ]
        lines += [Line(f"{case.id}#picture", None, case.picture, case.now) for case in members if case.picture]
        answers |= runner.verify(lines, trust_list(entries))
    return answers


def _of_picture(case: _Case, reading: Reading, answers: Mapping[str, Answer]) -> Result:
    """Compare what a picture says with the text it was made from, and its verdict with the text's."""
    id_, facts = f"{case.id}#picture", frozenset[str]()
    texts = [data.decode("utf-8", "replace") for data, _ in reading.codes]
    answer = answers[id_]
    if case.code is None:
        return Result(id_, case.expected, say(answer), case.facts)
    if not texts:
        got = f"not read{f': {reading.trouble}' if reading.trouble else ''}"
    elif case.code not in texts:
        got = f"reads another code, {say(answer)}"
        if any(_is_another_issue(text, case.code) for text in texts):
            facts |= {"the picture holds the code as issued another time"}
    elif {**answer, "id": None} != {**answers[case.id], "id": None}:
        got = f"judged otherwise than its text: {say(answer)}"
    else:
        got = AS_TEXT
    return Result(id_, (AS_TEXT,) if case.is_legible else ("not read", "reads another"), got, facts)


def _is_another_issue(text: str, code: str) -> bool:
    """Say whether two codes are of one signer and kind, and of two moments."""
    one, other = look(text), look(code)
    return (
        "iat" in one
        and one["iat"] != other.get("iat")
        and all(one.get(n) == other.get(n) for n in ("kid", "iss", "kinds"))
    )
