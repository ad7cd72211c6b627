"""`scanward run`: run the agent until it is told to stop."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from agent import app
from agent.adapters.keys.signing import SigningKeyUnusable
from agent.adapters.log import log_to
from agent.adapters.service import Service
from agent.config import Config, ConfigInvalid, load, read_environment
from agent.ports import AddressInUse, LedgerBroken, LedgerFull, LedgerUnusable

START_FAILED = 1
BROKEN = 3  # the ledger, in the middle of work: the service manager starts the agent again, and the file is checked


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--config", required=True, type=Path, metavar="FILE", help="the configuration, TOML")
    parser.add_argument("--quiet", action="store_true", help="show no lines on standard output")
    parser.add_argument("--verbose", action="store_true", help="log more")


def run(args: argparse.Namespace) -> int:
    """Run; return 0 after an orderly stop, 1 if it could not start, 3 if the ledger failed."""
    log_to(sys.stderr, is_verbose=args.verbose)
    environment = read_environment()
    try:
        config = load(args.config, environment)
        asyncio.run(_run(config, environment.notify_socket, is_quiet=args.quiet))
    except (ConfigInvalid, SigningKeyUnusable, AddressInUse, LedgerUnusable, LedgerFull) as error:
        return _say(error, START_FAILED)
    except LedgerBroken as error:
        return _say(error, BROKEN)
    except OSError as error:
        return _say(f"{error.filename or args.config}: {error.strerror or error}", START_FAILED)
    except ExceptionGroup as group:
        expected, bugs = group.split(LedgerBroken)
        if bugs is not None or expected is None:
            raise
        return _say(expected.exceptions[0], BROKEN)
    return 0


def _say(what: object, status: int) -> int:
    print(f"scanward: {what}", file=sys.stderr)
    return status


async def _run(config: Config, notify_socket: str | None, *, is_quiet: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await app.run(config, service=Service(notify_socket), lines_to=None if is_quiet else sys.stdout, stop=stop)
