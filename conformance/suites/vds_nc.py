"""ICAO visible digital seals for non-constrained media, from a reader of the Australian passport office.

A file asserts by its name: one that says invalid, non, tampered … must be refused, all others verified. The suite
brings no authority's certificate, so each file's own embedded signer is pinned, as a site would pin a signer it trusts;
certificates that lie in the folder are pinned beside it.
"""

import re
from pathlib import Path
from typing import Any

from conformance.command import Line, Runner, say
from conformance.material import (
    Entry,
    NotUnderstood,
    certificate_entry,
    der_of,
    files,
    from_base64url,
    is_taken,
    read_json,
    read_text,
    trust_list,
)
from conformance.result import Findings, Result

NAME, FOLDER = "vds-nc", "vds-nc"
NOW = "2022-06-01T00:00:00Z"  # within the life of the signers the suite shows
_BAD = re.compile(r"invalid|tamper|bad|wrong|expired|^non|fail|revoked", re.IGNORECASE)
_CERTIFICATES = {".pem", ".cer", ".crt", ".der"}


def run(folder: Path, runner: Runner) -> Findings:
    """Judge every file, each with its own trust list."""
    results, not_taken = list[Result](), list[tuple[Path, str]]()
    pinned = list[bytes]()
    for path in files(folder):
        if path.suffix in _CERTIFICATES:
            try:
                pinned.append(der_of(read_text(path)) if b"-----" in path.read_bytes() else path.read_bytes())
            except NotUnderstood as error:
                not_taken.append((path, str(error)))
    for path in files(folder):
        id_ = path.relative_to(folder).as_posix()
        expected = ("refused",) if _BAD.search(path.stem) else ("verified",)
        if path.suffix in _CERTIFICATES:
            continue
        if path.suffix in {".png", ".jpg", ".jpeg"}:
            line = Line(id_, None, path, NOW)
            entries = _entries({}, pinned)
        elif path.suffix in {".json", ".txt"} and not path.name.startswith("LICENSE"):
            try:
                line, entries = Line(id_, read_text(path).strip(), None, NOW), _entries(read_json(path), pinned)
            except NotUnderstood as error:
                not_taken.append((path, str(error)))
                continue
        else:
            not_taken.append((path, f"a {path.suffix or 'nameless'} file"))
            continue
        results.append(Result(id_, expected, say(runner.verify([line], trust_list(entries))[id_])))
    return Findings(results, not_taken)


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
