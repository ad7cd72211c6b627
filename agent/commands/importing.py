"""`scanward trust import`: public trust lists into an unsigned trust-list.json, for whoever keeps a terminal's list.

The law: every entry is taken or named as refused; a file that cannot be read, or of which nothing is taken, changes
nothing. Exit status: 0 when something was taken, 1 when nothing was or the report could not be written, 2 for usage.
Publishing is the platform's work.
"""

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from agent.adapters.clock import SystemClock
from agent.adapters.keys.verification import build_key, read_certificate
from agent.adapters.trust_store.bundle import sync_directory
from agent.commands.laboratory import InputUnreadable, read_file
from agent.core.legible import legible
from agent.core.public_lists import dcc, did, eu_revocation, pem, smart
from agent.core.public_lists.combining import Combined, combine, read_existing
from agent.core.public_lists.intake import LIST_BYTES_MAX, Choices, Intake, ListUnreadable
from agent.core.revocation import REVOKED_BYTES_MAX, REVOKED_PREFIX_BYTES, RevocationsInvalid, parse_revoked
from agent.core.trust_entries import parse_trust_list
from agent.core.trust_list import TRUST_LIST_BYTES_MAX, TrustListInvalid, VerificationKey

REFUSED_SHOWN_MAX = 50
KEY_FILE_BYTES_MAX = 65_536
_MARKS = (
    (b'"scanward-trust-list-1"', "none: it is a trust list already, see --into"),
    (b'"issuerInfo"', "vci"),
    (b'"verificationMethod"', "did"),
    (b'"certificates"', "dcc"),
    (b'"certificatesDCC"', "dcc"),
    (b'"dsc_trust_list"', "dcc"),
    (b'"hashType"', "eu-revocation"),
    (b'"keys"', "jwks"),
    (b"-----BEGIN ", "pem"),
)
"""What a file has in it -> its format, for a message; the first that is there."""
NOT_CHECKED = "the list's own signature was not checked: you answer for where the file came from"


class UsageWrong(Exception):
    """The options do not fit together; the message says how."""


class NothingTaken(Exception):
    """Not one entry could be taken."""


def run(args: argparse.Namespace) -> int:
    """Import, write, report; return the exit status."""
    try:
        _require_fit(args)
        intake = _read(args)
        combined = _write(args, intake)
    except UsageWrong as error:
        print(f"scanward: {error}", file=sys.stderr)
        return 2
    except NothingTaken as error:
        print(f"scanward: {error}", file=sys.stderr)
        return 1
    except (InputUnreadable, ListUnreadable, TrustListInvalid, RevocationsInvalid, OSError) as error:
        print(f"scanward: {error}; nothing was written", file=sys.stderr)
        return 1
    status = 0
    try:
        _write_report(args, intake, combined)
    except OSError as error:
        print(f"scanward: {args.report}: {error.strerror}: the report was not written, all else was", file=sys.stderr)
        status = 1
    _tell(args, intake, combined)
    return status


def _require_fit(args: argparse.Namespace) -> None:
    is_revocation = args.format == "eu-revocation"
    if is_revocation and (args.out_revoked is None or args.out is not None or args.into is not None):
        raise UsageWrong("eu-revocation makes entries for revoked.bin: give --out-revoked FILE, not --out or --into")
    if not is_revocation and (args.out is None or args.out_revoked is not None or args.into_revoked is not None):
        raise UsageWrong(f"{args.format} makes entries for trust-list.json: give --out FILE, not --out-revoked")
    if args.crl and args.format != "jwks":
        raise UsageWrong("--crl belongs to the format jwks")
    if args.family is not None and args.format != "pem":
        raise UsageWrong("--family belongs to the format pem; the other formats are of one family")
    if args.signed_by is not None and args.format != "dcc":
        raise UsageWrong("--signed-by belongs to the format dcc: Germany's and Sweden's lists carry a signature")


def _read(args: argparse.Namespace) -> Intake:
    """Read every file of the list. Raises ListUnreadable, InputUnreadable, NothingTaken."""
    named = [name for name in (args.format, args.family, args.issuer) if name is not None]
    choices = Choices(
        source=args.source or ":".join(named),
        now_s=SystemClock().now().now.earliest_ms // 1000,
        list_key=_list_key(args.signed_by) if args.signed_by is not None else None,
        family=args.family,
        issuer=args.issuer,
        keep_expired=args.keep_expired,
        takes_older_lists=args.older_lists,
        domains=frozenset(args.domain or ["DCC"]),
    )
    intake = Intake(choices, build_key, read_certificate)
    for path in args.source_files:
        try:
            _read_file(args, path, intake)
        except ListUnreadable as error:
            raise ListUnreadable(f"{path}: {error}{_hint(args, path)}") from error
    if choices.list_key is not None and not intake.is_signature_checked:
        raise ListUnreadable("the list carries no signature that --signed-by could check")
    return intake


def _read_file(args: argparse.Namespace, path: Path, intake: Intake) -> None:
    data = read_file(path, LIST_BYTES_MAX)
    match args.format:
        case "dcc":
            dcc.read(data, intake)
        case "did":
            did.read(data, intake)
        case "vci":
            smart.read_directory(data, intake)
        case "jwks":
            smart.read_keys(data, intake, [(str(crl), read_file(crl, LIST_BYTES_MAX)) for crl in args.crl or []])
        case "pem":
            pem.read(data, intake)
        case "eu-revocation":
            eu_revocation.read(data, intake)


