"""`scanward explain`: show what each stage of the pipeline sees in one code. Personal data is masked.

Nothing is stored, nothing asked of any network. Exit status: 0 verified (and accepted for the step), 1 not, 2 usage or
a file that cannot be read.
"""

import argparse
import json
import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

from agent.adapters.clock import SystemClock
from agent.adapters.vision.pictures import PICTURE_BYTES_MAX, PictureUnreadable, look_at_picture
from agent.commands.laboratory import (
    UNSIGNED_NOTICE,
    InputUnreadable,
    choose,
    instant,
    present,
    read_file,
    read_policy,
    read_trust,
)
from agent.commands.trust import TrustUnreadable, read_configured
from agent.core.codes import recognise, shc
from agent.core.codes.hospital_card import NO_CARDS, CardPatterns
from agent.core.codes.parts import PREFIX, parts_of
from agent.core.decision import Answer, Decision, History, decide
from agent.core.legible import legible
from agent.core.scan import SCAN_BYTES_MAX, Scan, ScanFault
from agent.core.steps import Policy
from agent.core.time_interval import Interval, Stamp
from agent.core.trust_list import Trust, TrustList
from agent.core.verdict import Code, Outcome, Verdict
from agent.core.verification import verify

_NO_TRUST = Trust(TrustList(0, 0), policy=None, revoked=None, expires_ms=None, laboratory=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the code and the options."""
    parser.add_argument(
        "code", nargs="*", metavar="CODE",
        help="the code's text, or those of a card in several codes; - reads them from standard input, one a line",
    )  # fmt: skip
    parser.add_argument("--image", type=Path, metavar="FILE", help="a picture of the code instead of its text")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--now", type=instant, metavar="T", help="judge at this time: Unix seconds or RFC 3339")
    parser.add_argument("--step", metavar="S", help="decide for this medical step too, by --config or --policy")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="go by what this terminal trusts: its configuration"
    )
    parser.add_argument("--trust", type=Path, metavar="FILE", help="an unsigned trust-list.json, for laboratory use")
    parser.add_argument("--policy", type=Path, metavar="FILE", help="a policy.toml to decide by")
    parser.set_defaults(usage_error=parser.error)


@dataclass(slots=True)
class _Report:
    """What the stages saw, as they saw it."""

    stages: list[tuple[str, str]] = field(default_factory=list)

    def tell(self, stage: str, saw: str) -> None:
        self.stages.append((stage, saw))


def run(args: argparse.Namespace) -> int:
    """Explain one code; return the exit status."""
    if bool(args.code) == (args.image is not None):
        args.usage_error("give either CODE or --image FILE")
    if len(args.code) > 1 and not all(code.startswith(PREFIX) for code in args.code):
        args.usage_error(f"several CODEs are the parts of one card: each begins with {PREFIX}")
    if args.policy is not None and args.step is None:
        args.usage_error("--policy decides for a step: give --step too")
    if args.config is not None and (args.trust is not None or args.policy is not None):
        args.usage_error("--config is this terminal's trust list and policy: give neither --trust nor --policy with it")
    if args.step is not None and args.config is None and args.policy is None:
        args.usage_error(
            "--step decides by a policy: add --config FILE (what this terminal trusts) or --policy FILE (a policy.toml)"
        )
    stamp = SystemClock().now()
    now: Interval = args.now or stamp.now
    report = _Report()
    try:
        trust, policy, cards = _read_trust(args)
        scan = _read_image(args.image, stamp, report) if args.image else _read_texts(args.code, stamp, report)
    except InputUnreadable as error:
        print(f"scanward explain: {error}", file=sys.stderr)
        return 2
    verdict = _verify(scan, cards, trust, now, report)
    decision = None
    if args.step is not None:
        decision = decide(verdict, args.step, replace(trust or _NO_TRUST, policy=policy), History(), now)
        report.tell("decide", f"{args.step}: {decision.answer.name.lower()}, {decision.reason}")
    if args.json:
        print(_shown(json.dumps(_as_json(report, verdict, decision, trust), ensure_ascii=False, indent=1)))
    else:
        _print(report, verdict, trust)
    is_accepted = decision is None or decision.answer is Answer.ACCEPT
    return 0 if verdict.outcome is Outcome.VERIFIED and is_accepted else 1


def _read_trust(args: argparse.Namespace) -> tuple[Trust | None, Policy | None, CardPatterns]:
    """Return what to go by: this terminal's verified bundle, narrowed as the agent does it, or files given by hand."""
    if args.config is None:
        trust = None if args.trust is None else read_trust(args.trust)
        return trust, None if args.policy is None else read_policy(args.policy), NO_CARDS
    try:
        config, (_, manifest, content) = read_configured(args.config)
    except TrustUnreadable as error:
        raise InputUnreadable(str(error)) from error
    policy = content.policy.narrowed(config.policy.refuse, config.policy.checked)
    return Trust(content.trust_list, policy, content.revoked, manifest.expires_at_ms), policy, config.codes.cards()


def _read_texts(codes: list[str], stamp: Stamp, report: _Report) -> Scan | Code:
    """Read one code as a scan, or several as the one that they are together."""
    texts = _read_lines() if codes == ["-"] else [os.fsencode(code) for code in codes]
    if len(texts) == 1:
        return _scan_of(texts[0], stamp, report)
    report.tell("read", f"{len(texts)} codes of {sum(map(len, texts))} bytes of text")
    return shc.join([text.decode("utf-8", "replace") for text in texts])


def _read_lines() -> list[bytes]:
    """Read a code from standard input; where it is a part of a card, the lines of the others too."""
    lines = list[bytes]()
    while len(lines) < (parts_of(lines[0].decode("utf-8", "replace")) if lines else 1):
        line = sys.stdin.buffer.readline(SCAN_BYTES_MAX + 2)
        if lines and not line:
            break
        lines.append(line.removesuffix(b"\n").removesuffix(b"\r"))
    return lines


def _scan_of(data: bytes, stamp: Stamp, report: _Report) -> Scan:
    fault = ScanFault.OVER_LONG if len(data) > SCAN_BYTES_MAX else None
    report.tell("read", f"more than {SCAN_BYTES_MAX} bytes" if fault else f"{len(data)} bytes of text")
    return Scan(data[:SCAN_BYTES_MAX], "explain", stamp, fault=fault)


def _read_image(path: Path, stamp: Stamp, report: _Report) -> Scan | None:
    try:
        scans, how = look_at_picture(read_file(path, PICTURE_BYTES_MAX), stamp)
    except PictureUnreadable as error:
        raise InputUnreadable(f"{path}: {error}") from error
    if not scans:
        report.tell("read", "no code found in the picture")
        return None
    at = choose(scans)
    which = f", number {at + 1} of {len(scans)} in the picture" if len(scans) > 1 else ""
    report.tell("read", f"{len(scans[at].data)} bytes, symbology {scans[at].aim or 'not told'}{which}, picture {how}")
    return scans[at]


def _verify(
    scan: Scan | Code | None, cards: CardPatterns, trust: Trust | None, now: Interval, report: _Report
) -> Verdict:
    if scan is None:
        return Verdict("unreadable", Outcome.REFUSED, "scan.no-code")
    code = recognise(scan, cards) if isinstance(scan, Scan) else scan
    type_ = "" if code.type is None else f", {code.type.name.lower()} by its text"
    report.tell("recognise", f"family {code.family}{type_}")
    return verify(code, trust, now, report.tell)


def _as_json(report: _Report, verdict: Verdict, decision: Decision | None, trust: Trust | None) -> dict[str, object]:
    return {
        "stages": [{"stage": stage, "saw": saw} for stage, saw in report.stages],
        "family": verdict.family,
        "verdict": verdict.outcome.value,
        "reason": verdict.reason,
        "claims": present(verdict.family, verdict.claims, clear=False),
        "unchecked": list(verdict.unchecked),
        "needs_online": verdict.needs_online,
        "laboratory": trust is not None and trust.laboratory,
        "decision": decision
        and {"step": decision.step, "answer": decision.answer.name.lower(), "reason": decision.reason},
    }


def _shown(text: str) -> str:
    """Return JSON in which what could steer a terminal is escaped too, as JSON allows."""
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def _print(report: _Report, verdict: Verdict, trust: Trust | None) -> None:
    if trust is not None and trust.laboratory:
        print(UNSIGNED_NOTICE)
    *stages, last = report.stages
    decided = [last] if last[0] == "decide" else []
    for stage, saw in report.stages if not decided else stages:
        print(f"{stage:<11} {legible(saw)}")
    unchecked = f"; not checked: {', '.join(verdict.unchecked)}" if verdict.unchecked else ""
    online = "; the platform could settle it" if verdict.needs_online else ""
    print(f"{'verdict':<11} {verdict.outcome.value}, {verdict.reason}{unchecked}{online}")
    claims = ", ".join(
        f"{name} {value}" for name, value in present(verdict.family, verdict.claims, clear=False).items()
    )
    print(f"{'claims':<11} {legible(claims) or 'none'}")
    for stage, saw in decided:
        print(f"{stage:<11} {saw}")
