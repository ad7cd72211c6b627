"""`scanward check`: say what a configuration will do, and what is in its way, without doing it.

Errors are what keeps the agent from starting (`scanward run` asks for them, too); a scanner that is not plugged in is
only a warning. No device is opened: the agent may be running.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from agent.adapters.console.secret_files import load_pin, load_token
from agent.adapters.scanners.devices import Kind, resolve
from agent.adapters.scanners.lookout import DeviceAbsent
from agent.adapters.scanners.replay import Settings as ReplaySettings
from agent.adapters.scanners.serial import Settings as SerialSettings
from agent.commands.scanners import naming
from agent.config import Config, ConfigInvalid, ScannerSettings, load
from agent.core.codes.hospital_card import overlapped
from agent.ports import SecretUnusable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--config", required=True, type=Path, metavar="FILE", help="the configuration, TOML")


def run(args: argparse.Namespace) -> int:
    """Print what the configuration does; return 0 if the agent can start with it, 1 if not."""
    try:
        config = load(args.config)
    except ConfigInvalid as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for line in _describe(config):
        print(line)
    for warning in _warnings(config):
        print(f"warning: {warning}", file=sys.stderr)
    faults = list(errors(config))
    for error_line in faults:
        print(f"error: {args.config}: {error_line}", file=sys.stderr)
    if not faults:
        print(f"{args.config}: ok")
    return 1 if faults else 0


def _describe(config: Config) -> Iterator[str]:
    yield f"terminal  {config.terminal.id} of site {config.terminal.site}"
    for scanner in config.scanners:
        yield f"scanner   {scanner.id}: {_source(scanner)}, step {config.step_of(scanner)}"
    urls = [carrier.url for carrier in (config.uplink.mqtt, config.uplink.http) if carrier is not None]
    yield f"uplink    {', else '.join(urls) or 'none: decisions are stored, nothing is delivered'}"
    yield f"trust     {_trust(config)}"
    yield f"console   http://{config.console.listen}"
    yield f"state     {config.state_directory.absolute()}"
    for pattern in config.codes.hospital_cards:
        yield f"cards     {pattern}"
    for step, kinds in sorted(config.policy.refuse.items()):
        yield f"refused   {', '.join(sorted(kinds))} at {_at(step)}"
    for step, checks in sorted(config.policy.checked.items()):
        yield f"checked   {', '.join(sorted(checks))} at {_at(step)}"


def _at(step: str) -> str:
    return "every step" if step == "*" else f"step {step}"


def _source(scanner: ScannerSettings) -> str:
    if isinstance(scanner, SerialSettings):
        return f"serial {scanner.path}, {scanner.baud} baud, framing {scanner.framing}"
    if isinstance(scanner, ReplaySettings):
        return f"replay of {'standard input' if scanner.path == '-' else scanner.path}"
    return naming.source_of(scanner)


def _trust(config: Config) -> str:
    source = config.trust.url or (f"by way of {config.uplink.http.url}" if config.uplink.http else "no source")
    return f"{source}, root {config.trust.root or 'none'}"


def _warnings(config: Config) -> Iterator[str]:
    """Yield what may well be different by the time it matters."""
    for scanner in config.scanners:
        if (kind := naming.kind_of(scanner)) is not None:
            yield from (f"scanner {scanner.id}: {why}" for why in _about_path(naming.path_of(scanner), kind))
    if config.trust.root is None:
        yield "no trust.root: without a trust list every code is refused"
    yield from card_warnings(config)


def card_warnings(config: Config) -> Iterator[str]:
    """Yield which numbers of the site's own cards will be taken for something else."""
    for pattern, family in overlapped(config.codes.cards()):
        yield f"$.codes.hospital_cards: a card that {pattern!r} fits may be taken for a code of {family}: narrow it"


def _about_path(path: str, kind: Kind) -> Iterator[str]:
    """Yield what may keep a device from being read: it is away, not permitted, or another one tomorrow."""
    try:
        node = resolve(path, kind)
    except DeviceAbsent as error:
        yield str(error)
        return
    if not os.access(node, os.F_OK):
        yield f"{path} is not there now: plug it in; the agent will find it"
    elif not os.access(node, os.R_OK | os.W_OK):
        yield f"no permission for {path}: scanward doctor says what to do"
    if naming.UNSTABLE.fullmatch(path):
        yield f"{path} may be another device after the next start: scanward scanners list names a lasting path"


def errors(config: Config) -> Iterator[str]:
    """Yield what keeps the agent from starting, each with its place in the configuration."""
    files = {"$.trust.root": config.trust.root, "$.trust.ca": config.trust.ca}
    if config.uplink.mqtt is not None:
        files |= {f"$.uplink.mqtt.{name}": file for name, file in config.uplink.mqtt.files().items()}
    files |= {f"$.console.{name}": getattr(config.console, name) for name in ("token_file", "staff_pin_file")}
    for index, scanner in enumerate(config.scanners):
        if isinstance(scanner, ReplaySettings) and scanner.path != "-":
            files[f"$.scanners[{index}].path"] = scanner.path
    for place, name in files.items():
        if name is not None and (fault := _unreadable(Path(name))):
            yield f"{place}: {name} {fault}"
    yield from _unusable_secrets(config)
    if fault := _unwritable(config.state_directory.absolute()):
        yield f"$.state.directory: {config.state_directory.absolute()} {fault}"


def _unusable_secrets(config: Config) -> Iterator[str]:
    """Yield why a secret that can be read is none: the agent does not start without it."""
    ways: tuple[tuple[str, Callable[[Path], object]], ...] = (("token_file", load_token), ("staff_pin_file", load_pin))
    for name, load_secret in ways:
        file = getattr(config.console, name)
        if file is None or _unreadable(Path(file)):
            continue
        try:
            load_secret(Path(file))
        except SecretUnusable as error:
            yield f"$.console.{name}: {error}"


def _unreadable(path: Path) -> str | None:
    if not os.access(path, os.F_OK):
        return "is not there: put it there, or correct the path"
    if path.is_dir():
        return "is a folder: name a file"
    return None if os.access(path, os.R_OK) else "cannot be read: give the service's user permission"


def _unwritable(directory: Path) -> str | None:
    """Say why files cannot be made in the directory, which is made at start if need be."""
    nearest = next(p for p in (directory, *directory.parents) if os.access(p, os.F_OK))
    if not nearest.is_dir():
        return f"cannot be made: {nearest} is not a folder"
    if not os.access(nearest, os.W_OK | os.X_OK):
        return f"cannot be written ({nearest}): give the service's user permission"
    return None