def _hint(args: argparse.Namespace, path: Path) -> str:
    """Return which format a file seems to have, where that is another than was said."""
    head = read_file(path, LIST_BYTES_MAX)
    seems = next((name for mark, name in _MARKS if mark in head), None)
    return f"; it looks like --format {seems}" if seems not in (None, args.format) else ""


def _list_key(path: Path) -> VerificationKey:
    """Return the ES256 key of whoever signs a list, from a certificate or a public key. Raises InputUnreadable."""
    try:
        label, der = pem.first_block(read_file(path, KEY_FILE_BYTES_MAX))
        return read_certificate(der).key("ES256") if label == "CERTIFICATE" else build_key("ES256", der)
    except (ValueError, ListUnreadable) as error:
        raise InputUnreadable(f"{path}: {error}") from error


def _write(args: argparse.Namespace, intake: Intake) -> Combined | None:
    """Write the trust list or the revocations, once it is known that a terminal can read them."""
    if args.format == "eu-revocation":
        _write_revoked(args, intake)
        return None
    existing = _existing(args.into) if args.into is not None else {}
    combined = combine(existing, intake)
    _require_taken(args, intake, args.out)
    data = (json.dumps(combined.value, ensure_ascii=False, indent=1) + "\n").encode()
    if len(data) > TRUST_LIST_BYTES_MAX:
        raise ListUnreadable(
            f"the trust list would have {len(data)} bytes, and terminals read at most {TRUST_LIST_BYTES_MAX}: "
            "import fewer issuers or domains"
        )
    parse_trust_list(data, build_key, read_certificate)
    _write_file(args.out, data)
    return combined


def _existing(path: Path) -> dict[str, Any]:
    """Return the list that the import goes into. Raises ListUnreadable, InputUnreadable."""
    try:
        return read_existing(read_file(path, TRUST_LIST_BYTES_MAX))
    except ListUnreadable as error:
        raise ListUnreadable(f"{path}: {error}") from error


def _write_revoked(args: argparse.Namespace, intake: Intake) -> None:
    """Write revoked.bin: what was there, and what the batches revoke."""
    _require_taken(args, intake, args.out_revoked)
    before = read_file(args.into_revoked, REVOKED_BYTES_MAX) if args.into_revoked is not None else b""
    parse_revoked(before)
    entries = {before[at : at + REVOKED_PREFIX_BYTES] for at in range(0, len(before), REVOKED_PREFIX_BYTES)}
    data = b"".join(sorted(entries | intake.revoked))
    parse_revoked(data)
    _write_file(args.out_revoked, data)


def _require_taken(args: argparse.Namespace, intake: Intake, out: Path) -> None:
    if not intake.accepted:
        _write_report(args, intake, None)
        _tell(args, intake, None)
        raise NothingTaken(f"nothing could be taken, so {out} was not written")


def _write_file(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, to stay over a power cut."""
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".new")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(beside).chmod(0o644)
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def _tell(args: argparse.Namespace, intake: Intake, combined: Combined | None) -> None:
    report = _report(args, intake, combined)
    if args.json:
        print(json.dumps(report, ensure_ascii=False, indent=1))
        return
    parts = [f"{count} {family}" for family, count in sorted(report["families"].items())]
    parts += [f"{len(intake.revocations)} revocation lists"] if intake.revocations else []
    parts += [f"{len(intake.revoked)} revoked"] if intake.revoked else []
    taken = f"{intake.accepted} taken ({', '.join(parts)})" if parts else "nothing taken"
    print(f"{intake.choices.source}: {taken}, {len(intake.refused)} refused")
    if combined is not None and (combined.replaced or combined.removed):
        print(f"{combined.replaced} were there before, {combined.removed} are no longer in the list and were taken out")
    for reason, count in sorted(Counter(remark.reason for remark in intake.remarks).items()):
        print(f"  {count} taken with a remark: {reason}")
    for one in intake.refused[:REFUSED_SHOWN_MAX]:
        named = " ".join(name for name in (one.issuer, one.kid) if name)
        print("  " + legible(f"refused {one.place} {named}: {one.reason}{': ' + one.detail if one.detail else ''}"))
    if len(intake.refused) > REFUSED_SHOWN_MAX:
        print(f"  and {len(intake.refused) - REFUSED_SHOWN_MAX} more: see --report FILE or --json")
    if not intake.is_signature_checked:
        print(NOT_CHECKED)


def _write_report(args: argparse.Namespace, intake: Intake, combined: Combined | None) -> None:
    if args.report is not None:
        report = _report(args, intake, combined)
        _write_file(args.report, (json.dumps(report, ensure_ascii=False, indent=1) + "\n").encode())


def _report(args: argparse.Namespace, intake: Intake, combined: Combined | None) -> dict[str, Any]:
    return {
        "format": args.format,
        "source": intake.choices.source,
        "accepted": intake.accepted,
        "families": dict(Counter(entry["family"] for entry in intake.entries)),
        "revocation_lists": len(intake.revocations),
        "revoked": len(intake.revoked),
        "replaced": combined.replaced if combined is not None else 0,
        "removed": combined.removed if combined is not None else 0,
        "list_signature": "checked" if intake.is_signature_checked else "not checked",
        "reasons": dict(Counter(one.reason for one in intake.refused)),
        "refused": [one.as_json() for one in intake.refused],
        "remarks": [one.as_json() for one in intake.remarks],
    }
