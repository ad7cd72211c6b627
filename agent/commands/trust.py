"""`scanward trust`: show the trust list on this terminal, refresh it (the agent does so by itself), import others."""

import argparse
import json
import signal
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from agent.adapters.clock import SystemClock
from agent.adapters.keys.verification import build_key, read_certificate
from agent.adapters.trust_store.bundle import (
    BundleInvalid,
    Content,
    Manifest,
    current_bundle,
    parse_content,
    read_files,
    read_manifest,
)
from agent.adapters.trust_store.report import encode_report
from agent.commands.screen import legible
from agent.core.steps import Step
from agent.core.time_interval import Interval
from agent.core.trust_list import Trust, TrustedKey
from agent.ports import TrustFloor, TrustTrouble

if TYPE_CHECKING:
    from agent.config import Config

LATEST_MS_MAX = 253_402_300_799_999  # the end of the year 9999
KEYS_SHOWN_MAX = 1_000
SET_ASIDE_SHOWN_MAX = 20
TIME_WANTED = "a time of the form EARLIEST,LATEST in milliseconds; LATEST may be empty"
ISSUER_CHARACTERS_SHOWN = 40  # in line with the others; longer ones are shown whole
IMPORT_FORMATS = ("dcc", "did", "vci", "jwks", "pem", "eu-revocation")
TRUST_FOLDER = "trust"  # in the state directory, as agent/app.py has it
T = TypeVar("T")


class TrustUnreadable(Exception):
    """There is no trust list to show; the message is one line for a person."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    show = actions.add_parser("show", help="show what this terminal trusts; asks no network")
    where = show.add_mutually_exclusive_group(required=True)
    where.add_argument("--config", type=Path, metavar="FILE", help="the configuration, for its state directory")
    where.add_argument("--state", type=Path, metavar="DIR", help="the state directory, or the folder trust in it")
    show.add_argument(
        "--now",
        type=_argument(interval, TIME_WANTED),
        metavar="EARLIEST,LATEST",
        help="judge at this time (ms), not the clock's",
    )
    show.add_argument("--json", action="store_true", help="for programs")
    refresh = actions.add_parser("refresh", help="fetch, verify and publish the newest trust list; prints JSON")
    refresh.add_argument("--state", type=Path, required=True, metavar="DIR", help="the trust store's folder")
    refresh.add_argument("--url", required=True, help="of the TUF repository: metadata/ and targets/ lie below it")
    refresh.add_argument("--root", type=Path, required=True, metavar="FILE", help="the installed TUF root")
    refresh.add_argument("--ca", metavar="FILE", help="certificates of a private authority for https")
    refresh.add_argument(
        "--now",
        type=_argument(interval, TIME_WANTED),
        required=True,
        metavar="EARLIEST,LATEST",
        help="the time (ms); LATEST may be empty",
    )
    version = _argument(version_number, "a version number")
    refresh.add_argument("--floor", type=version, required=True, metavar="N", help="refuse a timestamp below this")
    refresh.add_argument("--root-floor", type=version, default=0, metavar="N", help="refuse a root below this")
    refresh.add_argument("--offline", action="store_true", help="verify what is on this terminal, without any network")
    refresh.add_argument("--timeout", type=float, default=120.0, metavar="SECONDS", help="give up after this long")
    _add_import(actions.add_parser("import", help="read a public trust list into an unsigned trust-list.json"))


def _add_import(parser: argparse.ArgumentParser) -> None:
    """Declare what importing.py does, without loading it: the refresher does not pay for it."""
    add = parser.add_argument
    add("--from", dest="source_files", type=Path, nargs="+", required=True, metavar="FILE", help="the list, as fetched")
    add("--format", required=True, choices=IMPORT_FORMATS, help="what the list is (docs/trust.md)")
    add("--out", type=Path, metavar="FILE", help="the trust-list.json to write")
    add("--into", type=Path, metavar="FILE", help="a trust-list.json whose other entries stay; may be that of --out")
    add("--issuer", metavar="NAME", help="whose keys these are, where the list does not say")
    add("--family", choices=("hcert", "aadhaar", "vds-nc"), help="what the keys of a pem file are for")
    add("--crl", type=Path, nargs="+", metavar="FILE", help="jwks: the issuer's card revocation lists")
    add("--domain", action="append", metavar="NAME", help="did: a trust domain to take, again for more (DCC)")
    add("--signed-by", type=Path, metavar="FILE", help="dcc: check the list's signature with this certificate or key")
    add("--keep-expired", action="store_true", help="take hcert signers that ended over 30 days ago")
    add("--older-lists", action="store_true", help="take lists of revoked cards older than those already there")
    add("--source", metavar="NAME", help="replace the entries of this name (made from format, family and issuer)")
    add("--out-revoked", type=Path, metavar="FILE", help="eu-revocation: the revoked.bin to write")
    add("--into-revoked", type=Path, metavar="FILE", help="eu-revocation: a revoked.bin whose entries stay")
    add("--report", type=Path, metavar="FILE", help="write what was taken and why the rest was refused, as JSON")
    add("--json", action="store_true", help="print that report")


def _argument(read: Callable[[str], T], wanted: str) -> Callable[[str], T]:
    """Return `read` as an argument's type that says what is wanted."""

    def read_or_say(text: str) -> T:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}") from error

    return read_or_say


