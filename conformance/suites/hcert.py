"""The EU's test data for Digital COVID Certificates: per file a code, its signer's certificate, a clock, expectations.

What a flag of EXPECTEDRESULTS means for a verdict stands in _GATES. The flags about the JSON schema are no gate: the
source itself says that they cannot be relied on. Each case is judged with its own certificate, listed under its own key
id; those that must be refused get a list in which nothing else is.
"""

import base64
import binascii
import hashlib
import json
import zlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cbor2

from agent.adapters.keys.verification import read_certificate
from agent.core.formats import base45
from agent.core.trust_list import Certificate, CertificateRefused
from conformance.command import Answer, Line, Reading, Runner, say
from conformance.material import (
    Entry,
    NotUnderstood,
    algorithm_of,
    certificate_entry,
    der_of,
    files,
    is_taken,
    read_object,
    trust_list,
)
from conformance.result import Findings, Result

NAME, FOLDER = "hcert", "hcert"
PREFIX = "HC1:"
SKEW_S = 15  # the agent's grace
INFLATED_BYTES_MAX = 1_000_000
_TIME = ("refused time.", "refused key.expired", "refused key.not-yet-valid")
_GATES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("EXPECTEDUNPREFIX", ("refused",)),
    ("EXPECTEDPREFIX", ("refused",)),
    ("EXPECTEDB45DECODE", ("refused decode.",)),
    ("EXPECTEDCOMPRESSION", ("refused decode.",)),
    ("EXPECTEDDECODE", ("refused decode.",)),
    ("EXPECTEDVERIFY", ("refused",)),
    ("EXPECTEDKEYUSAGE", ("refused key.usage",)),
    ("EXPECTEDEXPIRATIONCHECK", _TIME),  # the certificate may have ended, too
)
"""Flag -> what must be said where it is false, in the order of verification. None false: verified."""
_NOT_GATES = ("EXPECTEDSCHEMAVALIDATION", "EXPECTEDVALIDOBJECT", "EXPECTEDVALIDJSON", "EXPECTEDENCODE")
_KEY_USAGES = {
    f"1.3.6.1.4.1.{arc}1847.2021.1.{number}": kind
    for arc in ("", "0.")
    for number, kind in ((1, "t"), (2, "v"), (3, "r"))
}
AS_TEXT = "reads its text"


@dataclass(frozen=True, slots=True)
class _Case:
    """One file. code: None where it holds a picture alone. picture: a file with it.

    issued_at_s: where its clock stands before that, and it should verify: then it must verify a moment later.
    """

    id: str
    code: str | None
    picture: Path | None
    is_legible: bool
    expected: tuple[str, ...]
    now: str | int
    issued_at_s: int | None
    entry: Entry | None
    facts: frozenset[str]


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
        Result(f"{case.id}#at-iat", case.expected, say(answers[f"{case.id}#at-iat"]))
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
            if path.suffix == ".json":
                cases.append(_read(path, folder, pictures))
            elif path.suffix in {".png", ".jpg", ".jpeg"}:
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


def _read(path: Path, folder: Path, pictures: Path) -> _Case:
    file = read_object(path)
    context, flags = file.get("TESTCTX"), file.get("EXPECTEDRESULTS")
    if not isinstance(context, dict):
        raise NotUnderstood("no TESTCTX")
    flags = flags if isinstance(flags, dict) else {}
    id_, code = path.relative_to(folder).as_posix(), code_of(file)
    picture = _picture(file.get("2DCODE"), pictures / (id_.replace("/", "-") + ".png"))
    if code is None and picture is None:
        raise NotUnderstood("neither a code nor a picture of one")
    der = _certificate(context.get("CERTIFICATE"))
    cose = _look(code or "")
    entry = None if der is None else certificate_entry("hcert", _issuer(der, cose, path.relative_to(folder)), der)
    now, told = clock_of(context.get("VALIDATIONCLOCK"), cose)
    facts = _facts(cose, der, entry, now) | told
    expected = next((must for flag, must in _GATES if flags.get(flag) is False), None)
    if expected is None:
        is_schema_alone = any(flags.get(flag) is False for flag in _NOT_GATES)
        expected = ("verified", "refused decode.") if is_schema_alone else ("verified",)
    is_legible = flags.get("EXPECTEDPICTUREDECODE") is not False
    iat = _seconds(cose.get("iat"))
    is_early = expected[0] == "verified" and "the clock stands before iat" in facts and code is not None
    issued_at_s = int(iat) if is_early and iat is not None else None
    return _Case(id_, code, picture, is_legible, expected, now, issued_at_s, entry, facts)


