"""Aadhaar secure QR codes signed with a test key: every code of the folder verifies with its public keys.

A file asserts by its name: one that says invalid, tampered, wrong … must be refused, all others verified. The keys are
every PEM file there, without the dates of its certificate: the suite says that they verify, not when.
"""

import hashlib
import re
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

from conformance.command import Line, Runner, say
from conformance.material import Entry, NotUnderstood, files, is_named_bad, read_text, spki_entry, trust_list
from conformance.result import Findings, Result

NAME, FOLDER = "aadhaar", "aadhaar"
NOW = "2024-09-01T00:00:00Z"  # after every code of the suite was made
_CODE = re.compile(r"(?<![0-9])[0-9]{500,7089}(?![0-9])")  # the most digits a QR code holds


def run(folder: Path, runner: Runner) -> Findings:
    """Judge every long number of every text file."""
    lines, expected, entries = list[Line](), dict[str, tuple[str, ...]](), dict[str, Entry]()
    not_taken = list[tuple[Path, str]]()
    for path in files(folder):
        id_ = path.relative_to(folder).as_posix()
        must = ("refused",) if is_named_bad(path.relative_to(folder)) else ("verified",)
        try:
            if path.suffix.lower() in {".pem", ".crt", ".cer"}:
                entry = _entry(path)
                entries[entry["kid"]] = entry
                continue
            if path.suffix.lower() in {".png", ".jpg", ".jpeg"}:
                found = [Line(id_, None, path, NOW)]
            else:
                codes = _CODE.findall(read_text(path))
                found = [
                    Line(id_ if len(codes) == 1 else f"{id_}#{n}", code, None, NOW) for n, code in enumerate(codes)
                ]
        except NotUnderstood as error:
            not_taken.append((path, str(error)))
            continue
        if not found:
            not_taken.append((path, "no number of a code's length in it"))
        lines += found
        expected |= {line.id: must for line in found}
    answers = runner.verify(lines, trust_list(entries.values()))
    return Findings([Result(line.id, expected[line.id], say(answers[line.id])) for line in lines], not_taken)


def _entry(path: Path) -> Entry:
    data = path.read_bytes()
    try:
        key = load_pem_x509_certificate(data).public_key() if b"CERTIFICATE" in data else load_pem_public_key(data)
        spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except ValueError as error:
        raise NotUnderstood("neither a public key nor a certificate") from error
    return spki_entry("aadhaar", "UIDAI", hashlib.sha256(spki).digest()[:8], "RS256", spki)
