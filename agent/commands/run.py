"""`scanward run`: run the agent until it is told to stop."""

import argparse
import asyncio
import faulthandler
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from agent import app
from agent.adapters.console.lines import Lines
from agent.adapters.keys.signing import SigningKeyUnusable
from agent.adapters.log import log_to
from agent.adapters.service import Service
from agent.adapters.threads import UnawaitedThreads
from agent.commands.check import errors
from agent.composition.link import Reload
from agent.config import Config, ConfigInvalid, Environment, load, read_environment
from agent.ports import AddressInUse, LedgerBroken, LedgerFull, LedgerUnusable, SecretUnusable

START_FAILED = 1
RELOADED = 4  # the platform asked for it; the service manager starts the agent again
BROKEN = 3  # the ledger, in the middle of work: the service manager starts the agent again, and the file is checked
_STANDARD_ERROR = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--config", required=True, type=Path, metavar="FILE", help="the configuration, TOML")
    parser.add_argument("--quiet", action="store_true", help="show no lines on standard output")
    parser.add_argument("--verbose", action="store_true", help="log more")


def run(args: argparse.Namespace) -> int:
    """Run; return 0 after an orderly stop, 1 if it could not start, 3 if the ledger failed, 4 to reload."""
    # Nothing the agent says may hold it up: neither a terminal that is stopped nor a journal that stalls.
    shown, said = None if args.quiet else Lines(sys.stdout), Lines(sys.stderr)
    log_to(said, is_verbose=args.verbose)
    faulthandler.enable(_STANDARD_ERROR)  # ended by the watchdog, it says in which function each thread stood
    try:
        return _run(args.config, shown, said)
    finally:
        if shown is not None:
            shown.close()
        said.close()


def _run(path: Path, shown: Lines | None, said: Lines) -> int:
    def say(what: object, status: int) -> int:
        said.write(f"scanward: {what}\n")
        return status

    environment = read_environment()
    try:
        config = load(path, environment)
        for fault in errors(config):
            return say(f"{path}: {fault}", START_FAILED)
        if asyncio.run(_run_until_told(config, environment, shown, lambda: _fault(path, environment, config))):
            return RELOADED
    except (ConfigInvalid, SigningKeyUnusable, SecretUnusable, AddressInUse, LedgerUnusable, LedgerFull) as error:
        return say(error, START_FAILED)
    except LedgerBroken as error:
        return say(error, BROKEN)
    except OSError as error:
        return say(f"{error.filename or path}: {error.strerror or error}", START_FAILED)
    except ExceptionGroup as group:
        expected, bugs = group.split(LedgerBroken)
        if bugs is not None or expected is None:
            raise
        return say(expected.exceptions[0], BROKEN)
    return 0


def _fault(path: Path, environment: Environment, running: Config) -> str | None:
    """Say why the agent could not start with the configuration file as it is now."""
    try:
        new = load(path, environment)
    except ConfigInvalid as error:
        return str(error)
    if new.terminal.id != running.terminal.id and new.state_directory == running.state_directory:
        return f"$.terminal.id: the ledger belongs to terminal {running.terminal.id}: give the terminal its name back"
    return next(iter(errors(new)), None)


async def _run_until_told(
    config: Config, environment: Environment, shown: Lines | None, fault: Callable[[], str | None]
) -> bool:
    """Run until a signal or the platform says stop; return whether to start again with a new configuration."""
    stop, reload = asyncio.Event(), asyncio.Event()

    def begin_reload() -> None:
        reload.set()
        stop.set()

    loop = asyncio.get_running_loop()
    loop.set_default_executor(UnawaitedThreads())
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    service = Service(environment.notify_socket, environment.watchdog_s)
    reloading = Reload(fault, begin_reload)
    await app.run(config, service=service, lines_to=shown, stop=stop, reload=reloading)
    return reload.is_set()
