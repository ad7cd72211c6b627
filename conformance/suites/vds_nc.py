"""ICAO visible digital seals for non-constrained media, from a reader of the Australian passport office.

A file asserts by its name: one that says invalid, non, tampered … must be refused, all others verified. The suite
brings no authority's certificate, so each file's own embedded signer is pinned, as a site would pin a signer it trusts;
certificates that lie in the folder are pinned beside it. It says no clock either: it is NOW, or a day after a signer
began who was not valid then.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.adapters.keys.verification import read_certificate
from agent.core.trust_list import CertificateRefused
from conformance.command import Line, Runner, say
from conformance.material import (
    Entry,
    NotUnderstood,
    certificate_entry,
    der_of,
    files,
    from_base64url,
    is_named_bad,
    is_taken,
    read_json,
    read_text,
    trust_list,
)
from conformance.result import Findings, Result

NAME, FOLDER = "vds-nc", "vds-nc"
NOW = "2022-06-01T00:00:00Z"  # within the life of the signers the suite shows
_CERTIFICATES = {".pem", ".cer", ".crt", ".der"}
_DAY_S = 86_400


def run(folder: Path, runner: Runner) -> Findings:
    """Judge every file, each with its own trust list."""
    results, not_taken = list[Result](), list[tuple[Path, str]]()
    pinned = list[bytes]()
    for path in files(folder):
        if path.suffix.lower() in _CERTIFICATES:
            try:
                pinned.append(der_of(read_text(path)) if b"-----" in path.read_bytes() else path.read_bytes())
            except NotUnderstood as error:
                not_taken.append((path, str(error)))
    for path in files(folder):
        id_ = path.relative_to(folder).as_posix()
        expected = ("refused",) if is_named_bad(path.relative_to(folder)) else ("verified",)
        suffix, facts = path.suffix.lower(), frozenset[str]()
        if suffix in _CERTIFICATES:
            continue
        if suffix in {".png", ".jpg", ".jpeg"}:
            seal = _seen(path, runner)
            line, entries, facts = Line(id_, None, path, _now(seal)), _entries(seal, pinned), _facts(seal)
        elif suffix in {".json", ".txt"}:
            try:
                text, seal = read_text(path).removeprefix("\ufeff").strip(), read_json(path)
                line, entries, facts = Line(id_, text, None, _now(seal)), _entries(seal, pinned), _facts(seal)
            except NotUnderstood as error:
                not_taken.append((path, str(error)))
                continue
        else:
            not_taken.append((path, f"a {path.suffix or 'nameless'} file"))
            continue
        results.append(Result(id_, expected, say(runner.verify([line], trust_list(entries))[id_]), facts))
    return Findings(results, not_taken)


def _seen(path: Path, runner: Runner) -> Any:
    """Return the seal that a picture holds, or None."""
    for reading in runner.read([path]):
        for data, _ in reading.codes:
            try:
                return json.loads(data)
            except (ValueError, RecursionError):
                continue
    return None


def _now(seal: Any) -> int | str:
    """Return a moment at which the seal's own signer is valid: NOW where it is."""
    try:
        signer = read_certificate(from_base64url(seal["sig"]["cer"]))
    except (KeyError, TypeError, AttributeError, NotUnderstood, CertificateRefused):
        return NOW
    is_valid = signer.not_before_s <= datetime.fromisoformat(NOW).timestamp() <= signer.not_after_s
    return NOW if is_valid else max(0, min(signer.not_before_s + _DAY_S, signer.not_after_s))


def _facts(seal: Any) -> frozenset[str]:
    """Return what a rule may explain by."""
    try:
        alg = seal["sig"]["alg"]
    except (KeyError, TypeError):
        return frozenset()
    return frozenset({"ES384 or ES512"} if alg in ("ES384", "ES512") else ())


def _entries(seal: Any, pinned: list[bytes]) -> list[Entry]:
    """Return what to trust for one seal: its own signer, and the certificates of the folder under its issuer's name."""
    try:
        issuer, signer = str(seal["data"]["hdr"]["is"]), from_base64url(seal["sig"]["cer"])
    except (KeyError, TypeError, AttributeError, NotUnderstood):
        return []
    entries = {entry["kid"]: entry for der in (signer, *pinned) if (entry := _entry(issuer, der))}
    return [entry for entry in entries.values() if is_taken(entry)]


def _entry(issuer: str, der: bytes) -> Entry:
    return certificate_entry("vds-nc", issuer, der, rsa_as="RS256")