def code_of(file: Mapping[str, Any]) -> str | None:
    """Return the code's text: as the file gives it, or made from the furthest step that it gives."""
    for name, made in (("PREFIX", str), ("BASE45", lambda text: PREFIX + text)):
        found = file.get(name)
        if isinstance(found, str) and found:
            return made(found)
    for name in ("COMPRESSED", "COSE"):
        found = file.get(name)
        if isinstance(found, str) and found:
            try:
                data = bytes.fromhex(found)
            except ValueError:
                continue
            return PREFIX + base45.encode(data if name == "COMPRESSED" else zlib.compress(data, 9))
    return None


def _picture(found: object, to: Path) -> Path | None:
    if not isinstance(found, str) or not found:
        return None
    try:
        to.write_bytes(base64.b64decode(found.partition("base64,")[2] or found))
    except (binascii.Error, ValueError):
        return None
    return to


def _certificate(found: object) -> bytes | None:
    try:
        return der_of(found) if isinstance(found, str) and found.strip() else None
    except NotUnderstood:
        return None


def _issuer(der: bytes, cose: Mapping[str, Any], path: Path) -> str:
    """Return whose key it is: the certificate's country, or where it names none what the code says, or the folder."""
    certificate = _parsed(der)
    claimed = cose.get("iss")
    if certificate is not None and certificate.country:
        return certificate.country
    return claimed if isinstance(claimed, str) and 0 < len(claimed) <= 255 else path.parts[0][:2].upper()


def _parsed(der: bytes) -> Certificate | None:
    try:
        return read_certificate(der)
    except CertificateRefused:
        return None


def _look(code: str) -> dict[str, Any]:
    """Return what another reader of CBOR sees in a code, as far as it gets: alg, kid, iss, iat, exp, kind."""
    found = dict[str, Any]()
    try:
        data = base45.decode(code.removeprefix(PREFIX))
        data = zlib.decompressobj().decompress(data, INFLATED_BYTES_MAX) if data[:1] == b"\x78" else data
        message = cbor2.loads(data)
        while isinstance(message, cbor2.CBORTag):
            message = message.value
        protected, unprotected, payload = cbor2.loads(message[0]) if message[0] else {}, message[1], message[2]
        found |= {"alg": protected.get(1), "kid": protected.get(4, unprotected.get(4))}
        claims = cbor2.loads(payload)
        found |= {"iss": claims.get(1), "exp": claims.get(4), "iat": claims.get(6)}
        found["kind"] = next((kind for kind in "tvr" if claims[-260][1].get(kind)), None)
    except (ValueError, zlib.error, cbor2.CBORError, TypeError, AttributeError, IndexError, KeyError, OverflowError):
        pass  # such a code must be refused, and says nothing of itself
    return found


