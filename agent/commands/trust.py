"""`scanward trust`: show the trust list on this terminal, or refresh it (the agent does so by itself)."""

import argparse
import json
import signal
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from agent.adapters.clock import SystemClock
from agent.adapters.keys.verification import build_key
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
from agent.core.steps import Step
from agent.core.time_interval import Interval
from agent.core.trust_list import Trust, TrustedKey
from agent.ports import TrustFloor, TrustTrouble

LATEST_MS_MAX = 253_402_300_799_999  # the end of the year 9999
KEYS_SHOWN_MAX = 1_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the two actions and their options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    show = actions.add_parser("show", help="show what this terminal trusts; asks no network")
    show.add_argument("--state", type=Path, required=True, metavar="DIR", help="the trust store's folder")
    show.add_argument(
        "--now", type=interval, metavar="EARLIEST,LATEST", help="judge at this time (ms), not the clock's"
    )
    show.add_argument("--json", action="store_true", help="for programs")
    refresh = actions.add_parser("refresh", help="fetch, verify and publish the newest trust list; prints JSON")
    refresh.add_argument("--state", type=Path, required=True, metavar="DIR", help="the trust store's folder")
    refresh.add_argument("--url", required=True, help="of the TUF repository: metadata/ and targets/ lie below it")
    refresh.add_argument("--root", type=Path, required=True, metavar="FILE", help="the installed TUF root")
    refresh.add_argument("--ca", metavar="FILE", help="certificates of a private authority for https")
    refresh.add_argument(
        "--now", type=interval, required=True, metavar="EARLIEST,LATEST", help="the time (ms); LATEST may be empty"
    )
    refresh.add_argument("--floor", type=version, required=True, metavar="N", help="refuse a timestamp below this")
    refresh.add_argument("--root-floor", type=version, default=0, metavar="N", help="refuse a root below this")
    refresh.add_argument("--offline", action="store_true", help="verify what is on this terminal, without any network")
    refresh.add_argument("--timeout", type=float, default=120.0, metavar="SECONDS", help="give up after this long")


def interval(text: str) -> Interval:
    """Read EARLIEST,LATEST in milliseconds since 1970; an empty LATEST is unbounded. Raises ValueError."""
    earliest, separator, latest = text.partition(",")
    if not separator:
        raise ValueError(text)
    now = Interval(int(earliest), int(latest) if latest else None)
    if not 0 <= now.earliest_ms <= LATEST_MS_MAX:
        raise ValueError(text)
    return now


def version(text: str) -> int:
    """Read a version number. Raises ValueError."""
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


def run(args: argparse.Namespace) -> int:
    """Show or refresh; return 0 if that worked."""
    return _show(args) if args.action == "show" else _refresh(args)


def _refresh(args: argparse.Namespace) -> int:
    from agent.adapters.trust_store.refresher import OutOfTime, Source, refresh  # noqa: PLC0415 (tuf takes its time)

    def check(files: Mapping[str, bytes]) -> int:
        return parse_content(files, build_key).trust_list.version

    def out_of_time(_signal: int, _frame: object) -> None:
        raise OutOfTime

    try:
        source = Source(args.root.read_bytes(), None if args.offline else args.url, args.ca)
    except OSError as error:
        print(f"scanward: {args.root}: {error.strerror}", file=sys.stderr)
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
    bundle = current_bundle(args.state)
    if bundle is None:
        print(f"scanward: {args.state}: no trust list on this terminal yet", file=sys.stderr)
        return 1
    try:
        manifest, _ = read_manifest(bundle)
        content = parse_content(read_files(bundle, manifest), build_key)
    except BundleInvalid as error:
        print(f"scanward: {args.state}: {error.reason}: {error}", file=sys.stderr)
        return 1
    now = args.now or SystemClock().now().now
    shown = _shown(bundle, manifest, content, now)
    if args.json:
        print(json.dumps(shown, ensure_ascii=False, indent=1))
    else:
        _print(shown, content)
    return 0


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
        "keys": [_key(key) for key in list(content.trust_list.keys.values())[:KEYS_SHOWN_MAX]],
        "keys_total": len(content.trust_list.keys),
        "revoked": len(content.revoked),
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
    return {"verified": sorted(step.verified), "provisional": sorted(step.provisional), "confirm": step.confirm}


def _print(shown: dict[str, object], content: Content) -> None:
    print(f"trust list {shown['version']}, issued {shown['issued_at']} ({shown['age_s']} s ago at least)")
    print(f"{shown['freshness']}; the signed metadata expires {shown['expires_at']}")
    print(f"root {shown['root_version']}, timestamp {shown['timestamp_version']}, verified {shown['verified_at']}")
    print(f"{shown['revoked']} revoked; {shown['keys_total']} keys:")
    for key in list(content.trust_list.keys.values())[:KEYS_SHOWN_MAX]:
        validity = f"{_utc(key.not_before_s)} to {_utc(key.not_after_s)}"
        usage = ",".join(sorted(key.usage))
        issuer = "".join(c if c.isprintable() else "?" for c in key.issuer)
        print(f"  {key.family:<8}  {issuer:<8}  {key.key_id.hex():<16}  {key.alg:<6}  {usage:<16}  {validity}")
    print(f"policy {shown['policy_version']}:")
    for name, step in content.policy.steps.items():
        parts = [f"verified {' '.join(sorted(step.verified)) or '-'}"]
        if step.provisional:
            parts.append(f"provisional {' '.join(sorted(step.provisional))}")
        if step.confirm:
            parts.append(f"confirmed by the {step.confirm}")
        print(f"  {name}: {'; '.join(parts)}")


def _utc(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
