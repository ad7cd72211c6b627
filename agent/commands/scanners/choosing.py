"""Which scanner a person means, and whether another program has its device: asked before it is opened."""

import argparse
import os
import tomllib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from agent.adapters.scanners.devices import Kind
from agent.adapters.scanners.lookout import DeviceAbsent
from agent.commands.doctor.machine import Machine
from agent.commands.doctor.service import agent_of
from agent.commands.scanners import naming
from agent.config import Config, ConfigInvalid, ScannerSettings, load

SHARED = frozenset({Kind.KEYBOARD, Kind.CAMERA})  # others have these open as a rule; grab and capture say who may not
AD_HOC_ID = "test"


class NoScanner(Exception):
    """There is no scanner to open; the message says why and what to do."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which scanner."""
    parser.add_argument("--path", metavar="PATH", help="a scanner without a configuration: its device or address")
    parser.add_argument("--type", metavar="TYPE", help="its type: serial, keyboard, hid, camera, network")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE",
        help='a setting of it, as in the configuration: --set baud=115200, --set layout="de"',
    )  # fmt: skip


def choose(args: argparse.Namespace) -> tuple[ScannerSettings, Config | None]:
    """Return the settings of the scanner that the arguments mean. Raises NoScanner."""
    if args.config is None:
        if args.id is not None or args.type is None or (args.path is None and args.type != "app"):
            raise NoScanner("name a scanner: --config FILE ID, or --type TYPE --path PATH (scanward scanners list)")
        return ad_hoc(args.type, args.path, args.set), None
    if args.type or args.path or args.set:
        raise NoScanner("a scanner is either of the configuration (--config FILE ID) or given by --type, --path, --set")
    try:
        config = load(args.config)
    except ConfigInvalid as error:
        raise NoScanner(str(error)) from error
    ids = [scanner.id for scanner in config.scanners]
    if args.id is None and len(ids) == 1:
        return config.scanners[0], config
    for scanner in config.scanners:
        if scanner.id == args.id:
            return scanner, config
    wanted = "name one of its scanners" if args.id is None else f"no scanner {args.id!r} there: name one of these"
    raise NoScanner(f"{args.config}: {wanted}: {', '.join(ids)}")


def ad_hoc(type_: str, path: str | None, settings: Sequence[str]) -> ScannerSettings:
    """Return settings made on the command line. Raises NoScanner."""
    raw: dict[str, object] = {"id": AD_HOC_ID, "type": type_}
    if path is not None:
        raw["path"] = path
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise NoScanner(f"--set {setting}: write NAME=VALUE")
        raw[name.strip()] = _value(value.strip())
    try:
        made: ScannerSettings = msgspec.convert(raw, ScannerSettings)
    except msgspec.ValidationError as error:
        raise NoScanner(f"these are no settings of a scanner: {error} (docs/configuration.md)") from error
    return made


def _value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text  # a shell has eaten the quotes


def why_taken(settings: ScannerSettings, config: Config | None, machine: Machine) -> str | None:
    """Say who has this scanner, and what to do about it; None where nobody has, as far as this user may see."""
    agent = None if config is None else agent_of(config, machine)
    if agent is not None and naming.type_of(settings) != "replay":
        return f"the agent (pid {agent}) has it: systemctl stop scanward; and start it again afterwards"
    kind = naming.kind_of(settings)
    if kind is None or kind in SHARED:
        return None
    try:
        there = naming.node_of(settings).stat()
    except (DeviceAbsent, OSError):
        return None  # the scanner itself says so
    holders = [f"{name} (pid {pid})" for pid, name in machine.holders(there) if pid != os.getpid()]
    if not holders:
        return None
    return f"another program has it open: {', '.join(holders[:3])}: end it first (the agent: systemctl stop scanward)"


def config_argument(parser: argparse.ArgumentParser) -> None:
    """Add --config, where it may be left out."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="the configuration, TOML")
