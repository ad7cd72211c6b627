"""`python -m fuzz [--executions N] [--seconds S] [PARSER ...]`: fuzz every target, each in a process of its own.

With atheris there is coverage feedback, without it there are random edits of the seeds. What was found interesting is
kept under .fuzz/ for the next run; a finding leaves its input there, and the exit status is 1.
"""

import argparse
import importlib.util
import signal
import sys
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from fuzz.runs import Result, Run
from fuzz.target import Target, Watched
from fuzz.targets import targets

ROOM = Path(__file__).resolve().parent.parent / ".fuzz"
AT_A_TIME = 2
EXECUTIONS = 100_000
EXECUTIONS_MAX = 1_000_000_000
SECONDS_MAX = 86_400
WAIT_S = 0.2


def main() -> int:
    """Fuzz; return the exit status."""
    known = targets()
    parser = argparse.ArgumentParser(prog="fuzz", description="Fuzz every parser that reads what was scanned.")
    parser.add_argument("parsers", nargs="*", metavar="PARSER", help=f"which of {', '.join(known)}; all by default")
    parser.add_argument("--executions", type=int, default=None, metavar="N", help=f"of each; {EXECUTIONS:,} by default")
    parser.add_argument("--seconds", type=int, default=None, metavar="S", help="for each, at most")
    parser.add_argument("--plain", action="store_true", help="without atheris, even where it is installed")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="one input that was found, with PARSER")
    parser.add_argument("--room", type=Path, default=ROOM, metavar="FOLDER", help="inputs and findings; .fuzz/ here")
    args = parser.parse_args()
    if unknown := sorted(set(args.parsers) - set(known)):
        parser.error(f"no such parser: {', '.join(unknown)}; there are {', '.join(known)}")
    executions = args.executions or (EXECUTIONS_MAX if args.seconds else EXECUTIONS)
    seconds = args.seconds or SECONDS_MAX
    if not (1 <= executions <= EXECUTIONS_MAX and 1 <= seconds <= SECONDS_MAX):
        parser.error(f"1 to {EXECUTIONS_MAX:,} executions, 1 to {SECONDS_MAX:,} seconds")
    if args.replay is not None:
        if len(args.parsers) != 1:
            parser.error("--replay FILE goes with one PARSER")
        return _replay(known[args.parsers[0]], args.replay)
    has_feedback = not args.plain and importlib.util.find_spec("atheris") is not None
    if not has_feedback:
        print("fuzz: without atheris: random edits of the seeds, no coverage (x86_64: make fuzz installs it)")
    wanted = {name: target for name, target in known.items() if name in (args.parsers or known)}
    return _fuzz(wanted, executions, seconds, args.room, has_feedback=has_feedback)


def _fuzz(wanted: Mapping[str, Target], executions: int, seconds: int, room: Path, *, has_feedback: bool) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no process of ours stays behind
    waiting, running, done = deque(wanted), list[Run](), list[Result]()
    try:
        while waiting or running:
            while waiting and len(running) < AT_A_TIME:
                running.append(Run(waiting.popleft(), executions, seconds, room, has_feedback=has_feedback))
            time.sleep(WAIT_S)
            for run in [run for run in running if run.has_ended]:
                running.remove(run)
                done.append(run.result())
                print(done[-1], flush=True)
    finally:
        for run in running:
            run.end()
    findings = sum(not result.is_good for result in done)
    print(f"fuzz: {sum(r.executions for r in done):,} executions, {len(done)} parsers, {findings} findings")
    return 1 if findings or not done else 0


def _replay(target: Target, path: Path) -> int:
    Watched(target, peak_every=1)(path.read_bytes())
    print(f"fuzz: {target.name}: nothing found in {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