def interval(text: str) -> Interval:
    """Read EARLIEST,LATEST in milliseconds since 1970; an empty LATEST is unbounded. Raises ValueError."""
    earliest, separator, latest = text.partition(",")
    if not separator:
        raise ValueError(text)
    now = Interval(int(earliest), int(latest) if latest else None)
    if not 0 <= now.earliest_ms <= LATEST_MS_MAX:
        raise ValueError(text)
    return now


def version_number(text: str) -> int:
    """Read a version number. Raises ValueError."""
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


def run(args: argparse.Namespace) -> int:
    """Do one action; return 0 if that worked."""
    if args.action == "import":
        from agent.commands import importing  # noqa: PLC0415  # the refresher has no use for it

        return importing.run(args)
    return _show(args) if args.action == "show" else _refresh(args)


def _refresh(args: argparse.Namespace) -> int:
    from agent.adapters.trust_store.refresher import OutOfTime, Source, refresh  # noqa: PLC0415 (tuf takes its time)

    def check(files: Mapping[str, bytes]) -> int:
        trust_list = parse_content(files, build_key, read_certificate).trust_list
        if aside := len(trust_list.set_aside):
            print(
                f"scanward: trust list {trust_list.version}: {aside} keys are set aside: see trust show",
                file=sys.stderr,
            )
        return trust_list.version

    def out_of_time(_signal: int, _frame: object) -> None:
        raise OutOfTime

    try:
        source = Source(args.root.read_bytes(), None if args.offline else args.url, args.ca)
    except OSError as error:
        print(f"scanward: {args.root}: {error.strerror}", file=sys.stderr)
        trouble = TrustTrouble("root-invalid", f"the installed root cannot be read: {error.strerror}")
        print(encode_report(trouble).decode(), flush=True)
        return 2
    floor = TrustFloor(timestamp_version=args.floor, root_version=args.root_floor)
    signal.signal(signal.SIGALRM, out_of_time)
    signal.setitimer(signal.ITIMER_REAL, args.timeout, 1.0)  # again, should a destructor have swallowed the first
    try:
        result = refresh(args.state, source, args.now, floor, check)
        signal.setitimer(signal.ITIMER_REAL, 0)
    except OutOfTime:
        signal.setitimer(signal.ITIMER_REAL, 0)
        result = TrustTrouble("slow", f"not done within {args.timeout:g} s")
    print(encode_report(result).decode(), flush=True)
    return 1 if isinstance(result, TrustTrouble) else 0


def _show(args: argparse.Namespace) -> int:
    try:
        bundle, manifest, content = read_current(args.state) if args.state else read_configured(args.config)[1]
    except TrustUnreadable as error:
        print(f"scanward: {error}", file=sys.stderr)
        return 1
    now = args.now or SystemClock().now().now
    shown = _shown(bundle, manifest, content, now)
    if args.json:
        print(json.dumps(shown, ensure_ascii=False, indent=1))
    else:
        _print(shown, content)
    return 0


def read_current(state: Path) -> tuple[Path, Manifest, Content]:
    """Return the current bundle of a terminal by its state directory, or by the folder trust. Raises TrustUnreadable.

    The files are checked against the manifest; the signatures were the refresher's to check.
    """
    folders = [folder for folder in (state, state / TRUST_FOLDER) if current_bundle(folder) is not None]
    if len(folders) > 1:
        raise TrustUnreadable(f"{state}: holds a trust list, and its folder trust another: name the folder you mean")
    bundle = current_bundle(folders[0]) if folders else None
    if bundle is None:
        raise TrustUnreadable(f"{state}: {_why_none(state)}")
    try:
        manifest, _ = read_manifest(bundle)
        return bundle, manifest, parse_content(read_files(bundle, manifest), build_key, read_certificate)
    except BundleInvalid as error:
        raise TrustUnreadable(f"{state}: {error.reason}: {error}") from error


def read_configured(path: Path) -> "tuple[Config, tuple[Path, Manifest, Content]]":
    """Return a configuration and the current bundle of its terminal. Raises TrustUnreadable."""
    # The refresher, which the agent starts again and again, does not pay for reading configurations.
    from agent.config import ConfigInvalid, load  # noqa: PLC0415

    try:
        config = load(path)
    except ConfigInvalid as error:
        raise TrustUnreadable(str(error)) from error
    return config, read_current(config.state_directory / TRUST_FOLDER)


