"""`scanward scanners test`: open one scanner as the agent would, and show what each scan is.

The law: the device is not opened while another program has it; a payload is shown only with --show.
"""

import argparse
import asyncio
import signal
import sys
import threading
from collections.abc import Iterator

from agent.adapters.clock import SystemClock
from agent.adapters.scanners.presence import Presence
from agent.commands.doctor.machine import Machine
from agent.commands.scanners import choosing, naming, showing
from agent.composition.scanners import build_scanner
from agent.config import ScannerSettings
from agent.core.codes.hospital_card import NO_CARDS, CardPatterns
from agent.core.decision import Answer
from agent.core.scan import Scan
from agent.ports import Scanner, Triggered

COUNT_MAX, SECONDS_MAX = 1_000_000, 86_400
FIGURES_S = 5.0  # between two lines of figures of a camera
THREAD_S_MAX = 5.0  # for a camera's last picture
WARNING = "warning: --show prints what the codes hold: personal data. Nobody else should see this screen."
ANSWERS = {"accept": Answer.ACCEPT, "refuse": Answer.REFUSE}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this action."""
    parser.add_argument("id", nargs="?", metavar="ID", help="the scanner's id in the configuration")
    choosing.config_argument(parser)
    choosing.add_arguments(parser)
    parser.add_argument("--count", type=_number(COUNT_MAX), metavar="N", help="end after so many scans")
    parser.add_argument("--seconds", type=_number(SECONDS_MAX), metavar="S", help="end after so long")
    parser.add_argument("--trigger", action="store_true", help="have the scanner look for a code at once")
    parser.add_argument("--feedback", choices=sorted(ANSWERS), help="answer each scan, to hear what the scanner does")
    parser.add_argument("--show", action="store_true", help="print what the codes hold (personal data)")


class _number:  # noqa: N801 — a type of argparse
    """A whole number from 1."""

    def __init__(self, most: int) -> None:
        self._most = most

    def __call__(self, text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) < 9 and 1 <= int(text) <= self._most):
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {self._most}")
        return int(text)


def run(args: argparse.Namespace) -> int:
    """Show scans until told to end; return 0 if a good one came, 1 if none did, 2 where there is nothing to open."""
    try:
        settings, config = choosing.choose(args)
    except choosing.NoScanner as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if naming.type_of(settings) == "app":
        print(
            f"error: {settings.id} is no device: scans come through the running agent's POST /v1/scans "
            "(docs/console.md has a call to try)",
            file=sys.stderr,
        )
        return 2
    if (taken := choosing.why_taken(settings, config, Machine())) is not None:
        print(f"error: {naming.path_of(settings) or settings.id}: {taken}", file=sys.stderr)
        return 2
    if args.show:
        print(WARNING, file=sys.stderr)
    try:
        cards = NO_CARDS if config is None else config.codes.cards()
        return asyncio.run(_Trial(args, settings, cards).run(build_scanner(settings, SystemClock(), _tell)))
    finally:
        for thread in threading.enumerate():  # ended in the middle of a picture, its library complains of us at length
            if thread.name == "camera":
                thread.join(THREAD_S_MAX)


def _tell(scanner: str, presence: Presence, why: str) -> None:
    """Print that the scanner came or went; a why is printed once by the intake already."""
    print(f"{presence.value:<8} {scanner}: {why}", flush=True)


class _Trial:
    """One scanner, watched for a while."""

    def __init__(self, args: argparse.Namespace, settings: ScannerSettings, cards: CardPatterns = NO_CARDS) -> None:
        self._args = args
        self._cards = cards
        signals = getattr(settings, "signals", None)  # a serial scanner has a trigger only where its commands are known
        self._has_trigger = signals is None or bool(getattr(signals, "trigger_on", None))
        self._stop = asyncio.Event()
        self._last_s: float | None = None
        self._good = 0
        self._faulty = 0
        self._began_s = 0.0
        self._why_silent: str | None = None  # as long as it was read

    async def run(self, scanner: Scanner) -> int:
        loop = asyncio.get_running_loop()
        self._began_s = loop.time()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop.set)
        print("scan a code; Ctrl-C ends", file=sys.stderr, flush=True)
        try:
            async with asyncio.timeout(self._args.seconds), asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._read(scanner)), group.create_task(self._accompany(scanner))]
                await self._stop.wait()
                for task in tasks:
                    task.cancel()
        except TimeoutError:
            pass  # --seconds are over
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
        for line in self._summary(scanner, loop.time() - self._began_s):
            print(line, flush=True)
        return 0 if self._good else 1

    async def _read(self, scanner: Scanner) -> None:
        async for scan in scanner.scans():
            self._show(scan)
            if self._args.feedback is not None:
                scanner.answered(ANSWERS[self._args.feedback])
            if self._args.count is not None and self._good + self._faulty >= self._args.count:
                break
        self._stop.set()

    def _show(self, scan: Scan) -> None:
        at_s = asyncio.get_running_loop().time()
        after_s, self._last_s = None if self._last_s is None else at_s - self._last_s, at_s
        if scan.fault is None:
            self._good += 1
        else:
            self._faulty += 1
        for line in showing.lines_of(scan, self._good + self._faulty, after_s, show=self._args.show, cards=self._cards):
            print(line, flush=True)

    async def _accompany(self, scanner: Scanner) -> None:
        """Pull the trigger once the scanner is there; tell a camera's figures now and then."""
        triggered = self._triggered(scanner)
        if self._args.trigger and triggered is None:
            print(f"{scanner.id} has no trigger that is known here: set vendor (docs/scanners.md)", file=sys.stderr)
        before, told_s = figures_of(scanner), asyncio.get_running_loop().time()
        try:
            while True:
                await asyncio.sleep(0.1)
                why_silent = getattr(scanner, "why_silent", None)
                self._why_silent = why_silent() if callable(why_silent) else None
                if triggered is not None and scanner.presence == Presence.PRESENT:
                    triggered.trigger(on=True)
                    print("trigger  pulled", file=sys.stderr, flush=True)
                    triggered = None
                now_s = asyncio.get_running_loop().time()
                if before is not None and now_s - told_s >= FIGURES_S:
                    after = figures_of(scanner) or before
                    print(f"pictures {_rate(before, after, now_s - told_s)}", file=sys.stderr, flush=True)
                    before, told_s = after, now_s
        finally:
            if (pulled := self._triggered(scanner)) is not None:
                pulled.trigger(on=False)

    def _triggered(self, scanner: Scanner) -> Triggered | None:
        is_asked = self._args.trigger and self._has_trigger
        return scanner if is_asked and isinstance(scanner, Triggered) else None

    def _summary(self, scanner: Scanner, lasted_s: float) -> Iterator[str]:
        figures = figures_of(scanner)
        if figures is not None:
            yield f"pictures {_rate((0, 0), figures, lasted_s)}"
        if not self._good and self._why_silent is not None:
            yield f"silent   {self._why_silent}"
        yield f"test: {self._good} good, {self._faulty} faulty in {lasted_s:.1f} s"


def figures_of(scanner: Scanner) -> tuple[int, int] | None:
    """Return how many pictures came so far, and how many of them were passed over; None for what is no camera."""
    for name in ("pictures", "counts"):
        counts = getattr(scanner, name, None)
        if isinstance(pictures := getattr(counts, "pictures", None), int):
            dropped = getattr(counts, "dropped", 0)
            return pictures, dropped if isinstance(dropped, int) else 0
    return None


def _rate(before: tuple[int, int], after: tuple[int, int], lasted_s: float) -> str:
    frames, dropped = after[0] - before[0], after[1] - before[1]
    return f"{frames / max(lasted_s, 0.001):.1f}/s, {dropped} of {frames} dropped"
