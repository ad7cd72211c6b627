"""`python -m conformance [--write] [SUITE …]`: other people's test suites, through `scanward verify`.

The suites are in the folder that SCANWARD_VECTORS names, else in ../shared/vectors beside the checkout. Exit status: 0
where every case is as expected or explained, 1 where one is not, where an explanation is stale or a suite is empty, 2
for usage or without the data.
"""

import argparse
import os
import sys
import time
from pathlib import Path

from conformance.command import ROOT, Runner
from conformance.document import PATH, write
from conformance.explained import Reckoning
from conformance.suites import SUITES
from conformance.trial import Trial, try_suite

BESIDE = Path("../shared/vectors")


def vectors() -> Path | None:
    """Return where the suites are, or None."""
    told = os.getenv("SCANWARD_VECTORS")
    folder = Path(told) if told else ROOT / BESIDE
    return folder.resolve() if folder.is_dir() else None


def main() -> int:
    """Run the named suites, or all."""
    parser = argparse.ArgumentParser(prog="conformance", description="Other people's test suites, case by case.")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"which of {', '.join(SUITES)}; all by default")
    parser.add_argument("--write", action="store_true", help=f"write the figures into {PATH}; only with all suites")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), metavar="N", help="processes")
    args = parser.parse_args()
    if unknown := sorted(set(args.suites) - set(SUITES)):
        parser.error(f"no such suite: {', '.join(unknown)}")
    if args.write and args.suites:
        parser.error("--write needs all suites: name none")
    if args.workers < 1:
        parser.error("--workers: at least 1")
    folder = vectors()
    if folder is None:
        print(
            f"conformance: no suites: SCANWARD_VECTORS names no folder, and {BESIDE} is none; {PATH} says what to put "
            "there",
            file=sys.stderr,
        )
        return 2
    trials = list[Trial]()
    for name in args.suites or SUITES:
        started = time.monotonic()
        trials.append(trial := try_suite(name, folder, Runner(args.workers)))
        _print(trial, time.monotonic() - started)
    if args.write:
        write(trials)
    reckonings = [trial.reckoning for trial in trials]
    cases, agreed, explained, unexplained = (sum(figures) for figures in zip(*map(_figures, reckonings), strict=True))
    print(f"conformance: {cases} cases, {agreed} as expected, {explained} explained, {unexplained} unexplained")
    return 0 if all(trial.is_passed for trial in trials) else 1


def _figures(reckoning: Reckoning) -> tuple[int, int, int, int]:
    return reckoning.cases, len(reckoning.agreed), len(reckoning.explained), len(reckoning.unexplained)


def _print(trial: Trial, took_s: float) -> None:
    """Say what a suite gave: a line of figures, then whatever is wrong."""
    cases, agreed, explained, unexplained = _figures(trial.reckoning)
    print(f"-- {trial.suite}: {cases} cases, {agreed} as expected, {explained} explained, {unexplained} unexplained "
          f"({took_s:.1f} s)", flush=True)  # fmt: skip
    if not cases:
        print(f"   MISS: no cases in {trial.folder}: docs/conformance.md says where they come from")
    for result in trial.reckoning.unexplained:
        facts = "; ".join(sorted(result.facts))
        print(f"   UNEXPLAINED {result.id}: {result.got}, not {' or '.join(result.expected)}; {facts}")
    for why in trial.reckoning.stale:
        print(f"   STALE explanation of {why.id or why.fact}: nothing of it is {why.got} against the suite any more")
    for path, trouble in trial.not_taken:
        print(f"   not taken: {path}: {trouble}")


if __name__ == "__main__":
    sys.exit(main())
