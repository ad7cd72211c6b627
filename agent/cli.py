"""The command line: which commands there are. Each lives in `agent/commands/` and is imported only when called."""

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

from agent.commands.output import OUTPUT_FULL, drop_output
from agent.late import loaded_late

COMMANDS = {
    "run": "run the agent",
    "check": "validate a configuration without running anything",
    "doctor": "look at all a terminal needs, and say what to do",
    "explain": "show what each stage of the pipeline sees in one code",
    "verify": "verify codes in bulk: JSON lines in, JSON lines out",
    "queue": "list, retry and export what has not been delivered",
    "trust": "show the trust list in use, refresh it, import public ones",
    "scanners": "list, test and calibrate scanners",
    "console": "print a link to the kiosk or staff page, or make the staff's PIN",
}

READER_GONE = 141  # as of a program that SIGPIPE ends (128 + 13)
INTERRUPTED = 130  # as of a program that SIGINT ends (128 + 2)
OUTPUT_UNWRITTEN = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; 2 is a usage error, or an output that cannot be written."""
    try:
        return _main(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:
        if argv is not None:  # a program called this: it decides
            raise
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)  # so a shell's script ends, too, and what is buffered waits for nobody
        return INTERRUPTED  # the first process of a container outlives it


def _main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="scanward", description="The edge agent of a health-code scanner terminal.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    chosen = next((a for a in arguments if not a.startswith("-")), None)
    for name, line in COMMANDS.items():
        sub = commands.add_parser(name, help=line, description=line[0].upper() + line[1:] + ".")
        if name == chosen:
            with loaded_late() if name == "run" else nullcontext():  # the only one that stays in memory
                module = importlib.import_module(f"agent.commands.{name}")
            module.add_arguments(sub)
            sub.set_defaults(run=module.run)
    if chosen == "run":
        status: int = (args := parser.parse_args(arguments)).run(args)
        return status
    if sys.stdin is None:  # started with its input closed (`<&-`): there is none
        sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115
    if sys.stdout is None:  # likewise (`>&-`): what is said goes nowhere
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:  # and not, for want of it, among the output
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    try:
        try:
            args = parser.parse_args(arguments)
            status = args.run(args)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # whoever read it has seen enough (`scanward explain ... | head`)
        drop_output()
        return READER_GONE
    except OSError as error:
        if error.errno not in OUTPUT_FULL:
            raise
        drop_output()
        with suppress(OSError):  # the same disk, perhaps
            print(f"scanward: {error.strerror}: the output is not whole", file=sys.stderr)
        return OUTPUT_UNWRITTEN
    return status


if __name__ == "__main__":
    sys.exit(main())