def _why_none(state: Path) -> str:
    try:
        next(state.iterdir(), None)
    except OSError as error:
        return f"no trust list can be read there ({error.strerror}): is this the state directory, and may you read it?"
    return "no trust list on this terminal yet"


def _shown(bundle: Path, manifest: Manifest, content: Content, now: Interval) -> dict[str, object]:
    trust = Trust(content.trust_list, content.policy, content.revoked, manifest.expires_at_ms)
    return {
        "bundle": bundle.name,
        "version": content.trust_list.version,
        "issued_at": _utc(content.trust_list.issued_at_s),
        "age_s": trust.age_s(now),
        "expires_at": _utc(manifest.expires_at_ms // 1000),
        "freshness": trust.freshness(now).value,
        "root_version": manifest.root_version,
        "timestamp_version": manifest.timestamp_version,
        "verified_at": _utc(manifest.verified.earliest_ms // 1000),
        "keys": [_key(key) for key in content.trust_list.keys[:KEYS_SHOWN_MAX]],
        "keys_total": len(content.trust_list.keys),
        "families": dict(sorted(Counter(key.family for key in content.trust_list.keys).items())),
        "set_aside": list(content.trust_list.set_aside[:KEYS_SHOWN_MAX]),
        "set_aside_total": len(content.trust_list.set_aside),
        "revoked": len(content.revoked),
        "card_revocation_lists": len(content.trust_list.rid_lists),
        "card_revocation_lists_malformed": _malformed(content),
        "policy_version": content.policy.version,
        "steps": {name: _step(step) for name, step in content.policy.steps.items()},
    }


def _key(key: TrustedKey) -> dict[str, object]:
    return {
        "family": key.family,
        "issuer": key.issuer,
        "kid": key.key_id.hex(),
        "alg": key.alg,
        "usage": sorted(key.usage),
        "not_before": _utc(key.not_before_s),
        "not_after": _utc(key.not_after_s),
    }


def _step(step: Step) -> dict[str, object]:
    return {
        "verified": sorted(step.verified),
        "provisional": sorted(step.provisional),
        "checked": sorted(step.checked),
        "confirm": step.confirm,
    }


def _print(shown: dict[str, object], content: Content) -> None:
    print(f"trust list {shown['version']}, issued {shown['issued_at']} ({shown['age_s']} s ago at least)")
    print(f"{shown['freshness']}; the signed metadata expires {shown['expires_at']}")
    print(f"root {shown['root_version']}, timestamp {shown['timestamp_version']}, verified {shown['verified_at']}")
    print(f"{shown['revoked']} revoked; card revocation lists: {_lists(content)}; {shown['keys_total']} keys:")
    keys = content.trust_list.keys[:KEYS_SHOWN_MAX]
    for family, count in sorted(Counter(key.family for key in content.trust_list.keys).items()):
        print(f"  {count} {family}")
    width = max((min(len(key.issuer), ISSUER_CHARACTERS_SHOWN) for key in keys), default=0)
    for key in keys:
        validity = f"{_utc(key.not_before_s)} to {_utc(key.not_after_s)}"
        usage = ",".join(sorted(key.usage))
        issuer = legible(key.issuer)
        print(f"  {key.family:<8}  {issuer:<{width}}  {key.key_id.hex():<16}  {key.alg:<6}  {usage:<16}  {validity}")
    if len(content.trust_list.keys) > KEYS_SHOWN_MAX:
        print(f"  and {len(content.trust_list.keys) - KEYS_SHOWN_MAX} more")
    if content.trust_list.set_aside:
        print(f"{len(content.trust_list.set_aside)} keys are set aside, codes that need them are refused:")
    for line in content.trust_list.set_aside[:SET_ASIDE_SHOWN_MAX]:
        print(f"  {legible(line)}")
    if len(content.trust_list.set_aside) > SET_ASIDE_SHOWN_MAX:
        print(f"  and {len(content.trust_list.set_aside) - SET_ASIDE_SHOWN_MAX} more: see --json")
    print(f"policy {shown['policy_version']}:")
    for name, step in content.policy.steps.items():
        parts = [f"verified {' '.join(sorted(step.verified)) or '-'}"]
        if step.provisional:
            parts.append(f"provisional {' '.join(sorted(step.provisional))}")
        if step.checked:
            parts.append(f"checked {' '.join(sorted(step.checked))}")
        if step.confirm:
            parts.append(f"confirmed by the {step.confirm}")
        print(f"  {name}: {'; '.join(parts)}")


def _lists(content: Content) -> str:
    """Say how many lists of revoked cards there are, and how many of them vouch for nothing."""
    total, malformed = len(content.trust_list.rid_lists), _malformed(content)
    return f"{total} ({malformed} malformed: all cards of those keys are refused)" if malformed else f"{total}"


def _malformed(content: Content) -> int:
    return sum(one.why_invalid is not None for one in content.trust_list.rid_lists)


def _utc(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
