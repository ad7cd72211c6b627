"""SM2 signatures (GB/T 32918.2), judged by the agent through libcrypto and by the platform with its own Python.

`sm2_verify.json`: cases of a key, a user id, a message and r || s. Files `.vec` as Botan keeps them: curve parameters
hold for the cases after them, a case ends with its signature and is valid.
"""

from pathlib import Path
from typing import Any

from agent.adapters.keys import sm2
from agent.core.trust_list import AlgorithmUnavailable
from conformance.command import Runner
from conformance.material import NotUnderstood, files, read_json, read_text
from conformance.result import Findings, Result
from platform_stub.wire.sm2 import NoSm2Key, Sm2PublicKey

NAME, FOLDER = "sm2", "sm2"
_HEAD = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004")  # GM/T 0006: the curve by name; a point
_CURVE_FIELDS = frozenset({"P", "A", "B", "xG", "yG", "Order", "Oid"})
_RECOMMENDED = "1.2.156.10197.1.301"
_Point = tuple[int, int] | None


def run(folder: Path, runner: Runner) -> Findings:
    """Judge every case by both programs."""
    results, not_taken = list[Result](), list[tuple[Path, str]]()
    for path in files(folder):
        try:
            read = {".json": _of_json, ".vec": _of_botan}.get(path.suffix)
            if read is None:
                raise NotUnderstood(f"a {path.suffix or 'nameless'} file")
            found = read(path)
            if not found:
                raise NotUnderstood("no cases in it")
            results += found
        except (NotUnderstood, KeyError, TypeError, ValueError) as error:
            not_taken.append((path, f"not cases of SM2 signatures: {error}"))
    return Findings(results, not_taken)


def _of_json(path: Path) -> list[Result]:
    results = list[Result]()
    for number, case in enumerate(_tests(path)):
        point, user_id, message, signature = (
            bytes.fromhex(case[name]) for name in ("public_key_xy", "user_id", "message", "signature_rs")
        )
        expected = ("valid",) if case["valid"] else ("invalid", "no key")
        id_, names = f"{path.name}#{number + 1}", frozenset({str(case.get("name"))})
        results.append(Result(id_, expected, _agent(point, user_id, message, signature), names))
        results.append(Result(f"{id_} platform", expected, _platform(point, user_id, message, signature), names))
    return results


def _tests(path: Path) -> list[dict[str, Any]]:
    found = read_json(path)
    tests = found.get("tests") if isinstance(found, dict) else None
    if not isinstance(tests, list):
        raise NotUnderstood("no tests in it")
    return tests


def _of_botan(path: Path) -> list[Result]:
    results, about, curve = list[Result](), dict[str, str](), dict[str, str]()
    for line in read_text(path).splitlines():
        name, mark, value = (part.strip() for part in line.partition("="))
        if mark and not name.startswith("#"):
            (curve if name in _CURVE_FIELDS else about)[name] = value
        if name == "Signature":
            case = curve | about
            facts = frozenset(
                {f"hash {case['Hash']}", "curve of SM2" if case["Oid"] == _RECOMMENDED else "another curve"}
            )
            message, signature = bytes.fromhex(case["Msg"]), bytes.fromhex(case["Signature"])
            got = _agent(_point(case), case["Ident"].encode(), message, signature)
            results.append(Result(f"{path.name}#{len(results) + 1}", ("valid",), got, facts))
    return results


def _point(case: dict[str, str]) -> bytes:
    """Return the private key's point on the case's own curve, by doubling and adding in plain coordinates."""
    p, a = int(case["P"], 16), int(case["A"], 16)

    def add(one: _Point, other: _Point) -> _Point:
        if one is None or other is None:
            return one or other
        if one == other:
            slope = (3 * one[0] ** 2 + a) * pow(2 * one[1], -1, p)
        else:
            slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, p)
        x = (slope**2 - one[0] - other[0]) % p
        return x, (slope * (one[0] - x) - one[1]) % p

    total: _Point = None
    point: _Point = (int(case["xG"], 16), int(case["yG"], 16))
    times = int(case["x"], 16)
    while times:
        total = add(total, point) if times & 1 else total
        point, times = add(point, point), times >> 1
    if total is None:
        raise NotUnderstood("a private key of zero")
    return total[0].to_bytes(32, "big") + total[1].to_bytes(32, "big")


def _agent(point: bytes, user_id: bytes, message: bytes, signature: bytes) -> str:
    try:
        key = sm2.load_key(_HEAD + point, user_id=user_id)
    except AlgorithmUnavailable as error:
        return f"this machine cannot: {error}"
    except ValueError:
        return "no key"
    return "valid" if key.verify(signature, message) else "invalid"


def _platform(point: bytes, user_id: bytes, message: bytes, signature: bytes) -> str:
    try:
        key = Sm2PublicKey((int.from_bytes(point[:32], "big"), int.from_bytes(point[32:], "big")))
    except NoSm2Key:
        return "no key"
    return "valid" if key.verify(signature, message, user_id) else "invalid"
