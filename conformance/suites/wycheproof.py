"""Project Wycheproof: signatures made to trip verifiers, through our key classes and our JWS reader.

Judged by schema: a file of a schema that is not in _JUDGES is not taken. "acceptable" allows both answers.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from agent.adapters.keys import rsa
from agent.adapters.keys.verification import build_key
from agent.core.formats import jws
from agent.core.trust_list import AlgorithmUnavailable, VerificationKey
from conformance.command import Runner
from conformance.material import NotUnderstood, files, read_object, spki_of_jwk
from conformance.result import Findings, Result

NAME, FOLDER = "wycheproof", "wycheproof"
NO_KEY = "no key"
OURS = ("ES256", "EdDSA", "PS256", "RS256")
_EXPECTED = {"valid": ("valid",), "invalid": ("invalid", NO_KEY), "acceptable": ("valid", "invalid", NO_KEY)}
_EDWARDS = {"edwards25519": "EdDSA", "curve25519": "EdDSA", "Ed25519": "EdDSA"}

Group = Mapping[str, Any]
Test = Mapping[str, Any]
Judge = Callable[[Group], tuple[frozenset[str], Callable[[Test], str]]]
"""A group -> what is so of all its cases, and what we say of one."""


def run(folder: Path, runner: Runner) -> Findings:
    """Judge every case of every file."""
    results, not_taken = list[Result](), list[tuple[Path, str]]()
    for path in files(folder):
        try:
            results += _of_file(path)
        except NotUnderstood as error:
            not_taken.append((path, str(error)))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            not_taken.append((path, f"not laid out as its schema says: {error!r}"))
    return Findings(results, not_taken)


def _of_file(path: Path) -> list[Result]:
    file = read_object(path)
    schema = str(file.get("schema", "")).removesuffix(".json").removesuffix("_v1").removesuffix("_schema")
    judge = _JUDGES.get(schema)
    if judge is None:
        raise NotUnderstood(f"schema {file.get('schema')}")
    results = list[Result]()
    for group in file["testGroups"]:
        facts, say = judge(group)
        for test in group["tests"]:
            about = facts | {f"flag {flag}" for flag in test.get("flags", ())} | {str(test.get("comment"))}
            results.append(Result(f"{path.name}#{test['tcId']}", _EXPECTED[test["result"]], say(test), about))
    if not results:
        raise NotUnderstood("no cases in it")
    return results


def _signatures(alg: str, facts: frozenset[str], spki: bytes) -> tuple[frozenset[str], Callable[[Test], str]]:
    """Judge bare signatures with one key."""
    key = _key(alg, spki)

    def say(test: Test) -> str:
        if isinstance(key, str):
            return key
        return "valid" if key.verify(bytes.fromhex(test["sig"]), bytes.fromhex(test["msg"])) else "invalid"

    return facts | _about(alg), say


def _about(alg: str) -> frozenset[str]:
    return frozenset({f"alg {alg}"} if alg in OURS else {f"alg {alg}", "another algorithm than ours"})


def _bits(group: Group) -> frozenset[str]:
    bits = group.get("keySize")
    is_ours = isinstance(bits, int) and rsa.BITS_MIN <= bits <= rsa.BITS_MAX
    return frozenset() if is_ours else frozenset({f"an RSA key outside {rsa.BITS_MIN} to {rsa.BITS_MAX} bits"})


def _key(alg: str, spki: bytes) -> VerificationKey | str:
    try:
        return build_key(alg, spki)
    except (AlgorithmUnavailable, ValueError):
        return NO_KEY


def _spki(group: Group) -> bytes:
    return bytes.fromhex(group.get("publicKeyDer") or group["keyDer"])


def _ecdsa(group: Group) -> tuple[frozenset[str], Callable[[Test], str]]:
    curve = str((group.get("publicKey") or group.get("key") or {}).get("curve"))
    is_ours = (curve, group.get("sha")) == ("secp256r1", "SHA-256")
    form = "a signature in DER" if str(group.get("type")) == "EcdsaVerify" else "a signature r || s"
    alg = "ES256" if is_ours else f"ECDSA on {curve} with {group.get('sha')}"
    return _signatures(alg, frozenset({form}), _spki(group))


def _eddsa(group: Group) -> tuple[frozenset[str], Callable[[Test], str]]:
    curve = str((group.get("publicKey") or group.get("key") or {}).get("curve"))
    return _signatures(_EDWARDS.get(curve, f"EdDSA on {curve}"), frozenset(), _spki(group))


def _pss(group: Group) -> tuple[frozenset[str], Callable[[Test], str]]:
    salted = (group.get("sha"), group.get("mgf"), group.get("mgfSha"), group.get("sLen"))
    alg = "PS256" if salted == ("SHA-256", "MGF1", "SHA-256", 32) else f"PSS with {salted}"
    return _signatures(alg, _bits(group), _spki(group))


def _pkcs1(group: Group) -> tuple[frozenset[str], Callable[[Test], str]]:
    alg = "RS256" if group.get("sha") == "SHA-256" else f"PKCS #1 v1.5 with {group.get('sha')}"
    return _signatures(alg, _bits(group), _spki(group))


def _jws(group: Group) -> tuple[frozenset[str], Callable[[Test], str]]:
    """Verify as a family does: the key's own algorithm, which the header must name, over what was signed."""
    jwk = group.get("public") or {"kty": "oct"}
    alg = str(jwk.get("alg") or (group.get("private") or {}).get("alg") or "none named")
    key: VerificationKey | str = NO_KEY
    if jwk.get("use", "sig") == "sig" and "verify" in jwk.get("key_ops", ["verify"]):  # RFC 7517 §4.2, §4.3
        try:
            key = _key(alg, spki_of_jwk(jwk))
        except NotUnderstood:
            key = NO_KEY

    def say(test: Test) -> str:
        if isinstance(key, str):
            return key
        try:
            found = jws.decode(str(test["jws"]).encode())
        except jws.JwsInvalid as error:
            return f"invalid: {error}"
        if found.header.alg != alg:
            return f"invalid: {found.header.alg} in the header, the key is for {alg}"
        return "valid" if key.verify(found.signature, found.signed) else "invalid"

    return _about(alg), say


_JUDGES: dict[str, Judge] = {
    "ecdsa_p1363_verify": _ecdsa,
    "ecdsa_verify": _ecdsa,
    "eddsa_verify": _eddsa,
    "rsassa_pss_verify": _pss,
    "rsassa_pkcs1_verify": _pkcs1,
    "json_web_signature": _jws,
}
"""By schema, without its version."""