def clock_of(found: object, cose: Mapping[str, Any]) -> tuple[str | int, frozenset[str]]:
    """Return VALIDATIONCLOCK, UTC where it has no zone; without one, an hour after iat or midway to exp."""
    if isinstance(found, str):
        try:
            at = datetime.fromisoformat(found.strip())
            at = at if at.tzinfo else at.replace(tzinfo=UTC)
            if at.timestamp() >= 0:
                return at.isoformat(), frozenset()
        except (ValueError, OverflowError):
            pass  # no clock that can be read
    iat, exp = _seconds(cose.get("iat")), _seconds(cose.get("exp"))
    if iat is not None:
        return int(min(iat + 3600, (iat + exp) // 2) if exp is not None else iat + 3600), frozenset({"no clock"})
    return int(exp) - 1 if exp else 0, frozenset({"no clock"})


def _seconds(found: object) -> float | None:
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    return float(found) if is_number and 0 <= found < 2**33 else None  # type: ignore[arg-type, operator]


def _facts(cose: Mapping[str, Any], der: bytes | None, entry: Entry | None, now: str | int) -> frozenset[str]:
    """Return what a rule may explain by, seen without the agent."""
    facts = {f"alg {cose.get('alg')}"} if cose else {"not a COSE message"}
    at_s = now if isinstance(now, int) else datetime.fromisoformat(now).timestamp()
    iat, exp = _seconds(cose.get("iat")), _seconds(cose.get("exp"))
    if iat is None or exp is None:
        facts.add("without iat or exp")
    if iat is not None and at_s < iat - SKEW_S:
        facts.add("the clock stands before iat")
    if exp is not None and at_s > exp + SKEW_S:
        facts.add("the clock stands after exp")
    certificate = None if der is None else _parsed(der)
    if der is None or certificate is None:
        return frozenset(facts | {"no certificate" if der is None else "a certificate that cannot be read"})
    kinds = {_KEY_USAGES[usage] for usage in certificate.usages if usage in _KEY_USAGES}
    if kinds and cose.get("kind") not in kinds:
        facts.add("the certificate is not for this kind of code")
    if algorithm_of(certificate.spki, rsa_as="PS256") not in {"ES256", "PS256"}:
        facts.add("the certificate's key is neither on P-256 nor RSA")
    if not certificate.not_before_s <= at_s <= certificate.not_after_s:
        facts.add("the certificate is not valid at the clock")
    if iat is not None and not certificate.not_before_s <= iat <= certificate.not_after_s:
        facts.add("the certificate was not valid at iat")
    if cose and cose.get("kid") != hashlib.sha256(der).digest()[:8]:
        facts.add("the key id is not the certificate's")
    if entry is not None and cose.get("iss") not in (None, entry["issuer"]):
        facts.add("iss is not the certificate's country")
    return frozenset(facts)


def _beside(path: Path, folder: Path, cases: list[_Case]) -> _Case:
    """Return the case of a picture in a file of its own, by the file of the same name whose code it shows."""
    id_ = path.relative_to(folder).as_posix()
    of = [case for case in cases if Path(case.id).stem == path.stem and case.id.split("/")[0] == id_.split("/")[0]]
    near = [case for case in of if Path(case.id).parent.parent == Path(id_).parent.parent] or of
    if len(near) != 1:
        raise NotUnderstood("a picture without one file of its name beside it")
    (case,) = near
    return _Case(id_, None, path, case.is_legible, case.expected, case.now, None, case.entry, case.facts)


def _answers(cases: list[_Case], runner: Runner) -> dict[str, Answer]:
    """Ask the command: one list for all that must be verified, a list of its own for each certificate else."""
    groups = defaultdict[str, list[_Case]](list)
    shared = dict[str, Entry]()
    for case in cases:
        if case.entry is not None and case.expected[0] == "verified" and is_taken(case.entry):
            shared[case.entry["kid"]] = case.entry
            groups[""].append(case)
        else:
            groups[json.dumps(case.entry)].append(case)
    answers = dict[str, Answer]()
    for key, members in groups.items():
        entries = list(shared.values()) if not key else [entry] if (entry := json.loads(key)) is not None else []
        lines = [Line(case.id, case.code, None, case.now) for case in members if case.code is not None]
        lines += [
            Line(f"{case.id}#at-iat", case.code, None, case.issued_at_s + 1) for case in members if case.issued_at_s
        ]
        lines += [Line(f"{case.id}#picture", None, case.picture, case.now) for case in members if case.picture]
        answers |= runner.verify(lines, trust_list(entries))
    return answers


def _of_picture(case: _Case, reading: Reading, answers: Mapping[str, Answer]) -> Result:
    """Compare what a picture says with the text it was made from, and its verdict with the text's."""
    id_, facts = f"{case.id}#picture", case.facts
    texts = [data.decode("utf-8", "replace") for data, _ in reading.codes]
    answer = answers[id_]
    if case.code is None:
        return Result(id_, case.expected, say(answer), facts)
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
    one, other = _look(text), _look(code)
    return (
        "iat" in one and one["iat"] != other.get("iat") and all(one[n] == other.get(n) for n in ("kid", "iss", "kind"))
    )
