"""The COSE working group's examples: COSE_Sign1 messages that pass or fail, and CWTs, through our COSE_Sign1 reader.

A file asserts by `fail` or by its name. The reader is that of other people's codes (tolerant_cose.py); the key is the
example's own, and its algorithm counts.
"""

import base64
from pathlib import Path
from typing import Any

import cbor2

from agent.adapters.keys.verification import build_key
from agent.core.formats import tolerant_cose
from agent.core.formats.cose import CoseInvalid
from agent.core.trust_list import AlgorithmUnavailable
from conformance.command import Runner
from conformance.material import NotUnderstood, algorithm_of, files, read_object, spki_of_jwk
from conformance.result import Findings, Result

NAME, FOLDER = "cose", "cose"
_KINDS = {
    "sign0": "a COSE_Sign1", "sign1": "a COSE_Sign1", "sign": "a COSE_Sign with signers of its own",
    "mac0": "a MAC, no signature", "encrypt": "encrypted, no signature", "encrypted0": "encrypted, no signature",
    "mac": "a MAC, no signature", "encrypted": "encrypted, no signature", "enveloped": "encrypted, no signature",
}  # fmt: skip
_TAGS = {
    16: "encrypted, no signature", 96: "encrypted, no signature", 17: "a MAC, no signature", 97: "a MAC, no signature",
    98: "a COSE_Sign with signers of its own",
}  # fmt: skip
_OURS: dict[str, tuple[str | None, ...]] = {"ES256": ("P-256",), "PS256": (None,)}
"""The algorithms that a family of COSE has here -> the curve of their keys."""


def run(folder: Path, runner: Runner) -> Findings:
    """Judge every file."""
    results, not_taken = list[Result](), list[tuple[Path, str]]()
    for path in files(folder):
        try:
            results.append(_of_file(path, path.relative_to(folder).as_posix()))
        except NotUnderstood as error:
            not_taken.append((path, str(error)))
    return Findings(results, not_taken)


def _of_file(path: Path, id_: str) -> Result:
    file = read_object(path) if path.suffix == ".json" else {}
    given, output = file.get("input"), file.get("output")
    if not isinstance(given, dict) or not isinstance(output, dict) or not isinstance(output.get("cbor"), str):
        raise NotUnderstood("no example of a message")
    is_bad = file.get("fail") is True or "-fail" in path.stem
    kind = next((name for name in _KINDS if name in given), None)
    facts = {_KINDS[kind] if kind else "of another kind"}
    about = _members(given, kind or "")
    protected, key = _members(about, "protected"), about.get("key")
    try:
        data = bytes.fromhex(output["cbor"])
        aad = bytes.fromhex(about.get("external") or "")
    except (ValueError, TypeError) as error:
        raise NotUnderstood("not hexadecimal") from error
    if "alg" not in protected or _members(file, "failures").get("ChangeProtected"):
        facts.add("alg outside the protected header")
    named = {*protected, *_members(about, "unprotected")}
    if named.isdisjoint({"kid", "kid_hex"}):
        facts.add("without a key id")
    alg = str(protected.get("alg") or about.get("alg"))
    facts |= {f"alg {alg}"} if alg in _OURS else {f"alg {alg}", "another algorithm than ours"}
    if alg in _OURS and _members(about, "key").get("crv") not in _OURS[alg]:
        facts.add("a key on another curve than its algorithm's")
    return Result(id_, ("invalid",) if is_bad else ("valid",), _judge(data, aad, key), frozenset(facts | _of(data)))


def _members(found: Any, name: str) -> dict[str, Any]:
    """Return an object within an object, or none of its members where it is none."""
    inner = found.get(name) if isinstance(found, dict) else None
    return inner if isinstance(inner, dict) else {}


def _of(data: bytes) -> set[str]:
    """Return what another reader of CBOR sees in a message: which kind its tag says, and whether its payload is there.

    Tags by RFC 9052 §2, table 1.
    """
    try:
        message = cbor2.loads(data)
        tag = 0
        while isinstance(message, cbor2.CBORTag):
            tag, message = message.tag, message.value
    except (ValueError, cbor2.CBORError):
        return {"not CBOR"}
    facts = {_TAGS[tag]} if tag in _TAGS else set[str]()
    if isinstance(message, list | tuple) and len(message) == 4 and message[2] is None:
        facts.add("a detached payload")
    return facts


def _judge(data: bytes, aad: bytes, key: Any) -> str:
    try:
        message = tolerant_cose.decode_sign1(data)
    except CoseInvalid as error:
        return f"invalid: {error}"
    try:
        spki = spki_of_jwk(_plain(key))
        trusted = build_key(alg := algorithm_of(spki, rsa_as="PS256"), spki)
    except (NotUnderstood, AlgorithmUnavailable, ValueError):
        return "invalid: no key of ours"
    if message.alg != alg:
        return "invalid: another algorithm than the key's"
    context, protected, _, payload = cbor2.loads(message.signed)  # our families have no external_aad; examples may
    signed = cbor2.dumps([context, protected, aad, payload]) if aad else message.signed
    return "valid" if trusted.verify(message.signature, signed) else "invalid"


def _plain(key: Any) -> dict[str, Any]:
    """Return a key whose numbers are in base64url; the examples also write them in hexadecimal."""
    if not isinstance(key, dict):
        raise NotUnderstood("no key")
    found = dict(key)
    for name in ("x", "y", "n", "e"):
        if f"{name}_hex" in key:
            found[name] = base64.urlsafe_b64encode(bytes.fromhex(key[f"{name}_hex"])).decode("ascii")
    return found
